// Loop: key frames, and the seamless loop through them as a file.

import { cancel, follow, get, post, show } from "./api.js";
import { asSeed, drawing, onChange, randomSeed, sourceOf, state } from "./controls.js";
import { loopCommand } from "./command.js";
import { pointFile, pointId, pointName } from "./latents.js";

const $ = (id) => document.getElementById(id);
const MOST = 64;

const keys = [0, 1, 2, 3]; // seeds, and kept latents
let running = null;
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
    format: $("loop-format").value,
  };
}

// The images of the key frames, all in one call.
async function refresh() {
  if ($("loop").hidden) return;
  $("loop-command").textContent = loopCommand(drawing(), sourceOf(state.network), { ...request(), seeds: keys.map((key) => pointFile(key)) });
  $("loop-start").disabled = keys.length < 2;
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

async function make() {
  show("");
  $("loop-start").disabled = true;
  try {
    const { translate, rotate, ...rest } = drawing(), wanted = request();
    running = await (await post("/v1/interpolate", { ...rest, ...wanted })).json();
    $("loop-cancel").hidden = $("loop-progress").hidden = false;
    const job = await follow(running.id, (seen) => {
      $("loop-progress").value = seen.step / seen.total;
      $("loop-state").textContent = `${seen.step} of ${seen.total} images`;
    });
    $("loop-state").textContent = job.state === "done" ? `${job.total} images, ${(job.total / wanted.fps).toFixed(1)} s` : (job.error ?? job.state);
    if (job.state === "done") {
      const name = job.files[0];
      const blob = await (await get(`/v1/jobs/${job.id}/files/${name}`)).blob();
      URL.revokeObjectURL($("loop-image").src);
      $("loop-image").src = $("loop-download").href = URL.createObjectURL(blob);
      $("loop-image").classList.toggle("pixels", state.card.resolution <= 128);
      $("loop-download").download = name;
      $("loop-image").hidden = $("loop-download").hidden = false;
    }
  } catch (error) { show(error.message); }
  running = null;
  $("loop-cancel").hidden = $("loop-progress").hidden = true;
  $("loop-start").disabled = keys.length < 2;
}

export const enter = refresh;

export function start() {
  onChange(refresh);
  for (const id of ["loop-frames", "loop-fps", "loop-space", "loop-format"]) $(id).addEventListener("change", refresh);
  $("loop-add").addEventListener("click", () => addKey(asSeed($("loop-seed").value)));
  $("loop-random").addEventListener("click", () => addKey(randomSeed()));
  $("loop-start").addEventListener("click", make);
  $("loop-cancel").addEventListener("click", () => running && cancel(running.id).catch((error) => show(error.message)));
}
