"""How StyleGAN3 distributes frequencies, sampling rates, sizes and channels over its layers: StyleGAN3 Sec. 3.2."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stylegan.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What leaves one layer. Frequencies are in cycles, rates in samples per width of the image."""

    cutoff: float  # where the low-pass filter has half its amplitude
    half_width: float  # of the filter's transition band
    rate: int
    size: int  # samples per side, the margins included
    channels: int
    critical: bool  # as much of the spectrum kept as the rate can hold, at the price of some aliasing


def schedule(
    *,
    img_resolution: int,
    img_channels: int,
    num_layers: int,
    num_critical: int,
    first_cutoff: float,
    first_stopband: float,
    last_stopband_rel: float,
    margin_size: int,
    channel_base: int,
    channel_max: int,
) -> list[Signal]:
    """The signals of the `num_layers` layers and of toRGB; the first is also that of the input.

    Cutoff and stop band grow in equal ratios from layer to layer and stay at their final values from the first
    critically sampled layer on. See `stylegan3.Generator` for the arguments.
    Raises: ConfigError for a resolution, number of layers or of channels that cannot be.
    """
    if img_resolution < 16 or img_resolution & (img_resolution - 1):
        raise ConfigError(f"resolution must be a power of two and at least 16 for StyleGAN3, got {img_resolution}.")
    if not 0 < num_critical < num_layers:
        raise ConfigError(f"num_layers must be above num_critical, and that above 0, got {num_layers}, {num_critical}.")
    last_cutoff = img_resolution / 2
    last_stopband = last_cutoff * last_stopband_rel
    signals = []
    for i in range(num_layers + 1):
        progress = min(i / (num_layers - num_critical), 1)
        cutoff = first_cutoff * (last_cutoff / first_cutoff) ** progress
        stopband = first_stopband * (last_stopband / first_stopband) ** progress
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, img_resolution)))
        channels = round(min(channel_base / 2 / cutoff, channel_max)) if i < num_layers else img_channels
        if channels < 1:
            raise ConfigError(
                f"channel_base {channel_base} and channel_max {channel_max} leave no channel in layer {i}; "
                "enlarge them."
            )
        signals.append(
            Signal(
                cutoff=cutoff,
                half_width=max(stopband, rate / 2) - cutoff,
                rate=rate,
                size=rate + 2 * margin_size if i < num_layers - 1 else img_resolution,
                channels=channels,
                critical=i >= num_layers - num_critical,
            )
        )
    return signals
