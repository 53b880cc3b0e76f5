"""Words of the libraries that commands offer; importing these would make help texts slow.

A test compares them with their originals.
"""

MEASURES = ("rr", "or", "rd", "smd", "md", "hr", "irr", "generic", "proportion")
METHODS = ("reml", "dl", "pm", "common", "mh", "peto", "glmm", "threelevel", "bayes")
PRIORS = ("half-normal", "half-cauchy")
TESTS = ("knha", "knha-adhoc", "z")
SUBGROUPS = ("condition", "treatment", "comparator", "blinding", "risk")
MODERATORS = ("dose", "days", "year")
SHAPES = ("linear", "quadratic", "spline", "emax")
CITATION_STYLES = ("vancouver", "apa", "ama", "markdown", "bibtex", "ris", "csl-json", "csv")
REFERENCE_STYLES = ("vancouver", "apa", "ama")
DOCUMENT_FORMATS = ("docx", "latex", "html")
FIGURE_WIDTHS = ("180mm", "85mm")
METHODS_FORMATS = ("markdown", "docx", "latex")
REPORT_FORMATS = ("pdf", "docx")
SEARCH_KINDS = ("database", "register", "citations", "website", "other")
UNKNOWN_STATUSES = ("open", "narrowed", "settled")
