"""Evidence from files of other programs, and for them."""
