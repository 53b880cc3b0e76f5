"""What remains unknown: evidence map, unknowns, and the trials that would answer them."""
