"""Number formats: their names, support by a device, and the fastest one for training there."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from stylegan.errors import ConfigError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("auto", *DTYPES)


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
        raise ConfigError(f"precision {precision} does not work on {device} here; use {' or '.join(working)}.")


def best_precision(device: torch.device) -> str:
    """Return the fastest format for training: fp16 on a GPU, bf16 on a CPU with bf16 matrix units, else fp32."""
    if device.type == "cuda":
        return "fp16"
    return "bf16" if device.type == "cpu" and "amx_bf16" in cpu_features() else "fp32"


def cpu_features() -> set[str]:
    """Return the vector and matrix extensions of this CPU that matter for speed; empty if they cannot be read."""
    relevant = {"avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve"}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    return relevant & set(text.split())
