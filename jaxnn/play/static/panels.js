// The controls of the config: data, layers, training. A change goes to the server, which trains the new net at once.

import { element } from "./draw.js";
import { get } from "./server.js";
import { TEXTS } from "./texts.js";

const $ = (id) => document.getElementById(id);
/** The net for points of the plane in place of one for images. */
const PLANE_NET = [{ layer: "dense", units: 10 }, { layer: "tanh" }, { layer: "dense", units: "classes" }];
let choices = null, config = null, send = null;

/** change(config): called with the tables of the config after a change. */
export function start(offered, change) {
  [choices, send] = [offered, change];
  for (const name of Object.keys(choices.layer)) $("add-layer").append(element("option", { value: name }, name));
  $("add-layer-button").addEventListener("click", () => {
    const net = config.net.map((layer) => ({ ...layer }));
    // A net ends with as many units as there are classes: new layers come before the last that has parameters.
    const last = net.findLastIndex((layer) => layer.layer === "dense");
    net.splice(last < 0 ? net.length : last, 0, newLayer($("add-layer").value));
    update({ net });
  });
}

function newLayer(name) {
  const first = { dense: { units: 8 }, dropout: { rate: 0.2 }, conv: { channels: 8, kernel: 3, padding: "SAME" } }[name] ?? {};
  const required = choices.layer[name].filter((option) => option.required && !(option.name in first));
  return { layer: name, ...first, ...Object.fromEntries(required.map((option) => [option.name, 2])) };
}

export function update(change) {
  send({ ...config, ...change });
}

export function setUp(newConfig) {
  config = newConfig;
  if (!choices) return;
  const focused = document.activeElement?.dataset?.key;
  drawData();
  drawLayers();
  drawTraining();
  // A control that was rebuilt keeps the focus.
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function select(label, key, names, value, chosen) {
  const all = names.includes(value) ? names : [value, ...names];
  const made = element("select", {}, ...all.map((name) => element("option", { value: name, selected: name === value }, name)));
  made.dataset.key = key;
  made.addEventListener("change", () => chosen(made.value));
  return element("label", {}, element("span", {}, label), made);
}

/** An input for a number, a text or a switch; an empty one removes the key. */
function field(label, key, value, { type = "a number", help = "" }, changed) {
  const isSwitch = type === "true or false";
  const isNumber = !isSwitch && (typeof value === "number" || /number|integer|count/.test(type)) && typeof value !== "string";
  const input = element("input", { type: isSwitch ? "checkbox" : isNumber ? "number" : "text", title: help });
  if (isSwitch) input.checked = Boolean(value);
  else input.value = value ?? "";
  if (isNumber) input.step = "any";
  input.dataset.key = key;
  input.addEventListener("change", () => {
    const text = input.value.trim();
    changed(isSwitch ? input.checked : text === "" ? undefined : isNumber || /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  });
  return element("label", { className: isSwitch ? "check" : "" }, element("span", {}, TEXTS.options[label] || label.replaceAll("_", " ")), input);
}

function without(table, key, value) {
  const made = { ...table };
  if (value === undefined || Number.isNaN(value)) delete made[key];
  else made[key] = value;
  return made;
}

const SIMPLE = /^(an integer|a number|true or false|text|a count)/;

function optionsOf(kind, name, table, section, shown, changed) {
  return (choices[kind][name] ?? [])
    .filter((option) => (SIMPLE.test(option.type) || typeof table[option.name] === "number") && shown(option))
    .map((option) => field(option.name, `${section}.${option.name}`, table[option.name] ?? option.default, option, (value) => changed(option.name, value)));
}

function drawData() {
  const data = config.data;
  const changed = (name, value) => update({ data: without(data, name, value) });
  const shared = ["validation", "test"].map((name) => field(name, `data.${name}`, data[name], {}, (value) => changed(name, value)));
  $("data-options").replaceChildren(
    select(TEXTS.dataSet, "data.name", Object.keys(choices.data).filter((name) => name !== "points" || data.name === "points"), data.name, changeData),
    ...optionsOf("data", data.name, data, "data", () => true, changed), ...shared,
    field("data seed", "data.seed", data.seed, { help: "" }, (value) => changed("seed", value)),
  );
}

/** Other data: the options of the old ones go, and the net ends in as many units as there are classes. */
function changeData(name) {
  const images = (set) => set === "digits";
  const data = { name, validation: images(name) ? 180 : 0.25, test: images(name) ? 360 : 0.25, ...(images(name) ? { preprocess: "unit" } : {}) };
  let net = config.net.map((layer) => ({ ...layer }));
  if (images(name)) net = [{ layer: "conv", channels: 8, kernel: 3, padding: "SAME" }, { layer: "relu" }, { layer: "max_pool", window: 2 }, { layer: "flatten" }, { layer: "dense", units: "classes" }];
  else if (images(config.data.name)) net = PLANE_NET;
  else net.findLast((layer) => layer.layer === "dense").units = "classes";
  const train = { ...config.train, ...(images(name) ? { batch_size: 32, epochs: 30, eval_every: 1 } : {}), best: "validation.loss" };
  if (!images(name)) train.batch_size = images(config.data.name) ? "full" : (config.train.batch_size ?? "full");
  if (!images(name) && images(config.data.name)) train.epochs = 3000;
  const change = images(name) || images(config.data.name) ? { loss: { name: "softmax_cross_entropy" }, optimizer: { name: "adam", learning_rate: images(name) ? 0.002 : 0.02 } } : {};
  update({ title: TEXTS.ownTitle(name), data, net, train, ...change });
}

/** The config with points that the page lists, as `[data] name = "points"`. */
export function withPoints(data) {
  const net = config.net.map((layer) => ({ ...layer }));
  const last = net.findLast((layer) => layer.layer === "dense");
  if (last) last.units = "classes";
  const isImage = config.data.name === "digits";
  update({
    title: TEXTS.ownTitle(data.name),
    data,
    net: isImage ? PLANE_NET : net,
    train: { ...config.train, batch_size: "full", best: "train.loss", ...(isImage ? { epochs: 3000 } : {}) },
  });
}

function drawLayers() {
  const names = Object.keys(choices.layer);
  const items = config.net.map((layer, i) => {
    const replace = (made) => update({ net: config.net.map((old, j) => (j === i ? made : { ...old })) });
    const main = ["units", "channels", "kernel", "rate", "window", "slope"].filter((name) => name in layer);
    const controls = [
      select(TEXTS.layerName(i), `net.${i}.layer`, names, layer.layer, (name) => replace(newLayer(name))),
      ...main.map((name) => field(name, `net.${i}.${name}`, layer[name], {}, (value) => replace(without(layer, name, value)))),
      button("ƒ′", `${TEXTS.layerPage}: ${layer.layer}`, `net.${i}.page`, () => openPage(layer.layer)),
    ];
    if (i > 0)
      controls.push(button("↑", `${TEXTS.moveUp}: ${TEXTS.layerName(i)}`, `net.${i}.up`, () => {
        const net = config.net.map((old) => ({ ...old }));
        [net[i - 1], net[i]] = [net[i], net[i - 1]];
        update({ net });
      }));
    if (config.net.length > 1)
      controls.push(button("✕", `${TEXTS.remove}: ${TEXTS.layerName(i)}`, `net.${i}.remove`, () => update({ net: config.net.filter((_, j) => j !== i) })));
    return element("li", {}, ...controls);
  });
  $("layers").replaceChildren(...items);
}

function button(text, label, key, pressed) {
  const made = element("button", { type: "button", className: "small", ariaLabel: label, title: label }, text);
  made.dataset.key = key;
  made.addEventListener("click", pressed);
  return made;
}

function drawTraining() {
  const { optimizer, loss, train } = config;
  const inTrain = (name) => (value) => update({ train: without(train, name, value) });
  const changed = (name, value) => update({ optimizer: without(optimizer, name, value) });
  const second = !("learning_rate" in optimizer || "schedule" in optimizer);
  $("training-options").replaceChildren(
    select(TEXTS.optimizer, "optimizer.name", Object.keys(choices.optimizer), optimizer.name, (name) =>
      update({ optimizer: name === "lbfgs" ? { name } : { name, learning_rate: optimizer.learning_rate ?? 0.01, l2: optimizer.l2 ?? 0 } })),
    ...(second ? [] : [field("learning_rate", "optimizer.learning_rate", optimizer.learning_rate, {}, (value) => changed("learning_rate", value))]),
    field("l2", "optimizer.l2", optimizer.l2 ?? 0, {}, (value) => changed("l2", value)),
    select(TEXTS.loss, "loss.name", Object.keys(choices.loss), loss?.name ?? "", (name) => update({ loss: { name } })),
    field("batch_size", "train.batch_size", train.batch_size === "full" ? undefined : train.batch_size, {}, inTrain("batch_size")),
    field("epochs", "train.epochs", train.epochs, {}, inTrain("epochs")),
    field("seeds", "train.seeds", train.seeds, {}, inTrain("seeds")),
    field("seed", "train.seed", train.seed, {}, inTrain("seed")),
  );
}

/** The page of a layer: formula, derivation, code, certificate and planted mistakes. */
async function openPage(name) {
  const { page } = await get(`layer?name=${encodeURIComponent(name)}`);
  $("page-title").textContent = name;
  $("page-text").replaceChildren(...markdown(page));
  $("page").showModal();
}

function* markdown(text) {
  const lines = text.split("\n").slice(1);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    if (line.startsWith("```")) {
      const end = lines.findIndex((other, j) => j > i && other.startsWith("```"));
      const block = element("pre", { tabIndex: 0 }, element("code", {}, lines.slice(i + 1, end).join("\n")));
      yield block;
      i = end;
    } else if (line.startsWith("#")) yield element("h3", {}, line.replace(/^#+ /, ""));
    else if (line.startsWith("|")) {
      let end = i;
      while (lines[end]?.startsWith("|")) end++;
      const rows = lines.slice(i, end).map((row) => row.slice(1, -1).split(" | ").map((cell) => cell.replace(/^ | $/g, "")));
      const body = rows.slice(2).map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, plain(cell)))));
      yield element("table", {}, element("thead", {}, element("tr", {}, ...rows[0].map((cell) => element("th", { scope: "col" }, plain(cell))))), element("tbody", {}, ...body));
      i = end - 1;
    } else if (line.trim()) yield element("p", {}, plain(line));
  }
}

const plain = (text) => text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("`", "").trim();
