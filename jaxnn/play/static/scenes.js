// Guided scenes: each loads a config, says what to look at, and offers what to try.

import { element } from "./draw.js";
import { SCENES, TEXTS } from "./texts.js";

const $ = (id) => document.getElementById(id);
let scenes = [];

export function start(list, change) {
  scenes = list;
  $("scene-list").replaceChildren(...scenes.map(({ name }, i) => {
    const button = element("button", { type: "button", ariaPressed: "false" }, `${i + 1} ${SCENES[name].title}`);
    button.addEventListener("click", () => open(i, change));
    return element("li", {}, button);
  }));
}

function open(i, change) {
  const { name, config } = scenes[i];
  const { title, look, tries } = SCENES[name];
  const button = (text, pressed) => {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", pressed);
    return made;
  };
  const leave = button(TEXTS.leave, () => { $("scene").hidden = true; press(-1); $("scene-list").children[i].firstChild.focus(); });
  const next = i + 1 < scenes.length ? [button(TEXTS.next, () => open(i + 1, change))] : [];
  const parts = tries.map(({ text, change: part }) => button(text, () => change({ ...config, ...part })));
  $("scene").replaceChildren(element("h3", {}, title), element("p", {}, look), element("div", { className: "row" }, ...parts, ...next, leave));
  $("scene").hidden = false;
  press(i);
  change(config);
}

function press(chosen) {
  [...$("scene-list").children].forEach((item, i) => item.firstChild.setAttribute("aria-pressed", String(i === chosen)));
}
