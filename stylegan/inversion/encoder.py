"""The encoder: a network that finds the latent of an image within a few passes. Alaluf et al. 2021 ("ReStyle").

A linear regression gives the first latent. Then each pass sees the input and the image of the latent so far, and
predicts a change of the latent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError, ShapeError
from stylegan.files.digest import digest
from stylegan.inversion.estimate import regression, thumbnails
from stylegan.inversion.tasks import Task
from stylegan.inversion.w_statistics import WStatistics
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear
from stylegan.networks.sizes import channels_at

SPACES = ("w", "w+")
LARGEST_SIDE = 256  # pixels; the encoder sees larger images reduced
SMALLEST_SIDE = 4  # pixels of the last feature maps


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Settings of an `Encoder`, with which a file rebuilds it.

    Attributes:
        network_hash: identity of the network that it was trained for, see `hash_of`.
        img_resolution, img_channels, num_ws, w_dim: of that network.
        task: what it sees.
        space: "w", one w for an image; or "w+", one for each layer.
        passes: changes of the first latent.
        channel_base, channel_max: feature maps of r pixels have min(channel_base / r, channel_max) channels.
        hidden: width of the layer before the change.
    """

    network_hash: str
    img_resolution: int
    img_channels: int
    num_ws: int
    w_dim: int
    task: Task = field(default_factory=Task)
    space: str = "w+"
    passes: int = 2
    channel_base: int = 1024
    channel_max: int = 128
    hidden: int = 256

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ConfigError(f"`space` of an encoder is one of {', '.join(SPACES)}, got {self.space!r}.")
        if self.passes < 0:
            raise ConfigError(f"`passes` must be at least 0, got {self.passes}.")

    @classmethod
    def of(cls, G: FamilyGenerator, task: Task, *, space: str, passes: int) -> EncoderSettings:
        """Return the settings of an encoder for this network."""
        sizes = {name: getattr(G, name) for name in ("img_resolution", "img_channels", "num_ws", "w_dim")}
        return cls(network_hash=hash_of(G), task=task, space=space, passes=passes, **sizes)


class Encoder(nn.Module):
    """Predicts the change of ws that brings the image of a latent closer to what an input shows.

    Strided convolutions down to 4x4 pixels and two fully connected layers. Buffers hold the distribution of w and the
    linear regression of the start, see `fit_start`.
    """

    center: Tensor
    unit: Tensor
    mean: Tensor
    weights: Tensor

    def __init__(self, settings: EncoderSettings):
        super().__init__()
        self.settings = settings
        in_channels = settings.task.channels(settings.img_channels)
        self.side = min(settings.img_resolution, LARGEST_SIDE)
        channels, resolution = in_channels + settings.img_channels, self.side
        levels: list[nn.Module] = []
        while resolution > SMALLEST_SIDE:
            resolution //= 2
            wider = channels_at(resolution, settings.channel_base, settings.channel_max)
            levels.append(EqualizedConv2d(channels, wider, 3, down=2, activation="lrelu"))
            channels = wider
        self.trunk = nn.Sequential(*levels)
        self.hidden = EqualizedLinear(channels * resolution**2, settings.hidden, activation="lrelu")
        layers = settings.num_ws if settings.space == "w+" else 1
        self.change = EqualizedLinear(settings.hidden, layers * settings.w_dim)
        nn.init.zeros_(self.change.weight)  # so that training begins with the linear regression
        features = thumbnails(torch.zeros(1, in_channels, settings.img_resolution, settings.img_resolution)).shape[1]
        self.register_buffer("center", torch.zeros(settings.w_dim))
        self.register_buffer("unit", torch.ones(()))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("weights", torch.zeros(features, settings.w_dim))

    @torch.no_grad()
    def fit_start(self, inputs: Tensor, w: Tensor, statistics: WStatistics) -> None:
        """Set the start to a ridge regression of w on thumbnails of inputs, in closed form.

        Args:
            inputs: [N, channels, R, R]; none for a start from the mean of w, [0, channels, R, R].
            w: [N, w_dim], the w of the images from which they were made.
            statistics: of w, with coordinates along its axes.
        """
        self.center.copy_(statistics.center)
        self.unit.copy_(statistics.spread / self.settings.w_dim**0.5)
        if len(inputs):
            seen = thumbnails(inputs)
            self.mean.copy_(seen.mean(0))
            seen = seen - self.mean
            self.weights.copy_(seen.t() @ regression(seen, w - self.center).to(seen))

    def start(self, inputs: Tensor) -> Tensor:
        """Return the ws from which the passes begin, [N, num_ws, w_dim]."""
        w = self.center + (thumbnails(inputs) - self.mean) @ self.weights
        return w[:, None].expand(-1, self.settings.num_ws, -1)

    def forward(self, inputs: Tensor, images: Tensor) -> Tensor:
        """Return the change of ws, [N, num_ws, w_dim].

        Args:
            inputs: [N, channels, R, R] in [-1, 1].
            images: of the latents so far, [N, C, R, R] in [-1, 1].
        """
        x = torch.cat([inputs, images], 1)
        if x.shape[-1] != self.side:
            x = F.interpolate(x, self.side, mode="area")
        change = self.change(self.hidden(self.trunk(x).flatten(1)))
        layers = change.view(len(x), -1, self.settings.w_dim) * self.unit
        return layers.expand(-1, self.settings.num_ws, -1)


@torch.no_grad()
def encode(G: FamilyGenerator, encoder: Encoder, inputs: Tensor, *, passes: int | None = None) -> Tensor:
    """Return the ws that an encoder finds for inputs, [N, num_ws, w_dim].

    Args:
        G: the network that the encoder was trained for, not prepared for inference.
        inputs: [N, channels, R, R] in [-1, 1], see `Task.of_images` and `Task.of_files`.
        passes: None for as many as in training.
    Raises: ConfigError for another network, ShapeError for inputs that do not fit.
    """
    check_network(encoder, G)
    settings = encoder.settings
    side = settings.img_resolution
    expected = [settings.task.channels(settings.img_channels), side, side]
    if inputs.ndim != 4 or list(inputs.shape[1:]) != expected or not inputs.is_floating_point():
        raise ShapeError(
            f"this encoder takes float inputs [N, {', '.join(map(str, expected))}], got {inputs.dtype} "
            f"{list(inputs.shape)}; make them with its `settings.task`."
        )
    inputs = inputs.to(encoder.center)
    ws = encoder.start(inputs)
    for _ in range(settings.passes if passes is None else passes):
        ws = ws + encoder(inputs, G.synthesis(ws, noise_mode="const"))
    return ws


def hash_of(G: FamilyGenerator) -> str:
    """Return the identity of a network, 16 hexadecimal digits that change with any of its weights."""
    return digest(G.state_dict().values())[:16]


def check_network(encoder: Encoder, G: FamilyGenerator) -> None:
    """Raises ConfigError unless the encoder was trained for this network."""
    if encoder.settings.network_hash != hash_of(G):
        raise ConfigError(
            f"the encoder was trained for the network {encoder.settings.network_hash}, and this is {hash_of(G)}; use "
            "the network that it was trained for, or train another encoder."
        )
