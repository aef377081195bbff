"""Settings of the networks of StyleGAN2, 2-ADA and 3 from the names and shapes in an official state dict.

The names are those of this library. What shapes do not show has the value of most published networks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stylegan.checkpoints.substitutes import taps_of, widths
from stylegan.errors import CheckpointError

Tensors = Mapping[str, Tensor]
MIXED_PRECISION = {"num_fp16_res": 4, "conv_clamp": 256}  # of all networks that the official PyTorch code trains


def is_generator(tensors: Tensors) -> bool:
    """Return whether these are names of an official generator."""
    return "synthesis.b4.const" in tensors or is_alias_free(tensors)


def is_alias_free(tensors: Tensors) -> bool:
    """Return whether these are names of StyleGAN3."""
    return "synthesis.input.weight" in tensors


def is_discriminator(tensors: Tensors) -> bool:
    """Return whether these are names of an official discriminator."""
    return "b4.fc.weight" in tensors and "b4.out.weight" in tensors


def stylegan2_generator(tensors: Tensors) -> dict[str, Any]:
    """Return settings of `stylegan2.Generator`. Raises: CheckpointError if a tensor is missing or has other axes."""
    shapes = Shapes(tensors)
    sizes = shapes.resolutions("synthesis.")
    last = sizes[-1]
    forms = ("resnet", f"synthesis.b{last}.skip.weight"), ("skip", "synthesis.b4.torgb.weight")
    return {
        **_mapping(shapes, w_dim=shapes["synthesis.b4.conv1.affine.weight", 1]),
        **widths({r: shapes[f"synthesis.b{r}.conv1.weight", 0] for r in sizes}),
        **MIXED_PRECISION,
        "img_resolution": last,
        "img_channels": shapes[f"synthesis.b{last}.torgb.weight", 0],
        "architecture": next((form for form, name in forms if name in tensors), "orig"),
        "use_noise": "synthesis.b4.conv1.noise_strength" in tensors,
        **_filter(tensors, "synthesis.b4.resample_filter"),
    }


def stylegan3_generator(tensors: Tensors) -> dict[str, Any]:
    """Return settings of `stylegan3.Generator`. Raises: CheckpointError as in `stylegan2_generator`."""
    shapes = Shapes(tensors)
    layers = {
        int(m[1]): m for m in (re.match(r"synthesis\.L(\d{1,3})_(\d{1,5})_\d+\.weight$", n) for n in tensors) if m
    }
    names = [layers[i][0] for i in sorted(layers)]
    if not names or sorted(layers) != list(range(len(names))):
        raise CheckpointError("the layers of its generator are not numbered from L0 on")
    size = int(layers[len(names) - 1][2])
    channels = [shapes[name, 0] for name in names[:-1]]
    most = max(channels, default=0)
    if size < 1 or min(channels, default=0) < 1:
        raise CheckpointError("a layer of its generator has no pixels or no channels")
    # The cutoff frequency of the first layer with fewer channels, as `stylegan3_schedule` computes it.
    narrow = next((i for i, count in enumerate(channels) if count < most), None)
    base = 4 * most if narrow is None else 0
    if narrow is not None:
        progress = min(narrow / max(len(channels) - 2, 1), 1)
        cutoff = 2 * (size / 4) ** progress
        low, high = 2 * cutoff * (channels[narrow] - 0.5), 2 * cutoff * (channels[narrow] + 0.5)
        power = 2 ** math.ceil(math.log2(low))  # published widths are powers of two
        base = power if power <= high else round(2 * cutoff * channels[narrow])
    return {
        **_mapping(shapes, w_dim=shapes["synthesis.input.affine.weight", 1]),
        **MIXED_PRECISION,
        "img_resolution": size,
        "img_channels": shapes[names[-1], 0],
        "num_layers": len(channels),
        "channel_base": base,
        "channel_max": most,
        "conv_kernel": shapes[names[0], 2],
        "use_radial_filters": any(n.endswith("down_filter") and t.ndim == 2 for n, t in tensors.items()),
    }


def stylegan2_discriminator(tensors: Tensors) -> dict[str, Any]:
    """Return settings of `stylegan2.Discriminator`. Raises: CheckpointError as in `stylegan2_generator`."""
    shapes = Shapes(tensors)
    sizes = shapes.resolutions("")
    last = sizes[-1]
    forms = ("resnet", f"b{last}.skip.weight"), ("skip", "b4.fromrgb.weight")
    conditional = "mapping.embed.weight" in tensors
    label = {"c_dim": shapes["mapping.embed.weight", 1], "cmap_dim": shapes["b4.out.weight", 0]} if conditional else {}
    return {
        **label,
        **({"mapping_layers": shapes.layers()} if conditional else {}),
        **widths({r: shapes[f"b{r}.conv0.weight", 0] for r in sizes[1:]} | {4: shapes["b4.conv.weight", 0]}),
        **MIXED_PRECISION,
        "img_resolution": last,
        "img_channels": shapes[f"b{last}.fromrgb.weight", 1],
        "architecture": next((form for form, name in forms if name in tensors), "orig"),
        "mbstd_num_channels": shapes["b4.conv.weight", 1] - shapes["b4.conv.weight", 0],
        **_filter(tensors, f"b{last}.resample_filter"),
    }


class Shapes:
    """The shapes of named tensors; `shapes[name, axis]` is a length.

    Raises: CheckpointError if the tensor is missing or has no such axis.
    """

    def __init__(self, tensors: Tensors):
        self._tensors = tensors

    def __getitem__(self, place: tuple[str, int]) -> int:
        name, axis = place
        if name not in self._tensors:
            raise CheckpointError(f"tensor {name} is missing")
        shape = tuple(self._tensors[name].shape)
        if axis >= len(shape):
            raise CheckpointError(f"tensor {name} has shape {list(shape)}, more axes are expected")
        return int(shape[axis])

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def resolutions(self, prefix: str) -> list[int]:
        """Return the resolutions of the blocks, from 4 on. Raises: CheckpointError unless they double each time."""
        pattern = re.compile(re.escape(prefix) + r"b(\d{1,5})\.")
        sizes = sorted({int(m[1]) for m in map(pattern.match, self._tensors) if m})
        if not sizes or sizes != [4 << i for i in range(len(sizes))]:
            raise CheckpointError(f"its blocks have resolutions {sizes[:20]}, 4, 8, 16 and so on are expected")
        return sizes

    def layers(self, pattern: str = r"mapping\.fc(\d{1,7})\.weight$") -> int:
        """Return the number of fully connected layers of the mapping network."""
        return sum(1 for name in self._tensors if re.match(pattern, name))


def _mapping(shapes: Shapes, w_dim: int) -> dict[str, Any]:
    """Return the settings of a generator's mapping network."""
    conditional = "mapping.embed.weight" in shapes
    embed = shapes["mapping.embed.weight", 0] if conditional else 0
    layers = shapes.layers()
    return {
        "z_dim": shapes["mapping.fc0.weight", 1] - embed,
        "w_dim": w_dim,
        "mapping_layers": layers,
        **({"c_dim": shapes["mapping.embed.weight", 1], "embed_features": embed} if conditional else {}),
        **({"layer_features": shapes["mapping.fc0.weight", 0]} if layers > 1 else {}),
    }


def _filter(tensors: Tensors, name: str) -> dict[str, Any]:
    """Return the setting for the low-pass filter that a buffer holds."""
    return {"resample_filter": taps_of(tensors[name])} if name in tensors else {}
