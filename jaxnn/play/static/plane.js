// The plane of a classifier: which class the net says where, and the examples on it.

import { COLOURS, css, element, mark } from "./draw.js";
import { TEXTS } from "./texts.js";

const boundary = document.getElementById("plane");
// The points lie above the boundary on a canvas of their own: they are drawn once, and not with each picture.
const canvas = document.getElementById("points");
const context = canvas.getContext("2d");
const reading = document.getElementById("plane-reading");
let state, points = {}, shown = null, cursor = null, image = null;

// The colour of a class at each confidence, as the bytes of a pixel.
const SHADES = new Uint32Array(COLOURS.length * 256);
COLOURS.forEach((colour, i) => {
  for (let confidence = 0; confidence < 256; confidence++) {
    const share = 0.12 + 0.5 * (confidence / 255);
    const [r, g, b] = colour.map((c) => Math.round(255 + (c - 255) * share));
    SHADES[i * 256 + confidence] = new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0];
  }
});

export function setUp(newState, newPoints) {
  [state, points, shown, cursor, image] = [newState, newPoints, null, null, null];
  document.getElementById("plane-box").hidden = state.kind !== "plane";
  document.getElementById("no-picture").hidden = state.kind === "plane" || state.kind === "image";
  canvas.setAttribute("aria-label", TEXTS.planeLabel(state.classes.map((name) => `class ${name}`).join(", ")));
  reading.textContent = "";
  const legend = document.getElementById("legend");
  legend.replaceChildren();
  if (state.kind !== "plane") return;
  drawPoints();
  state.classes.forEach((name, i) => legend.append(element("li", {}, sample(i, true), `class ${name}`)));
  if (points.validation || points.test)
    legend.append(element("li", {}, sample(0, true, true), TEXTS.trainPoint), element("li", {}, sample(0, false, true), `${points.validation ? TEXTS.validationPoint : TEXTS.testPoint}`));
}

function sample(i, filled, grey = false) {
  const small = element("canvas", { width: 36, height: 36, ariaHidden: "true" });
  const at = small.getContext("2d");
  mark(at, i, 18, 18, 11);
  at.lineWidth = 4;
  at.strokeStyle = at.fillStyle = grey ? "#808890" : css(COLOURS[i % COLOURS.length]);
  filled ? at.fill() : at.stroke();
  return small;
}

export function draw(frame) {
  const { winner, confidence } = frame.arrays;
  if (!winner) return;
  shown = frame.arrays;
  const [rows, columns] = winner.shape;
  if (boundary.width !== columns) [boundary.width, boundary.height] = [columns, rows];
  image ??= new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < rows; row++) {
    const from = (rows - 1 - row) * columns, to = row * columns;
    for (let i = 0; i < columns; i++) pixels[to + i] = SHADES[(winner.data[from + i] % COLOURS.length) * 256 + confidence.data[from + i]];
  }
  boundary.getContext("2d").putImageData(image, 0, 0);
  if (cursor) read(cursor);
}

/** Draws the points, and the reading point of the keyboard. */
function drawPoints() {
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const part of ["test", "validation", "train"]) for (const point of points[part] ?? []) drawPoint(point, part === "train");
  for (const point of added) drawPoint(point, true);
  if (!cursor) return;
  const [x, y] = toCanvas(cursor);
  context.strokeStyle = "#000";
  context.lineWidth = 2.5;
  context.beginPath();
  for (const [dx, dy] of [[16, 0], [0, 16]]) {
    context.moveTo(x - dx, y - dy);
    context.lineTo(x + dx, y + dy);
  }
  context.stroke();
}

const added = [];
export function addedPoints(list) {
  added.splice(0, added.length, ...list);
  if (state?.kind === "plane") drawPoints();
}

function drawPoint([x, y, label], filled) {
  const [across, up] = toCanvas([x, y]);
  mark(context, label, across, up, filled ? 5.4 : 5);
  context.lineWidth = filled ? 1.5 : 2.4;
  context.fillStyle = css(COLOURS[label % COLOURS.length]);
  context.strokeStyle = filled ? "#fff" : css(COLOURS[label % COLOURS.length].map((c) => c * 0.75));
  if (filled) context.fill();
  context.stroke();
}

function toCanvas([x, y]) {
  const [low, high] = [state.low, state.high];
  return [((x - low[0]) / (high[0] - low[0])) * canvas.width, (1 - (y - low[1]) / (high[1] - low[1])) * canvas.height];
}

/** The place of the plane under a pointer. */
export function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  const [low, high] = [state.low, state.high];
  const x = low[0] + ((event.clientX - box.left) / box.width) * (high[0] - low[0]);
  const y = high[1] - ((event.clientY - box.top) / box.height) * (high[1] - low[1]);
  return [x, y];
}

function read([x, y]) {
  if (!shown?.winner) return;
  const [rows, columns] = shown.winner.shape;
  const i = Math.round(((x - state.low[0]) / (state.high[0] - state.low[0])) * (columns - 1));
  const j = Math.round(((y - state.low[1]) / (state.high[1] - state.low[1])) * (rows - 1));
  if (i < 0 || j < 0 || i >= columns || j >= rows) return;
  const at = j * columns + i;
  const name = state.classes[shown.winner.data[at]] ?? shown.winner.data[at];
  reading.textContent = TEXTS.planeReading(x.toFixed(2), y.toFixed(2), name, Math.round((100 * shown.confidence.data[at]) / 255));
}

canvas.addEventListener("pointermove", (event) => {
  if (!state || state.kind !== "plane") return;
  if (cursor) {
    cursor = null;
    drawPoints();
  }
  read(placeOf(event));
});
canvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!move || !state || state.kind !== "plane") return;
  event.preventDefault();
  const step = (state.high[0] - state.low[0]) / 40;
  cursor ??= [(state.low[0] + state.high[0]) / 2, (state.low[1] + state.high[1]) / 2];
  cursor = cursor.map((value, i) => Math.min(state.high[i], Math.max(state.low[i], value + step * move[i])));
  drawPoints();
  read(cursor);
});
