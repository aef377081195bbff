"""A stream of images to something that moves: GIF, animated WebP, or a folder of numbered PNG files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from PIL import Image, ImageChops, ImageStat
from torch import Tensor

from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.paths import local_path
from stylegan.images.mp4 import require_av, write_mp4
from stylegan.images.pixels import to_pil
from stylegan.images.png import make_folder, save_png
from stylegan.images.webp import write_webp

MAX_GIF_FPS = 50  # browsers play anything faster at 10 images a second
PALETTE_PX = 64  # the colors of a GIF frame are chosen from images of at most this many pixels per side
PALETTE_SLACK = 1.2  # and are chosen again once they are this many times as far off as when they were chosen


def check_video(dest: str | Path, fps: float = 30) -> str:
    """Return the format that `save_video` would write: ".gif", ".webp", ".mp4" or "folder".

    Raises: MissingExtra for an .mp4 without PyAV; ConfigError for another ending or a speed that the format does not
        have; OutputError for a folder that already holds frames, which the end of a longer loop would be mixed up with.
    """
    path = local_path(dest)
    if not 0 < fps <= 1000:
        raise ConfigError(f"fps must be above 0 and at most 1000 images a second, got {fps:g}.")
    if path.is_dir() or not path.suffix or str(dest).endswith(("/", os.sep)):
        if any(path.glob("frame[0-9]*.png")):
            raise OutputError(f"the folder {path} already holds frames; empty it or name another one.")
        return "folder"
    kind = path.suffix.lower()
    if kind not in (".gif", ".webp", ".mp4"):
        raise ConfigError(f"the loop can be a .gif, a .webp, an .mp4 or a folder of PNG frames, got {path}.")
    if kind == ".mp4":
        require_av()
    if kind == ".gif" and fps > MAX_GIF_FPS:
        raise ConfigError(f"a GIF shows at most {MAX_GIF_FPS} images a second, got fps {fps:g}; write a .webp.")
    return kind


def save_video(images: Iterable[Tensor], dest: str | Path, *, fps: float = 30, sound: Path | None = None) -> int:
    """Write the images as an endless loop, as an MP4, or as frame0000.png and so on.

    Frames are written as they come; only a GIF is held in memory, one byte a pixel, until it is complete.

    Args:
        images: at least one, each [C, H, W] uint8 and of one shape.
        dest: ends with .gif, .webp or .mp4, else it is a folder.
        sound: a file whose sound an .mp4 gets.
    Returns: how many images there were.
    Raises: ConfigError and OutputError as `check_video`; OutputError where the place cannot be written.
    """
    kind = check_video(dest, fps)
    counted = _Counted(images)
    if kind == "folder":
        folder = make_folder(dest)
        for k, image in enumerate(counted):
            save_png(image, folder / f"frame{k:04d}.png")
    else:
        make_folder(local_path(dest).parent)
        with atomic_file(dest) as temporary:
            if kind == ".webp":
                write_webp(_colored(counted), temporary, _durations_ms(fps, unit=1))
            elif kind == ".mp4":
                write_mp4(counted, temporary, fps, sound)
            else:
                _write_gif(counted, temporary, fps)
            if not counted.n:
                raise ConfigError("a video needs at least one image, got none.")
    return counted.n


class _Counted:
    """Yield the images and count them in `n`."""

    def __init__(self, images: Iterable[Tensor]):
        self.images, self.n = images, 0

    def __iter__(self) -> Iterator[Tensor]:
        for image in self.images:
            self.n += 1
            yield image


def _durations_ms(fps: float, *, unit: int) -> Iterator[int]:
    """The time that each image is shown, a multiple of `unit` milliseconds, without end."""
    shown = 0
    for k in count(1):
        # Rounding the end of each image, not its length, keeps 30 a second at 30.
        end = round(1000 / unit * k / fps)
        yield unit * (end - shown)
        shown = end


def _colored(images: Iterable[Tensor]) -> Iterator[Image.Image]:
    """Images for a WebP, which has no gray ones."""
    for image in images:
        frame = to_pil(image)
        yield frame.convert("RGB") if frame.mode == "L" else frame


def _write_gif(images: Iterable[Tensor], path: Path, fps: float) -> None:
    frames = _gif_frames(images, fps)
    first = next(frames, None)
    if first is not None:
        first.save(path, format="GIF", save_all=True, append_images=frames, loop=0)


def _gif_frames(images: Iterable[Tensor], fps: float) -> Iterator[Image.Image]:
    palette = _Palette()
    for image, duration in zip(images, _durations_ms(fps, unit=10), strict=False):
        frame = palette.applied(to_pil(image))
        frame.info["duration"] = duration
        yield frame


class _Palette:
    """256 colors that suit an image, and those after it for as long as they are nearly as close to them.

    Choosing them takes 20 times as long as applying them, and new colors in every frame flicker.
    """

    def __init__(self) -> None:
        self._colors: Image.Image | None = None
        self._limit = 0.0

    def applied(self, frame: Image.Image) -> Image.Image:
        """Return the frame in these colors, without dithering: its dots would crawl from frame to frame."""
        if frame.mode == "L":
            return frame
        if frame.mode == "RGBA":  # a GIF knows no half-transparent pixels
            frame = Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")
        sample = frame.copy()
        sample.thumbnail((PALETTE_PX, PALETTE_PX), Image.Resampling.NEAREST)
        if self._colors is None or _distance(sample, self._colors) > self._limit:
            self._colors = sample.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
            self._limit = PALETTE_SLACK**2 * _distance(sample, self._colors)
        return _nearest(frame, self._colors)


def _nearest(frame: Image.Image, colors: Image.Image) -> Image.Image:
    return frame.quantize(palette=colors, dither=Image.Dither.NONE)


def _distance(frame: Image.Image, colors: Image.Image) -> float:
    """The sum of the squared differences between an image and the same one in these colors."""
    return sum(ImageStat.Stat(ImageChops.difference(frame, _nearest(frame, colors).convert("RGB"))).sum2)
