"""How strongly to augment: as much as the discriminator's overconfidence asks for. StyleGAN2-ADA Sec. 3."""

from __future__ import annotations

from dataclasses import dataclass

from stylegan.errors import ConfigError

# The practical limit of StyleGAN2-ADA Sec. 2: below it leaks are unlikely, beyond it the generator may begin to draw
# the augmentations themselves.
SAFE_P = 0.8


@dataclass(frozen=True, kw_only=True)
class AdaptiveStrength:
    """Moves p by a fixed step towards the overfitting measure r_t = E[sign(D(real))] = target.

    The step is such that p can go from 0 to 1 within `ada_kimg` thousand real pictures.
    """

    target: float = 0.6  # r_t that D should have: 0 = undecided about real pictures, 1 = certain of all
    ada_kimg: float = 500.0  # 100 when training starts from trained weights
    interval: int = 4  # training steps between two updates
    max_p: float = SAFE_P  # upper limit of p

    def __post_init__(self):
        if not 0 <= self.max_p <= 1:
            raise ConfigError(f"the upper limit of p must lie in 0 to 1, got {self.max_p}.")
        if not self.ada_kimg > 0:
            raise ConfigError(f"ada_kimg must be above 0, got {self.ada_kimg}.")
        if self.interval < 1:
            raise ConfigError(f"augmentation must be adapted every 1 or more steps, got {self.interval}.")

    def update(self, p: float, r_t: float, batch: int) -> float:
        """The next p in [0, max_p].

        Args:
            p: the present probability.
            r_t: mean of sign(D(real)) in [-1, 1] over all real logits since the last update, or the last mean if
                there were none. NaN leaves p as it is.
            batch: real pictures per training step, over all devices.
        """
        direction = (r_t > self.target) - (r_t < self.target)
        step = batch * self.interval / (self.ada_kimg * 1000)
        return float(min(max(p + direction * step, 0), self.max_p))


def may_leak(p: float) -> bool:
    """Whether p is so high that generated pictures may begin to look augmented: worth a warning."""
    return p >= SAFE_P
