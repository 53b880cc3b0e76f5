// The explorer: selects for the query, the chart that Python drew, and a button on every mark.
// Needs `makeSortable`.
const FIELDS = ["condition", "treatment", "outcome", "measure", "comparator", "scope"];
const MIN_BUTTON_SIZE = 24; // in units of the chart

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function makeQuery(model) {
  const labels = FIELDS.map((field) => {
    const meanings = field === "measure" ? model.get("measure_labels") : {};
    const options = model.get("choices")[field].map((word) =>
      make("option", { value: word }, meanings[word] ? `${word}: ${meanings[word]}` : word));
    const select = make("select", { name: field }, ...options);
    select.addEventListener("change", () => {
      model.set(field, select.value);
      model.save_changes();
    });
    const update = () => (select.value = model.get(field));
    model.on(`change:${field}`, update);
    update();
    return make("label", {}, field, select);
  });
  const days = make("input", { type: "number", name: "time_days", min: "0", step: "any" });
  days.addEventListener("change", () => {
    if (!(days.valueAsNumber > 0)) return days.reportValidity();
    model.set("time_days", days.valueAsNumber);
    model.save_changes();
  });
  const update = () => (days.value = model.get("time_days"));
  model.on("change:time_days", update);
  update();
  labels.push(make("label", {}, "days after treatment", days));
  return make("div", { className: "choices" }, ...labels);
}

// An invisible rectangle over each mark, large enough to press and reachable by keyboard.
function addMarkButtons(chart, model) {
  model.get("marks").forEach(({ name, label }, index) => {
    const mark = chart.querySelector(`[id="mark-${index}"]`);
    if (!mark) return;
    const box = mark.getBBox();
    const width = Math.max(box.width, MIN_BUTTON_SIZE);
    const height = Math.max(box.height, MIN_BUTTON_SIZE);
    const button = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const attributes = {
      x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height,
      class: "mark", tabindex: 0, role: "button", "aria-label": `Show the source of ${label}`,
    };
    Object.entries(attributes).forEach(([key, value]) => button.setAttribute(key, value));
    const select = () => {
      model.set("selected_mark", name);
      model.save_changes();
    };
    button.addEventListener("click", select);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would take it as a command of its own
      select();
    });
    chart.append(button);
  });
}

function render({ model, el }) {
  const title = make("h4");
  const chart = make("div", { className: "chart" });
  const caption = make("p", { className: "caption" });
  const download = make("a", { className: "download" }, "Save this chart (SVG)");
  const trace = make("pre", { className: "trace" });
  trace.setAttribute("role", "status");
  const table = make("div");
  const parameters = make("pre", { className: "parameters" });
  const command = make("pre", { className: "command" });

  function draw() {
    title.textContent = model.get("title");
    caption.textContent = model.get("empty") || model.get("caption");
    table.innerHTML = model.get("table");
    table.querySelectorAll("table").forEach((element) => makeSortable(element));
    parameters.textContent = model.get("parameters");
    command.textContent = model.get("command");
    chart.replaceChildren();
    URL.revokeObjectURL(download.href);
    download.hidden = !model.get("svg");
    if (download.hidden) return;
    download.href = URL.createObjectURL(new Blob([model.get("svg")], { type: "image/svg+xml" }));
    download.download = `${model.get("name")}.svg`;
    const picture = new DOMParser().parseFromString(model.get("svg"), "image/svg+xml");
    const svg = document.importNode(picture.documentElement, true);
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", model.get("title"));
    chart.append(svg);
    // The bounding boxes of marks are known only once the chart is on the page.
    requestAnimationFrame(() => addMarkButtons(svg, model));
  }
  function showTrace() {
    trace.textContent = model.get("trace") || "Press a mark of the chart to see its source.";
    const names = model.get("marks").map(({ name }) => name);
    chart.querySelectorAll(".mark").forEach((button, index) =>
      button.setAttribute("aria-pressed", names[index] === model.get("selected_mark")));
  }

  el.classList.add("evidence-explorer");
  el.append(
    makeQuery(model), title, chart, caption, download,
    make("h4", {}, "Source"), trace, table,
    make("h4", {}, "Reproduce this chart"),
    make("p", {}, "Save this as ", make("code", {}, "view.yml"), " in the folder of the project:"),
    parameters, command,
  );
  model.on("change:title change:svg change:empty change:table change:parameters", draw);
  model.on("change:trace", showTrace);
  draw();
  showTrace();
}

export default { render };
