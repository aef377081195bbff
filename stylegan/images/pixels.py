"""Convert pixels between the floats of networks, bytes and Pillow."""

from __future__ import annotations

from PIL import Image
from torch import Tensor, float32, uint8

from stylegan.errors import NonFiniteError, ShapeError
from stylegan.ops.number_formats import wide

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


def as_bytes(images: Tensor) -> Tensor:
    """Return images of any shape as uint8: bytes as they are, and floats in [-1, 1] as `to_uint8` converts them.

    Raises: ShapeError for anything else, NonFiniteError for NaN and infinity, which no byte can show.
    """
    if not isinstance(images, Tensor):
        raise ShapeError(
            f"expected images as a tensor, got {type(images).__name__}; convert an array [H, W, C] with "
            "torch.from_numpy(array).permute(2, 0, 1)."
        )
    if images.dtype == uint8:
        return images
    if not images.is_floating_point():
        raise ShapeError(
            f"pixels are floats in [-1, 1] or uint8, got {images.dtype}; convert 0..255 with images.to(torch.uint8)."
        )
    images = wide(images.detach())
    if not bool(images.isfinite().all()):
        raise NonFiniteError("an image holds NaN or infinity, which has no color; draw it with an undamaged network.")
    return to_uint8(images)


def to_pil(image: Tensor) -> Image.Image:
    """One image [C, H, W], uint8 or floats in [-1, 1], to Pillow: 1 channel is gray, 3 are color, 4 color with alpha.

    Raises: ShapeError for another number of axes or channels, and as `as_bytes`.
    """
    image = as_bytes(image)
    if image.ndim != 3 or image.shape[0] not in MODES:
        raise ShapeError(
            f"an image has the shape [C, H, W] with 1, 3 or 4 channels, got {list(image.shape)}{_remedy(image)}."
        )
    pixels = image.cpu().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels[:, :, 0] if image.shape[0] == 1 else pixels)


def _remedy(image: Tensor) -> str:
    if image.ndim == 2:
        return "; add the channel with image[None]"
    if image.ndim == 3 and image.shape[2] in MODES:
        return "; move the channels to the front with image.permute(2, 0, 1)"
    return "; choose one of them, such as images[0]" if image.ndim == 4 else ""
