"""Adaptive discriminator augmentation: D sees changed pictures, so that few go further. Karras et al. 2020."""

from stylegan.augment.controller import AdaptiveStrength, may_leak
from stylegan.augment.pipeline import AugmentPipe
from stylegan.augment.presets import PRESETS, preset

__all__ = ["PRESETS", "AdaptiveStrength", "AugmentPipe", "may_leak", "preset"]
