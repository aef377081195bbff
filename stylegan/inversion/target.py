"""Image files as a network would draw them: square, of its size and channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ConfigError, DataError
from stylegan.images.align import align_face
from stylegan.images.read import EXTENSIONS, read_image
from stylegan.images.resize import center_crop, to_channels
from stylegan.networks.protocol import GeneratorLike

FITS = ("crop", "pad", "face")
REC_601 = (0.299, 0.587, 0.114)  # weights of red, green and blue in a gray value


def read_target(file: Path | str, G: GeneratorLike, fit: str = "crop") -> Tensor:
    """Read an image for the projector, see `as_target`. Raises: DataError for a file that is not an image."""
    try:
        return as_target(read_image(Path(file)), G, fit)
    except DataError as error:
        raise DataError(f"{file} cannot be projected: {error}.") from error


def read_targets(folder: Path | str, G: GeneratorLike, fit: str = "crop") -> Tensor:
    """Read all images of a folder, or one image, in the order of their names, [N, C, R, R] uint8.

    Raises: DataError for a folder without images, or a file with the suffix of an image that is none.
    """
    folder = Path(folder)
    files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    images = [file for file in files if file.suffix.lower() in EXTENSIONS]
    if not images:
        raise DataError(f"{folder} has no images; put some into it, such as .png or .jpg.")
    return torch.stack([read_target(file, G, fit) for file in images])


def as_target(image: np.ndarray, G: GeneratorLike, fit: str = "crop") -> Tensor:
    """Return an image as a square, resized and with the channels of `G`.

    Colors become gray by the weights of Rec. 601 for a network that draws gray.

    Args:
        image: [H, W, 1, 3 or 4] uint8.
        fit: "crop" takes the largest centered square, "pad" keeps the whole image and repeats its edges around it, and
            "face" cuts out the largest face as the data sets CelebA-HQ and FFHQ do.
    Returns: [C, R, R] uint8.
    Raises: ConfigError for another `fit`; for "face" as `align_face`.
    """
    return fitted(image, G.img_resolution, G.img_channels, fit)


def fitted(image: np.ndarray, side: int, channels: int, fit: str = "crop") -> Tensor:
    """Return an image made square as `as_target` does, uint8 [H, W, C], as uint8 [channels, side, side]."""
    if fit not in FITS:
        raise ConfigError(f"an image is made square by {' or '.join(FITS)}, got {fit!r}.")
    if fit == "pad":
        longest = max(image.shape[:2])
        before = [(longest - length) // 2 for length in image.shape[:2]]
        image = np.pad(
            image,
            [*((b, longest - length - b) for b, length in zip(before, image.shape[:2], strict=True)), (0, 0)],
            "edge",
        )
    image = align_face(image, side) if fit == "face" else center_crop(image, side, side)
    pixels = torch.from_numpy(to_channels(image, max(channels, image.shape[2] if image.shape[2] < 4 else 3)))
    pixels = pixels.permute(2, 0, 1)
    if channels == 1 and pixels.shape[0] == 3:
        pixels = (pixels.float() * torch.tensor(REC_601).view(3, 1, 1)).sum(0, keepdim=True).round().byte()
    return pixels.contiguous()


def read_mask(file: Path | str, G: GeneratorLike, fit: str = "crop") -> Tensor:
    """Read a mask for the projector, which is made square and resized as the target is.

    Returns: [1, 1, R, R] float32, 1 where the file is bright and 0 elsewhere.
    Raises: DataError for a file that is not an image, or that is dark everywhere; ConfigError for the fit "face".
    """
    if fit == "face":
        raise ConfigError("a mask has no face to fit; crop the image and the mask alike, and set `fit` to crop or pad.")
    bright = (read_target(file, G, fit).float().mean(0) >= 128).float()
    if not bright.any():
        raise DataError(f"the mask {file} is black everywhere; make it white where the image is known.")
    return bright[None, None]
