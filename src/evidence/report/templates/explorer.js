// The explorer: selects for the query, and a forest plot as a table that has a chart in one column.
// Needs `makeSortable`.
const FIELDS = ["condition", "treatment", "outcome", "measure", "comparator", "scope"];
let views = 0;

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const draw = (tag, attributes, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
};
const percent = (share) => `${100 * share}%`;
const counted = (n) => `${n} ${n === 1 ? "study" : "studies"}`;

function change(model, changes) {
  Object.entries(changes).forEach(([field, value]) => model.set(field, value));
  model.save_changes();
}

function makeQuery(model) {
  const updates = [];
  const labels = FIELDS.map((field) => {
    const select = make("select", { name: field });
    select.addEventListener("change", () => change(model, { [field]: select.value }));
    updates.push(() => fillSelect(select, field, model));
    return make("label", {}, field, select);
  });
  const times = make("datalist", { id: `evidence-times-${++views}` });
  const days = make("input", { type: "number", name: "time_days", min: "0", step: "any" });
  days.setAttribute("list", times.id);
  days.addEventListener("change", () => {
    if (!(days.valueAsNumber > 0)) return days.reportValidity();
    change(model, { time_days: days.valueAsNumber });
  });
  updates.push(() => {
    days.value = Number(model.get("time_days").toPrecision(4));
    const known = Object.entries(model.get("studies").time_days ?? {}).filter(([at]) => at > 0);
    times.replaceChildren(...known.sort(([a], [b]) => a - b).map(([at, n]) =>
      make("option", { value: Number(Number(at).toPrecision(4)) }, counted(n))));
  });
  labels.push(make("label", {}, "days after treatment", days, times));
  const update = () => updates.forEach((one) => one());
  model.on("change:studies change:parameters", update);
  update();
  return make("div", { className: "choices" }, ...labels);
}

// Words with studies first, then those that need another choice changed, then those without numbers.
function fillSelect(select, field, model) {
  const studies = model.get("studies")[field] ?? {};
  const charted = new Set(model.get("charted")[field]);
  const meanings = field === "measure" ? model.get("measure_labels") : {};
  const groups = [[], [], []];
  model.get("choices")[field].forEach((word) => {
    const name = meanings[word] ? `${word}: ${meanings[word]}` : word;
    const group = studies[word] ? 0 : charted.has(word) ? 1 : 2;
    const reason = ["", "no data with the other choices", "no numbers to draw in any study"][group];
    groups[group].push(make("option", { value: word, title: reason, disabled: group === 2 },
      `${name} – ${studies[word] ? counted(studies[word]) : "no data"}`));
  });
  const names = ["Studies answer", "No data with the other choices", "No numbers to draw"];
  select.replaceChildren(...groups.flatMap((options, index) =>
    options.length ? [make("optgroup", { label: names[index] }, ...options)] : []));
  select.value = model.get(field);
}

function drawMarks(chart, line) {
  const { estimate, ci_low, ci_high, pi_low, pi_high } = line.at;
  const svg = draw("svg", { "aria-hidden": true });
  chart.ticks.forEach(([at]) =>
    svg.append(draw("line", { class: "grid", x1: percent(at), x2: percent(at), y2: "100%" })));
  if (chart.no_effect !== null) {
    const x = percent(chart.no_effect);
    svg.append(draw("line", { class: "no-effect", x1: x, x2: x, y2: "100%" }));
  }
  const y = line.prediction ? "32%" : "50%";
  if (line.kind === "study") {
    if (ci_low !== null) {
      svg.append(draw("line", { class: "ci", x1: percent(ci_low), x2: percent(ci_high), y1: y, y2: y }));
    }
    const size = 4 + 8 * Math.sqrt(line.weight ?? 0.25);
    const centre = `translate(${-size / 2} ${-size / 2})`;
    if (estimate !== null) {
      svg.append(draw("rect", { class: "study", x: percent(estimate), y, width: size, height: size,
        transform: centre }));
    }
  } else if (estimate !== null && ci_low !== null) {
    const middle = (100 * (estimate - ci_low)) / (ci_high - ci_low || 1);
    svg.append(draw("svg", { x: percent(ci_low), width: percent(ci_high - ci_low), y, height: 12,
      viewBox: "0 0 100 12", preserveAspectRatio: "none", overflow: "visible" },
    draw("path", { class: "pooled", d: `M0 0L${middle} -6L100 0L${middle} 6Z` })));
  }
  if (line.prediction && pi_low !== null) {
    const ends = [pi_low, pi_high].map((end) => Math.min(1, Math.max(0, end)));
    svg.append(draw("line", { class: "prediction", x1: percent(ends[0]), x2: percent(ends[1]),
      y1: "72%", y2: "72%" }));
    ends.forEach((end, index) => svg.append(draw("text", { class: "end", x: percent(end), y: "72%" },
      end === [pi_low, pi_high][index] ? "|" : "‹›"[index])));
  }
  return svg;
}

function makeSign(chart, level) {
  const [sign, colour, meaning] = chart.risk[level];
  const element = make("span", { className: `sign ${level || "none"}`, title: meaning }, sign);
  element.style.setProperty("--risk", colour);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", meaning);
  return element;
}

function makeLine(chart, line, columns, press) {
  const row = make("tr", { className: line.kind });
  row.dataset.name = line.name;
  columns.forEach((column) => {
    const cell = make(column === "label" ? "th" : "td", { className: column });
    if (column === "label") {
      cell.scope = "row";
      const button = make("button", { type: "button", className: "mark" }, line.label);
      button.setAttribute("aria-expanded", "false");
      button.title = "Show where the numbers come from";
      cell.append(button);
    } else if (column === "marks") {
      cell.append(drawMarks(chart, line));
    } else if (column === "risk") {
      if (line.risk !== null) cell.append(makeSign(chart, line.risk));
      cell.dataset.sort = Object.keys(chart.risk).indexOf(line.risk);
    } else {
      cell.append(line[column]);
      if (column === "effect" && line.prediction) cell.append(make("br"), `PI ${line.prediction}`);
    }
    const key = line.keys[column === "marks" ? "effect" : column];
    if (column !== "label" && column !== "risk") cell.dataset.sort = key ?? "";
    row.append(cell);
  });
  row.addEventListener("click", (event) => event.target.closest("a") || press(row));
  return row;
}

function makeChart(chart, press) {
  const before = Object.keys(chart.columns).filter((column) => column !== "effect");
  const hasRisk = Object.keys(chart.risk).length > 0;
  const columns = [...before, "marks", "effect", ...(hasRisk ? ["risk"] : [])];
  const headers = { ...chart.columns, marks: chart.axis, risk: "Risk of bias" };
  const head = make("thead", {}, make("tr", {}, ...columns.map((column) =>
    make("th", { scope: "col", className: column }, headers[column]))));
  const [studies, pooled] = [make("tbody"), make("tbody")];
  chart.lines.forEach((line) => {
    (line.kind === "study" ? studies : pooled).append(makeLine(chart, line, columns, press));
    if (!line.heterogeneity) return;
    const note = make("td", { colSpan: columns.length, className: "note" }, line.heterogeneity);
    pooled.append(make("tr", {}, note));
  });
  const axis = draw("svg", { "aria-hidden": true });
  chart.ticks.forEach(([at, label]) => axis.append(
    draw("line", { class: "tick", x1: percent(at), x2: percent(at), y2: 4 }),
    draw("text", { x: percent(at), y: 15 }, label)));
  const sides = chart.favours.length
    ? [make("div", { className: "favours" }, make("span", {}, `← ${chart.favours[1]}`),
      make("span", {}, `${chart.favours[0]} →`))] : [];
  const foot = make("tfoot", {}, make("tr", {}, ...columns.map((column) =>
    make("td", { className: column }, ...(column === "marks" ? [axis, ...sides] : [])))));
  const table = make("table", {}, head, studies, pooled, foot);
  table.setAttribute("aria-label", chart.alt);
  makeSortable(table);
  const frame = make("div", { className: "frame" }, table);
  if (!hasRisk) return frame;
  const key = make("p", { className: "key" }, "Risk of bias: ");
  Object.entries(chart.risk).forEach(([level, [, , meaning]]) =>
    key.append(make("span", {}, makeSign(chart, level), ` ${meaning}`), " "));
  return make("div", {}, frame, key);
}

// What a line says in words, how it was computed, and each row with its source.
function makeAnswer(trace) {
  const rows = trace.rows.map((row) => {
    const sources = row.sources.flatMap(({ reference, link }) => [
      make("br"), reference, " ", ...(link ? [make("a", { href: link, target: "_blank",
        rel: "noopener" }, "Open the source")] : [])]);
    return make("li", {}, row.description, row.as_printed ? `: “${row.as_printed}”` : "",
      row.locator ? ` (${row.locator})` : "",
      row.unconfirmed ? make("em", {}, ` not confirmed: ${row.unconfirmed}`) : "",
      " – ", make("code", {}, row.address), ...sources);
  });
  return [make("p", {}, make("strong", {}, trace.sentence)),
    make("p", {}, `Computed as ${trace.computed_by}.`), make("ul", {}, ...rows)];
}

function makeSaveButtons(model) {
  const status = make("span", { className: "saved" });
  status.setAttribute("role", "status");
  const buttons = ["svg", "pdf", "png"].map((format) => {
    const button = make("button", { type: "button" }, `Save as ${format.toUpperCase()}`);
    button.addEventListener("click", () => {
      status.textContent = "Drawing …";
      model.send({ save: format });
    });
    return button;
  });
  model.on("msg:custom", ({ name }, [file]) => {
    const address = URL.createObjectURL(new Blob([file]));
    make("a", { href: address, download: name }).click();
    URL.revokeObjectURL(address);
    status.textContent = `Saved ${name}`;
  });
  return make("p", { className: "save" }, ...buttons, status);
}

function render({ model, el }) {
  const title = make("h4");
  const place = make("div", { className: "chart" });
  const caption = make("p", { className: "caption" });
  const alternatives = make("div", { className: "alternatives" });
  const save = makeSaveButtons(model);
  const parameters = make("pre", { className: "parameters" });
  const command = make("pre", { className: "command" });
  const answerId = `evidence-answer-${views}`;

  const selectedRow = () => [...place.querySelectorAll("tr[data-name]")]
    .find((row) => row.dataset.name === model.get("selected_mark"));
  function closeAnswer() {
    place.querySelector(".answer")?.remove();
    place.querySelector("[aria-expanded=true]")?.setAttribute("aria-expanded", "false");
  }
  function select(name) {
    if (model.get("selected_mark") === name) return;
    closeAnswer();
    change(model, { selected_mark: name });
  }
  const press = (row) =>
    select(row.dataset.name === model.get("selected_mark") ? "" : row.dataset.name);
  function showAnswer() {
    closeAnswer();
    const row = selectedRow();
    if (!row || !model.get("trace").rows) return;
    const cell = make("td", { colSpan: row.cells.length, id: answerId },
      ...makeAnswer(model.get("trace")));
    const answer = make("tr", { className: "answer" }, cell);
    row.after(answer);
    const button = row.querySelector("button");
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", answerId);
    answer.scrollIntoView({ block: "nearest" });
  }
  function show() {
    title.textContent = model.get("title");
    const empty = model.get("empty");
    caption.textContent = empty || model.get("caption");
    const buttons = model.get("alternatives").map(({ text, changes }) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => change(model, changes));
      return make("li", {}, button);
    });
    alternatives.replaceChildren(...(buttons.length
      ? [make("p", {}, model.get("alternatives_heading")), make("ul", {}, ...buttons)] : []));
    place.replaceChildren(...(empty ? [] : [makeChart(model.get("chart"), press)]));
    // An answer in between would be sorted as if it were a study.
    place.querySelector("thead")?.addEventListener("click", () => select(""), true);
    save.hidden = Boolean(empty);
    save.querySelector(".saved").textContent = "";
    parameters.textContent = model.get("parameters");
    command.textContent = model.get("command");
  }

  place.addEventListener("keydown", (event) => {
    // JupyterLab would take these keys as commands of its own.
    if (["Enter", " ", "Escape"].includes(event.key)) event.stopPropagation();
    if (event.key !== "Escape") return;
    selectedRow()?.querySelector("button").focus();
    select("");
  });
  el.classList.add("evidence-explorer");
  el.append(
    makeQuery(model), title, place, caption, alternatives, save,
    make("h4", {}, "Reproduce this chart"),
    make("p", {}, "Save this as ", make("code", {}, "view.yml"), " in the folder of the project:"),
    parameters, command,
  );
  model.on("change:parameters", show);
  model.on("change:trace", showAnswer);
  show();
  showAnswer();
}

export default { render };
