"""One latent: all that a network needs to draw an image again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from stylegan.errors import ConfigError
from stylegan.files.digest import digest
from stylegan.networks.protocol import GeneratorLike


@dataclass(frozen=True, kw_only=True, eq=False)
class Latent:
    """A point in the latent spaces of a network, which gives one image.

    Attributes:
        ws: [num_ws, w_dim] float32. Its rows are equal for a point of W, and differ for one of W+.
        offsets: what is added to the output of modules of the synthesis network, by their names and without the batch
            axis. On an `affine` layer this is a move in style space (Wu et al. 2021), on any other layer a change of
            its feature maps.
        noise: content of buffers of the synthesis network, by their names, [H, W].
        space: identity of the latent space, see `space_of`; None if unknown, as in the files of the official projector.
    """

    ws: Tensor
    offsets: Mapping[str, Tensor] = field(default_factory=dict)
    noise: Mapping[str, Tensor] = field(default_factory=dict)
    space: str | None = None

    def moved(self, delta: Tensor, layers: Sequence[int] | None = None) -> Latent:
        """Return this latent with `delta`, [w_dim] or [num_ws, w_dim], added to the ws of some layers or of all."""
        ws = self.ws.clone()
        rows = list(range(len(ws))) if layers is None else list(layers)
        ws[rows] += delta if delta.ndim == 1 else delta[rows]
        return replace(self, ws=ws)

    def shifted(self, offsets: Mapping[str, Tensor]) -> Latent:
        """Return this latent with `offsets` added to its own."""
        both = {name: self.offsets.get(name, 0) + value for name, value in offsets.items()}
        return replace(self, offsets={**self.offsets, **both})

    def towards(self, other: Latent, t: float, own_noise: Mapping[str, Tensor]) -> Latent:
        """Return the latent at the part t, from 0 to 1, of the straight way to another.

        Args:
            own_noise: noise of the network, for the one of the two that has none. Noise is mixed so that it keeps its
                variance.
        """
        mixed = {}
        for name in self.noise.keys() | other.noise.keys():
            a, b = (latent.noise.get(name, own_noise.get(name)) for latent in (self, other))
            assert a is not None
            assert b is not None
            mixed[name] = math.sqrt(1 - t) * a + math.sqrt(t) * b
        offsets = {name: (1 - t) * value for name, value in self.offsets.items()}
        for name, value in other.offsets.items():
            offsets[name] = offsets[name] + t * value if name in offsets else t * value
        return replace(self, ws=torch.lerp(self.ws, other.ws.to(self.ws), t), offsets=offsets, noise=mixed)

    @property
    def is_plain(self) -> bool:
        """Whether ws alone gives the image."""
        return not self.offsets and not self.noise


def space_of(G: GeneratorLike) -> str:
    """Return the identity of the latent space of a network, 16 hexadecimal digits.

    Networks with the same mapping network share the space W, such as a network and its copy that was tuned to a photo.
    """
    mapping: Any = G.mapping
    tensors = list(mapping.state_dict().values()) if isinstance(mapping, nn.Module) else []
    shape = torch.tensor([G.num_ws, G.w_dim, G.img_resolution])
    return digest([shape, *tensors])[:16]


def check_space(latent: Latent, G: GeneratorLike) -> None:
    """Raises ConfigError unless the latent has the shape that `G` takes, and comes from its latent space."""
    expected = [G.num_ws, G.w_dim]
    if list(latent.ws.shape) != expected:
        raise ConfigError(f"this network takes ws {expected}, got {list(latent.ws.shape)}; use its own latents.")
    if latent.space is not None and latent.space != space_of(G):
        raise ConfigError(
            f"the latent belongs to the latent space {latent.space}, and this network has {space_of(G)}; draw it with "
            "the network that it was found for."
        )


def synthesize(
    synthesis: nn.Module,
    ws: Tensor,
    offsets: Mapping[str, Tensor],
    noise: Mapping[str, Tensor],
    *,
    noise_mode: str = "const",
) -> Tensor:
    """Draw images with changed outputs of layers and other noise; differentiable in all of them.

    Args:
        ws: [N, num_ws, w_dim].
        offsets: module -> what is added to its output, [N, ...] or broadcast over the batch.
        noise: buffer -> its content, [H, W] or [N, 1, H, W].
    Returns: [N, C, R, R] float32.
    Raises: ConfigError for a module that the network does not have.
    """
    with _offset(synthesis, offsets):
        return cast(Tensor, functional_call(synthesis, dict(noise), (ws,), {"noise_mode": noise_mode}))


@contextmanager
def _offset(synthesis: nn.Module, offsets: Mapping[str, Tensor]) -> Iterator[None]:
    """Add the offsets to the outputs of the modules while the block runs."""
    handles = []

    def adds(offset: Tensor) -> Any:
        return lambda module, args, output: output + offset.to(output.device, output.dtype)

    try:
        for name, offset in offsets.items():
            handles.append(_module(synthesis, name).register_forward_hook(adds(offset)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _module(synthesis: nn.Module, name: str) -> nn.Module:
    try:
        return synthesis.get_submodule(name)
    except AttributeError:
        raise ConfigError(
            f"the synthesis network has no layer {name!r}, which the latent changes; draw it with the network that it "
            "was found for, not with a form prepared for inference."
        ) from None
