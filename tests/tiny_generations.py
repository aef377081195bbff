"""Tiny networks of every generation with invented weights, for properties that all of them share."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import pytest
from golden import fill

from stylegan.networks import minimal_gan, progan, r3gan, stylegan1, stylegan2, stylegan3

_PYRAMID = {"img_resolution": 16, "channel_base": 64, "channel_max": 8}
_STYLED = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2}
_MODULES: dict[str, tuple[ModuleType, dict[str, Any], dict[str, Any]]] = {
    "progan": (progan, {"z_dim": 8, **_PYRAMID}, _PYRAMID),
    "stylegan1": (stylegan1, {**_STYLED, **_PYRAMID}, _PYRAMID),
    "stylegan2": (stylegan2, {**_STYLED, **_PYRAMID}, _PYRAMID),
    "stylegan3": (stylegan3, {**_STYLED, **_PYRAMID, "num_layers": 4}, _PYRAMID),
    "minimal": (
        minimal_gan,
        {"z_dim": 8, "w_dim": 8, "img_resolution": 16, "n_features": 4, "max_features": 8},
        {"img_resolution": 16, "n_features": 4, "max_features": 8},
    ),
    "r3gan": (r3gan, {"z_dim": 8, "group_size": 4, **_PYRAMID}, {"group_size": 4, **_PYRAMID}),
}
EVERY_GENERATION = pytest.mark.parametrize("name", _MODULES)
CONDITIONAL = pytest.mark.parametrize("name", sorted(set(_MODULES) - {"minimal"}))


def generator(name: str, **options: Any):
    """Return a new generator of 16x16 images with z [N, 8]."""
    module, settings, _ = _MODULES[name]
    return fill(module.Generator(**settings, **options)).requires_grad_(False)


def discriminator(name: str, **options: Any):
    """Return a new discriminator of 16x16 images."""
    module, _, settings = _MODULES[name]
    return fill(module.Discriminator(**settings, **options)).requires_grad_(False)


shared_generator = cache(generator)  # for tests that leave it as it is
