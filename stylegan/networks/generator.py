"""What every generator of the family is: a mapping network, a synthesis network, and three ways to call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError, ShapeError
from stylegan.machine.precision import check_precision

if TYPE_CHECKING:
    from stylegan.inference.generator import InferenceGenerator

NOISE_MODES = ("random", "const", "none")


class FamilyGenerator(nn.Module):
    """z, c -> ws -> image. A generation makes `mapping` and `synthesis`, and says what draws sooner.

    Attributes:
        args: what the constructor of a generation was called with, from which a checkpoint rebuilds the network.
        z_dim, c_dim, img_resolution, img_channels: of these.
        w_dim, num_ws: of `synthesis`, which takes ws [N, num_ws, w_dim].
        class_names, label_names: what the classes, or the values of a label vector, mean, where that is known. Data and
            checkpoints tell; constructing does not.
    """

    class_names: list[str] | None = None
    label_names: list[str] | None = None
    grows = False  # whether there is a `lod`
    mapping: Any
    synthesis: Any
    check_precision = staticmethod(check_precision)

    def __init__(self, args: dict[str, Any]):
        """`args` are the `locals()` that a constructor starts with."""
        super().__init__()
        self.args = {k: v for k, v in args.items() if k not in ("self", "__class__")}
        self.z_dim, self.c_dim, self.img_resolution, self.img_channels = (
            self.args[k] for k in ("z_dim", "c_dim", "img_resolution", "img_channels")
        )

    @property
    def w_dim(self) -> int:
        return self.synthesis.w_dim

    @property
    def num_ws(self) -> int:
        return self.synthesis.num_ws

    @property
    def precision(self) -> str:
        """What the parts marked by `num_fp16_res` compute in: "auto", "fp32", "bf16" or "fp16"."""
        return self.synthesis.precision

    @precision.setter
    def precision(self, value: str) -> None:
        self.synthesis.precision = self.check_precision(value)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: str = "random",
    ) -> Tensor:
        """z [N, z_dim], c [N, c_dim] or None -> [N, img_channels, R, R] float32, nominally in [-1, 1]."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode)

    def for_inference(self, precision: str = "fp32", compile: bool = False) -> InferenceGenerator:
        """A copy made for speed: the same three calls and attributes, no gradients; `lod` stays as it is.

        Args:
            precision: "fp32"; "bf16" in layers above 4x4; "fp16" in those marked by `num_fp16_res`; or "auto".
            compile: fuse what lies between two convolutions with `torch.compile`. Takes a minute or more at the first
                call for each batch size; where it fails, a warning says so and drawing goes on without it.
        Raises: ConfigError for a precision that is unknown or does not work here, or an activation other than lrelu.
        """
        from stylegan.inference.generator import InferenceGenerator  # the one import that runs up: a method's shortcut

        return InferenceGenerator(self, precision, compile)


def check_synthesis(synthesis: Any, ws: Tensor, noise_mode: str) -> Tensor:
    """ws itself. Raises: ShapeError for another shape, ConfigError for an unknown mode."""
    r, num_ws, w_dim = synthesis.img_resolution, synthesis.num_ws, synthesis.w_dim
    if ws.ndim != 3 or ws.shape[1:] != (num_ws, w_dim):
        raise ShapeError(
            f"synthesis at {r}x{r} takes ws [N, {num_ws}, {w_dim}], got {list(ws.shape)}; "
            f"repeat a single w for all layers with w[:, None].repeat(1, {num_ws}, 1)."
        )
    if noise_mode not in NOISE_MODES:
        raise ConfigError(f"noise_mode must be one of {', '.join(NOISE_MODES)}, got {noise_mode!r}.")
    return ws


def noise_like(x: Tensor, noise_mode: str, const: Tensor) -> Tensor:
    """The noise for x [N, C, H, W], float32: `const` [H, W] in the mode "const", else drawn anew, [N, 1, H, W]."""
    if noise_mode == "const":
        return const
    n, _, h, w = x.shape
    return torch.randn([n, 1, h, w], device=x.device)
