// The net: a column of units for each layer, with what each unit says, and a line for each weight.

import { drawMap, element, signedColour } from "./draw.js";
import { TEXTS } from "./texts.js";

const MAX_LINE_UNITS = 32;
const box = document.getElementById("columns");
const lines = document.getElementById("lines");
const reading = document.getElementById("unit-reading");
let columns = [], inputs = [];
let places = null;

export function setUp(state) {
  box.replaceChildren(lines);
  [columns, inputs, places] = [[], [], null];
  if (state.kind === "plane") {
    inputs = ["x", "y"].map((name) => element("canvas", { width: 50, height: 50, role: "img", ariaLabel: `${TEXTS.inputs} ${name}` }));
    box.append(column(TEXTS.inputs, inputs));
    inputs.forEach((canvas, axis) => {
      const map = new Uint8Array(2500);
      for (let i = 0; i < 2500; i++) map[i] = 1 + 254 * ((axis ? Math.floor(i / 50) : i % 50) / 49);
      drawMap(canvas, map, 50, 50, true);
    });
  }
  state.columns.forEach((layer, i) => {
    const count = Math.min(layer.shape.at(-1), MAX_LINE_UNITS);
    const units = Array.from({ length: count }, (_, unit) => {
      const canvas = element("canvas", { width: 1, height: 1, role: "img", ariaLabel: TEXTS.unitReading(layer.label, unit) });
      canvas.addEventListener("pointerenter", () => (reading.textContent = TEXTS.unitReading(layer.label, unit)));
      return canvas;
    });
    const rest = layer.shape.at(-1) - count;
    box.append(column(layer.label, units, rest > 0 ? TEXTS.more(rest) : ""));
    columns.push({ units, path: layer.path, i });
  });
}

function column(label, units, more = "") {
  const grid = element("div", { className: "units" }, ...units);
  return element("div", { className: "column" }, element("p", {}, label), grid, more ? element("p", {}, more) : "");
}

export function draw(frame, flip) {
  for (const { units, i } of columns) {
    const maps = frame.arrays[`column ${i}`];
    if (!maps) continue;
    const [count, height, width] = maps.shape;
    for (let unit = 0; unit < Math.min(count, units.length); unit++)
      drawMap(units[unit], maps.data.subarray(unit * height * width, (unit + 1) * height * width), height, width, flip);
  }
  drawLines(frame);
}

function drawLines(frame) {
  places ??= measure();
  const context = lines.getContext("2d");
  context.clearRect(0, 0, lines.width, lines.height);
  for (let i = 0; i < columns.length; i++) {
    const weights = frame.arrays[`weights ${i}`];
    const from = i === 0 ? places.inputs : places.columns[i - 1];
    const to = places.columns[i];
    if (!weights || weights.shape[0] !== from.length) continue;
    const [fanIn, units] = weights.shape;
    for (let a = 0; a < fanIn; a++)
      for (let b = 0; b < Math.min(units, to.length); b++) {
        const byte = weights.data[a * units + b];
        const size = Math.abs(byte - 128) / 127;
        if (size < 0.03) continue;
        context.strokeStyle = signedColour(byte < 128 ? 40 : 216);
        context.globalAlpha = 0.25 + 0.75 * size;
        context.lineWidth = 0.5 + 4.5 * size;
        context.beginPath();
        context.moveTo(from[a][1], from[a][2]);
        const middle = (from[a][1] + to[b][0]) / 2;
        context.bezierCurveTo(middle, from[a][2], middle, to[b][2], to[b][0], to[b][2]);
        context.stroke();
      }
  }
  context.globalAlpha = 1;
}

/** Left, right and middle height of every unit; measured once, because it makes the browser lay the page out. */
function measure() {
  const outer = box.getBoundingClientRect();
  [lines.width, lines.height] = [box.scrollWidth, box.scrollHeight];
  const place = (canvas) => {
    const inner = canvas.getBoundingClientRect();
    return [inner.left - outer.left, inner.right - outer.left, (inner.top + inner.bottom) / 2 - outer.top];
  };
  return { inputs: inputs.map(place), columns: columns.map(({ units }) => units.map(place)) };
}

new ResizeObserver(() => (places = null)).observe(box);
