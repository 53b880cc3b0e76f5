"""A figure or table of the reports as something to paste into a manuscript: Word, LaTeX, HTML."""
