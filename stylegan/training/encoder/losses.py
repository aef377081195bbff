"""The losses of an encoder over its passes. Alaluf et al. 2021, Sec. 4; Richardson et al. 2021 for image-to-image."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.inversion.encoder import Encoder
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.w_statistics import WStatistics
from stylegan.networks.generator import FamilyGenerator
from stylegan.training.encoder.batches import Batch
from stylegan.training.encoder.config import EncoderConfig
from stylegan.training.statistics import Statistics


def loss_of(
    G: FamilyGenerator,
    encoder: Encoder,
    batch: Batch,
    config: EncoderConfig,
    perceptual: PerceptualDistance | None,
    w: WStatistics,
    statistics: Statistics,
) -> Tensor:
    """Return the loss of a batch, a scalar: the error of known latents after every pass, and that of images after one.

    Images are compared after a pass that torch's generator draws, since drawing and comparing them takes most of the
    time. Each pass is trained on its own: no gradient reaches the one before.
    """
    own, compared = len(batch.ws), int(torch.randint(config.passes, ()))
    ws = encoder.start(batch.inputs)
    with torch.no_grad():
        drawn = G.synthesis(ws, noise_mode="const")
    total = ws.new_zeros(())
    for k in range(config.passes):
        ws = ws.detach() + encoder(batch.inputs, drawn)
        if own:
            error = (ws[:own] - batch.ws).square().sum(2).mean() / w.spread.square()
            total = total + config.latent_weight * error * own / len(ws)
            if k == config.passes - 1:
                statistics.add("Loss/encoder/latent", error)
        if k == compared:
            images = G.synthesis(ws, noise_mode="const")
            total = total + _image_loss(images, batch.images, config, perceptual, statistics)
            if own < len(ws):
                distances = (ws[own:] - w.center).square().sum(2).mean() / w.spread.square()
                total = total + config.w_weight * distances
            drawn = images.detach()
        elif k < config.passes - 1:
            with torch.no_grad():
                drawn = G.synthesis(ws, noise_mode="const")
    statistics.add("Loss/encoder/loss", total)
    return total


def _image_loss(
    images: Tensor,
    targets: Tensor,
    config: EncoderConfig,
    perceptual: PerceptualDistance | None,
    statistics: Statistics,
) -> Tensor:
    pixels = (images - targets).square().mean()
    statistics.add("Loss/encoder/pixels", pixels)
    total = config.pixel_weight * pixels
    if perceptual is not None:
        with torch.no_grad():
            wanted = perceptual.features(targets)
        distance = perceptual.between(perceptual.features(images), wanted).mean()
        statistics.add("Loss/encoder/perceptual", distance)
        total = total + config.perceptual_weight * distance
    return total
