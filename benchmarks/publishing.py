"""Tables of measurements put into the README, between two marks that name them."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def publish(name: str, text: str) -> None:
    """Replace what stands between the marks of a name, and print it."""
    begin, end = f"<!-- {name}: make benchmark -->", f"<!-- end of {name} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    part = f"{begin}\n{text}\n{end}"
    README.write_text(
        re.sub(pattern, lambda _: part, README.read_text("utf-8"), flags=re.DOTALL), "utf-8"
    )
    print(text)
