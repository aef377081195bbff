"""The transform of a StyleGAN3: the position and rotation of the plane on which it samples its Fourier features."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike


def inverse_transform(x: float = 0.0, y: float = 0.0, degrees: float = 0.0) -> Tensor:
    """Return the matrix with which a network rotates an image counter-clockwise about its center, then shifts it.

    Args:
        x, y: shift to the right and down, in image widths.
        degrees: rotation; 90 brings the right side of the image to the top.
    Returns: [3, 3] float64 that maps a position in the result, relative to the center, to the position it shows.
    """
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    forward = [[c, s, x], [-s, c, y], [0.0, 0.0, 1.0]]  # y points down, so this is counter-clockwise
    return torch.tensor(forward, dtype=torch.float64, device="cpu").inverse()


def transform_of(G: GeneratorLike) -> Tensor:
    """Return the buffer [3, 3] that holds this matrix; a matrix copied into it moves all later images of `G`.

    Raises: ConfigError for a network without a transform.
    """
    transform = getattr(getattr(G.synthesis, "input", None), "transform", None)
    if not isinstance(transform, Tensor):
        raise ConfigError("only images of a StyleGAN3 can be shifted and rotated, and this is another network.")
    return transform
