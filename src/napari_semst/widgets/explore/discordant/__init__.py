"""The part of the dock that lists discordant regions."""
