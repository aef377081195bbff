"""Where networks compute."""

from __future__ import annotations

import torch

from stylegan.errors import StyleGANError


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" is a GPU where there is one, else the CPU. Raises StyleGANError for a device that is not there."""
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        if str(device) == "meta":
            raise RuntimeError("it holds no numbers")
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise StyleGANError(f"device {str(device)!r} is not available here; use --device cpu or auto.") from error
