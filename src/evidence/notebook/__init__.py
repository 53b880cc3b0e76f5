"""Notebooks and their parameters: where they are, what they declare, what they accept."""
