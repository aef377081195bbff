// Live: a walk that never waits, as a stream that other programs can show too, and that OSC can steer.

import { get, Latest, post, show, sleep } from "./api.js";
import { drawing, onChange, state } from "./controls.js";

const $ = (id) => document.getElementById(id);
const FPS = 60;

let visible = false;
let playing = false;
let held = 0; // time until which a slider that was just moved is left alone

const change = new Latest(async (values) => { paint(await (await post("/v1/live", values)).json()); });

function paint(live) {
  $("live-state").textContent = live.error || `seed ${live.seed.toFixed(2)}, psi ${live.psi.toFixed(2)}, ${live.speed.toFixed(1)} seeds a second`;
  $("live-watchers").textContent = `${live.watchers} ${live.watchers === 1 ? "stream" : "streams"}, ${live.loops} loops`;
  if (Date.now() < held) return;
  $("live-speed").value = live.speed;
  $("live-speed-value").textContent = live.speed.toFixed(1);
  $("live-loop").value = live.loop;
  directions(live.directions);
}

function directions(strengths) {
  const names = Object.keys(strengths);
  const box = $("live-directions");
  $("live-directions-row").hidden = !names.length;
  if (box.dataset.names !== names.join()) {
    box.dataset.names = names.join();
    box.replaceChildren(...names.map((name) => {
      const label = document.createElement("label"), value = document.createElement("span"), slider = document.createElement("input");
      Object.assign(slider, { type: "range", min: -5, max: 5, step: 0.1 });
      slider.dataset.direction = name;
      value.className = "value";
      label.append(`${name} `, value, slider);
      slider.addEventListener("input", () => {
        value.textContent = slider.value;
        hold();
        change.ask({ directions: Object.fromEntries([...box.querySelectorAll("input")].map((one) => [one.dataset.direction, Number(one.value)])) });
      });
      return label;
    }));
  }
  for (const slider of box.querySelectorAll("input")) {
    slider.value = strengths[slider.dataset.direction];
    slider.parentElement.querySelector(".value").textContent = strengths[slider.dataset.direction].toFixed(1);
  }
}

const hold = () => { held = Date.now() + 800; };

function shared() {
  if (visible) change.ask(drawing());
}

function play(on) {
  playing = on;
  $("live-image").hidden = !on;
  if (on) $("live-image").src = `/v1/stream?fps=${FPS}&${Date.now()}`; else $("live-image").removeAttribute("src");
  $("live-image").classList.toggle("pixels", state.card.resolution <= 64);
  $("live-play").textContent = on ? "Stop" : "Start";
  $("live-play").setAttribute("aria-pressed", String(on));
  $("live-idle").hidden = on;
}

async function watch() {
  while (visible) {
    try { paint(await (await get("/v1/live")).json()); } catch (error) { show(error.message); }
    await sleep(playing ? 300 : 1500);
  }
}

export function enter() {
  if (visible) return;
  visible = true;
  change.ask({ ...drawing(), seed: state.seed });
  watch();
}

export function leave() {
  visible = false;
  play(false);
}

export function start() {
  onChange(shared);
  $("live-url").textContent = `${location.origin}/v1/stream`;
  $("live-play").addEventListener("click", () => play(!playing));
  $("live-image").addEventListener("error", () => { if (playing) { play(false); show("The stream ended. Start it again."); } });
  $("live-full").addEventListener("click", () => $("live-stage").requestFullscreen?.());
  $("live-speed").addEventListener("input", () => {
    $("live-speed-value").textContent = Number($("live-speed").value).toFixed(1);
    hold();
    change.ask({ speed: Number($("live-speed").value) });
  });
  $("live-loop").addEventListener("change", () => { hold(); change.ask({ loop: Math.min(64, Math.max(0, Math.round(Number($("live-loop").value) || 0))) }); });
  $("live-jump").addEventListener("click", () => change.ask({ seed: Math.floor(Math.random() * 100_000) }));
}
