"""Our networks written as files of other programs.

Each function states by itself how a program names and stores a tensor, so that the readers of the library are tested
against a second description.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from foreign_pickles import EasyDict, Network, Persistent, dumps, module_state
from torch import Tensor, nn

from stylegan.networks import progan, stylegan1, stylegan2, stylegan3

Variables = dict[str, np.ndarray]


# ---- NVIDIA's PyTorch code


def official_generator(G: nn.Module, *, nested: bool = True, **extra: Any) -> Persistent:
    """Return a generator of StyleGAN2, with `synthesis_kwargs` (ADA) or flat arguments, or of StyleGAN3 (flat)."""
    s = G.settings
    mapping = EasyDict(num_layers=s.mapping_layers)
    alias_free = isinstance(G, stylegan3.Generator)
    names = ["channel_base", "channel_max", "num_fp16_res", "conv_clamp"]
    names += ["magnitude_ema_beta", "conv_kernel", "use_radial_filters"] if alias_free else ["architecture"]
    names += ["num_layers"] if alias_free else []
    synthesis = EasyDict((name, getattr(s, name)) for name in names)
    if alias_free:
        synthesis["magnitude_ema_beta"] = np.float64(s.magnitude_ema_beta)
        synthesis["use_radial_filters"] = np.bool_(s.use_radial_filters)
    kwargs = {"z_dim": s.z_dim, "c_dim": s.c_dim, "w_dim": s.w_dim, "mapping_kwargs": mapping}
    kwargs |= {"img_resolution": s.img_resolution, "img_channels": s.img_channels}
    kwargs |= {"synthesis_kwargs": synthesis} if nested and not alias_free else synthesis
    attributes = {"z_dim": s.z_dim, "in_size": np.array([4, 4]), "act_gain": np.float64(1.4)}
    return Persistent("Generator", module_state(G, attributes, kwargs | extra))


def official_discriminator(D: nn.Module, **extra: Any) -> Persistent:
    """Return a discriminator of StyleGAN2."""
    s = D.settings
    names = ("c_dim", "img_resolution", "img_channels", "architecture")
    names += ("channel_base", "channel_max", "num_fp16_res", "conv_clamp")
    kwargs = {name: getattr(s, name) for name in names}
    kwargs["block_kwargs"] = EasyDict(freeze_layers=s.freeze_layers)
    kwargs["epilogue_kwargs"] = EasyDict(mbstd_group_size=s.mbstd_group_size)
    kwargs["mapping_kwargs"] = EasyDict(num_layers=s.mapping_layers) if s.c_dim else EasyDict()
    return Persistent("Discriminator", module_state(D, {"epochs": 20000.0}, kwargs | extra))


def augment_pipe(p: float) -> Persistent:
    """Return the augmentation of a snapshot."""
    module = nn.Module()
    module.register_buffer("p", torch.tensor(p))
    module.register_buffer("Hz_geom", torch.ones(12))
    return Persistent("AugmentPipe", module_state(module, {"xflip": 1}))


def old_numpy(data: bytes) -> bytes:
    """Return a pickle of protocol 2 or 3 with the module names of NumPy 1."""
    return data.replace(b"numpy._core", b"numpy.core")


# ---- NVIDIA's TensorFlow code


def tensorflow_file(G: nn.Module, D: nn.Module, *, version: int, protocol: int = 3, **options: Any) -> bytes:
    """Return a file with (G, D, Gs) of ProGAN, StyleGAN, StyleGAN2 or StyleGAN2-ADA; see `tensorflow_networks`."""
    data = old_numpy(dumps(tensorflow_networks(G, D, version=version, **options), protocol))
    return data.replace(b"cdnnlib.tflib.network\n", b"ctfutil\n") if version == 2 else data


def tensorflow_networks(
    G: nn.Module,
    D: nn.Module,
    *,
    version: int,
    kwargs: dict[str, Any] | None = None,
    judged: dict[str, Any] | None = None,
    grown_from: float | None = None,
) -> tuple[Network, Network, Network]:
    """Return (G, D, Gs).

    Args:
        version: 2 for ProGAN, 3 for StyleGAN, 4 for StyleGAN2, 5 for StyleGAN2-ADA.
        kwargs, judged: what the training script passed to G and D; default of D: the same.
        grown_from: the level of detail of a growing StyleGAN2, configs B to D.
    """
    write, judge = {
        progan.Generator: (_progan_variables, _growing_discriminator_variables),
        stylegan1.Generator: (_stylegan1_variables, _growing_discriminator_variables),
        stylegan2.Generator: (_stylegan2_variables, _stylegan2_discriminator_variables),
    }[type(G)]
    passed = EasyDict(kwargs or {})
    variables = write(G, version=version, grown_from=grown_from)
    first = _network("G", version, "training.networks.G_main", passed, variables)
    passed = EasyDict(passed if judged is None else judged)
    second = _network("D", version, "training.networks.D_main", passed, judge(D, grown_from=grown_from))
    return first, second, first


def _network(name: str, version: int, build: str, kwargs: dict, variables: Variables) -> Network:
    """Return a network; variables of "synthesis/" and "mapping/" become those of its components."""
    network = Network()
    parts = {}
    for part in ("synthesis", "mapping"):
        own = {key.removeprefix(f"{part}/"): value for key, value in variables.items() if key.startswith(f"{part}/")}
        if own:
            parts[part] = _network(f"{name}_{part}", version, f"{build}_{part}", kwargs, own)
    own = {key: value for key, value in variables.items() if key.partition("/")[0] not in parts}
    state = {"version": version, "name": name, "static_kwargs": kwargs, "components": parts}
    state |= {"build_module_src": "raise SystemExit\n", "build_func_name": build}
    # Variables without axes are scalars of numpy.
    state["variables"] = [(key, value if value.ndim else value[()]) for key, value in own.items()]
    network.__dict__.update(state)
    return network


def _arrays(network: nn.Module) -> Variables:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def _hwio(w: np.ndarray) -> np.ndarray:
    """[out, in, kh, kw] -> [kh, kw, in, out]"""
    return np.ascontiguousarray(w.transpose(2, 3, 1, 0))


def _mirrored(w: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(_hwio(w)[::-1, ::-1])


def _growing_discriminator_variables(D: nn.Module, grown_from: float | None = None) -> Variables:
    a, size = _arrays(D), D.img_resolution
    v = {"lod": a["lod"]}
    for j, r in enumerate(D.block_resolutions):
        v[f"FromRGB_lod{j}/weight"] = _hwio(a[f"b{r}.fromrgb.weight"])
        v[f"FromRGB_lod{j}/bias"] = a[f"b{r}.fromrgb.bias"]
        for ours, theirs in (("conv0", "Conv0"), ("conv1", "Conv1_down")) if r > 4 else (("conv", "Conv"),):
            v[f"{r}x{r}/{theirs}/weight"] = _hwio(a[f"b{r}.{ours}.weight"])
            v[f"{r}x{r}/{theirs}/bias"] = a[f"b{r}.{ours}.bias"]
    for ours, theirs in (("fc", "Dense0"), ("out", "Dense1")):
        v[f"4x4/{theirs}/weight"] = np.ascontiguousarray(a[f"b4.{ours}.weight"].T)
        v[f"4x4/{theirs}/bias"] = a[f"b4.{ours}.bias"]
    assert size == D.block_resolutions[0]
    return v


def _progan_variables(G: nn.Module, version: int, grown_from: float | None = None) -> Variables:
    a, sizes = _arrays(G), G.synthesis.block_resolutions
    v = {"lod": a["synthesis.lod"]}
    v["4x4/Dense/weight"] = np.ascontiguousarray(a["synthesis.b4.dense"].T)
    v["4x4/Dense/bias"] = a["synthesis.b4.layer0.bias"]
    for j, r in enumerate(sizes[::-1]):
        v[f"ToRGB_lod{j}/weight"] = _hwio(a[f"synthesis.b{r}.torgb.weight"])
        v[f"ToRGB_lod{j}/bias"] = a[f"synthesis.b{r}.torgb.bias"]
        layer1 = f"{r}x{r}/Conv1" if r > 4 else "4x4/Conv"
        v[f"{layer1}/weight"] = _hwio(a[f"synthesis.b{r}.layer1.weight"])
        v[f"{layer1}/bias"] = a[f"synthesis.b{r}.layer1.bias"]
        if r > 4:  # [kh, kw, out, in] in version 2
            up = _mirrored(a[f"synthesis.b{r}.layer0.weight"])
            v[f"{r}x{r}/Conv0_up/weight"] = np.ascontiguousarray(up.swapaxes(2, 3)) if version == 2 else up
            v[f"{r}x{r}/Conv0_up/bias"] = a[f"synthesis.b{r}.layer0.bias"]
    return v


def _mapping_variables(G: nn.Module, a: Variables) -> Variables:
    v = {"dlatent_avg": a["mapping.w_avg"]}
    for i in range(G.settings.mapping_layers):
        v[f"mapping/Dense{i}/weight"] = np.ascontiguousarray(a[f"mapping.fc{i}.weight"].T)
        v[f"mapping/Dense{i}/bias"] = a[f"mapping.fc{i}.bias"]
    return v


def _stylegan1_variables(G: nn.Module, version: int, grown_from: float | None = None) -> Variables:
    a, sizes = _arrays(G), G.synthesis.block_resolutions
    v = {"lod": a["synthesis.lod"], "synthesis/lod": np.float32(7) * np.ones([], np.float32)}
    v |= _mapping_variables(G, a)
    if G.c_dim:
        v["mapping/LabelConcat/weight"] = np.ascontiguousarray(a["mapping.embed.weight"].T)
    v["synthesis/4x4/Const/const"] = a["synthesis.b4.const"][None]
    for j, r in enumerate(sizes):
        scopes = ("Const", "Conv") if r == 4 else ("Conv0_up", "Conv1")
        for i, scope in enumerate(scopes):
            ours, theirs = f"synthesis.b{r}.layer{i}", f"synthesis/{r}x{r}/{scope}"
            if f"{ours}.weight" in a:
                fused = scope == "Conv0_up" and r >= 128
                v[f"{theirs}/weight"] = _mirrored(a[f"{ours}.weight"]) if fused else _hwio(a[f"{ours}.weight"])
            v[f"{theirs}/Noise/weight"], v[f"{theirs}/bias"] = a[f"{ours}.noise_strength"], a[f"{ours}.bias"]
            v[f"{theirs}/StyleMod/weight"] = np.ascontiguousarray(a[f"{ours}.affine.weight"].T)
            v[f"{theirs}/StyleMod/bias"] = a[f"{ours}.affine.bias"]
            v[f"synthesis/noise{2 * j + i}"] = a[f"{ours}.noise_const"][None, None]
        lod = len(sizes) - 1 - j
        v[f"synthesis/ToRGB_lod{lod}/weight"] = _hwio(a[f"synthesis.b{r}.torgb.weight"])
        v[f"synthesis/ToRGB_lod{lod}/bias"] = a[f"synthesis.b{r}.torgb.bias"]
    return v


def _stylegan2_variables(G: nn.Module, version: int, grown_from: float | None = None) -> Variables:
    """`grown_from`: a level of detail; the names are then those of the growing configs B to D."""
    a, sizes = _arrays(G), G.synthesis.block_resolutions
    v = _mapping_variables(G, a)
    if version == 4:
        v["lod"] = np.array(grown_from or 0, np.float32)
    if G.c_dim:
        v["mapping/LabelEmbed/weight"] = np.ascontiguousarray(a["mapping.embed.weight"].T)
        v["mapping/LabelEmbed/bias"] = a["mapping.embed.bias"]
    v["synthesis/4x4/Const/const"] = a["synthesis.b4.const"][None]
    noise = 0
    for r in sizes:
        scopes = {"conv1": "Conv"} if r == 4 else {"conv0": "Conv0_up", "conv1": "Conv1"}
        for conv, scope in scopes.items():
            ours, theirs = f"synthesis.b{r}.{conv}", f"synthesis/{r}x{r}/{scope}"
            weight = a[f"{ours}.weight"]
            v[f"{theirs}/weight"] = _mirrored(weight) if conv == "conv0" else _hwio(weight)
            v[f"{theirs}/bias"], v[f"{theirs}/noise_strength"] = a[f"{ours}.bias"], a[f"{ours}.noise_strength"]
            v[f"{theirs}/mod_weight"] = np.ascontiguousarray(a[f"{ours}.affine.weight"].T)
            v[f"{theirs}/mod_bias"] = a[f"{ours}.affine.bias"] - 1
            v[f"synthesis/noise{noise}"] = a[f"{ours}.noise_const"][None, None]
            noise += 1
        if f"synthesis.b{r}.torgb.weight" in a:
            ours = f"synthesis.b{r}.torgb"
            theirs = f"synthesis/{r}x{r}/ToRGB" if grown_from is None else "synthesis/ToRGB_lod0"
            v[f"{theirs}/weight"], v[f"{theirs}/bias"] = _hwio(a[f"{ours}.weight"]), a[f"{ours}.bias"]
            v[f"{theirs}/mod_weight"] = np.ascontiguousarray(a[f"{ours}.affine.weight"].T)
            v[f"{theirs}/mod_bias"] = a[f"{ours}.affine.bias"] - 1
        if f"synthesis.b{r}.skip.weight" in a:
            v[f"synthesis/{r}x{r}/Skip/weight"] = _hwio(a[f"synthesis.b{r}.skip.weight"])
    if grown_from is not None:  # of the lower resolutions, which a grown network does not use
        v["synthesis/ToRGB_lod1/weight"] = np.ones([1, 1, 4, 3], np.float32)
    return v


def _stylegan2_discriminator_variables(D: nn.Module, grown_from: float | None = None) -> Variables:
    a, last = _arrays(D), D.img_resolution
    v: Variables = {} if grown_from is None else {"lod": np.array(grown_from, np.float32)}
    for r in [*D.block_resolutions, 4]:
        parts = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip", "conv": "Conv"}
        for ours, theirs in parts.items():
            scope = f"{r}x{r}/{theirs}" if ours != "fromrgb" or grown_from is None else "FromRGB_lod0"
            if f"b{r}.{ours}.weight" in a:
                v[f"{scope}/weight"] = _hwio(a[f"b{r}.{ours}.weight"])
            if f"b{r}.{ours}.bias" in a:
                v[f"{scope}/bias"] = a[f"b{r}.{ours}.bias"]
    scopes = {"b4.fc": "4x4/Dense0", "b4.out": "Output", "mapping.embed": "LabelEmbed"}
    scopes |= {f"mapping.fc{i}": f"Mapping{i}" for i in range(D.settings.mapping_layers)}
    for ours, theirs in scopes.items():
        if f"{ours}.weight" in a:
            v[f"{theirs}/weight"] = np.ascontiguousarray(a[f"{ours}.weight"].T)
            v[f"{theirs}/bias"] = a[f"{ours}.bias"]
    assert last == D.block_resolutions[0]
    return v


# ---- Other libraries


def rosinality_generator(G: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of rosinality's generator."""
    a, sizes, t = G.state_dict(), G.synthesis.block_resolutions, {}
    for i in range(G.settings.mapping_layers):
        t[f"style.{i + 1}.weight"], t[f"style.{i + 1}.bias"] = a[f"mapping.fc{i}.weight"], a[f"mapping.fc{i}.bias"]
    t["input.input"] = a["synthesis.b4.const"][None]
    convs = [f"b{r}.{conv}" for r in sizes for conv in ("conv0", "conv1") if (r, conv) != (4, "conv0")]
    for j, ours in enumerate(convs):
        theirs, ours = "conv1" if j == 0 else f"convs.{j - 1}", f"synthesis.{ours}"
        t[f"{theirs}.conv.weight"] = a[f"{ours}.weight"][None]
        t[f"{theirs}.conv.modulation.weight"] = a[f"{ours}.affine.weight"]
        t[f"{theirs}.conv.modulation.bias"] = a[f"{ours}.affine.bias"]
        t[f"{theirs}.noise.weight"] = a[f"{ours}.noise_strength"].reshape(1)
        t[f"{theirs}.activate.bias"] = a[f"{ours}.bias"]
        t[f"noises.noise_{j}"] = a[f"{ours}.noise_const"][None, None]
        if j % 2:
            t[f"{theirs}.conv.blur.kernel"] = a[f"{ours}.resample_filter"] * 4
    for k, r in enumerate(sizes):
        theirs, ours = "to_rgb1" if k == 0 else f"to_rgbs.{k - 1}", f"synthesis.b{r}.torgb"
        t[f"{theirs}.conv.weight"] = a[f"{ours}.weight"][None]
        t[f"{theirs}.conv.modulation.weight"] = a[f"{ours}.affine.weight"]
        t[f"{theirs}.conv.modulation.bias"] = a[f"{ours}.affine.bias"]
        t[f"{theirs}.bias"] = a[f"{ours}.bias"][None, :, None, None]
        if k:
            t[f"{theirs}.upsample.kernel"] = a[f"synthesis.b{r}.resample_filter"] * 4
    return t


def rosinality_discriminator(D: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of rosinality's discriminator."""
    a, t = D.state_dict(), {}
    last = D.img_resolution
    t["convs.0.0.weight"], t["convs.0.1.bias"] = a[f"b{last}.fromrgb.weight"], a[f"b{last}.fromrgb.bias"]
    for j, r in enumerate(D.block_resolutions, start=1):
        t[f"convs.{j}.conv1.0.weight"], t[f"convs.{j}.conv1.1.bias"] = a[f"b{r}.conv0.weight"], a[f"b{r}.conv0.bias"]
        t[f"convs.{j}.conv2.1.weight"], t[f"convs.{j}.conv2.2.bias"] = a[f"b{r}.conv1.weight"], a[f"b{r}.conv1.bias"]
        t[f"convs.{j}.skip.1.weight"] = a[f"b{r}.skip.weight"]
        t[f"convs.{j}.conv2.0.kernel"] = t[f"convs.{j}.skip.0.kernel"] = a[f"b{r}.resample_filter"]
    t["final_conv.0.weight"], t["final_conv.1.bias"] = a["b4.conv.weight"], a["b4.conv.bias"]
    t["final_linear.0.weight"], t["final_linear.0.bias"] = a["b4.fc.weight"], a["b4.fc.bias"]
    t["final_linear.1.weight"], t["final_linear.1.bias"] = a["b4.out.weight"], a["b4.out.bias"]
    return t


def lernapparat(G: nn.Module, *, short: bool = False) -> dict[str, Tensor]:
    """Return the state dict of lernapparat's StyleGAN, or in the `short` names of a descendant."""
    a, t = G.state_dict(), {}
    mapping, synthesis = ("mapping.", "") if short else ("g_mapping.", "g_synthesis.")
    style, blur = ("adanorm.linear", "blur.weight") if short else ("style_mod.lin", "intermediate.kernel")
    for i in range(G.settings.mapping_layers):
        for leaf in ("weight", "bias"):
            t[f"{mapping}dense{i}.{leaf}"] = a[f"mapping.fc{i}.{leaf}"]
    for r in G.synthesis.block_resolutions:
        block = f"{synthesis}blocks.{r}x{r}"
        if r == 4:
            t[f"{block}.const"], t[f"{block}.bias"] = a["synthesis.b4.const"][None], a["synthesis.b4.layer0.bias"]
        for i, conv in enumerate((None, "conv") if r == 4 else ("conv0_up", "conv1")):
            ours = f"synthesis.b{r}.layer{i}"
            if conv is not None:
                weight = a[f"{ours}.weight"]
                t[f"{block}.{conv}.weight"] = weight.flip(2, 3) if conv == "conv0_up" and r >= 128 else weight
                t[f"{block}.{conv}.bias"] = a[f"{ours}.bias"]
            if conv == "conv0_up":
                t[f"{block}.{conv}.{blur}"] = a[f"{ours}.blur"][None, None]
            t[f"{block}.epi{i + 1}.top_epi.noise.weight"] = a[f"{ours}.noise_strength"]
            for leaf in ("weight", "bias"):
                t[f"{block}.epi{i + 1}.{style}.{leaf}"] = a[f"{ours}.affine.{leaf}"]
    for leaf in ("weight", "bias"):
        t[f"{synthesis}torgb.{leaf}"] = a[f"synthesis.b{G.img_resolution}.torgb.{leaf}"]
    return t
