"""The file of a latent: an .npz that the official tools read and write too, with what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ConfigError, DataError
from stylegan.files.atomic import atomic_file
from stylegan.files.npz import read_arrays
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.latent import Latent, check_space, space_of

OFFSET, NOISE = "offset:", "noise:"  # before the name of a module or buffer in a file
MAX_BYTES = 1 << 30  # of the arrays of a file together


def save_latent(latent: Latent, G: GeneratorLike, file: Path | str) -> None:
    """Write a latent of `G` as .npz: w [1, num_ws, w_dim] as the official projector, then offsets, noise and the space.

    Raises: ConfigError for a latent of another network, OutputError if the file cannot be written.
    """
    check_space(latent, G)
    arrays = {"w": latent.ws.detach().cpu().numpy()[None]}
    arrays |= {OFFSET + name: value.detach().cpu().numpy() for name, value in latent.offsets.items()}
    arrays |= {NOISE + name: value.detach().cpu().numpy() for name, value in latent.noise.items()}
    arrays["space"] = np.array(space_of(G))
    with atomic_file(file) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **cast(Any, arrays))


def load_latents(file: Path | str, G: GeneratorLike, *, max_bytes: int | None = None) -> list[Latent]:
    """Read the latents of a network: the file of `save_latent`, or any .npz or .npy with w.

    Args:
        file: w is [w_dim], [num_ws, w_dim], or [N, 1 or num_ws, w_dim] for several latents, as official tools write.
        max_bytes: of its arrays together; None for `MAX_BYTES`.
    Returns: N latents.
    Raises: DataError for a file that holds no latent; ConfigError for latents of another network.
    """
    arrays = read_arrays(
        file, what="a file of latents, an .npz with the array w", only="w", max_bytes=max_bytes or MAX_BYTES
    )
    w = _numbers(arrays, "w", file)
    num_ws, w_dim = G.num_ws, G.w_dim
    w = w.reshape(*[1] * (3 - w.ndim), *w.shape)
    if w.ndim != 3 or w.shape[0] < 1 or w.shape[1] not in (1, num_ws) or w.shape[2] != w_dim:
        raise ConfigError(
            f"{file} holds w {list(w.shape)}, and this network takes [N, 1 or {num_ws}, {w_dim}]; use a latent that "
            "was found with it."
        )
    extras = {
        prefix: {key[len(prefix) :]: _numbers(arrays, key, file) for key in arrays if key.startswith(prefix)}
        for prefix in (OFFSET, NOISE)
    }
    space = str(arrays["space"]) if "space" in arrays else None
    latents = [
        Latent(ws=row.expand(num_ws, w_dim).clone(), offsets=extras[OFFSET], noise=extras[NOISE], space=space)
        for row in w
    ]
    for latent in latents:
        check_space(latent, G)
        _check_extras(latent, G, file)
    return latents


def _check_extras(latent: Latent, G: GeneratorLike, file: Path | str) -> None:
    """Raises ConfigError for noise that does not fit the buffers of the network."""
    if latent.noise and isinstance(G, FamilyGenerator):
        buffers = dict(G.synthesis.named_buffers())
        for name, value in latent.noise.items():
            if name not in buffers or value.shape != buffers[name].shape:
                raise ConfigError(
                    f"{file} holds noise {name!r} of shape {list(value.shape)}, which does not fit this network; draw "
                    "it with the network that it was found for."
                )


def _numbers(arrays: Mapping[str, np.ndarray], key: str, file: Path | str) -> Tensor:
    array = arrays.get(key)
    if array is None or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise DataError(f"{file} has no finite numbers {key!r}; expected an .npz with the array w.")
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
