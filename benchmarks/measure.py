"""Timing that can be compared: forms take turns in one process, the median counts, and the machine is written down."""

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
TEXTBOOK = "textbook"  # forms of this name run as in a process that never heard of us
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # glibc's malloc.h


def take_turns(forms: dict[str, Callable[[], object]], rounds: int) -> Seconds:
    """Seconds of every call: one warm-up each, then `rounds` times all forms in turn.

    How memory is handed back to the system is a part of a form: ours keep it (`keep_freed_memory`), the textbook
    form has what glibc does by itself. After each change of hands a call goes by untimed.
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
    """What glibc's malloc arrives at by itself after a few large tensors: its thresholds at their upper limits."""
    if sys.platform.startswith("linux"):
        with suppress(AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_MAX, 65536)
            libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
            libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
            libc.malloc_trim(0)


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, and the spread between the fastest and the slowest call."""
    return {"median_s": median(seconds), "min_s": min(seconds), "max_s": max(seconds)}


def conv_shapes(G, batch: int) -> list[tuple[int, int, int, int, int]]:
    """(N, I, O, K, H) of every convolution of a generator but toRGB; up-sampling ones work at their input's H."""
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
    """Of StyleGAN3, whose convolutions pad by k - 1."""
    shapes, size = [], G.synthesis.input.size
    for name in G.synthesis.layer_names[:-1]:
        o, i, k, _ = getattr(G.synthesis, name).weight.shape
        shapes.append((batch, i, o, k, size + k - 1))
        size = int(name.split("_")[1])
    return shapes


@torch.no_grad()
def ceiling(shapes: list[tuple[int, int, int, int, int]], precision: str, rounds: int) -> tuple[float, float]:
    """What plain `conv2d` needs for these shapes in channels_last, in seconds, and the GFLOP that this is."""
    total, flop = 0.0, 0.0
    for n, i, o, k, h in shapes:
        x = torch.randn(n, i, h, h).to(DTYPES[precision], memory_format=torch.channels_last)
        w = torch.randn(o, i, k, k).to(DTYPES[precision], memory_format=torch.channels_last)
        total += median(take_turns({"conv": lambda x=x, w=w, k=k: F.conv2d(x, w, padding=k // 2)}, rounds)["conv"])
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


def report(result: dict, path: Path | None, **machine: Any) -> None:
    """Write the result as JSON, with the environment and what else is to be said of the machine."""
    if path is not None:
        result = {"environment": {**environment(), **machine}, **result}
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


json_option = click.option("--json", "path", type=click.Path(path_type=Path), help="Where to write the result.")


def measured(rounds: int) -> Callable:
    """Options of a benchmark that takes `rounds` and returns its result: --rounds, --threads and --json."""

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
