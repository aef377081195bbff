// Loop: key frames, and the seamless loop through them as a file.

import { cancel, follow, get, post, show, upload } from "./api.js";
import { asSeed, drawing, onChange, randomSeed, sourceOf, state } from "./controls.js";
import { loopCommand, songCommand } from "./command.js";
import { pointFile, pointId, pointName } from "./latents.js";

const $ = (id) => document.getElementById(id);
const MOST = 64;

const keys = [0, 1, 2, 3]; // seeds, and kept latents
let running = null;
let song = null;
let version = 0;

export function addKey(point) {
  if (keys.length >= MOST) { show(`A loop has at most ${MOST} key frames.`); return; }
  keys.push(point);
  show("");
  refresh();
}

function request() {
  return {
    seeds: keys.map(pointId),
    frames: Math.max(1, Math.round(Number($("loop-frames").value) || 1)),
    fps: Number($("loop-fps").value) || 30,
    space: $("loop-space").value,
    easing: $("loop-easing").value,
    format: $("loop-format").value,
  };
}

// The images of the key frames, all in one call.
async function refresh() {
  if ($("loop").hidden) return;
  ready();
  const mine = ++version;
  try {
    const { translate, rotate, ...rest } = drawing();
    const found = keys.length ? await (await post("/v1/generate?format=json", { ...rest, seeds: keys.map(pointId) })).json() : { images: [] };
    if (mine === version) $("loop-keys").replaceChildren(...found.images.map(({ png }, i) => keyFrame(`data:image/png;base64,${png}`, i)));
  } catch (error) { show(error.message); }
}

function keyFrame(url, i) {
  const box = document.createElement("div"), img = document.createElement("img"), row = document.createElement("div");
  box.className = "key";
  row.className = "row";
  img.src = url;
  img.alt = `Key frame ${i + 1}, ${pointName(keys[i])}`;
  const name = document.createElement("span");
  name.textContent = keys[i].name ?? keys[i];
  const button = (text, label, act) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.setAttribute("aria-label", `${label} key frame ${i + 1}`);
    made.addEventListener("click", () => { act(); refresh(); });
    row.append(made);
  };
  const swap = (j) => { if (j >= 0 && j < keys.length) [keys[i], keys[j]] = [keys[j], keys[i]]; };
  button("←", "Move to the left:", () => swap(i - 1));
  button("→", "Move to the right:", () => swap(i + 1));
  button("✕", "Remove", () => keys.splice(i, 1));
  box.append(img, name, row);
  return box;
}

function ready() {
  const wanted = { ...request(), seeds: keys.map((key) => pointFile(key)) }, odd = wanted.space === "circle" && keys.length % 2;
  $("loop-command").textContent = song && $("loop-song").open
    ? songCommand(drawing(), sourceOf(state.network), { ...wanted, ...songSettings(), file: song.name })
    : loopCommand(drawing(), sourceOf(state.network), wanted);
  $("loop-easing").disabled = wanted.space === "circle";
  $("loop-start").disabled = Boolean(running) || keys.length < 2 || odd;
  $("loop-state").textContent = odd ? "A noise loop needs an even number of key frames." : $("loop-state").textContent.replace(/^A noise.*/, "");
  $("song-start").disabled = Boolean(running) || keys.length < 2 || !song || keys.some((key) => typeof key !== "number"); // seeds only
}

const songSettings = () => ({ drive: Number($("song-drive").value), pulse: Number($("song-pulse").value) });

async function makeLoop() {
  const { translate, rotate, ...rest } = drawing(), wanted = request();
  await make(() => post("/v1/interpolate", { ...rest, ...wanted }), wanted.fps);
}

async function makeSong() {
  const { network, psi, label } = drawing(), { seeds, fps } = request();
  const query = new URLSearchParams({ network, psi, seeds: seeds.join(), fps: Math.min(fps, 60), ...songSettings() });
  if (label !== null) query.set("label", label);
  await make(() => upload(`/v1/song?${query}`, song), Math.min(fps, 60));
}

async function make(call, fps) {
  show("");
  $("loop-start").disabled = $("song-start").disabled = true;
  try {
    running = await (await call()).json();
    $("loop-cancel").hidden = $("loop-progress").hidden = false;
    const job = await follow(running.id, (seen) => {
      $("loop-progress").value = seen.step / seen.total;
      $("loop-state").textContent = `${seen.step} of ${seen.total} images`;
    });
    $("loop-state").textContent = job.state === "done" ? `${job.total} images, ${(job.total / fps).toFixed(1)} s` : (job.error ?? job.state);
    if (job.state === "done") await present(job);
  } catch (error) { show(error.message); }
  running = null;
  $("loop-cancel").hidden = $("loop-progress").hidden = true;
  ready();
}

async function present(job) {
  const name = job.files[0], video = name.endsWith(".mp4"), shown = video ? $("loop-video") : $("loop-image");
  const blob = await (await get(`/v1/jobs/${job.id}/files/${name}`)).blob();
  URL.revokeObjectURL($("loop-download").href);
  shown.src = $("loop-download").href = URL.createObjectURL(blob);
  $("loop-image").classList.toggle("pixels", state.card.resolution <= 128);
  $("loop-download").download = name;
  $("loop-image").hidden = video;
  $("loop-video").hidden = !video;
  $("loop-download").hidden = false;
}

export const enter = refresh;

export function start() {
  onChange(refresh);
  for (const id of ["loop-frames", "loop-fps", "loop-space", "loop-easing", "loop-format", "song-drive", "song-pulse"]) $(id).addEventListener("change", refresh);
  $("loop-song").addEventListener("toggle", ready);
  $("song-file").addEventListener("change", () => {
    song = $("song-file").files[0] ?? song;
    $("song-name").textContent = song?.name ?? "";
    ready();
  });
  $("song-start").addEventListener("click", makeSong);
  $("loop-add").addEventListener("click", () => addKey(asSeed($("loop-seed").value)));
  $("loop-random").addEventListener("click", () => addKey(randomSeed()));
  $("loop-start").addEventListener("click", makeLoop);
  $("loop-cancel").addEventListener("click", () => running && cancel(running.id).catch((error) => show(error.message)));
}
