// The page: tabs, theme, keys, and the start of everything.

import { show } from "./api.js";
import * as bend from "./bend.js";
import * as controls from "./controls.js";
import * as edit from "./edit.js";
import * as explore from "./explore.js";
import * as invert from "./invert.js";
import * as latents from "./latents.js";
import * as live from "./live.js";
import * as loop from "./loop.js";
import * as mix from "./mix.js";
import * as models from "./models.js";
import * as train from "./train.js";

const $ = (id) => document.getElementById(id);
const PANELS = { explore, mix, loop, invert, edit, bend, live, train, models };
const ALONE = ["train", "models"]; // without the settings of drawing
const names = Object.keys(PANELS);
let current = "";
let ready = false;

function open(name) {
  if (!names.includes(name)) name = "explore";
  if (name === current) return;
  PANELS[current]?.leave?.();
  current = name;
  show("");
  for (const other of names) {
    $(other).hidden = other !== name;
    $(`tab-${other}`).setAttribute("aria-selected", String(other === name));
    $(`tab-${other}`).tabIndex = other === name ? 0 : -1;
  }
  document.body.dataset.tab = name;
  $("settings").hidden = ALONE.includes(name);
  $("layout").classList.toggle("alone", ALONE.includes(name));
  history.replaceState(null, "", `#${name}`);
  if (ready) PANELS[name].enter?.();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const shown = names.filter((name) => !$(`tab-${name}`).hidden);
  const tab = shown.indexOf(event.target.id?.replace("tab-", ""));
  if (event.target.getAttribute?.("role") === "tab" && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const next = shown[(tab + (event.key === "ArrowRight" ? 1 : shown.length - 1)) % shown.length];
    open(next);
    $(`tab-${next}`).focus();
    event.preventDefault();
    return;
  }
  if (current !== "explore" || event.target.closest?.("input, select, button, a, summary")) return;
  if (explore.key(event)) event.preventDefault();
}

function copy(button) {
  const code = $(button.dataset.of);
  navigator.clipboard?.writeText(code.textContent).then(() => {
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  }, () => show("The browser does not allow copying; select the text instead."));
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
theme(localStorage.getItem("stylegan-theme") ?? (dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  localStorage.setItem("stylegan-theme", document.documentElement.dataset.theme);
});
for (const name of names) $(`tab-${name}`).addEventListener("click", () => open(name));
for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
document.addEventListener("keydown", keys);
window.addEventListener("hashchange", () => open(location.hash.slice(1)));
open(location.hash.slice(1) || "explore");

try {
  await controls.start();
  for (const name of names) PANELS[name].start();
  latents.start(loop.addKey, mix.add);
  ready = true;
  controls.changed();
  PANELS[current].enter?.();
  document.body.dataset.ready = "true";
} catch (error) {
  show(`The studio cannot be reached: ${error.message}`);
}
