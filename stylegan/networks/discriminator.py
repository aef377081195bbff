"""What every discriminator of the family is: a network from images, and labels where there are any, to logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from stylegan.errors import ShapeError
from stylegan.machine.precision import check_precision


class FamilyDiscriminator(nn.Module):
    """img, c -> logits [N, 1].

    Attributes:
        args: what the constructor of a generation was called with, from which a checkpoint rebuilds the network.
        c_dim, img_resolution, img_channels: of these.
    """

    check_precision = staticmethod(check_precision)

    def __init__(self, args: dict[str, Any]):
        """`args` are the `locals()` that a constructor starts with."""
        super().__init__()
        self.args = {k: v for k, v in args.items() if k not in ("self", "__class__")}
        self.c_dim, self.img_resolution, self.img_channels = (
            self.args[k] for k in ("c_dim", "img_resolution", "img_channels")
        )
        self._precision = "auto"

    @property
    def precision(self) -> str:
        """What the blocks marked by `num_fp16_res` compute in: "auto", "fp32", "bf16" or "fp16"."""
        return self._precision

    @precision.setter
    def precision(self, value: str) -> None:
        self._precision = self.check_precision(value)

    def check(self, img: Tensor, c: Tensor | None = None) -> None:
        """Raises: ShapeError for an image of another shape, or a label where there are none."""
        expected = (self.img_channels, self.img_resolution, self.img_resolution)
        if img.ndim != 4 or img.shape[1:] != expected:
            raise ShapeError(f"discriminator takes img [N, {', '.join(map(str, expected))}], got {list(img.shape)}.")
        if self.c_dim == 0 and c is not None and c.shape[-1] != 0:
            raise ShapeError(f"this discriminator is unconditional and takes c=None, got {list(c.shape)}.")
