"""How strongly to augment: as much as the discriminator's overconfidence asks for. StyleGAN2-ADA Sec. 3."""

from __future__ import annotations

# The practical limit of StyleGAN2-ADA Sec. 2: below it leaks are unlikely, beyond it the generator may begin to draw
# the augmentations themselves.
SAFE_P = 0.8


def adapted(p: float, r_t: float, target: float, step: float, max_p: float = SAFE_P) -> float:
    """p moved by `step` towards the r_t = E[sign(D(real))] that D should have; the next p, in [0, max_p].

    Args:
        p: the present probability.
        r_t: in [-1, 1], over all real logits since the last update. NaN leaves p as it is.
        target: of r_t; 0 = undecided about real images, 1 = certain of all.
        step: change of p, such that it can go from 0 to 1 within a given number of real images.
    """
    direction = (r_t > target) - (r_t < target)
    return float(min(max(p + direction * step, 0), max_p))


def may_leak(p: float) -> bool:
    """Whether p is so high that generated images may begin to look augmented: worth a warning."""
    return p > SAFE_P - 1e-3  # steps add up to the limit but for rounding
