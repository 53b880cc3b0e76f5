"""Write tables of measurements into `docs/benchmarks.md`, between two markers that name them."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def publish(name: str, text: str) -> None:
    """Replace the table between the markers of a name, and print it."""
    begin, end = f"<!-- {name}: make benchmark -->", f"<!-- end of {name} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    section = f"{begin}\n{text}\n{end}"
    page = PAGE.read_text("utf-8")
    PAGE.write_text(re.sub(pattern, lambda _: section, page, flags=re.DOTALL), "utf-8")
    print(text)
