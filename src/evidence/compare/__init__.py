"""Compare two versions of a project."""
