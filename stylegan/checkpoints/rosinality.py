"""Checkpoints of rosinality's stylegan2-pytorch, a .pt with g_ema, g, d and latent_avg, in both directions.

Its generator is the skip generator and its discriminator the resnet of StyleGAN2, without labels. Files that were
converted from TensorFlow have latent_avg; trained ones do not, and the average of w is estimated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.nvidia import LICENCE, is_state_dict, plain_names
from stylegan.checkpoints.official_names import Shapes
from stylegan.checkpoints.rebuild import empty, fill
from stylegan.checkpoints.substitutes import average_w, missing_filters, missing_noise, taps_of, widths
from stylegan.errors import CheckpointError
from stylegan.files.atomic import atomic_file
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.stylegan2 import Discriminator, Generator
from stylegan.ops import setup_filter

NETWORKS = {"g_ema": "G_ema", "g": "G", "d": "D"}
Names = dict[str, str]  # name in this library -> name in rosinality's


def is_generator(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether these are names of rosinality's generator."""
    return {"style.1.weight", "input.input", "to_rgb1.bias"} <= set(plain_names(tensors))


def is_discriminator(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether these are names of rosinality's discriminator."""
    return {"convs.0.0.weight", "final_linear.1.weight"} <= set(plain_names(tensors))


def is_checkpoint(content: Mapping[str, Any]) -> bool:
    """Return whether this is the content of such a file."""
    return any(is_state_dict(content.get(name)) for name in NETWORKS)


def read(content: Mapping[str, Any], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of a file.

    Args:
        content: the unpickled file; any of the networks may be missing.
        to_draw: read the generator to draw with alone.
    Raises: CheckpointError for tensors that do not fit together.
    """
    found: list[str] = [name for name in NETWORKS if is_state_dict(content.get(name))]
    if to_draw and (drawing := [name for name in found if name != "d"]):
        found = drawing[:1]
    w_avg = content.get("latent_avg")
    networks: dict[str, Any] = {}
    for name in found:
        tensors = plain_names(content[name])
        network = discriminator(tensors) if name == "d" else generator(tensors, w_avg)
        networks[NETWORKS[name]] = network
    p = content.get("ada_aug_p")
    p = p.item() if isinstance(p, Tensor) and p.numel() == 1 else p
    return Checkpoint(
        **networks,
        augment_p=float(p) if isinstance(p, int | float) else 0.0,
        origin="a file of rosinality's stylegan2-pytorch" + (", converted" if w_avg is not None else ""),
        licence=LICENCE if w_avg is not None else None,
    )


def generator(tensors: Mapping[str, Tensor], w_avg: Any = None) -> Generator:
    """Return a generator from a state dict. Raises: CheckpointError as `read`."""
    shapes = Shapes(tensors)
    blocks = shapes.layers(r"to_rgbs\.\d{1,3}\.bias$")
    sizes = [4 << i for i in range(min(blocks, 20) + 1)]
    layers = shapes.layers(r"style\.\d{1,7}\.weight$")
    convs = {r: f"convs.{2 * i - 1}" if r > 4 else "conv1" for i, r in enumerate(sizes)}
    kernel = tensors.get("convs.0.conv.blur.kernel")
    network = empty(
        Generator,
        {
            "z_dim": shapes["style.1.weight", 1],
            "w_dim": shapes[f"style.{layers}.weight", 0],
            "img_resolution": sizes[-1],
            "img_channels": shapes["to_rgb1.conv.weight", 1],
            "mapping_layers": layers,
            **({"layer_features": shapes["style.1.weight", 0]} if layers > 1 else {}),
            **widths({r: shapes[f"{conv}.conv.weight", 1] for r, conv in convs.items()}),
            **({"resample_filter": taps_of(kernel)} if kernel is not None else {}),
        },
    )
    own = _reshaped(network, tensors, generator_names(sizes[-1], layers))
    average = isinstance(w_avg, Tensor)
    own["mapping.w_avg"] = w_avg.flatten() if average else torch.zeros(network.w_dim)
    own |= missing_filters(network, own, {"resample_filter": network.settings.resample_filter})
    own |= missing_noise(network, own)
    network = fill(network, own)
    if not average:
        network.mapping.w_avg.copy_(average_w(network))
    return network


def discriminator(tensors: Mapping[str, Tensor]) -> Discriminator:
    """Return a discriminator from a state dict. Raises: CheckpointError as `read`."""
    shapes = Shapes(tensors)
    sizes = [4 << i for i in range(min(shapes.layers(r"convs\.\d{1,3}\.skip\.1\.weight$"), 20) + 1)]
    convs = {r: f"convs.{len(sizes) - i}" for i, r in enumerate(sizes)}
    channels = {r: shapes[f"{convs[r]}.conv1.0.weight", 0] for r in sizes[1:]}
    channels[4] = shapes["final_conv.0.weight", 0]
    kernel = tensors.get("convs.1.conv2.0.kernel")
    network = empty(
        Discriminator,
        {
            "img_resolution": sizes[-1],
            "img_channels": shapes["convs.0.0.weight", 1],
            **widths(channels),
            "mbstd_num_channels": shapes["final_conv.0.weight", 1] - channels[4],
            **({"resample_filter": taps_of(kernel)} if kernel is not None else {}),
        },
    )
    own = _reshaped(network, tensors, discriminator_names(sizes[-1]))
    own |= missing_filters(network, own, {"resample_filter": network.settings.resample_filter})
    return fill(network, own)


def generator_names(img_resolution: int, mapping_layers: int) -> Names:
    """Return the names of a generator's tensors; those of the same values may have axes of length 1 more or fewer."""
    names = {"synthesis.b4.const": "input.input"}
    for i in range(mapping_layers):
        names |= _pair(f"mapping.fc{i}", f"style.{i + 1}")
    for i in range(int(math.log2(img_resolution)) - 1):
        block = f"synthesis.b{4 << i}"
        layers = {"conv1": (f"convs.{2 * i - 1}" if i else "conv1", 2 * i)}
        if i:
            layers["conv0"] = (f"convs.{2 * i - 2}", 2 * i - 1)
        for conv, (theirs, noise) in layers.items():
            names |= {
                f"{block}.{conv}.weight": f"{theirs}.conv.weight",
                f"{block}.{conv}.bias": f"{theirs}.activate.bias",
                f"{block}.{conv}.noise_strength": f"{theirs}.noise.weight",
                f"{block}.{conv}.noise_const": f"noises.noise_{noise}",
                **_pair(f"{block}.{conv}.affine", f"{theirs}.conv.modulation"),
            }
        rgb = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        names |= {f"{block}.torgb.weight": f"{rgb}.conv.weight", f"{block}.torgb.bias": f"{rgb}.bias"}
        names |= _pair(f"{block}.torgb.affine", f"{rgb}.conv.modulation")
    return names


def discriminator_names(img_resolution: int) -> Names:
    """Return the names of a discriminator's tensors."""
    names = {
        f"b{img_resolution}.fromrgb.weight": "convs.0.0.weight",
        f"b{img_resolution}.fromrgb.bias": "convs.0.1.bias",
        "b4.conv.weight": "final_conv.0.weight",
        "b4.conv.bias": "final_conv.1.bias",
        **_pair("b4.fc", "final_linear.0"),
        **_pair("b4.out", "final_linear.1"),
    }
    for j in range(1, int(math.log2(img_resolution)) - 1):
        block, conv = f"b{img_resolution >> (j - 1)}", f"convs.{j}"
        names |= {
            f"{block}.conv0.weight": f"{conv}.conv1.0.weight",
            f"{block}.conv0.bias": f"{conv}.conv1.1.bias",
            f"{block}.conv1.weight": f"{conv}.conv2.1.weight",
            f"{block}.conv1.bias": f"{conv}.conv2.2.bias",
            f"{block}.skip.weight": f"{conv}.skip.1.weight",
        }
    return names


def write(checkpoint: Checkpoint, path: Path | str) -> None:
    """Write the networks of a checkpoint as a .pt that rosinality's code reads.

    Origin and licence are written too, under keys that its code does not read.

    Raises: CheckpointError for networks that its code does not have; OutputError if `path` cannot be written.
    """
    content: dict[str, Any] = {}
    for theirs, ours in NETWORKS.items():
        network = getattr(checkpoint, ours)
        if network is not None:
            require_expressible(network)
            content[theirs] = (
                _generator_dict(network) if isinstance(network, Generator) else _discriminator_dict(network)
            )
    G = checkpoint.G_ema or checkpoint.G
    if G is None:
        raise CheckpointError("a file for rosinality's code needs a generator, got none; choose another checkpoint.")
    content["latent_avg"] = G.mapping.w_avg.detach().cpu().clone()
    content["ada_aug_p"] = float(checkpoint.augment_p)
    content |= {key: value for key in ("origin", "licence") if (value := getattr(checkpoint, key)) is not None}
    with atomic_file(path) as temporary:
        torch.save(content, temporary)


def _generator_dict(G: Generator) -> dict[str, Tensor]:
    """Return the state dict of rosinality's generator."""
    own, blocks = _on_cpu(G), len(G.settings.resolutions)
    written: dict[str, Tensor] = {}
    for ours, theirs in generator_names(G.img_resolution, G.settings.mapping_layers).items():
        written[theirs] = _with_their_axes(theirs, own[ours]).clone()
    kernel = setup_filter(G.settings.resample_filter, separable=False) * 4
    for k in range(blocks - 1):
        written[f"convs.{2 * k}.conv.blur.kernel"] = kernel.clone()
        written[f"to_rgbs.{k}.upsample.kernel"] = kernel.clone()
    return written


def _with_their_axes(name: str, value: Tensor) -> Tensor:
    """Return a tensor of a generator with the axes of length 1 that rosinality's has."""
    if name.startswith("noises."):
        return value[None, None]
    if re.fullmatch(r"to_rgb(1|s\.\d+)\.bias", name):
        return value[None, :, None, None]
    has_batch_axis = name.endswith((".conv.weight", ".noise.weight")) or name == "input.input"
    return value[None] if has_batch_axis else value


def _discriminator_dict(D: Discriminator) -> dict[str, Tensor]:
    """Return the state dict of rosinality's discriminator."""
    own = _on_cpu(D)
    written = {theirs: own[ours].clone() for ours, theirs in discriminator_names(D.img_resolution).items()}
    kernel = setup_filter(D.settings.resample_filter, separable=False)
    for j in range(1, len(D.settings.resolutions)):
        written[f"convs.{j}.conv2.0.kernel"] = kernel.clone()
        written[f"convs.{j}.skip.0.kernel"] = kernel.clone()
    return written


def _on_cpu(network: FamilyGenerator | Discriminator) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in network.state_dict().items()}


def require_expressible(network: Any) -> None:
    """Raises: CheckpointError for a network that rosinality's classes cannot hold."""
    form = {Generator: "skip", Discriminator: "resnet"}.get(type(network))
    settings = network.settings
    if form is None or settings.architecture != form:
        raise CheckpointError(
            f"rosinality's code has the skip generator and the resnet discriminator of StyleGAN2, "
            f"got {getattr(settings, 'architecture', None) or type(network).__module__}; choose another format."
        )
    expected: dict[str, Any] = {
        "c_dim": 0,
        "img_channels": 3,
        "activation": "lrelu",
        "lr_multiplier": 0.01,
        "use_noise": True,
    }
    if form == "resnet":
        expected = {
            "c_dim": 0,
            "img_channels": 3,
            "activation": "lrelu",
            "mbstd_group_size": 4,
            "mbstd_num_channels": 1,
        }
    wrong = [name for name, value in expected.items() if getattr(settings, name) != value]
    if form == "skip" and (settings.z_dim != settings.w_dim or settings.layer_features not in (None, settings.w_dim)):
        wrong.append("z_dim")
    if wrong:
        raise CheckpointError(
            f"rosinality's code has {wrong[0]} {expected.get(wrong[0], 'equal to w_dim')}, "
            f"got {getattr(settings, wrong[0])}; choose another format."
        )


def _reshaped(network: Any, tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Return the tensors that are present by their names in this library, in its shapes.

    Raises: CheckpointError if one has another number of values.
    """
    own = network.state_dict()
    found = {}
    for ours, theirs in names.items():
        if theirs in tensors:
            expected, value = list(own[ours].shape), tensors[theirs]
            if [n for n in value.shape if n != 1] != [n for n in expected if n != 1]:
                raise CheckpointError(f"tensor {theirs} has shape {list(value.shape)[:9]}, {expected} is expected")
            found[ours] = value.reshape(expected)
    return found


def _pair(ours: str, theirs: str) -> Names:
    return {f"{ours}.weight": f"{theirs}.weight", f"{ours}.bias": f"{theirs}.bias"}
