"""The data set that comes with the library, so that everything can be tried without bringing images."""

from __future__ import annotations

from pathlib import Path


def avatars() -> Path:
    """The zip of 1,000 labeled avatar faces, RGB, 64x64 pixels, in the official data-set format.

    Made by `make_avatars.py` in this folder, where LICENCE.md gives origin and licence (CC0).
    """
    return Path(__file__).with_name("avatars64.zip")
