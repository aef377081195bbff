// Mix: a matrix of row and column seeds, and the layers that come from the columns.

import { Latest, download, post, show } from "./api.js";
import { drawing, onChange, seedsOf, sourceOf, state } from "./controls.js";
import { mixCommand } from "./command.js";

const $ = (id) => document.getElementById(id);
const MOST = 16; // seeds per side

let layers = new Set();
let shape = ""; // of the network for which the buttons were made
let sheet = null;

const latest = new Latest(async (body) => {
  sheet = await (await post("/v1/mix", body)).blob();
  const bitmap = await createImageBitmap(sheet);
  const canvas = $("mix-canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.classList.toggle("pixels", state.card.resolution <= 128);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  canvas.dataset.shown = body.styles;
  bitmap.close();
});

const range = (name) => {
  const [first, end] = state.card.styles[name];
  return Array.from({ length: end - first }, (_, i) => first + i);
};

function buttons() {
  if (shape === `${state.network} ${state.card.num_ws}`) return;
  shape = `${state.network} ${state.card.num_ws}`;
  layers = new Set(range("coarse"));
  $("mix-layers").replaceChildren(...Array.from({ length: state.card.num_ws }, (_, i) => {
    const button = document.createElement("button");
    button.textContent = i;
    button.setAttribute("aria-label", `Layer ${i}`);
    button.addEventListener("click", () => { if (!layers.delete(i)) layers.add(i); refresh(); });
    return button;
  }));
}

function refresh() {
  if ($("mix").hidden) return;
  buttons();
  [...$("mix-layers").children].forEach((button, i) => button.setAttribute("aria-pressed", String(layers.has(i))));
  for (const button of $("mix-ranges").children)
    button.setAttribute("aria-pressed", String(range(button.dataset.range).every((layer) => layers.has(layer))));
  const rows = seedsOf($("mix-rows").value, MOST), cols = seedsOf($("mix-cols").value, MOST);
  if (!rows || !cols) { show(`Seeds are numbers and ranges such as 0-3,7, at most ${MOST} of them.`); return; }
  if (!layers.size) { show("Choose at least one layer."); return; }
  const styles = [...layers].sort((a, b) => a - b).join(",");
  $("mix-command").textContent = mixCommand(drawing(), sourceOf(state.network), rows, cols, styles);
  const { translate, rotate, ...rest } = drawing(); // the command cannot move the images
  latest.ask({ ...rest, rows, cols, styles });
}

export const enter = refresh;

export function start() {
  onChange(refresh);
  for (const id of ["mix-rows", "mix-cols"]) $(id).addEventListener("input", refresh);
  for (const button of $("mix-ranges").children)
    button.addEventListener("click", () => {
      const those = range(button.dataset.range), all = those.every((layer) => layers.has(layer));
      for (const layer of those) if (all) layers.delete(layer); else layers.add(layer);
      refresh();
    });
  $("mix-png").addEventListener("click", () => sheet && download(sheet, "mix.png"));
}
