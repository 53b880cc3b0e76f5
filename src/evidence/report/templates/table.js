// Search and filter the rows of tables. Search, filters and order stand in the address of the page,
// as in "?tab-studies.search=1+day&tab-studies.sort=-participants", so that a link restores them.
// Without this script all rows are shown. Needs `makeSortable`.
(() => {
  "use strict";
  const MIN_ROWS_TO_SEARCH = 8;
  const ROWS_AT_FIRST = 25;
  const HOURS = { minute: 1 / 60, hour: 1, day: 24, week: 168, month: 730.5, year: 8766 };
  const UNIT = "(minute|hour|day|week|month|year)";
  const DURATION = new RegExp(`([\\d.]+)[\\s-]*${UNIT}s?\\b|\\b${UNIT}\\s+(\\d+)\\b`, "g");
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
  const plain = (text) =>
    text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[‐-―−]/g, "-").toLowerCase();
  // "24 hours", "1 day" and "day 1" become the same word.
  const inHours = (text) => text.replace(DURATION, (_, number, unit, unitBefore, numberAfter) =>
    ` =${+((number ?? numberAfter) * HOURS[unit ?? unitBefore]).toFixed(2)}h= `);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  function enhance(table) {
    const { headers, records, sortBy } = makeSortable(table, show);
    if (records.length < 2) return;
    const rows = records.map((record) => {
      const cells = record.flatMap((row) => [...row.querySelectorAll("[data-label]")]);
      const text = plain(cells.map((cell) => cell.textContent).join("\n"));
      return {
        record, text: text + inHours(text),
        words: new Map(cells.map((cell) => [cell.dataset.label, cell.textContent.split("; ")])),
      };
    });
    const status = make("p");
    status.setAttribute("role", "status");
    const search = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const filters = new Map();
    const showRest = make("button", { type: "button" });
    const rest = make("p", { className: "tools" }, showRest);
    let isLimited = true;

    function show() {
      const words = inHours(plain(search.value)).split(/\s+/);
      const chosen = [...filters].filter(([, select]) => select.value);
      const matches = new Set(rows.filter((row) => words.every((word) => row.text.includes(word)) &&
        chosen.every(([name, select]) => row.words.get(name)?.includes(select.value)))
        .map(({ record }) => record[0]));
      isLimited &&= matches.size > ROWS_AT_FIRST;
      let shown = 0;
      let isHidden = false;
      for (const row of table.tBodies[0].rows) {
        if (!row.classList.contains("more")) {
          isHidden = !matches.has(row) || (isLimited && shown >= ROWS_AT_FIRST);
          shown += !isHidden;
        }
        row.hidden = isHidden;
      }
      const sorted = headers.find((cell) => cell.hasAttribute("aria-sort"));
      const direction = sorted?.getAttribute("aria-sort");
      status.textContent = `${matches.size} of ${rows.length} rows` +
        (isLimited ? `, the first ${ROWS_AT_FIRST} shown` : "") +
        (sorted ? `, sorted by ${sorted.textContent}, ${direction}` : "");
      rest.hidden = !isLimited;
      showRest.textContent = `Show all ${matches.size} rows`;
      write({
        search: search.value,
        sort: sorted ? (direction === "descending" ? "-" : "") + sorted.textContent : "",
        ...Object.fromEntries([...filters].map(([name, select]) => [name, select.value])),
      });
    }

    function write(state) {
      const address = new URL(location.href);
      for (const [name, value] of Object.entries(state)) {
        if (value) address.searchParams.set(`${table.id}.${name}`, value);
        else address.searchParams.delete(`${table.id}.${name}`);
      }
      if (address.href !== location.href) history.replaceState(history.state, "", address);
    }

    function restore() {
      const state = new URL(location.href).searchParams;
      const read = (name) => state.get(`${table.id}.${name}`) ?? "";
      search.value = read("search");
      filters.forEach((select, name) => {
        select.value = read(name);
        if (select.selectedIndex < 0) select.value = "";
      });
      const [, minus, name] = read("sort").match(/^(-?)(.*)$/);
      sortBy(headers.findIndex((header) => header.textContent === name), Boolean(minus));
    }

    function clear() {
      search.value = "";
      filters.forEach((select) => (select.value = ""));
      show();
    }

    function showAll() {
      isLimited = false;
      show();
    }

    for (const name of JSON.parse(table.dataset.filters ?? "[]")) {
      const words = [...new Set(rows.flatMap((row) => row.words.get(name) ?? []))];
      const select = make("select", {}, make("option", { value: "" }, "any"),
        ...words.sort(compareTexts).map((word) => make("option", { value: word }, word)));
      select.addEventListener("change", show);
      filters.set(name, select);
    }
    table.addEventListener("reveal", ({ target }) => {
      if (target.hidden) clear();
      if (target.hidden) showAll();
      target.nextElementSibling?.querySelectorAll(":scope.more details")
        .forEach((fold) => (fold.open = true));
    });
    showRest.addEventListener("click", showAll);
    const tools = make("div", { className: "tools" });
    if (rows.length >= MIN_ROWS_TO_SEARCH) {
      const clearButton = make("button", { type: "button" }, "Clear");
      clearButton.addEventListener("click", clear);
      search.addEventListener("input", show);
      tools.append(make("label", {}, "Search ", search));
      filters.forEach((select, name) => tools.append(make("label", {}, `${name} `, select)));
      tools.append(clearButton);
      tools.setAttribute("role", "group");
      tools.setAttribute("aria-label", `Rows of: ${table.caption.textContent}`);
    }
    tools.append(status);
    table.parentElement.before(tools);
    table.parentElement.after(rest);
    restore();
  }

  document.querySelectorAll(".table > table").forEach(enhance);
})();
