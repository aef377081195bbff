"""Skip generator and residual discriminator in textbook form, on the weights of one of our networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baseline.ops import bias_act, conv2d_layer, minibatch_std, modulated_conv2d, upfirdn2d

SQRT_HALF = 0.5**0.5


class Generator(nn.Module):
    """The baseline of a `stylegan2.Generator` with the skip architecture; shares its parameters."""

    def __init__(self, G: nn.Module):
        super().__init__()
        self.G = G

    def mapping(self, z: Tensor, c: Tensor | None = None, **options) -> Tensor:
        return self.G.mapping(z, c, **options)

    def synthesis(self, ws: Tensor, noise_mode: str = "const", per_sample: bool = True) -> Tensor:
        x = img = None
        i = 0
        for r in self.G.synthesis.block_resolutions:
            block = getattr(self.G.synthesis, f"b{r}")
            if x is None:
                x = block.const[None].repeat(len(ws), 1, 1, 1)
            else:
                x = _layer(x, ws[:, i], block.conv0, noise_mode, per_sample)
                i += 1
            x = _layer(x, ws[:, i], block.conv1, noise_mode, per_sample)
            i += 1
            if img is not None:
                img = upfirdn2d(img, block.resample_filter, up=2, pad=(2, 1, 2, 1), gain=4)
            torgb = block.torgb
            styles = torgb.affine(ws[:, i]) * torgb.weight_gain
            rgb = modulated_conv2d(x, torgb.weight, styles, demodulate=False, per_sample=per_sample)
            rgb = bias_act(rgb, torgb.bias, "linear", clamp=torgb.conv_clamp)
            img = rgb if img is None else img + rgb
        assert img is not None
        return img


def _layer(x: Tensor, w: Tensor, layer: nn.Module, noise_mode: str, per_sample: bool) -> Tensor:
    noise = None
    if noise_mode == "const":
        noise = layer.noise_const * layer.noise_strength
    elif noise_mode == "random":
        r = x.shape[-1] * layer.up
        noise = torch.randn([len(x), 1, r, r]) * layer.noise_strength
    x = modulated_conv2d(
        x, layer.weight, layer.affine(w), noise, layer.up, layer.resample_filter, per_sample=per_sample
    )
    return bias_act(x, layer.bias, "lrelu", clamp=layer.conv_clamp)


class Discriminator(nn.Module):
    """The baseline of an unconditional `stylegan2.Discriminator` with the resnet architecture."""

    def __init__(self, D: nn.Module):
        super().__init__()
        self.D = D

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        x = None
        for r in self.D.block_resolutions:
            block = getattr(self.D, f"b{r}")
            if x is None:
                x = conv2d_layer(img, block.fromrgb)
            y = conv2d_layer(x, block.skip, SQRT_HALF)
            x = conv2d_layer(conv2d_layer(x, block.conv0), block.conv1, SQRT_HALF) + y
        last = self.D.b4
        x = minibatch_std(x, last.mbstd.group_size)
        return last.out(last.fc(conv2d_layer(x, last.conv).flatten(1)))
