"""The StyleGAN family: train, generate, mix, inspect.

    >>> import stylegan
    >>> G = stylegan.load("runs/00000-stylegan2-faces64-batch16-gamma2")
    >>> img = G(stylegan.latents([0, 1], G.z_dim), truncation_psi=0.7, noise_mode="const")

Importing this package imports nothing heavy; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_PUBLIC = {
    "Checkpoint": "stylegan.checkpoints",
    "errors": "stylegan.errors",
    "latents": "stylegan.sampling.latents",
    "load": "stylegan.checkpoints",
    "load_checkpoint": "stylegan.checkpoints",
    "save": "stylegan.checkpoints",
}
__all__ = ["Checkpoint", "errors", "latents", "load", "load_checkpoint", "save"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'stylegan' has no attribute {name!r}")
    module = import_module(_PUBLIC[name])
    return module if module.__name__ == f"stylegan.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
