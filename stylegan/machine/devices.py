"""The device on which networks compute."""

from __future__ import annotations

import torch

from stylegan.errors import StyleGANError


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; "auto" is a CUDA GPU if this machine has one, else Apple's MPS, else the CPU.

    Raises: StyleGANError if this machine has no such device.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        if str(device) == "meta":
            raise RuntimeError("it holds no numbers")
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise StyleGANError(f"`device` {str(device)!r} is not available here; set `device` to cpu or auto.") from error
