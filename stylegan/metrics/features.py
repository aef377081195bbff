"""Images -> feature vectors, by a network that was trained on many other images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError, ShapeError
from stylegan.machine.surroundings import ordinary_torch
from stylegan.networks import efficientnet_lite, mobilenet_v2
from stylegan.networks.efficientnet_lite import SIZES, load_efficientnet_lite
from stylegan.networks.mobilenet_v2 import load_mobilenet_v2

Channels = Sequence[float]  # a value for each of R, G and B, or one for all
CHANNELS = (1, 3)  # of the images that feature networks take: gray, RGB


class Detector(Protocol):
    """A feature network: a metric can use anything that has these."""

    name: str  # ends the name of every score; another network needs another name
    feature_dim: int
    resize: str  # how images come to the size that the network takes

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] on any device -> float32 [N, feature_dim] on the device of the network"""


def check_channels(channels: int, metric: str = "a feature network") -> None:
    """Raises ConfigError unless feature networks accept this number of channels; `metric` begins the sentence."""
    if channels not in CHANNELS:
        raise ConfigError(f"{metric} takes gray or RGB images, got {channels} channels; leave this metric out.")


class FeatureNetwork:
    """An ImageNet classifier before its last layer. Scores are never comparable with those of Inception.

    Images are resized to the size of the training images and normalized as those were.

    Args:
        name: ends the name of every score.
        network: RGB images [N, 3, H, W] -> features [N, feature_dim].
        resolution: pixels per side of the images that it takes.
        mean, std: of each channel, or of all, from 0 to 255; the network takes (x - mean) / std.
    """

    def __init__(
        self, name: str, network: nn.Module, *, feature_dim: int, resolution: int, mean: Channels, std: Channels
    ):
        self.name, self.network, self.feature_dim = name, network, feature_dim
        self.resize = f"bicubic, antialiased, {resolution}x{resolution}"
        self._resolution = resolution
        device = next(network.parameters()).device
        self._mean, self._std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (mean, std))

    @ordinary_torch(gradients=False)
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W], gray or RGB -> [N, feature_dim] float32, each from 0 to 6.

        Raises: ShapeError for another number of axes or channels or another dtype.
        """
        if images.ndim != 4 or images.shape[1] not in CHANNELS or images.dtype != torch.uint8:
            raise ShapeError(
                f"{self.name} takes uint8 images [N, 1 or 3, H, W], got {images.dtype} {list(images.shape)}."
            )
        x = images.to(self._mean.device).float()
        size = (self._resolution, self._resolution)
        # Cubic filters overshoot at edges: clamped, as any image viewer does, but not rounded.
        x = F.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 255)
        x = ((x - self._mean) / self._std).expand(-1, 3, -1, -1)
        return self.network(x.contiguous(memory_format=torch.channels_last))


def _efficientnet_lite(number: int, device: torch.device | str) -> FeatureNetwork:
    network, resolution = load_efficientnet_lite(number).to(device), SIZES[number].resolution
    features = efficientnet_lite.FEATURES
    return FeatureNetwork(
        f"efflite{number}", network, feature_dim=features, resolution=resolution, mean=(127.0,), std=(128.0,)
    )


def _mobilenet_v2(device: torch.device | str) -> FeatureNetwork:
    mean, std = ([255 * value for value in values] for values in (mobilenet_v2.MEAN, mobilenet_v2.STD))
    network, features = load_mobilenet_v2().to(device), mobilenet_v2.FEATURES
    return FeatureNetwork(
        "mobilenetv2", network, feature_dim=features, resolution=mobilenet_v2.RESOLUTION, mean=mean, std=std
    )


DETECTORS: dict[str, Callable[[torch.device | str], Detector]] = {  # name -> loading it to a device
    "efflite0": partial(_efficientnet_lite, 0),
    "efflite2": partial(_efficientnet_lite, 2),
    "mobilenetv2": _mobilenet_v2,
}


def load_detector(name: str, device: torch.device | str = "cpu") -> Detector:
    """Load the feature network of that name, ready to compute on `device`.

    Raises: ConfigError for an unknown name, MissingExtra if its weights are not installed.
    """
    if name not in DETECTORS:
        raise ConfigError(f"a feature network is one of {', '.join(DETECTORS)}, got {name!r}.")
    return DETECTORS[name](device)
