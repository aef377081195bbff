"""Base class of all discriminators: a network from images, and labels if there are any, to logits."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.machine.precision import check_precision
from stylegan.networks.label_rows import label_rows
from stylegan.networks.layers import tensor_shapes
from stylegan.networks.network import Network, as_numbers, shape_of
from stylegan.networks.settings import NetworkFields, Settings


class FeatureWeights(NamedTuple):
    """A file of trained weights, which a checkpoint names and does not contain."""

    package: str  # that holds the file, with its version
    sha256: str  # of the file, in hexadecimal digits


class FamilyDiscriminator(Network):
    """img, c -> logits [N, L], float32. L is 1, or the number of places that the network scores by themselves.

    The mean over the logits of an image is its score, which is high where it looks real. In a network with minibatch
    standard deviation, a logit depends on the other images of the batch, as training wants: the same image gets another
    logit in another batch, and the batch must be divisible by the size of the groups. To compare single images, put
    each into a batch whose other images stay the same, or set `group_size` of the `MinibatchStd` to 1, which gives
    other logits than training saw.

    Attributes:
        kind: one of `family.DISCRIMINATORS`.
        settings: the value of `Settings` that the network was built from, and that a checkpoint rebuilds it from.
        c_dim, img_resolution, img_channels: width of the label and size of images.
        feature_network: name of the trained network through which it sees images, as scores name it; None if all its
            weights are its own. Scores with the same feature network are marked.
        feature_weights: the weights of that network; None without one.
    """

    Settings: ClassVar[type[Settings]]
    settings: Any  # of type `Settings`
    kind: ClassVar[str] = "own"
    feature_network: str | None = None
    feature_weights: FeatureWeights | None = None
    needs_label: ClassVar[bool] = True  # of a conditional one
    check_precision = staticmethod(check_precision)

    def __init__(self, settings: NetworkFields):
        super().__init__()
        self.settings = settings
        self.c_dim, self.img_resolution = settings.c_dim, settings.img_resolution
        self.img_channels = settings.img_channels
        self._precision = "auto"

    @property
    def precision(self) -> str:
        """Number format of the blocks marked by `num_fp16_res`: "auto", "fp32", "bf16" or "fp16"."""
        return self._precision

    @precision.setter
    def precision(self, value: str) -> None:
        self._precision = self.check_precision(value)

    def extra_repr(self) -> str:
        sizes = ", ".join(f"{name}={getattr(self, name)}" for name in ("c_dim", "img_resolution", "img_channels"))
        return ", ".join(filter(None, (sizes, tensor_shapes(self))))

    def checked(self, img: Any, c: Any = None) -> tuple[Tensor, Tensor | None]:
        """Return images and labels on the device and in the format of the network.

        Args:
            img: [N, img_channels, R, R] floats in [-1, 1].
            c: labels in a form of `label_rows`; None where c_dim is 0 or labels change nothing.
        Raises: ShapeError for bytes or another shape, ConfigError for a class that does not exist.
        """
        img = as_numbers(img)
        expected = (self.img_channels, self.img_resolution, self.img_resolution)
        if img.ndim != 4 or img.shape[1:] != expected:
            raise ShapeError(f"discriminator takes img [N, {', '.join(map(str, expected))}], got {shape_of(img)}.")
        if img.dtype == torch.uint8:
            raise ShapeError("discriminator takes img as floats in [-1, 1], got uint8; pass img / 127.5 - 1.")
        if c is None and not self.needs_label:
            return self.own(img), None
        c = label_rows(c, self.c_dim, img.shape[0], "discriminator")
        return self.own(img), self.own(c) if c is not None else None
