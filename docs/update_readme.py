"""Write the chart and the computed sentences at the top of README.md (`make readme`)."""

import re
from pathlib import Path

from evidence import lay_out_shares, read_corpus, select_results
from evidence.publishing.files import render
from evidence.publishing.identity import record
from evidence.publishing.index import bound, headline_lines

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- computed: make readme -->", "<!-- end of computed part -->"


def computed_part() -> str:
    """The chart, what it shows, and what the headline studies found, as Markdown."""
    corpus = read_corpus(ROOT)
    layout = lay_out_shares(select_results(corpus, scope="guide"))
    found = "\n".join(f"- {line}" for line in headline_lines(corpus))
    return (
        f"{BEGIN}\n![{layout.title}](docs/figures/{layout.id}.svg)\n\n"
        f"*{bound(layout.caption, '02_comparison')}*\n\n{found}\n{END}"
    )


def main() -> None:
    """Renew README.md and docs/figures/ in place."""
    corpus = read_corpus(ROOT)
    layout = lay_out_shares(select_results(corpus, scope="guide"))
    about = record(layout, corpus, report="02_comparison", parameters={"scope": "guide"})
    folder = ROOT / "docs" / "figures"
    folder.mkdir(exist_ok=True)
    (folder / f"{layout.id}.svg").write_bytes(render(layout, about, "svg"))
    layout.frame.to_csv(folder / f"{layout.id}.csv", index=False, lineterminator="\n")
    readme = ROOT / "README.md"
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    text = re.sub(pattern, lambda _: computed_part(), readme.read_text("utf-8"), flags=re.DOTALL)
    readme.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
