"""Images -> feature vectors, by a network that was trained on many other images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError, NonFiniteError, ShapeError
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
    sha256: str | None  # of the file of its weights

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] on any device -> float32 [N, feature_dim] on the device of the network"""


def check_channels(channels: int, metric: str = "a feature network") -> None:
    """Raises ConfigError unless feature networks accept this number of channels; `metric` begins the sentence."""
    if channels not in CHANNELS:
        raise ConfigError(f"{metric} takes gray or RGB images, got {channels} channels; leave this metric out.")


def features_of(images: Tensor, detector: Detector) -> Tensor:
    """Return the features of uint8 images [N, C, H, W], float32 [N, feature_dim] on the CPU.

    Raises: ShapeError if the network returns another shape, NonFiniteError if it returns NaN or infinity.
    """
    features = detector(images).detach().cpu()
    expected = [len(images), detector.feature_dim]
    if list(features.shape) != expected:
        raise ShapeError(
            f"the feature network {detector.name} must return {expected}, got {list(features.shape)}; use another one."
        )
    if not bool(features.isfinite().all()):
        raise NonFiniteError(
            f"the feature network {detector.name} returned NaN or infinity, from which no score can be computed; use "
            "undamaged weights, in float32."
        )
    return features.float()


class Classes:
    """The class probabilities of a feature network, in place of its features.

    Raises: ConfigError for a network without classes.
    """

    def __init__(self, detector: Any):
        if not getattr(detector, "classes", 0):
            raise ConfigError(f"the feature network {detector.name} has no classes, which this score needs.")
        self.name, self.resize, self.sha256 = detector.name, detector.resize, detector.sha256
        self.feature_dim: int = detector.classes
        self._detector = detector

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> probabilities [N, classes]"""
        probabilities: Tensor = self._detector.probabilities(images)
        return probabilities


class FeatureNetwork:
    """An ImageNet classifier before its last layer. Scores are never comparable with those of Inception.

    Images are resized to the size of the training images and normalized as those were.

    Args:
        name: ends the name of every score.
        network: RGB images [N, 3, H, W] -> features [N, feature_dim].
        resolution: pixels per side of the images that it takes.
        mean, std: of each channel, or of all, from 0 to 255; the network takes (x - mean) / std.
        sha256: of the file of the weights.
    """

    classes = 1000  # of ImageNet

    def __init__(
        self,
        name: str,
        network: Any,
        *,
        feature_dim: int,
        resolution: int,
        mean: Channels,
        std: Channels,
        sha256: str | None = None,
    ):
        self.name, self.network, self.feature_dim = name, network, feature_dim
        self.sha256 = sha256
        self.resize = f"bicubic, antialiased, {resolution}x{resolution}"
        self._resolution = resolution
        device = next(network.parameters()).device
        self._mean, self._std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (mean, std))

    @ordinary_torch(gradients=False)
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W], gray or RGB -> [N, feature_dim] float32, each from 0 to 6.

        Raises: ShapeError for another number of axes or channels or another dtype.
        """
        features: Tensor = self.network(self._prepared(images))
        return features

    @ordinary_torch(gradients=False)
    def probabilities(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W], gray or RGB -> probabilities of the classes of ImageNet, [N, 1000]."""
        logits: Tensor = self.network.classify(self._prepared(images))
        return logits.softmax(1)

    def _prepared(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in CHANNELS or images.dtype != torch.uint8:
            raise ShapeError(
                f"{self.name} takes uint8 images [N, 1 or 3, H, W], got {images.dtype} {list(images.shape)}."
            )
        x = images.to(self._mean.device).float()
        size = (self._resolution, self._resolution)
        # Cubic filters overshoot at edges: clamped, as any image viewer does, but not rounded.
        x = F.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 255)
        x = ((x - self._mean) / self._std).expand(-1, 3, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)


def _efficientnet_lite(number: int, device: torch.device | str) -> FeatureNetwork:
    size = SIZES[number]
    return FeatureNetwork(
        f"efflite{number}",
        load_efficientnet_lite(number).to(device),
        feature_dim=efficientnet_lite.FEATURES,
        resolution=size.resolution,
        mean=(127.0,),
        std=(128.0,),
        sha256=size.sha256,
    )


def _mobilenet_v2(device: torch.device | str) -> FeatureNetwork:
    mean, std = ([255 * value for value in values] for values in (mobilenet_v2.MEAN, mobilenet_v2.STD))
    return FeatureNetwork(
        "mobilenetv2",
        load_mobilenet_v2().to(device),
        feature_dim=mobilenet_v2.FEATURES,
        resolution=mobilenet_v2.RESOLUTION,
        mean=mean,
        std=std,
        sha256=mobilenet_v2.SHA256,
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
