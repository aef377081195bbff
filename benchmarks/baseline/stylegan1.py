"""The generator of StyleGAN1 in textbook form, on the weights of one of our networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Generator(nn.Module):
    """The baseline of a `stylegan1.Generator` with its default options; shares its parameters.

    Below 128 pixels, it repeats pixels and convolves; from 128 pixels on, a transposed convolution with a 4x4 kernel
    does both (Karras et al. 2019 App. C).
    """

    def __init__(self, G: nn.Module):
        super().__init__()
        self.G = G

    def synthesis(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        x = None
        for i, r in enumerate(self.G.synthesis.block_resolutions):
            block = getattr(self.G.synthesis, f"b{r}")
            if x is None:
                x = block.const[None].repeat(len(ws), 1, 1, 1)
            else:
                x = _blur(_upsample_conv(x, block.layer0.weight * block.layer0.weight_gain), block.layer0.blur)
            x = _epilogue(x, ws[:, 2 * i], block.layer0, noise_mode)
            x = F.conv2d(x, block.layer1.weight * block.layer1.weight_gain, padding=1)
            x = _epilogue(x, ws[:, 2 * i + 1], block.layer1, noise_mode)
        return F.conv2d(x, block.torgb.weight * block.torgb.weight_gain, block.torgb.bias)


def _upsample_conv(x: Tensor, weight: Tensor) -> Tensor:
    n, c, h, w = x.shape
    if 2 * h < 128:
        x = x.reshape(n, c, h, 1, w, 1).expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)
        return F.conv2d(x, weight, padding=1)
    k = F.pad(weight.flip([2, 3]).transpose(0, 1), [1, 1, 1, 1])
    k = k[:, :, 1:, 1:] + k[:, :, :-1, 1:] + k[:, :, 1:, :-1] + k[:, :, :-1, :-1]
    return F.conv_transpose2d(x, k, stride=2, padding=1)


def _blur(x: Tensor, f: Tensor) -> Tensor:
    c = x.shape[1]
    return F.conv2d(x, f[None, None].repeat(c, 1, 1, 1), padding=1, groups=c)


def _epilogue(x: Tensor, w: Tensor, layer: nn.Module, noise_mode: str) -> Tensor:
    """Add noise and bias, then apply leaky ReLU, instance norm and style."""
    n, c, h, _ = x.shape
    if noise_mode != "none":
        noise = layer.noise_const if noise_mode == "const" else torch.randn(n, 1, h, h)
        x = x + noise * layer.noise_strength.reshape(1, -1, 1, 1)
    x = F.leaky_relu(x + layer.bias.reshape(1, -1, 1, 1), 0.2)
    x = x - x.mean([2, 3], keepdim=True)
    x = x * (x.square().mean([2, 3], keepdim=True) + 1e-8).rsqrt()
    style = layer.affine(w).reshape(n, 2, c, 1, 1)
    return x * (style[:, 0] + 1) + style[:, 1]
