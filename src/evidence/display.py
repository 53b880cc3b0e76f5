"""What a table needs to be read in a notebook: wrapped text, and headers that sort when pressed.

Style and script are a part of the output itself, so that nothing has to be installed or loaded.
Where scripts are not run, such as in a notebook that is not trusted, the plain table remains.
"""

STYLE = """
.evidence-frame { max-height: 36em; overflow: auto; }
.evidence-frame table { border-collapse: collapse; }
.evidence-frame caption { text-align: left; font-weight: bold; padding: 0.3em 0; }
.evidence-frame table :is(th, td) {
  text-align: left; vertical-align: top; white-space: normal; overflow-wrap: break-word;
  min-width: 4em; max-width: 24em; padding: 0.25em 0.6em; border-bottom: 1px solid #8a8a8a;
}
.evidence-frame thead th { position: sticky; top: 0; background: var(--jp-layout-color0, Canvas); }
.evidence-frame thead button {
  font: inherit; font-weight: bold; color: inherit; background: none; border: 0; padding: 0;
  min-height: 24px; text-align: left; cursor: pointer; text-decoration: underline dotted;
}
.evidence-frame [aria-sort=ascending] button::after { content: " ▲"; }
.evidence-frame [aria-sort=descending] button::after { content: " ▼"; }
"""

# Numbers are compared by `data-sort` where a cell has it; cells without content come last.
SCRIPT = """
(() => {
  const table = document.currentScript.previousElementSibling.querySelector("table");
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const key = (row, place) => {
    const cell = row.cells[place], text = cell.textContent.trim();
    if ((cell.dataset.sort ?? text) === "" || text === "—") return null;
    return cell.dataset.sort === undefined ? text : Number(cell.dataset.sort);
  };
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort((one, other) => {
        const [a, b] = [key(one, place), key(other, place)];
        if (a === null || b === null) return (a === null) - (b === null);
        const before = typeof a === "number" ? a - b : order(a, b);
        return down ? -before : before;
      }));
    });
  });
})();
"""


def sortable(table: str) -> str:
    """The HTML of one table, in a single element, with the style and script of its own."""
    return (
        f'<style>{STYLE}</style>\n<div class="evidence-frame">{table}</div>'
        f"<script>{SCRIPT}</script>"
    )
