"""Pivotal tuning: the weights of a network move a little, so that it draws given images. Roich et al. 2021.

An image is first projected to a latent that can be edited, the pivot. Then the synthesis network is trained to draw the
image from it; images of other latents are held where they were.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stylegan.errors import CheckpointError, ConfigError
from stylegan.files.atomic import atomic_file
from stylegan.images.pixels import to_float
from stylegan.inversion.muon import Muon
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.projector import Watch, check_targets
from stylegan.inversion.ramp import ramp
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.labels import Label
from stylegan.sampling.latent import Latent, check_space, space_of, synthesize

SPACE = "space"  # key of the metadata of a file
SPREAD_SAMPLES = 1000  # random w that give the spread of w


@dataclass(frozen=True, kw_only=True)
class PivotalSettings:
    """Settings of `tune`.

    The paper takes 350 steps of Adam with the learning rate 3e-4 and compares pixels with the weight 1, which does not
    come close with a small network. Its code leaves out the locality penalty unless it is asked for; here it is on.

    Attributes:
        steps: of `Muon` for weights and of Adam for all else, at most.
        lr: learning rate between its ramps, of both.
        lr_rampup, lr_rampdown: parts of the steps in which it rises from zero and falls to it.
        beta2: of Adam, see `ProjectorSettings`.
        pixel_weight, perceptual_weight: of the mean squared difference of pixels, and of the perceptual distance.
        enough: perceptual distance of the worst image at which tuning ends.
        locality_weight: of the same losses between the tuned and the original network for a w near a pivot.
        locality_step: distance of that w from the pivot towards a random one, relative to the spread of w.
        locality_every: steps between two such penalties.
    """

    steps: int = 150
    lr: float = 0.01
    lr_rampup: float = 0.05
    lr_rampdown: float = 0.6
    beta2: float = 0.9
    pixel_weight: float = 30.0
    perceptual_weight: float = 1.0
    enough: float = 0.005
    locality_weight: float = 0.3
    locality_step: float = 1.0
    locality_every: int = 1

    def learning_rate(self, t: float) -> float:
        """Return the learning rate at the part t of the steps, from 0 to 1."""
        return self.lr * ramp(t, self.lr_rampup, self.lr_rampdown)


def tune(
    G: FamilyGenerator,
    latents: Sequence[Latent],
    targets: Tensor,
    *,
    settings: PivotalSettings | None = None,
    label: Label | None = None,
    perceptual: PerceptualDistance | None = None,
    watch: Watch | None = None,
) -> FamilyGenerator:
    """Return a copy of a network that draws the targets from the latents; its mapping network is that of `G`.

    Args:
        G: the network for which the latents were found; it is not changed.
        latents: the pivot of each of N targets.
        targets: [N, C, R, R] uint8.
        label: of the random w to which the locality penalty refers; required for a network with labels.
        perceptual: None loads it, which needs the extra `metrics`.
        watch: called before every step with the images so far.
    Raises: ConfigError for latents of another network or another number of them; ShapeError for other targets.
    """
    settings = settings or PivotalSettings()
    check_targets(G, targets)
    if len(latents) != len(targets):
        raise ConfigError(f"pivotal tuning needs one latent for each image, got {len(latents)} for {len(targets)}.")
    for latent in latents:
        check_space(latent, G)
    device = device_of(G)
    perceptual = perceptual or PerceptualDistance(device)
    tuned = copy.deepcopy(G)
    synthesis, original = tuned.synthesis, G.synthesis
    weights = [p.requires_grad_() for p in synthesis.parameters()]
    optimizers = (
        Muon([p for p in weights if p.ndim > 1], lr=settings.lr),
        torch.optim.Adam([p for p in weights if p.ndim <= 1], betas=(0.9, settings.beta2)),
    )
    goal = to_float(targets.to(device))
    with torch.no_grad():
        features = perceptual.features(goal)
    ws = torch.stack([latent.ws for latent in latents]).to(device)
    spread = WStatistics.of(random_ws(G, label, SPREAD_SAMPLES)[:, 0], whiten=False).spread
    offsets, noise = _stacked(latents, "offsets", device), _stacked(latents, "noise", device)
    noise = {name: value[:, None] for name, value in noise.items()}

    def distance(images: Tensor, other: Tensor, other_features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        seen = perceptual.between(perceptual.features(images), other_features)
        pixels = (images - other).square().mean([1, 2, 3])
        return seen, settings.perceptual_weight * seen + settings.pixel_weight * pixels

    for step in range(settings.steps):
        images = synthesize(synthesis, ws, offsets, noise)
        if watch is not None:
            watch(step, images.detach())
        seen, losses = distance(images, goal, features)
        if float(seen.detach().max()) < settings.enough:
            break
        loss = losses.sum()
        if settings.locality_weight and step % settings.locality_every == 0:
            pivot = ws[step % len(ws)]
            near = _near(pivot, random_ws(G, label, 1, seed=step), settings.locality_step * spread)
            with torch.no_grad():
                kept = original(near, noise_mode="const")
                kept_features = perceptual.features(kept)
            loss = (
                loss
                + settings.locality_weight * distance(synthesis(near, noise_mode="const"), kept, kept_features)[1].sum()
            )
        for p in weights:
            p.grad = None
        loss.backward(inputs=weights)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate(step / settings.steps)
            optimizer.step()
    return tuned.requires_grad_(False)


def _near(pivot: Tensor, random: Tensor, length: Tensor) -> Tensor:
    """Return ws at a distance of `length` per layer from a pivot towards random ones, [1, num_ws, w_dim]."""
    direction = random - pivot
    return pivot + length * direction / direction.norm(dim=2, keepdim=True).clamp(min=1e-8)


def _stacked(latents: Sequence[Latent], kind: str, device: torch.device) -> dict[str, Tensor]:
    """Stack the offsets or the noise of latents, which all change the same layers. Raises: ConfigError otherwise."""
    parts = [getattr(latent, kind) for latent in latents]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise ConfigError(
            f"latents that are tuned together must have {kind} for the same layers; tune them one by one."
        )
    return {name: torch.stack([part[name] for part in parts]).to(device) for name in parts[0]}


def save_delta(tuned: FamilyGenerator, G: FamilyGenerator, file: Path | str) -> int:
    """Write what pivotal tuning changed in the weights, in half precision; return the number of bytes.

    Raises: OutputError if the file cannot be written.
    """
    old = dict(G.synthesis.named_parameters())
    delta = {
        name: (value.detach() - old[name].detach()).half().cpu() for name, value in tuned.synthesis.named_parameters()
    }
    with atomic_file(file) as temporary:
        save_file(delta, temporary, metadata={SPACE: space_of(G)})
    return Path(file).stat().st_size


def load_delta(G: FamilyGenerator, file: Path | str) -> FamilyGenerator:
    """Return a copy of `G` with the changes of `save_delta`.

    Raises: CheckpointError for a file that is damaged, or that changes another network.
    """
    try:
        with safe_open(file, "pt") as stored:
            space = (stored.metadata() or {}).get(SPACE)
            delta = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}; tune the network again.") from error
    tuned = copy.deepcopy(G)
    weights: dict[str, nn.Parameter] = dict(tuned.synthesis.named_parameters())
    fits = delta.keys() == weights.keys() and all(delta[name].shape == weights[name].shape for name in weights)
    if space != space_of(G) or not fits:
        raise CheckpointError(f"{file} changes another network; use it with the network that was tuned.")
    with torch.no_grad():
        for name, weight in weights.items():
            weight.add_(delta[name].to(weight))
    return tuned
