"""The projector: the latent whose image is closest to a given one. Karras et al. 2020a, Sec. 5 and App. D.

One w, or one for each layer, is optimized together with the noise of the network. Random steps that fade keep it
from the first local minimum, and a penalty keeps the noise from carrying the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.images.pixels import to_float, to_uint8
from stylegan.inversion.estimate import estimate
from stylegan.inversion.goal import Goal
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.polish import polish
from stylegan.inversion.ramp import ramp
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.inversion.whiteness import whiteness
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.labels import Label
from stylegan.sampling.latent import Latent, space_of, synthesize

SPACES = ("w", "w+", "f")


@dataclass(frozen=True, kw_only=True)
class ProjectorSettings:
    """Settings of `project`. `PUBLISHED` are those of the official projector, `REFINING` those from a close start.

    Attributes:
        steps: of Adam; 0 gives the start.
        lr: learning rate between its ramps.
        lr_rampup, lr_rampdown: parts of the steps in which it rises from zero and falls to it.
        beta2: of Adam. The search is short, and its first gradients are much larger than its last ones.
        whiten: search in coordinates in which random w have unit covariance (Zhu et al. 2020, "Improved StyleGAN
            Embedding"), where Adam's steps have the size that each direction needs.
        w_noise: size of the random steps at first, relative to the spread of w.
        w_noise_ramp: part of the steps after which they have faded.
        noise: optimize the noise of the network too, which takes up fine detail.
        noise_weight: of the penalty on noise that is not white.
        pixel_weight: of the mean squared difference of pixels beside the perceptual distance; 0 as published.
        smallest_side: pixels per side to which the perceptual distance enlarges smaller images; None for its own.
        spread_weight: of the squared distance of each w from the mean of all layers, relative to the spread of w; in
            W+ only.
        feature_lr, feature_weight: learning rate and penalty of the changes of the feature map, in F only.
        feature_resolution: pixels per side of that feature map at most.
        examples: number of random images from which the start is estimated by a linear regression of w on thumbnails;
            0 starts from the mean, as published.
        polish: end with Levenberg and Marquardt's steps for images that the network itself drew; in W, without
            a mask.
        w_samples: number of w that give the mean and the spread.
    """

    steps: int = 300
    lr: float = 0.1
    lr_rampup: float = 0.05
    lr_rampdown: float = 0.6
    beta2: float = 0.9
    whiten: bool = True
    w_noise: float = 0.05
    w_noise_ramp: float = 0.4
    noise: bool = True
    noise_weight: float = 1e5
    pixel_weight: float = 30.0
    smallest_side: int | None = None
    spread_weight: float = 0.01
    feature_lr: float = 0.02
    feature_weight: float = 0.01
    feature_resolution: int = 32
    examples: int = 1000
    polish: bool = True
    w_samples: int = 10_000

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ConfigError(f"the projector takes 0 steps or more, got {self.steps}.")

    def learning_rate(self, t: float) -> float:
        """Return the learning rate at the part t of the steps, from 0 to 1."""
        return self.lr * ramp(t, self.lr_rampup, self.lr_rampdown)

    def random_step(self, t: float) -> float:
        """Return the size of the random steps at the part t of the steps, relative to the spread of w."""
        return self.w_noise * max(0.0, 1 - t / self.w_noise_ramp) ** 2


# From a start that is close, such as that of an encoder: random steps would lead away from it. Small images are not
# enlarged, which takes half of the time of a step; twice as many steps come closer.
REFINING = ProjectorSettings(steps=100, lr=0.05, w_noise=0.0, smallest_side=64)
PUBLISHED = ProjectorSettings(
    steps=1000,
    lr_rampdown=0.25,
    beta2=0.999,
    whiten=False,
    w_noise_ramp=0.75,
    pixel_weight=0.0,
    examples=0,
    polish=False,
)


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Result of `project` for N images.

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
        mask: [N or 1, 1, R, R], 1 where the target is known and 0 where the network is to fill it in; None for all.
        start: ws to start from, [N, num_ws, w_dim]; None for the estimate, or the mean without `examples`.
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
    perceptual = perceptual or PerceptualDistance(device)
    goal = Goal(targets.to(device), mask, perceptual, settings.pixel_weight, settings.smallest_side)
    n, rng = len(targets), torch.Generator(device).manual_seed(seed)
    statistics = WStatistics.of(random_ws(G, label, settings.w_samples)[:, 0], whiten=settings.whiten)

    if start is not None:
        x = statistics.coordinates(start.to(device))
    elif settings.examples:
        x = estimate(G, goal, statistics, label, settings.examples).expand(-1, G.num_ws, -1)
    else:
        x = torch.zeros(n, G.num_ws, G.w_dim, device=device)
    x = (x.mean(1, keepdim=True) if space == "w" else x).clone().requires_grad_()
    noise = {
        name: buffer.expand(n, 1, -1, -1).clone().requires_grad_()
        for name, buffer in G.synthesis.named_buffers()
        if settings.noise and settings.steps and name.endswith("noise_const")
    }

    def loss(t: float) -> tuple[Tensor, Tensor]:
        step = settings.random_step(t) * statistics.unit
        w = statistics.w(x + step * torch.randn(x.shape, device=device, generator=rng))
        images = synthesize(G.synthesis, w.expand(-1, G.num_ws, -1), {}, noise)
        penalty = settings.noise_weight * _colored(noise) + settings.spread_weight * statistics.scatter(w)
        return images, goal(images) + penalty

    _minimize(loss, [x, *noise.values()], settings, noise, watch)
    x = x.detach()
    noise = {name: value.detach() for name, value in noise.items()}
    if space == "w" and settings.polish and settings.steps and mask is None:
        x, exact = polish(G, goal.pixels, statistics, x)
        for name, value in noise.items():
            value[exact] = G.synthesis.get_buffer(name)
    ws = statistics.w(x).expand(-1, G.num_ws, -1)
    offsets: dict[str, Tensor] = {}
    if space == "f":
        offsets = _refine(G, ws, noise, goal, settings, watch)
    return _result(G, ws, offsets, noise, goal, statistics)


def feature_layer(G: FamilyGenerator, resolution: int) -> tuple[str, torch.Size]:
    """Return the last styled layer whose feature maps have at most `resolution` pixels per side, and their shape.

    Raises: ConfigError for a network without such a layer.
    """
    fitting = [(name, shape) for name, shape in feature_shapes(G).items() if shape[-1] <= resolution]
    if not fitting:
        raise ConfigError(f"this network has no styled layer of at most {resolution} pixels; project to w+ instead.")
    return fitting[-1]


def feature_shapes(G: FamilyGenerator) -> dict[str, torch.Size]:
    """Return the shapes [C, H, W] of the feature maps of the styled layers, in order, by their names."""
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
    return shapes


def _minimize(
    loss: Callable[[float], tuple[Tensor, Tensor]],
    variables: list[Tensor],
    settings: ProjectorSettings,
    noise: dict[str, Tensor],
    watch: Watch | None,
) -> None:
    """Run Adam on variables; `loss` takes the part of the steps that is done and returns images and their losses."""
    adam = torch.optim.Adam(variables, betas=(0.9, settings.beta2))
    for step in range(settings.steps):
        t = step / settings.steps
        for group in adam.param_groups:
            group["lr"] = settings.learning_rate(t)
        images, losses = loss(t)
        if watch is not None:
            watch(step, images.detach())
        adam.zero_grad()
        losses.sum().backward(inputs=variables)
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
    goal: Goal,
    settings: ProjectorSettings,
    watch: Watch | None,
) -> dict[str, Tensor]:
    """Search for the change of a feature map that carries what w leaves out, within half as many steps."""
    name, shape = feature_layer(G, settings.feature_resolution)
    change = torch.zeros(len(ws), *shape, device=ws.device, requires_grad=True)
    refining = replace(settings, steps=max(settings.steps // 2, 1), lr=settings.feature_lr)

    def loss(t: float) -> tuple[Tensor, Tensor]:
        images = synthesize(G.synthesis, ws, {name: change}, noise)
        return images, goal(images) + settings.feature_weight * change.square().mean([1, 2, 3])

    def later(step: int, images: Tensor) -> None:
        if watch is not None:
            watch(settings.steps + step, images)

    _minimize(loss, [change], refining, {}, later)
    return {name: change.detach()}


@torch.no_grad()
def _result(
    G: FamilyGenerator,
    ws: Tensor,
    offsets: dict[str, Tensor],
    noise: dict[str, Tensor],
    goal: Goal,
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
