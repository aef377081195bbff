"""Motion: images of a StyleGAN3 along a closed path, for a loop that shows how all detail moves with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.images.grid import auto_shape, make_grid
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import draw
from stylegan.sampling.latent import Latent
from stylegan.sampling.transform import inverse_transform, transform_of

REACH = 0.125  # the largest shift, in image widths

# Time from 0 to 1, one period -> the shift (x, y) right and down, in image widths, and the rotation in degrees.
PATHS: dict[str, Callable[[float], tuple[float, float, float]]] = {
    "circle": lambda t: (REACH * math.cos(2 * math.pi * t), -REACH * math.sin(2 * math.pi * t), 0.0),
    "shift": lambda t: (REACH * math.sin(2 * math.pi * t), 0.0, 0.0),
    "rotate": lambda t: (0.0, 0.0, 360.0 * t),
}


def move(
    G: GeneratorLike,
    latents: Tensor | Sequence[Latent],
    path: str,
    frames: int,
    *,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Draw images side by side, all on the same path; the last frame leads to the first.

    Args:
        latents: N latents, or their ws, [N, num_ws, w_dim].
        path: one of `PATHS`.
        noise_mode, batch: as in `generate_images`.
    Yields: `frames` sheets [C, rows * H, columns * W] uint8 on the CPU.
    Raises: ConfigError for a network without a transform, an unknown path or no frames.
    """
    if path not in PATHS:
        raise ConfigError(f"a path is one of {', '.join(PATHS)}, got {path!r}.")
    if frames < 1:
        raise ConfigError(f"a loop needs at least 1 frame, got {frames}.")
    transform = transform_of(G)

    def sheets() -> Iterator[Tensor]:
        before = transform.clone()
        try:
            for k in range(frames):
                transform.copy_(inverse_transform(*PATHS[path](k / frames)))
                yield make_grid(draw(G, latents, noise_mode=noise_mode, batch=batch), *auto_shape(len(latents)))
        finally:
            transform.copy_(before)

    return sheets()
