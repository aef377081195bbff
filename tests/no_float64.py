"""A device without float64, such as Apple's MPS, played by the CPU: its tensors cannot become or meet float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_map

DEVICE = torch.device("meta")  # has no numbers of its own, so any are ours


class OnDevice(Tensor):
    """A tensor of the device; `inner` has its numbers on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnDevice:
        if inner.dtype == torch.float64:
            raise TypeError("the device has no float64")
        wrapper = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=DEVICE, requires_grad=inner.requires_grad,
        )  # fmt: skip
        wrapper.inner = inner
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _run(function, arguments, options or {})

    def tolist(self) -> Any:
        return self.inner.tolist()

    def __repr__(self) -> str:
        return f"OnDevice({self.inner})"


class Device(TorchDispatchMode):
    """Within it, tensors can be made on `DEVICE` and moved to it."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _run(function, arguments, options or {})


def _run(function: Any, arguments: Any, options: dict[str, Any]) -> Any:
    there: list[bool] = []

    def unwrap(x: Any) -> Any:
        if isinstance(x, OnDevice):
            there.append(True)
            return x.inner
        if isinstance(x, Tensor) and x.dtype == torch.float64 and x.ndim:
            there.append(False)
        return x

    plain = tree_map(unwrap, (arguments, options))
    target = options.get("device")
    if target is None:
        copies = function in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)
        if True in there and False in there and not copies:
            raise TypeError(f"{function} of a tensor of the device and a float64 tensor of the CPU")
        wrapped = isinstance(arguments[0], OnDevice) if copies else True in there
    else:
        wrapped = torch.device(target) == DEVICE
        plain[1]["device"] = torch.device("cpu")
    with torch.utils._python_dispatch._disable_current_modes():
        result = function(*plain[0], **plain[1])
    if not wrapped:
        return result
    result = tree_map(lambda x: OnDevice(x) if isinstance(x, Tensor) else x, result)
    if not arguments or not isinstance(arguments[0], OnDevice):  # nothing of the device that the result may alias
        return result
    return return_and_correct_aliasing(function, arguments, options, result)
