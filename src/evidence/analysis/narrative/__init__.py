"""Sentences about results, built from computed numbers."""
