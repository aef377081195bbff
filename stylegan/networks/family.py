"""The generations by name: where the generator and the discriminator of each are."""

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
    """`Generator` of one of `ARCHITECTURES`; what data dictates, all take by the same names."""
    return import_module(f"stylegan.networks.{_MODULES[architecture]}").Generator


def discriminator_class(architecture: str) -> Any:
    """`Discriminator` of one of `ARCHITECTURES`."""
    return import_module(f"stylegan.networks.{_MODULES[architecture]}").Discriminator


def architecture_of(generator: nn.Module) -> str | None:
    """Which of `ARCHITECTURES` a generator is of, None for anything else; a form for inference is none."""
    for architecture in ARCHITECTURES:
        if type(generator).__module__ == f"stylegan.networks.{_MODULES[architecture]}":
            return architecture
    return None
