"""Progressive growing: train on small images, fade in the next resolution, train there, and so on. ProGAN Sec. 2.

Networks take and draw images of the full size at all times; their level of detail `lod` says how many times what
they look at was halved: 0 for the full resolution, and in between two resolutions fade into each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from stylegan.networks.growing import enlarge, shrink
from stylegan.training.config import GrowingConfig, TrainConfig
from stylegan.training.state import TrainingState


class Stage(NamedTuple):
    """Where in its growth a run is."""

    lod: float
    resolution: int  # the highest that takes part


def stage(nimg: int, img_resolution: int, growing: GrowingConfig) -> Stage:
    """The stage after `nimg` images: train `training_kimg` at a resolution, then fade in the next. ProGAN App. A."""
    length = growing.training_kimg + growing.transition_kimg
    phase, kimg = divmod(nimg / 1000, length)
    faded = max(kimg - growing.training_kimg, 0) / growing.transition_kimg
    lod = max(math.log2(img_resolution / growing.initial_resolution) - phase - faded, 0)
    return Stage(lod, img_resolution >> int(lod))


def enter_stage(state: TrainingState, config: TrainConfig) -> TrainConfig:
    """Bring networks and optimizers to the stage of this step, and return the settings of the step.

    With a new resolution the optimizers forget their moments, which belong to what the layers did before. Small
    images are computed more at once: as many as hold the pixels of `micro_batch` large ones.
    """
    growing = config.growing
    if growing is None:
        return config
    lod, resolution = stage(state.nimg, config.generator["img_resolution"], growing)
    before = float(state.G.lod)
    if (math.floor(lod), math.ceil(lod)) != (math.floor(before), math.ceil(before)):
        for optimizer in (state.G_opt, state.D_opt):
            optimizer.state.clear()
    state.lod = lod
    for network in (state.G, state.D):
        network.lod.fill_(lod)
    for optimizer, lr in ((state.G_opt, config.g_lr), (state.D_opt, config.d_lr)):
        for group in optimizer.param_groups:
            group["lr"] = growing.lr.get(resolution, lr) * group["lr_scale"]
    batch = growing.batch.get(resolution, config.batch)
    micro_batch = math.gcd(batch, config.micro_batch * 4 ** int(lod))
    return config.model_copy(update={"batch": batch, "micro_batch": micro_batch})


def fade(img: Tensor, lod: float) -> Tensor:
    """Images as networks at `lod` draw them: halved floor(lod) times and, for the rest of it, mixed with the next.

    [N, C, H, W] -> [N, C, H, W]
    """
    level = math.floor(lod)
    img = shrink(img, level)
    if lod > level:
        img = img.lerp(enlarge(shrink(img)), lod - level)
    return enlarge(img, level)
