"""Base class of the synthesis networks prepared for inference."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegan.machine.compile import compile_or_eager
from stylegan.networks.generator import FamilySynthesis


class InferenceSynthesis(FamilySynthesis):
    """ws -> image without gradients, in two steps: small numbers that depend on w, then one graph for a compiler.

    A generation prepares its weights and writes both steps. `precision` is what the weights were prepared for.
    """

    def __init__(
        self,
        synthesis: FamilySynthesis,
        precision: str,
        compile: bool,
        compiler_options: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.w_dim, self.num_ws = synthesis.w_dim, synthesis.num_ws
        self.img_resolution, self.img_channels = synthesis.img_resolution, synthesis.img_channels
        self.precision, self.compile_requested = precision, compile
        # The function, not the method, so that a copy of this module draws with its own weights.
        draw = type(self).draw
        self._draw = compile_or_eager(draw, compiler_options) if compile else draw

    def prepare_inputs(self, ws: Tensor) -> tuple[Any, ...]:
        """ws [N, num_ws, w_dim] float32 -> the arguments of `draw`, such as the style of each layer.

        Not in the compiled graph, which would compute the few numbers of a style again at every pixel.
        """
        raise NotImplementedError

    def draw(self, *inputs: Any, noise_mode: str) -> Tensor:
        """The image [N, img_channels, R, R] float32."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:
        """ws [N, num_ws, w_dim] of any float dtype -> [N, img_channels, R, R] float32, nominally in [-1, 1].

        Raises: ShapeError for ws of another shape, ConfigError for an unknown noise mode.
        """
        return self._draw(self, *self.prepare_inputs(self.checked(ws, noise_mode)), noise_mode=noise_mode)
