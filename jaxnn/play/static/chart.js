// Learning curves: the mean over the seeds, and a band from the lowest to the highest.

import { COLOURS, css, element, short, svg } from "./draw.js";
import { TEXTS } from "./texts.js";

const WIDTH = 340, HEIGHT = 190, LEFT = 56, RIGHT = 8, TOP = 8, BOTTOM = 24;
/** Metrics of the best parameters that the table has beside the curves. */
const SHOWN_SCORES = new Set(["loss", "accuracy"]);
const PARTS = { train: 0, validation: 1, test: 2 };
const box = document.getElementById("charts");
const table = document.getElementById("numbers");
let charts = {};

export function setUp() {
  charts = {};
  box.replaceChildren();
  table.replaceChildren();
}

/** Draws the curves of a frame: loss first, then the metric that the table has next. */
export function draw(frame) {
  const epochs = frame.arrays.epoch?.data;
  if (!epochs?.length) return;
  const groups = {};
  for (const [name, array] of Object.entries(frame.arrays)) {
    if (!name.startsWith("curve ")) continue;
    const [part, ...metric] = name.slice(6).split("_");
    (groups[metric.join("_")] ??= {})[part] = array;
  }
  const names = Object.keys(groups).sort((a, b) => (b === "loss") - (a === "loss")).slice(0, 2);
  for (const name of names) drawChart(name, groups[name], epochs, frame.last);
  drawTable(frame);
}

function drawChart(name, parts, epochs, last) {
  const chart = (charts[name] ??= makeChart(name));
  const values = Object.values(parts).flatMap(({ data }) => Array.from(data).filter(Number.isFinite));
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!values.length) return;
  if (name === "accuracy") [low, high] = [Math.min(low, 0.5), 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const [first, end] = [epochs[0], Math.max(epochs[epochs.length - 1], epochs[0] + 1)];
  const x = (epoch) => LEFT + ((epoch - first) / (end - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  chart.scale = { x, y, epochs, parts, first, end };
  const marks = [];
  for (const share of [0, 0.5, 1]) {
    const value = low + share * (high - low);
    marks.push(svg("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    marks.push(label(LEFT - 5, y(value) + 4, short(Number(value.toPrecision(3))), "end"));
    const epoch = first + share * (end - first);
    marks.push(label(x(epoch), HEIGHT - 7, short(Math.round(epoch)), share === 1 ? "end" : share ? "middle" : "start"));
  }
  const curves = Object.entries(parts).flatMap(([part, { data, shape }]) => {
    const n = shape[1], colour = css(COLOURS[PARTS[part] ?? 3]);
    const at = (row, i) => data[row * n + i];
    const line = (row, order) => order.filter((i) => Number.isFinite(at(row, i))).map((i) => `${x(epochs[i]).toFixed(1)},${y(at(row, i)).toFixed(1)}`);
    const forth = [...Array(n).keys()], back = [...forth].reverse();
    return [
      svg("polygon", { points: [...line(0, forth), ...line(2, back)].join(" "), fill: colour, opacity: 0.22 }),
      svg("polyline", { points: line(1, forth).join(" "), fill: "none", stroke: colour, "stroke-width": 2, ...(part === "train" ? {} : { "stroke-dasharray": "6 3" }) }),
    ];
  });
  if (chart.key.children.length !== Object.keys(parts).length) drawKey(chart.key, Object.keys(parts));
  chart.svg.replaceChildren(...marks, ...curves, chart.pointer);
  const ends = Object.keys(parts).map((part) => `${part} ${short(mean(last[`${part}_${name}`]))}`).join(", ");
  chart.svg.setAttribute("aria-label", TEXTS.chartLabel(name, ends));
}

function makeChart(name) {
  const pointer = svg("g", {}), key = element("span", {});
  const made = { pointer, key, svg: svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }), text: element("span", { className: "reading" }) };
  made.svg.addEventListener("pointermove", (event) => read(made, event));
  made.svg.addEventListener("pointerleave", () => { pointer.replaceChildren(); made.text.textContent = ""; });
  box.append(element("figure", {}, element("figcaption", {}, `${name} `, key, " ", made.text), made.svg));
  return made;
}

function drawKey(key, parts) {
  const items = parts.map((part) => element("span", {}, ` ${part === "train" ? "—" : "- -"} ${part} `));
  items.forEach((item, i) => (item.style.borderBottom = `2px solid ${css(COLOURS[PARTS[parts[i]] ?? 3])}`));
  key.replaceChildren(...items);
}

function read(chart, event) {
  if (!chart.scale) return;
  const { x, epochs, parts, first, end } = chart.scale;
  const outer = chart.svg.getBoundingClientRect();
  const epoch = first + ((((event.clientX - outer.left) / outer.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT)) * (end - first);
  let nearest = 0;
  for (let i = 0; i < epochs.length; i++) if (Math.abs(epochs[i] - epoch) < Math.abs(epochs[nearest] - epoch)) nearest = i;
  const said = Object.entries(parts).map(([part, { data, shape }]) => `${part} ${short(data[shape[1] + nearest])}`);
  chart.text.textContent = `epoch ${epochs[nearest]}: ${said.join(", ")}`;
  chart.pointer.replaceChildren(svg("line", { class: "axis", x1: x(epochs[nearest]), x2: x(epochs[nearest]), y1: TOP, y2: HEIGHT - BOTTOM }));
}

function label(x, y, text, anchor) {
  return svg("text", { x, y, "text-anchor": anchor }, text);
}

const finite = (values) => (values ?? []).filter((value) => value !== null);
const mean = (values) => (finite(values).length ? finite(values).reduce((a, b) => a + b, 0) / finite(values).length : NaN);

function drawTable(frame) {
  const rows = Object.entries(frame.last ?? {}).map(([name, values]) => [name.replaceAll("_", " "), values]);
  for (const [part, metrics] of Object.entries(frame.scores ?? {}))
    for (const name of Object.keys(metrics).filter((name) => SHOWN_SCORES.has(name))) rows.push([`${TEXTS.scores}, ${part} ${name}`, metrics[name]]);
  const several = rows.some(([, values]) => values.length > 1);
  const head = [TEXTS.number, TEXTS.meanOfSeeds, ...(several ? [TEXTS.lowest, TEXTS.highest] : [])];
  table.replaceChildren(
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map(([name, values]) => {
      const numbers = [mean(values), ...(several ? [Math.min(...finite(values)), Math.max(...finite(values))] : [])];
      return element("tr", {}, element("th", { scope: "row" }, name), ...numbers.map((value) => element("td", {}, short(value))));
    })),
  );
}
