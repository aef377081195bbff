"""Adaptive discriminator augmentation, for training with few images. Karras et al. 2020."""

from stylegan.augment.controller import SAFE_P, adapted, may_leak
from stylegan.augment.pipeline import AugmentPipe
from stylegan.augment.presets import PRESETS, preset

__all__ = ["PRESETS", "SAFE_P", "AugmentPipe", "adapted", "may_leak", "preset"]
