// A choice of layers: by name (coarse, middle, fine) and one by one.

export class LayerPicker {
  // Fills two elements with buttons and calls `changed` after each click.
  constructor(ranges, layers, changed, first = "coarse") {
    Object.assign(this, { ranges, layers, changed, first });
    this.chosen = new Set();
    this.shape = "";
    for (const button of ranges.children)
      button.addEventListener("click", () => {
        const those = this.range(button.dataset.range), all = those.every((layer) => this.chosen.has(layer));
        for (const layer of those) if (all) this.chosen.delete(layer); else this.chosen.add(layer);
        this.show();
        changed();
      });
  }

  range(name) {
    const [first, end] = this.card.styles[name];
    return Array.from({ length: end - first }, (_, i) => first + i);
  }

  // Makes the buttons for a network; does nothing if they are there.
  fit(card) {
    this.card = card;
    if (this.shape !== `${card.name} ${card.num_ws}`) {
      this.shape = `${card.name} ${card.num_ws}`;
      this.chosen = new Set(this.first === "all" ? Array.from({ length: card.num_ws }, (_, i) => i) : this.range(this.first));
      this.layers.replaceChildren(...Array.from({ length: card.num_ws }, (_, i) => {
        const button = document.createElement("button");
        button.textContent = i;
        button.setAttribute("aria-label", `Layer ${i}`);
        button.addEventListener("click", () => { if (!this.chosen.delete(i)) this.chosen.add(i); this.show(); this.changed(); });
        return button;
      }));
    }
    this.show();
  }

  show() {
    [...this.layers.children].forEach((button, i) => button.setAttribute("aria-pressed", String(this.chosen.has(i))));
    for (const button of this.ranges.children)
      button.setAttribute("aria-pressed", String(this.range(button.dataset.range).every((layer) => this.chosen.has(layer))));
  }

  get all() { return this.chosen.size === this.card.num_ws; }
  get text() { return [...this.chosen].sort((a, b) => a - b).join(","); }
}
