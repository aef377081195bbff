"""Convolutions in float32 with a quarter of the products against direct ones: alone, and in a network.

python benchmarks/winograd.py [--batch 4] [--threads 2] [--json out.json]

Prints CPU milliseconds, because other programs hardly change them with one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import click
import torch
import torch.nn.functional as F
from generate import CONFIGS
from measure import measured

from stylegan.inference import convolution
from stylegan.inference.winograd import compiled_winograd_conv2d, winograd_conv2d, winograd_weight
from stylegan.machine.memory import keep_freed_memory

SHAPES = [(512, 16), (512, 32), (256, 32), (256, 64), (128, 64), (128, 128), (64, 128), (64, 256)]  # channels, pixels


def convolutions(channels: int, resolution: int, batch: int) -> dict[str, Callable[[], object]]:
    x = torch.randn(batch, channels, resolution, resolution).to(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3).to(memory_format=torch.channels_last)
    factors = winograd_weight(weight)
    return {
        "direct": lambda: F.conv2d(x, weight, padding=1),
        "winograd": lambda: winograd_conv2d(x, factors),
        "winograd compiled": lambda: compiled_winograd_conv2d(x, factors),
    }


def networks(batch: int) -> dict[str, Callable[[], object]]:
    """Return the drawing of StyleGAN2 at 256 px by each form, without and with the fewer products."""
    torch.manual_seed(0)
    ours, _, args, _ = CONFIGS["256"]
    G = ours.Generator(**args).eval().requires_grad_(False)
    ws = G.mapping(torch.randn(batch, G.z_dim))
    faster = convolution._winograd_is_faster
    forms: dict[str, Callable[[], object]] = {}
    for compiled in (False, True):
        for name, chosen in (("direct", lambda *_: False), ("winograd", faster)):
            convolution._winograd_is_faster = chosen
            synthesis = G.for_inference("fp32", compiled).synthesis
            forms[name + " compiled" * compiled] = lambda s=synthesis: s(ws, noise_mode="const")
    return forms


def cpu_ms(forms: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU milliseconds of each form, called in turns."""
    for form in forms.values():
        form()
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.process_time()
            form()
            times[name].append(1000 * (time.process_time() - start))
    return {name: median(values) for name, values in times.items()}


@click.command()
@click.option("--batch", default=1, show_default=True)
@click.option("--network/--no-network", default=True, show_default=True, help="Compile and draw a network too.")
@measured(rounds=7)
@torch.no_grad()
def main(batch: int, network: bool, rounds: int) -> dict:
    keep_freed_memory()
    cases = [(f"{c} channels, {r} px", lambda c=c, r=r: convolutions(c, r, batch)) for c, r in SHAPES]
    cases += [("StyleGAN2, 256 px", lambda: networks(batch))] if network else []
    results = {}
    for name, forms in cases:
        results[name] = cpu_ms(forms(), rounds)
        click.echo(f"{name}, batch {batch}: " + ", ".join(f"{k} {v:.1f} ms" for k, v in results[name].items()))
    return {"results": results}


if __name__ == "__main__":
    main()
