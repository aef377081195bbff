"""Training and drawing of every generation in one size: pictures a second, in turns.

python benchmarks/generations.py [--size cpu32] [--json out.json]

Growing networks are measured grown up. Steps are averaged over the longest interval of a regulariser.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from measure import environment, report, summary, take_turns

from stylegan.networks.presets import GENERATIONS, PRESETS
from stylegan.training.config import DataConfig, from_preset
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import TrainingState, create_state

STEPS = 16  # R1 every 16 steps, path lengths every 4


def cfg_of(generation: str, size: str) -> str:
    return size if generation == "stylegan2" else f"{generation}-{size}"


def trained(generation: str, size: str, precision: str):
    """A function that takes `STEPS` training steps, the state, and the pictures of a step."""
    cfg = cfg_of(generation, size)
    config = from_preset(
        cfg,
        data=DataConfig(path=""),
        resolution=PRESETS[cfg].resolution or 0,
        channels=3,
        label_dim=0,
        changes={"device": "cpu", "precision": "fp32" if generation == "minimal" else precision},
    )
    state = create_state(config, torch.device("cpu"))
    n, side = config.batch, config.generator["img_resolution"]
    img = torch.randn(n, 3, side, side).contiguous(memory_format=torch.channels_last)
    batch = MicroBatch(img, torch.zeros(n, 0), torch.zeros(n, 0))

    def steps() -> None:
        for _ in range(STEPS):
            train_step(state, config, [batch])

    return steps, state, n


def drawn(state: TrainingState, n: int, precision: str):
    """A function that draws a batch in the form for inference, in the precision of the training."""
    G = state.G_ema.for_inference(precision)
    ws = G.mapping(torch.randn(n, G.z_dim))
    return lambda: G.synthesis(ws, noise_mode="const")


@click.command()
@click.option("--size", default="cpu32", show_default=True)
@click.option("--precision", default="bf16", show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(size: str, precision: str, rounds: int, threads: int, path: Path | None) -> None:
    torch.set_num_threads(threads)
    made = {generation: trained(generation, size, precision) for generation in GENERATIONS}
    training = take_turns({generation: steps for generation, (steps, _, _) in made.items()}, rounds)
    with torch.no_grad():
        drawing = take_turns(
            {g: drawn(state, n, "fp32" if g == "minimal" else precision) for g, (_, state, n) in made.items()}, rounds
        )
    results = []
    click.echo("| generation | G | D | training, pictures a second | drawing |\n|---|---|---|---|---|")
    for generation, (_, state, n) in made.items():
        sizes = [sum(p.numel() for p in network.parameters()) for network in (state.G, state.D)]
        rates = [
            n * STEPS / summary(training[generation])["median_s"],
            n / summary(drawing[generation])["median_s"],
        ]
        results.append({"generation": generation, "parameters": sizes, "pictures_per_s": rates})
        cells = [generation, *(f"{s / 1e6:.2f} M" for s in sizes), *(f"{r:.1f}" for r in rates)]
        click.echo(f"| {' | '.join(cells)} |")
    report({"environment": environment(), "size": size, "precision": precision, "results": results}, path)


if __name__ == "__main__":
    main()
