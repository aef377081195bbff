"""Training and inference of every generation at one size in images per second, alternating.

python benchmarks/generations.py [--size cpu32] [--json out.json]

Growing networks are measured at their final resolution. Times are means over the longest interval of a regularizer.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import torch
from measure import measured, summary, take_turns
from steps import STEPS, configuration, in_full, steps
from torch import Tensor

from stylegan.training.config import TrainConfig
from stylegan.training.presets import GENERATIONS, PRESETS
from stylegan.training.state import TrainingState, create_state


def configured(generation: str, size: str, precision: str) -> TrainConfig:
    cfg = size if generation == "stylegan2" else f"{generation}-{size}"
    precision = "fp32" if generation == "minimal" else precision
    changes = in_full(size) if generation == "stylegan2" else {}
    return configuration(cfg, PRESETS[cfg].resolution or 0, {**changes, "precision": precision})


def drawn(state: TrainingState, config: TrainConfig) -> Callable[[], Tensor]:
    """Return a function that generates a batch with the inference form, in the precision of the training."""
    G = state.G_ema.for_inference(config.precision)
    ws = G.mapping(torch.randn(config.batch, G.z_dim))
    return lambda: G.synthesis(ws, noise_mode="const")


@click.command()
@click.option("--size", default="cpu32", show_default=True)
@click.option("--precision", default="bf16", show_default=True)
@measured(rounds=3)
def main(size: str, precision: str, rounds: int) -> dict:
    configs = {generation: configured(generation, size, precision) for generation in GENERATIONS}
    made = {g: (create_state(config, torch.device("cpu")), config) for g, config in configs.items()}
    training = take_turns({g: steps(state, config) for g, (state, config) in made.items()}, rounds)
    with torch.no_grad():
        drawing = take_turns({g: drawn(state, config) for g, (state, config) in made.items()}, rounds)
    results = []
    click.echo("| generation | G parameters | D parameters | training (images/s) | inference (images/s) |")
    click.echo("|---|---|---|---|---|")
    for generation, (state, config) in made.items():
        sizes = [sum(p.numel() for p in network.parameters()) for network in (state.G, state.D)]
        rates = [
            config.batch * STEPS / summary(training[generation])["median_s"],
            config.batch / summary(drawing[generation])["median_s"],
        ]
        results.append({"generation": generation, "parameters": sizes, "images_per_s": rates})
        cells = [generation, *(f"{s / 1e6:.2f} M" for s in sizes), *(f"{r:.1f}" for r in rates)]
        click.echo(f"| {' | '.join(cells)} |")
    return {"size": size, "precision": precision, "results": results}


if __name__ == "__main__":
    main()
