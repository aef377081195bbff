"""Frequencies, sampling rates, sizes and channels of the layers of StyleGAN3: Sec. 3.2."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.networks.stylegan3 import GeneratorSettings


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Output of one layer. Frequencies are in cycles, rates in samples per width of the image."""

    cutoff: float  # where the low-pass filter has half its amplitude
    half_width: float  # of the filter's transition band
    rate: int
    size: int  # samples per side, the margins included
    channels: int
    critical: bool  # keeps as much of the spectrum as the rate can represent, at the price of some aliasing


def schedule(settings: GeneratorSettings) -> list[Signal]:
    """Return the signals of the `num_layers` layers and of toRGB; the first is also that of the input.

    Cutoff and stop band grow in equal ratios from layer to layer and stay at their final values from the first
    critically sampled layer on.
    Raises: ConfigError for impossible numbers of layers or channels.
    """
    num_layers, num_critical, img_resolution = settings.num_layers, settings.num_critical, settings.img_resolution
    if not 0 < num_critical < num_layers:
        raise ConfigError(f"num_layers must be above num_critical, and that above 0, got {num_layers}, {num_critical}.")
    last_cutoff = img_resolution / 2
    last_stopband = last_cutoff * settings.last_stopband_rel
    signals = []
    for i in range(num_layers + 1):
        progress = min(i / (num_layers - num_critical), 1)
        cutoff = settings.first_cutoff * (last_cutoff / settings.first_cutoff) ** progress
        stopband = settings.first_stopband * (last_stopband / settings.first_stopband) ** progress
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, img_resolution)))
        channels = settings.img_channels
        if i < num_layers:
            channels = round(min(settings.channel_base / 2 / cutoff, settings.channel_max))
        if channels < 1:
            raise ConfigError(
                f"channel_base {settings.channel_base} and channel_max {settings.channel_max} leave no channel in "
                f"layer {i}; enlarge them."
            )
        signals.append(
            Signal(
                cutoff=cutoff,
                half_width=max(stopband, rate / 2) - cutoff,
                rate=rate,
                size=rate + 2 * settings.margin_size if i < num_layers - 1 else img_resolution,
                channels=channels,
                critical=i >= num_layers - num_critical,
            )
        )
    return signals
