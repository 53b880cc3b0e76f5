"""What the results mean together: compared, set beside the claims, and what is missing."""
