"""Directions that are learned: one move in style space that turns an attribute on or off, and leaves the others.

As StyleMC learns a direction for a text (Kocasari et al. 2022), gradient descent searches for the styles whose change a
classifier of labels finds right. It looks at the changed images, so the direction need not follow how attributes go
together in random w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.editing.classifier import LabelClassifier
from stylegan.editing.directions import Direction
from stylegan.editing.styles import affine_layers, style_deviations
from stylegan.errors import ConfigError
from stylegan.inversion.ramp import ramp
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latent import space_of, synthesize

MIN_EXAMPLES = 4  # images with the attribute, and without it
LEARNED_STRENGTH = 2.0  # at which a direction moves as far as was learned
PRESENT = 0.5  # score from which an image has an attribute


@dataclass(frozen=True, kw_only=True)
class LearnSettings:
    """Settings of `learned_direction`.

    Attributes:
        steps: of Adam.
        batch: images of a step; half of them have the attribute.
        lr: learning rate, in standard deviations of each style over random w.
        psi: truncation of the images, which edits are mostly of.
        keep_weight: of the squared change of the scores of the other attributes.
        pixel_weight: of the mean squared change of pixels.
        shift, noise: images are shifted by up to this part of their side, and disturbed by Gaussian noise, before the
            classifier sees them, since some tiny changes of pixels deceive it.
    """

    steps: int = 120
    batch: int = 8
    lr: float = 0.1
    psi: float = 0.7
    keep_weight: float = 0.3
    pixel_weight: float = 0.3
    shift: float = 1 / 32
    noise: float = 0.1


def learned_direction(
    G: FamilyGenerator,
    w: Tensor,
    classify: LabelClassifier,
    scores: Tensor,
    attribute: int,
    *,
    layers: Sequence[int] | None = None,
    settings: LearnSettings | None = None,
    seed: int = 0,
) -> Direction:
    """Return a direction in style space along which an attribute appears; strength 2 is as far as was learned.

    Args:
        w: random w, [N, w_dim].
        classify: of the attributes, A of them.
        scores: of the images of w, [N, A].
        attribute: number of the one to change.
        layers: rows of ws whose styles move; None for all.
        seed: of the batches.
    Raises: ConfigError for a network without affine layers, or if fewer than 4 of the images have the attribute or
        have it not.
    """
    settings, name = settings or LearnSettings(), classify.names[attribute]
    present = scores[:, attribute] > PRESENT
    groups = [present.nonzero()[:, 0], (~present).nonzero()[:, 0]]
    if min(map(len, groups)) < MIN_EXAMPLES:
        raise ConfigError(
            f"a direction for {name} is learned from images with and without it, at least {MIN_EXAMPLES} of each, got "
            f"{len(groups[0])} of {len(w)} with it."
        )
    names = affine_layers(G, layers)
    deviations = style_deviations(G, w, list(names))
    moves = {layer: torch.zeros_like(unit, requires_grad=True) for layer, unit in deviations.items()}
    adam = torch.optim.Adam(list(moves.values()), betas=(0.9, 0.9))
    others = torch.arange(len(classify.names), device=w.device) != attribute
    rng, center = torch.Generator().manual_seed(seed), w.mean(0)
    for step in range(settings.steps):
        for group in adam.param_groups:
            group["lr"] = settings.lr * ramp(step / settings.steps, 0.05, 0.5)
        chosen = torch.cat([group[torch.randint(len(group), [settings.batch // 2], generator=rng)] for group in groups])
        ws = center.lerp(w[chosen.to(w.device)], settings.psi)[:, None].repeat(1, G.num_ws, 1)
        with torch.no_grad():
            images = G.synthesis(ws, noise_mode="const")
        seen = _Glance(images, settings, rng)
        with torch.no_grad():
            before = classify.scores(seen(images))
        sign = 1 - 2 * (before[:, attribute] > PRESENT).to(ws)  # up without the attribute, down with it
        offsets = {layer: sign[:, None] * move * deviations[layer] for layer, move in moves.items()}
        changed = synthesize(G.synthesis, ws, offsets, {})
        after = classify.scores(seen(changed))
        missing = F.relu(((sign > 0).to(after) - after[:, attribute]) * sign)  # to 1 with the attribute, 0 without it
        kept = (after - before)[:, others].square().sum(1)
        loss = missing.square() + settings.keep_weight * kept
        loss = loss + settings.pixel_weight * (changed - images).square().mean([1, 2, 3])
        adam.zero_grad()
        loss.mean().backward()
        adam.step()
    vectors = {layer: (move.detach() * deviations[layer]).cpu() for layer, move in moves.items()}
    length = float(torch.cat(list(vectors.values())).norm())
    return Direction(
        name=name,
        vector={layer: vector / length for layer, vector in vectors.items()},
        deviation=length / LEARNED_STRENGTH,
        space=space_of(G),
        method="learned",
        note=f"{settings.steps} steps; the classifier is right for {classify.accuracy[name]:.1%} of held-out images",
    )


class _Glance:
    """Images as the classifier sees them once: shifted and disturbed, all of a batch alike."""

    def __init__(self, images: Tensor, settings: LearnSettings, rng: torch.Generator):
        self.most = round(settings.shift * images.shape[-1])
        self.y, self.x = torch.randint(2 * self.most + 1, [2], generator=rng).tolist()
        self.noise = settings.noise * torch.randn(images.shape[1:], generator=rng).to(images.device)

    def __call__(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = F.pad(images, [self.most] * 4, mode="replicate")
        return padded[:, :, self.y : self.y + height, self.x : self.x + width] + self.noise
