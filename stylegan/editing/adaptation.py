"""Domain adaptation: a network that draws its images in the manner of a text or of a few images. Gal et al. 2021.

StyleGAN-NADA trains a copy of the network so that each image differs from that of the original in one direction of
features, the same for all latents. The mapping network stays, and with it latents, directions and mixes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.editing.image_features import Encode, directional_loss, encoded
from stylegan.editing.styles import affine_layers
from stylegan.editing.text_model import NEUTRAL, TextModel, text_direction
from stylegan.errors import ConfigError
from stylegan.images.pixels import to_float
from stylegan.inversion.projector import check_targets
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.labels import Label

FEWEST = 3  # images that show a domain; what one of them shows beside it would be taken for the domain
SOURCE_IMAGES = 256  # of the network, whose mean features are where the direction begins
FIRST_SEED = 1 << 20  # of the w of the steps, far from those that give the statistics


@dataclass(frozen=True)
class Domain:
    """The domain that a network is adapted to, as an encoder of images sees it.

    Attributes:
        encode: the encoder.
        direction: from the images of the network to those of the domain, [D], of length 1.
        target: features of the domain itself, [D], of length 1.
    """

    encode: Encode
    direction: Tensor
    target: Tensor


@dataclass(frozen=True, kw_only=True)
class AdaptSettings:
    """Settings of `adapt`. Steps, learning rate and batches are those of the paper and its code.

    Attributes:
        steps: of Adam.
        lr: learning rate.
        batch: images of a step.
        layers_per_step: number of layers that are trained in a step: those whose w would change the images towards the
            domain most. None trains all, which suits colors and textures; few change shapes and keep more of the rest.
        choice_batch: images that decide which layers are trained.
    """

    steps: int = 300
    lr: float = 0.002
    batch: int = 4
    layers_per_step: int | None = None
    choice_batch: int = 8


def domain_of_text(model: TextModel, text: str, source: str = NEUTRAL) -> Domain:
    """Return the domain that a text names, such as "a pencil sketch".

    source: what the network draws, such as "a photo".
    Raises: ConfigError as `text_direction`.
    """
    return Domain(model.encode_images, text_direction(model, text, source), model.encode_texts([text])[0])


def domain_of_images(
    G: FamilyGenerator, encode: Encode, images: Tensor, *, label: Label | None = None, batch: int = 16
) -> Domain:
    """Return the domain of a few images: from the mean features of the network's images to those of the given ones.

    images: [N, C, R, R] uint8, N at least 3, of the size and channels that `G` draws.
    Raises: ConfigError for too few images, ShapeError for others.
    """
    check_targets(G, images)
    if len(images) < FEWEST:
        raise ConfigError(
            f"adaptation needs {FEWEST} images or more, which have the manner in common and nothing else, got "
            f"{len(images)}."
        )
    ws = random_ws(G, label, SOURCE_IMAGES)
    with torch.no_grad():
        own = torch.cat([encode(G.synthesis(part, noise_mode="const")) for part in ws.split(batch)]).mean(0)
    target = encoded(encode, to_float(images.to(ws.device)), batch=batch).mean(0)
    return Domain(encode, F.normalize(target - own, dim=0), F.normalize(target, dim=0))


def adapt(
    G: FamilyGenerator,
    domain: Domain,
    *,
    settings: AdaptSettings | None = None,
    label: Label | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> FamilyGenerator:
    """Return a copy of a network that draws the domain; its mapping network is that of `G`.

    Args:
        G: a network with affine layers, not prepared for inference. It is not changed.
        label: of the latents; required for a network with labels.
        watch: called after every step with its number and its loss.
    Raises: ConfigError for a network without affine layers, or for more layers than it has.
    """
    settings = settings or AdaptSettings()
    adapted = copy.deepcopy(G).requires_grad_(False)
    rows = trainable_rows(adapted)
    count = len(rows) if settings.layers_per_step is None else settings.layers_per_step
    if not 1 <= count <= len(rows):
        raise ConfigError(
            f"this network has {len(rows)} layers that can be trained, so `layers_per_step` is from 1 to that, got "
            f"{count}."
        )
    weights = [p.requires_grad_() for part in rows.values() for p in part]
    adam = torch.optim.Adam(weights, lr=settings.lr, betas=(0.0, 0.99))
    for step in range(settings.steps):
        chosen = list(rows)
        if count < len(rows):
            ws = random_ws(G, label, settings.choice_batch, seed=FIRST_SEED + 2 * step)
            chosen = responsive_rows(adapted, domain, ws, list(rows))[:count]
        ws = random_ws(G, label, settings.batch, seed=FIRST_SEED + 2 * step + 1)
        with torch.no_grad():
            before = domain.encode(G.synthesis(ws, noise_mode="const"))
        after = domain.encode(adapted.synthesis(ws, noise_mode="const"))
        loss = directional_loss(after - before, domain.direction).mean()
        adam.zero_grad()  # Adam leaves out weights without a gradient
        loss.backward(inputs=[p for row in chosen for p in rows[row]])
        adam.step()
        if watch is not None:
            watch(step, loss.item())
    return adapted.requires_grad_(False)


def trainable_rows(G: FamilyGenerator) -> dict[int, list[nn.Parameter]]:
    """Return what is trained of each layer, by the row of ws that the layer takes: weights, biases, affine and noise.

    Layers that read out colors keep theirs, as in the paper.

    Raises: ConfigError for a network without affine layers.
    """
    rows: dict[int, list[nn.Parameter]] = {}
    for name, row in affine_layers(G).items():
        layer = name.removesuffix(".affine")
        if not layer.endswith("torgb"):
            rows.setdefault(row, []).extend(G.synthesis.get_submodule(layer).parameters())
    return rows


def responsive_rows(G: FamilyGenerator, domain: Domain, ws: Tensor, rows: Sequence[int]) -> list[int]:
    """Return the rows of ws in the order in which a step of gradient descent on ws towards the domain changes them.

    ws: of some images, [N, num_ws, w_dim].
    """
    ws = ws.clone().requires_grad_()
    distance = 1 - domain.encode(G.synthesis(ws, noise_mode="const")) @ domain.target
    (gradient,) = torch.autograd.grad(distance.sum(), ws)
    change = gradient.abs().mean((0, 2))
    return sorted(rows, key=lambda row: -float(change[row]))
