"""What adaptive augmentation costs: training steps at 64 px without it and at p = 0.6, in turns.

python benchmarks/augment.py [--precision bf16] [--json out.json]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch
from measure import environment, report, summary, take_turns

from stylegan.training.config import DataConfig, from_preset
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import create_state

STEPS = 16  # R1 every 16 steps, path lengths every 4


def steps(cfg: str, resolution: int, changes: dict) -> Callable[[], None]:
    """A function that takes `STEPS` training steps."""
    config = from_preset(
        cfg,
        data=DataConfig(path=""),
        resolution=resolution,
        channels=3,
        label_dim=0,
        changes={"device": "cpu", **changes},
    )
    state = create_state(config, torch.device("cpu"))
    img = (
        torch.randn(config.batch, 3, resolution, resolution).clamp(-1, 1).contiguous(memory_format=torch.channels_last)
    )
    labels = torch.zeros(config.batch, 0)

    def call() -> None:
        for _ in range(STEPS):
            train_step(state, config, [MicroBatch(img, labels, labels)])

    return call


@click.command()
@click.option("--precision", default="bf16", show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(precision: str, rounds: int, threads: int, path: Path | None) -> None:
    torch.set_num_threads(threads)
    augment = {"augment.mode": "fixed", "augment.p": 0.6}
    forms = {
        "without": steps("cpu64", 64, {"precision": precision}),
        "p = 0.6": steps("cpu64", 64, {"precision": precision, **augment}),
    }
    seconds = {name: summary(values) for name, values in take_turns(forms, rounds).items()}
    cost = seconds["p = 0.6"]["median_s"] / seconds["without"]["median_s"] - 1
    click.echo("| cpu64, batch 16 | ms a step (fastest to slowest) |\n|---|---|")
    for name, s in seconds.items():
        click.echo(
            f"| {name} | {s['median_s'] / STEPS * 1e3:.0f} ({s['min_s'] / STEPS * 1e3:.0f} to "
            f"{s['max_s'] / STEPS * 1e3:.0f}) |"
        )
    click.echo(f"Augmentation adds {cost:.1%}.")
    report({"environment": environment(), "precision": precision, "seconds": seconds, "cost": cost}, path)


if __name__ == "__main__":
    main()
