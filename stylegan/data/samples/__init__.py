"""The data set that comes with the library, so that everything can be tried without bringing images."""

from __future__ import annotations

from pathlib import Path

from stylegan.data.prepare import prepare
from stylegan.files.cache import default_cache


def avatars(resolution: int = 64) -> Path:
    """Return the zip of 1,000 labeled avatar faces, RGB, `resolution` pixels per side, in the official data-set format.

    At any resolution but 64, the zip is prepared once into the cache folder.

    Made by `make_avatars.py` in this folder, where LICENCE.md gives origin and licence (CC0).
    """
    embedded = Path(__file__).with_name("avatars64.zip")
    if resolution == 64:
        return embedded
    path = default_cache() / "data" / f"avatars{resolution}.zip"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare(embedded, path, resolution=resolution)
    return path
