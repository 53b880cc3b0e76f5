"""What changed between two versions of a project: rows, numbers, claims and unknowns."""
