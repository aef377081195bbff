"""Style space: the outputs of the affine layers that turn w into styles. Wu et al. 2021."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylegan.editing.directions import Direction
from stylegan.errors import ConfigError
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.layers import EqualizedLinear
from stylegan.networks.protocol import device_of
from stylegan.sampling.latent import space_of, synthesize

CELLS = 4  # per side of the image, whose changes are compared


def affine_layers(G: FamilyGenerator, layers: Sequence[int] | None = None) -> dict[str, int]:
    """Return the affine layers that make styles, in order: name in the synthesis network -> the row of ws it takes.

    The affine layer of the Fourier features of StyleGAN3, which moves the image, is left out.

    layers: rows of ws; None for all.
    Raises: ConfigError for a network without affine layers, such as ProGAN and R3GAN, or with none for these rows.
    """
    rows: dict[str, int] = {}
    handles = [
        module.register_forward_pre_hook(lambda _, args, name=name: rows.update({name: round(float(args[0][0, 0]))}))
        for name, module in G.synthesis.named_modules()
        if name.endswith(".affine") and name != "input.affine"
    ]
    try:
        with torch.no_grad():  # a ws whose row i is filled with i shows which row arrives
            numbers = torch.arange(G.num_ws, device=device_of(G), dtype=torch.float32)
            G.synthesis(numbers[None, :, None].repeat(1, 1, G.w_dim), noise_mode="none")
    finally:
        for handle in handles:
            handle.remove()
    if not rows:
        raise ConfigError("this network has no affine layers; find directions in w, by pca or labels.")
    found = {name: row for name, row in rows.items() if layers is None or row in layers}
    if not found:
        raise ConfigError(
            f"the affine layers of this network take the rows {sorted(set(rows.values()))} of ws, got {layers}."
        )
    return found


def affine_matrix(G: FamilyGenerator, name: str) -> Tensor:
    """Return the matrix of an affine layer as it is applied, scaled by its gain, [channels, w_dim]."""
    layer = G.synthesis.get_submodule(name)
    assert isinstance(layer, EqualizedLinear)
    return layer.weight.detach() * layer.weight_gain


@torch.no_grad()
def style_deviations(G: FamilyGenerator, w: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the standard deviation of each style over random w [N, w_dim]: layer -> [channels]."""
    return {name: G.synthesis.get_submodule(name)(w).std(0) for name in names}


def style_effects(G: FamilyGenerator, w: Tensor, rows: Sequence[str], *, seed: int = 0) -> dict[str, Tensor]:
    """Return how much each style channel changes each part of the image: layer -> [channels, CELLS**2], squared.

    This is the squared norm of the derivative of the pixels of a part by the channel, averaged over images. It is
    estimated from the gradients of the sum of the pixels with random signs, one backward pass for each part.

    w: of the images, [N, w_dim].
    """
    ws = w[:, None].repeat(1, G.num_ws, 1)
    channels = {name: len(affine_matrix(G, name)) for name in rows}
    offsets = {name: torch.zeros(len(w), c, device=w.device, requires_grad=True) for name, c in channels.items()}
    images = synthesize(G.synthesis, ws, offsets, {})
    rng = torch.Generator().manual_seed(seed)
    signs = (torch.randint(0, 2, images.shape, generator=rng) * 2.0 - 1).to(images.device)
    side = max(G.img_resolution // CELLS, 1)
    parts = [
        ((images * signs)[:, :, y : y + side, x : x + side]).sum()
        for y in range(0, G.img_resolution, side)
        for x in range(0, G.img_resolution, side)
    ]
    effects: dict[str, list[Tensor]] = {name: [] for name in rows}
    for part in parts:
        gradients = torch.autograd.grad(part, list(offsets.values()), retain_graph=True, allow_unused=True)
        for name, gradient in zip(offsets, gradients, strict=True):
            unused = torch.zeros(
                channels[name], device=w.device
            )  # such as a layer whose output no pixel of the part sees
            effects[name].append(unused if gradient is None else gradient.square().mean(0))
    return {name: torch.stack(values, 1) for name, values in effects.items()}


def style_channels(
    G: FamilyGenerator,
    w: Tensor,
    *,
    count: int,
    layers: Sequence[int] | None = None,
    values: Tensor | None = None,
    images: int = 8,
) -> list[Direction]:
    """Return the single style channels with the strongest effect, best first.

    Without `values` a channel is ranked by the change of the image for one standard deviation, times the concentration
    of that change: 1 if it is in one of 16 parts of the image, 1/16 if all change alike. With `values` it is ranked by
    its correlation with them, and increases them.

    Args:
        w: random w, [N, w_dim].
        values: of an attribute of their images, [N], such as 0 and 1; None to rank by effect.
        images: number of w whose images show the effect.
    """
    names = list(affine_layers(G, layers))
    deviations = style_deviations(G, w, names)
    if values is None:
        effects = style_effects(G, w[:images], names)
        scores = {name: _local_effect(effects[name]) * deviations[name] for name in names}
    else:
        scores = {name: _correlation(G.synthesis.get_submodule(name)(w), values) for name in names}
    ranked = sorted(
        (-abs(score), name, c) for name in names for c, score in enumerate(scores[name].tolist()) if score != 0
    )
    space, found = space_of(G), []
    for score, name, c in ranked[:count]:
        vector = torch.zeros(len(deviations[name]))
        vector[c] = 1.0 if scores[name][c] > 0 else -1.0
        found.append(
            Direction(
                name=f"{name.removesuffix('.affine')}.{c}",
                vector={name: vector},
                deviation=float(deviations[name][c]),
                space=space,
                method="style",
                note=f"{'local effect' if values is None else 'correlation'} {-score:.2g}",
            )
        )
    return found


def _local_effect(effects: Tensor) -> Tensor:
    """Return the size of the change of the image times its concentration, from effects [channels, parts]."""
    total = effects.sum(1)
    return total.sqrt() * effects.square().sum(1) / total.square().clamp(min=1e-30)


@torch.no_grad()
def _correlation(styles: Tensor, values: Tensor) -> Tensor:
    """Return the correlation of each channel of styles [N, channels] with values [N]; 0 for a constant one."""
    s, v = styles - styles.mean(0), values.to(styles) - values.to(styles).mean()
    return (s.T @ v / (s.norm(dim=0) * v.norm()).clamp(min=1e-30)).detach()
