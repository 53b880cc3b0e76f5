// Sort a table by its column headers: ascending, descending, then back to the written order.
// Cells compare by the number in `data-sort`, else by their text; texts follow numbers and cells
// without content come last in either direction. A row of class "more" stays below its row.
function makeSortable(table, onSort = () => {}) {
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const records = [];
  for (const row of body.rows) {
    if (row.classList.contains("more")) records.at(-1).push(row);
    else records.push([row]);
  }
  let sortedColumn = -1;
  let descending = false;

  function key([row]) {
    const cell = row.cells[sortedColumn];
    if (cell.dataset.sort) return Number(cell.dataset.sort);
    const text = cell.textContent.trim();
    return cell.dataset.sort === "" || text === "" || text === "—" ? null : text;
  }

  function compareKeys([a], [b]) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const ascending = typeof a === "number" ? a - b : compareTexts(a, b);
    return descending ? -ascending : ascending;
  }

  function sortBy(column, isDescending = false) {
    [sortedColumn, descending] = [column, isDescending];
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column]?.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const sorted = column < 0 ? records : records
      .map((record) => [key(record), record]).sort(compareKeys).map(([, record]) => record);
    body.append(...sorted.flat());
    onSort();
  }

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => {
      if (column !== sortedColumn) sortBy(column);
      else if (descending) sortBy(-1);
      else sortBy(column, true);
    });
    header.append(button);
  });
  return { headers, records, sortBy };
}
