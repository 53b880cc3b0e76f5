"""Risk of bias and certainty of evidence (GRADE)."""
