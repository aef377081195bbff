"""Image files as a network would draw them: square, of its size and channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import DataError
from stylegan.images.read import read_image
from stylegan.images.resize import center_crop, to_channels
from stylegan.networks.protocol import GeneratorLike

REC_601 = (0.299, 0.587, 0.114)  # weights of red, green and blue in a gray value


def read_target(file: Path | str, G: GeneratorLike) -> Tensor:
    """Read an image for the projector, see `as_target`. Raises: DataError for a file that is not an image."""
    try:
        return as_target(read_image(Path(file)), G)
    except DataError as error:
        raise DataError(f"{file} cannot be projected: {error}.") from error


def as_target(image: np.ndarray, G: GeneratorLike) -> Tensor:
    """Return the largest centered square of an image, resized and with the channels of `G`.

    Colors become gray by the weights of Rec. 601 for a network that draws gray.

    Args:
        image: [H, W, 1, 3 or 4] uint8.
    Returns: [C, R, R] uint8.
    """
    return fitted(image, G.img_resolution, G.img_channels)


def fitted(image: np.ndarray, side: int, channels: int) -> Tensor:
    """Return the largest centered square of an image, uint8 [H, W, C], as uint8 [channels, side, side]."""
    image = center_crop(image, side, side)
    pixels = torch.from_numpy(to_channels(image, max(channels, image.shape[2] if image.shape[2] < 4 else 3)))
    pixels = pixels.permute(2, 0, 1)
    if channels == 1 and pixels.shape[0] == 3:
        pixels = (pixels.float() * torch.tensor(REC_601).view(3, 1, 1)).sum(0, keepdim=True).round().byte()
    return pixels.contiguous()


def read_mask(file: Path | str, G: GeneratorLike) -> Tensor:
    """Read a mask for the projector, which is cropped and resized as the target is.

    Returns: [1, 1, R, R] float32, 1 where the file is bright and 0 elsewhere.
    Raises: DataError for a file that is not an image, or that is dark everywhere.
    """
    bright = (read_target(file, G).float().mean(0) >= 128).float()
    if not bright.any():
        raise DataError(f"the mask {file} is black everywhere; make it white where the image is known.")
    return bright[None, None]
