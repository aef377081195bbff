"""The synthesis network of StyleGAN3 prepared for inference.

Weights are cast and laid out once, their squares are summed for demodulation, the gain of the activation is folded into
the constants. Channels are padded with zeros to a multiple of 32.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.shifted_filtered_lrelu import COMPILER_OPTIONS, ShiftedFilteredLReLU
from stylegan.inference.stylegan2 import PreparedToRGB
from stylegan.inference.synthesis import InferenceSynthesis
from stylegan.networks.generator import NoiseMode
from stylegan.networks.layers import frozen
from stylegan.networks.precision import block_dtype
from stylegan.networks.stylegan3 import SynthesisLayer, SynthesisNetwork, ToRGB
from stylegan.ops import filtered_lrelu
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.modulated_conv2d import small_style, small_weight
from stylegan.ops.number_formats import wide, wide_dtype

GAIN = activation_gain("lrelu")
CHANNELS = 32  # a vector of bfloat16, and a tile of matrix units
Style = tuple[Tensor, ...]


class StyleGAN3InferenceSynthesis(InferenceSynthesis):
    """ws -> image, with prepared layers. `input.transform` may be set, as in the network."""

    def __init__(self, synthesis: SynthesisNetwork, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile, COMPILER_OPTIONS)
        self.output_scale = synthesis.output_scale
        self.input = frozen(synthesis.input)

        def dtype(layer: SynthesisLayer) -> torch.dtype:
            # bfloat16 has the range of float32, so the marks, which keep low rates from overflow, are not needed
            marked = layer.low_precision or precision == "bf16"
            return block_dtype(marked, precision, layer.weight.device, wide_dtype(layer.magnitude_ema.dtype))

        *layers, torgb = synthesis.layers
        assert isinstance(torgb, ToRGB)
        self.layers = cast("list[_Layer]", nn.ModuleList(_Layer(layer, dtype(layer), compile) for layer in layers))
        self.torgb = _ToRGB(torgb, dtype(torgb))

    def prepare_inputs(self, ws: Tensor) -> tuple[Tensor, list[Style]]:
        first, *others = ws.unbind(1)
        layers: list[_Layer | _ToRGB] = [*self.layers, self.torgb]
        return self.input(first), [layer.style(w) for layer, w in zip(layers, others, strict=True)]

    def draw(self, x: Tensor, styles: list[Style], *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        for layer, style in zip(self.layers, styles, strict=False):
            x = layer(x, *style)
        return self.torgb(x, *styles[-1]) * self.output_scale


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared. lrelu(gain * x) = gain * lrelu(x), so the gain is a part of the constants."""

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype = dtype
        weight = wide(layer.weight.detach())
        if dtype == torch.float16:
            weight = small_weight(weight)
        self.affine = frozen(layer.affine)
        self.input_gain = nn.Buffer(layer.magnitude_ema.rsqrt())
        out_missing, self.in_missing = (-n % CHANNELS for n in weight.shape[:2])
        self.squares = nn.Buffer(F.pad(weight.square().sum([2, 3]).t(), [0, out_missing]).contiguous())  # [I, O]
        weight = F.pad(weight, [0, 0, 0, 0, 0, self.in_missing, 0, out_missing]).to(dtype)
        self.weight = nn.Buffer(weight.contiguous(memory_format=torch.channels_last))
        bias = F.pad(wide(layer.bias.detach()) * GAIN, [0, out_missing])
        self.bias = nn.Buffer(bias[None, :, None, None])
        self.resample = _shifted(layer, dtype) if compile else _Resampling(layer)

    def style(self, w: Tensor) -> Style:
        """w [N, D] -> factors on the input [N, I, 1, 1] and on the output [N, O, 1, 1]."""
        s = self.affine(w)
        if self.dtype == torch.float16:
            s = small_style(s)
        d = (s.square() @ self.squares + 1e-8).rsqrt() * GAIN
        s = F.pad(s * self.input_gain, [0, self.in_missing])
        return s[:, :, None, None], d[:, :, None, None]

    def forward(self, x: Tensor, s: Tensor, d: Tensor) -> Tensor:
        if x.shape[1] < s.shape[1]:  # pad the input's channels to a multiple of 32
            x = F.pad(x, [0, 0, 0, 0, 0, s.shape[1] - x.shape[1]])
        x = F.conv2d((x * s).to(self.dtype), self.weight, padding=self.weight.shape[-1] - 1)
        return self.resample((x * d + self.bias).to(self.dtype))


class _Resampling(nn.Module):
    """`filtered_lrelu` of a layer, without bias and gain."""

    def __init__(self, layer: SynthesisLayer):
        super().__init__()
        self.up_filter: Tensor | None
        self.down_filter: Tensor | None
        self.register_buffer("up_filter", copy.deepcopy(layer.up_filter))
        self.register_buffer("down_filter", copy.deepcopy(layer.down_filter))
        self.up, self.down, self.padding, self.clamp = layer.up, layer.down, layer.padding, layer.conv_clamp

    def forward(self, x: Tensor) -> Tensor:
        return filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            up=self.up,
            down=self.down,
            pad=self.padding,
            gain=1.0,
            clamp=self.clamp,
        )


def _shifted(layer: SynthesisLayer, dtype: torch.dtype) -> ShiftedFilteredLReLU:
    """Prepare the `filtered_lrelu` of a layer for a compiler."""
    identity = torch.ones(1)  # where a rate does not change there is no filter
    return ShiftedFilteredLReLU(
        layer.up_filter if layer.up_filter is not None else identity,
        layer.down_filter if layer.down_filter is not None else identity,
        up=layer.up,
        down=layer.down,
        pad=layer.padding[:2],
        clamp=layer.conv_clamp,
        tolerance=1e-5 if dtype == torch.float32 else 1e-3,  # below what the dtype rounds off
    )


class _ToRGB(PreparedToRGB):
    """`ToRGB`, prepared with the gain of its input and padded channels."""

    def __init__(self, layer: ToRGB, dtype: torch.dtype):
        super().__init__(layer, dtype, layer.magnitude_ema.rsqrt())
        self.in_missing = -len(self.weight) % CHANNELS

    def style(self, w: Tensor) -> Style:
        (kernels,) = super().style(w)
        return (F.pad(kernels, [0, 0, 0, self.in_missing]),)
