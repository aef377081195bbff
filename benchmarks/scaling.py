"""Scaling of inference with batch size and threads.

python benchmarks/scaling.py [--config 256] [--json out.json]
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import torch
from generate import CONFIGS
from measure import json_option, report, summary, take_turns


@click.command()
@click.option("--config", type=click.Choice(list(CONFIGS)), default="256", show_default=True)
@click.option("--batch", "batches", multiple=True, type=int, default=[1, 2, 4, 8, 16])
@click.option("--threads", "threads", multiple=True, type=int, default=[1, 2])
@click.option("--rounds", default=3, show_default=True)
@json_option
def main(config: str, batches: list[int], threads: list[int], rounds: int, path: Path | None) -> None:
    torch.manual_seed(0)
    ours, _, args, _ = CONFIGS[config]
    G = ours.Generator(**args).eval().requires_grad_(False)
    results = []
    click.echo(f"{config} px, ms per image\n| form | threads | " + " | ".join(f"batch {n}" for n in batches) + " |")
    click.echo("|---" * (2 + len(batches)) + "|")
    for precision in ("fp32", "bf16"):
        fast = G.for_inference(precision)
        ws = {n: G.mapping(torch.randn(n, G.z_dim)) for n in batches}
        for number in threads:
            torch.set_num_threads(number)
            forms = {str(n): partial(fast.synthesis, ws[n], noise_mode="const") for n in batches}
            s = {n: summary(values) for n, values in take_turns(forms, rounds).items()}
            row = " | ".join(f"{s[str(n)]['median_s'] / n * 1000:.1f}" for n in batches)
            click.echo(f"| {precision} | {number} | {row} |")
            results.append({"precision": precision, "threads": number, "batches": s})
    report({"config": config, "results": results}, path)


if __name__ == "__main__":
    main()
