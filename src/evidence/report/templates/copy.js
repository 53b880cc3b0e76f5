// Buttons that copy a link, a citation or code. Without this script the texts are there to select.
(() => {
  "use strict";
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  async function copy(block, status) {
    try {
      await navigator.clipboard.writeText(block.textContent.trim());
      status.textContent = "Copied.";
    } catch {
      // No browser may copy, or none may from here: leave only the last step to the reader.
      const fold = block.closest("details");
      if (fold) fold.open = true;
      getSelection().selectAllChildren(block);
      status.textContent = "Selected. Press Ctrl+C, or ⌘C on a Mac, to copy.";
    }
  }

  for (const group of document.querySelectorAll(".copies")) {
    const status = make("span");
    status.setAttribute("role", "status");
    const buttons = [...group.querySelectorAll("[data-copy]")].map((block) => {
      // An address that the project does not know is the one at which the page is seen.
      if (!block.textContent.trim()) block.textContent = location.href.split(/[?#]/)[0];
      const button = make("button", { type: "button" }, block.dataset.copy);
      button.addEventListener("click", () => copy(block, status));
      return button;
    });
    group.prepend(make("p", { className: "tools" }, ...buttons, status));
  }
})();
