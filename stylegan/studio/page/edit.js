// Edit: the current image moved along directions, with some styles of another one, and its points dragged.

import { Latest, cancel, download, follow, get, newest, post, show, upload } from "./api.js";
import { editCommand } from "./command.js";
import { onChange, options, randomSeed, sourceOf, state } from "./controls.js";
import { DragCanvas } from "./drag.js";
import { keep, plain, point, pointFile, pointId, pointName, pointsOf, reload, save } from "./latents.js";
import { LayerPicker } from "./layers.js";

const $ = (id) => document.getElementById(id);
const RANGE = 4; // of a slider, in standard deviations
const PREVIEW_MS = 300;

let directions = []; // of the network: [{name, file, method, note}]
let shownFor = ""; // the network that they belong to
const strengths = new Map(); // key of a direction -> standard deviations
let layers, drag;
let original = false; // shows the image without edits while a button is held
let running = null;

const keyOf = ({ name, file }) => `${file ?? ""}/${name}`;

function moves() {
  return directions.filter((one) => strengths.get(keyOf(one))).map(({ name, file }) => ({ name, file, strength: strengths.get(keyOf({ name, file })) }));
}

const mixPoint = () => ($("edit-mix-on").checked ? pointsOf($("edit-mix").value, 1)?.[0] ?? null : null);
const isEdited = () => moves().length > 0 || mixPoint() !== null;

function request() {
  const mix = mixPoint();
  return {
    ...plain(), start: point(), directions: moves(),
    mix: mix === null ? null : pointId(mix), layers: mix === null ? null : layers.text,
  };
}

const latest = new Latest(async (body) => {
  const bitmap = await createImageBitmap(await (await post("/v1/edit", body)).blob());
  drag.paint(bitmap);
  $("edit-canvas").dataset.shown = JSON.stringify([body.start, body.psi, body.directions.map((one) => one.strength), body.mix]);
});

function refresh() {
  if ($("edit").hidden) return;
  layers.fit(state.card);
  const body = request();
  drag.resize(state.card.resolution);
  $("edit-caption").textContent = `${state.network}, ${pointName()}${isEdited() && !original ? ", edited" : ""}`;
  const mix = mixPoint();
  $("edit-mix-fields").hidden = !$("edit-mix-on").checked;
  if ($("edit-mix-on").checked && mix === null) { show("Name one seed or latent to take styles from, such as 7 or photo-1."); return; }
  if (mix !== null && !layers.text) { show("Choose at least one layer to take from the other image."); return; }
  const named = directions.filter((one) => strengths.get(keyOf(one)))
    .map((one) => `${one.file ? "directions.npz:" : ""}${one.name}=${strengths.get(keyOf(one))}`);
  $("edit-command").textContent = editCommand(plain(), sourceOf(state.network), pointFile(), named, mix === null ? null : pointFile(mix), layers.text);
  refreshDragCommand();
  if (running) return;
  latest.ask(original ? { ...plain(), start: point() } : body);
}

function refreshDragCommand() {
  const name = state.latent ? state.latent.name : `seed${String(state.seed).padStart(4, "0")}`;
  const start = isEdited() ? `out/${name}-edited.npz` : pointFile(); // what the command above writes
  $("drag-command").textContent = drag.command(plain(), sourceOf(state.network), start, $("drag-method").value, Number($("drag-steps").value) || 1);
  $("drag-command").parentElement.hidden = !drag.points.length;
  $("drag-start").disabled = !drag.points.length || Boolean(running);
}

// Directions

const directionsOf = newest(async (network) => (await get(`/v1/networks/${encodeURIComponent(network)}/directions`)).json());

async function load() {
  shownFor = state.network;
  const found = await directionsOf(state.network);
  if (!found) return;
  directions = found;
  const known = new Set(directions.map(keyOf));
  for (const key of strengths.keys()) if (!known.has(key)) strengths.delete(key);
  $("directions").replaceChildren(...directions.map(slider));
  $("directions-none").hidden = directions.length > 0;
  const files = [...new Set(directions.map(({ file }) => file).filter(Boolean))];
  $("directions-files").replaceChildren(...files.map((file, i) => {
    const link = document.createElement("a");
    link.href = `/v1/directions/${file}`;
    link.download = "directions.npz";
    link.className = "button quiet";
    link.textContent = files.length > 1 ? `Download directions ${i + 1}` : "Download directions";
    return link;
  }));
  $("directions").dataset.shown = state.network;
}

function slider(direction) {
  const label = document.createElement("label"), value = document.createElement("span"), input = document.createElement("input");
  value.className = "value";
  label.textContent = `${direction.name.replaceAll("_", " ")} `;
  label.title = [direction.method, direction.note].filter(Boolean).join(": ");
  Object.assign(input, { type: "range", min: -RANGE, max: RANGE, step: 0.1, value: strengths.get(keyOf(direction)) ?? 0 });
  input.setAttribute("list", "zero-mark");
  input.dataset.direction = direction.name;
  const text = () => { value.textContent = Number(input.value).toFixed(1); label.classList.toggle("moved", Number(input.value) !== 0); };
  input.addEventListener("input", () => { strengths.set(keyOf(direction), Number(input.value)); text(); refresh(); });
  input.addEventListener("dblclick", () => { input.value = 0; input.dispatchEvent(new Event("input")); });
  text();
  label.append(value, input);
  return label;
}

function reset() {
  strengths.clear();
  $("edit-mix-on").checked = false;
  $("directions").replaceChildren(...directions.map(slider));
}

async function find() {
  $("find-start").disabled = true;
  $("find-state").textContent = "searching";
  try {
    const { network, label } = plain(), chosen = $("find-layers").value;
    const body = { network, label, method: $("find-method").value, count: Math.min(64, Math.max(1, Number($("find-count").value) || 8)), layers: chosen || null };
    const job = await follow((await (await post("/v1/find", body)).json()).id, () => {});
    if (job.error) throw new Error(job.error);
    await load();
    $("find-state").textContent = "";
  } catch (error) { $("find-state").textContent = ""; show(error.message); }
  $("find-start").disabled = false;
  refresh();
}

async function openDirections(file) {
  if (!file) return;
  show("");
  try {
    await upload(`/v1/directions?network=${encodeURIComponent(state.network)}`, file);
    await load();
    refresh();
  } catch (error) { show(error.message); }
}

// Dragging

async function startDrag() {
  show("");
  try {
    const start = isEdited() ? (await keep(request(), "edit")).id : point();
    const body = {
      ...plain(), start, points: drag.pairs(), mask: drag.maskText(), method: $("drag-method").value,
      steps: Math.max(1, Math.min(2000, Math.round(Number($("drag-steps").value) || 1))),
    };
    running = await (await post("/v1/drag", body)).json();
    refreshDragCommand();
    $("drag-cancel").hidden = $("drag-progress").hidden = false;
    let last = 0;
    const job = await follow(running.id, async (seen) => {
      $("drag-progress").value = seen.step / seen.total;
      $("drag-state").textContent = seen.state === "queued" ? "waiting" : `step ${seen.step}`;
      drag.track(seen.facts.points ?? null);
      if (!seen.has_preview || performance.now() - last < PREVIEW_MS) return;
      last = performance.now();
      drag.paint(await createImageBitmap(await (await get(`/v1/jobs/${seen.id}/preview`)).blob()));
    });
    running = null;
    drag.track(null);
    $("drag-state").textContent = job.error ?? (job.state === "done"
      ? `${job.step} steps: ${job.facts.before} to ${job.facts.after} pixels from the targets` : job.state);
    if (job.state === "done") {
      drag.clearPoints();
      reset();
      await reload(job.facts.latent);
      $("edit-canvas").dataset.dragged = job.facts.latent;
    }
  } catch (error) { running = null; show(error.message); }
  $("drag-cancel").hidden = $("drag-progress").hidden = true;
  refresh();
}

async function keepEdit() {
  try {
    const latent = await keep(request());
    reset();
    await reload(latent.id);
    return latent;
  } catch (error) { show(error.message); return null; }
}

export async function enter() {
  if (shownFor !== state.network) await load().catch((error) => show(error.message));
  refresh();
}

export function start() {
  layers = new LayerPicker($("edit-ranges"), $("edit-layers"), () => refresh(), "fine");
  drag = new DragCanvas($("edit-canvas"), $("edit-overlay"), $("drag-points"), () => refreshDragCommand());
  onChange(() => { if (!$("edit").hidden) enter(); });
  $("edit-mix").value = randomSeed() % 1000;
  for (const id of ["edit-mix-on", "edit-mix"]) $(id).addEventListener("input", refresh);
  for (const id of ["drag-method", "drag-steps"]) $(id).addEventListener("input", refreshDragCommand);
  $("edit-reset").addEventListener("click", () => { reset(); refresh(); });
  const hold = (value) => () => { if (original !== value) { original = value; refresh(); } };
  for (const [event, value] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false], ["keydown", true], ["keyup", false], ["blur", false]])
    $("edit-original").addEventListener(event, (pressed) => { if (!pressed.key || [" ", "Enter"].includes(pressed.key)) hold(value)(); });
  $("edit-keep").addEventListener("click", keepEdit);
  $("edit-npz").addEventListener("click", async () => {
    try { if (isEdited()) { const latent = await keepEdit(); if (latent) await save(latent); }
      else if (state.latent) await save(state.latent);
      else { const latent = await keepEdit(); if (latent) await save(latent); }
    } catch (error) { show(error.message); }
  });
  $("edit-png").addEventListener("click", async () => {
    try { download(await (await post("/v1/edit", request())).blob(), "edited.png"); } catch (error) { show(error.message); }
  });
  $("find-start").addEventListener("click", find);
  $("directions-file").addEventListener("change", async () => { await openDirections($("directions-file").files[0]); $("directions-file").value = ""; });
  $("drag-start").addEventListener("click", startDrag);
  $("drag-cancel").addEventListener("click", () => running && cancel(running.id).catch((error) => show(error.message)));
  for (const mode of ["points", "mask"]) $(`drag-mode-${mode}`).addEventListener("click", () => setMode(mode));
  $("drag-clear").addEventListener("click", () => drag.clearPoints());
  $("mask-clear").addEventListener("click", () => { drag.clearMask(); refreshDragCommand(); });
  $("mask-save").addEventListener("click", async () => { const blob = await drag.maskBlob(); if (blob) download(blob, "mask.png"); });
  $("mask-brush").addEventListener("input", () => { drag.brush = Number($("mask-brush").value); });
  $("drag-box").addEventListener("toggle", () => { drag.active = $("drag-box").open; drag.draw(); });
  options($("find-layers"), [["", "all layers"], ["coarse", "coarse"], ["middle", "middle"], ["fine", "fine"]]);
  setMode("points");
}

function setMode(mode) {
  drag.mode = mode;
  for (const other of ["points", "mask"]) $(`drag-mode-${other}`).setAttribute("aria-pressed", String(other === mode));
  $("mask-fields").hidden = mode !== "mask";
}
