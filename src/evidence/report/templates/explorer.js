// Chooses words, shows what Python drew, and makes every mark of the chart a button.
const SORTS = ["condition", "treatment", "outcome", "measure", "comparator", "scope"];
const LEAST = 24; // height and width of what can be pressed, in the units of the chart

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function chosen(model) {
  const fields = SORTS.map((sort) => {
    const meanings = sort === "measure" ? model.get("meanings") : {};
    const options = model.get("words")[sort].map((word) =>
      make("option", { value: word }, meanings[word] ? `${word}: ${meanings[word]}` : word));
    const select = make("select", { name: sort }, ...options);
    select.addEventListener("change", () => {
      model.set(sort, select.value);
      model.save_changes();
    });
    const follow = () => (select.value = model.get(sort));
    model.on(`change:${sort}`, follow);
    follow();
    return make("label", {}, sort, select);
  });
  const near = make("input", { type: "number", name: "time_days", min: "0", step: "any" });
  near.addEventListener("change", () => {
    if (!(near.valueAsNumber > 0)) return near.reportValidity();
    model.set("time_days", near.valueAsNumber);
    model.save_changes();
  });
  const follow = () => (near.value = model.get("time_days"));
  model.on("change:time_days", follow);
  follow();
  fields.push(make("label", {}, "time wanted (days)", near));
  return make("div", { className: "choices" }, ...fields);
}

// Over each mark an invisible rectangle, large enough to press, that can be reached by keyboard.
function pressable(chart, model) {
  model.get("marks").forEach(({ name, label }, place) => {
    const mark = chart.querySelector(`[id="mark-${place}"]`);
    if (!mark) return;
    const box = mark.getBBox();
    const [width, height] = [Math.max(box.width, LEAST), Math.max(box.height, LEAST)];
    const button = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const attributes = {
      x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height,
      class: "mark", tabindex: 0, role: "button", "aria-label": `Where ${label} comes from`,
    };
    Object.entries(attributes).forEach(([key, value]) => button.setAttribute(key, value));
    const pick = () => {
      model.set("picked", name);
      model.save_changes();
    };
    button.addEventListener("click", pick);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation(); // the notebook would take it for a command of its own
      pick();
    });
    chart.append(button);
  });
}

function render({ model, el }) {
  const title = make("h4");
  const chart = make("div", { className: "chart" });
  const caption = make("p", { className: "caption" });
  const saved = make("a", { className: "saved" }, "Save this chart (SVG)");
  const why = make("pre", { className: "why" });
  why.setAttribute("role", "status");
  const table = make("div");
  const parameters = make("pre", { className: "parameters" });
  const command = make("pre", { className: "command" });

  // The bounding boxes of marks are known only once the chart is on the page.
  function draw() {
    title.textContent = model.get("title");
    caption.textContent = model.get("empty") || model.get("caption");
    table.innerHTML = model.get("table");
    parameters.textContent = model.get("parameters");
    command.textContent = model.get("command");
    chart.replaceChildren();
    URL.revokeObjectURL(saved.href);
    saved.hidden = !model.get("svg");
    if (saved.hidden) return;
    saved.href = URL.createObjectURL(new Blob([model.get("svg")], { type: "image/svg+xml" }));
    saved.download = `${model.get("name")}.svg`;
    const drawn = new DOMParser().parseFromString(model.get("svg"), "image/svg+xml");
    const svg = document.importNode(drawn.documentElement, true);
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", model.get("title"));
    chart.append(svg);
    requestAnimationFrame(() => pressable(svg, model));
  }
  function tell() {
    const said = model.get("why");
    why.textContent = said || "Press a mark of the chart to see where it comes from.";
    const names = model.get("marks").map(({ name }) => name);
    chart.querySelectorAll(".mark").forEach((button, place) =>
      button.setAttribute("aria-pressed", names[place] === model.get("picked")));
  }

  el.classList.add("evidence-explorer");
  el.append(
    chosen(model), title, chart, caption, saved,
    make("h4", {}, "Where it comes from"), why, table,
    make("h4", {}, "Reproduce this view"),
    make("p", {}, "Save as ", make("code", {}, "view.yml"), " in the folder of the project:"),
    parameters, command,
  );
  model.on("change:title change:svg change:empty change:table change:parameters", draw);
  model.on("change:why", tell);
  draw();
  tell();
}

export default { render };
