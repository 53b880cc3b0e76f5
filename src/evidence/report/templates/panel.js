// Answer beside a number or a term: its footnote or its definition in a panel that Escape closes.
// Without this script both are plain links, to the footnote and to the glossary.
(() => {
  "use strict";
  if (!("popover" in HTMLElement.prototype)) return;
  const GAP = 6; // pixels
  const LEAST = 120;
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const find = (link) => document.getElementById(link.hash.slice(1));
  const isAnswered = (link) => link.dataset.definition || (link.hash && find(link));
  const answered = (element) => {
    const link = element.closest?.("a.number, a.term");
    return link && isAnswered(link) ? link : null;
  };

  const title = make("p", { id: "panel-title" });
  const close = make("button", { type: "button", textContent: "Close" });
  const content = make("div");
  const panel = make("div", { id: "panel", tabIndex: -1 }, title, content, close);
  panel.popover = "auto";
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-labelledby", title.id);
  document.body.append(panel);
  close.addEventListener("click", () => panel.hidePopover());
  // A link inside leads elsewhere, so the panel must not stay in front of it.
  panel.addEventListener("click", (event) => event.target.closest("a") && panel.hidePopover());

  // The content of an element, its links to methods replaced by what these say.
  function copy(element) {
    const parts = element.cloneNode(true);
    parts.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
    parts.querySelectorAll('a[href^="#method-"]').forEach((link) =>
      link.replaceWith(...copy(find(link))));
    return parts.childNodes;
  }

  function footnote(link) {
    const note = find(link).closest("li");
    const source = note.querySelector(".rows");
    const rows = [...(source?.querySelectorAll("a") ?? [])].map(find);
    return [
      make("p", { className: "label" }, "How computed"),
      ...[...note.querySelectorAll(".how")].map((how) => make("p", {}, ...copy(how))),
      ...(source ? [make("p", { className: "label" }, "Source rows")] : []),
      ...(rows.length ? [make("ul", {}, ...rows.map((row) => make("li", {}, ...copy(row))))]
        : source ? [make("p", {}, ...copy(source))] : []),
      make("p", {}, make("a", { href: link.getAttribute("href") }, "All numbers and sources")),
    ];
  }

  const definition = (link) => [
    make("p", {}, link.dataset.definition),
    make("p", {}, make("a", { href: link.getAttribute("href") }, "Glossary")),
  ];

  function open(link) {
    title.textContent = link.dataset.term || link.textContent;
    content.replaceChildren(...(link.dataset.definition ? definition : footnote)(link));
    link.focus({ preventScroll: true });
    panel.showPopover();
    const { left, top, bottom } = link.getClientRects()[0];
    const { clientWidth, clientHeight } = document.documentElement;
    const [above, below] = [top - 2 * GAP, clientHeight - bottom - 2 * GAP];
    panel.style.maxHeight = `${Math.max(above, below, LEAST)}px`;
    const isBelow = panel.offsetHeight <= below || below >= above;
    const x = Math.max(GAP, Math.min(left, clientWidth - panel.offsetWidth - GAP));
    const y = isBelow ? bottom + GAP : top - panel.offsetHeight - GAP;
    panel.style.left = `${x + scrollX}px`;
    panel.style.top = `${y + scrollY}px`;
    panel.scrollTop = 0;
    panel.focus({ preventScroll: true });
  }

  for (const link of document.querySelectorAll("a.number, a.term")) {
    if (!isAnswered(link)) continue;
    link.setAttribute("role", "button");
    link.setAttribute("aria-haspopup", "dialog");
  }
  // Before the listener that opens the fold around a footnote.
  addEventListener("click", (event) => {
    const link = answered(event.target);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    open(link);
  }, true);
  addEventListener("keydown", (event) => {
    if (event.key !== " " || !answered(event.target)) return;
    event.preventDefault();
    open(event.target);
  });

  // A link from elsewhere to a footnote that this page shows in panels only.
  function answerFragment() {
    const note = location.hash && document.getElementById(location.hash.slice(1));
    if (!note || note.checkVisibility()) return;
    const link = [...document.querySelectorAll("a.number")].find(({ hash }) => hash === location.hash);
    link?.scrollIntoView({ block: "center" });
    if (link) open(link);
  }
  addEventListener("hashchange", answerFragment);
  answerFragment();
})();
