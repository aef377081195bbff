// Train: images, a plan, and one training that can be watched, stopped and resumed.

import { follow, get, newest, post, remove, show, sleep, upload } from "./api.js";
import { choose, listNetworks, options, state } from "./controls.js";

const $ = (id) => document.getElementById(id);
const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
const BUSY = ["starting", "running", "stopping"];

let choices = null; // presets, and the one for each resolution
let survey = null;
let shown = null; // the name of the run in view
let run = null; // what is known about it
let training = { state: "idle" };
let visible = false;
let moment = null; // of the images; null for the newest
let networks = "";

// Images

async function listData(wanted) {
  const sets = await (await get("/v1/data")).json();
  options($("train-data"), sets.map(({ name, kind }) => [name, kind === "sample" ? `${name} (in the library)` : name]));
  if (wanted) $("train-data").value = wanted;
  await look();
}

const surveyOf = newest(async (name) => (await get(`/v1/data/${encodeURIComponent(name)}`)).json());

async function look() {
  survey = null;
  try {
    const found = await surveyOf($("train-data").value);
    if (!found) return;
    survey = found;
  } catch (error) {
    rows($("train-survey"), []);
    notes($("train-problems"), [error.message]);
    return;
  }
  const [width, height] = survey.sizes[0] ?? [0, 0];
  const names = survey.label_names.slice(0, 6).join(", ") + (survey.label_names.length > 6 ? ", …" : "");
  rows($("train-survey"), [
    ["Images", survey.images.toLocaleString("en")],
    ["Size", survey.sizes.length > 1 ? `${survey.sizes.length} sizes or more, mostly ${width}×${height}` : `${width}×${height}`],
    ["Kind", { 0: "none", 1: "gray", 3: "color", 4: "color with transparency" }[survey.channels]],
    ["Labels", survey.labels ? `${survey.labels}${names ? ` (${names})` : ""}` : "none"],
  ]);
  notes($("train-problems"), survey.problems);
  $("train-prepare").hidden = survey.kind === "sample" || !survey.images;
  $("train-labels-row").hidden = !survey.labels;
  if (!survey.labels) $("train-labels").checked = false;
  presets(width);
}

async function prepared(job) {
  $("train-upload-progress").hidden = false;
  const ended = await follow(job.id, (seen) => { $("train-upload-progress").value = seen.step / seen.total; });
  $("train-upload-progress").hidden = true;
  if (ended.state !== "done") { $("train-upload-state").textContent = ended.error ?? ended.state; return; }
  const { name, images, left_out, reasons } = ended.facts;
  await listData(name);
  $("train-upload-state").textContent = `${name}: ${images} images${left_out ? `, ${left_out} left out` : ""}. ${reasons}`;
}

async function sending(call) {
  show("");
  $("train-upload-state").textContent = "";
  try { await prepared(await (await call()).json()); } catch (error) { show(error.message); }
}

const plain = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\w .+-]+/g, "_").slice(0, 70) || "images";

function uploadZip() {
  const file = $("train-upload").files[0];
  if (!file) return;
  const query = new URLSearchParams({ name: `${plain(file.name)} ${$("train-size").value}`, resolution: $("train-size").value });
  sending(() => upload(`/v1/data?${query}`, file));
  $("train-upload").value = "";
}

function makeEqual() {
  const resolution = Number($("train-size").value), source = $("train-data").value;
  sending(() => post(`/v1/data/${encodeURIComponent(source)}/prepare`, { name: `${plain(source)} ${resolution}`, resolution }));
}

// Settings and plan

function presets(side) {
  const fits = choices.presets.filter(({ resolution }) => survey.kind === "sample" || !resolution || resolution === side);
  const before = $("train-cfg").value;
  options($("train-cfg"), fits.map(({ name, resolution }) => [name, resolution ? `${name} (${resolution} px)` : name]));
  const names = fits.map(({ name }) => name);
  const best = choices.default[side];
  $("train-cfg").value = names.includes(before) ? before : names.includes(best) ? best : names[0];
  preset();
}

function preset() {
  const found = choices.presets.find(({ name }) => name === $("train-cfg").value);
  if (found) {
    $("train-tick").placeholder = found.tick_kimg;
    $("train-snap").placeholder = found.snap_ticks;
  }
  stale();
}

function stale() {
  rows($("train-plan"), []);
  notes($("train-remarks"), []);
  $("train-command").textContent = "";
}

const number = (id) => ($(id).value === "" ? null : Number($(id).value));

function request() {
  return {
    data: $("train-data").value,
    cfg: $("train-cfg").value,
    kimg: number("train-kimg") ?? 0,
    labels: $("train-labels").checked,
    mirror: $("train-mirror").checked,
    augment: $("train-augment").value || null,
    tick_kimg: number("train-tick"),
    snap_ticks: number("train-snap"),
    start_from: $("train-from").value || null,
    keep: $("train-keep").checked,
  };
}

const size = (bytes) => (bytes === null ? "unknown" : bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);
function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} hours` : `${(seconds / 86_400).toFixed(1)} days`;
}

async function check() {
  show("");
  stale();
  $("train-check").disabled = true;
  $("train-checking").textContent = "measuring …";
  try {
    const plan = await (await post("/v1/train/plan", request())).json();
    rows($("train-plan"), [
      ["Time", plan.seconds === null ? `unknown: ${plan.measured}` : `about ${duration(plan.seconds)} (${plan.measured})`],
      ["Memory", `${size(plan.memory_bytes)} of ${size(plan.memory_free_bytes)} free`],
      ["Disk", `${size(plan.disk_bytes)} of ${size(plan.disk_free_bytes)} free, ${plan.snapshots} snapshots`],
      ["Batch", `${plan.batch} images, ${plan.precision} on ${plan.device}`],
    ]);
    notes($("train-remarks"), [...(plan.problem ? [plan.problem] : []), ...plan.remarks]);
    $("train-command").textContent = plan.command;
  } catch (error) { show(error.message); }
  $("train-checking").textContent = "";
  $("train-check").disabled = false;
}

async function act(call) {
  show("");
  for (const id of ["train-start", "train-resume", "train-stop"]) $(id).disabled = true;
  try {
    training = await (await call()).json();
    shown = training.run;
    moment = null;
    await refresh();
  } catch (error) { show(error.message); }
  controls();
}

// The run in view

function controls() {
  const busy = BUSY.includes(training.state), mine = training.run === shown;
  $("train-start").disabled = busy;
  $("train-stop").hidden = !(busy && mine);
  $("train-stop").disabled = training.state === "stopping";
  $("train-resume").hidden = busy || !run || run.snapshot_kimg === null;
  $("train-resume").disabled = false;
  $("train-draw").hidden = !run?.network;
}

async function refresh() {
  training = await (await get("/v1/train")).json();
  const all = await (await get("/v1/runs")).json();
  shown ??= training.run ?? all[0]?.name ?? null;
  if (BUSY.includes(training.state) && training.run && shown === null) shown = training.run;
  table(all);
  await view();
  const names = all.map(({ network }) => network).join();
  if (names !== networks) { networks = names; await listNetworks(); from(); }
}

const runOf = newest(async (name) => (await get(`/v1/runs/${encodeURIComponent(name)}`)).json());

async function view() {
  if (shown && all(shown)) {
    const found = await runOf(shown);
    if (!found) return;
    run = found;
  } else run = null;
  const mine = training.run === shown, name = mine ? training.state : "idle";
  $("train-badge").hidden = name === "idle";
  $("train-badge").textContent = $("train-badge").dataset.state = name;
  $("train-title").textContent = run?.name ?? (training.state === "starting" ? "Starting …" : training.state === "failed" ? "The training failed" : "No run yet");
  $("train-log").textContent = mine ? training.log : "";
  $("train-log-box").hidden = !$("train-log").textContent;
  notes($("train-alarms"), [...(mine && training.error ? [training.error] : []), ...(run?.alarms ?? [])]);
  $("train-progress").hidden = !run;
  controls();
  if (!run) { $("train-images").hidden = true; $("train-charts").replaceChildren(); $("train-progress-text").textContent = mine && training.state === "starting" ? "The process starts, and reads the images." : ""; return; }
  $("train-progress").value = run.total_kimg ? run.kimg / run.total_kimg : 0;
  const left = run.seconds_per_kimg && name === "running" ? `, about ${duration((run.total_kimg - run.kimg) * run.seconds_per_kimg)} left` : "";
  $("train-progress-text").textContent = `${run.kimg.toLocaleString("en")} of ${run.total_kimg?.toLocaleString("en")} thousand images${left}`;
  curves(run.charts);
  await images();
}

const all = (name) => [...$("train-runs").children].some((row) => row.dataset.run === name);

function curves(html) {
  if ($("train-charts").dataset.ticks === `${run.name} ${run.ticks}`) return;
  $("train-charts").dataset.ticks = `${run.name} ${run.ticks}`;
  $("train-charts").replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.children);
}

async function images() {
  const count = run.grids.length;
  $("train-images").hidden = !count;
  if (!count) return;
  $("train-moment").max = count - 1;
  const at = Math.min(moment ?? count - 1, count - 1), { kimg, name } = run.grids[at];
  $("train-moment").value = at;
  $("train-moment-text").textContent = name.includes("init") ? "before training" : `${kimg.toLocaleString("en")} thousand`;
  const path = `/v1/runs/${encodeURIComponent(run.name)}/grids/${name}`;
  if ($("train-grid").dataset.shown === path) return;
  $("train-grid").dataset.shown = path;
  const blob = await (await get(path)).blob();
  if ($("train-grid").dataset.shown !== path) return;
  URL.revokeObjectURL($("train-grid").src);
  $("train-grid").src = URL.createObjectURL(blob);
  $("train-grid").classList.toggle("pixels", run.resolution <= 64);
}

function table(runs) {
  $("train-runs").replaceChildren(...runs.map((one) => {
    const tr = document.createElement("tr"), name = document.createElement("td"), button = element("button", one.name);
    tr.dataset.run = one.name;
    tr.setAttribute("aria-current", String(one.name === shown));
    button.addEventListener("click", async () => { shown = one.name; moment = null; await refresh().catch((error) => show(error.message)); });
    name.append(button);
    const done = `${one.kimg.toLocaleString("en")} of ${one.total_kimg?.toLocaleString("en")}`;
    tr.append(name, ...[one.cfg, one.data, done, one.snapshot_kimg === null ? "none" : `${one.snapshot_kimg}`].map((text) => element("td", text)));
    return tr;
  }));
}

function from() {
  const before = $("train-from").value;
  options($("train-from"), [["", "random weights"], ...state.networks.map(({ name }) => [name, name])]);
  $("train-from").value = state.networks.some(({ name }) => name === before) ? before : "";
}

function rows(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([title, text]) => [element("dt", title), element("dd", text)]));
}

function notes(list, texts) {
  list.replaceChildren(...texts.map((text) => element("li", text)));
}

async function watch() {
  while (visible) {
    try { await refresh(); } catch (error) { show(error.message); }
    await sleep(BUSY.includes(training.state) ? 1000 : 3000);
  }
}

export async function enter() {
  if (visible || !choices) return;
  visible = true;
  from();
  await listData($("train-data").value).catch((error) => show(error.message));
  watch();
}

export function leave() { visible = false; }

// Without training, the tab stays hidden.
export async function start() {
  try {
    if ((await (await get("/v1/health")).json()).training) choices = await (await get("/v1/train")).json();
  } catch (error) { show(error.message); }
  if (!choices) {
    if (location.hash === "#train") $("tab-explore").click();
    return;
  }
  $("tab-train").hidden = false;
  $("train-data").addEventListener("change", look);
  $("train-cfg").addEventListener("change", preset);
  for (const id of ["train-kimg", "train-augment", "train-mirror", "train-labels", "train-tick", "train-snap", "train-from"]) $(id).addEventListener("change", stale);
  $("train-upload").addEventListener("change", uploadZip);
  $("train-prepare").addEventListener("click", makeEqual);
  $("train-check").addEventListener("click", check);
  $("train-start").addEventListener("click", () => act(() => post("/v1/train", request())));
  $("train-stop").addEventListener("click", () => act(() => remove("/v1/train")));
  $("train-resume").addEventListener("click", () => act(() => post("/v1/train/resume", { run: shown, kimg: longer(), keep: $("train-keep").checked })));
  $("train-draw").addEventListener("click", async () => { await choose(run.network).catch((error) => show(error.message)); $("tab-explore").click(); });
  $("train-moment").addEventListener("input", () => {
    const at = Number($("train-moment").value);
    moment = at === run.grids.length - 1 ? null : at;
    images().catch((error) => show(error.message));
  });
  if (location.hash === "#train") enter();
}

// A finished run is resumed for the length in the form.
const longer = () => (run && run.kimg >= run.total_kimg ? number("train-kimg") : null);
