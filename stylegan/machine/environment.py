"""Where a run computes: what must stay the same for a resumed run to repeat an uninterrupted one bit for bit."""

from __future__ import annotations

import platform
import warnings
from typing import Any

import torch

from stylegan import __version__

# What decides how sums are rounded, and who draws which random numbers.
_ROUNDING = {"device": "device", "processes": "number of processes", "torch": "PyTorch", "stylegan": "stylegan"}
_ROUNDING_CPU = {"threads": "number of threads", "cpu": "CPU instructions"}


def environment(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """Versions and machine, for the record beside a snapshot."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "stylegan": __version__,
    }


def warn_if_changed(before: dict[str, Any], now: dict[str, Any]) -> None:
    """One warning if a run goes on where numbers come out differently in the last digits."""
    names = _ROUNDING | (_ROUNDING_CPU if now["device"] == "cpu" else {})
    changes = [f"{word} {before.get(k)} -> {now[k]}" for k, word in names.items() if before.get(k) != now[k]]
    if changes:
        message = "the run goes on, but not bit for bit as it would have without the stop"
        warnings.warn(f"{message}: {', '.join(changes)}.", RuntimeWarning, stacklevel=2)
