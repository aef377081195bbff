"""Fine-tuning: a new run starts from the networks of a checkpoint. StyleGAN2-ADA Sec. 4.3.

A layer goes over whole or not at all: one whose name or shape the new network does not have stays behind, and one that
the checkpoint cannot fill starts fresh.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.checkpoints import Checkpoint, load_checkpoint
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.errors import ConfigError
from stylegan.networks.family import architecture_of, discriminator_class, generator_class
from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState

# Arguments of networks that are not their size
_OF_DATA = ("c_dim", "img_resolution", "img_channels")
_OF_TRAINING = ("mbstd_group_size", "freeze_layers", "magnitude_ema_beta")


@dataclass(frozen=True)
class Transfer:
    """What one network takes from one of the checkpoint."""

    tensors: dict[str, Tensor]  # in the network's own names and shapes
    fresh: list[str]  # names of its other tensors
    unused: list[str]  # names of the checkpoint's that find no place


def open_start(source: Path) -> tuple[Checkpoint, dict[str, Any], dict[str, Any]]:
    """The checkpoint that a new run starts from, and settings for that run by dotted name.

    Returns: the checkpoint; what other settings win over: networks as large as the checkpoint's, augmentation that
        adapts five times as fast, no ramp of the average, which does not start from noise; and where the weights come
        from. A run stands for its newest snapshot.
    Raises: CheckpointError if there is no such checkpoint.
    """
    if (source / "snapshots").is_dir():
        source = newest_snapshot(source) or source
    checkpoint = load_checkpoint(source)
    defaults: dict[str, Any] = {"augment.ada_kimg": 100, "ema_rampup": None, "blur": {}, "growing": None}
    networks: dict[str, Any] = {"generator": checkpoint.G_ema or checkpoint.G, "discriminator": checkpoint.D}
    for group, network in networks.items():
        args = asdict(network.settings) if network is not None else {}
        defaults |= {f"{group}.{name}": value for name, value in args.items() if name not in _OF_DATA + _OF_TRAINING}
    provenance = {"source": str(source.resolve()), "origin": checkpoint.origin, "licence": checkpoint.licence}
    return checkpoint, defaults, {f"transfer.{name}": value for name, value in provenance.items()}


def settings_to_take_over(settings: dict[str, Any]) -> dict[str, Any]:
    """Of the settings of another run, by dotted name, those that suit a run from trained weights: not how training
    from random weights begins, nor what the data set of that run dictated."""
    begins = ("augment.ada_kimg", "ema_rampup", "blur.", "growing")
    dictated = tuple(f"{network}.{name}" for network in ("generator", "discriminator") for name in _OF_DATA)
    return {name: value for name, value in settings.items() if not name.startswith(begins + dictated)}


def require_architecture(checkpoint: Checkpoint, cfg: str, architecture: str) -> None:
    """Raises ConfigError unless the checkpoint is of the generation that `cfg` trains."""
    generator: Any = checkpoint.G or checkpoint.G_ema
    found = architecture_of(generator) if generator is not None else architecture
    if found != architecture:
        raise ConfigError(
            f"cfg {cfg} trains networks of {architecture}, but the checkpoint holds those of {found}; choose a cfg of "
            f"{found}."
        )


@torch.no_grad()
def start_from_checkpoint(state: TrainingState, config: TrainConfig) -> None:
    """Fill the networks of a new run with the weights that `config.transfer` names.

    A mapping network that is to stay as it is comes from the averaged generator for both, so that every seed keeps its
    w and its average.

    Raises: CheckpointError if they cannot be read, ConfigError if a layer that is not trained would start fresh.
    """
    assert config.transfer.source is not None
    checkpoint = load_checkpoint(config.transfer.source)
    require_architecture(checkpoint, config.cfg, config.architecture)
    for name, transfer in _plan(checkpoint, {"G": state.G, "D": state.D, "G_ema": state.G_ema}, config).items():
        own = getattr(state, name).state_dict()
        for key, value in transfer.tensors.items():
            own[key].copy_(value)
    if config.transfer.freeze_mapping:
        state.G.mapping.load_state_dict(state.G_ema.mapping.state_dict())


def transfer_report(checkpoint: Checkpoint, config: TrainConfig) -> str:
    """Lines that say what a run of this configuration takes from the checkpoint and what not. Raises: ConfigError."""
    with torch.device("meta"):
        G = generator_class(config.architecture)(**config.generator)
        networks = {"G": G, "D": discriminator_class(config.architecture)(**config.discriminator), "G_ema": G}
    lines = _changes(checkpoint, config)
    for name, transfer in _plan(checkpoint, networks, config).items():
        source = _sources(checkpoint)[name]
        if source is None:
            lines.append(f"{name}: starts fresh, the checkpoint has none.")
            continue
        total = len(transfer.tensors) + len(transfer.fresh)
        text = f"{name}: carried over {len(transfer.tensors)} of {total} tensors"
        if getattr(checkpoint, name) is None:
            text += f" from {'G_ema' if name == 'G' else 'G'}, the checkpoint has no {name}"
        for what, names in (("fresh", transfer.fresh), ("left behind", transfer.unused)):
            if names:
                everything = [*transfer.tensors, *transfer.fresh, *transfer.unused]
                text += f"; {what}: {', '.join(_grouped(names, everything))}"
        lines.append(text + ".")
    return "\n".join(f"  {line}" for line in lines)


def _changes(checkpoint: Checkpoint, config: TrainConfig) -> list[str]:
    """A line for each network whose arguments are others than the checkpoint's."""
    lines = []
    for name, old, new in (
        ("generator", checkpoint.G_ema or checkpoint.G, config.generator),
        ("discriminator", checkpoint.D, config.discriminator),
    ):
        args: dict[str, Any] = asdict(old.settings) if old is not None else {}
        keys = [key for key in new if key in args and key not in _OF_TRAINING and _differ(args[key], new[key])]
        if keys:
            lines.append(f"{name} changed: {', '.join(f'{key} {args[key]} -> {new[key]}' for key in keys)}.")
    return lines


def _differ(a: Any, b: Any) -> bool:
    return bool(list(a) != list(b) if isinstance(a, tuple | list) and isinstance(b, tuple | list) else a != b)


def _sources(checkpoint: Checkpoint) -> dict[str, Any]:
    """Which network of the checkpoint each of the run starts from."""
    return {
        "G": checkpoint.G or checkpoint.G_ema,
        "D": checkpoint.D,
        "G_ema": checkpoint.G_ema or checkpoint.G,
    }


def _plan(checkpoint: Checkpoint, networks: dict[str, nn.Module], config: TrainConfig) -> dict[str, Transfer]:
    plan = {name: carry_over(source, networks[name]) for name, source in _sources(checkpoint).items()}
    _check_frozen(plan, networks["D"], config)
    return plan


def _check_frozen(plan: dict[str, Transfer], D: nn.Module, config: TrainConfig) -> None:
    """A layer that is not trained must hold something worth keeping."""
    wanted = config.discriminator.get("freeze_layers", 0)
    layers = {_layer(name) for name in _learned(D) if not name.startswith(("b4.", "mapping."))}
    if wanted > len(layers):
        raise ConfigError(
            f"this discriminator has {len(layers)} layers that can be frozen, got {wanted}; freeze fewer."
        )
    trained = dict(D.named_parameters())
    useless = [name for name in plan["D"].fresh if name not in trained]
    if useless:
        raise ConfigError(f"freezing {wanted} would keep random weights in {useless[0]}; freeze fewer layers or none.")
    fresh = [name for name in plan["G_ema"].fresh if name.startswith("mapping.")]
    if config.transfer.freeze_mapping and fresh:
        raise ConfigError(f"a frozen mapping network would keep random weights in {fresh[0]}; let it train.")


def carry_over(source: Any, target: Any) -> Transfer:
    """Which tensors of `target` the network `source` fills; None fills nothing. Neither is changed.

    Where the number of colors differs, the layers from and to colors are converted as the images would be. Where
    labels come or go, the mapping network does to z what it did before, and begins without regard to labels.
    """
    own = _learned(target)
    if source is None:
        return Transfer({}, list(own), [])
    colors = source.img_channels, target.img_channels
    theirs = {name: _recolored(name, value, *colors) for name, value in _learned(source).items()}
    first = "mapping.fc0.weight"
    if first in theirs and first in own and bool(source.c_dim) != bool(target.c_dim) and source.z_dim == target.z_dim:
        theirs[first] = _relabeled(theirs[first], own[first].shape[1])
    unfit = {_layer(name) for name in own if name not in theirs or theirs[name].shape != own[name].shape}
    return Transfer(
        {name: theirs[name] for name in own if _layer(name) not in unfit},
        [name for name in own if _layer(name) in unfit],
        [name for name in theirs if name not in own],
    )


def _learned(network: nn.Module) -> dict[str, Tensor]:
    """All of the state dict but the filters and the level of detail, which are settings."""
    settings = ("filter", "box", "blur", "lod")
    return {name: value for name, value in network.state_dict().items() if not name.endswith(settings)}


def _layer(name: str) -> str:
    """`b8.conv0` of `b8.conv0.affine.weight`: the affine, bias and noise of a convolution belong to its weight."""
    return re.sub(r"(\.affine)?\.(weight|bias|noise_const|noise_strength)$", "", name)


def _recolored(name: str, value: Tensor, source: int, target: int) -> Tensor:
    """A tensor for images of `target` channels that does to them what `value` does to those of `source`."""
    if source == target:
        return value
    if ".torgb.weight" in name or ".torgb.bias" in name:
        return torch.tensordot(_conversion(source, target), value, 1)  # the image drawn is converted
    if name.endswith("fromrgb.weight"):  # the image looked at is converted back; the run-time gain is 1 / sqrt(C)
        effective = torch.einsum("oikl,ij->ojkl", value, _conversion(target, source))
        return effective * (target / source) ** 0.5
    return value


def _relabeled(value: Tensor, inputs: int) -> Tensor:
    """The first layer of a mapping network, [D, z + label], for another number of inputs: labels come after z."""
    kept = min(inputs, value.shape[1])
    result = torch.zeros(len(value), inputs)
    result[:, :kept] = value[:, :kept] * (inputs / value.shape[1]) ** 0.5  # the run-time gain is 1 / sqrt(inputs)
    return result


def _conversion(source: int, target: int) -> Tensor:
    """[target, source] matrix between gray (1), RGB (3) and RGBA (4). Alpha starts at zero: neither drawn nor seen."""
    if 1 not in (source, target):
        return torch.eye(target, source)
    matrix = torch.zeros(target, source)
    matrix[: min(target, 3), : min(source, 3)] = 1 / min(source, 3)  # the mean of the colors, or gray for each
    return matrix


def _grouped(names: Iterable[str], everything: Collection[str]) -> list[str]:
    """Names, with whole modules in short: b64.conv0.weight, b64.conv0.bias, ... -> b64.*"""
    chosen, groups = set(names), []
    for name in names:
        parts = name.split(".")
        prefixes = (".".join(parts[:k]) + "." for k in range(1, len(parts)))
        whole = (p for p in prefixes if all(n in chosen for n in everything if n.startswith(p)))
        prefix = next(whole, None)
        groups.append(f"{prefix}*" if prefix else name)
    return list(dict.fromkeys(groups))
