// Tables that sort, filter and search, and links that open what is folded or filtered away.
// Without this script every row is there, every fold opens by hand, and paper shows all.
"use strict";
(() => {
  const SEARCHED = 8; // rows from which on there is something to search
  const MISSING = ["", "—", "not stated"];
  const order = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
  const plain = (text) =>
    text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[‐-―−]/g, "-").toLowerCase();
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  function enhance(table) {
    const head = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length < 2) return;
    const words = new Map(rows.map((row) => [row, plain(row.textContent)]));
    const said = make("p");
    said.setAttribute("role", "status");
    const search = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const picks = [];
    const sorted = { column: -1, down: false };

    const text = (row, column) => row.cells[column].textContent.trim();
    const key = (row, column) => {
      const { sort } = row.cells[column].dataset;
      if (sort !== undefined) return sort === "" ? null : Number(sort);
      return MISSING.includes(text(row, column)) ? null : text(row, column);
    };
    function compare(one, other) {
      const [a, b] = [key(one, sorted.column), key(other, sorted.column)];
      if (a === null || b === null) return (a === null) - (b === null); // missing ones last
      const before = typeof a === "number" && typeof b === "number" ? a - b : order(a, b);
      return sorted.down ? -before : before;
    }
    const parts = (row, column) => text(row, column).split("; ");

    function show() {
      const wanted = plain(search.value).split(/\s+/);
      for (const row of rows) {
        row.hidden = !(
          wanted.every((word) => words.get(row).includes(word)) &&
          picks.every(({ column, select }) =>
            select.value === "" || parts(row, column).includes(select.value))
        );
      }
      const shown = rows.filter((row) => !row.hidden).length;
      const by = sorted.column < 0 ? "" :
        `, sorted by ${head[sorted.column].textContent}, ${sorted.down ? "descending" : "ascending"}`;
      said.textContent = `${shown} of ${rows.length} rows shown${by}`;
    }

    // A third press gives back the order in which the table was written.
    function sort(column) {
      const again = sorted.column === column;
      Object.assign(sorted, again && sorted.down ? { column: -1, down: false } : { column, down: again });
      head.forEach((cell) => cell.removeAttribute("aria-sort"));
      if (sorted.column >= 0) {
        head[column].setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      }
      body.append(...(sorted.column < 0 ? rows : [...rows].sort(compare)));
      show();
    }

    function clear() {
      search.value = "";
      picks.forEach(({ select }) => (select.value = ""));
      show();
    }

    head.forEach((cell, column) => {
      const button = make("button", { type: "button" }, ...cell.childNodes);
      button.addEventListener("click", () => sort(column));
      cell.append(button);
      if (cell.dataset.filter === undefined) return;
      const found = [...new Set(rows.flatMap((row) => parts(row, column)))].sort(order);
      const select = make("select", {}, make("option", { value: "" }, "any"),
        ...found.map((word) => make("option", { value: word }, word)));
      select.addEventListener("change", show);
      picks.push({ column, select });
    });
    table.addEventListener("reveal", (event) => event.target.hidden && clear());
    const tools = make("div", { className: "tools" });
    if (rows.length >= SEARCHED) {
      const all = make("button", { type: "button" }, "Show all");
      all.addEventListener("click", clear);
      search.addEventListener("input", show);
      tools.append(make("label", {}, "Search ", search));
      picks.forEach(({ column, select }) =>
        tools.append(make("label", {}, `${head[column].textContent} `, select)));
      tools.append(all);
      tools.setAttribute("role", "group");
      tools.setAttribute("aria-label", `Rows of: ${table.caption.textContent}`);
    }
    tools.append(said);
    show();
    table.parentElement.before(tools);
  }

  // Not every browser opens a fold for a link into it, and none undoes a filter.
  function reveal(fragment) {
    const target = fragment.length > 1 && document.getElementById(fragment.slice(1));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    target.dispatchEvent(new Event("reveal", { bubbles: true }));
  }

  document.querySelectorAll(".table > table").forEach(enhance);
  reveal(location.hash);
  addEventListener("hashchange", () => reveal(location.hash));
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) reveal(link.getAttribute("href"));
  });

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((fold) => (fold.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((fold) => (fold.open = false)));
})();
