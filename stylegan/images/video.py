"""A stream of pictures to something that moves: GIF, animated WebP, or a folder of numbered PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image
from torch import Tensor

from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.images.pixels import to_pil
from stylegan.images.png import make_folder, save_png

MAX_GIF_FPS = 50  # browsers play anything faster at 10 pictures a second
PALETTE_PX = 128  # the colours of a GIF frame are chosen from at most so many pixels a side


def check_video(dest: str | Path, fps: float = 30) -> str:
    """What `save_video` would write: ".gif", ".webp" or "folder".

    Raises: ConfigError for another ending or a speed that the format does not have; OutputError for a folder that
        already holds frames, which the end of a longer loop would be mixed up with.
    """
    path = Path(dest)
    if not 0 < fps <= 1000:
        raise ConfigError(f"fps must be above 0 and at most 1000 pictures a second, got {fps:g}.")
    if path.is_dir() or not path.suffix or str(dest).endswith("/"):
        if any(path.glob("frame[0-9]*.png")):
            raise OutputError(f"the folder {path} already holds frames; empty it or name another one.")
        return "folder"
    kind = path.suffix.lower()
    if kind not in (".gif", ".webp"):
        raise ConfigError(f"the loop can be a .gif, a .webp or a folder of PNG frames, got {path}.")
    if kind == ".gif" and fps > MAX_GIF_FPS:
        raise ConfigError(f"a GIF shows at most {MAX_GIF_FPS} pictures a second, got fps {fps:g}; write a .webp.")
    return kind


def save_video(pictures: Iterable[Tensor], dest: str | Path, *, fps: float = 30) -> int:
    """Write the pictures as an endless loop, or as frame0000.png and so on.

    Frames are written as they come and a GIF holds one byte a pixel until it is complete; a WebP holds every picture,
    because Pillow takes them only as a list.

    Args:
        pictures: at least one, each [C, H, W] uint8 and of one shape.
        dest: ends with .gif or .webp, else it is a folder.
    Returns: how many pictures there were.
    Raises: ConfigError and OutputError as `check_video`; OutputError where the place cannot be written.
    """
    kind = check_video(dest, fps)
    counted = _Counted(pictures)
    if kind == "folder":
        folder = make_folder(dest)
        for k, picture in enumerate(counted):
            save_png(picture, folder / f"frame{k:04d}.png")
    else:
        make_folder(Path(dest).parent)
        with atomic_file(dest) as temporary:
            images = _gif_frames(counted, fps) if kind == ".gif" else _webp_frames(counted)
            first = next(images, None)
            if first is None:
                raise ConfigError("a video needs at least one picture, got none.")
            options = {} if kind == ".gif" else {"duration": 1000 / fps, "quality": 90, "method": 4}
            first.save(temporary, format=kind[1:], save_all=True, append_images=images, loop=0, **options)
    return counted.n


class _Counted:
    """The same pictures; `n` says how many came by."""

    def __init__(self, pictures: Iterable[Tensor]):
        self.pictures, self.n = pictures, 0

    def __iter__(self) -> Iterator[Tensor]:
        for picture in self.pictures:
            self.n += 1
            yield picture


def _webp_frames(pictures: Iterable[Tensor]) -> Iterator[Image.Image]:
    for picture in pictures:
        image = to_pil(picture)
        yield image.convert("RGB") if image.mode == "L" else image


def _gif_frames(pictures: Iterable[Tensor], fps: float) -> Iterator[Image.Image]:
    shown = 0  # hundredths of a second, the unit of a GIF
    for k, picture in enumerate(pictures, 1):
        image = _to_palette(to_pil(picture))
        # Rounding the end of each picture, not its length, keeps 30 a second at 30.
        end = round(100 * k / fps)
        image.info["duration"], shown = 10 * (end - shown), end
        yield image


def _to_palette(image: Image.Image) -> Image.Image:
    """The 256 colours that suit this picture, without dithering: its dots would crawl from frame to frame."""
    if image.mode == "L":
        return image
    if image.mode == "RGBA":  # a GIF knows no half-transparent pixels
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if max(image.size) <= PALETTE_PX:
        return _best_colours(image)
    # Choosing colours from all pixels of a large picture takes 20 times as long and is hardly closer.
    sample = image.copy()
    sample.thumbnail((PALETTE_PX, PALETTE_PX), Image.Resampling.NEAREST)
    return image.quantize(palette=_best_colours(sample), dither=Image.Dither.NONE)


def _best_colours(image: Image.Image) -> Image.Image:
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
