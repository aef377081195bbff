// An image with handles, targets and a mask on it, in pixels of the image.

import { dragCommand } from "./command.js";

const NEAR = 0.02; // of the image's side: a press that moves less is a click
const MOST = 32; // points

const rounded = (x) => Math.round(x * 10) / 10;

export class DragCanvas {
  // canvas: shows the image. overlay: above it, takes the pointer. text: the points as in `stylegan drag --points`.
  constructor(canvas, overlay, text, changed) {
    Object.assign(this, { canvas, overlay, text, changed });
    this.points = []; // [{handle: [x, y], target: [x, y]}]
    this.pending = null; // a handle that waits for its target
    this.places = null; // of the points while they move
    this.mask = null; // a canvas of the image's size, white where it may change
    this.mode = "points";
    this.brush = 10; // percent of the image's side
    this.active = false;
    this.side = 64;
    text.addEventListener("change", () => this.parse());
    overlay.addEventListener("pointerdown", (event) => this.down(event));
    overlay.addEventListener("pointermove", (event) => this.move(event));
    overlay.addEventListener("pointerup", (event) => this.up(event));
    new ResizeObserver(() => this.draw()).observe(overlay);
  }

  resize(side) {
    if (side === this.side) return;
    this.side = side;
    this.mask = null;
    this.clearPoints();
  }

  paint(bitmap) {
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) [this.canvas.width, this.canvas.height] = [bitmap.width, bitmap.height];
    this.canvas.classList.toggle("pixels", bitmap.width <= 128);
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, bitmap.width, bitmap.height);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  // The place of the pointer in pixels from the middle of the first one.
  place(event) {
    const box = this.overlay.getBoundingClientRect();
    const along = (value, start, length) => rounded(Math.min(this.side - 1, Math.max(0, ((value - start) / length) * this.side - 0.5)));
    return [along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height)];
  }

  down(event) {
    if (!this.active) return;
    event.preventDefault();
    this.overlay.setPointerCapture(event.pointerId);
    this.pressed = this.place(event);
    if (this.mode === "mask") this.stroke(this.pressed, this.pressed);
    else if (!this.pending) this.hover = this.pressed;
    this.draw();
  }

  move(event) {
    if (!this.active) return;
    const here = this.place(event);
    if (this.mode === "mask") { if (this.pressed) { this.stroke(this.pressed, here); this.pressed = here; this.draw(); } return; }
    if (this.pressed || this.pending) { this.hover = here; this.draw(); }
  }

  up(event) {
    if (!this.active || !this.pressed) return;
    const begin = this.pressed, here = this.place(event);
    this.pressed = this.hover = null;
    if (this.mode === "mask") { this.changed(); return; }
    const far = Math.hypot(here[0] - begin[0], here[1] - begin[1]) > NEAR * this.side;
    if (this.pending) { this.add(this.pending, here); this.pending = null; }
    else if (far) this.add(begin, here);
    else this.pending = begin;
    this.draw();
  }

  add(handle, target) {
    if (this.points.length < MOST) this.points.push({ handle, target });
    this.write();
  }

  write() {
    this.text.value = this.points.map(({ handle, target }) => `${handle.join(",")}->${target.join(",")}`).join("; ");
    this.draw();
    this.changed();
  }

  parse() {
    const points = [];
    for (const pair of this.text.value.split(";").filter((part) => part.trim())) {
      const numbers = /^\s*([\d.]+)\s*,\s*([\d.]+)\s*->\s*([\d.]+)\s*,\s*([\d.]+)\s*$/.exec(pair)?.slice(1).map(Number);
      if (!numbers || numbers.some((x) => !(x <= this.side - 1)) || points.length >= MOST) {
        this.text.setCustomValidity(`Write points like 20,30->40,30; 10,10->10,15, from 0 to ${this.side - 1}.`);
        this.text.reportValidity();
        return;
      }
      points.push({ handle: numbers.slice(0, 2), target: numbers.slice(2) });
    }
    this.text.setCustomValidity("");
    this.points = points;
    this.draw();
    this.changed();
  }

  clearPoints() {
    this.points = [];
    this.pending = null;
    this.write();
  }

  pairs() { return this.points; }

  track(places) { this.places = places; this.draw(); }

  // The mask

  stroke(from, to) {
    if (!this.mask) {
      this.mask = document.createElement("canvas");
      this.mask.width = this.mask.height = this.side;
      const black = this.mask.getContext("2d");
      black.fillStyle = "#000";
      black.fillRect(0, 0, this.side, this.side);
    }
    const context = this.mask.getContext("2d");
    Object.assign(context, { strokeStyle: "#fff", lineCap: "round", lineWidth: (this.brush / 100) * this.side });
    context.beginPath();
    context.moveTo(from[0] + 0.5, from[1] + 0.5);
    context.lineTo(to[0] + 0.51, to[1] + 0.5);
    context.stroke();
  }

  clearMask() { this.mask = null; this.draw(); }

  maskText() { return this.mask ? this.mask.toDataURL("image/png").split(",")[1] : null; }

  maskBlob() { return this.mask ? new Promise((done) => this.mask.toBlob(done, "image/png")) : null; }

  command(drawing, source, start, method, steps) {
    return dragCommand(drawing, source, start, this.text.value.replaceAll(" ", ""), method, steps, Boolean(this.mask));
  }

  // Everything on the image, at the resolution of the screen.
  draw() {
    const { overlay, side } = this, scale = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(overlay.clientWidth * scale));
    if (overlay.width !== width) overlay.width = overlay.height = width;
    const context = overlay.getContext("2d"), at = ([x, y]) => [((x + 0.5) / side) * width, ((y + 0.5) / side) * width];
    context.clearRect(0, 0, width, width);
    overlay.classList.toggle("active", this.active);
    if (!this.active) return;
    if (this.mask) {
      context.save();
      context.globalAlpha = 0.55;
      context.fillStyle = "#10131c";
      context.fillRect(0, 0, width, width);
      context.globalAlpha = 1;
      context.globalCompositeOperation = "destination-out";
      context.drawImage(this.cutOut(), 0, 0, width, width);
      context.restore();
    }
    const dot = ([x, y], color, radius = 6) => {
      context.beginPath();
      context.arc(x, y, radius * scale, 0, 7);
      Object.assign(context, { fillStyle: color, strokeStyle: "#fff", lineWidth: 2 * scale });
      context.fill();
      context.stroke();
    };
    const arrow = (from, to, color) => {
      const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
      for (const [style, wide] of [["#fff", 5], [color, 2.5]]) {
        Object.assign(context, { strokeStyle: style, lineWidth: wide * scale, lineCap: "round" });
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        for (const turn of [2.6, -2.6]) { context.moveTo(...to); context.lineTo(to[0] + 12 * scale * Math.cos(angle + turn), to[1] + 12 * scale * Math.sin(angle + turn)); }
        context.stroke();
      }
    };
    this.points.forEach(({ handle, target }, i) => {
      const begin = this.places?.[i] ?? handle;
      arrow(at(begin), at(target), "#3b5bdb");
      dot(at(begin), "#e8590c");
    });
    const begin = this.pending ?? (this.mode === "points" ? this.pressed : null);
    if (begin) {
      if (this.hover) arrow(at(begin), at(this.hover), "#3b5bdb");
      dot(at(begin), "#e8590c");
    }
  }

  // The mask with transparency instead of black.
  cutOut() {
    const copy = document.createElement("canvas");
    copy.width = copy.height = this.side;
    const context = copy.getContext("2d");
    context.drawImage(this.mask, 0, 0);
    const image = context.getImageData(0, 0, this.side, this.side);
    for (let i = 0; i < image.data.length; i += 4) image.data[i + 3] = image.data[i];
    context.putImageData(image, 0, 0);
    return copy;
  }
}
