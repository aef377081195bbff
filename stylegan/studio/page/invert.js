// Invert: a photo, and the search for the latent that draws it.

import { cancel, follow, get, show, upload } from "./api.js";
import { projectCommand } from "./command.js";
import { drawing, onChange, sourceOf, state } from "./controls.js";
import { reload } from "./latents.js";

const $ = (id) => document.getElementById(id);

let photo = null;
let running = null;

function take(file) {
  if (!file) return;
  photo = file;
  URL.revokeObjectURL($("invert-target").src);
  $("invert-target").src = URL.createObjectURL(file);
  $("figure-target").hidden = false;
  $("invert-start").disabled = false;
  show("");
  refresh();
}

function refresh() {
  const steps = Math.max(1, Math.round(Number($("invert-steps").value) || 1));
  $("invert-command").textContent = projectCommand(
    drawing().label, sourceOf(state.network), photo?.name || "photo.png", $("invert-fit").value, $("invert-space").value, steps);
}

async function showImage(id, path) {
  const blob = await (await get(path)).blob();
  URL.revokeObjectURL($(id).src);
  $(id).src = URL.createObjectURL(blob);
}

async function invert() {
  show("");
  $("invert-start").disabled = true;
  $("invert-facts").replaceChildren();
  $("invert-npz").hidden = $("invert-png").hidden = $("invert-edit").hidden = true;
  const query = new URLSearchParams({ network: state.network, fit: $("invert-fit").value, space: $("invert-space").value, steps: $("invert-steps").value });
  const label = drawing().label;
  if (label !== null) query.set("label", label);
  try {
    running = await (await upload(`/v1/project?${query}`, photo)).json();
    $("invert-cancel").hidden = $("invert-progress").hidden = false;
    await showImage("invert-target", `/v1/jobs/${running.id}/files/target.png`); // the square that is searched for
    const job = await follow(running.id, async (seen) => {
      $("invert-progress").value = seen.step / seen.total;
      $("invert-state").textContent = seen.state === "queued" ? "waiting" : `step ${seen.step} of ${seen.total}`;
      if (!seen.has_preview) return;
      await showImage("invert-image", `/v1/jobs/${seen.id}/preview`);
      $("figure-found").hidden = false;
      for (const id of ["invert-image", "invert-target"]) $(id).classList.toggle("pixels", state.card.resolution <= 128);
    });
    $("invert-state").textContent = job.error ?? job.state;
    if (job.state === "done") {
      for (const [id, name] of [["invert-npz", "projected_w.npz"], ["invert-png", "proj.png"]]) {
        $(id).href = `/v1/jobs/${job.id}/files/${name}`;
        $(id).download = name;
        $(id).hidden = false;
      }
      facts(job.facts);
      await reload(job.facts.latent);
      $("invert-edit").hidden = false;
    }
  } catch (error) { show(error.message); }
  running = null;
  $("invert-cancel").hidden = $("invert-progress").hidden = true;
  $("invert-start").disabled = false;
}

const MEANINGS = {
  psnr: ["PSNR", (value) => `${value} dB`],
  distance: ["Perceptual distance", (value) => `${value} (0 is equal)`],
  typicality: ["Distance from the mean", (value) => `${value} (1 for the network's own images; from 2 on, hard to edit)`],
};

function facts(found) {
  const rows = Object.entries(MEANINGS).filter(([name]) => name in found).flatMap(([name, [title, text]]) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = title;
    dd.textContent = text(found[name]);
    return [dt, dd];
  });
  $("invert-facts").replaceChildren(...rows);
}

export const enter = refresh;

export function start() {
  onChange(refresh);
  for (const id of ["invert-fit", "invert-space", "invert-steps"]) $(id).addEventListener("input", refresh);
  $("photo").addEventListener("change", () => take($("photo").files[0]));
  const drop = $("drop");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files[0]); });
  $("invert-start").addEventListener("click", invert);
  $("invert-edit").addEventListener("click", () => { location.hash = "edit"; });
  $("invert-cancel").addEventListener("click", () => running && cancel(running.id).catch((error) => show(error.message)));
}
