"""Make one image of any size a square image of the size of the data set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from stylegan.errors import DataError
from stylegan.images.align import face_crop

Transform = Callable[[np.ndarray, int, int, str], np.ndarray]  # uint8 [H, W, C], width, height, filter -> uint8 square
# The official tools have the last two, with antialiasing too; the 256 px sets of the papers were made with box.
FILTERS = ("bicubic", "lanczos", "box")


def resize(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Resample uint8 [H, W, C] to uint8 [height, width, C] with one of `FILTERS`; unchanged if it has that size."""
    if img.shape[:2] == (height, width):
        return img
    if resampling != "bicubic":
        return _resize_by_pillow(img, width, height, Image.Resampling[resampling.upper()])
    x = torch.from_numpy(img if img.flags.writeable else img.copy()).permute(2, 0, 1)[None]  # [1, C, H, W]
    if img.shape[2] == 4:
        return _to_image(_resize_rgba(x, width, height))
    # Straight on bytes, which rounds and clips by itself and is 15 times faster than through floats.
    return _to_image(_interpolate(x, width, height))


def _resize_by_pillow(img: np.ndarray, width: int, height: int, resampling: Image.Resampling) -> np.ndarray:
    one_channel = img.shape[2] == 1
    resized = Image.fromarray(img[:, :, 0] if one_channel else img).resize((width, height), resampling)
    return np.array(resized).reshape(height, width, img.shape[2])  # Pillow weighs colors by alpha too


def _resize_rgba(x: torch.Tensor, width: int, height: int) -> torch.Tensor:
    # Colors are weighed by alpha, or the unseen color of transparent pixels would bleed into the edges.
    # First the width, band by band of rows: floats of a whole large image would take gigabytes.
    bands = x.split(max((1 << 22) // x.shape[3], 1), dim=2)
    narrow = torch.cat([_interpolate(_weighed(band.float()), width, band.shape[2]) for band in bands], dim=2)
    y = _interpolate(narrow, width, height)
    return torch.cat([y[:, :3] * 255 / y[:, 3:].clamp(min=1), y[:, 3:]], dim=1).round().clamp(0, 255).byte()


def _weighed(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[:, :3] * x[:, 3:] / 255, x[:, 3:]], dim=1)


def _interpolate(x: torch.Tensor, width: int, height: int) -> torch.Tensor:
    # Bicubic with antialiasing keeps fine texture that bilinear (a triangle filter) would blur, and the
    # discriminator judges texture. Its small overshoot at edges is clipped.
    return F.interpolate(x, (height, width), mode="bicubic", antialias=True, align_corners=False)


def _to_image(x: torch.Tensor) -> np.ndarray:
    return x[0].permute(1, 2, 0).numpy()


def keep_exact(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Return an image of the right size unchanged; raise DataError for any other."""
    if img.shape[:2] != (height, width):
        raise DataError(f"it is {_size(img)} where the set is {width}x{height}; set `resolution` to resize it")
    return img


def keep_whole(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Resize a square image; raise DataError for any other, since squeezing would distort it."""
    if img.shape[0] != img.shape[1]:
        raise DataError(f"it is {_size(img)}, not square; set `transform` to center-crop to take its middle")
    return resize(img, width, height, resampling)


def center_crop(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Cut out the largest centered square, then resize."""
    side = min(img.shape[:2])
    top, left = (img.shape[0] - side) // 2, (img.shape[1] - side) // 2
    return resize(img[top : top + side, left : left + side], width, height, resampling)


def center_crop_wide(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Make a width x height image and paste it in the middle of a black width x width square.

    The rows kept are the middle round(width * H / W) of the image's H, which is what the official data sets of
    cars were made with; it changes the aspect ratio of an image that is much wider than `width`.

    Raises: DataError for an image narrower than `width` or with fewer than `height` such rows.
    """
    rows = int(np.rint(width * img.shape[0] / img.shape[1]))
    if img.shape[1] < width or rows < height:
        raise DataError(f"it is {_size(img)}, too small or too wide for center-crop-wide at {width}x{height}")
    band = img[(img.shape[0] - rows) // 2 : (img.shape[0] + rows) // 2]
    square = np.zeros((width, width, img.shape[2]), np.uint8)
    square[:, :, 3:] = 255  # the bars are black and not transparent
    top = (width - height) // 2
    square[top : top + height] = resize(band, width, height, resampling)
    return square


TRANSFORMS: dict[str | None, Transform] = {
    None: keep_whole,
    "center-crop": center_crop,
    "center-crop-wide": center_crop_wide,
    "face": face_crop,
}


def to_channels(img: np.ndarray, channels: int) -> np.ndarray:
    """Convert uint8 [H, W, C] to the number of channels of the set; gray sets must have no color.

    Without a channel for it, transparency is put on white, as a page shows it.
    """
    if img.shape[2] == 4 and channels < 4:
        img = on_white(img)
    if img.shape[2] == 1 and channels > 1:
        img = img.repeat(3, axis=2)
    if img.shape[2] == 3 and channels == 4:
        img = np.dstack([img, np.full(img.shape[:2], 255, np.uint8)])
    return img[:, :, :channels]


def has_transparency(img: np.ndarray) -> bool:
    """Return whether any pixel of uint8 [H, W, C] is transparent."""
    return img.shape[2] == 4 and bool(img[:, :, 3].min() < 255)


def on_white(img: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 4] -> [H, W, 3] as it looks on a white page; opaque pixels are unchanged."""
    color, alpha = img[:, :, :3].astype(np.uint32), img[:, :, 3:].astype(np.uint32)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _size(img: np.ndarray) -> str:
    return f"{img.shape[1]}x{img.shape[0]}"
