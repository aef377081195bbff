"""The synthesis network of StyleGAN3 made for drawing: the same images, sooner.

Weights are cast and laid out once, their squares are summed for demodulation, the gain of the activation is a part of
the constants. Channels are filled up with zeros to whole vectors. There are no gradients.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.shifted_filtered_lrelu import COMPILER_OPTIONS, ShiftedFilteredLReLU
from stylegan.inference.stylegan2 import PreparedToRGB
from stylegan.machine.compile import compile_or_eager
from stylegan.networks.generator import check_synthesis
from stylegan.networks.precision import block_dtype
from stylegan.ops import filtered_lrelu
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.modulated_conv2d import small_style, small_weight

GAIN = activation_gain("lrelu")
CHANNELS = 32  # a vector of bfloat16, and a tile of matrix units
Style = tuple[Tensor, ...]


class AliasFreeInferenceSynthesis(nn.Module):
    """ws -> image, with prepared layers. `input.transform` may be set, as in the network."""

    def __init__(self, synthesis: Any, precision: str, compile: bool):
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = synthesis.num_ws, synthesis.w_dim, synthesis.img_resolution
        self.output_scale = synthesis.output_scale
        self.input = copy.deepcopy(synthesis.input).requires_grad_(False)
        *layers, torgb = (getattr(synthesis, name) for name in synthesis.layer_names)

        def dtype(layer: Any) -> torch.dtype:
            # bfloat16 has the range of float32, so the marks, which keep low rates from overflow, are not needed
            return block_dtype(layer.low_precision or precision == "bf16", precision, layer.weight.device)

        self.layers = nn.ModuleList(_Layer(layer, dtype(layer), compile) for layer in layers)
        self.torgb = _ToRGB(torgb, dtype(torgb))
        self._draw: Callable[[Tensor, list[Style]], Tensor] = self._draw_eager
        if compile:
            self._draw = compile_or_eager(self._draw_eager, COMPILER_OPTIONS)

    @torch.no_grad()
    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:
        """As `SynthesisNetwork.forward`. Raises: ShapeError for ws of another shape, ConfigError for another mode."""
        check_synthesis(self, ws, noise_mode)
        first, *others = ws.to(torch.float32).unbind(1)
        layers: list[Any] = [*self.layers, self.torgb]
        # Not in the compiled graph, which would compute the few numbers of a style anew at every pixel.
        return self._draw(self.input(first), [layer.style(w) for layer, w in zip(layers, others, strict=True)])

    def _draw_eager(self, x: Tensor, styles: list[Style]) -> Tensor:
        for layer, style in zip(self.layers, styles, strict=False):
            x = layer(x, *style)
        return self.torgb(x, *styles[-1]) * self.output_scale


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared. lrelu(gain * x) = gain * lrelu(x), so the gain is a part of the constants."""

    def __init__(self, layer: Any, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype = dtype
        weight = layer.weight.detach()
        if dtype == torch.float16:
            weight = small_weight(weight)
        self.affine = copy.deepcopy(layer.affine).requires_grad_(False)
        self.input_gain = layer.magnitude_ema.rsqrt().item()
        out_missing, self.in_missing = (-n % CHANNELS for n in weight.shape[:2])
        self.squares = nn.Buffer(F.pad(weight.square().sum([2, 3]).t(), [0, out_missing]).contiguous())  # [I, O]
        weight = F.pad(weight, [0, 0, 0, 0, 0, self.in_missing, 0, out_missing]).to(dtype)
        self.weight = nn.Buffer(weight.contiguous(memory_format=torch.channels_last))
        bias = F.pad(layer.bias.detach() * GAIN, [0, out_missing])
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
        if x.shape[1] < s.shape[1]:  # the input has no channels to spare
            x = F.pad(x, [0, 0, 0, 0, 0, s.shape[1] - x.shape[1]])
        x = F.conv2d((x * s).to(self.dtype), self.weight, padding=self.weight.shape[-1] - 1)
        return self.resample((x * d + self.bias).to(self.dtype))


class _Resampling(nn.Module):
    """`filtered_lrelu` of a layer, without bias and gain."""

    def __init__(self, layer: Any):
        super().__init__()
        self.up_filter, self.down_filter = nn.Buffer(layer.up_filter), nn.Buffer(layer.down_filter)
        self.options = {"up": layer.up, "down": layer.down, "pad": layer.padding, "clamp": layer.conv_clamp}

    def forward(self, x: Tensor) -> Tensor:
        return filtered_lrelu(x, self.up_filter, self.down_filter, gain=1.0, **self.options)


def _shifted(layer: Any, dtype: torch.dtype) -> ShiftedFilteredLReLU:
    """The same for a compiler."""
    return ShiftedFilteredLReLU(
        layer.up_filter,
        layer.down_filter,
        up=layer.up,
        down=layer.down,
        pad=layer.padding[:2],
        clamp=layer.conv_clamp,
        tolerance=1e-5 if dtype == torch.float32 else 1e-3,  # below what the dtype rounds off
    )


class _ToRGB(PreparedToRGB):
    """With the gain of its input, and channels filled up."""

    def __init__(self, layer: Any, dtype: torch.dtype):
        super().__init__(layer, dtype, layer.magnitude_ema.rsqrt())
        self.in_missing = -len(self.weight) % CHANNELS

    def style(self, w: Tensor) -> Style:
        (kernels,) = super().style(w)
        return (F.pad(kernels, [0, 0, 0, self.in_missing]),)
