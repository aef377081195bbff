"""Base class of the synthesis networks prepared for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stylegan.errors import CheckpointError, ConfigError
from stylegan.inference.openvino import OpenVINODraw, check_engine_precision
from stylegan.machine.compile import compile_or_eager
from stylegan.networks.generator import FamilySynthesis, NoiseMode
from stylegan.networks.network import kept_dtype


class InferenceSynthesis(FamilySynthesis):
    """ws -> image without gradients, in two steps: small numbers that depend on w, then one graph for a compiler.

    A generation prepares its weights and writes both steps. `precision` is what the weights were prepared for.
    """

    engine = "torch"  # what draws

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
        self._sizes: set[int] = set()  # of the batches that were compiled
        # The function, not the method, so that a copy of this module draws with its own weights.
        draw = type(self).draw
        self._draw: Callable[..., Tensor] = compile_or_eager(draw, compiler_options) if compile else draw

    def draw_with_openvino(self, precision: str, settings: str) -> None:
        """Leave `draw`, of a form in float32, to OpenVINO. Raises: ConfigError for a precision that it lacks."""
        check_engine_precision(precision)
        self._draw, self.engine, self.precision = OpenVINODraw(precision, settings), "openvino", precision

    def prepare_inputs(self, ws: Tensor) -> tuple[Any, ...]:
        """ws [N, num_ws, w_dim] float32 -> the arguments of `draw`, such as the style of each layer.

        Not in the compiled graph, which would compute the few numbers of a style again at every pixel.
        """
        raise NotImplementedError

    def draw(self, *inputs: Any, noise_mode: NoiseMode) -> Tensor:
        """The image [N, img_channels, R, R] float32."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = False) -> Tensor:
        """ws [N, num_ws, w_dim] of any float dtype -> [N, img_channels, R, R] float32, nominally in [-1, 1].

        A compiled form fills up a batch that is smaller than one before, because compiling for its size takes a minute.

        Raises: ShapeError for ws of another shape, ConfigError for an unknown noise mode, or for `force_fp32` in a form
            prepared for less.
        """
        narrow = any(b.is_floating_point() and b.element_size() < 4 for b in self.buffers())
        if force_fp32 and (narrow or (self.engine == "openvino" and self.precision == "bf16")):
            raise ConfigError(
                f"this generator was prepared for precision {self.precision}, which `force_fp32` cannot undo; call "
                "for_inference('fp32') of the network that it was made from."
            )
        ws = self.checked(ws, noise_mode)
        n = ws.shape[0]
        if n == 0:
            return ws.new_zeros([0, self.img_channels, self.img_resolution, self.img_resolution])
        if self.compile_requested:
            ws = self._filled_up(ws)
        img = self._draw(self, *self.prepare_inputs(ws), noise_mode=noise_mode)
        return img[:n] if ws.shape[0] > n else img

    def _filled_up(self, ws: Tensor) -> Tensor:
        """Repeat the last w until the batch has a size that was drawn before, if there is a larger one."""
        n = ws.shape[0]
        size = min((size for size in self._sizes if size >= n), default=n)
        self._sizes.add(size)
        return torch.cat([ws, ws[-1:].expand(size - n, -1, -1)]) if size > n else ws

    def load_state_dict(self, *_: Any, **__: Any) -> Any:
        """Raises: CheckpointError, because the weights are stored in a form that depends on the settings."""
        raise weights_are_prepared()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        module: Any
        for module in self.modules():
            if "dtype" in vars(module):  # of activations; it follows the weights, which never become narrower
                module.dtype = kept_dtype(module.dtype, fn(torch.empty(0, dtype=module.dtype, device="cpu")).dtype)
        return self


def weights_are_prepared() -> CheckpointError:
    return CheckpointError(
        "a generator made by for_inference cannot load weights; load them into the network that it was made from, and "
        "call for_inference again."
    )
