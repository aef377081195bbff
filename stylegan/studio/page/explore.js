// Explore: one seed, a walk from seed to seed, a second network for comparison, and a history.

import { Latest, download, post, show } from "./api.js";
import { asSeed, cardOf, changed, choose, drawing, onChange, onNetworks, options, randomSeed, sourceOf, state } from "./controls.js";
import { generateCommand } from "./command.js";
import { keep, point, pointFile, pointName, reload, save as saveLatent } from "./latents.js";
import { addKey } from "./loop.js";

const $ = (id) => document.getElementById(id);
const SLOW = 30, FAST = 60, ENOUGH = 100; // frames per second of a walk; fast if the studio draws ENOUGH
const AHEAD = 24, MOST = 32; // frames to have ready, frames per call
const WIDEST = 16384; // pixels of a strip that every browser decodes
const HISTORY = 24;

let other = null; // the card of the network to compare with
let walk = null;
const history = [];

function paint(canvas, bitmap, left = 0, width = bitmap.width) {
  if (canvas.width !== width || canvas.height !== bitmap.height) { canvas.width = width; canvas.height = bitmap.height; }
  canvas.classList.toggle("pixels", width <= 128);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, bitmap.height);
  context.drawImage(bitmap, left, 0, width, bitmap.height, 0, 0, width, bitmap.height);
}

async function image(card, seed) {
  const response = await post("/v1/generate", { ...drawing(card), seeds: [seed] });
  return response.blob();
}

const latest = new Latest(async () => {
  const seed = point(), latent = state.latent;
  const shown = [[state.card, $("canvas-a")], ...(other && !latent ? [[other, $("canvas-b")]] : [])];
  const blobs = await Promise.all(shown.map(([card]) => image(card, seed)));
  const bitmaps = await Promise.all(blobs.map((blob) => createImageBitmap(blob)));
  bitmaps.forEach((bitmap, i) => { paint(shown[i][1], bitmap); bitmap.close(); });
  $("canvas-a").dataset.shown = `${seed} ${state.psi}`;
  remember(blobs[0], seed, latent);
});

let settled = 0;
function remember(blob, seed, latent) {
  clearTimeout(settled); // a slider that moves leaves one entry
  const entry = { blob, seed, latent, ...structuredClone(drawing()) };
  const key = JSON.stringify(entry); // a Blob is {} in it
  settled = setTimeout(() => {
    if (history[0]?.key === key) return;
    history.unshift({ ...entry, key, url: URL.createObjectURL(entry.blob) });
    for (const old of history.splice(HISTORY)) URL.revokeObjectURL(old.url);
    $("history").replaceChildren(...history.map(thumbnail));
  }, 600);
}

function thumbnail(entry) {
  const button = document.createElement("button"), img = document.createElement("img");
  img.src = entry.url;
  img.alt = button.title = `${entry.latent ? entry.latent.name : `Seed ${entry.seed}`}, psi ${entry.psi}, ${entry.network}`;
  button.append(img);
  button.addEventListener("click", async () => {
    const { latent, psi, cutoff, label, center, noise_mode, translate, rotate } = entry;
    stop();
    const seed = latent ? state.seed : entry.seed;
    Object.assign(state, { seed, latent, psi, cutoff, label: label ?? state.label, center, noise_mode, translate, rotate });
    await choose(entry.network);
  });
  return button;
}

function refresh() {
  $("seed").value = state.seed;
  $("caption-a").textContent = `${state.network}, ${pointName()}`;
  $("figure-b").hidden = !other || Boolean(state.latent); // the latent of one network is nothing to another
  $("caption-b").textContent = other ? `${other.name}, seed ${state.seed}` : "";
  $("explore-command").textContent = generateCommand(drawing(), sourceOf(state.network), pointFile());
  if (walk) walk.restart(); else latest.ask();
}

function goTo(seed) {
  stop();
  state.seed = asSeed(seed);
  state.latent = null;
  changed();
}

// A walk asks for several frames at a time, as one strip, and shows them at a steady rate.
class WalkPlayer {
  constructor(place) {
    this.place = place; // of the next frame to ask for, in seeds
    this.frames = []; // [{bitmap, left, place}, ...] for each canvas
    this.count = 8;
    this.fps = SLOW;
    this.version = 0;
    this.shown = place;
    this.times = [];
    this.running = true;
    this.fill();
    this.next = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  restart() { // other settings: drop what was drawn with the old ones
    this.version++;
    this.frames = [];
    this.place = this.shown;
  }

  async fill() {
    while (this.running) {
      if (this.frames.length >= AHEAD) { await new Promise((done) => setTimeout(done, 15)); continue; }
      const { version, fps, place: start, count } = this, step = Number($("speed").value) / fps;
      this.place = start + step * count;
      const begun = performance.now();
      try {
        const cards = [state.card, ...(other ? [other] : [])];
        const strips = await Promise.all(cards.map(async (card) => {
          const body = { ...drawing(card), start, step, frames: count };
          return createImageBitmap(await (await post("/v1/walk", body)).blob());
        }));
        const seconds = (performance.now() - begun) / 1000;
        this.fps = count / seconds > ENOUGH ? FAST : SLOW;
        const most = Math.min(MOST, Math.floor(WIDEST / state.card.resolution));
        this.count = Math.max(1, Math.min(most, Math.round((count * 0.35) / seconds)));
        if (version !== this.version) continue;
        for (let k = 0; k < count; k++) this.frames.push({ strips, k, count, fps, place: start + k * step });
      } catch (error) {
        this.place = start;
        if (error.status !== 429) { show(error.message); stop(); return; }
        await new Promise((done) => setTimeout(done, 200));
      }
    }
  }

  tick(now) {
    if (!this.running) return;
    if (now >= this.next - 2 && this.frames.length) {
      const { strips, k, count, fps, place } = this.frames.shift();
      strips.forEach((strip, i) => paint($(i ? "canvas-b" : "canvas-a"), strip, (k * strip.width) / count, strip.width / count));
      this.shown = place;
      this.times.push(now);
      this.times = this.times.filter((time) => now - time < 1000);
      this.next = Math.max(this.next + 1000 / fps, now - 1000 / fps);
      if (this.times.length % 10 === 0) $("rate").textContent = `${this.times.length} images/s`;
      $("seed").value = Math.round(place);
    }
    requestAnimationFrame((time) => this.tick(time));
  }
}

function stop() {
  if (!walk) return;
  walk.running = false;
  state.seed = asSeed(walk.shown); // the nearest seed, which a command can draw again
  walk = null;
  $("walk").setAttribute("aria-pressed", "false");
  $("rate").textContent = "";
}

function toggleWalk() {
  if (walk) { stop(); changed(); return; }
  state.latent = null;
  walk = new WalkPlayer(state.seed);
  $("walk").setAttribute("aria-pressed", "true");
}

export function key(event) {
  if (event.key === "ArrowLeft") goTo(state.seed - 1);
  else if (event.key === "ArrowRight") goTo(state.seed + 1);
  else if (event.key === "r") goTo(randomSeed());
  else if (event.key === " ") toggleWalk();
  else return false;
  return true;
}

export function leave() { if (walk) { stop(); changed(); } }

export function start() {
  onChange(refresh);
  $("seed").addEventListener("change", () => goTo($("seed").value));
  $("seed-back").addEventListener("click", () => goTo(state.seed - 1));
  $("seed-next").addEventListener("click", () => goTo(state.seed + 1));
  $("seed-random").addEventListener("click", () => goTo(randomSeed()));
  $("walk").addEventListener("click", toggleWalk);
  $("speed").addEventListener("input", () => walk?.restart());
  const others = () => {
    options($("compare"), [["", "nothing"], ...state.networks.map(({ name }) => [name, name])]);
    if (other && !state.networks.some(({ name }) => name === other.name)) { other = null; changed(); }
    $("compare").value = other?.name ?? "";
  };
  others();
  onNetworks(others);
  $("compare").addEventListener("change", async () => {
    try { other = $("compare").value ? await cardOf($("compare").value) : null; changed(); } catch (error) { show(error.message); }
  });
  $("explore-png").addEventListener("click", () => save("png"));
  $("explore-npz").addEventListener("click", () => save("npz"));
  $("to-loop").addEventListener("click", () => addKey(state.latent ?? state.seed));
  $("to-edit").addEventListener("click", () => { stop(); location.hash = "edit"; });
  $("explore-keep").addEventListener("click", async () => {
    try {
      const { translate, rotate, ...rest } = drawing(); // a latent holds no shift
      const latent = await keep({ ...rest, start: point() });
      await reload(latent.id);
    } catch (error) { show(error.message); }
  });
}

async function save(format) {
  try {
    if (state.latent && format === "npz") { await saveLatent(state.latent); return; }
    const response = await post(`/v1/generate?format=${format}`, { ...drawing(), seeds: [point()] });
    const name = state.latent ? state.latent.name : `seed${String(state.seed).padStart(4, "0")}`;
    download(await response.blob(), `${name}.${format}`);
  } catch (error) { show(error.message); }
}
