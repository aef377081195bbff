"""A direction in style space for a text: the global directions of StyleCLIP, Patashnik et al. 2021, Sec. 6."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.editing.directions import Direction
from stylegan.editing.image_features import Encode
from stylegan.editing.styles import affine_layers, style_deviations
from stylegan.errors import ConfigError
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latent import space_of, synthesize

STRENGTH = 5.0  # standard deviations to either side by which each channel is moved, as in the paper
BETA = 0.1


def channel_effects(
    G: FamilyGenerator,
    w: Tensor,
    encode: Encode,
    *,
    layers: list[int] | None = None,
    images: int = 8,
    batch: int = 32,
    watch: Callable[[int, int], None] | None = None,
) -> dict[str, Tensor]:
    """Return the direction in which each style channel moves the features of images: layer -> [channels, D].

    Each channel is moved by 5 standard deviations to either side in some images, and the differences of the features
    are averaged and scaled to length 1 (Eq. 6). Layers that read out colors are left out, as in the paper. This does
    not depend on a text, and takes two images for each channel and image.

    Args:
        w: random w, [N, w_dim], which give the deviations; the first `images` of them are drawn.
        layers: rows of ws; None for all.
        watch: called with the number of channels that are done, and of all.
    """
    names = [name for name in affine_layers(G, layers) if not name.endswith("torgb.affine")]
    deviations = style_deviations(G, w, names)
    ws = w[:images, None].repeat(1, G.num_ws, 1)
    total, done = sum(map(len, deviations.values())), 0
    effects = {}
    for name, deviation in deviations.items():
        rows = []
        for c in range(len(deviation)):
            step = torch.zeros_like(deviation)
            step[c] = STRENGTH * deviation[c]
            with torch.no_grad():
                up, down = (
                    torch.cat([encode(synthesize(G.synthesis, part, {name: move}, {})) for part in ws.split(batch)])
                    for move in (step, -step)
                )
            rows.append(F.normalize((up - down).mean(0), dim=0))
            done += 1
            if watch is not None:
                watch(done, total)
        effects[name] = torch.stack(rows)
    return effects


def direction_of_text(
    G: FamilyGenerator,
    w: Tensor,
    effects: dict[str, Tensor],
    goal: Tensor,
    *,
    name: str,
    beta: float = BETA,
) -> Direction:
    """Return the direction in style space whose channels move features along `goal`, each as far as it is relevant.

    The relevance of a channel is the cosine of its effect and the goal; channels below `beta` stay (Eq. 7), which
    disentangles. Strength 1 moves the most relevant channel by one standard deviation.

    Args:
        w: random w, [N, w_dim], which give the deviations.
        effects: of `channel_effects`.
        goal: direction of features, such as `text_direction` of a text model, [D], of length 1.
    Raises: ConfigError if `beta` leaves no channel.
    """
    relevance = {layer: effect @ goal for layer, effect in effects.items()}
    most = max(float(values.abs().max()) for values in relevance.values())
    if most < beta or most == 0:
        raise ConfigError(
            f"no style channel has a relevance of {beta:g} to the text, the most is {most:.3f}; use a smaller `beta`."
        )
    deviations = style_deviations(G, w, list(effects))
    parts = {
        layer: torch.where(values.abs() >= beta, values, 0) / most * deviations[layer]
        for layer, values in relevance.items()
    }
    parts = {layer: part.cpu() for layer, part in parts.items() if bool(part.any())}
    length = float(torch.cat(list(parts.values())).norm())
    return Direction(
        name=name,
        vector={layer: part / length for layer, part in parts.items()},
        deviation=length,
        space=space_of(G),
        method="text",
        note=f"{sum(int((part != 0).sum()) for part in parts.values())} channels of relevance {beta:g} to {most:.2f}",
    )


def name_of_text(text: str) -> str:
    """Return the name of a direction for a text: its words, joined by underscores."""
    return "_".join(re.findall(r"\w+", text))[:100]
