"""Convert pixels between the floats of networks, bytes and Pillow."""

from __future__ import annotations

from PIL import Image
from torch import Tensor, float32, uint8

from stylegan.errors import ShapeError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's mode


def to_uint8(img: Tensor) -> Tensor:
    """[-1, 1] to 0..255 with the official tools' rounding: x * 127.5 + 128, clamped, fraction dropped.

    img [N, C, H, W] float -> [N, C, H, W] uint8
    """
    return (img * 127.5 + 128).clamp(0, 255).to(uint8)


def to_float(images: Tensor) -> Tensor:
    """[0, 255] to [-1, 1], as networks take images: x / 127.5 - 1.

    images uint8 of any shape -> float32 of the same shape
    """
    return images.to(float32) / 127.5 - 1


def to_pil(image: Tensor) -> Image.Image:
    """One image [C, H, W] uint8 to Pillow: 1 channel stays gray, 3 are color, 4 color with alpha.

    Raises: ShapeError for another number of axes or channels.
    """
    if image.ndim != 3 or image.shape[0] not in MODES:
        raise ShapeError(f"an image has the shape [C, H, W] with 1, 3 or 4 channels, got {list(image.shape)}.")
    pixels = image.cpu().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels[:, :, 0] if image.shape[0] == 1 else pixels)
