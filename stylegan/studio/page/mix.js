// Mix: a matrix of row and column seeds, and the layers that come from the columns.

import { Latest, download, post, show } from "./api.js";
import { drawing, onChange, sourceOf, state } from "./controls.js";
import { mixCommand } from "./command.js";
import { keep, pointFile, pointId, pointName, pointsOf, reload } from "./latents.js";
import { LayerPicker } from "./layers.js";

const $ = (id) => document.getElementById(id);
const MOST = 16; // seeds per side

let layers;
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

const points = () => ["mix-rows", "mix-cols"].map((id) => pointsOf($(id).value, MOST));

function refresh() {
  if ($("mix").hidden) return;
  layers.fit(state.card);
  const [rows, cols] = points();
  if (!rows || !cols) { show(`Seeds are numbers, ranges and latents such as 0-3,7,photo-1, at most ${MOST} of them.`); return; }
  if (!layers.text) { show("Choose at least one layer."); return; }
  const styles = layers.text;
  $("mix-command").textContent = mixCommand(drawing(), sourceOf(state.network), rows.map((row) => pointFile(row)), cols.map((col) => pointFile(col)), styles);
  for (const [id, those] of [["mix-row", rows], ["mix-col", cols]]) {
    const before = $(id).value;
    $(id).replaceChildren(...those.map((one, i) => new Option(pointName(one), i)));
    if (Number(before) < those.length) $(id).value = before;
    if ($(id).selectedIndex < 0) $(id).selectedIndex = 0;
  }
  const { translate, rotate, ...rest } = drawing(); // the command cannot move the images
  latest.ask({ ...rest, rows: rows.map(pointId), cols: cols.map(pointId), styles });
}

// Adds a latent to the row or column seeds, and shows the matrix.
export function add(id, latent) {
  $(id).value = [$(id).value.trim(), latent.name].filter(Boolean).join(",");
  if ($("mix").hidden) location.hash = "mix"; else refresh();
}

function pick(event) {
  const [rows, cols] = points();
  if (!rows || !cols) return;
  const box = $("mix-canvas").getBoundingClientRect();
  const place = (at, length, count) => Math.floor((at / length) * (count + 1)) - 1; // the first shows the seeds themselves
  const row = place(event.clientY - box.top, box.height, rows.length), col = place(event.clientX - box.left, box.width, cols.length);
  if (row >= 0) $("mix-row").value = row;
  if (col >= 0) $("mix-col").value = col;
}

async function keepCell() {
  const [rows, cols] = points();
  if (!rows || !cols) return;
  try {
    const { translate, rotate, ...rest } = drawing();
    const body = { ...rest, start: pointId(rows[$("mix-row").value]), mix: pointId(cols[$("mix-col").value]), layers: layers.text };
    const latent = await keep(body, "mix");
    await reload(latent.id);
    $("mix-kept").textContent = `Kept as ${latent.name}; it is the current image of Explore, Edit and Bend.`;
  } catch (error) { show(error.message); }
}

export const enter = refresh;

export function start() {
  layers = new LayerPicker($("mix-ranges"), $("mix-layers"), refresh);
  onChange(refresh);
  for (const id of ["mix-rows", "mix-cols"]) $(id).addEventListener("input", refresh);
  $("mix-canvas").addEventListener("click", pick);
  $("mix-keep").addEventListener("click", keepCell);
  $("mix-png").addEventListener("click", () => sheet && download(sheet, "mix.png"));
}
