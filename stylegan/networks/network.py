"""Base class of mapping networks, synthesis networks, generators and discriminators: the numbers they compute with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.errors import ShapeError
from stylegan.machine.surroundings import under_autocast, without_autocast
from stylegan.ops.number_formats import wide_dtype

Self = TypeVar("Self", bound="Network")


class Network(nn.Module):
    """A module that computes in float32, or in float64 once it is converted by `.double()`.

    `.half()` and `.bfloat16()` halve the memory and the file of the weights, which are converted back where they are
    used. Buffers such as filters and running means keep their format. Blocks marked by `num_fp16_res` compute in less
    where `precision` says so, and nowhere else: autocast has no effect.

    Attributes:
        narrow_weights: whether weights can be stored in less than float32.
    """

    narrow_weights: ClassVar[bool] = True
    weightless_dtype = torch.float32  # what a network without weights and buffers was converted to

    def own(self, x: Tensor) -> Tensor:
        """Return x on the device of the network, in the format in which it computes."""
        like = next(chain(self.parameters(), self.buffers()), None)
        if like is None:
            return x.to(self.weightless_dtype)
        return x.to(like.device, wide_dtype(like.dtype))

    def __call__(self, *args: Any, **options: Any) -> Any:
        if under_autocast():
            with without_autocast():
                return super().__call__(*args, **options)
        return super().__call__(*args, **options)

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if next(chain(self.parameters(), self.buffers()), None) is None:
            self.weightless_dtype = wide_dtype(fn(torch.empty(0, dtype=self.weightless_dtype, device="cpu")).dtype)
        buffers = list(self.buffers())  # kept, so that each id has one meaning
        ids = {id(buffer) for buffer in buffers}

        def convert(tensor: Tensor) -> Tensor:
            new = fn(tensor)
            keeps = id(tensor) in ids or not self.narrow_weights
            return tensor.to(new.device) if keeps and kept_dtype(tensor.dtype, new.dtype) != new.dtype else new

        return super()._apply(convert, recurse)


def kept_dtype(old: torch.dtype, new: torch.dtype) -> torch.dtype:
    """Return the dtype of a tensor that is converted to `new` unless that is narrower than float32."""
    return old if new.is_floating_point and new.itemsize < 4 else new


def as_numbers(x: Any) -> Tensor:
    """Return a tensor as it is, and an array or nested lists of numbers as a tensor. Raises: ShapeError."""
    if isinstance(x, Tensor):
        return x
    try:
        return torch.as_tensor(np.asarray(x), device="cpu")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"expected a tensor, an array or a list of numbers, got {type(x).__name__}.") from error


def shape_of(x: Tensor | None) -> str:
    """Return the shape of a tensor for a message."""
    return "None" if x is None else str(list(x.shape))
