"""What the checks are worth: seeded errors in the shipped tables and in a clean made-up dataset."""
