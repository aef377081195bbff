"""R3GAN as its figure: plain PyTorch, stage by stage. Functions read the numbers of our networks from their tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def bilinear(x: Tensor, stride: int, gain: float) -> Tensor:
    """Filter with [1, 2, 1] along both axes and keep every `stride`-th pixel."""
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = gain * taps.outer(taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, stride=stride, groups=x.shape[1])


def enlarge(x: Tensor) -> Tensor:
    zeros = torch.zeros_like(x)
    rows = torch.stack([x, zeros], 3).flatten(2, 3)
    stuffed = torch.stack([rows, torch.zeros_like(rows)], 4).flatten(3, 4)
    return bilinear(F.pad(stuffed, [2, 0, 2, 0]), stride=1, gain=4)


def shrink(x: Tensor) -> Tensor:
    return bilinear(F.pad(x, [1, 0, 1, 0]), stride=2, gain=1)


def widths(s: Tensors, name: str, x: Tensor) -> Tensor:
    """Change the number of channels where it differs."""
    return F.conv2d(x, s[f"{name}.project"]) if f"{name}.project" in s else x


def residual_block(s: Tensors, name: str, x: Tensor) -> Tensor:
    y = lrelu(F.conv2d(x, s[f"{name}.expand"]) + s[f"{name}.expand_bias"][:, None, None])
    kernels = s[f"{name}.grouped"]
    group = kernels.shape[1]
    parts = [
        F.conv2d(y[:, i : i + group], kernels[i : i + group], padding=1) for i in range(0, y.shape[1], group)
    ]  # each group sees only its own channels
    y = lrelu(torch.cat(parts, 1) + s[f"{name}.grouped_bias"][:, None, None])
    return x + F.conv2d(y, s[f"{name}.contract"])


def residual_blocks(s: Tensors, name: str, x: Tensor) -> Tensor:
    i = 0
    while f"{name}.blocks.{i}.expand" in s:
        x = residual_block(s, f"{name}.blocks.{i}", x)
        i += 1
    return x


def generator(s: Tensors, z: Tensor, c: Tensor | None, resolution: int) -> Tensor:
    w = torch.cat([z, c @ s["mapping.embed"].t()], 1) if c is not None else z
    x = (w @ s["synthesis.linear"].t())[:, :, None, None] * s["synthesis.basis"]
    r = 4
    while r <= resolution:
        if r > 4:
            x = widths(s, f"synthesis.b{r}.transition", enlarge(x))
        x = residual_blocks(s, f"synthesis.b{r}", x)
        r *= 2
    return F.conv2d(x, s["synthesis.torgb"])


def discriminator(s: Tensors, img: Tensor, c: Tensor | None, resolution: int) -> Tensor:
    x = F.conv2d(img, s["fromrgb"])
    r = resolution
    while r >= 4:
        x = residual_blocks(s, f"b{r}", x)
        if r > 4:
            x = widths(s, f"b{r}.transition", shrink(x))
        r //= 2
    x = F.conv2d(x, s["depthwise"][:, None], groups=x.shape[1]).flatten(1) @ s["linear"].t()
    return (x * (c @ s["mapping.embed"].t())).sum(1, keepdim=True) if c is not None else x
