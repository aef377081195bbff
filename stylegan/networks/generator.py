"""Base classes of all generators: a mapping network, a synthesis network, and three ways to call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.machine.precision import check_precision
from stylegan.networks.layers import tensor_shapes
from stylegan.networks.mapping import FamilyMapping
from stylegan.networks.network import Network, as_numbers
from stylegan.networks.settings import NetworkFields, Settings
from stylegan.ops.number_formats import wide_dtype

if TYPE_CHECKING:
    from stylegan.inference.generator import InferenceGenerator

NOISE_MODES = ("random", "const", "none")
NoiseMode = (
    str | Callable[[Tensor], Tensor]
)  # a mode, or a function that returns the noise of a layer from its constant


class FamilySynthesis(Network):
    """Base class of all synthesis networks: ws [N, num_ws, w_dim] to images.

    Attributes:
        precision: number format of the blocks marked by `num_fp16_res`: "auto", "fp32", "bf16" or "fp16".
    """

    w_dim: int
    num_ws: int
    img_resolution: int
    img_channels: int
    precision = "auto"
    extra_repr = tensor_shapes

    @property
    def has_noise(self) -> bool:
        """True if `noise_mode` makes a difference, which it does not in ProGAN, StyleGAN3 and R3GAN."""
        return any("noise" in name for name, _ in self.named_buffers())

    def checked(self, ws: Any, noise_mode: str) -> Tensor:
        """Return ws on the device and in the format of the network.

        Raises: ShapeError for another shape, ConfigError for an unknown noise mode.
        """
        ws = as_numbers(ws)
        r, num_ws, w_dim = self.img_resolution, self.num_ws, self.w_dim
        if ws.ndim != 3 or ws.shape[1:] != (num_ws, w_dim):
            raise ShapeError(
                f"synthesis at {r}x{r} takes ws [N, {num_ws}, {w_dim}], got {list(ws.shape)}; "
                f"repeat a single w for all layers with w[:, None].repeat(1, {num_ws}, 1)."
            )
        if noise_mode not in NOISE_MODES:
            raise ConfigError(f"noise_mode must be one of {', '.join(NOISE_MODES)}, got {noise_mode!r}.")
        return self.own(ws)


class BaseGenerator(Network):
    """Base class of everything that draws images: z, c -> ws -> image.

    Subclasses build `mapping` and `synthesis`.

    Attributes:
        z_dim, c_dim, img_resolution, img_channels: widths of the latent and the label, and the size of images.
        w_dim, num_ws: `synthesis` takes ws [N, num_ws, w_dim].
        class_names, label_names: meanings of the classes, or of the values of a label vector; None if unknown. Set by
            data sets and checkpoints, not by the constructor.
    """

    z_dim: int
    c_dim: int
    img_resolution: int
    img_channels: int
    class_names: list[str] | None = None
    label_names: list[str] | None = None
    mapping: FamilyMapping
    synthesis: FamilySynthesis

    @property
    def w_dim(self) -> int:
        return self.synthesis.w_dim

    @property
    def num_ws(self) -> int:
        return self.synthesis.num_ws

    def extra_repr(self) -> str:
        names = ("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution", "img_channels")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    def forward(
        self,
        z: Tensor,
        c: Tensor | int | None = None,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
        *,
        noise_mode: str = "random",
        force_fp32: bool = False,
    ) -> Tensor:
        """Return the images [N, img_channels, R, R] of z [N, z_dim], float32 and nominally in [-1, 1].

        Args: those of `mapping`, then those of `synthesis`.
        """
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, force_fp32=force_fp32)


class GeneratorFields(NetworkFields, Protocol):
    """The fields that the settings of every generator have."""

    @property
    def z_dim(self) -> int: ...


class FamilyGenerator(BaseGenerator):
    """Base class of the generators of all generations, which can be trained and saved.

    Attributes:
        settings: the value of `Settings` that the network was built from, and that a checkpoint rebuilds it from.
        grows: whether the generator has a level of detail, `lod`.
    """

    Settings: ClassVar[type[Settings]]
    settings: Any  # of type `Settings`
    grows = False
    check_precision = staticmethod(check_precision)

    def __init__(self, settings: GeneratorFields):
        super().__init__()
        self.settings = settings
        self.z_dim, self.c_dim = settings.z_dim, settings.c_dim
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels

    @property
    def precision(self) -> str:
        """Number format of the blocks marked by `num_fp16_res`: "auto", "fp32", "bf16" or "fp16"."""
        return self.synthesis.precision

    @precision.setter
    def precision(self, value: str) -> None:
        self.synthesis.precision = self.check_precision(value)

    @property
    def init_args(self) -> tuple[Any, ...]:
        """Positional arguments that build a network like this one, none: the name of the official releases."""
        return ()

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """Arguments that build a network like this one: the name of the official releases for `asdict(G.settings)`."""
        return asdict(self.settings)

    def for_inference(
        self, precision: str = "fp32", compile: bool = False, engine: str = "torch"
    ) -> InferenceGenerator:
        """Return a copy optimized for speed, with the same calls and attributes and without gradients.

        The level of detail of a growing network is fixed in the copy.

        Args:
            precision: "fp32"; "bf16" in layers above 4x4; "fp16" in those marked by `num_fp16_res`; or "auto".
            compile: fuse the operations between two convolutions with `torch.compile`. The first call for each batch
                size takes a minute or more. If the compiler fails, a warning says so and the copy runs uncompiled.
            engine: "torch", or "openvino", which draws on a CPU in "fp32" or "bf16" and compiles by itself. Its first
                image takes some seconds more, until the cache folder holds the network in OpenVINO's format.
        Raises: ConfigError for a precision that is unknown or does not work here, an activation other than lrelu, or an
            unknown engine; MissingExtra if the engine is not installed.
        """
        from stylegan.inference.generator import InferenceGenerator  # the one import that runs up: a method's shortcut

        return InferenceGenerator(self, precision, compile, engine)


def noise_like(x: Tensor, noise_mode: NoiseMode, const: Tensor) -> Tensor:
    """Return noise for x [N, C, H, W]: `const` [H, W] in the mode "const", else a new sample [N, 1, H, W]."""
    if callable(noise_mode):
        return noise_mode(const)
    if noise_mode == "const":
        return const
    n, _, h, w = x.shape
    return random_noise([n, 1, h, w], x)


def random_noise(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return unit Gaussian numbers: drawn in float32, so that a seed gives the same in every format."""
    return torch.randn(shape, dtype=torch.float32, device=like.device).to(wide_dtype(like.dtype))
