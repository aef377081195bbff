// The settings that Explore, Mix and Loop share: the network and how it draws.

import { get, newest, show, download } from "./api.js";

const $ = (id) => document.getElementById(id);
const DEFAULTS = { psi: 0.7, label: null, center: "global", cutoff: null, noise_mode: "const", translate: [0, 0], rotate: 0 };
const PRESETS = "stylegan-presets";
export const MAX_SEED = 4294967295;

// `latent` is a kept latent that is shown instead of the seed: {id, name, network}, or null.
export const state = { network: "", networks: [], card: null, seed: 0, latent: null, ...structuredClone(DEFAULTS) };
const cards = new Map();
const listeners = new Set();

export const onChange = (listener) => listeners.add(listener);
export const changed = () => listeners.forEach((listener) => listener());

// The part of a request that says how to draw, for a network that knows other labels or motions too.
export function drawing(card = state.card) {
  return {
    network: card.name,
    psi: state.psi,
    cutoff: state.cutoff,
    label: card.classes ? (fits(state.label, card) ? state.label : firstLabel(card)) : null,
    center: card.classes ? state.center : "global",
    noise_mode: card.has_noise ? state.noise_mode : "const",
    translate: card.can_move ? state.translate : [0, 0],
    rotate: card.can_move ? state.rotate : 0,
  };
}

export const sourceOf = (name) => state.networks.find((network) => network.name === name)?.source ?? name;

const firstLabel = (card) => (card.label_names ? `${card.label_names[0]}=1` : "0");
function fits(label, card) {
  if (label === null) return false;
  if (card.label_names) return /[=,]/.test(label) || card.label_names.includes(label);
  return Number(label) < card.classes;
}

export async function cardOf(name) {
  if (!cards.has(name)) cards.set(name, await (await get(`/v1/networks/${encodeURIComponent(name)}?layers=false`)).json());
  return cards.get(name);
}

const chosenCard = newest(cardOf);

export async function choose(name) {
  const card = await chosenCard(name);
  if (!card) return;
  state.card = card;
  state.network = name;
  if (state.latent && state.latent.network !== name) state.latent = null;
  if (state.card.classes && !fits(state.label, state.card)) state.label = firstLabel(state.card);
  render();
  changed();
}

export function options(select, rows) {
  select.replaceChildren(...rows.map(([value, text]) => new Option(text, value)));
}

// Reads "0-3,7" as seeds; null for anything else.
export function seedsOf(text, most) {
  const seeds = [];
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?$/.exec(part);
    if (!match) return null;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    if (last < first || last > MAX_SEED || seeds.length + last - first >= most) return null;
    for (let seed = first; seed <= last; seed++) seeds.push(seed);
  }
  return seeds;
}

export const randomSeed = () => Math.floor(Math.random() * 100_000);
export const asSeed = (value) => Math.min(MAX_SEED, Math.max(0, Math.round(Number(value) || 0)));

function render() {
  const card = state.card;
  $("network").value = state.network;
  $("label-row").hidden = $("center-row").hidden = !card.classes;
  $("class").hidden = Boolean(card.label_names);
  $("label").hidden = !card.label_names;
  if (card.classes && !card.label_names) {
    options($("class"), Array.from({ length: card.classes }, (_, i) => [String(i), card.class_names?.[i] ?? String(i)]));
    $("class").value = state.label;
  }
  $("label").value = state.label ?? "";
  $("noise-row").hidden = !card.has_noise;
  $("motion").hidden = !card.can_move;
  $("psi").value = state.psi;
  $("center").value = state.center;
  $("cutoff").value = state.cutoff ?? "";
  $("noise").value = state.noise_mode;
  [$("x").value, $("y").value] = state.translate;
  $("rotate").value = state.rotate;
  values();
}

function values() {
  $("psi-value").textContent = state.psi.toFixed(2);
  $("x-value").textContent = state.translate[0].toFixed(2);
  $("y-value").textContent = state.translate[1].toFixed(2);
  $("rotate-value").textContent = `${state.rotate}°`;
}

function connect(id, event, change) {
  $(id).addEventListener(event, () => { change($(id).value); values(); changed(); });
}

// Networks that a training has left are added while the page is open.
const listing = new Set();
export const onNetworks = (listener) => listing.add(listener);
export async function listNetworks() {
  state.networks = await (await get("/v1/networks")).json();
  const names = state.networks.map(({ name }) => name);
  options($("network"), [...names, ...(state.network && !names.includes(state.network) ? [state.network] : [])].map((name) => [name, name]));
  $("network").value = state.network || names[0];
  listing.forEach((listener) => listener());
}

export async function start() {
  await listNetworks();
  $("network").addEventListener("change", () => choose($("network").value).catch((error) => show(error.message)));
  connect("psi", "input", (value) => { state.psi = Number(value); });
  connect("class", "change", (value) => { state.label = value; });
  connect("label", "change", (value) => { state.label = value.trim() || firstLabel(state.card); });
  connect("center", "change", (value) => { state.center = value; });
  connect("cutoff", "change", (value) => { state.cutoff = value === "" ? null : Math.max(0, Math.round(Number(value))); });
  connect("noise", "change", (value) => { state.noise_mode = value; });
  connect("x", "input", (value) => { state.translate = [Number(value), state.translate[1]]; });
  connect("y", "input", (value) => { state.translate = [state.translate[0], Number(value)]; });
  connect("rotate", "input", (value) => { state.rotate = Number(value); });
  startPresets();
  await choose(state.networks[0].name);
}

// Presets: named settings, kept by the browser. A preset is JSON, and only the values below are taken from it.

const stored = () => { try { return clean(JSON.parse(localStorage.getItem(PRESETS) ?? "{}")); } catch { return {}; } };
const store = (presets) => { localStorage.setItem(PRESETS, JSON.stringify(presets)); listPresets(); };

function listPresets() {
  options($("preset-list"), Object.keys(stored()).sort().map((name) => [name, name]));
}

const number = (value, low, high, otherwise) => (Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise);
const word = (value, known, otherwise) => (known.includes(value) ? value : otherwise);

function clean(presets) {
  const found = {};
  for (const [name, preset] of Object.entries(presets ?? {}).slice(0, 200)) {
    if (typeof preset !== "object" || preset === null) continue;
    found[String(name).slice(0, 60)] = {
      network: String(preset.network ?? "").slice(0, 200),
      seed: asSeed(preset.seed),
      psi: number(preset.psi, -10, 10, DEFAULTS.psi),
      label: typeof preset.label === "string" ? preset.label.slice(0, 2000) : null,
      center: word(preset.center, ["global", "class"], "global"),
      cutoff: Number.isInteger(preset.cutoff) ? number(preset.cutoff, 0, 1000, null) : null,
      noise_mode: word(preset.noise_mode, ["const", "random", "none"], "const"),
      translate: [0, 1].map((i) => number(preset.translate?.[i], -10, 10, 0)),
      rotate: number(preset.rotate, -360, 360, 0),
    };
  }
  return found;
}

function startPresets() {
  listPresets();
  $("preset-save").addEventListener("click", () => {
    const name = $("preset-name").value.trim();
    if (!name) { show("Give the preset a name first."); return; }
    const { network, seed, psi, label, center, cutoff, noise_mode, translate, rotate } = state;
    store({ ...stored(), [name]: { network, seed, psi, label, center, cutoff, noise_mode, translate, rotate } });
    $("preset-list").value = name;
  });
  $("preset-load").addEventListener("click", async () => {
    const preset = stored()[$("preset-list").value];
    if (!preset) return;
    const { network, ...rest } = preset;
    if (!state.networks.some(({ name }) => name === network)) { show(`This studio does not offer the network ${network}.`); return; }
    Object.assign(state, rest, { latent: null });
    await choose(network);
  });
  $("preset-delete").addEventListener("click", () => {
    const presets = stored();
    delete presets[$("preset-list").value];
    store(presets);
  });
  $("preset-export").addEventListener("click", () =>
    download(new Blob([JSON.stringify(stored(), null, 2)], { type: "application/json" }), "presets.json"));
  $("preset-import").addEventListener("change", async () => {
    const file = $("preset-import").files[0];
    if (!file || file.size > 1_000_000) return;
    try { store({ ...stored(), ...clean(JSON.parse(await file.text())) }); } catch { show("This file holds no presets."); }
    $("preset-import").value = "";
  });
}
