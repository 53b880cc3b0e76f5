"""What the results mean together: compared, set beside the claims, and what is missing.

Everywhere, `results` is a DataFrame from `results.select_results`, `confidence` a coverage between
0 and 1, and `method` and `test` are those of `statistics.meta_analysis`.
"""
