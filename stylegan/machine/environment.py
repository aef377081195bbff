"""The environment of a run: what must not change if a resumed run is to equal an uninterrupted one bit for bit."""

from __future__ import annotations

import platform
import warnings
from typing import Any

import torch

from stylegan import __version__

# These determine how sums are rounded and which process draws which random numbers.
_ROUNDING = {"device": "device", "processes": "number of processes", "torch": "PyTorch", "stylegan": "stylegan"}
_ROUNDING_CPU = {"threads": "number of threads", "cpu": "CPU instructions"}


def environment(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """Return the versions and the properties of the machine that a snapshot records."""
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
    """Warn, once, if results will differ in the last digits from those in the environment `before`."""
    names = _ROUNDING | (_ROUNDING_CPU if now["device"] == "cpu" else {})
    changes = [f"{word} {before.get(k)} -> {now[k]}" for k, word in names.items() if before.get(k) != now[k]]
    if changes:
        message = "the resumed run will not equal an uninterrupted one bit for bit"
        warnings.warn(f"{message}: {', '.join(changes)}.", RuntimeWarning, stacklevel=2)
