"""Checkpoints of NVIDIA's TensorFlow code: the .pkl files of ProGAN, StyleGAN, StyleGAN2 and StyleGAN2-ADA.

A file holds G, D and the averaged generator Gs. Each is a record with its variables by name and the few arguments that
the training script passed; widths and depths follow from the shapes of the variables.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.nvidia import LICENCE
from stylegan.checkpoints.official_names import Shapes
from stylegan.checkpoints.pickle_vm import Record
from stylegan.checkpoints.substitutes import widths
from stylegan.checkpoints.tensorflow_variables import (
    VERSIONS,
    Network,
    Row,
    block_sizes,
    built,
    constant,
    conv,
    dense,
    flipped,
    given_arguments,
    image,
    layer,
    number,
    plus_one,
    require_lrelu,
    require_normalized,
    same,
    translated,
    with_axes,
)
from stylegan.errors import CheckpointError
from stylegan.networks import progan, stylegan1, stylegan2
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.settings import shown

CREATIVE_COMMONS = "CC BY-NC 4.0 (non-commercial)"  # of the networks of ProGAN and StyleGAN
FUSED_FROM = 128  # StyleGAN fuses the enlargement with the convolution from this resolution on
# Arguments with which a discriminator computes something that no layer of this library does.
_OTHER_DISCRIMINATORS = ("use_spectral_norm", "use_pagan", "adaptive_dropout")


def read(content: Sequence[Any], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of an unpickled file.

    Args:
        content: records of G, D and Gs; the first two may be missing.
        to_draw: read the averaged generator alone.
    Raises: CheckpointError for networks that this library does not have, or whose variables do not fit together.
    """
    averaged = Network(content[2])
    kind = _kind(averaged)
    networks: dict[str, Any] = {"G_ema": generator(averaged)}
    if not to_draw and isinstance(content[0], Record):
        networks["G"] = generator(Network(content[0]))
    if not to_draw and isinstance(content[1], Record):
        D = Network(content[1])
        if (reason := _not_ours(D, kind)) is None:
            networks["D"] = discriminator(D, kind)
        else:
            warnings.warn(f"the discriminator of the file is left out: {reason}.", RuntimeWarning, stacklevel=2)
    commons = kind in ("progan", "stylegan1") and averaged.version in (2, 3)
    return Checkpoint(
        **networks,
        origin=f"a file of NVIDIA's {VERSIONS[averaged.version]} for TensorFlow",
        licence=CREATIVE_COMMONS if commons else LICENCE,
    )


def generator(source: Network) -> FamilyGenerator:
    """Return a generator of any of the four. Raises: CheckpointError as `read`."""
    return {"progan": _progan, "stylegan1": _stylegan1, "stylegan2": _stylegan2}[_kind(source)](source)


def discriminator(source: Network, kind: str) -> FamilyDiscriminator:
    """Return the discriminator of a generator of this kind. Raises: CheckpointError as `read`."""
    return _growing_discriminator(source, kind) if kind != "stylegan2" else _stylegan2_discriminator(source)


def _kind(source: Network) -> str:
    v = source.variables
    if "synthesis/4x4/Const/const" in v and "synthesis/4x4/Conv/mod_weight" in v:
        return "stylegan2"
    if "synthesis/4x4/Const/const" in v and "synthesis/4x4/Const/StyleMod/weight" in v:
        return "stylegan1"
    if "4x4/Dense/weight" in v and "ToRGB_lod0/weight" in v:
        return "progan"
    raise CheckpointError(
        f"holds a TensorFlow generator built by {source.build or 'an unnamed function'}, which is not that of ProGAN, "
        "StyleGAN, StyleGAN2 or StyleGAN2-ADA"
    )


def _not_ours(D: Network, kind: str) -> str | None:
    """Return why a discriminator is none of this library; None if it is."""
    for name in _OTHER_DISCRIMINATORS:
        if number(D.arguments.get(name), 0) or D.arguments.get(name) is True:
            return f"it was trained with {name}, which this library does not have"
    if number(D.arguments.get("score_max"), 1) > 1:
        return "it was trained with a score_max above 1, which this library does not have"
    if kind == "stylegan2" and "LabelEmbed/weight" not in D.variables:
        outputs = D.variables.get("Output/bias", torch.zeros(1)).numel()
        if outputs > 1:
            return "it has one output for each label, which this library has in StyleGAN alone"
    return None


# Generators


def _progan(source: Network) -> FamilyGenerator:
    require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    sizes = block_sizes(v, r"(\d{1,5})x\d+/Conv1/weight")
    levels = len(sizes) - 1
    # The first version stores the two channel axes of enlarging convolutions the other way round.
    up: Callable[[Tensor], Tensor] = (
        (lambda w: flipped(with_axes(w, 4).transpose(2, 3))) if source.version == 2 else flipped
    )
    rows: list[Row] = [
        ("synthesis.lod", "lod", same),
        ("synthesis.b4.dense", "4x4/Dense/weight", dense),
        ("synthesis.b4.layer0.bias", "4x4/Dense/bias", same),
        *layer("synthesis.b4.layer1", "4x4/Conv", conv),
    ]
    for r in sizes[1:]:
        rows += layer(f"synthesis.b{r}.layer0", f"{r}x{r}/Conv0_up", up)
        rows += layer(f"synthesis.b{r}.layer1", f"{r}x{r}/Conv1", conv)
    for i, r in enumerate(sizes):
        rows += layer(f"synthesis.b{r}.torgb", f"ToRGB_lod{levels - i}", conv)
    channels = {r: shapes[f"{r}x{r}/Conv1/bias", 0] for r in sizes[1:]} | {4: shapes["4x4/Conv/bias", 0]}
    c_dim = number(source.arguments.get("label_size"), 0)
    settings = {
        "z_dim": shapes["4x4/Dense/weight", 0] - c_dim,
        "c_dim": c_dim,
        "img_resolution": sizes[-1],
        "img_channels": shapes["ToRGB_lod0/bias", 0],
        **widths(channels),
    }
    return built(progan.Generator, settings, translated(v, rows), {"torgb.resample_filter": (1,), "box": (1, 1)})


def _stylegan1(source: Network) -> FamilyGenerator:
    require_lrelu(source, "nonlinearity", "mapping_nonlinearity")
    require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    sizes = block_sizes(v, r"synthesis/(\d{1,5})x\d+/Conv1/weight")
    levels = len(sizes) - 1
    fused = source.arguments.get("fused_scale", "auto")  # or whether it is at all resolutions
    if not isinstance(fused, bool | str):
        raise CheckpointError(f"holds a network with fused_scale {shown(fused)}, auto, True or False is expected")
    rows: list[Row] = [
        ("synthesis.lod", "lod", same),
        ("synthesis.b4.const", "synthesis/4x4/Const/const", constant),
        *_style_layer("synthesis.b4.layer0", "synthesis/4x4/Const", 0, None),
        *_style_layer("synthesis.b4.layer1", "synthesis/4x4/Conv", 1, conv),
    ]
    for i, r in enumerate(sizes[1:], start=1):
        up = flipped if fused is True or (fused == "auto" and r >= FUSED_FROM) else conv
        rows += _style_layer(f"synthesis.b{r}.layer0", f"synthesis/{r}x{r}/Conv0_up", 2 * i, up)
        rows += _style_layer(f"synthesis.b{r}.layer1", f"synthesis/{r}x{r}/Conv1", 2 * i + 1, conv)
    for i, r in enumerate(sizes):
        rows += layer(f"synthesis.b{r}.torgb", f"synthesis/ToRGB_lod{levels - i}", conv)
    mapping, mapping_rows = _mapping(source, "mapping/LabelConcat/weight")
    if mapping["c_dim"]:
        mapping_rows.append(("mapping.embed.weight", "mapping/LabelConcat/weight", dense))
    names = {"use_pixel_norm": "use_pixel_norm", "use_instance_norm": "use_instance_norm", "blur_filter": "blur_filter"}
    settings = {
        **mapping,
        "img_resolution": sizes[-1],
        "img_channels": shapes["synthesis/ToRGB_lod0/bias", 0],
        **widths({r: shapes[f"synthesis/{r}x{r}/Conv1/bias", 0] for r in sizes[1:]} | {4: _constant_width(shapes)}),
        **given_arguments(source, names),
    }
    blur = settings.get("blur_filter", (1, 2, 1))
    taps = {"torgb.resample_filter": (1,), "box": (1, 1), **({"blur": blur} if blur is not None else {})}
    return built(stylegan1.Generator, settings, translated(v, rows + mapping_rows), taps)


def _style_layer(name: str, variable: str, noise: int, weight: Callable[[Tensor], Tensor] | None) -> list[Row]:
    """Return the rows of one layer of StyleGAN; the learned constant has no `weight`."""
    return [
        *([(f"{name}.weight", f"{variable}/weight", weight)] if weight is not None else []),
        (f"{name}.bias", f"{variable}/bias", same),
        (f"{name}.noise_strength", f"{variable}/Noise/weight", same),
        (f"{name}.noise_const", f"synthesis/noise{noise}", image),
        *layer(f"{name}.affine", f"{variable}/StyleMod", dense),
    ]


def _stylegan2(source: Network) -> FamilyGenerator:
    """Return a skip, resnet or plain generator; growing ones, configs B to D, are plain once they are grown."""
    require_lrelu(source, "mapping_nonlinearity")
    require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    if "mapping/LabelConcat/weight" in v:
        raise CheckpointError(
            "holds a StyleGAN2 for TensorFlow with labels, which it normalizes together with z; "
            "this library has the labels of StyleGAN2-ADA"
        )
    sizes = block_sizes(v, r"synthesis/(\d{1,5})x\d+/Conv1/weight")
    last, grows = sizes[-1], "synthesis/ToRGB_lod0/weight" in v
    _require_grown(source, grows)
    use_noise = "synthesis/4x4/Conv/noise_strength" in v
    rows: list[Row] = [("synthesis.b4.const", "synthesis/4x4/Const/const", constant)]
    for r in sizes:
        block, layers = f"synthesis/{r}x{r}", 2 * int(math.log2(r)) - 5
        if r > 4:
            rows += _modulated_layer(f"synthesis.b{r}.conv0", f"{block}/Conv0_up", layers, flipped, use_noise)
        conv1 = f"{block}/Conv1" if r > 4 else f"{block}/Conv"
        rows += _modulated_layer(f"synthesis.b{r}.conv1", conv1, layers + 1, conv, use_noise)
        if f"{block}/Skip/weight" in v:
            rows.append((f"synthesis.b{r}.skip.weight", f"{block}/Skip/weight", flipped))
        rgb = "synthesis/ToRGB_lod0" if grows and r == last else f"{block}/ToRGB"
        if f"{rgb}/weight" in v:
            rows += layer(f"synthesis.b{r}.torgb", rgb, conv) + _affine(f"synthesis.b{r}.torgb", rgb)
    mapping, mapping_rows = _mapping(source, "mapping/LabelEmbed/weight")
    if mapping["c_dim"]:
        mapping["embed_features"] = shapes["mapping/LabelEmbed/weight", 1]
        mapping_rows += layer("mapping.embed", "mapping/LabelEmbed", dense)
    plain = "resnet" if f"synthesis/{last}x{last}/Skip/weight" in v else "orig"
    names = {
        "num_fp16_res": "num_fp16_res",
        "conv_clamp": "conv_clamp",
        "nonlinearity": "activation",
        "resample_kernel": "resample_filter",
    }
    toRGB = "synthesis/ToRGB_lod0/bias" if grows else f"synthesis/{last}x{last}/ToRGB/bias"
    settings = {
        **mapping,
        "img_resolution": last,
        "img_channels": shapes[toRGB, 0],
        **widths({r: shapes[f"synthesis/{r}x{r}/Conv1/bias", 0] for r in sizes[1:]} | {4: _constant_width(shapes)}),
        "architecture": "skip" if "synthesis/4x4/ToRGB/weight" in v else plain,
        "use_noise": use_noise,
        **given_arguments(source, names),
    }
    taps = {"resample_filter": settings.get("resample_filter", (1, 3, 3, 1))}
    return built(stylegan2.Generator, settings, translated(v, rows + mapping_rows), taps)


def _modulated_layer(
    name: str, variable: str, noise: int, weight: Callable[[Tensor], Tensor], use_noise: bool
) -> list[Row]:
    rows = layer(name, variable, weight) + _affine(name, variable)
    if use_noise:
        rows.append((f"{name}.noise_strength", f"{variable}/noise_strength", same))
        rows.append((f"{name}.noise_const", f"synthesis/noise{noise}", image))
    return rows


def _affine(name: str, variable: str) -> list[Row]:
    return [
        (f"{name}.affine.weight", f"{variable}/mod_weight", dense),
        (f"{name}.affine.bias", f"{variable}/mod_bias", plus_one),
    ]


def _mapping(source: Network, label: str) -> tuple[dict[str, Any], list[Row]]:
    """Return settings and rows of a mapping network, without those of the embedding of its `label`."""
    v, shapes = source.variables, Shapes(source.variables)
    layers = shapes.layers(r"mapping/Dense(\d{1,7})/weight$")
    c_dim, embed = (shapes[label, 0], shapes[label, 1]) if label in v else (0, 0)
    beta = source.arguments.get("dlatent_avg_beta", source.arguments.get("w_avg_beta", 0.995))
    settings = {
        "z_dim": shapes["mapping/Dense0/weight", 0] - embed,
        "c_dim": c_dim,
        "w_dim": shapes[f"mapping/Dense{layers - 1}/weight", 1],
        "mapping_layers": layers,
        **({"layer_features": shapes["mapping/Dense0/weight", 1]} if layers > 1 else {}),
        "lr_multiplier": number(source.arguments.get("mapping_lrmul"), 0.01),
        "w_avg_beta": 1.0 if beta is None else number(beta, 0.995),
    }
    rows: list[Row] = [("mapping.w_avg", "dlatent_avg", same)]
    for i in range(min(layers, 1000)):
        rows += layer(f"mapping.fc{i}", f"mapping/Dense{i}", dense)
    return settings, rows


def _constant_width(shapes: Shapes) -> int:
    return shapes["synthesis/4x4/Const/const", 1]


def _require_grown(source: Network, grows: bool) -> None:
    """Raises: CheckpointError for a StyleGAN2 of the configs B to D that was still growing."""
    if grows and source.lod != 0:
        raise CheckpointError(
            f"is a snapshot of a growing StyleGAN2 at level of detail {source.lod:g}; this library has it fully grown "
            "alone, at 0"
        )


# Discriminators


def _growing_discriminator(source: Network, kind: str) -> FamilyDiscriminator:
    """Return a discriminator of ProGAN or StyleGAN."""
    require_lrelu(source, "nonlinearity")
    v, shapes = source.variables, Shapes(source.variables)
    sizes = block_sizes(v, r"(\d{1,5})x\d+/Conv0/weight")
    levels = len(sizes) - 1
    rows: list[Row] = [("lod", "lod", same)]
    for i, r in enumerate(sizes):
        rows += layer(f"b{r}.fromrgb", f"FromRGB_lod{levels - i}", conv)
    for r in sizes[1:]:
        rows += layer(f"b{r}.conv0", f"{r}x{r}/Conv0", conv)
        rows += layer(f"b{r}.conv1", f"{r}x{r}/Conv1_down", conv)
    rows += layer("b4.conv", "4x4/Conv", conv)
    rows += layer("b4.fc", "4x4/Dense0", dense) + layer("b4.out", "4x4/Dense1", dense)
    outputs = shapes["4x4/Dense1/bias", 0]
    stated = number(source.arguments.get("label_size"), outputs if outputs > 1 else 0)
    labels = outputs - 1 if kind == "progan" else stated
    taps: dict[str, Any] = {"resample_filter": (1, 1)}
    settings: dict[str, Any] = {"c_dim": labels, **_sizes_of_discriminator(shapes, sizes, "FromRGB_lod0")}
    settings |= given_arguments(source, {"mbstd_group_size": "mbstd_group_size"})
    if kind == "progan":
        return built(progan.Discriminator, settings, translated(v, rows), taps)
    settings |= given_arguments(source, {"blur_filter": "blur_filter"})
    blur = settings.get("blur_filter", (1, 2, 1))
    taps |= {"blur": blur} if blur is not None else {}
    return built(stylegan1.Discriminator, settings, translated(v, rows), taps)


def _stylegan2_discriminator(source: Network) -> FamilyDiscriminator:
    """Return a discriminator of StyleGAN2 or StyleGAN2-ADA; growing ones, configs B to D, are plain once grown."""
    v, shapes = source.variables, Shapes(source.variables)
    sizes = block_sizes(v, r"(\d{1,5})x\d+/Conv0/weight")
    last, grows = sizes[-1], "FromRGB_lod0/weight" in v
    _require_grown(source, grows)
    rows: list[Row] = []
    for r in sizes:
        rgb = "FromRGB_lod0" if grows and r == last else f"{r}x{r}/FromRGB"
        rows += layer(f"b{r}.fromrgb", rgb, conv) if f"{rgb}/weight" in v else []
        if r > 4:
            rows += layer(f"b{r}.conv0", f"{r}x{r}/Conv0", conv)
            rows += layer(f"b{r}.conv1", f"{r}x{r}/Conv1_down", conv)
        if f"{r}x{r}/Skip/weight" in v:
            rows.append((f"b{r}.skip.weight", f"{r}x{r}/Skip/weight", conv))
    rows += layer("b4.conv", "4x4/Conv", conv)
    rows += layer("b4.fc", "4x4/Dense0", dense) + layer("b4.out", "Output", dense)
    plain = "resnet" if f"{last}x{last}/Skip/weight" in v else "orig"
    names = {
        "num_fp16_res": "num_fp16_res",
        "conv_clamp": "conv_clamp",
        "nonlinearity": "activation",
        "resample_kernel": "resample_filter",
        "mbstd_group_size": "mbstd_group_size",
        "freeze_layers": "freeze_layers",
    }
    settings = {
        "architecture": "skip" if "4x4/FromRGB/weight" in v else plain,
        "mbstd_group_size": None if source.version == 5 else 4,
        **_sizes_of_discriminator(shapes, sizes, "FromRGB_lod0" if grows else f"{last}x{last}/FromRGB"),
        **given_arguments(source, names),
    }
    if "LabelEmbed/weight" in v:
        require_lrelu(source, "mapping_nonlinearity")
        layers = shapes.layers(r"Mapping(\d{1,7})/weight$")
        settings |= {
            "c_dim": shapes["LabelEmbed/weight", 0],
            "cmap_dim": shapes["Output/bias", 0],
            "mapping_layers": layers,
            "lr_multiplier": number(source.arguments.get("mapping_lrmul"), 0.1),
        }
        rows += layer("mapping.embed", "LabelEmbed", dense)
        for i in range(min(layers, 1000)):
            rows += layer(f"mapping.fc{i}", f"Mapping{i}", dense)
    taps = {"resample_filter": settings.get("resample_filter", (1, 3, 3, 1))}
    return built(stylegan2.Discriminator, settings, translated(v, rows), taps)


def _sizes_of_discriminator(shapes: Shapes, sizes: list[int], fromrgb: str) -> dict[str, Any]:
    """Return the settings of a discriminator that its shapes show."""
    channels = {r: shapes[f"{r}x{r}/Conv0/bias", 0] for r in sizes[1:]} | {4: shapes["4x4/Conv/bias", 0]}
    return {
        "img_resolution": sizes[-1],
        "img_channels": shapes[f"{fromrgb}/weight", 2],
        **widths(channels),
        "mbstd_num_channels": shapes["4x4/Conv/weight", 2] - channels[4],
    }
