"""Number formats: their names, support by a device, and the fastest one for training there."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from stylegan.errors import ConfigError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("auto", *DTYPES)
ROUNDS = 7  # of a measurement; the fastest counts, so that other programs hardly matter


def check_precision(precision: str) -> str:
    """Return `precision`. Raises: ConfigError, with the names that exist, for another."""
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    return precision


def require_precision(precision: str, device: torch.device) -> None:
    """Raises: ConfigError, with the formats that work, unless `device` can convolve in `precision`."""

    def works(dtype: torch.dtype) -> bool:
        x = torch.ones(1, 8, 4, 4, device=device, dtype=dtype)
        try:
            return bool(F.conv2d(x, x, padding=1).isfinite().all())
        except (RuntimeError, TypeError):  # not implemented, or no such dtype on this device
            return False

    if check_precision(precision) != "auto" and not works(DTYPES[precision]):
        working = [name for name, dtype in DTYPES.items() if works(dtype)]
        raise ConfigError(f"`precision` {precision} does not work on {device} here; use {' or '.join(working)}.")


class Choice(NamedTuple):
    """A number format, and the measurement that it was chosen by."""

    precision: str
    reason: str = ""  # a clause for the log of a run; empty if nothing was measured


def best_precision(device: torch.device) -> Choice:
    """Choose the fastest format for training: fp16 on a GPU, bf16 on a CPU that convolves faster in it, else fp32.

    A CPU without instructions for bf16 is not measured.
    """
    if device.type == "cuda":
        return Choice("fp16")
    if device.type != "cpu" or not cpu_features() & {"amx_bf16", "avx512_bf16", "bf16"}:
        return Choice("fp32")
    fp32, bf16 = convolution_ms()
    return Choice(
        "bf16" if bf16 < fp32 else "fp32", f"a convolution takes {bf16:.2f} ms in bf16, {fp32:.2f} ms in fp32"
    )


@cache
def convolution_ms() -> tuple[float, float]:
    """Time a 3x3 convolution of 16 images of 16x16 with 64 channels, and its gradients, on this CPU.

    Returns: milliseconds in fp32 and in bf16, measured in turn with the current number of threads. Draws no random
        numbers.
    """
    steps = [_convolution_step(dtype) for dtype in (torch.float32, torch.bfloat16)]
    seconds = [[_seconds(step) for step in steps] for _ in range(ROUNDS + 1)][1:]  # without the first, which prepares
    fp32, bf16 = (1000 * min(times) for times in zip(*seconds, strict=True))
    return fp32, bf16


def _convolution_step(dtype: torch.dtype) -> Callable[[], object]:
    x = torch.ones(16, 64, 16, 16, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()

    @torch.enable_grad()
    def step() -> object:
        return torch.autograd.grad(F.conv2d(x, weight, padding=1).sum(), (x, weight))

    return step


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def cpu_features() -> set[str]:
    """Return the vector and matrix extensions of this CPU that matter for speed; empty if they cannot be read."""
    relevant = {"avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve"}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    return relevant & set(text.split())
