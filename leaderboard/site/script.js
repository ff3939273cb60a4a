"use strict";
// Pages, sorting, filters and plots. Without this script the page shows all tasks and all tables.
const SVG = "http://www.w3.org/2000/svg";

function draw(parent, name, attributes, text) {
  const node = parent.appendChild(document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function canvas(parent, width, height, label) {
  return draw(parent, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

const short = (value) => Number(value.toPrecision(3)).toString();

// One task at a time, named by the address.
const pages = [...document.querySelectorAll(".page")];
function turn() {
  const wanted = pages.find((page) => `#${page.id}` === location.hash) || pages[0];
  for (const page of pages) page.hidden = page !== wanted;
  for (const link of document.querySelectorAll("nav a"))
    if (link.hash === `#${wanted.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  for (const figure of wanted.querySelectorAll(".cost")) plotCost(figure);
}

function sortBy(table, column, kind, descending) {
  const body = table.tBodies[0];
  const rows = [...body.querySelectorAll("tr[data-id]")];
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    return kind === "number" ? (text === "" ? NaN : Number(text)) : text.toLowerCase();
  };
  const sign = descending ? -1 : 1;
  rows.sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (kind === "text") return sign * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // what is undefined comes last
    return sign * (a - b);
  });
  for (const row of rows) body.append(row, document.getElementById(row.dataset.id));
}

function filterRows(section) {
  const form = section.querySelector(".filters");
  const wanted = Object.fromEntries(new FormData(form));
  const rows = [...section.querySelectorAll("tr[data-id]")];
  let shown = 0;
  for (const row of rows) {
    const details = document.getElementById(row.dataset.id);
    const text = `${row.querySelector("th").textContent} ${details.querySelector("dl").textContent}`.toLowerCase();
    const fits = text.includes(wanted.find.trim().toLowerCase())
      && ["inputs", "text", "pretrained"].every((name) => !wanted[name] || row.dataset[name] === wanted[name]);
    row.hidden = !fits;
    details.hidden = !fits || row.querySelector(".open").getAttribute("aria-expanded") !== "true";
    shown += fits;
  }
  form.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
}

const known = new Map();
function dataOf(section) {
  if (!known.has(section)) known.set(section, JSON.parse(section.querySelector(".data").textContent));
  return known.get(section);
}

function plotParity(parent, data, places, name) {
  const [size, left, top] = [250, 40, 14];
  const everything = [...places, 0, data.steps];
  const [low, high] = [Math.min(...everything), Math.max(...everything)];
  const scale = (place) => (size * (place - low)) / (high - low);
  const value = (place) => short(data.axis[0] + ((data.axis[1] - data.axis[0]) * place) / data.steps);
  const plot = canvas(parent, size + left + 12, size + top + 36, `Parity plot of ${name}: predictions against targets, ${places.length} samples`);
  const area = draw(plot, "g", { transform: `translate(${left},${top})` });
  draw(area, "rect", { class: "axis", width: size, height: size });
  draw(area, "line", { class: "diagonal", x1: 0, y1: size, x2: size, y2: 0 });
  for (const end of [low, high]) {
    draw(area, "text", { x: scale(end), y: size + 13, "text-anchor": end === low ? "start" : "end" }, value(end));
    draw(area, "text", { x: -4, y: size - scale(end) + (end === low ? 0 : 9), "text-anchor": "end" }, value(end));
  }
  draw(area, "text", { x: size / 2, y: size + 28, "text-anchor": "middle" }, `target (${data.unit})`);
  draw(area, "text", { x: -size / 2, y: -28, transform: "rotate(-90)", "text-anchor": "middle" }, "prediction");
  places.forEach((place, i) => {
    const point = draw(area, "circle", { class: "point", r: 3, cx: scale(data.targets[i]), cy: size - scale(place) });
    draw(point, "title", {}, data.ids[i]);
  });
}

function plotCalibration(parent, [said, seen], name) {
  const [size, left, top] = [250, 40, 14];
  const plot = canvas(parent, size + left + 12, size + top + 36, `Calibration plot of ${name}: share of positive rows against predicted probability, ${said.length} bins`);
  const area = draw(plot, "g", { transform: `translate(${left},${top})` });
  draw(area, "rect", { class: "axis", width: size, height: size });
  draw(area, "line", { class: "diagonal", x1: 0, y1: size, x2: size, y2: 0 });
  for (const end of [0, 1]) {
    draw(area, "text", { x: size * end, y: size + 13, "text-anchor": end ? "end" : "start" }, end);
    draw(area, "text", { x: -4, y: size - size * end + (end ? 9 : 0), "text-anchor": "end" }, end);
  }
  draw(area, "text", { x: size / 2, y: size + 28, "text-anchor": "middle" }, "predicted probability");
  draw(area, "text", { x: -size / 2, y: -28, transform: "rotate(-90)", "text-anchor": "middle" }, "share of positive rows");
  draw(area, "polyline", { class: "line validation", points: said.map((p, i) => `${size * p},${size - size * seen[i]}`).join(" ") });
  said.forEach((p, i) => draw(area, "circle", { class: "point", r: 3, cx: size * p, cy: size - size * seen[i] }));
}

function plotCurves(parent, data, curves, name) {
  const [width, height, left, top] = [Math.max(180, 130 * curves.length), 250, 44, 14];
  const values = curves.flatMap((curve) => [...curve.train, ...curve.validation]).filter((v) => v > 0);
  if (!values.length) return;
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values) * 1.0001)];
  const y = (v) => height - (height * (Math.log(v) - low)) / (high - low || 1);
  const plot = canvas(parent, width + left + 12, height + top + 36, `Learning curves of ${name}: RMSE by epoch, ${curves.map((c) => c.stage).join(", ")}`);
  const area = draw(plot, "g", { transform: `translate(${left},${top})` });
  draw(area, "rect", { class: "axis", width, height });
  for (const end of [low, high])
    draw(area, "text", { x: -4, y: end === low ? height : 9, "text-anchor": "end" }, short(Math.exp(end)));
  const step = width / curves.length;
  curves.forEach((curve, k) => {
    const last = Math.max(1, curve.epochs[curve.epochs.length - 1]);
    for (const kind of ["train", "validation"]) {
      const points = curve.epochs.map((e, i) => [k * step + (step * e) / last, curve[kind][i]]).filter((p) => p[1] > 0);
      draw(area, "polyline", { class: `line ${kind}`, points: points.map(([px, v]) => `${px.toFixed(1)},${y(v).toFixed(1)}`).join(" ") });
    }
    if (k) draw(area, "line", { class: "axis", x1: k * step, y1: 0, x2: k * step, y2: height });
    const letters = Math.floor(step / 6);
    const title = curve.stage.length > letters ? `${curve.stage.slice(0, letters - 1)}…` : curve.stage;
    draw(draw(area, "text", { x: (k + 0.5) * step, y: height + 13, "text-anchor": "middle" }, title), "title", {}, `${curve.stage}, ${last + 1} epochs`);
  });
  draw(area, "text", { x: -height / 2, y: -32, transform: "rotate(-90)", "text-anchor": "middle" }, data.binary ? "loss, log" : `RMSE (${data.unit}), log`);
  draw(area, "text", { x: width / 2, y: height + 28, "text-anchor": "middle" }, "blue: train, gold: validation");
}

function plotCost(figure) {
  const section = figure.closest(".board");
  const axis = figure.querySelector("select").value;
  const label = figure.dataset.label;
  const points = [...section.querySelectorAll("tr[data-id]")].map((row) => ({
    name: row.querySelector(".open").textContent, x: Number(row.dataset[axis] || NaN),
    y: Number(row.dataset.ordinate || NaN), asked: row.dataset.service === "yes", hidden: row.hidden,
  })).filter((p) => p.x > 0 && Number.isFinite(p.y) && !p.hidden);
  const holder = figure.querySelector(".plot");
  holder.replaceChildren();
  if (!points.length) { holder.textContent = "Nothing to draw: no row that is shown states it."; return; }
  const [width, height, left, top] = [760, 280, 50, 12];
  const logs = points.map((p) => Math.log10(p.x));
  const [low, high] = [Math.floor(Math.min(...logs) - 0.2), Math.ceil(Math.max(...logs) + 0.2)];
  const floor = Math.max(-0.5, Math.min(0, ...points.map((p) => p.y))) - 0.05;
  const x = (value) => (width * (Math.log10(value) - low)) / (high - low);
  const y = (value) => height - (height * (Math.max(value, floor) - floor)) / (1 - floor);
  const plot = canvas(holder, width + left + 20, height + top + 40, `${label} against ${figure.querySelector("select").selectedOptions[0].textContent} of ${points.length} rows`);
  const area = draw(plot, "g", { transform: `translate(${left},${top})` });
  draw(area, "rect", { class: "axis", width, height });
  for (let power = low; power <= high; power++)
    draw(area, "text", { x: x(10 ** power), y: height + 14, "text-anchor": "middle" }, short(10 ** power));
  for (const value of [0, 0.5, 1]) {
    draw(area, "line", { class: "axis", x1: 0, x2: width, y1: y(value), y2: y(value) });
    draw(area, "text", { x: -5, y: y(value) + 4, "text-anchor": "end" }, value);
  }
  draw(area, "text", { x: width / 2, y: height + 32, "text-anchor": "middle" }, figure.querySelector("select").selectedOptions[0].textContent);
  draw(area, "text", { x: -height / 2, y: -32, transform: "rotate(-90)", "text-anchor": "middle" }, label);
  const boxes = [];
  for (const p of points) {
    const point = draw(area, "circle", { class: p.asked ? "asked" : "point", r: 5, cx: x(p.x), cy: y(p.y) });
    draw(point, "title", {}, `${p.name}: ${label} ${short(p.y)}, ${short(p.x)}`);
    const late = x(p.x) > 0.75 * width;
    const [at, width_] = [[x(p.x), y(p.y)], 6.2 * Math.min(p.name.length, 28)];
    const box = [late ? at[0] - 7 - width_ : at[0] + 7, at[1] - 6, late ? at[0] - 7 : at[0] + 7 + width_, at[1] + 6];
    if (boxes.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) continue; // its title says it
    boxes.push(box);
    draw(area, "text", { x: x(p.x) + (late ? -7 : 7), y: y(p.y) + 4, "text-anchor": late ? "end" : "start" }, p.name.length > 28 ? `${p.name.slice(0, 27)}…` : p.name);
  }
}

for (const section of document.querySelectorAll(".board")) {
  section.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.kind) {
      const head = button.closest("th");
      const now = head.getAttribute("aria-sort");
      const descending = now === "none" ? button.dataset.best === "high" : now === "ascending";
      for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(section.querySelector("table"), head.cellIndex, button.dataset.kind, descending);
    } else if (button.matches(".open")) {
      const open = button.getAttribute("aria-expanded") !== "true";
      const details = document.getElementById(button.getAttribute("aria-controls"));
      button.setAttribute("aria-expanded", open);
      details.hidden = !open;
      const holder = details.querySelector(".plots");
      const data = dataOf(section);
      const plots = data.rows[details.id];
      if (open && !holder.childElementCount) {
        if (plots.calibration) plotCalibration(holder, plots.calibration, button.textContent);
        else plotParity(holder, data, plots.parity, button.textContent);
        if (plots.curves) plotCurves(holder, data, plots.curves, button.textContent);
      }
    }
  });
  const form = section.querySelector(".filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { filterRows(section); plotCost(section.querySelector(".cost")); });
  section.querySelector(".cost select").addEventListener("change", (event) => plotCost(event.target.closest(".cost")));
}
addEventListener("hashchange", turn);
turn();
