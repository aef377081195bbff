"""The projector: the latent whose image is closest to a given one. Karras et al. 2020a, Sec. 5 and App. D.

One w, or one for each layer, is optimized together with the noise of the network. Random steps that fade keep it
from the first local minimum, and a penalty keeps the noise from carrying the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.images.pixels import to_float, to_uint8
from stylegan.inversion.perceptual import Features, PerceptualDistance
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.generate import map_latents
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latent import Latent, space_of, synthesize
from stylegan.sampling.latents import latents

SPACES = ("w", "w+", "f")
STATISTICS_SEED = 123  # of the z whose w give the mean and the spread, as in the official tools


@dataclass(frozen=True, kw_only=True)
class ProjectorSettings:
    """How to search. `PUBLISHED` holds the values of the official projector.

    Attributes:
        steps: of Adam.
        lr: learning rate between its ramps.
        lr_rampup, lr_rampdown: parts of the steps in which it rises from zero and falls to it.
        whiten: search in coordinates in which random w have unit covariance (Zhu et al. 2020, "Improved StyleGAN
            Embedding"), where Adam's steps have the size that each direction needs.
        w_noise: size of the random steps at first, relative to the spread of w.
        w_noise_ramp: part of the steps after which they have faded.
        noise: optimize the noise of the network too, which takes up fine detail.
        noise_weight: of the penalty on noise that is not white.
        pixel_weight: of the mean squared difference of pixels beside the perceptual distance; 0 as published.
        spread_weight: of the squared distance of each w from the mean of all layers, relative to the spread of w; in
            W+ only.
        feature_lr, feature_weight: learning rate and penalty of the changes of the feature map, in F only.
        feature_resolution: pixels per side of that feature map at most.
        candidates: number of random images of which the closest one starts the search; 0 starts from the mean, as
            published.
        w_samples: number of w that give the mean and the spread.
    """

    steps: int = 1000
    lr: float = 0.1
    lr_rampup: float = 0.05
    lr_rampdown: float = 0.25
    whiten: bool = True
    w_noise: float = 0.05
    w_noise_ramp: float = 0.75
    noise: bool = True
    noise_weight: float = 1e5
    pixel_weight: float = 0.0
    spread_weight: float = 0.01
    feature_lr: float = 0.02
    feature_weight: float = 0.01
    feature_resolution: int = 32
    candidates: int = 0
    w_samples: int = 10_000

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"the projector needs at least 1 step, got {self.steps}.")

    def learning_rate(self, t: float) -> float:
        """Return the learning rate at the part t of the steps, from 0 to 1: a cosine down, times a ramp up."""
        down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / self.lr_rampdown))
        return self.lr * down * min(1.0, t / self.lr_rampup)

    def random_step(self, t: float) -> float:
        """Return the size of the random steps at the part t of the steps, relative to the spread of w."""
        return self.w_noise * max(0.0, 1 - t / self.w_noise_ramp) ** 2


PUBLISHED = ProjectorSettings(whiten=False, pixel_weight=0.0, candidates=0)


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What `project` found for N images.

    Attributes:
        latents: one for each image.
        images: what the network draws from them, [N, C, R, R] uint8.
        psnr: of each against its target, in dB.
        distance: perceptual distance of each from its target, 0 for equal ones.
        typicality: distance of w from its mean, averaged over the layers, relative to that of random w. Near 1 the
            latent is as far out as those of the network's own images; from 2 on it can hardly be edited.
    """

    latents: list[Latent]
    images: Tensor
    psnr: list[float]
    distance: list[float]
    typicality: list[float]


Watch = Callable[[int, Tensor], None]  # (step, images [N, C, R, R] in [-1, 1]): shows progress, or records a video


def project(
    G: FamilyGenerator,
    targets: Tensor,
    *,
    space: str = "w",
    settings: ProjectorSettings | None = None,
    label: Label | None = None,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    perceptual: PerceptualDistance | None = None,
    seed: int = 303,
    watch: Watch | None = None,
) -> Projection:
    """Find the latents whose images come closest to the given ones; all are optimized in one batch.

    Args:
        G: a generator of any generation, not prepared for inference. Its weights are not changed.
        targets: [N, C, R, R] uint8, of the size and channels that `G` draws.
        space: "w", one w for an image; "w+", one for each layer; or "f", in which a feature map is changed after a
            search in W+ and carries what no w can.
        label: whose mean w the search starts from; required for a network with labels.
        mask: [N or 1, 1, R, R], 1 where the target is known and 0 where the network shall fill it in; None for all.
        start: ws to start from, [N, num_ws, w_dim]; None for the mean.
        perceptual: None loads it, which needs the extra `metrics`.
        seed: of the noise and of the random steps.
        watch: called before every step.
    Raises: ConfigError for an unknown space or a label that does not fit, ShapeError for images that do not fit.
    """
    settings = settings or ProjectorSettings()
    if space not in SPACES:
        raise ConfigError(f"a space to project to is one of {', '.join(SPACES)}, got {space!r}.")
    check_targets(G, targets, mask)
    device = device_of(G)
    goal = _Goal(targets.to(device), mask, perceptual or PerceptualDistance(device), settings.pixel_weight)
    n, rng = len(targets), torch.Generator(device).manual_seed(seed)
    statistics = WStatistics.of(random_ws(G, label, settings.w_samples)[:, 0], whiten=settings.whiten)

    if start is None and settings.candidates:
        start = _closest(G, goal, label, settings.candidates)
    first = statistics.center.expand(n, G.num_ws, -1) if start is None else start.to(device)
    x = statistics.coordinates(first.mean(1, keepdim=True) if space == "w" else first).clone().requires_grad_()
    noise = {
        name: buffer.expand(n, 1, -1, -1).clone().requires_grad_()
        for name, buffer in G.synthesis.named_buffers()
        if settings.noise and name.endswith("noise_const")
    }

    def loss(t: float) -> tuple[Tensor, Tensor]:
        step = settings.random_step(t) * statistics.unit
        w = statistics.w(x + step * torch.randn(x.shape, device=device, generator=rng))
        images = synthesize(G.synthesis, w.expand(-1, G.num_ws, -1), {}, noise)
        penalty = settings.noise_weight * _colored(noise) + settings.spread_weight * statistics.scatter(w)
        return images, goal(images) + penalty

    _minimize(loss, [x, *noise.values()], settings.learning_rate, settings.steps, noise, watch)
    ws = statistics.w(x.detach()).expand(-1, G.num_ws, -1)
    noise = {name: value.detach() for name, value in noise.items()}
    offsets: dict[str, Tensor] = {}
    if space == "f":
        offsets = _refine(G, ws, noise, goal, settings, watch)
    return _result(G, ws, offsets, noise, goal, statistics)


@dataclass(frozen=True)
class WStatistics:
    """The distribution of w, and the coordinates in which w is searched: w = center + x @ basis.

    Attributes:
        center: mean of w, [w_dim].
        spread: root of the mean squared distance of w from its mean, a scalar.
        basis: [w_dim, w_dim], or None for coordinates along the axes of w.
    """

    center: Tensor
    spread: Tensor
    basis: Tensor | None

    @classmethod
    def of(cls, w: Tensor, *, whiten: bool) -> WStatistics:
        """Measure the distribution of random w [N, w_dim]; `whiten` gives the coordinates unit covariance."""
        center = w.mean(0)
        basis = None
        if whiten:
            values, vectors = torch.linalg.eigh(torch.cov(w.t().cpu().double()))
            # Directions in which w hardly varies keep a little room, or nothing could move along them.
            scale = values.clamp(min=1e-6 * float(values.max())).sqrt()
            basis = (scale[:, None] * vectors.t()).to(w)
        return cls(center, (w - center).square().sum(1).mean().sqrt(), basis)

    @property
    def unit(self) -> Tensor | float:
        """The length in coordinates that corresponds to the spread of w, for a random step in each of them."""
        return self.spread if self.basis is None else 1.0

    def w(self, x: Tensor) -> Tensor:
        """Coordinates [..., w_dim] to w."""
        return self.center + x if self.basis is None else self.center + x @ self.basis

    def coordinates(self, w: Tensor) -> Tensor:
        """w [..., w_dim] to coordinates."""
        return w - self.center if self.basis is None else (w - self.center) @ torch.linalg.inv(self.basis)

    def scatter(self, w: Tensor) -> Tensor:
        """Return the mean squared distance of the w of each image, [N, L, w_dim], from their mean, in spreads, [N]."""
        return (w - w.mean(1, keepdim=True)).square().sum(2).mean(1) / self.spread.square()

    def typicality(self, w: Tensor) -> Tensor:
        """Return the mean distance of the w of each image, [N, L, w_dim], from the center, in spreads, [N]."""
        return (w - self.center).square().sum(2).sqrt().mean(1) / self.spread


def whiteness(noise: Tensor) -> Tensor:
    """Return the penalty on noise whose neighbors are alike, [N]; 0 in expectation for white noise.

    The squared correlations of each value with its neighbor to the right and below, at each halving of the size down to
    8 pixels.

    noise: [N, 1, H, H]
    """
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (3, 2):
            total = total + (noise * noise.roll(1, axis)).mean([1, 2, 3]).square()
        if noise.shape[3] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)


def feature_layer(G: FamilyGenerator, resolution: int) -> tuple[str, torch.Size]:
    """Return the last styled layer whose feature maps have at most `resolution` pixels per side, and their shape.

    Raises: ConfigError for a network without such a layer.
    """
    shapes: dict[str, torch.Size] = {}
    handles = [
        module.register_forward_hook(lambda _, args, output, name=name: shapes.update({name: output.shape[1:]}))
        for name, module in G.synthesis.named_modules()
        if hasattr(module, "affine") and not name.endswith("torgb") and not name.endswith("input")
    ]
    try:
        with torch.no_grad():
            G.synthesis(torch.zeros(1, G.num_ws, G.w_dim, device=device_of(G)), noise_mode="const")
    finally:
        for handle in handles:
            handle.remove()
    fitting = [name for name, shape in shapes.items() if shape[-1] <= resolution]
    if not fitting:
        raise ConfigError(f"this network has no styled layer of at most {resolution} pixels; project to w+ instead.")
    return fitting[-1], shapes[fitting[-1]]


def random_ws(G: FamilyGenerator, label: Label | None, samples: int, seed: int = STATISTICS_SEED) -> Tensor:
    """Return the ws of random z of one label, [samples, num_ws, w_dim]; the same for the same seed."""
    z = latents([seed], samples * G.z_dim).view(samples, G.z_dim)
    return map_latents(G, z, class_labels(G, label, samples), psi=1, cutoff=None)


@torch.no_grad()
def _closest(G: FamilyGenerator, goal: _Goal, label: Label | None, candidates: int) -> Tensor:
    """Return the ws of the random image that is closest to each target, [N, num_ws, w_dim]."""
    ws = random_ws(G, label, candidates)
    distances = torch.cat([goal.to_each(G.synthesis(part, noise_mode="const")) for part in ws.split(32)], 1)
    return ws[distances.argmin(1)]


class _Goal:
    """The distance of images from their targets."""

    def __init__(self, targets: Tensor, mask: Tensor | None, perceptual: PerceptualDistance, pixel_weight: float):
        self.targets, self.perceptual, self.pixel_weight = targets, perceptual, pixel_weight
        self.mask = None if mask is None else mask.to(targets.device, torch.float32)
        self.pixels = self._known(to_float(targets))
        with torch.no_grad():
            self.features: Features = perceptual.features(self.pixels)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the distance of images [N, C, R, R] in [-1, 1], [N]."""
        known = self._known(images)
        distance = self.perceptual.between(self.perceptual.features(known), self.features)
        if self.pixel_weight:
            distance = distance + self.pixel_weight * (known - self.pixels).square().mean([1, 2, 3])
        return distance

    def to_each(self, images: Tensor) -> Tensor:
        """Return the distances of M images from N targets, [N, M]."""
        known = self._known(images)
        features = self.perceptual.features(known)
        rows = []
        for i in range(len(self.pixels)):
            distance = self.perceptual.between(features, [y[i : i + 1] for y in self.features])
            rows.append(distance + self.pixel_weight * (known - self.pixels[i : i + 1]).square().mean([1, 2, 3]))
        return torch.stack(rows)

    def _known(self, images: Tensor) -> Tensor:
        return images if self.mask is None else images * self.mask


def _minimize(
    loss: Callable[[float], tuple[Tensor, Tensor]],
    variables: list[Tensor],
    learning_rate: Callable[[float], float],
    steps: int,
    noise: dict[str, Tensor],
    watch: Watch | None,
) -> None:
    """Run Adam on variables of which `loss` (a part of the steps, from 0 to 1) makes images and a loss for each."""
    import os; adam = torch.optim.Adam(variables, betas=(0.9, float(os.environ.get("B2","0.999"))))
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = learning_rate(step / steps)
        images, losses = loss(step / steps)
        if watch is not None:
            watch(step, images.detach())
        gradients = torch.autograd.grad(losses.sum(), variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = gradient
        adam.step()
        with torch.no_grad():
            for value in noise.values():
                value -= value.mean([1, 2, 3], keepdim=True)
                value *= value.square().mean([1, 2, 3], keepdim=True).rsqrt()


def _colored(noise: dict[str, Tensor]) -> Tensor | float:
    return sum((whiteness(value) for value in noise.values()), start=0.0)


def _refine(
    G: FamilyGenerator,
    ws: Tensor,
    noise: dict[str, Tensor],
    goal: _Goal,
    settings: ProjectorSettings,
    watch: Watch | None,
) -> dict[str, Tensor]:
    """Search for the change of a feature map that carries what w leaves out, within half as many steps."""
    name, shape = feature_layer(G, settings.feature_resolution)
    change = torch.zeros(len(ws), *shape, device=ws.device, requires_grad=True)
    steps = max(settings.steps // 2, 1)

    def loss(t: float) -> tuple[Tensor, Tensor]:
        images = synthesize(G.synthesis, ws, {name: change}, noise)
        return images, goal(images) + settings.feature_weight * change.square().mean([1, 2, 3])

    scale = settings.feature_lr / settings.lr
    shifted = None if watch is None else lambda step, images: watch(settings.steps + step, images)
    _minimize(loss, [change], lambda t: scale * settings.learning_rate(t), steps, {}, shifted)
    return {name: change.detach()}


@torch.no_grad()
def _result(
    G: FamilyGenerator,
    ws: Tensor,
    offsets: dict[str, Tensor],
    noise: dict[str, Tensor],
    goal: _Goal,
    statistics: WStatistics,
) -> Projection:
    images, space = synthesize(G.synthesis, ws, offsets, noise), space_of(G)
    bytes_ = to_uint8(images)
    return Projection(
        latents=[
            Latent(
                ws=ws[i].cpu().clone(),
                offsets={name: value[i].cpu() for name, value in offsets.items()},
                noise={name: value[i, 0].cpu() for name, value in noise.items()},
                space=space,
            )
            for i in range(len(ws))
        ],
        images=bytes_.cpu(),
        psnr=psnr(bytes_, goal.targets).tolist(),
        distance=goal.perceptual(to_float(bytes_), to_float(goal.targets)).tolist(),
        typicality=statistics.typicality(ws).tolist(),
    )


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of uint8 images in dB, [N] float64; infinite for equal ones."""
    return 10 * torch.log10(255**2 / (a.double() - b.double()).square().mean([1, 2, 3]))


def check_targets(G: FamilyGenerator, targets: Tensor, mask: Tensor | None = None) -> None:
    """Raises ShapeError unless the targets, and the mask, are images that `G` can draw."""
    expected = [G.img_channels, G.img_resolution, G.img_resolution]
    if targets.ndim != 4 or list(targets.shape[1:]) != expected or targets.dtype != torch.uint8 or not len(targets):
        raise ShapeError(
            f"this network draws images {expected}, so targets are uint8 [N, {', '.join(map(str, expected))}], got "
            f"{targets.dtype} {list(targets.shape)}."
        )
    if G.img_channels not in (1, 3):
        raise ConfigError(f"the projector compares gray or RGB images, got {G.img_channels} channels.")
    if mask is not None and (
        mask.ndim != 4 or mask.shape[0] not in (1, len(targets)) or list(mask.shape[1:]) != [1, *expected[1:]]
    ):
        raise ShapeError(f"a mask is [{len(targets)} or 1, 1, {expected[1]}, {expected[2]}], got {list(mask.shape)}.")
