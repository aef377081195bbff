"""The resolutions of a network with a block for each, and the channels at each of them."""

from __future__ import annotations

from typing import Annotated

from stylegan.errors import ConfigError
from stylegan.networks.precision import is_marked
from stylegan.networks.settings import OneOf, Settings

FORMS = ("skip", "orig", "resnet")  # the three forms of StyleGAN2 Fig. 7
Form = Annotated[str, OneOf(FORMS)]


class PyramidSettings(Settings):
    """Base class of the settings of a network with a block for each resolution.

    Raises: ConfigError also if a resolution would have no channels.
    """

    img_resolution: int
    img_channels: int
    channel_base: int
    channel_max: int
    num_fp16_res: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.channels(self.img_resolution)  # where there are fewest

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ..., img_resolution."""
        return resolutions(self.img_resolution)

    def channels(self, resolution: int) -> int:
        """The channels of the feature maps at `resolution`."""
        return channels_at(resolution, self.channel_base, self.channel_max)

    def is_marked(self, resolution: int) -> bool:
        """Return whether the block of `resolution` may run in reduced precision."""
        return is_marked(resolution, self.img_resolution, self.num_fp16_res)


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
