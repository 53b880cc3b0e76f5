"""The warm engine: each notebook in a process forked from one that has the libraries loaded."""
