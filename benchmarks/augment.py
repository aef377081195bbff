"""Cost of augmentation: training steps at 64 px without it and at p = 0.6, alternating.

python benchmarks/augment.py [--precision bf16] [--json out.json]
"""

from __future__ import annotations

import click
import torch
from measure import measured, summary, take_turns
from steps import STEPS, configuration, in_full, steps

from stylegan.training.state import create_state


@click.command()
@click.option("--precision", default="bf16", show_default=True)
@measured(rounds=5)
def main(precision: str, rounds: int) -> dict:
    without = {**in_full("cpu64"), "precision": precision}
    augment = {"augment.mode": "fixed", "augment.p": 0.6}
    configs = {
        "without": configuration("cpu64", 64, without),
        "p = 0.6": configuration("cpu64", 64, {**without, **augment}),
    }
    forms = {name: steps(create_state(config, torch.device("cpu")), config) for name, config in configs.items()}
    seconds = {name: summary(values) for name, values in take_turns(forms, rounds).items()}
    cost = seconds["p = 0.6"]["median_s"] / seconds["without"]["median_s"] - 1
    click.echo("| cpu64, batch 16 | ms per step (fastest to slowest) |\n|---|---|")
    for name, s in seconds.items():
        click.echo(
            f"| {name} | {s['median_s'] / STEPS * 1e3:.0f} ({s['min_s'] / STEPS * 1e3:.0f} to "
            f"{s['max_s'] / STEPS * 1e3:.0f}) |"
        )
    click.echo(f"Augmentation adds {cost:.1%}.")
    return {"precision": precision, "seconds": seconds, "cost": cost}


if __name__ == "__main__":
    main()
