"""ProGAN and StyleGAN1 as their equations: every resolution is computed, and lod mixes all of the images.

The functions read the numbers of our networks from their state dicts.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SQRT2 = 2**0.5


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def pixel_norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    x = x - x.mean([2, 3], keepdim=True)
    x = x / (x.square().mean([2, 3], keepdim=True) + 1e-8).sqrt()
    return x if scale is None else x * scale[:, :, None, None] + shift[:, :, None, None]


def nearest(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def blur(x: Tensor) -> Tensor:
    """Filter with [1, 2, 1] along both axes, with zero padding."""
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = taps.outer(taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def box4x4(weight: Tensor) -> Tensor:
    """Add four shifted copies of a 3x3 kernel: [O, I, 3, 3] -> [O, I, 4, 4]."""
    total = torch.zeros([])
    for left, top in ((0, 0), (0, 1), (1, 0), (1, 1)):
        total = total + F.pad(weight, [left, 1 - left, top, 1 - top])
    return total


def he(weight: Tensor, gain: float = SQRT2) -> Tensor:
    return weight * gain / math.sqrt(weight[0].numel())


def dense(x: Tensor, weight: Tensor, bias: Tensor, gain: float = SQRT2, lr: float = 1.0) -> Tensor:
    return x @ (he(weight, gain) * lr).t() + bias * lr


def channels(bias: Tensor) -> Tensor:
    return bias[:, None, None]


def mapping(s: dict[str, Tensor], z: Tensor, c: Tensor | None = None) -> Tensor:
    """Return w, [N, w_dim]."""
    x = pixel_norm(torch.cat([z, c @ s["mapping.embed.weight"].t()], 1) if c is not None else z)
    i = 0
    while f"mapping.fc{i}.weight" in s:
        x = lrelu(dense(x, s[f"mapping.fc{i}.weight"], s[f"mapping.fc{i}.bias"], lr=0.01))
        i += 1
    return x


def synthesis(
    s: dict[str, Tensor], ws: Tensor, resolution: int, lod: float, *, normalize: str, blurred: bool, noise: bool = True
) -> Tensor:
    """Epilogue of a convolution; `normalize` is "instance" (StyleGAN), "pixel" (ProGAN), "both" or ""."""

    def layer(x: Tensor, name: str, i: int, up: bool) -> Tensor:
        weight = s.get(f"{name}.weight")
        if weight is not None:
            x = F.conv2d(nearest(x) if up else x, he(weight), padding=1)
        x = blur(x) if up and blurred else x
        if noise and f"{name}.noise_strength" in s:
            x = x + channels(s[f"{name}.noise_strength"]) * s[f"{name}.noise_const"]
        x = lrelu(x + channels(s[f"{name}.bias"]))
        x = pixel_norm(x) if normalize in ("pixel", "both") else x
        x = instance_norm(x) if normalize in ("instance", "both") else x
        if f"{name}.affine.weight" in s:
            style = dense(ws[:, i], s[f"{name}.affine.weight"], s[f"{name}.affine.bias"], gain=1)
            scale, shift = style[:, : x.shape[1], None, None], style[:, x.shape[1] :, None, None]
            x = x * (scale + 1) + shift
        return x

    x, img = torch.zeros([]), None
    levels = int(math.log2(resolution))
    for k in range(2, levels + 1):
        b = f"synthesis.b{2**k}"
        if k > 2:
            x = layer(x, f"{b}.layer0", min(2 * k - 4, ws.shape[1] - 1), up=True)
        elif f"{b}.const" in s:
            x = layer(s[f"{b}.const"][None].repeat(len(ws), 1, 1, 1), f"{b}.layer0", 0, up=False)
        else:
            x = (ws[:, 0] @ he(s[f"{b}.dense"], SQRT2 / 4).t()).reshape(len(ws), -1, 4, 4)
            x = layer(x, f"{b}.layer0", 0, up=False)
        x = layer(x, f"{b}.layer1", min(2 * k - 3, ws.shape[1] - 1), up=False)
        rgb = F.conv2d(x, he(s[f"{b}.torgb.weight"], 1), s[f"{b}.torgb.bias"])
        coarser = min(max(lod - (levels - k), 0), 1)
        img = rgb if img is None else rgb + (nearest(img) - rgb) * coarser
    return img


def discriminator(s: dict[str, Tensor], img: Tensor, resolution: int, lod: float, *, blurred: bool) -> Tensor:
    """Return all outputs, [N, O]; the minibatch standard deviation has one group."""

    def conv(x: Tensor, name: str) -> Tensor:
        weight = s[f"{name}.weight"]
        return F.conv2d(x, he(weight), padding=weight.shape[-1] // 2) + channels(s[f"{name}.bias"])

    levels = int(math.log2(resolution))
    x = lrelu(conv(img, f"b{resolution}.fromrgb"))
    for k in range(levels, 2, -1):
        x = lrelu(conv(x, f"b{2**k}.conv0"))
        weight, bias = s[f"b{2**k}.conv1.weight"], s[f"b{2**k}.conv1.bias"]
        x = F.conv2d(blur(x) if blurred else x, he(weight), padding=1)
        x = lrelu(F.avg_pool2d(x, 2) + channels(bias))
        img = F.avg_pool2d(img, 2)
        coarser = min(max(lod - (levels - k), 0), 1)
        x = x + (lrelu(conv(img, f"b{2 ** (k - 1)}.fromrgb")) - x) * coarser
    deviation = ((x - x.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1)
    x = lrelu(conv(x, "b4.conv")).flatten(1)
    x = lrelu(dense(x, s["b4.fc.weight"], s["b4.fc.bias"]))
    return dense(x, s["b4.out.weight"], s["b4.out.bias"], gain=1)
