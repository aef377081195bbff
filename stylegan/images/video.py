"""A stream of images to something that moves: GIF, animated WebP, or a folder of numbered PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image
from torch import Tensor

from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.paths import local_path
from stylegan.images.pixels import to_pil
from stylegan.images.png import make_folder, save_png

MAX_GIF_FPS = 50  # browsers play anything faster at 10 images a second
PALETTE_PX = 128  # the colors of a GIF frame are chosen from images of at most this many pixels per side


def check_video(dest: str | Path, fps: float = 30) -> str:
    """Return the format that `save_video` would write: ".gif", ".webp" or "folder".

    Raises: ConfigError for another ending or a speed that the format does not have; OutputError for a folder that
        already holds frames, which the end of a longer loop would be mixed up with.
    """
    path = local_path(dest)
    if not 0 < fps <= 1000:
        raise ConfigError(f"fps must be above 0 and at most 1000 images a second, got {fps:g}.")
    if path.is_dir() or not path.suffix or str(dest).endswith("/"):
        if any(path.glob("frame[0-9]*.png")):
            raise OutputError(f"the folder {path} already holds frames; empty it or name another one.")
        return "folder"
    kind = path.suffix.lower()
    if kind not in (".gif", ".webp"):
        raise ConfigError(f"the loop can be a .gif, a .webp or a folder of PNG frames, got {path}.")
    if kind == ".gif" and fps > MAX_GIF_FPS:
        raise ConfigError(f"a GIF shows at most {MAX_GIF_FPS} images a second, got fps {fps:g}; write a .webp.")
    return kind


def save_video(images: Iterable[Tensor], dest: str | Path, *, fps: float = 30) -> int:
    """Write the images as an endless loop, or as frame0000.png and so on.

    Frames are written as they come and a GIF holds one byte a pixel until it is complete; a WebP holds every image,
    because Pillow takes them only as a list.

    Args:
        images: at least one, each [C, H, W] uint8 and of one shape.
        dest: ends with .gif or .webp, else it is a folder.
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
            frames = _gif_frames(counted, fps) if kind == ".gif" else _webp_frames(counted)
            first = next(frames, None)
            if first is None:
                raise ConfigError("a video needs at least one image, got none.")
            options = {} if kind == ".gif" else {"duration": 1000 / fps, "quality": 90, "method": 4}
            first.save(temporary, format=kind[1:], save_all=True, append_images=frames, loop=0, **options)
    return counted.n


class _Counted:
    """Yield the images and count them in `n`."""

    def __init__(self, images: Iterable[Tensor]):
        self.images, self.n = images, 0

    def __iter__(self) -> Iterator[Tensor]:
        for image in self.images:
            self.n += 1
            yield image


def _webp_frames(images: Iterable[Tensor]) -> Iterator[Image.Image]:
    for image in images:
        frame = to_pil(image)
        yield frame.convert("RGB") if frame.mode == "L" else frame


def _gif_frames(images: Iterable[Tensor], fps: float) -> Iterator[Image.Image]:
    shown = 0  # hundredths of a second, the unit of a GIF
    for k, image in enumerate(images, 1):
        frame = _to_palette(to_pil(image))
        # Rounding the end of each image, not its length, keeps 30 a second at 30.
        end = round(100 * k / fps)
        frame.info["duration"], shown = 10 * (end - shown), end
        yield frame


def _to_palette(frame: Image.Image) -> Image.Image:
    """The 256 colors that suit this image, without dithering: its dots would crawl from frame to frame."""
    if frame.mode == "L":
        return frame
    if frame.mode == "RGBA":  # a GIF knows no half-transparent pixels
        frame = Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")
    if max(frame.size) <= PALETTE_PX:
        return _best_colors(frame)
    # Choosing colors from all pixels of a large image takes 20 times as long and is hardly closer.
    sample = frame.copy()
    sample.thumbnail((PALETTE_PX, PALETTE_PX), Image.Resampling.NEAREST)
    return frame.quantize(palette=_best_colors(sample), dither=Image.Dither.NONE)


def _best_colors(frame: Image.Image) -> Image.Image:
    return frame.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
