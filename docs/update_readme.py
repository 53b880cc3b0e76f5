"""Write the chart and the computed sentences at the top of README.md (`make readme`)."""

import re
from pathlib import Path

from evidence.analysis.results import select_results
from evidence.dataset.dataset import load_dataset
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.report.figure_files import render_figure
from evidence.report.figure_identity import figure_record
from evidence.report.index_page import headline_lines, sentence_markdown

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- computed: make readme -->", "<!-- end of computed part -->"


def computed_part() -> str:
    """The chart, what it shows, and what the headline studies found, as Markdown."""
    dataset = load_dataset(ROOT)
    layout = lay_out_proportions_by_arm(select_results(dataset, scope="guide"))
    found = "\n".join(f"- {line}" for line in headline_lines(dataset))
    return (
        f"{BEGIN}\n![{layout.title}](docs/figures/{layout.id}.svg)\n\n"
        f"*{sentence_markdown(layout.caption, '02_comparison')}*\n\n{found}\n{END}"
    )


def main() -> None:
    """Renew README.md and docs/figures/ in place."""
    dataset = load_dataset(ROOT)
    layout = lay_out_proportions_by_arm(select_results(dataset, scope="guide"))
    about = figure_record(layout, dataset, report="02_comparison", parameters={"scope": "guide"})
    folder = ROOT / "docs" / "figures"
    folder.mkdir(exist_ok=True)
    (folder / f"{layout.id}.svg").write_bytes(render_figure(layout, about, ["svg"])["svg"])
    layout.frame.to_csv(folder / f"{layout.id}.csv", index=False, lineterminator="\n")
    readme = ROOT / "README.md"
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    text = re.sub(pattern, lambda _: computed_part(), readme.read_text("utf-8"), flags=re.DOTALL)
    readme.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
