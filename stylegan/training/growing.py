"""Progressive growing: train on small images, fade in the next resolution, train there, repeat. ProGAN Sec. 2.

Networks always take and draw images of the full size. Their level of detail `lod` is the number of halvings of what
they work on: 0 at the full resolution; between two whole numbers, two resolutions fade into each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from stylegan.networks.growing import enlarge, shrink
from stylegan.training.config import GrowingConfig, TrainConfig
from stylegan.training.state import TrainingState


class Stage(NamedTuple):
    """A stage of growth."""

    lod: float
    resolution: int  # the highest that takes part


def stage(nimg: int, img_resolution: int, growing: GrowingConfig) -> Stage:
    """Return the stage after `nimg` images: `training_kimg` at a resolution, then the next fades in. ProGAN App. A."""
    length = growing.training_kimg + growing.transition_kimg
    phase, kimg = divmod(nimg / 1000, length)
    faded = max(kimg - growing.training_kimg, 0) / growing.transition_kimg
    lod = max(math.log2(img_resolution / growing.initial_resolution) - phase - faded, 0)
    return Stage(lod, img_resolution >> int(lod))


def enter_stage(state: TrainingState, config: TrainConfig) -> TrainConfig:
    """Set networks and optimizers to the stage of this step, and return the settings of the step.

    At a new resolution the optimizers drop their moments, which belong to what the layers did before. The micro-batch
    of small images is larger: as many as have the pixels of `micro_batch` large ones.
    """
    growing = config.growing
    if growing is None:
        return config
    now = stage(state.nimg, config.generator["img_resolution"], growing)
    lod = now.lod
    before = float(_lod(state.G))
    if (math.floor(lod), math.ceil(lod)) != (math.floor(before), math.ceil(before)):
        for optimizer in (state.G_opt, state.D_opt):
            optimizer.state.clear()
    state.lod = lod
    for network in (state.G, state.D):
        _lod(network).fill_(lod)
    for optimizer, lr in ((state.G_opt, config.g_lr), (state.D_opt, config.d_lr)):
        for group in optimizer.param_groups:
            group["lr"] = growing.lr.get(now.resolution, lr) * group["lr_scale"]
    return _at(now, config, growing)


def _lod(network: nn.Module) -> Tensor:
    """Return the level of detail of a network that grows, to read or to set."""
    assert isinstance(network.lod, Tensor)
    return network.lod


def stage_configs(config: TrainConfig) -> dict[int, TrainConfig]:
    """Return the settings of the steps at each resolution that the run comes to; the last one is the full size."""
    side, growing = config.generator["img_resolution"], config.growing
    if growing is None:
        return {side: config}
    levels = range(int(math.log2(side / growing.initial_resolution)), -1, -1)
    return {side >> level: _at(Stage(level, side >> level), config, growing) for level in levels}


def _at(stage: Stage, config: TrainConfig, growing: GrowingConfig) -> TrainConfig:
    batch = growing.batch.get(stage.resolution, config.batch)
    micro_batch = math.gcd(batch, config.micro_batch * 4 ** int(stage.lod))
    return config.model_copy(update={"batch": batch, "micro_batch": micro_batch})


def fade(img: Tensor, lod: float) -> Tensor:
    """Return images as networks at `lod` draw them: halved floor(lod) times and mixed with the next halving.

    [N, C, H, W] -> [N, C, H, W]
    """
    level = math.floor(lod)
    img = shrink(img, level)
    if lod > level:
        img = img.lerp(enlarge(shrink(img)), lod - level)
    return enlarge(img, level)
