"""What was reported: the tables and the bibliography, read, checked and frozen."""
