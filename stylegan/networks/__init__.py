"""The networks of the papers, one generation per file, and what they share.

Each generation is loaded when it is first used: `stylegan.networks.stylegan2.Generator`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylegan.networks import minimal as minimal
    from stylegan.networks import progan as progan
    from stylegan.networks import r3gan as r3gan
    from stylegan.networks import stylegan1 as stylegan1
    from stylegan.networks import stylegan2 as stylegan2
    from stylegan.networks import stylegan3 as stylegan3

_GENERATIONS = ("minimal", "progan", "r3gan", "stylegan1", "stylegan2", "stylegan3")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _GENERATIONS:
            raise AttributeError(f"module 'stylegan.networks' has no attribute {name!r}")
        return import_module(f"stylegan.networks.{name}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_GENERATIONS})
