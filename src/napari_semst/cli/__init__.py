"""The command line ``semst``: options, what commands do, what they say."""
