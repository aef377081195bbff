"""The generations by name, with the classes of their generators and discriminators."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import nn

_MODULES = {
    "progan": "progan",
    "stylegan1": "stylegan1",
    "stylegan2": "stylegan2",
    "stylegan3": "stylegan3",
    "minimal": "minimal_gan",
}
ARCHITECTURES = tuple(_MODULES)


def generator_class(architecture: str) -> Any:
    """Return the `Generator` of one of `ARCHITECTURES`. All take `c_dim`, `img_resolution` and `img_channels`."""
    return import_module(f"stylegan.networks.{_MODULES[architecture]}").Generator


def discriminator_class(architecture: str) -> Any:
    """Return the `Discriminator` of one of `ARCHITECTURES`."""
    return import_module(f"stylegan.networks.{_MODULES[architecture]}").Discriminator


def architecture_of(generator: nn.Module) -> str | None:
    """Return the name among `ARCHITECTURES` of a generator; None for anything else, such as one for inference."""
    for architecture in ARCHITECTURES:
        if type(generator).__module__ == f"stylegan.networks.{_MODULES[architecture]}":
            return architecture
    return None
