"""Images -> feature vectors, by a network that was trained on many other images."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.metrics.efficientnet_lite import FEATURES, RESOLUTION, load_efficientnet_lite0

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


class EffLite0:
    """EfficientNet-Lite0 before its classifier. Scores are never comparable with those of Inception.

    Images are resized to 224x224 and mapped from 0 ... 255 to (x - 127) / 128, as the network was trained.
    """

    name = "efflite0"
    feature_dim = FEATURES
    resize = f"bicubic, antialiased, {RESOLUTION}x{RESOLUTION}"

    def __init__(self, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.network = load_efficientnet_lite0().to(self.device)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W], gray or RGB -> [N, 1280] float32, each from 0 to 6.

        Raises: ShapeError for another number of axes or channels or another dtype.
        """
        if images.ndim != 4 or images.shape[1] not in CHANNELS or images.dtype != torch.uint8:
            raise ShapeError(
                f"{self.name} takes uint8 images [N, 1 or 3, H, W], got {images.dtype} {list(images.shape)}."
            )
        x = images.to(self.device).float()
        # Cubic filters overshoot at edges: clamped, as any image viewer does, but not rounded.
        x = F.interpolate(x, (RESOLUTION, RESOLUTION), mode="bicubic", antialias=True).clamp(0, 255)
        x = ((x - 127) / 128).expand(-1, 3, -1, -1)
        return self.network(x.contiguous(memory_format=torch.channels_last))


DETECTORS = {EffLite0.name: EffLite0}


def load_detector(name: str, device: torch.device | str = "cpu") -> Detector:
    """Load the feature network of that name, ready to compute on `device`.

    Raises: ConfigError for an unknown name, MissingExtra if its weights are not installed.
    """
    if name not in DETECTORS:
        raise ConfigError(f"a feature network is one of {', '.join(DETECTORS)}, got {name!r}.")
    return DETECTORS[name](device)
