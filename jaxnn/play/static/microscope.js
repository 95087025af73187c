// The gradient microscope: a derivative by hand, by autodiff and by a central difference.

import { element, short } from "./draw.js";
import { get } from "./server.js";
import { TEXTS } from "./texts.js";

const $ = (id) => document.getElementById(id);
let state = null, busy = false, again = false, seen = -1;

export function start(shownSeed, report) {
  const look = async () => {
    if (!state?.leaves) return;
    // What is changed while the server differentiates is asked for afterwards.
    again = busy;
    if (busy) return;
    busy = true;
    if (!$("reading").children.length) $("reading").textContent = TEXTS.looking;
    try {
      const query = new URLSearchParams({ leaf: $("leaf").value, index: $("index").value || "0", seed: shownSeed(), mistake: $("mistake").value, layer: $("mistake-layer").value || "0" });
      show(await get(`gradient?${query}`));
    } catch (error) {
      report(error);
    }
    busy = false;
    if (again) look();
  };
  $("look").addEventListener("click", look);
  for (const id of ["leaf", "index", "mistake", "mistake-layer"]) $(id).addEventListener("change", look);
  return (frame) => {
    if (!$("live").checked || document.hidden || frame.steps === seen) return;
    seen = frame.steps;
    look();
  };
}

export function setUp(newState) {
  state = newState;
  const leaves = state.leaves ?? [];
  const chosen = $("leaf").value;
  $("leaf").replaceChildren(...leaves.map(({ name, shape }) => element("option", { value: name, selected: name === chosen }, `${name} (${shape.join(" × ")})`)));
  $("mistake").replaceChildren(element("option", { value: "" }, TEXTS.noMistake), ...state.mistakes.map((name) => element("option", { value: name }, name)));
  $("mistake-layer").replaceChildren(...(state.layers ?? []).map((name, i) => element("option", { value: i }, `${i} ${name}`)));
  $("index").value = 0;
  $("reading").replaceChildren();
  seen = -1;
}

/** Exact digits: the readings differ in their last places. */
const exact = (value) => (value === null ? "–" : value.toExponential(16));

function show(reading) {
  const rows = [[TEXTS.hand, reading.hand], [TEXTS.autodiff, reading.autodiff], [TEXTS.difference, reading.difference], [TEXTS.value, reading.value]];
  const verdict = element("p", { className: `verdict ${reading.holds ? "good" : "bad"}` }, reading.holds ? TEXTS.holds : TEXTS.broken);
  const table = element("table", {}, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, exact(value))))));
  const notes = [TEXTS.handAutodiff(short(reading.ulp)), TEXTS.worst(reading.worst_leaf, short(reading.worst), short(reading.worst_ulp)), reading.smooth ? TEXTS.differenceFar(short(reading.difference_distance)) : TEXTS.kink];
  $("reading").replaceChildren(verdict, element("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: TEXTS.microscope }, table), ...notes.map((note) => element("p", { className: "reading" }, note)));
}
