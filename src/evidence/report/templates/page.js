// Open what is folded or filtered away when a link leads there, and all folds for print.
(() => {
  "use strict";
  // Not every browser opens a fold for a link into it, and none undoes a filter.
  function reveal(fragment) {
    const target = fragment.length > 1 && document.getElementById(fragment.slice(1));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    target.dispatchEvent(new Event("reveal", { bubbles: true }));
  }

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
