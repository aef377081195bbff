"""Controller of the augmentation probability p, which follows the overfitting of D. StyleGAN2-ADA Sec. 3."""

from __future__ import annotations

# Practical limit of StyleGAN2-ADA Sec. 2: below it leaks are unlikely; above it the generator may begin to generate
# augmented images.
SAFE_P = 0.8


def adapted(p: float, r_t: float, target: float, step: float, max_p: float = SAFE_P) -> float:
    """Move p by `step` in the direction that brings r_t = E[sign(D(real))] to its target.

    Args:
        p: current probability.
        r_t: in [-1, 1], over all real logits since the last update. NaN leaves p unchanged.
        target: desired r_t; 0 means undecided about real images, 1 certain of all.
        step: change of p per update, which sets the number of real images over which p can rise from 0 to 1.
    Returns: the next p, in [0, max_p].
    """
    direction = (r_t > target) - (r_t < target)
    return float(min(max(p + direction * step, 0), max_p))


def may_leak(p: float) -> bool:
    """Return True if p is high enough for augmentations to leak into generated images, which deserves a warning."""
    return p > SAFE_P - 1e-3  # a sum of steps reaches the limit only up to rounding
