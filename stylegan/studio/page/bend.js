// Bend: the feature maps of a layer, seen and changed, and two networks blended.

import { Latest, download, post, show } from "./api.js";
import { bendCommand } from "./command.js";
import { cardOf, onChange, options, listNetworks, sourceOf, state } from "./controls.js";
import { plain, point, pointFile, pointName } from "./latents.js";
import { LayerPicker } from "./layers.js";

const $ = (id) => document.getElementById(id);
const PAGE = 64; // feature maps at a time
const NEUTRAL = { x: 0, y: 0, turn: 0, zoom: 1, multiply: 1, noise: 0 };
const SLIDERS = [ // name, title, and how a slider's place becomes a value
  ["x", "Shift right", -0.5, 0.5, 0.01, (v) => v, (v) => v, (v) => v.toFixed(2)],
  ["y", "Shift down", -0.5, 0.5, 0.01, (v) => v, (v) => v, (v) => v.toFixed(2)],
  ["turn", "Turn", -180, 180, 1, (v) => v, (v) => v, (v) => `${v}°`],
  ["zoom", "Scale", -2, 2, 0.02, (v) => Number((2 ** v).toFixed(3)), Math.log2, (v) => `× ${v.toFixed(2)}`],
  ["multiply", "Multiply", -4, 4, 0.05, (v) => v, (v) => v, (v) => `× ${v.toFixed(2)}`],
  ["noise", "Noise", 0, 4, 0.05, (v) => v, (v) => v, (v) => v.toFixed(2)],
];

let bends = new Map(); // layer -> {channels: [...] or null, x, ...}
let layer = ""; // whose maps are shown
let first = 0; // channel of the first map that is shown
let fitted = ""; // the network that the choices were made for
let layers;

const blank = () => ({ channels: null, seed: 0, ...NEUTRAL });
const current = () => bends.get(layer) ?? blank();
const isNeutral = (bend) => Object.entries(NEUTRAL).every(([name, value]) => bend[name] === value);
const active = () => [...bends].filter(([, bend]) => !isNeutral(bend)).map(([name, bend]) => ({ layer: name, ...bend }));

function blend() {
  const network = $("blend-network").value, alpha = Number($("blend-alpha").value);
  if (!network || !alpha || !layers.text) return null;
  return { network, alpha, layers: layers.all ? null : layers.text };
}

const latest = new Latest(async (body) => {
  const bitmap = await createImageBitmap(await (await post("/v1/bend", body)).blob());
  const canvas = $("bend-canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.classList.toggle("pixels", bitmap.width <= 128);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.dataset.shown = JSON.stringify([body.seeds[0], body.bends, body.blend]);
});

const maps = new Latest(async (body, columns) => {
  const bitmap = await createImageBitmap(await (await post(`/v1/features?columns=${columns}`, body)).blob());
  const size = bitmap.width / columns, tiles = $("bend-maps").children;
  for (let i = 0; i < tiles.length; i++) {
    const canvas = tiles[i].firstChild;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(bitmap, (i % columns) * size, Math.floor(i / columns) * size, size, size, 0, 0, size, size);
  }
  bitmap.close();
  $("bend-maps").dataset.shown = `${body.layer} ${body.first}`;
});

function refresh() {
  if ($("bend").hidden) return;
  const none = !state.card.bendable.length;
  $("bend-none").hidden = !none;
  $("bend-fields").hidden = none;
  const body = { ...plain(), seeds: [point()], bends: active(), blend: blend() };
  $("bend-caption").textContent = `${state.network}, ${pointName()}`;
  $("bend-command").textContent = bendCommand(plain(), sourceOf(state.network), pointFile(), body.bends.length > 0,
    body.blend && { ...body.blend, source: sourceOf(body.blend.network) });
  $("blend-save").disabled = !body.blend;
  $("blend-value").textContent = Number($("blend-alpha").value).toFixed(2);
  chips();
  latest.ask(body);
  if (!none) {
    const { seeds, ...rest } = body, shown = state.card.bendable.find(({ name }) => name === layer);
    maps.ask({ ...rest, seed: seeds[0], layer, first, count: PAGE }, Math.min(8, shown.channels));
  }
}

// The list of layers that are bent.
function chips() {
  $("bend-list").replaceChildren(...active().map((bend) => {
    const chip = document.createElement("span"), name = document.createElement("button"), remove = document.createElement("button");
    chip.className = "chip";
    name.textContent = bend.channels ? `${bend.layer} (${bend.channels.length})` : bend.layer;
    name.setAttribute("aria-label", `Show ${bend.layer}`);
    name.addEventListener("click", () => choose(bend.layer));
    remove.textContent = "✕";
    remove.setAttribute("aria-label", `Remove the bend of ${bend.layer}`);
    remove.addEventListener("click", () => { bends.delete(bend.layer); choose(layer); });
    chip.append(name, remove);
    return chip;
  }));
  $("bend-clear").hidden = !bends.size;
}

// Shows a layer: its maps as buttons, and its bend in the sliders.
function choose(name) {
  if (name !== layer) first = 0;
  layer = name;
  $("bend-layer").value = name;
  const { channels } = state.card.bendable.find((one) => one.name === name);
  const count = Math.min(PAGE, channels - first);
  if ($("bend-maps").children.length !== count || $("bend-maps").dataset.first !== `${name} ${first}`) {
    $("bend-maps").dataset.first = `${name} ${first}`;
    $("bend-maps").replaceChildren(...Array.from({ length: count }, (_, i) => {
      const button = document.createElement("button"), canvas = document.createElement("canvas");
      canvas.width = canvas.height = 8;
      canvas.setAttribute("aria-label", `Feature map ${first + i}`);
      button.title = `Channel ${first + i}`;
      button.setAttribute("aria-label", `Channel ${first + i}`);
      button.append(canvas);
      button.addEventListener("click", () => toggle(first + i));
      return button;
    }));
  }
  $("bend-pages").hidden = channels <= PAGE;
  $("bend-page").textContent = `${first}–${first + count - 1} of ${channels}`;
  mark();
  refresh();
}

function mark() {
  const bend = current();
  [...$("bend-maps").children].forEach((tile, i) => tile.setAttribute("aria-pressed", String(bend.channels?.includes(first + i) ?? false)));
  $("bend-channels").textContent = bend.channels ? `${bend.channels.length} chosen: only these change` : "none chosen: all change";
  $("bend-all").hidden = !bend.channels;
  for (const [name, , , , , , place, text] of SLIDERS) {
    $(`bend-${name}`).value = place(bend[name]);
    $(`bend-${name}-value`).textContent = text(bend[name]);
  }
}

function change(values) {
  bends.set(layer, { ...current(), ...values });
  mark();
  refresh();
}

function toggle(channel) {
  const chosen = new Set(current().channels ?? []);
  if (!chosen.delete(channel)) chosen.add(channel);
  change({ channels: chosen.size ? [...chosen].sort((a, b) => a - b) : null });
}

// A bend of a random layer, for those who want to be surprised.
function surprise() {
  const some = state.card.bendable[Math.floor(Math.random() * state.card.bendable.length)];
  const [name, , low, high, , value] = SLIDERS[Math.floor(Math.random() * SLIDERS.length)];
  const channels = Array.from({ length: some.channels }, (_, i) => i).filter(() => Math.random() < 0.4);
  bends.set(some.name, { ...blank(), channels: channels.length ? channels : null, seed: Math.floor(Math.random() * 1000),
    [name]: value(Number((low + (high - low) * Math.random()).toFixed(2))) });
  choose(some.name);
}

function saveBends() {
  const content = { format: 1, bends: active() };
  download(new Blob([`${JSON.stringify(content, null, 2)}\n`], { type: "application/json" }), "bends.json");
}

async function openBends(file) {
  if (!file || file.size > 1_000_000) return;
  try {
    const content = JSON.parse(await file.text());
    if (content.format !== 1 || !Array.isArray(content.bends)) throw new Error();
    const known = new Map(state.card.bendable.map((one) => [one.name, one.channels]));
    const found = new Map();
    for (const row of content.bends) {
      if (!known.has(row.layer)) { show(`This network has no layer ${String(row.layer).slice(0, 40)}.`); return; }
      const bend = blank();
      for (const name of [...Object.keys(NEUTRAL), "seed"]) if (Number.isFinite(row[name])) bend[name] = row[name];
      const channels = Array.isArray(row.channels) ? row.channels.filter((c) => Number.isInteger(c) && c >= 0 && c < known.get(row.layer)) : [];
      bend.channels = channels.length ? channels : null;
      found.set(row.layer, bend);
    }
    bends = found;
    show("");
    choose([...found.keys()][0] ?? layer);
  } catch { show("This file holds no bends."); }
}

async function saveBlend() {
  try {
    const other = blend();
    const { name } = await (await post("/v1/blend", { network: state.network, blend: other, name: `${state.network}-blend`.slice(-60) })).json();
    await listNetworks();
    $("blend-state").textContent = `Added as ${name}; download it in Models.`;
  } catch (error) { show(error.message); }
}

// Networks of the same architecture and size can be blended.
async function partners() {
  const rows = [["", "no other network"]];
  for (const { name } of state.networks) {
    if (name === state.network) continue;
    try {
      const card = await cardOf(name);
      if (["architecture", "resolution", "num_ws", "w_dim", "channels"].every((key) => card[key] === state.card[key])) rows.push([name, name]);
    } catch { /* a network that cannot be opened is no partner */ }
  }
  const before = $("blend-network").value;
  options($("blend-network"), rows);
  if (rows.some(([name]) => name === before)) $("blend-network").value = before;
  $("blend-none").hidden = rows.length > 1;
}

export async function enter() {
  if (fitted !== state.network) {
    fitted = state.network;
    const names = state.card.bendable.map(({ name }) => name);
    if ([...bends.keys()].some((name) => !names.includes(name))) bends = new Map();
    options($("bend-layer"), state.card.bendable.map(({ name, size, channels }) => [name, `${name}: ${size} px, ${channels} maps`]));
    layer = names.includes(layer) ? layer : (names[Math.min(2, names.length - 1)] ?? "");
  }
  layers.fit(state.card);
  if (layer) choose(layer); else refresh();
  await partners();
}

export function start() {
  layers = new LayerPicker($("blend-ranges"), $("blend-layers"), refresh, "all");
  for (const [name, title, low, high, step, value] of SLIDERS) {
    const label = document.createElement("label"), shown = document.createElement("span"), input = document.createElement("input");
    label.textContent = `${title} `;
    shown.className = "value";
    shown.id = `bend-${name}-value`;
    Object.assign(input, { type: "range", id: `bend-${name}`, min: low, max: high, step });
    input.setAttribute("list", name === "multiply" ? "one-mark" : "zero-mark");
    input.addEventListener("input", () => change({ [name]: value(Number(input.value)) }));
    input.addEventListener("dblclick", () => change({ [name]: NEUTRAL[name] }));
    label.append(shown, input);
    $("bend-sliders").append(label);
  }
  onChange(() => { if (!$("bend").hidden) enter(); });
  $("bend-layer").addEventListener("change", () => choose($("bend-layer").value));
  $("bend-all").addEventListener("click", () => change({ channels: null }));
  for (const [id, step] of [["bend-before", -PAGE], ["bend-after", PAGE]])
    $(id).addEventListener("click", () => {
      const { channels } = state.card.bendable.find(({ name }) => name === layer), next = first + step;
      if (next < 0 || next >= channels) return;
      first = next;
      choose(layer);
    });
  $("bend-neutral").addEventListener("click", () => { bends.delete(layer); choose(layer); });
  $("bend-clear").addEventListener("click", () => { bends = new Map(); choose(layer); });
  $("bend-surprise").addEventListener("click", surprise);
  $("bend-save").addEventListener("click", saveBends);
  $("bend-file").addEventListener("change", async () => { await openBends($("bend-file").files[0]); $("bend-file").value = ""; });
  $("bend-png").addEventListener("click", async () => {
    try { download(await (await post("/v1/bend", { ...plain(), seeds: [point()], bends: active(), blend: blend() })).blob(), "bent.png"); }
    catch (error) { show(error.message); }
  });
  for (const id of ["blend-network", "blend-alpha"]) $(id).addEventListener("input", refresh);
  $("blend-save").addEventListener("click", saveBlend);
}
