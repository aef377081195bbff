// Models: the networks of this studio, with their cards, licences, layers and files; and checkpoints that are opened.

import { follow, get, newest, post, show, upload } from "./api.js";
import { cardOf, choose, onNetworks, listNetworks, sourceOf, state } from "./controls.js";

const $ = (id) => document.getElementById(id);

const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
let shown = "";

const cardAndLayers = newest(async (name) => [
  await cardOf(name), (await (await get(`/v1/networks/${encodeURIComponent(name)}`)).json()).layers]);

async function open(name) {
  try {
    const found = await cardAndLayers(name);
    if (!found) return;
    const [card, layers] = found;
    shown = name;
    for (const button of $("model-list").children) button.setAttribute("aria-pressed", String(button.textContent === name));
    $("model-name").textContent = name;
    const rows = [
      ["Draws", card.draws ?? "not stated"],
      ["Licence of the weights", card.licence ?? "not stated"],
      ["Origin", card.origin ?? "not stated"],
      ["Architecture", card.architecture],
      ["Images", `${card.resolution} px, ${{ 1: "gray", 3: "color", 4: "color with alpha" }[card.channels]}`],
      ["Labels", card.label_names?.join(", ") ?? card.class_names?.join(", ") ?? (card.classes ? `${card.classes} classes` : "none")],
      ["Latents", `z ${card.z_dim}, w ${card.num_ws} × ${card.w_dim}`],
      ["Parameters", card.parameters.toLocaleString("en")],
    ];
    $("model-facts").replaceChildren(...rows.flatMap(([title, text]) => [element("dt", title), element("dd", text)]));
    $("model-text").textContent = card.text || "This checkpoint has no model card.";
    $("model-layers").replaceChildren(...layers.map((layer) => {
      const tr = document.createElement("tr");
      const count = (n) => (n ? n.toLocaleString("en") : "");
      tr.append(...[layer.name, layer.shape.join(" × "), count(layer.parameters), count(layer.buffers)].map((text) => element("td", text)));
      return tr;
    }));
    $("model-remove").hidden = !state.networks.find((network) => network.name === name)?.added;
    $("convert-state").textContent = "";
    $("convert-download").hidden = true;
    refresh();
    $("model-list").dataset.shown = name;
  } catch (error) { show(error.message); }
}

const ENDS = { official: ".safetensors", rosinality: ".pt", native: "" };
function refresh() {
  const kind = $("convert-kind").value;
  $("convert-command").textContent = `stylegan convert ${sourceOf(shown)} ${kind === "native" ? `${shown}-copy` : shown}${ENDS[kind]}`;
}

async function convert() {
  show("");
  $("convert-start").disabled = true;
  $("convert-download").hidden = true;
  $("convert-state").textContent = "writing";
  try {
    const begun = await (await post("/v1/convert", { network: shown, kind: $("convert-kind").value })).json();
    const job = await follow(begun.id, () => {});
    if (job.error) throw new Error(job.error);
    const left = job.facts.left_out ?? [];
    $("convert-state").textContent = left.length ? `Left out: ${left.join("; ")}` : "";
    Object.assign($("convert-download"), { href: `/v1/jobs/${job.id}/files/${job.files[0]}`, download: job.files[0], hidden: false });
    $("convert-download").textContent = `Download ${job.files[0]}`;
  } catch (error) { $("convert-state").textContent = ""; show(error.message); }
  $("convert-start").disabled = false;
}

async function add(file) {
  if (!file) return;
  show("");
  $("model-state").textContent = `reading ${file.name}`;
  try {
    const { name } = await (await upload(`/v1/networks?name=${encodeURIComponent(file.name)}`, file)).json();
    await listNetworks();
    await choose(name);
    await open(name);
  } catch (error) { show(error.message); }
  $("model-state").textContent = "";
}

async function remove() {
  try {
    const response = await fetch(`/v1/networks/${encodeURIComponent(shown)}`, { method: "DELETE" });
    if (!response.ok) throw new Error((await response.json()).error);
    await listNetworks();
    if (state.network === shown) { await choose(state.networks[0].name); await listNetworks(); }
    await open(state.network);
  } catch (error) { show(error.message); }
}

function list() {
  $("model-list").replaceChildren(...state.networks.map(({ name }) => {
    const button = element("button", name);
    button.setAttribute("aria-pressed", String(name === shown));
    button.addEventListener("click", async () => { await choose(name).catch((error) => show(error.message)); open(name); });
    return button;
  }));
}

export const enter = () => open(state.network);

export function start() {
  list();
  onNetworks(list);
  $("convert-kind").addEventListener("change", refresh);
  $("convert-start").addEventListener("click", convert);
  $("model-file").addEventListener("change", async () => { await add($("model-file").files[0]); $("model-file").value = ""; });
  $("model-remove").addEventListener("click", remove);
}
