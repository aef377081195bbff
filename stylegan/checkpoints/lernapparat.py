"""State dicts of the StyleGAN generator in PyTorch that lernapparat published, and those of its descendants.

They hold what TensorFlow trains: no average of w, no constant noise, and the conversion to RGB of the full resolution
alone. The average is estimated, the noise is drawn from a fixed seed, and the other conversions are zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.nvidia import plain_names
from stylegan.checkpoints.official_names import Shapes
from stylegan.checkpoints.rebuild import empty, fill
from stylegan.checkpoints.substitutes import average_w, missing_filters, missing_noise, widths
from stylegan.checkpoints.tensorflow import CREATIVE_COMMONS, FUSED_FROM
from stylegan.errors import CheckpointError
from stylegan.networks.stylegan1 import Generator

# The published names and, behind them, the shorter ones of a descendant.
_SHORTER = (("g_mapping.", "mapping."), ("g_synthesis.", ""), (".style_mod.lin.", ".adanorm.linear."))


def is_generator(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether these are names of such a generator."""
    return {"mapping.dense0.weight", "blocks.4x4.const", "torgb.weight"} <= set(_short(tensors))


def read(content: Mapping[str, Tensor], *, to_draw: bool = False) -> Checkpoint:
    """Return the generator of a state dict, whether or not it is `to_draw`. Raises: CheckpointError as `generator`."""
    origin = "a state dict of lernapparat's StyleGAN, converted"
    return Checkpoint(G_ema=generator(content), origin=origin, licence=CREATIVE_COMMONS)


def generator(tensors: Mapping[str, Tensor]) -> Generator:
    """Return the generator. Raises: CheckpointError for tensors that do not fit together."""
    v = _short(tensors)
    shapes = Shapes(v)
    blocks = shapes.layers(r"blocks\.(\d{1,5})x\d+\.epi1\.top_epi\.noise\.weight$")
    sizes = [4 << i for i in range(min(blocks, 20))]
    layers = shapes.layers(r"mapping\.dense(\d{1,7})\.weight$")
    network = empty(
        Generator,
        {
            "z_dim": shapes["mapping.dense0.weight", 1],
            "w_dim": shapes[f"mapping.dense{layers - 1}.weight", 0],
            "img_resolution": sizes[-1] if sizes else 0,
            "img_channels": shapes["torgb.weight", 0],
            "mapping_layers": layers,
            **({"layer_features": shapes["mapping.dense0.weight", 0]} if layers > 1 else {}),
            **widths({r: shapes[f"blocks.{r}x{r}.epi1.top_epi.noise.weight", 0] for r in sizes}),
        },
    )
    names = {f"mapping.fc{i}": f"mapping.dense{i}" for i in range(min(layers, 1000))}
    names[f"synthesis.b{sizes[-1]}.torgb"] = "torgb"
    own = {"synthesis.lod": torch.zeros([]), "mapping.w_avg": torch.zeros(network.w_dim)}
    own["synthesis.b4.const"] = v["blocks.4x4.const"].squeeze(0)
    own["synthesis.b4.layer0.bias"] = _present(v, "blocks.4x4.bias")
    for r in sizes:
        for i in (0, 1):
            layer, theirs = f"synthesis.b{r}.layer{i}", f"blocks.{r}x{r}"
            names[f"{layer}.affine"] = f"{theirs}.epi{i + 1}.adanorm.linear"
            own[f"{layer}.noise_strength"] = _present(v, f"{theirs}.epi{i + 1}.top_epi.noise.weight")
            if r > 4 or i:
                names[layer] = f"{theirs}.{'conv' if r == 4 else ('conv0_up', 'conv1')[i]}"
        if r < sizes[-1]:
            rgb = network.state_dict()[f"synthesis.b{r}.torgb.weight"].shape
            own |= {f"synthesis.b{r}.torgb.weight": torch.zeros(rgb), f"synthesis.b{r}.torgb.bias": torch.zeros(rgb[0])}
    for ours, theirs in names.items():
        own |= {f"{ours}.{leaf}": _present(v, f"{theirs}.{leaf}") for leaf in ("weight", "bias")}
    for r in sizes:
        weight = own.get(f"synthesis.b{r}.layer0.weight", torch.zeros([]))
        if r >= FUSED_FROM and weight.ndim == 4:  # stored for a transposed convolution
            own[f"synthesis.b{r}.layer0.weight"] = weight.flip(2, 3)
    taps = {"torgb.resample_filter": (1,), "box": (1, 1), "blur": (1, 2, 1)}
    own |= missing_filters(network, own, taps) | missing_noise(network, own)
    network = fill(network, own)
    network.mapping.w_avg.copy_(average_w(network))
    return network


def _short(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by the shorter names."""
    found = {}
    for name, value in plain_names(tensors).items():
        for published, shorter in _SHORTER:
            name = name.replace(published, shorter, 1)
        found[name] = value
    return found


def _present(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"tensor {name} is missing")
    return tensors[name]
