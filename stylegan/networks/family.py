"""The generations by name, with the classes of their generators, and the discriminators that a run can have."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from torch import nn

from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator

_MODULES = {
    "progan": "progan",
    "stylegan1": "stylegan1",
    "stylegan2": "stylegan2",
    "stylegan3": "stylegan3",
    "minimal": "minimal_gan",
    "r3gan": "r3gan",
}
ARCHITECTURES = tuple(_MODULES)
DISCRIMINATORS = ("own", "projected")  # that of the generation, or that of `networks.projected`


def generator_class(architecture: str) -> type[FamilyGenerator]:
    """Return the `Generator` of one of `ARCHITECTURES`. All take `c_dim`, `img_resolution` and `img_channels`."""
    generator: type[FamilyGenerator] = _module(architecture).Generator
    return generator


def discriminator_class(architecture: str, kind: str = "own") -> type[FamilyDiscriminator]:
    """Return the `Discriminator` for the generator of one of `ARCHITECTURES`; `kind` is one of `DISCRIMINATORS`."""
    module = import_module("stylegan.networks.projected") if kind == "projected" else _module(architecture)
    discriminator: type[FamilyDiscriminator] = module.Discriminator
    return discriminator


def architecture_of(generator: nn.Module) -> str | None:
    """Return the name among `ARCHITECTURES` of a generator; None for anything else, such as one for inference."""
    for architecture in ARCHITECTURES:
        if type(generator).__module__ == f"stylegan.networks.{_MODULES[architecture]}":
            return architecture
    return None


def _module(architecture: str) -> ModuleType:
    return import_module(f"stylegan.networks.{_MODULES[architecture]}")
