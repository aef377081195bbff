"""Timing that can be compared: forms take turns in one process, the median counts, and the machine is written down."""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F

from stylegan.networks.precision import DTYPES, cpu_features

Seconds = dict[str, list[float]]


def take_turns(forms: dict[str, Callable[[], object]], rounds: int) -> Seconds:
    """Seconds of every call: one warm-up of two calls each, then `rounds` times all forms in turn."""
    for form in forms.values():
        form()
        form()
    seconds: Seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.perf_counter()
            form()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, and the spread between the fastest and the slowest call."""
    return {"median_s": median(seconds), "min_s": min(seconds), "max_s": max(seconds)}


def conv_shapes(G, batch: int) -> list[tuple[int, int, int, int, int]]:
    """(N, I, O, K, H) of every 3x3 convolution of a generator; an up-sampling one works at its input's resolution."""
    shapes = []
    for r in G.synthesis.block_resolutions:
        block = getattr(G.synthesis, f"b{r}")
        for name, size in (("conv0", r // 2), ("conv1", r)):
            if hasattr(block, name):
                o, i, k, _ = getattr(block, name).weight.shape
                shapes.append((batch, i, o, k, size))
    return shapes


@torch.no_grad()
def ceiling(shapes: list[tuple[int, int, int, int, int]], precision: str, rounds: int) -> tuple[float, float]:
    """What plain `conv2d` needs for these shapes in channels_last, in seconds, and the GFLOP that this is."""
    total, flop = 0.0, 0.0
    for n, i, o, k, h in shapes:
        x = torch.randn(n, i, h, h).to(DTYPES[precision], memory_format=torch.channels_last)
        w = torch.randn(o, i, k, k).to(DTYPES[precision], memory_format=torch.channels_last)
        total += median(take_turns({"conv": lambda x=x, w=w: F.conv2d(x, w, padding=1)}, rounds)["conv"])
        flop += 2 * n * i * o * k * k * h * h
    return total, flop / 1e9


def environment() -> dict:
    """Where and with what a result was measured."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        commit = ""
    return {
        "commit": commit,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cpu_features": sorted(cpu_features()),
        "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def report(result: dict, path: Path | None) -> None:
    """Write the result as JSON."""
    if path is not None:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
