// Sort a table by its column headers: ascending, descending, then back to the written order.
// Cells compare by `data-sort` where they have it, and cells without content come last.
function makeSortable(table, onSort = () => {}) {
  const MISSING = ["", "—", "not stated"];
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const writtenOrder = [...body.rows];
  let sortedColumn = -1;
  let descending = false;

  function key(row) {
    const cell = row.cells[sortedColumn];
    if (cell.dataset.sort) return Number(cell.dataset.sort);
    const text = cell.textContent.trim();
    return cell.dataset.sort === "" || MISSING.includes(text) ? null : text;
  }

  function compareRows(first, second) {
    const [a, b] = [key(first), key(second)];
    if (a === null || b === null) return (a === null) - (b === null);
    const ascending = typeof a === "number" && typeof b === "number" ? a - b : compareTexts(a, b);
    return descending ? -ascending : ascending;
  }

  function sort(column) {
    const pressedAgain = column === sortedColumn;
    sortedColumn = pressedAgain && descending ? -1 : column;
    descending = pressedAgain && !descending;
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    if (sortedColumn >= 0) {
      headers[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    }
    body.append(...(sortedColumn < 0 ? writtenOrder : [...writtenOrder].sort(compareRows)));
    onSort();
  }

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(column));
    header.append(button);
  });
}
