// A digit drawn with a pen, and what the net says of it.

import { drawMap, element } from "./draw.js";
import { post } from "./server.js";
import { TEXTS } from "./texts.js";

const $ = (id) => document.getElementById(id);
const pen = $("pen");
const context = pen.getContext("2d");
let drawing = false, empty = true, report = () => {}, again = null;

export function start(reportError) {
  report = reportError;
  clear();
  pen.addEventListener("pointerdown", (event) => {
    drawing = true;
    empty = false;
    pen.setPointerCapture(event.pointerId);
    context.beginPath();
    context.moveTo(...at(event));
    line(event);
  });
  pen.addEventListener("pointermove", (event) => drawing && line(event));
  for (const end of ["pointerup", "pointercancel"]) pen.addEventListener(end, () => { if (drawing) send(); drawing = false; });
  $("clear").addEventListener("click", clear);
  $("picture-file").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (file) await ask(file);
    event.target.value = "";
  });
}

const at = (event) => {
  const box = pen.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * pen.width, ((event.clientY - box.top) / box.height) * pen.height];
};

function line(event) {
  const [x, y] = at(event);
  context.lineTo(x + 0.01, y);
  context.stroke();
}

function clear() {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, pen.width, pen.height);
  Object.assign(context, { strokeStyle: "#000", lineWidth: 10, lineCap: "round", lineJoin: "round" });
  pen.setAttribute("aria-label", TEXTS.penLabel);
  $("bars").replaceChildren();
  [empty, again] = [true, null];
}

function send() {
  if (empty) return;
  // Not by toBlob, which waits until the browser is idle.
  const bytes = Uint8Array.from(atob(pen.toDataURL("image/png").split(",")[1]), (c) => c.charCodeAt(0));
  ask(new Blob([bytes]));
}

async function ask(picture) {
  again = picture;
  try {
    show(await post("digit", picture, "image/png"));
  } catch (error) {
    report(error);
  }
}

function show({ probabilities, classes, image }) {
  const canvas = $("seen");
  const [height, width] = [image.length, image[0].length];
  const map = new Uint8Array(height * width);
  image.flat().forEach((value, i) => (map[i] = 128 + 127 * value));
  drawMap(canvas, map, height, width, false);
  canvas.setAttribute("aria-label", TEXTS.seenLabel);
  const best = probabilities.indexOf(Math.max(...probabilities));
  $("bars").replaceChildren(...probabilities.map((share, i) => {
    const bar = element("i");
    bar.style.width = `${Math.max(0, 100 * share)}%`;
    const text = `${classes[i] ?? i}: ${(100 * share).toFixed(0)} %`;
    return element("div", {}, i === best ? element("strong", {}, text) : text, bar);
  }));
}

export function setUp(state) {
  $("digit").hidden = !state.digit;
  $("filters").replaceChildren();
  if (again && state.digit) ask(again);
}

export function draw(frame) {
  const filters = frame.arrays.filters;
  if ($("digit").hidden || !filters) return;
  const [count, height, width] = filters.shape;
  const box = $("filters");
  while (box.children.length < count) box.append(element("canvas", { width: 1, height: 1, role: "img", ariaLabel: TEXTS.filterLabel(box.children.length) }));
  for (let i = 0; i < count; i++) drawMap(box.children[i], filters.data.subarray(i * height * width, (i + 1) * height * width), height, width, false);
}
