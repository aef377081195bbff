"""Presets of the augmentation pipe, named by the initials of their groups. StyleGAN2-ADA Fig. 4."""

from __future__ import annotations

from typing import Any

from stylegan.errors import ConfigError

_GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
_COMBINED = {
    "bg": ("blit", "geom"),
    "bgc": ("blit", "geom", "color"),
    "bgcf": ("blit", "geom", "color", "filter"),
    "bgcfn": ("blit", "geom", "color", "filter", "noise"),
    "bgcfnc": ("blit", "geom", "color", "filter", "noise", "cutout"),
}

# name -> multipliers for `AugmentPipe`
PRESETS: dict[str, dict[str, float]] = {
    name: {transform: 1.0 for group in groups for transform in _GROUPS[group]}
    for name, groups in ({group: (group,) for group in _GROUPS} | _COMBINED).items()
}


def preset(name: str) -> dict[str, Any]:
    """Return the multipliers of a preset: `AugmentPipe(**preset("bgc"))`.

    Raises: ConfigError for an unknown name.
    """
    if name not in PRESETS:
        raise ConfigError(f"the augmentation pipe must be one of {', '.join(PRESETS)}, got {name!r}.")
    return dict(PRESETS[name])
