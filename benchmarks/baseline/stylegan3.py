"""The alias-free generators in textbook form, on the weights of one of our networks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from baseline.ops import bias_act, filtered_lrelu


class Generator(nn.Module):
    """The baseline of a `stylegan3.Generator`; shares its parameters."""

    def __init__(self, G: nn.Module):
        super().__init__()
        self.G = G

    def mapping(self, z: Tensor, c: Tensor | None = None, **options) -> Tensor:
        return self.G.mapping(z, c, **options)

    def synthesis(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        synthesis = self.G.synthesis
        x = synthesis.input(ws[:, 0]).contiguous()
        *layers, torgb = [getattr(synthesis, name) for name in synthesis.layer_names]
        for i, layer in enumerate(layers):
            x = filtered_lrelu(_convolution(x, layer, layer.affine(ws[:, i + 1])), layer)
        styles = torgb.affine(ws[:, -1]) * torgb.weight_gain
        x = _convolution(x, torgb, styles, demodulate=False)
        return bias_act(x, torgb.bias, "linear", clamp=torgb.conv_clamp) * synthesis.output_scale


def _convolution(x: Tensor, layer: nn.Module, styles: Tensor, demodulate: bool = True) -> Tensor:
    """Convolve with one kernel per sample, as a grouped convolution with full padding."""
    n, k = len(x), layer.weight.shape[-1]
    w = layer.weight
    if demodulate:
        w = w * w.square().mean([1, 2, 3], keepdim=True).rsqrt()
        styles = styles * styles.square().mean().rsqrt()
    w = w[None] * styles.reshape(n, 1, -1, 1, 1)  # [N, O, I, K, K]
    if demodulate:
        w = w * (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    w = w * layer.magnitude_ema.rsqrt()
    x = F.conv2d(x.reshape(1, -1, *x.shape[2:]), w.reshape(-1, *w.shape[2:]), padding=k - 1, groups=n)
    return x.reshape(n, -1, *x.shape[2:])
