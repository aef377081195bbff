"""Where the image of a StyleGAN3 stands: the transform of the canvas that its Fourier features are sampled on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike


def inverse_transform(x: float = 0.0, y: float = 0.0, degrees: float = 0.0) -> Tensor:
    """Turn an image about its center, counter-clockwise, then move it; as the matrix that the network takes.

    Args:
        x, y: to the right and down, in image widths.
        degrees: 90 brings what is on the right to the top.
    Returns: [3, 3] float64 that takes a place on the result, counted from the center, to the place that it shows.
    """
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    forward = [[c, s, x], [-s, c, y], [0.0, 0.0, 1.0]]  # y points down, so this turns against the clock
    return torch.tensor(forward, dtype=torch.float64).inverse()


def transform_of(G: GeneratorLike) -> Tensor:
    """The buffer [3, 3] that holds this matrix: copy into it, and every later image of `G` is moved.

    Raises: ConfigError for a network that has none.
    """
    transform = getattr(getattr(G.synthesis, "input", None), "transform", None)
    if not isinstance(transform, Tensor):
        raise ConfigError("only images of a StyleGAN3 network can be moved and turned, and this is another network.")
    return transform
