// Models: the networks of this studio, with their cards, licences and layers.

import { get, show } from "./api.js";
import { cardOf, choose, onNetworks, state } from "./controls.js";

const $ = (id) => document.getElementById(id);

const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

async function open(name) {
  try {
    const card = await cardOf(name);
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
    const { layers } = await (await get(`/v1/networks/${encodeURIComponent(name)}`)).json();
    $("model-layers").replaceChildren(...layers.map((layer) => {
      const tr = document.createElement("tr");
      const count = (n) => (n ? n.toLocaleString("en") : "");
      tr.append(...[layer.name, layer.shape.join(" × "), count(layer.parameters), count(layer.buffers)].map((text) => element("td", text)));
      return tr;
    }));
    $("model-list").dataset.shown = name;
  } catch (error) { show(error.message); }
}

export const enter = () => open(state.network);

function list() {
  $("model-list").replaceChildren(...state.networks.map(({ name }) => {
    const button = element("button", name);
    button.addEventListener("click", async () => { await choose(name).catch((error) => show(error.message)); open(name); });
    return button;
  }));
}

export function start() {
  onNetworks(list);
  list();
}
