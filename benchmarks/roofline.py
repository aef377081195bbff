"""Lower bounds for GPUs: arithmetic and bytes of a training step, counted without computing anything.

python benchmarks/roofline.py             print the bounds
python benchmarks/roofline.py --measure   also measure the time on a CUDA device
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import torch
from measure import json_option, report
from steps import STEPS, configuration, random_batch, steps
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from stylegan.training import phases
from stylegan.training.state import create_state

GPUS = {"A100": (312e12, 2.04e12), "H100": (989e12, 3.35e12)}  # dense fp16 FLOP/s, bytes/s; SXM, 80 GB
CONFIGS = {"paper256": 256, "paper512": 512, "paper1024": 1024}  # preset -> resolution
CHANGES = {"precision": "fp16", "augment.mode": "noaug"}


class _Count(TorchDispatchMode):
    """Counts the arithmetic of products, and the bytes that operations read and write when nothing is fused."""

    flop = bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.flop += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        if not func.is_view:
            tensors = [t for t in torch.utils._pytree.tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return out


def count(name: str) -> tuple[float, float]:
    """Return FLOP and bytes per image, with all phases at their intervals."""
    config = configuration(name, CONFIGS[name], CHANGES)
    state = create_state(config, torch.device("meta"))
    batch = random_batch(config, state.device)
    flop = size = 0.0
    for phase in phases.due_phases(state, config):
        with _Count() as counted:
            phase.accumulate(state, config, [batch])
        share = 1 / phase.interval / config.micro_batch
        flop, size = flop + counted.flop * share, size + counted.bytes * share
    return flop, size


def measure(name: str, compile: bool) -> float:
    """Return seconds per thousand images on the GPU, with the gradient accumulation of the preset."""
    config = configuration(name, CONFIGS[name], {**CHANGES, "compile": compile})
    take_steps = steps(create_state(config, torch.device("cuda")), config)
    for _ in range(2):
        take_steps()
    torch.cuda.synchronize()
    start = time.perf_counter()
    take_steps()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / STEPS / config.batch * 1000


@click.command()
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), default=list(CONFIGS))
@click.option("--measure", "measures", is_flag=True, help="Also train some steps on the CUDA device.")
@click.option("--compile", is_flag=True)
@json_option
def main(configs: list[str], measures: bool, compile: bool, path: Path | None) -> None:
    if measures and not torch.cuda.is_available():
        raise click.UsageError("--measure needs a CUDA device, but none is available; run without --measure.")
    bounds = " | ".join(f"{gpu}: arithmetic, bytes (s/kimg)" for gpu in GPUS)
    click.echo(f"| config | GFLOP per image | GB per image | {bounds} | measured |")
    click.echo("|---" * (4 + len(GPUS)) + "|")
    results = []
    for name in configs:
        flop, size = count(name)
        limits = {gpu: (flop / rate * 1000, size / bandwidth * 1000) for gpu, (rate, bandwidth) in GPUS.items()}
        seconds = measure(name, compile) if measures else None
        columns = " | ".join(f"{a:.1f}, {b:.1f}" for a, b in limits.values())
        measured = f"{seconds:.1f}" if seconds is not None else ""
        click.echo(f"| {name} | {flop / 1e9:.0f} | {size / 1e9:.2f} | {columns} | {measured} |")
        results.append({"config": name, "flop": flop, "bytes": size, "bounds": limits, "s_per_kimg": seconds})
    device = torch.cuda.get_device_name() if measures else None
    report({"results": results}, path, gpu=device)


if __name__ == "__main__":
    main()
