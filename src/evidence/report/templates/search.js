// Search over all pages. The index is a script file, because a page opened from a file cannot
// fetch; it is loaded when the search box first has the focus.
(() => {
  "use strict";
  const MAX_RESULTS = 30;
  const LENGTH_OF_CONTEXT = 160;
  const header = document.querySelector(".site[data-search]");
  if (!header) return;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const wordsOf = (text) => plain(text).match(/[\p{L}\p{N}]+(?:[.,]\p{N}+)*/gu) ?? [];
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  // What leads from this page to the folder of all pages.
  const root = header.dataset.search.replace(/[^/]*$/, "");
  let entries = null;
  let message = "Loading the index …";
  let timer = 0;

  const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
  const status = make("p");
  status.setAttribute("role", "status");
  const list = make("ul");
  const results = make("div", { className: "results", hidden: true }, status, list);
  const form = make("form", {}, make("label", {}, "Search all pages ", input), results);
  form.setAttribute("role", "search");
  header.append(form);

  window.evidenceSearch = ({ pages, entries: rows }) => {
    const titles = {}, headings = {};
    entries = rows.map(([number, rank, anchor, text], order) => {
      if (rank === 0) titles[number] = text;
      if (rank <= 2) headings[number] = text;
      const isHeading = rank <= 2;
      const place = rank === 0 ? "" : [titles[number], isHeading ? "" : headings[number]];
      return {
        page: `${root}${pages[number]}.html`, anchor, rank, order, text,
        place: [...new Set(place)].filter(Boolean).join(" › "),
        words: ` ${wordsOf(text).join(" ")} `,
      };
    });
    show();
  };

  function load() {
    if (entries || document.getElementById("search-index")) return;
    const script = make("script", { id: "search-index", src: header.dataset.search });
    script.addEventListener("error", () => {
      script.remove();
      message = `Search needs the file ${header.dataset.search} beside this page.`;
      status.textContent = message;
    });
    document.head.append(script);
  }

  // All words must begin a word of the text; whole words and words in a row come first.
  function find(words) {
    const matches = entries.filter((entry) =>
      words.every((word) => entry.words.includes(` ${word}`)));
    const misses = (entry) => (entry.words.includes(` ${words.join(" ")}`) ? 0 : 1) +
      words.filter((word) => !entry.words.includes(` ${word} `)).length;
    return matches
      .map((entry) => ({ entry, misses: misses(entry) }))
      .sort((a, b) => a.entry.rank - b.entry.rank || a.misses - b.misses ||
        a.entry.order - b.entry.order)
      .map(({ entry }) => entry);
  }

  // The part of a text around the first word that matches, the matching words marked.
  function context(text, words) {
    const parts = text.split(/([\p{L}\p{N}]+(?:[.,]\p{N}+)*)/u);
    const isMatch = (part) => words.some((word) => plain(part).startsWith(word));
    const first = parts.findIndex((part, place) => place % 2 && isMatch(part));
    let start = Math.max(first, 0), length = 0;
    while (start > 0 && length < LENGTH_OF_CONTEXT / 3) length += parts[--start].length;
    const nodes = [start > 0 ? "… " : ""];
    length = 0;
    let place = start;
    for (; place < parts.length && length < LENGTH_OF_CONTEXT; place++) {
      const part = parts[place];
      nodes.push(place % 2 && isMatch(part) ? make("mark", {}, part) : part);
      length += part.length;
    }
    if (place < parts.length) nodes.push(" …");
    return nodes;
  }

  function show() {
    clearTimeout(timer);
    timer = 0;
    const words = wordsOf(input.value);
    results.hidden = words.length === 0;
    if (!entries || !words.length) {
      list.replaceChildren();
      if (!entries) status.textContent = message;
      return;
    }
    const found = find(words);
    list.replaceChildren(...found.slice(0, MAX_RESULTS).map(({ page, anchor, place, text }) =>
      make("li", {}, make("a", { href: anchor ? `${page}#${anchor}` : page },
        make("span", {}, place), ...context(text, words)))));
    status.textContent = found.length > MAX_RESULTS
      ? `${found.length} results, the first ${MAX_RESULTS} shown. Add a word to narrow them.`
      : found.length === 1 ? "1 result" : `${found.length || "No"} results`;
  }

  function close() {
    results.hidden = true;
  }

  input.addEventListener("focus", load);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 80);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
    list.querySelector("a")?.click();
  });
  form.addEventListener("keydown", (event) => {
    // Before the focus moves, as new results would take it away.
    if (timer) show();
    const stops = [input, ...list.querySelectorAll("a")];
    const place = stops.indexOf(document.activeElement);
    if (event.key === "Escape" && !results.hidden) {
      event.preventDefault();
      input.focus();
      close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (results.hidden) show();
      else stops[place + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  });
  form.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !form.contains(event.relatedTarget)) close();
  });
  document.addEventListener("pointerdown", (event) => form.contains(event.target) || close());
  list.addEventListener("click", close);
})();
