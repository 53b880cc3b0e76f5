"""Parameters of notebooks: what each declares, the one rule for values, and the words allowed."""
