"""How large networks are at each resolution."""

from __future__ import annotations

from stylegan.errors import ConfigError

FORMS = ("skip", "orig", "resnet")  # the three forms of StyleGAN2 Fig. 7


def resolutions(img_resolution: int) -> list[int]:
    """4, 8, ..., img_resolution. Raises: ConfigError unless that is a power of two and at least 4."""
    if img_resolution < 4 or img_resolution & (img_resolution - 1):
        raise ConfigError(f"resolution must be a power of two and at least 4, got {img_resolution}.")
    return [2**i for i in range(2, img_resolution.bit_length())]


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """Channels of the feature maps at `resolution`. Raises: ConfigError if there would be none."""
    channels = min(channel_base // resolution, channel_max)
    if channels < 1:
        raise ConfigError(
            f"channel_base {channel_base} and channel_max {channel_max} leave no channel at {resolution}x{resolution}; "
            "enlarge them."
        )
    return channels


def check_architecture(architecture: str) -> str:
    """`architecture` itself, or a ConfigError that lists what there is."""
    if architecture not in FORMS:
        raise ConfigError(f"architecture must be one of {', '.join(FORMS)}, got {architecture!r}.")
    return architecture
