"""Settings that change during a run along half a cosine, as R3GAN trains; `AnnealConfig` holds their ends.

They are functions of the number of images seen, so a resumed run continues them exactly.
"""

from __future__ import annotations

import math
from typing import Any

from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState, lazy_ratio


def cosine(start: float, end: float, progress: float) -> float:
    """Return a value between `start`, at a `progress` of 0, and `end`, at 1 and beyond, along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1))) / 2


def annealed(config: TrainConfig, nimg: int) -> TrainConfig:
    """Return the settings of the step after `nimg` images."""
    end = config.anneal
    if end.kimg is None:
        return config
    progress = nimg / (end.kimg * 1000)
    lr, gamma = cosine(1, end.lr, progress), cosine(1, end.gamma, progress)
    beta1, beta2 = config.adam_betas
    changes: dict[str, Any] = {
        "g_lr": config.g_lr * lr,
        "d_lr": config.d_lr * lr,
        "r1_gamma": config.r1_gamma * gamma,
        "r2_gamma": config.r2_gamma * gamma,
    }
    if end.beta2 is not None:
        changes["adam_betas"] = (beta1, cosine(beta2, end.beta2, progress))
    if end.ema_kimg is not None:
        changes["ema_kimg"] = cosine(config.ema_kimg, end.ema_kimg, progress)
    if end.augment_p is not None:
        p = cosine(config.augment.p, end.augment_p, progress)
        changes["augment"] = config.augment.model_copy(update={"p": p})
    return config.model_copy(update=changes)


def anneal(state: TrainingState, config: TrainConfig) -> TrainConfig:
    """Return the settings of this step, and set the optimizers and the augmentation to them."""
    now = annealed(config, state.nimg)
    if now is config:
        return config
    for optimizer, lr, interval in (
        (state.G_opt, now.g_lr, config.pl_interval),
        (state.D_opt, now.d_lr, config.r1_interval),
    ):
        beta1, beta2 = (beta ** lazy_ratio(interval, config) for beta in now.adam_betas)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = lr * group["lr_scale"], (beta1, beta2)
    if state.augment_p is not None and now.augment.mode == "fixed":
        state.augment_p.fill_(now.augment.p)
    return now
