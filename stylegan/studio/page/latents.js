// Latents that the studio keeps, and the current image: a seed or one of them, in every tab that shows one image.

import { download, get, post, show } from "./api.js";
import { MAX_SEED, asSeed, changed, choose, drawing, onChange, randomSeed, seedsOf, state } from "./controls.js";

const $ = (id) => document.getElementById(id);
let kept = []; // [{id, name, network, url}], the newest last

// The seed or latent of the current image, for a request, a command and a caption.
export const point = () => (state.latent ? state.latent.id : state.seed);
export const pointFile = (one = state.latent ?? state.seed) => (typeof one === "number" ? String(one) : `${one.name}.npz`);
export const pointName = (one = state.latent ?? state.seed) => (typeof one === "number" ? `seed ${one}` : one.name);
export const pointId = (one) => (typeof one === "number" ? one : one.id);

// The part of a request that `stylegan edit`, `drag` and `bend` know.
export function plain() {
  const { network, psi, label } = drawing();
  return { network, psi, label };
}

// Reads "0-3,photo-1" as seeds and latents; null for anything else.
export function pointsOf(text, most) {
  const points = [];
  for (const part of text.split(",")) {
    const latent = kept.find(({ name }) => name === part.trim().replace(/\.npz$/, ""));
    const some = latent ? [latent] : seedsOf(part, most);
    if (!some) return null;
    points.push(...some);
  }
  return points.length <= most ? points : null;
}

export function setSeed(seed) {
  state.latent = null;
  state.seed = asSeed(seed);
  changed();
}

export async function useLatent(id) {
  const latent = kept.find((one) => one.id === id);
  if (!latent) return;
  state.latent = latent;
  if (latent.network === state.network) changed(); else await choose(latent.network);
}

// Reads the list again; the current image becomes the latent of `id`, if one is given.
export async function reload(id = null) {
  const old = new Map(kept.map((one) => [one.id, one.url]));
  const rows = await (await get("/v1/latents")).json();
  kept = await Promise.all(rows.reverse().map(async (row) => ({ ...row, url: old.get(row.id) ?? (await thumbnail(row)) })));
  kept.sort((a, b) => numberOf(a) - numberOf(b));
  for (const [id, url] of old) if (!kept.some((one) => one.id === id)) URL.revokeObjectURL(url);
  if (state.latent && !kept.some((one) => one.id === state.latent.id)) { state.latent = null; changed(); }
  list();
  if (id) await useLatent(id);
}

const numberOf = ({ name }) => Number(name.split("-").at(-1));

async function thumbnail({ id, network }) {
  try {
    return URL.createObjectURL(await (await post("/v1/generate", { network, seeds: [id] })).blob());
  } catch { return ""; }
}

// Keeps an image as a latent: an answer of /v1/edit in JSON.
export async function keep(body, kind = "keep") {
  const row = await (await post(`/v1/edit?format=json&kind=${kind}`, body)).json();
  await reload();
  return kept.find((one) => one.id === row.id);
}

export async function save(latent) {
  download(await (await get(`/v1/latents/${latent.id}`)).blob(), `${latent.name}.npz`);
}

function list() {
  $("latents").replaceChildren(...kept.map((latent) => {
    const button = document.createElement("button"), img = document.createElement("img"), name = document.createElement("span");
    img.src = latent.url;
    img.alt = name.textContent = latent.name;
    name.setAttribute("aria-hidden", "true");
    button.title = `${latent.name}, ${latent.network}`;
    button.setAttribute("aria-pressed", String(state.latent?.id === latent.id));
    button.dataset.id = latent.id;
    button.append(img, name);
    button.addEventListener("click", () => useLatent(latent.id).catch((error) => show(error.message)));
    return button;
  }));
  $("latents-none").hidden = kept.length > 0;
  $("latent-actions").hidden = !state.latent;
}

async function open(file) {
  if (!file) return;
  show("");
  try {
    const response = await fetch(`/v1/latents?network=${encodeURIComponent(state.network)}`,
      { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    await reload(answer[0].id);
  } catch (error) { show(error.message); }
}

// Seed bars: the same controls of the current image in several tabs.
function seedBar(bar) {
  const label = document.createElement("label"), input = document.createElement("input"), chip = document.createElement("span");
  label.className = "inline";
  label.textContent = "Seed ";
  Object.assign(input, { type: "number", min: 0, max: MAX_SEED, step: 1, className: "seed" });
  input.addEventListener("change", () => setSeed(input.value));
  label.append(input);
  const button = (text, name, act, kind = "quiet") => {
    const made = document.createElement("button");
    made.textContent = text;
    made.className = kind;
    if (name) made.setAttribute("aria-label", name);
    made.addEventListener("click", act);
    return made;
  };
  chip.className = "chip";
  bar.append(label, button("←", "Previous seed", () => setSeed(state.seed - 1)), button("→", "Next seed", () => setSeed(state.seed + 1)),
    button("Random", "", () => setSeed(randomSeed()), ""), chip);
  return () => {
    input.value = state.seed;
    chip.hidden = !state.latent;
    chip.textContent = state.latent ? `shows ${state.latent.name}` : "";
  };
}

export function start(addKey, addToMix) {
  const refreshers = [...document.querySelectorAll(".seedbar")].map(seedBar);
  onChange(() => { for (const refresh of refreshers) refresh(); list(); });
  $("latent-file").addEventListener("change", async () => { await open($("latent-file").files[0]); $("latent-file").value = ""; });
  const act = (id, run) => $(id).addEventListener("click", async () => {
    try { if (state.latent) await run(state.latent); } catch (error) { show(error.message); }
  });
  act("latent-loop", (latent) => addKey(latent));
  act("latent-rows", (latent) => addToMix("mix-rows", latent));
  act("latent-cols", (latent) => addToMix("mix-cols", latent));
  act("latent-save", save);
  act("latent-remove", async (latent) => {
    const response = await fetch(`/v1/latents/${latent.id}`, { method: "DELETE" });
    if (!response.ok) throw new Error((await response.json()).error);
    await reload();
  });
  reload().catch(() => {});
}
