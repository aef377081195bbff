"""Images and latents as the bytes of an answer."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.images.grid import grid
from stylegan.images.pixels import to_pil
from stylegan.machine.surroundings import one_thread

MAX_WEBP_SIDE = 16383
FASTEST: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 1, "compress_type": zlib.Z_RLE},
    "webp": {"lossless": True, "quality": 0, "method": 0},
}
MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "json": "application/json",
    **dict.fromkeys(("npz", "pt", "safetensors", "zip"), "application/octet-stream"),
}


@one_thread()
def encoded(image: Tensor, form: str = "png") -> bytes:
    """Return one image [C, H, W] uint8 as "png" or "webp", both without loss.

    Raises: ConfigError for a WebP that is larger than the format allows.
    """
    if form == "webp" and max(image.shape) > MAX_WEBP_SIDE:
        raise ConfigError(
            f"a WebP has at most {MAX_WEBP_SIDE} pixels per side, got {max(image.shape)}; use `format` png."
        )
    buffer = io.BytesIO()
    to_pil(image).save(buffer, format=form.upper(), **FASTEST[form])  # an answer is sent only once
    return buffer.getvalue()


@one_thread()
def sheet(images: Tensor, columns: int | None, form: str) -> bytes:
    """Return images [N, C, H, W] side by side as one "png" or "webp"; a single image stays as it is."""
    return encoded(images[0] if len(images) == 1 else grid(images, columns), form)


def as_json(images: Tensor, seeds: Sequence[int | str]) -> bytes:
    """Return {"images": [{"seed": ..., "png": base64}, ...]}."""
    rows = [
        {"seed": seed, "png": base64.b64encode(encoded(image)).decode()}
        for seed, image in zip(seeds, images, strict=True)
    ]
    return as_object({"images": rows})


def as_object(value: dict[str, Any]) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


def as_npz(images: Tensor, ws: Tensor, seeds: Sequence[int | str]) -> bytes:
    """Return an .npz with images [N, H, W, C] uint8, w [N, num_ws, w_dim] float32 and seeds [N]."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, images=images.permute(0, 2, 3, 1).numpy(), w=ws.numpy(), seeds=np.array(seeds, np.uint32)
    )
    return buffer.getvalue()
