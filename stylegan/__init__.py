"""The StyleGAN family: train networks on images, and draw new images with them.

    >>> import stylegan
    >>> G = stylegan.load("avatars64")  # ships with the library; or a run, or NVIDIA's ffhq.pkl
    >>> images = stylegan.generate(G, range(8), psi=0.7)
    >>> stylegan.save_png(stylegan.grid(images), "out/grid.png")

Importing this package does not import PyTorch; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylegan import augment as augment
    from stylegan import checkpoints as checkpoints
    from stylegan import data as data
    from stylegan import editing as editing
    from stylegan import errors
    from stylegan import files as files
    from stylegan import images as images
    from stylegan import inference as inference
    from stylegan import inversion as inversion
    from stylegan import losses as losses
    from stylegan import machine as machine
    from stylegan import metrics as metrics
    from stylegan import minimal as minimal
    from stylegan import models as models
    from stylegan import networks as networks
    from stylegan import ops as ops
    from stylegan import runs as runs
    from stylegan import sampling as sampling
    from stylegan import studio as studio
    from stylegan import training as training
    from stylegan.checkpoints import Checkpoint, load, load_checkpoint, save
    from stylegan.data.prepare import prepare
    from stylegan.images.grid import grid
    from stylegan.images.png import save_png
    from stylegan.sampling.generate import generate
    from stylegan.sampling.latents import latents
    from stylegan.training.run import train

__version__ = "0.1.0.dev0"

__all__ = [
    "Checkpoint",
    "errors",
    "generate",
    "grid",
    "latents",
    "load",
    "load_checkpoint",
    "prepare",
    "save",
    "save_png",
    "train",
]

_MODULES = {
    "Checkpoint": "stylegan.checkpoints",
    "generate": "stylegan.sampling.generate",
    "grid": "stylegan.images.grid",
    "latents": "stylegan.sampling.latents",
    "load": "stylegan.checkpoints",
    "load_checkpoint": "stylegan.checkpoints",
    "prepare": "stylegan.data.prepare",
    "save": "stylegan.checkpoints",
    "save_png": "stylegan.images.png",
    "train": "stylegan.training.run",
}

_SUBMODULES = (
    "augment",
    "checkpoints",
    "data",
    "editing",
    "errors",
    "files",
    "images",
    "inference",
    "inversion",
    "losses",
    "machine",
    "metrics",
    "minimal",
    "models",
    "networks",
    "ops",
    "runs",
    "sampling",
    "studio",
    "training",
)

if not TYPE_CHECKING:  # a type checker reads the imports above, and refuses any other name

    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            return import_module(f"stylegan.{name}")
        if name not in _MODULES:
            raise AttributeError(f"module 'stylegan' has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)

    def __dir__() -> list[str]:
        return sorted({*__all__, *_SUBMODULES, *(name for name in globals() if name.startswith("__"))})
