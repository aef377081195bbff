"""Checkpoints of NVIDIA's TensorFlow code: the .pkl files of ProGAN, StyleGAN, StyleGAN2 and StyleGAN2-ADA.

A file holds G, D and the averaged generator Gs. Each is a record with its variables by name and the few arguments that
the training script passed; widths and depths follow from the shapes of the variables. TensorFlow stores [in, out] and
[kh, kw, in, out], and enlarging convolutions, where they are fused with the enlargement, as true convolutions.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.nvidia import LICENCE
from stylegan.checkpoints.official_names import Shapes
from stylegan.checkpoints.pickle_vm import Record
from stylegan.checkpoints.rebuild import empty, fill, shown
from stylegan.checkpoints.substitutes import missing_filters, widths
from stylegan.errors import CheckpointError
from stylegan.networks import progan, stylegan1, stylegan2
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.settings import OneOf, Whole

CREATIVE_COMMONS = "CC BY-NC 4.0 (non-commercial)"  # of the networks of ProGAN and StyleGAN
FUSED_FROM = 128  # StyleGAN fuses the enlargement with the convolution from this resolution on
# Arguments with which a discriminator computes something that no layer of this library does.
_OTHER_DISCRIMINATORS = ("use_spectral_norm", "use_pagan", "adaptive_dropout")
_VERSIONS = {2: "ProGAN", 3: "StyleGAN", 4: "StyleGAN2", 5: "StyleGAN2-ADA"}

Tensors = dict[str, Tensor]


class Network:
    """One network of a file: variables as float32 tensors by their full names, arguments, name of its build function.

    Raises: CheckpointError if the record is not such a network.
    """

    def __init__(self, record: Record):
        state = record.state if isinstance(record.state, dict) else {}
        if "version" not in state and "param_values" in state:
            raise CheckpointError(
                "is a ProGAN of the Theano version, whose layout differs; use the .pkl of its TensorFlow version"
            )
        self.version: Any = state.get("version")
        if not Whole(min(_VERSIONS), max(_VERSIONS)).admits(self.version):
            raise CheckpointError(
                f"holds a TensorFlow network of version {shown(self.version)}; versions 2 to 5 are known"
            )
        arguments = state.get("static_kwargs")
        self.arguments: dict[str, Any] = dict(arguments) if isinstance(arguments, dict) else {}
        self.build = str(state.get("build_func_name", "")).rpartition(".")[2][:100]
        self.variables: Tensors = {}
        self._add(state, "")
        parts = state.get("components")
        for key, part in parts.items() if isinstance(parts, dict) else ():
            if isinstance(part, Record) and isinstance(part.state, dict):
                self._add(part.state, f"{key}/")
        if "lod" in self.variables and "synthesis/lod" in self.variables:
            del self.variables["synthesis/lod"]  # that of the whole generator counts

    def _add(self, state: Mapping[str, Any], prefix: str) -> None:
        variables = state.get("variables")
        for pair in variables if isinstance(variables, list | tuple) else ():
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise CheckpointError("holds a TensorFlow network whose variables are not pairs of name and value")
            name, value = str(pair[0]), np.asarray(pair[1])
            if value.dtype.kind != "f":
                raise CheckpointError(f"holds a variable {name:.100} that is not a number of floating point")
            self.variables[prefix + name] = torch.from_numpy(np.array(value, np.float32))

    @property
    def lod(self) -> float:
        """The level of detail; 0 where nothing grows."""
        value = self.variables.get("lod", torch.zeros([]))
        return float(value) if value.numel() == 1 else 0.0


def read(content: Sequence[Record], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of an unpickled file, (G, D, Gs).

    Args:
        to_draw: read the averaged generator alone.
    Raises: CheckpointError for networks that this library does not have, or whose variables do not fit together.
    """
    averaged = Network(content[2])
    kind = _kind(averaged)
    networks: dict[str, Any] = {"G_ema": generator(averaged)}
    if not to_draw:
        networks["G"] = generator(Network(content[0]))
        D = Network(content[1])
        if (reason := _not_ours(D, kind)) is None:
            networks["D"] = discriminator(D, kind)
        else:
            warnings.warn(f"the discriminator of the file is left out: {reason}.", RuntimeWarning, stacklevel=2)
    free = kind in ("progan", "stylegan1") and averaged.version in (2, 3)
    return Checkpoint(
        **networks,
        origin=f"a file of NVIDIA's {_VERSIONS[averaged.version]} for TensorFlow",
        licence=CREATIVE_COMMONS if free else LICENCE,
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
        if _number(D.arguments.get(name), 0) or D.arguments.get(name) is True:
            return f"it was trained with {name}, which this library does not have"
    if _number(D.arguments.get("score_max"), 1) > 1:
        return "it was trained with a score_max above 1, which this library does not have"
    if kind == "stylegan2" and "LabelEmbed/weight" not in D.variables:
        outputs = D.variables.get("Output/bias", torch.zeros(1)).numel()
        if outputs > 1:
            return "it has one output for each label, which this library has in StyleGAN alone"
    return None


# Transforms of variables, in the notation [shape of TensorFlow] -> [shape of PyTorch]


def dense(value: Tensor) -> Tensor:
    """[in, out] -> [out, in]"""
    return _axes(value, 2).T


def conv(value: Tensor) -> Tensor:
    """[kh, kw, in, out] -> [out, in, kh, kw]"""
    return _axes(value, 4).permute(3, 2, 0, 1)


def flipped(value: Tensor) -> Tensor:
    """Turn a true convolution into a correlation, or back: [kh, kw, in, out] -> [out, in, kh, kw]"""
    return conv(value).flip(2, 3)


def same(value: Tensor) -> Tensor:
    return value


def plus_one(value: Tensor) -> Tensor:
    """TensorFlow adds the 1 of a modulation at run time."""
    return value + 1


def image(value: Tensor) -> Tensor:
    """[1, 1, h, w] -> [h, w]"""
    return _axes(value, 4)[0, 0]


def constant(value: Tensor) -> Tensor:
    """[1, C, 4, 4] -> [C, 4, 4]"""
    return _axes(value, 4)[0]


def _axes(value: Tensor, expected: int) -> Tensor:
    if value.ndim != expected or value.numel() == 0:
        raise CheckpointError(f"holds a variable of shape {list(value.shape)[:9]}, {expected} axes are expected")
    return value


Row = tuple[str, str, Callable[[Tensor], Tensor]]  # name here, variable, transform


def _translated(variables: Tensors, rows: Sequence[Row]) -> Tensors:
    """Return the variables that the rows name, by their new names. Raises: CheckpointError if one is missing."""
    for _, variable, _ in rows:
        if variable not in variables:
            raise CheckpointError(f"holds a TensorFlow network without the variable {variable}")
    return {name: transform(variables[variable]) for name, variable, transform in rows}


def _sizes(variables: Tensors, pattern: str) -> list[int]:
    """Return the resolutions with such a variable and 4, from 4 on. Raises: CheckpointError unless they double."""
    found = {int(m[1]) for m in (re.match(rf"{pattern}$", name) for name in variables) if m}
    sizes = sorted(found | {4})
    if sizes != [4 << i for i in range(len(sizes))]:
        raise CheckpointError(f"holds blocks of resolutions {sizes[:20]}, 4, 8, 16 and so on are expected")
    return sizes


def _layer(name: str, variable: str, weight: Callable[[Tensor], Tensor]) -> list[Row]:
    return [(f"{name}.weight", f"{variable}/weight", weight), (f"{name}.bias", f"{variable}/bias", same)]


def _built(network_class: Any, settings: dict[str, Any], tensors: Tensors, taps: Mapping[str, Any]) -> Any:
    """Return a network with its tensors, and the filters that TensorFlow does not store."""
    try:
        network = empty(network_class, settings)
        tensors |= missing_filters(network, tensors, taps)
        return fill(network, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"holds a TensorFlow network whose variables do not fit together: {error}") from error


def _number(value: Any, default: float) -> Any:
    return value if isinstance(value, int | float | np.number) and not isinstance(value, bool) else default


def _given(source: Network, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the training script under the names of this library, numpy's numbers as Python's."""
    given = {ours: source.arguments[theirs] for theirs, ours in names.items() if theirs in source.arguments}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}


def _require_lrelu(source: Network, *names: str) -> None:
    for name in names:
        activation = source.arguments.get(name, "lrelu")
        if not OneOf(("lrelu", "leaky_relu")).admits(activation):
            raise CheckpointError(f"holds a network with {name} {shown(activation)}, leaky ReLU is expected")


def _require_normalized(source: Network) -> None:
    if source.arguments.get("normalize_latents", True) is not True:
        raise CheckpointError("holds a generator that does not normalize its latents, as those of this library do")


# Generators


def _progan(source: Network) -> FamilyGenerator:
    _require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    sizes = _sizes(v, r"(\d{1,5})x\d+/Conv1/weight")
    levels = len(sizes) - 1
    # The first version stores the two channel axes of enlarging convolutions the other way round.
    up: Callable[[Tensor], Tensor] = (
        (lambda w: flipped(_axes(w, 4).transpose(2, 3))) if source.version == 2 else flipped
    )
    rows: list[Row] = [
        ("synthesis.lod", "lod", same),
        ("synthesis.b4.dense", "4x4/Dense/weight", dense),
        ("synthesis.b4.layer0.bias", "4x4/Dense/bias", same),
        *_layer("synthesis.b4.layer1", "4x4/Conv", conv),
    ]
    for r in sizes[1:]:
        rows += _layer(f"synthesis.b{r}.layer0", f"{r}x{r}/Conv0_up", up)
        rows += _layer(f"synthesis.b{r}.layer1", f"{r}x{r}/Conv1", conv)
    for i, r in enumerate(sizes):
        rows += _layer(f"synthesis.b{r}.torgb", f"ToRGB_lod{levels - i}", conv)
    channels = {r: shapes[f"{r}x{r}/Conv1/bias", 0] for r in sizes[1:]} | {4: shapes["4x4/Conv/bias", 0]}
    c_dim = _number(source.arguments.get("label_size"), 0)
    settings = {
        "z_dim": shapes["4x4/Dense/weight", 0] - c_dim,
        "c_dim": c_dim,
        "img_resolution": sizes[-1],
        "img_channels": shapes["ToRGB_lod0/bias", 0],
        **widths(channels),
    }
    return _built(progan.Generator, settings, _translated(v, rows), {"torgb.resample_filter": (1,), "box": (1, 1)})


def _stylegan1(source: Network) -> FamilyGenerator:
    _require_lrelu(source, "nonlinearity", "mapping_nonlinearity")
    _require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    sizes = _sizes(v, r"synthesis/(\d{1,5})x\d+/Conv1/weight")
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
        rows += _layer(f"synthesis.b{r}.torgb", f"synthesis/ToRGB_lod{levels - i}", conv)
    mapping, mapping_rows = _mapping(source, "mapping/LabelConcat/weight")
    if mapping["c_dim"]:
        mapping_rows.append(("mapping.embed.weight", "mapping/LabelConcat/weight", dense))
    names = {"use_pixel_norm": "use_pixel_norm", "use_instance_norm": "use_instance_norm", "blur_filter": "blur_filter"}
    settings = {
        **mapping,
        "img_resolution": sizes[-1],
        "img_channels": shapes["synthesis/ToRGB_lod0/bias", 0],
        **widths({r: shapes[f"synthesis/{r}x{r}/Conv1/bias", 0] for r in sizes[1:]} | {4: _constant_width(shapes)}),
        **_given(source, names),
    }
    blur = settings.get("blur_filter", (1, 2, 1))
    taps = {"torgb.resample_filter": (1,), "box": (1, 1), **({"blur": blur} if blur is not None else {})}
    return _built(stylegan1.Generator, settings, _translated(v, rows + mapping_rows), taps)


def _style_layer(name: str, variable: str, noise: int, weight: Callable[[Tensor], Tensor] | None) -> list[Row]:
    """Return the rows of one layer of StyleGAN; the learned constant has no `weight`."""
    return [
        *([(f"{name}.weight", f"{variable}/weight", weight)] if weight is not None else []),
        (f"{name}.bias", f"{variable}/bias", same),
        (f"{name}.noise_strength", f"{variable}/Noise/weight", same),
        (f"{name}.noise_const", f"synthesis/noise{noise}", image),
        *_layer(f"{name}.affine", f"{variable}/StyleMod", dense),
    ]


def _stylegan2(source: Network) -> FamilyGenerator:
    """Return a skip, resnet or plain generator; growing ones, configs B to D, are plain once they are grown."""
    _require_lrelu(source, "mapping_nonlinearity")
    _require_normalized(source)
    v, shapes = source.variables, Shapes(source.variables)
    if "mapping/LabelConcat/weight" in v:
        raise CheckpointError(
            "holds a StyleGAN2 for TensorFlow with labels, which it normalizes together with z; "
            "this library has the labels of StyleGAN2-ADA"
        )
    sizes = _sizes(v, r"synthesis/(\d{1,5})x\d+/Conv1/weight")
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
            rows += _layer(f"synthesis.b{r}.torgb", rgb, conv) + _affine(f"synthesis.b{r}.torgb", rgb)
    mapping, mapping_rows = _mapping(source, "mapping/LabelEmbed/weight")
    if mapping["c_dim"]:
        mapping["embed_features"] = shapes["mapping/LabelEmbed/weight", 1]
        mapping_rows += _layer("mapping.embed", "mapping/LabelEmbed", dense)
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
        **_given(source, names),
    }
    taps = {"resample_filter": settings.get("resample_filter", (1, 3, 3, 1))}
    return _built(stylegan2.Generator, settings, _translated(v, rows + mapping_rows), taps)


def _modulated_layer(
    name: str, variable: str, noise: int, weight: Callable[[Tensor], Tensor], use_noise: bool
) -> list[Row]:
    rows = _layer(name, variable, weight) + _affine(name, variable)
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
        "lr_multiplier": _number(source.arguments.get("mapping_lrmul"), 0.01),
        "w_avg_beta": 1.0 if beta is None else _number(beta, 0.995),
    }
    rows: list[Row] = [("mapping.w_avg", "dlatent_avg", same)]
    for i in range(min(layers, 1000)):
        rows += _layer(f"mapping.fc{i}", f"mapping/Dense{i}", dense)
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
    _require_lrelu(source, "nonlinearity")
    v, shapes = source.variables, Shapes(source.variables)
    sizes = _sizes(v, r"(\d{1,5})x\d+/Conv0/weight")
    levels = len(sizes) - 1
    rows: list[Row] = [("lod", "lod", same)]
    for i, r in enumerate(sizes):
        rows += _layer(f"b{r}.fromrgb", f"FromRGB_lod{levels - i}", conv)
    for r in sizes[1:]:
        rows += _layer(f"b{r}.conv0", f"{r}x{r}/Conv0", conv)
        rows += _layer(f"b{r}.conv1", f"{r}x{r}/Conv1_down", conv)
    rows += _layer("b4.conv", "4x4/Conv", conv)
    rows += _layer("b4.fc", "4x4/Dense0", dense) + _layer("b4.out", "4x4/Dense1", dense)
    outputs = shapes["4x4/Dense1/bias", 0]
    stated = _number(source.arguments.get("label_size"), outputs if outputs > 1 else 0)
    labels = outputs - 1 if kind == "progan" else stated
    taps: dict[str, Any] = {"resample_filter": (1, 1)}
    settings: dict[str, Any] = {"c_dim": labels, **_sizes_of_discriminator(shapes, sizes, "FromRGB_lod0")}
    settings |= _given(source, {"mbstd_group_size": "mbstd_group_size"})
    if kind == "progan":
        return _built(progan.Discriminator, settings, _translated(v, rows), taps)
    settings |= _given(source, {"blur_filter": "blur_filter"})
    blur = settings.get("blur_filter", (1, 2, 1))
    taps |= {"blur": blur} if blur is not None else {}
    return _built(stylegan1.Discriminator, settings, _translated(v, rows), taps)


def _stylegan2_discriminator(source: Network) -> FamilyDiscriminator:
    """Return a discriminator of StyleGAN2 or StyleGAN2-ADA; growing ones, configs B to D, are plain once grown."""
    v, shapes = source.variables, Shapes(source.variables)
    sizes = _sizes(v, r"(\d{1,5})x\d+/Conv0/weight")
    last, grows = sizes[-1], "FromRGB_lod0/weight" in v
    _require_grown(source, grows)
    rows: list[Row] = []
    for r in sizes:
        rgb = "FromRGB_lod0" if grows and r == last else f"{r}x{r}/FromRGB"
        rows += _layer(f"b{r}.fromrgb", rgb, conv) if f"{rgb}/weight" in v else []
        if r > 4:
            rows += _layer(f"b{r}.conv0", f"{r}x{r}/Conv0", conv)
            rows += _layer(f"b{r}.conv1", f"{r}x{r}/Conv1_down", conv)
        if f"{r}x{r}/Skip/weight" in v:
            rows.append((f"b{r}.skip.weight", f"{r}x{r}/Skip/weight", conv))
    rows += _layer("b4.conv", "4x4/Conv", conv)
    rows += _layer("b4.fc", "4x4/Dense0", dense) + _layer("b4.out", "Output", dense)
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
        **_given(source, names),
    }
    if "LabelEmbed/weight" in v:
        _require_lrelu(source, "mapping_nonlinearity")
        layers = shapes.layers(r"Mapping(\d{1,7})/weight$")
        settings |= {
            "c_dim": shapes["LabelEmbed/weight", 0],
            "cmap_dim": shapes["Output/bias", 0],
            "mapping_layers": layers,
            "lr_multiplier": _number(source.arguments.get("mapping_lrmul"), 0.1),
        }
        rows += _layer("mapping.embed", "LabelEmbed", dense)
        for i in range(min(layers, 1000)):
            rows += _layer(f"mapping.fc{i}", f"Mapping{i}", dense)
    taps = {"resample_filter": settings.get("resample_filter", (1, 3, 3, 1))}
    return _built(stylegan2.Discriminator, settings, _translated(v, rows), taps)


def _sizes_of_discriminator(shapes: Shapes, sizes: list[int], fromrgb: str) -> dict[str, Any]:
    """Return the settings of a discriminator that its shapes show."""
    channels = {r: shapes[f"{r}x{r}/Conv0/bias", 0] for r in sizes[1:]} | {4: shapes["4x4/Conv/bias", 0]}
    return {
        "img_resolution": sizes[-1],
        "img_channels": shapes[f"{fromrgb}/weight", 2],
        **widths(channels),
        "mbstd_num_channels": shapes["4x4/Conv/weight", 2] - channels[4],
    }
