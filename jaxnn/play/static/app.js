// The page of `jaxnn play`: asks the server for frames, draws them, and sends what the reader changes.

import * as chart from "./chart.js";
import * as digit from "./digit.js";
import { element } from "./draw.js";
import * as microscope from "./microscope.js";
import * as net from "./net.js";
import * as panels from "./panels.js";
import * as plane from "./plane.js";
import * as scenes from "./scenes.js";
import { Refused, frame as nextFrame, get, linkOf, linkedConfig, post } from "./server.js";
import { TEXTS } from "./texts.js";

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
/**
 * Milliseconds between two pictures: more of them than the eye needs would take the cores from the training. Then those
 * for readers who asked for little motion, and between two drawings of the curves.
 */
const PICTURE_PAUSE = 29, CALM_PAUSE = 500, CURVE_PAUSE = 200;
/** How long a note stays, and for how long after a button was pressed here another training is this tab's own. */
const NOTE_MILLISECONDS = 6000, OWN_MILLISECONDS = 3000;
const SPEEDS = [1, 10, 30, 100, 300, 1000];

let state = { run: 0 }, view = 0, playing = false, curvesAt = 0, look = () => {}, noted = 0, pressedAt = -OWN_MILLISECONDS;
/** When each frame was drawn, and the steps of the training then: what the measurement of the page reads. */
const drawn = (globalThis.jaxnnFrames = []);

for (const item of document.querySelectorAll("[data-text]")) item.textContent = TEXTS[item.dataset.text];
for (const item of document.querySelectorAll("[data-label]")) item.setAttribute("aria-label", TEXTS[item.dataset.label]);
$("play").textContent = TEXTS.play;
$("speed").append(...SPEEDS.map((speed) => element("option", { value: speed }, String(speed))), element("option", { value: "" }, TEXTS.fastest));

let pictureIsShown = () => {};
const firstPicture = new Promise((resolve) => (pictureIsShown = resolve));
/** Milliseconds after which the controls come although no picture has come. */
const CONTROLS_PAUSE = 1500;
const shownSeed = () => Number($("seed").value || 0);

function report(error) {
  const lines = error instanceof Refused && error.status === 401 ? [TEXTS.states.token] : [error.message];
  $("errors").textContent = lines.join("\n");
  $("errors").hidden = false;
}

/** Says for a while what happened. */
function note(text) {
  $("note").textContent = text;
  clearTimeout(noted);
  noted = setTimeout(() => ($("note").textContent = ""), NOTE_MILLISECONDS);
}

async function change(tables) {
  pressedAt = performance.now();
  try {
    await adopt(await post("config", { config: JSON.parse(JSON.stringify(tables)) }));
  } catch (error) {
    report(error);
    // The controls show again what is trained.
    panels.setUp(state.config);
  }
}

/** Shows the state of another training. */
async function adopt(newState) {
  state = newState;
  view = 0;
  $("errors").hidden = true;
  $("title").textContent = state.title;
  document.title = `jaxnn play: ${state.title}`;
  $("command").textContent = state.command;
  $("toml").textContent = state.toml;
  $("sha").textContent = TEXTS.shaOpen;
  panels.setUp(state.config);
  microscope.setUp(state);
  chart.setUp();
  if (!state.ready) return;
  const seed = shownSeed();
  $("seed").replaceChildren(...state.seeds.map((number, i) => element("option", { value: i, selected: i === seed }, String(number))));
  document.body.dataset.kind = state.kind;
  net.setUp(state);
  digit.setUp(state);
  plane.setUp(state, await get(`points?seed=${shownSeed()}`));
  const classes = Math.max(2, state.kind === "plane" ? state.classes.length + 1 : 2);
  $("draw-class").replaceChildren(...Array.from({ length: Math.min(10, Math.max(classes, 3)) }, (_, i) => element("option", { value: i }, state.kind === "plane" ? (state.classes[i] ?? String(i)) : String(i))));
}

function show(frame) {
  pictureIsShown();
  view = frame.view;
  playing = frame.playing;
  $("play").textContent = playing ? TEXTS.pause : TEXTS.play;
  $("speed").value = frame.speed ?? "";
  if ($("speed").selectedIndex < 0) $("speed").value = "";
  const paused = frame.status === "training" && !frame.playing;
  let text = TEXTS.states[paused ? "paused" : frame.status];
  if (frame.message) text += `: ${frame.message}`;
  if (frame.best_epoch) text += `, ${TEXTS.bestEpoch([...new Set(frame.best_epoch)].slice(0, 5).join(", "))}`;
  if ($("status").textContent !== text) $("status").textContent = text;
  if (frame.epoch !== undefined) $("progress").textContent = TEXTS.progress(Math.floor(frame.epoch).toLocaleString("en"), state.epochs.toLocaleString("en"), frame.steps.toLocaleString("en"));
  if (frame.sha256) $("sha").textContent = TEXTS.sha(frame.sha256);
  plane.draw(frame);
  net.draw(frame, state.kind === "plane");
  digit.draw(frame);
  const now = performance.now();
  if (now - curvesAt > CURVE_PAUSE || !playing) {
    curvesAt = now;
    chart.draw(frame);
  }
  look(frame);
  drawn.push([now, frame.steps]);
  if (drawn.length > 5000) drawn.splice(0, 1000);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));

/**
 * Asks for a frame, and for the next one while this one is drawn: there is never more than one on its way, and a slow
 * reader gets fewer frames. A hidden page asks for nothing.
 */
async function watch() {
  let coming = null, shownAt = 0;
  const ask = (after) => nextFrame(after, shownSeed()).then((frame) => [frame, null], (error) => [null, error]);
  for (;;) {
    // `jaxnnAsleep` hides the page for a measurement of the training alone.
    if (document.hidden || globalThis.jaxnnAsleep) {
      coming = null;
      await pause(200);
      continue;
    }
    try {
      const [frame, error] = await (coming ?? ask(view));
      coming = null;
      if (error) throw error;
      if (frame.run !== state.run || !state.ready) {
        const other = frame.run !== state.run;
        const newState = await get("state");
        if (other && state.run && performance.now() - pressedAt > OWN_MILLISECONDS) note(TEXTS.states.other);
        if (newState.ready || other) await adopt(newState);
        if (!newState.ready) await pause(50);
      }
      if (frame.run === state.run && state.ready) {
        if (!calm.matches) coming = ask(frame.view);
        await pause((calm.matches ? CALM_PAUSE : PICTURE_PAUSE) - (performance.now() - shownAt));
        shownAt = performance.now();
        show(frame);
      } else $("status").textContent = TEXTS.states[frame.status];
    } catch (error) {
      if (error instanceof Refused && error.status !== 503) {
        report(error);
        await pause(2000);
      } else {
        $("status").textContent = error instanceof Refused ? TEXTS.states.busy : TEXTS.states.away;
        await pause(1000);
      }
    }
  }
}

async function press(button, speed = null) {
  pressedAt = performance.now();
  try {
    await post("press", { button, speed });
  } catch (error) {
    report(error);
  }
}

$("play").addEventListener("click", () => press(playing ? "pause" : "play"));
$("step").addEventListener("click", () => press("step"));
$("reset").addEventListener("click", () => press("reset"));
$("speed").addEventListener("change", () => press("speed", $("speed").value === "" ? null : Number($("speed").value)));
$("seed").addEventListener("change", async () => {
  view = 0;
  plane.setUp(state, await get(`points?seed=${shownSeed()}`));
});

// The reader's own points: drawn ones are sent a moment after the last.
let added = [], waiting = 0;
function addPoint(x, y) {
  added.push([Number(x.toFixed(4)), Number(y.toFixed(4)), Number($("draw-class").value)]);
  plane.addedPoints(added);
  clearTimeout(waiting);
  waiting = setTimeout(sendPoints, 900);
}

async function sendPoints() {
  const own = state.config.data.name === "points";
  const old = own ? state.config.data.across.map((x, i) => [x, state.config.data.up[i], state.config.data.labels[i]]) : [];
  const all = [...old, ...added.map(([x, y, i]) => [x, y, own || state.kind === "plane" ? (state.classes[i] ?? String(i)) : String(i)])];
  const counts = Object.groupBy(all, ([, , label]) => label);
  if (all.length < 4 || Object.keys(counts).length < 2 || Object.values(counts).some((list) => list.length < 2)) return;
  added = [];
  plane.addedPoints(added);
  panels.withPoints({ name: "points", across: all.map(([x]) => x), up: all.map(([, y]) => y), labels: all.map(([, , label]) => label) });
}

$("draw-points").addEventListener("click", () => $("draw-points").setAttribute("aria-pressed", String($("draw-points").getAttribute("aria-pressed") !== "true")));
$("points").addEventListener("pointerdown", (event) => {
  if ($("draw-points").getAttribute("aria-pressed") === "true" && state.kind === "plane") addPoint(...plane.placeOf(event));
});
$("add-point").addEventListener("click", () => addPoint(Number($("point-x").value), Number($("point-y").value)));

async function readTable(file) {
  try {
    panels.withPoints(await post("table", file, "text/csv"));
  } catch (error) {
    report(error);
  }
}

$("table-file").addEventListener("change", (event) => { if (event.target.files[0]) readTable(event.target.files[0]); event.target.value = ""; });
for (const name of ["dragover", "dragleave", "drop"])
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files[0]) readTable(event.dataTransfer.files[0]);
  });

// The same run elsewhere.
async function copy(text) {
  await navigator.clipboard.writeText(text).catch(() => {});
  note(TEXTS.copied);
}
$("copy-command").addEventListener("click", () => copy(state.command));
$("copy-link").addEventListener("click", async () => {
  const link = await linkOf(state.toml);
  history.replaceState(null, "", link);
  await copy(link);
});
$("download").addEventListener("click", () => {
  const link = element("a", { href: URL.createObjectURL(new Blob([state.toml], { type: "application/toml" })), download: "page.toml" });
  link.click();
  URL.revokeObjectURL(link.href);
});
$("toml-file").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  event.target.value = "";
  if (file) await openToml(await file.text());
});
$("save-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    note(TEXTS.saved((await post("save", { name: $("save-name").value })).folder));
  } catch (error) {
    report(error);
  }
});

async function openToml(toml) {
  pressedAt = performance.now();
  try {
    await adopt(await post("config", { toml }));
  } catch (error) {
    report(error);
  }
}

async function begin() {
  const newState = await get("state");
  const linked = await linkedConfig().catch(() => null);
  digit.start(report);
  look = microscope.start(shownSeed, report);
  await adopt(newState);
  // The first picture comes before what it can be changed with: both need the server's only thread of Python.
  Promise.race([firstPicture, pause(CONTROLS_PAUSE)]).then(loadControls).catch(report);
  if (linked && linked !== state.toml) await openToml(linked);
}

async function loadControls() {
  const [choices, list] = await Promise.all([get("choices"), get("scenes")]);
  panels.start(choices, change);
  scenes.start(list, change);
  panels.setUp(state.config);
}

async function beginUntilItWorks() {
  for (;;) {
    try {
      await begin();
      return watch();
    } catch (error) {
      if (error instanceof Refused) return report(error);
      $("status").textContent = TEXTS.states.away;
      await pause(1000);
    }
  }
}

addEventListener("hashchange", async () => {
  const linked = await linkedConfig().catch(() => null);
  if (linked) await openToml(linked);
});

beginUntilItWorks();
