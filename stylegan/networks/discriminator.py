"""Base class of all discriminators: a network from images, and labels if there are any, to logits."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from stylegan.errors import ShapeError
from stylegan.machine.precision import check_precision
from stylegan.networks.layers import tensor_shapes
from stylegan.networks.settings import NetworkFields, Settings


class FeatureWeights(NamedTuple):
    """A file of trained weights, which a checkpoint names and does not contain."""

    package: str  # that holds the file, with its version
    sha256: str  # of the file, in hexadecimal digits


class FamilyDiscriminator(nn.Module):
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

    def check(self, img: Tensor, c: Tensor | None = None) -> None:
        """Raises: ShapeError for an image or label of another shape, or a label given to an unconditional network."""
        expected = (self.img_channels, self.img_resolution, self.img_resolution)
        if img.ndim != 4 or img.shape[1:] != expected:
            raise ShapeError(f"discriminator takes img [N, {', '.join(map(str, expected))}], got {list(img.shape)}.")
        if self.c_dim == 0 and c is not None and c.shape[-1] != 0:
            raise ShapeError(f"this discriminator is unconditional and takes c=None, got {list(c.shape)}.")
        if self.c_dim > 0 and c is not None and c.shape != (len(img), self.c_dim):
            raise ShapeError(
                f"this discriminator takes labels c [{len(img)}, {self.c_dim}] for {len(img)} images, got "
                f"{list(c.shape)}."
            )
