// Sort, filter and search tables; open what is folded or filtered away when a link leads there.
// Without this script all rows are shown and folds open by hand. Needs `makeSortable`.
(() => {
  "use strict";
  const MIN_ROWS_TO_SEARCH = 8;
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
  const plain = (text) =>
    text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[‐-―−]/g, "-").toLowerCase();
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  function enhance(table) {
    const head = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 2) return;
    const texts = new Map(rows.map((row) => [row, plain(row.textContent)]));
    const status = make("p");
    status.setAttribute("role", "status");
    const search = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const filters = [];
    const parts = (row, column) => row.cells[column].textContent.trim().split("; ");

    function show() {
      const words = plain(search.value).split(/\s+/);
      for (const row of rows) {
        row.hidden = !(
          words.every((word) => texts.get(row).includes(word)) &&
          filters.every(({ column, select }) =>
            select.value === "" || parts(row, column).includes(select.value))
        );
      }
      const shown = rows.filter((row) => !row.hidden).length;
      const sorted = head.find((cell) => cell.hasAttribute("aria-sort"));
      const order = sorted
        ? `, sorted by ${sorted.textContent}, ${sorted.getAttribute("aria-sort")}` : "";
      status.textContent = `${shown} of ${rows.length} rows of this table shown${order}`;
    }

    function clear() {
      search.value = "";
      filters.forEach(({ select }) => (select.value = ""));
      show();
    }

    makeSortable(table, show);
    head.forEach((cell, column) => {
      if (cell.dataset.filter === undefined) return;
      const words = [...new Set(rows.flatMap((row) => parts(row, column)))].sort(compareTexts);
      const select = make("select", {}, make("option", { value: "" }, "any"),
        ...words.map((word) => make("option", { value: word }, word)));
      select.addEventListener("change", show);
      filters.push({ column, select });
    });
    table.addEventListener("reveal", (event) => event.target.hidden && clear());
    const tools = make("div", { className: "tools" });
    if (rows.length >= MIN_ROWS_TO_SEARCH) {
      const showAll = make("button", { type: "button" }, "Show all");
      showAll.addEventListener("click", clear);
      search.addEventListener("input", show);
      tools.append(make("label", {}, "Search ", search));
      filters.forEach(({ column, select }) =>
        tools.append(make("label", {}, `${head[column].textContent} `, select)));
      tools.append(showAll);
      tools.setAttribute("role", "group");
      tools.setAttribute("aria-label", `Rows of: ${table.caption.textContent}`);
    }
    tools.append(status);
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

  let closedFolds = [];
  addEventListener("beforeprint", () => {
    closedFolds = [...document.querySelectorAll("details:not([open])")];
    closedFolds.forEach((fold) => (fold.open = true));
  });
  addEventListener("afterprint", () => closedFolds.forEach((fold) => (fold.open = false)));
})();
