"""Augmentation of the images that the discriminator sees, for training with few images.

Karras et al. 2020 (StyleGAN2-ADA), Zhao et al. 2020 (DiffAugment).
"""

from stylegan.augment.controller import SAFE_P, adapted, may_leak
from stylegan.augment.diff_augment import diff_augment
from stylegan.augment.pipeline import AugmentPipe
from stylegan.augment.presets import PRESETS, preset

__all__ = ["PRESETS", "SAFE_P", "AugmentPipe", "adapted", "diff_augment", "may_leak", "preset"]
