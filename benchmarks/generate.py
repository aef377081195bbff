"""Inference: our forms against the textbook form with the same weights, alternating.

python benchmarks/generate.py [--config 64 --config "stylegan3-t 256" ...] [--json out.json]
"""

from __future__ import annotations

import click
import torch
from baseline import stylegan1 as baseline1
from baseline import stylegan2 as baseline2
from baseline import stylegan3 as baseline3
from measure import TEXTBOOK, ceiling, conv_shapes, measured, summary, take_turns

from stylegan.networks import stylegan1, stylegan2, stylegan3

MARKED = {"num_fp16_res": 4, "conv_clamp": 256}
T256 = {"img_resolution": 256, "channel_base": 16384}
R256 = {"img_resolution": 256, "channel_base": 32768, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True}
SMALL = {"z_dim": 256, "w_dim": 256, "mapping_layers": 2, "channel_base": 4096, "channel_max": 256}
CONFIGS = {  # name -> (our module, textbook module, arguments, batch)
    "64": (stylegan2, baseline2, {"img_resolution": 64, **SMALL, **MARKED}, 16),
    "256": (stylegan2, baseline2, {"img_resolution": 256, "channel_base": 16384, **MARKED}, 4),
    "1024": (stylegan2, baseline2, {"img_resolution": 1024, "channel_base": 32768, **MARKED}, 1),
    "stylegan1 256": (stylegan1, baseline1, {"img_resolution": 256}, 4),
    "stylegan3-t 256": (stylegan3, baseline3, T256, 1),
    "stylegan3-r 256": (stylegan3, baseline3, R256, 1),
}
FORMS = [("fp32", False), ("fp32", True), ("bf16", False), ("bf16", True)]


def measure(name: str, rounds: int) -> dict:
    """Measure one configuration: seconds and ratio of every form, and the share of plain convolutions in its time."""
    torch.manual_seed(0)
    ours, baseline, args, batch = CONFIGS[name]
    G = ours.Generator(**args).eval().requires_grad_(False)
    ws = G.mapping(torch.randn(batch, G.z_dim))
    textbook = baseline.Generator(G)
    forms = {TEXTBOOK: lambda: textbook.synthesis(ws), "textbook keeping memory": lambda: textbook.synthesis(ws)}
    for precision, compiled in FORMS:
        fast = G.for_inference(precision, compiled)
        label = precision + (" compiled" if compiled else "")
        forms[label] = lambda fast=fast: fast.synthesis(ws, noise_mode="const")
    with torch.no_grad():
        seconds = take_turns(forms, rounds)
        limits = {p: ceiling(conv_shapes(G, batch), p, rounds) for p in ("fp32", "bf16")}
    result = {}
    for label, values in seconds.items():
        s = summary(values)
        limit, gflop = limits["bf16" if label.startswith("bf16") else "fp32"]
        result[label] = {
            **s,
            "ms_per_image": s["median_s"] / batch * 1000,
            "ratio": summary(seconds[TEXTBOOK])["median_s"] / s["median_s"],
            "of_ceiling": limit / s["median_s"],
            "gflop_per_image": gflop / batch,
        }
    return {"config": name, "batch": batch, "forms": result}


@click.command()
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), default=list(CONFIGS))
@measured(rounds=7)
def main(configs: list[str], rounds: int) -> dict:
    results = []
    click.echo("| config | form | ms per image | ratio | of the ceiling |\n|---|---|---|---|---|")
    for name in configs:
        result = measure(name, rounds)
        results.append(result)
        for label, r in result["forms"].items():
            row = f"{r['ms_per_image']:.1f} | {r['ratio']:.2f} | {r['of_ceiling']:.0%}"
            click.echo(f"| {name} px, batch {result['batch']} | {label} | {row} |")
    return {"results": results}


if __name__ == "__main__":
    main()
