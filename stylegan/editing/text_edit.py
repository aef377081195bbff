"""Edit latents by text: a search for the latent whose image fits it. Patashnik et al. 2021 (StyleCLIP), Sec. 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stylegan.editing.image_features import directional_loss
from stylegan.editing.text_model import TextModel, text_direction
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.ramp import ramp
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.latent import Latent, check_space, synthesize


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """Settings of `edit_by_text`. Steps, learning rate and `l2` are those of the paper's code.

    Attributes:
        steps: of Adam.
        lr: learning rate between its ramps.
        lr_rampup, lr_rampdown: parts of the steps in which it rises from zero and falls to it.
        l2: weight of the squared distance of ws from the start. Larger values change less.
        perceptual_weight: of the perceptual distance from the image of the start, which keeps who or what is shown.
    """

    steps: int = 300
    lr: float = 0.1
    lr_rampup: float = 0.05
    lr_rampdown: float = 0.25
    l2: float = 0.008
    perceptual_weight: float = 0.0

    def learning_rate(self, t: float) -> float:
        """Return the learning rate at the part t of the steps, from 0 to 1."""
        return self.lr * ramp(t, self.lr_rampup, self.lr_rampdown)


def edit_by_text(
    G: FamilyGenerator,
    latents: Sequence[Latent],
    model: TextModel,
    text: str,
    *,
    source: str | None = None,
    layers: Sequence[int] | None = None,
    settings: TextSettings | None = None,
    perceptual: PerceptualDistance | None = None,
    watch: Callable[[int, Tensor], None] | None = None,
) -> list[Latent]:
    """Return latents in W+ whose images fit a text, near those given. Their offsets and noise stay.

    Args:
        G: a network that is not prepared for inference.
        text: what the images are to show.
        source: what they show now, such as "a face" for the text "a face with glasses". The images then change in
            the direction from the one text to the other, rather than towards the text.
        layers: rows of ws that may change; None for all.
        perceptual: None loads it if `settings` give it a weight, which needs the extra `metrics`.
        watch: called after every step with its number and the losses, [N].
    Raises: ConfigError for an empty text, or a latent of another network.
    """
    settings = settings or TextSettings()
    for latent in latents:
        check_space(latent, G)
    device = device_of(G)
    if settings.perceptual_weight and perceptual is None:
        perceptual = PerceptualDistance(device)
    target = model.encode_texts([text])[0] if source is None else text_direction(model, text, source)
    found = []
    for latent in latents:
        start = latent.ws.to(device)
        free = torch.zeros(len(start), 1, device=device)
        free[list(range(len(start)) if layers is None else layers)] = 1
        offsets = {name: value.to(device) for name, value in latent.offsets.items()}
        noise = {name: value.to(device) for name, value in latent.noise.items()}

        def image(ws: Tensor, offsets: dict[str, Tensor] = offsets, noise: dict[str, Tensor] = noise) -> Tensor:
            return synthesize(G.synthesis, ws[None], offsets, noise)

        with torch.no_grad():
            first = image(start)
            features = model.encode_images(first)
        change = torch.zeros_like(start, requires_grad=True)
        adam = torch.optim.Adam([change])
        for step in range(settings.steps):
            adam.param_groups[0]["lr"] = settings.learning_rate((step + 1) / (settings.steps + 1))
            drawn = image(start + free * change)
            seen = model.encode_images(drawn)
            fit = 1 - seen @ target if source is None else directional_loss(seen - features, target)
            loss = fit + settings.l2 * (free * change).square().sum()
            if perceptual is not None and settings.perceptual_weight:
                loss = loss + settings.perceptual_weight * perceptual(drawn, first)
            adam.zero_grad()
            loss.sum().backward(inputs=[change])
            adam.step()
            if watch is not None:
                watch(step, loss.detach())
        found.append(replace(latent, ws=(start + free * change).detach().to(latent.ws.device)))
    return found
