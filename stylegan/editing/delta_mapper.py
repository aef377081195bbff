"""A mapper from a change of features to a change of styles, trained without texts. Lyu et al. 2023 (DeltaEdit).

It learns from pairs of the network's own images: how the styles differ if the features of the images differ in this
way. Differences of features of texts resemble those of images, so afterwards a text and a second one edit any latent at
once, without a search.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stylegan.editing.image_features import Encode
from stylegan.editing.styles import affine_layers, affine_matrix
from stylegan.errors import CheckpointError, ConfigError
from stylegan.files.atomic import atomic_file
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.labels import Label
from stylegan.sampling.latent import Latent, check_space, space_of, synthesize

FORMAT = "mapper"  # key of the metadata of a file
MOST_UNITS = 1 << 20  # of a layer in a file


@dataclass(frozen=True, kw_only=True)
class MapperSettings:
    """Settings of `train_mapper`.

    Attributes:
        samples: random images of the network, whose pairs are learned.
        steps: of Adam.
        batch: pairs of a step.
        lr: learning rate.
        hidden: units of each hidden layer.
    """

    samples: int = 4000
    steps: int = 2000
    batch: int = 64
    lr: float = 1e-3
    hidden: int = 256


class DeltaMapper(nn.Module):
    """Styles and features of an image, and a change of its features -> the change of its styles.

    Three networks of one form (Fig. 3 of the paper) change the styles of the coarse, middle and fine layers.

    Args:
        channels: of each affine layer, by its name in the synthesis network.
        features: length of the features of images.
        space: identity of the latent space of the network, see `stylegan.sampling.latent.space_of`.
        encoder: identity of the encoder of images.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: Mapping[str, int], features: int, hidden: int, *, space: str, encoder: str):
        super().__init__()
        self.channels, self.features, self.hidden = dict(channels), features, hidden
        self.space, self.encoder = space, encoder
        self.register_buffer("mean", torch.zeros(sum(channels.values())))
        self.register_buffer("deviation", torch.ones(sum(channels.values())))
        names = list(channels)
        cuts = [round(k * len(names) / 3) for k in range(4)]
        self.sizes = [sum(channels[name] for name in names[a:b]) for a, b in pairwise(cuts)]
        self.levels = nn.ModuleList(_Level(size, features, hidden) for size in self.sizes if size)

    def forward(self, styles: Tensor, features: Tensor, change: Tensor) -> Tensor:
        """Styles [N, S], features [N, D] and the direction of their change [N, D], of length 1 -> the change of styles.

        All styles are in deviations from their mean, those of all layers one behind the other.
        """
        parts = styles.split([size for size in self.sizes if size], 1)
        condition = torch.cat([features, change], 1)
        return torch.cat([level(part, condition) for level, part in zip(self.levels, parts, strict=True)], 1)

    @torch.no_grad()
    def edit(self, G: FamilyGenerator, latent: Latent, encode: Encode, change: Tensor, strength: float = 1.0) -> Latent:
        """Return a latent with moved styles, so that the features of its image change in a direction.

        Args:
            change: such as `text_direction`, [D], of length 1.
            strength: 1 is as large as the change between two random images.
        Raises: ConfigError for a latent of another network.
        """
        check_space(latent, G)
        device = device_of(G)
        ws = latent.ws.to(device)[None]
        offsets = {name: value.to(device) for name, value in latent.offsets.items()}
        noise = {name: value.to(device) for name, value in latent.noise.items()}
        rows = affine_layers(G)
        own = [G.synthesis.get_submodule(name)(ws[:, rows[name]]) + offsets.get(name, 0) for name in self.channels]
        styles = (torch.cat(own, 1) - self.mean) / self.deviation
        features = encode(synthesize(G.synthesis, ws, offsets, noise))
        moved = strength * (self(styles, features, change[None].to(device)) * self.deviation)[0].cpu()
        return latent.shifted(dict(zip(self.channels, moved.split(list(self.channels.values())), strict=True)))


class _Level(nn.Module):
    """The network of some layers: styles and condition are encoded apart, then together."""

    def __init__(self, styles: int, features: int, hidden: int):
        super().__init__()
        self.style, self.condition = _mlp(styles, hidden, hidden), _mlp(2 * features, hidden, hidden)
        self.fusion = _mlp(2 * hidden, hidden, styles)

    def forward(self, styles: Tensor, condition: Tensor) -> Tensor:
        return self.fusion(torch.cat([self.style(styles), self.condition(condition)], 1))


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    sizes = [inputs, hidden, hidden, outputs]
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers[:-1])


def train_mapper(
    G: FamilyGenerator,
    encode: Encode,
    *,
    encoder: str,
    settings: MapperSettings | None = None,
    label: Label | None = None,
    batch: int = 16,
    seed: int = 0,
    watch: Callable[[int, float], None] | None = None,
) -> DeltaMapper:
    """Return a mapper for a network and an encoder of images.

    Args:
        G: a network with affine layers, not prepared for inference.
        encoder: identity of `encode`, which the file of the mapper keeps.
        label: of the random images; required for a network with labels.
        batch: images drawn and encoded at a time.
        seed: of the weights and the pairs.
        watch: called after every step with its number and its loss.
    Raises: ConfigError for a network without affine layers, or fewer than two samples.
    """
    settings = settings or MapperSettings()
    if settings.samples < 2:
        raise ConfigError(f"a mapper learns from pairs of images, so `samples` is at least 2, got {settings.samples}.")
    rows = affine_layers(G)
    with torch.no_grad():
        ws = random_ws(G, label, settings.samples)
        parts = [G.synthesis.get_submodule(name)(ws[:, row]) for name, row in rows.items()]
        features = torch.cat([encode(G.synthesis(part, noise_mode="const")) for part in ws.split(batch)])
    channels = {name: part.shape[1] for name, part in zip(rows, parts, strict=True)}
    styles = torch.cat(parts, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mapper = DeltaMapper(channels, features.shape[1], settings.hidden, space=space_of(G), encoder=encoder)
    mapper.to(styles.device)
    mapper.mean.copy_(styles.mean(0))
    mapper.deviation.copy_(styles.std(0).clamp(min=1e-6))
    styles = (styles - mapper.mean) / mapper.deviation
    adam = torch.optim.Adam(mapper.parameters(), lr=settings.lr)
    rng = torch.Generator().manual_seed(seed)
    for step in range(settings.steps):
        a, b = torch.randint(len(styles), (2, settings.batch), generator=rng).to(styles.device)
        change, goal = F.normalize(features[b] - features[a], dim=1), styles[b] - styles[a]
        found = mapper(styles[a], features[a], change)
        loss = (found - goal).norm(dim=1).mean() + (1 - F.cosine_similarity(found, goal, dim=1)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if watch is not None:
            watch(step, loss.item())
    return mapper.eval().requires_grad_(False)


def save_mapper(mapper: DeltaMapper, file: Path | str) -> None:
    """Write a mapper as safetensors. Raises: OutputError if the file cannot be written."""
    facts = {key: getattr(mapper, key) for key in ("channels", "features", "hidden", "space", "encoder")}
    tensors = {name: value.cpu().contiguous() for name, value in mapper.state_dict().items()}
    with atomic_file(file) as temporary:
        save_file(tensors, temporary, metadata={FORMAT: json.dumps(facts)})


def load_mapper(file: Path | str, G: FamilyGenerator, encoder: str) -> DeltaMapper:
    """Read a mapper.

    Args:
        encoder: identity of the encoder of images that it is used with.
    Raises: CheckpointError for a file that is damaged, or was trained for another network or another encoder.
    """
    try:
        with safe_open(file, "pt") as stored:
            facts: Any = json.loads((stored.metadata() or {})[FORMAT])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        channels, sizes = facts["channels"], [facts["features"], facts["hidden"], *facts["channels"].values()]
        if not all(type(size) is int and 0 < size <= MOST_UNITS for size in sizes):
            raise ValueError(f"layers of {sizes} units")
        with torch.device("meta"):
            mapper = DeltaMapper(
                channels, facts["features"], facts["hidden"], space=str(facts["space"]), encoder=str(facts["encoder"])
            )
        mapper.load_state_dict(tensors, assign=True)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{file} is not a mapper that edits by text: {error}.") from error
    layers = {name: len(affine_matrix(G, name)) for name in affine_layers(G)}
    if mapper.space != space_of(G) or mapper.channels != layers:
        raise CheckpointError(f"{file} was trained for another network; train a mapper for this one.")
    if mapper.encoder != encoder:
        raise CheckpointError(f"{file} was trained with another text model; use that one with `text_model`.")
    return mapper.to(device_of(G)).eval().requires_grad_(False)
