"""Transcripts of chosen genes as points over the section."""
