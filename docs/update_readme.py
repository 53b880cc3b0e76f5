"""Write README.md from docs/README.template.md and finished reports (`make readme`)."""

import shutil
from pathlib import Path

from evidence.report.prose import fill_template

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "docs" / "README.template.md"
NOTICE = "<!-- Written by `make readme` from docs/README.template.md: edit that file. -->\n"
FIGURE = "fig-shares"


def readme_text(reports: Path) -> str:
    """Return the text of README.md for finished reports."""
    return NOTICE + fill_template(TEMPLATE.read_text("utf-8"), reports)


def main() -> None:
    """Write README.md, and copy the chart that it shows from the reports."""
    reports = ROOT / "reports"
    (ROOT / "README.md").write_text(readme_text(reports), "utf-8")
    for suffix in ("svg", "csv"):
        shutil.copy(reports / "figures" / f"{FIGURE}.{suffix}", ROOT / "docs" / "figures")


if __name__ == "__main__":
    main()
