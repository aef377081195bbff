"""Drag points of an image to other places by moving its latent.

DragGAN (Pan et al. 2023) moves what is at each point a step towards its target and then searches where it went.
FreeDrag (Ling et al. 2024) keeps a template of each point, and moves the place where it must appear along the line to
the target: as far as the template is hard enough to match, and back where matching failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.editing.feature_maps import FeatureMaps
from stylegan.editing.patches import Patches
from stylegan.errors import ConfigError, DataError, ShapeError
from stylegan.images.read import read_image
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import GeneratorLike, device_of
from stylegan.sampling.generate import map_latents
from stylegan.sampling.latent import Latent, check_space, synthesize
from stylegan.sampling.latents import latents

SPACES = ("w", "w+")
PAPER_SIDE = 512  # pixels per side of the image that lengths in pixels are for
LR, SMALL_LR = 0.005, 0.02
W_SAMPLES, W_SEED = 1000, 123  # random w, whose deviation is the unit of the learning rate

Point = tuple[float, float]  # x to the right and y down, in pixels; 0, 0 is the middle of the first pixel
Watch = Callable[[int, Tensor, Latent], None]  # (step, points [P, 2], the latent so far): shows progress


@dataclass(frozen=True, kw_only=True)
class DragSettings:
    """Settings of `drag`. Lengths are in pixels of an image of 512 per side, and at least one pixel.

    Attributes:
        method: "freedrag" or "draggan".
        space: "w", one step for all layers that move, or "w+".
        steps: of Adam, at most.
        layers: number of first rows of ws that move.
        lr: learning rate, relative to the standard deviation of a value of w; None for 0.005, about that of the papers,
            or 0.02 in images so small that a move, of one pixel at least, is a longer part of them than in the paper.
        feature_share: part of the image's side that the feature maps have at most; they have at least 32 pixels.
        radius: of the patch around each point.
        mask_weight: of the change outside the mask; None for 10 (FreeDrag) or 20 (DragGAN).
        near: distance from the target at which a point has arrived; half a pixel at least.
        search: DragGAN: radius within which a point is searched after each step.
        level: FreeDrag's l, the difference of a patch from its template that one move may cause. It is relative to
            the mean difference of the patch from those a move away: the paper has a number for the features of its
            networks, where such a step is as large.
        move: FreeDrag's d, the length of a move.
        move_steps: FreeDrag: steps of Adam in a move, at most.
    """

    method: str = "freedrag"
    space: str = "w+"
    steps: int = 300
    layers: int = 6
    lr: float | None = None
    feature_share: float = 0.25
    radius: float = 3
    mask_weight: float | None = None
    near: float = 2
    search: float = 12
    level: float = 1.0
    move: float = 3
    move_steps: int = 5

    def __post_init__(self) -> None:
        if self.method not in RULES:
            raise ConfigError(f"a method of dragging is one of {', '.join(RULES)}, got {self.method!r}.")
        if self.space not in SPACES:
            raise ConfigError(f"points are dragged in {' or '.join(SPACES)}, got {self.space!r}.")
        if self.steps < 1 or self.layers < 1:
            raise ConfigError(f"dragging needs 1 step and 1 layer at least, got {self.steps} and {self.layers}.")


@dataclass(frozen=True, kw_only=True)
class Drag:
    """Result of `drag`.

    Attributes:
        latent: of the dragged image.
        track: place of each of P points before each step and after the last, [steps + 1, P, 2] as (x, y): where
            FreeDrag's template must appear, or where DragGAN found the point.
        found: where the best match of each point's first patch is in the end, [P, 2].
        before, after: mean distance of the points from their targets in pixels, at first and in the end, by `found`.
    """

    latent: Latent
    track: Tensor
    found: Tensor
    before: float
    after: float

    @property
    def steps(self) -> int:
        return len(self.track) - 1


def drag(
    G: FamilyGenerator,
    latent: Latent,
    points: Sequence[tuple[Point, Point]],
    *,
    mask: Tensor | None = None,
    settings: DragSettings | None = None,
    watch: Watch | None = None,
) -> Drag:
    """Move the latent of an image until each handle point is at its target.

    Args:
        G: a generator of any generation with feature maps in styled layers, not prepared for inference.
        points: pairs (handle, target) of (x, y) in pixels of the image.
        mask: [R, R], 1 where the image may change and 0 where it must stay; None for no limit.
        watch: called before every step.
    Raises: ConfigError for points outside the image, none, or a latent of another network; ShapeError for a mask of
        another size.
    """
    settings = settings or DragSettings()
    check_space(latent, G)
    side, device = G.img_resolution, device_of(G)
    handles, targets = _checked_points(points, side, device)
    if mask is not None and list(mask.shape) != [side, side]:
        raise ShapeError(f"a mask of this network is [{side}, {side}], got {list(mask.shape)}.")
    maps = FeatureMaps(G, min(side, max(32, round(settings.feature_share * side))))
    ws = latent.ws[None].to(device)
    rows = min(settings.layers, G.num_ws)
    delta = torch.zeros(1, rows if settings.space == "w+" else 1, G.w_dim, device=device, requires_grad=True)
    lr = settings.lr or (SMALL_LR if settings.move * side / PAPER_SIDE < 1 else LR)
    adam = torch.optim.Adam([delta], lr=lr * w_deviation(G))

    def moved() -> Tensor:
        return torch.cat([ws[:, :rows] + delta, ws[:, rows:]], 1)

    def features() -> Tensor:
        return maps(moved(), latent) / scale

    scale = torch.ones([], device=device)
    with torch.no_grad():
        first = features()
        scale = (first - first.mean((2, 3), keepdim=True)).abs().mean()  # gives all networks one scale of differences
        first = first / scale
    space = Patches(side, pixels(settings.radius, side))
    weight = settings.mask_weight
    rule = RULES[settings.method](space, first, handles, targets, settings)
    fixed = None if mask is None else 1 - _resized(mask.to(device, torch.float32), maps.size)
    track = [rule.places.clone()]
    for step in range(settings.steps):
        now = features()
        with torch.no_grad():
            arrived = rule.advance(now.detach())
        if arrived:
            break
        if watch is not None:
            watch(step, rule.places.cpu(), replace(latent, ws=moved()[0].detach().cpu()))
        loss = rule.loss(now)
        if fixed is not None:
            loss = loss + (rule.mask_weight if weight is None else weight) * ((now - first).abs() * fixed).mean()
        adam.zero_grad()
        loss.backward(inputs=[delta])
        adam.step()
        track.append(rule.places.clone())
    with torch.no_grad():
        found = space.nearest(features(), first, handles, handles, float((targets - handles).norm(dim=1).max()) + 2)
        result = replace(latent, ws=moved()[0].cpu())
    return Drag(
        latent=result,
        track=torch.stack(track).cpu(),
        found=found.cpu(),
        before=float((targets - handles).norm(dim=1).mean()),
        after=float((targets - found).norm(dim=1).mean()),
    )


def there_and_back(
    G: FamilyGenerator,
    latent: Latent,
    points: Sequence[tuple[Point, Point]],
    *,
    mask: Tensor | None = None,
    settings: DragSettings | None = None,
    perceptual: PerceptualDistance | None = None,
) -> float:
    """Return the perceptual distance of an image from itself after dragging its points to their targets and back.

    FreeDrag calls it CCSD; lower is better, and no true image is needed. An image that did not change at all has 0.
    """
    there = drag(G, latent, points, mask=mask, settings=settings).latent
    back = drag(G, there, [(target, handle) for handle, target in points], mask=mask, settings=settings).latent
    perceptual = perceptual or PerceptualDistance(device_of(G))
    with torch.no_grad():
        images = [
            synthesize(G.synthesis, one.ws[None].to(device_of(G)), one.offsets, one.noise) for one in (latent, back)
        ]
        return float(perceptual(*images))


class _Rule(Protocol):
    """A way to move points: `advance` before each step, then a step down the `loss`."""

    mask_weight: float
    places: Tensor  # [P, 2]

    def advance(self, now: Tensor) -> bool:
        """Move the places by what the features are now. Returns whether all have arrived."""

    def loss(self, now: Tensor) -> Tensor: ...


_CIRCLE = torch.tensor([[math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)] for k in range(8)])


class _FreeDrag:
    """FreeDrag's rule, Sec. 3 of the paper; a point that has arrived must also be found at its target."""

    mask_weight = 10.0

    def __init__(self, space: Patches, first: Tensor, handles: Tensor, targets: Tensor, settings: DragSettings):
        self.space, self.targets, self.settings = space, targets, settings
        self.near, self.move = pixels(settings.near, space.side, 0.5), pixels(settings.move, space.side)
        self.first, self.handles = first, handles
        self.places, self.templates = handles.clone(), space.at(first, handles)
        around = space.at(first, handles[:, None] + self.move * _CIRCLE.to(handles))  # [P, 8, C, K]
        self.levels = settings.level * (around - self.templates[:, None]).abs().mean((1, 2, 3)).clamp(min=1e-6)
        self.initial = torch.zeros(len(handles), device=handles.device)  # difference at the begin of the move
        self.left = 0  # steps in this move
        self.begun = False

    def advance(self, now: Tensor) -> bool:
        patches, difference, matched = self._matched(now)
        if bool(matched.all()) and bool(((self.targets - self.places).norm(dim=1) <= self.near).all()):
            # An adapted template may no longer show its point. Points that are found elsewhere are moved from there.
            reach = float((self.targets - self.handles).norm(dim=1).max()) + 2
            found = self.space.nearest(now, self.first, self.handles, self.targets, reach)
            if bool(((self.targets - found).norm(dim=1) <= 2 * self.near).all()):
                return True
            self.places, self.templates, self.begun = found, self.space.at(self.first, self.handles), False
            patches, difference, matched = self._matched(now)
        if self.begun and self.left > 0 and not bool(matched.all()):
            self.left -= 1
            return False
        for i in range(len(self.places)):
            if not self.begun or bool(matched[i]):
                self._adapt(i, patches[i], float(difference[i]))
                self.places[i] = self._along(now, i, 0.0, self.move, float(self.levels[i]))
            elif difference[i] > self.initial[i]:  # the move made it worse: look where the template is now
                self.places[i] = self._along(now, i, -self.move, self.move, 0.0)
        self.initial = (self.space.at(now, self.places) - self.templates).abs().mean((1, 2))
        self.left, self.begun = self.settings.move_steps - 1, True
        return False

    def _matched(self, now: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the patches at the places, [P, C, K], their differences from the templates, and which are small."""
        patches = self.space.at(now, self.places)
        difference = (patches - self.templates).abs().mean((1, 2))
        return patches, difference, difference <= self.levels / 2

    def loss(self, now: Tensor) -> Tensor:
        return (self.space.at(now, self.places) - self.templates).abs().mean((1, 2)).sum()

    def _adapt(self, i: int, patch: Tensor, difference: float) -> None:
        """Mix the patch into the template, the more the better it matches."""
        level = float(self.levels[i])
        share = 1 / (1 + math.exp(math.log(9) / (0.6 * level) * (difference - 0.2 * level)))
        self.templates[i] = self.templates[i].lerp(patch, share)

    def _along(self, now: Tensor, i: int, begin: float, end: float, level: float) -> Tensor:
        """Return the place on the line to the target whose difference from the template is closest to `level`.

        begin, end: in pixels from the present place towards the target, which the end does not pass.
        """
        way = self.targets[i] - self.places[i]
        length = float(way.norm())
        steps = torch.linspace(begin, min(end, length), 21, device=now.device)
        spots = self.places[i] + steps[:, None] * (way / max(length, 1e-6))
        spots = spots.clamp(0, self.space.side - 1)
        difference = (self.space.at(now, spots) - self.templates[i]).abs().mean((1, 2))
        return spots[(difference - level).abs().argmin()]


class _DragGAN:
    """DragGAN's rule: motion supervision and point tracking, Sec. 3.2 of the paper."""

    mask_weight = 20.0

    def __init__(self, space: Patches, first: Tensor, handles: Tensor, targets: Tensor, settings: DragSettings):
        self.space, self.first, self.handles, self.targets = space, first, handles, targets
        self.near = pixels(settings.near, space.side, 0.5)
        self.search = pixels(settings.search, space.side, 2.0)
        self.point = Patches(space.side, 0)  # tracking compares single feature vectors
        self.places, self.begun = handles.clone(), False

    def advance(self, now: Tensor) -> bool:
        if self.begun:
            self.places = self.point.nearest(now, self.first, self.handles, self.places, self.search)
        self.begun = True
        return bool(((self.targets - self.places).norm(dim=1) <= self.near).all())

    def loss(self, now: Tensor) -> Tensor:
        way = self.targets - self.places
        length = way.norm(dim=1, keepdim=True)
        step = way / length.clamp(min=1.0)  # a pixel towards the target
        here = self.space.at(now, self.places).detach()
        return (self.space.at(now, self.places + step) - here).abs().mean((1, 2)).sum()


RULES: dict[str, type[_FreeDrag] | type[_DragGAN]] = {"freedrag": _FreeDrag, "draggan": _DragGAN}


def pixels(length: float, side: int, least: float = 1.0) -> float:
    """Return a length of the paper in pixels of an image of `side`, or `least` if it is shorter."""
    return max(length * side / PAPER_SIDE, least)


def w_deviation(G: FamilyGenerator) -> float:
    """Return the standard deviation of a value of w over random z, and random classes."""
    z = latents([W_SEED], W_SAMPLES * G.z_dim).view(W_SAMPLES, G.z_dim)
    c = torch.eye(G.c_dim)[torch.arange(W_SAMPLES) % G.c_dim] if G.c_dim > 0 else None
    w = map_latents(G, z, c, psi=1, cutoff=None)[:, 0]
    return float((w - w.mean(0)).square().mean().sqrt())


def parse_points(text: str) -> list[tuple[Point, Point]]:
    """Parse pairs of points such as "20,30->40,30; 10,10->10,15", x to the right and y down, in pixels.

    Raises: ConfigError for any other text.
    """
    pairs = []
    for pair in text.strip().rstrip(";").split(";"):
        try:
            (x0, y0), (x1, y1) = ([float(value) for value in point.split(",")] for point in pair.split("->"))
        except ValueError:
            raise ConfigError(
                f"points are written like 20,30->40,30;10,10->10,15 in pixels, got {pair.strip()!r}."
            ) from None
        pairs.append(((x0, y0), (x1, y1)))
    return pairs


def read_mask(file: Path | str | BinaryIO, G: GeneratorLike) -> Tensor:
    """Read an image as a mask [R, R]: 1 where it is white, 0 where it is black.

    file: a path or a seekable binary file.
    Raises: DataError for a file that is not an image, ConfigError for one of another size.
    """
    named = isinstance(file, Path | str)
    try:
        pixels = torch.from_numpy(read_image(Path(file) if isinstance(file, str) else file))
    except DataError as error:
        raise DataError(f"{file if named else 'the file'} cannot be used as a mask: {error}.") from error
    side = G.img_resolution
    if list(pixels.shape[:2]) != [side, side]:
        raise ConfigError(f"a mask of this network has {side}x{side} pixels, got {pixels.shape[1]}x{pixels.shape[0]}.")
    return pixels[:, :, : min(pixels.shape[2], 3)].to(torch.float32).mean(2) / 255


def _checked_points(points: Sequence[tuple[Point, Point]], side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the handles and targets, [P, 2] each. Raises: ConfigError for none or one outside the image."""
    pairs = torch.tensor([list(map(list, pair)) for pair in points], dtype=torch.float32, device=device)
    if not len(points) or not bool(((pairs >= 0) & (pairs <= side - 1)).all()):
        raise ConfigError(f"points are pairs of (x, y) from 0 to {side - 1}, got {list(points)}.")
    return pairs[:, 0], pairs[:, 1]


def _resized(mask: Tensor, size: int) -> Tensor:
    return F.interpolate(mask[None, None], (size, size), mode="area")
