"""Claims of the guide compared with what their sources report."""
