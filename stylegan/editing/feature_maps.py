"""Feature maps of a synthesis network, read while it draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.inversion.projector import feature_shapes
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latent import Latent, synthesize


@dataclass(frozen=True)
class Layer:
    """A layer whose feature maps can be seen and bent.

    Attributes:
        name: in the synthesis network.
        channels: number of feature maps.
        size: pixels per side that cover the image.
        margin: pixels beyond the image at each side, in StyleGAN3.
    """

    name: str
    channels: int
    size: int
    margin: int

    @property
    def extent(self) -> float:
        """Side of the maps in image widths."""
        return (self.size + 2 * self.margin) / self.size


def layers_of(G: FamilyGenerator) -> list[Layer]:
    """Return the styled layers of a network in order. A network without styles, such as ProGAN, has none."""
    margin = getattr(G.settings, "margin_size", 0)
    found = []
    for name, (channels, side, _) in feature_shapes(G).items():
        own = 0 if side == G.img_resolution else margin  # the last layers of StyleGAN3 have none
        found.append(Layer(name, channels, side - 2 * own, own))
    return found


class FeatureMaps:
    """The feature maps of one layer of a generator, which cover the image.

    The layer is the last styled one with at most `resolution` pixels per side. The margins of StyleGAN3, which reach
    beyond the image, are cut off. Layers behind it are not computed.

    Raises: ConfigError for a network without such a layer.
    """

    def __init__(self, G: FamilyGenerator, resolution: int):
        self.synthesis = G.synthesis
        fitting = [layer for layer in layers_of(G) if layer.size <= resolution]
        if not fitting:
            raise ConfigError(
                f"this network has no styled layer of at most {resolution} pixels, whose features show it."
            )
        last = fitting[-1]
        self.layer, self.channels, self.size, self.margin = last.name, last.channels, last.size, last.margin

    def __call__(self, ws: Tensor, latent: Latent | None = None) -> Tensor:
        """Return the maps [N, channels, size, size] for ws [N, num_ws, w_dim], differentiable.

        latent: its offsets and noise are those of the images.
        """
        found: list[Tensor] = []

        def keep(module: Any, args: Any, output: Tensor) -> None:
            found.append(output)
            raise _Reached

        offsets = {} if latent is None else latent.offsets
        handle = self.synthesis.get_submodule(self.layer).register_forward_hook(keep)
        try:
            synthesize(self.synthesis, ws, offsets, {} if latent is None else latent.noise)
        except _Reached:
            pass
        finally:
            handle.remove()
        maps = found[0].to(torch.float32)
        if self.layer in offsets:  # are added behind this hook
            maps = maps + offsets[self.layer].to(maps)
        return maps[..., self.margin : maps.shape[-2] - self.margin, self.margin : maps.shape[-1] - self.margin]


class _Reached(Exception):
    """The layer has been computed, and nothing behind it is needed."""
