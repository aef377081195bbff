"""Comparable timing: forms alternate in one process, the median is reported, and the machine is recorded."""

from __future__ import annotations

import ctypes
import functools
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
import torch.nn.functional as F

from stylegan.machine.memory import keep_freed_memory
from stylegan.machine.precision import DTYPES, cpu_features

Seconds = dict[str, list[float]]
TEXTBOOK = "textbook"  # forms with this name run with the default memory management
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # glibc's malloc.h


def take_turns(forms: dict[str, Callable[[], object]], rounds: int) -> Seconds:
    """Return the seconds of every call: one warm-up per form, then `rounds` times all forms one after the other.

    Memory management is part of a form: ours keep freed memory (`keep_freed_memory`), and the textbook form uses the
    defaults of glibc. After each switch between the two, one call is not timed.
    """
    for form in forms.values():
        form()
    seconds: Seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            return_freed_memory() if name == TEXTBOOK else keep_freed_memory()
            form()
            start = time.perf_counter()
            form()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def return_freed_memory() -> None:
    """Set glibc's malloc to the state it reaches by default after a few large tensors: thresholds at their limits."""
    if sys.platform.startswith("linux"):
        with suppress(AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_MAX, 65536)
            libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
            libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
            libc.malloc_trim(0)


def summary(seconds: list[float]) -> dict[str, float]:
    """Return the median, the fastest and the slowest time in seconds."""
    return {"median_s": median(seconds), "min_s": min(seconds), "max_s": max(seconds)}


def conv_shapes(G, batch: int) -> list[tuple[int, int, int, int, int]]:
    """Return (N, I, O, K, H) of every convolution of a generator except toRGB; H is that of the input."""
    if hasattr(G.synthesis, "layer_names"):
        return _alias_free_shapes(G, batch)
    shapes = []
    for r in G.synthesis.block_resolutions:
        block = getattr(G.synthesis, f"b{r}")
        for names, size in ((("conv0", "layer0"), r // 2), (("conv1", "layer1"), r)):
            layer = next((getattr(block, name) for name in names if hasattr(block, name)), None)
            if layer is not None and layer.weight is not None:
                o, i, k, _ = layer.weight.shape
                shapes.append((batch, i, o, k, size))
    return shapes


def _alias_free_shapes(G, batch: int) -> list[tuple[int, int, int, int, int]]:
    """Return the shapes for StyleGAN3, whose convolutions pad by k - 1."""
    shapes, size = [], G.synthesis.input.size
    for name in G.synthesis.layer_names[:-1]:
        o, i, k, _ = getattr(G.synthesis, name).weight.shape
        shapes.append((batch, i, o, k, size + k - 1))
        size = int(name.split("_")[1])
    return shapes


@torch.no_grad()
def ceiling(shapes: list[tuple[int, int, int, int, int]], precision: str, rounds: int) -> tuple[float, float]:
    """Return the seconds of plain `conv2d` calls for these shapes in channels_last, and their GFLOP."""
    total, flop = 0.0, 0.0
    for n, i, o, k, h in shapes:
        x = torch.randn(n, i, h, h).to(DTYPES[precision], memory_format=torch.channels_last)
        w = torch.randn(o, i, k, k).to(DTYPES[precision], memory_format=torch.channels_last)
        total += median(take_turns({"conv": lambda x=x, w=w, k=k: F.conv2d(x, w, padding=k // 2)}, rounds)["conv"])
        flop += 2 * n * i * o * k * k * h * h
    return total, flop / 1e9


def environment() -> dict:
    """Return the commit, versions, threads and CPU features of a measurement."""
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


def report(result: dict, path: Path | None, **machine: Any) -> None:
    """Write the result as JSON, with the environment and further facts about the machine."""
    if path is not None:
        result = {"environment": {**environment(), **machine}, **result}
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


json_option = click.option("--json", "path", type=click.Path(path_type=Path), help="Write the result to this file.")


def measured(rounds: int) -> Callable:
    """Add the options --rounds, --threads and --json to a benchmark that takes `rounds` and returns its result."""

    def add(benchmark: Callable[..., dict]) -> Callable:
        @click.option("--rounds", default=rounds, show_default=True)
        @click.option("--threads", default=2, show_default=True)
        @json_option
        @functools.wraps(benchmark)
        def main(*, threads: int, path: Path | None, **options: Any) -> None:
            torch.set_num_threads(threads)
            report(benchmark(**options), path)

        return main

    return add
