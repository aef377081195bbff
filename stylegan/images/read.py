"""Read one image file. Every fault of the file becomes one clause that a report can print."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from stylegan.errors import DataError

# Named one by one: Pillow would also try formats that start other programs (EPS) or have no signature at all.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
EXTENSIONS = {".bmp", ".gif", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png"} | {
    ".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff", ".webp"
}  # fmt: skip
CONVERTIBLE = {  # formats of photos that are not read; extension -> name
    **{".heic": "HEIC", ".heif": "HEIC", ".hif": "HEIC", ".avif": "AVIF", ".jxl": "JPEG XL", ".psd": "Photoshop"},
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"), "camera raw"),
}
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIC", b"avif": "AVIF", b"avis": "AVIF"}
MAX_PIXELS = 89_478_485  # Pillow's own limit, beyond which it suspects a decompression bomb
MAX_BYTES = 6 * MAX_PIXELS  # of a file: that many pixels of 16-bit RGB as they are

_BAND_PIXELS = 1 << 22  # converted at once

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_DEEP_GRAY = {"I", "I;16", "I;16L", "I;16B", "I;16N"}

_IGNORE_PILLOW = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # an entry of `warnings.filters`
_readers_lock = threading.Lock()
_readers = 0  # threads that are reading an image


@dataclass(frozen=True)
class Header:
    """Properties of an image file that are known before its pixels are decoded."""

    width: int
    height: int
    channels: int  # 1 gray, 3 RGB, 4 RGBA: what `read_image` will return
    color: bool  # False for gray with alpha too


def read_header(file: Path | BinaryIO) -> Header:
    """Read the properties of an image without decoding it.

    Raises: DataError as `read_image` does, for faults that the header shows.
    """
    with _opened(file) as image:
        channels = _channels(image)
        return Header(image.width, image.height, channels, color=channels > 1 and image.mode not in ("LA", "La"))


def read_image(file: Path | BinaryIO) -> np.ndarray:
    """Decode the first frame of an image, rotated as its EXIF orientation says.

    Gray stays gray, 16 bits are scaled to 8, a palette becomes RGB, transparency of any kind becomes an alpha
    channel, and all other color spaces (CMYK, YCbCr, Lab) become RGB. ICC profiles are not applied.

    Args:
        file: a path or a seekable binary file in one of `FORMATS`.
    Returns: [H, W, C] uint8 with C = 1, 3 or 4.
    Raises: DataError if it is not an image, truncated, damaged, floating-point or has more than `MAX_PIXELS` or
        `MAX_BYTES`.
        The message is a clause about "it", for the caller to put the file's name before.
    """
    with _opened(file) as image:
        channels = _channels(image)
        white, inverted = _deep_white(image)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        pixels = np.empty((image.height, image.width, channels), np.uint8)
        # Band by band, or the copies on the way from Pillow would take several times the memory of a large image.
        rows = max(_BAND_PIXELS // image.width, 1)
        for top in range(0, image.height, rows):
            band = image.crop((0, top, image.width, min(top + rows, image.height)))
            if image.mode in _DEEP_GRAY:
                part = _eight_bits(np.asarray(band), white)
            else:
                part = np.asarray(band if band.mode == _MODES[channels] else band.convert(_MODES[channels]))
            pixels[top : top + rows] = part.reshape(*part.shape[:2], channels)
        if image.format == "PNG":
            _verify_checksums(file)
        return 255 - pixels if inverted else pixels


def unpacks_too_far(packed: int, unpacked: int) -> bool:
    """Return whether an entry of an archive is a decompression bomb, which only images below 64 MiB may resemble."""
    return unpacked > max(1 << 26, 100 * packed)


@contextmanager
def _opened(file: Path | BinaryIO) -> Iterator[Image.Image]:
    try:
        if isinstance(file, Path) and file.stat().st_size > MAX_BYTES:
            raise DataError(f"it has {file.stat().st_size} bytes, more than the limit of {MAX_BYTES}")
        with _pillow_silenced(), Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"it has {image.width}x{image.height} pixels, more than the limit of {MAX_PIXELS}")
            yield image
    except DataError:
        raise
    except UnidentifiedImageError:
        if form := _convertible(file):
            raise DataError(convert_first(form)) from None
        raise DataError(f"it is empty, damaged or not one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"it has more than the limit of {MAX_PIXELS} pixels") from None
    except Exception as error:  # a damaged file makes Pillow's plugins raise nearly anything
        raise DataError(f"it cannot be read ({error or type(error).__name__})") from error


def convert_first(form: str) -> str:
    """Return the reason why an image in this format of `CONVERTIBLE` is not read, and what to do."""
    return f"its format {form} is not read; convert it to PNG or JPEG, for example with: magick IN OUT.png"


def _convertible(file: Path | BinaryIO) -> str | None:
    """Return the format of `CONVERTIBLE` that the first bytes of a file show; phones give such files any extension."""
    try:
        with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
            stream.seek(0)
            first = stream.read(12)
    except OSError:
        return None
    return _BRANDS.get(first[8:12]) if first[4:8] == b"ftyp" else None


@contextmanager
def _pillow_silenced() -> Iterator[None]:
    """Ignore Pillow's warnings about odd EXIF and large images; the outcome is reported anyway.

    The filter remains while any thread is in such a block. `warnings.catch_warnings` exchanges the filters of all
    threads, so that blocks which overlap leave the wrong ones behind; and like `warnings.filterwarnings` it makes
    Python repeat the warnings of others that it would show once.
    """
    global _readers
    with _readers_lock:
        _readers += 1
        if _readers == 1:
            _filters().insert(0, _IGNORE_PILLOW)
    try:
        yield
    finally:
        with _readers_lock:
            _readers -= 1
            if _readers == 0:
                # All of them: a `catch_warnings` elsewhere may have put back a list that still had one.
                _filters()[:] = [entry for entry in _filters() if entry != _IGNORE_PILLOW]


def _filters() -> list:
    return warnings.filters  # type: ignore[return-value]  # a list, which typeshed declares as any sequence


def _verify_checksums(file: Path | BinaryIO) -> None:
    """Check the checksums of the pixels of a PNG, which Pillow ignores while it decodes."""
    if not isinstance(file, Path):
        file.seek(0)
    with Image.open(file, formats=("PNG",)) as image:
        image.verify()


def _channels(image: Image.Image) -> int:
    if image.mode == "F":
        raise DataError("it holds floating-point pixels, whose black and white are not known; save it with 8 bits")
    if image.mode in _DEEP_GRAY:
        return 1
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return 4
    return 1 if image.mode in ("1", "L") else 3


def _deep_white(image: Image.Image) -> tuple[int, bool]:
    """The value of white in an image of more than 8 bits, and whether that value means black instead.

    Pillow scales and inverts other formats to 16 bits, but leaves those values of a TIFF as they are.
    """
    if image.mode not in _DEEP_GRAY or not isinstance(image, TiffImageFile):
        return 65535, False
    bits, photometric = image.tag_v2.get(258, (16,)), image.tag_v2.get(262)
    return (4095 if bits == (12,) else 65535), photometric == 0


def _eight_bits(gray: np.ndarray, white: int) -> np.ndarray:
    # Mode I is 32 bits wide, but the formats that hold images (PNG, PGM) fill 16 of them.
    if gray.min() < 0 or gray.max() > 65535:
        raise DataError("it holds 32-bit pixels, whose black and white are not known; save it with 8 or 16 bits")
    return ((gray.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)  # rounded to nearest
