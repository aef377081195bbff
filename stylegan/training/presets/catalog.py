"""The names of the presets: networks of a paper with the training settings that they were tuned with.

A name is a generation (`stylegan3-t`), a size for a CPU, which is a StyleGAN2 (`cpu32`), or both
(`stylegan3-t-cpu32`). Generations and the other names have the settings of the papers; the sizes are ours.
"""

from __future__ import annotations

from collections.abc import Callable

from stylegan.errors import ConfigError
from stylegan.training.presets.growing import PROGAN, PROGAN_SIZES, STYLEGAN1, STYLEGAN1_SIZES
from stylegan.training.presets.minimal import MINIMAL, MINIMAL_SIZES
from stylegan.training.presets.preset import Preset
from stylegan.training.presets.r3gan import R3GAN, R3GAN_SIZES, r3gan
from stylegan.training.presets.sizes import SIZES
from stylegan.training.presets.stylegan2 import CIFAR, PAPER256, PAPER512, PAPER1024, STYLEGAN2, STYLEGAN2_SIZES, auto
from stylegan.training.presets.stylegan3 import (
    STYLEGAN3_R,
    STYLEGAN3_R_SIZES,
    STYLEGAN3_T,
    STYLEGAN3_T_SIZES,
    stylegan3,
)

GENERATIONS = {
    "progan": PROGAN,
    "stylegan1": STYLEGAN1,
    "stylegan2": STYLEGAN2,
    "stylegan3-t": STYLEGAN3_T,
    "stylegan3-r": STYLEGAN3_R,
    "minimal": MINIMAL,
    "r3gan": R3GAN,
}
_OTHERS = {"paper256": PAPER256, "paper512": PAPER512, "paper1024": PAPER1024, "cifar": CIFAR}
_IN_SIZES = {
    "progan": PROGAN_SIZES,
    "stylegan1": STYLEGAN1_SIZES,
    "stylegan3-t": STYLEGAN3_T_SIZES,
    "stylegan3-r": STYLEGAN3_R_SIZES,
    "minimal": MINIMAL_SIZES,
    "r3gan": R3GAN_SIZES,
}
PRESETS = {
    **GENERATIONS,
    **_OTHERS,
    **STYLEGAN2_SIZES,
    **{f"{generation}-{size}": p for generation, sizes in _IN_SIZES.items() for size, p in sizes.items()},
}
NAMES = ("auto", *GENERATIONS, *_OTHERS, *SIZES)

# Presets that follow the resolution and the number of devices.
_MADE_TO_MEASURE: dict[str, Callable[[int, int], Preset]] = {
    "auto": auto,
    "stylegan3-t": lambda resolution, gpus: stylegan3(STYLEGAN3_T, resolution),
    "stylegan3-r": lambda resolution, gpus: stylegan3(STYLEGAN3_R, resolution),
    "r3gan": lambda resolution, gpus: r3gan(resolution),
}


def preset(name: str, resolution: int, gpus: int = 1) -> Preset:
    """Return the preset `name` for images of `resolution` pixels per side on `gpus` devices.

    Raises: ConfigError for an unknown name, or a preset that is made for another resolution.
    """
    if name in _MADE_TO_MEASURE:
        return _MADE_TO_MEASURE[name](resolution, gpus)
    if name not in PRESETS:
        raise ConfigError(
            f"`cfg` must be one of {', '.join(NAMES)}, or a generation with a size such as stylegan3-t-cpu32, "
            f"got {name!r}."
        )
    found = PRESETS[name]
    if found.resolution not in (None, resolution):
        raise ConfigError(
            f"`cfg` {name} is made for {found.resolution} px, but the data has {resolution}; prepare the images at "
            f"`resolution` {found.resolution}, or choose another `cfg`."
        )
    return found


def default_cfg(resolution: int, device_type: str) -> str:
    """Return the name of the preset for images of `resolution` pixels on a device such as "cpu" or "cuda"."""
    sizes = {size.resolution: name for name, size in SIZES.items()}
    return sizes.get(resolution, "auto") if device_type == "cpu" else "auto"
