"""Fine-tuning: a new run starts from the networks of a checkpoint. StyleGAN2-ADA Sec. 4.3.

A layer is carried over whole or not at all: one whose name or shape the new network does not have is left behind, and
one that the checkpoint cannot fill starts from random weights.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
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

# Arguments of networks that do not decide their size
_OF_DATA = ("c_dim", "img_resolution", "img_channels")
_OF_TRAINING = ("mbstd_group_size", "freeze_layers", "magnitude_ema_beta")


@dataclass(frozen=True)
class Transfer:
    """The tensors that one network takes from a network of the checkpoint."""

    tensors: dict[str, Tensor]  # in the names and shapes of the new network
    fresh: list[str]  # names of its other tensors, which stay random
    unused: list[str]  # names of tensors of the checkpoint that are left behind


@dataclass(frozen=True)
class Start:
    """Trained weights that a new run starts from."""

    checkpoint: Checkpoint
    source: Path

    @property
    def discriminator_kind(self) -> str:
        """The kind of the checkpoint's discriminator; "own" without one."""
        return self.checkpoint.D.kind if self.checkpoint.D is not None else "own"

    def settings(self, discriminator_kind: str = "own") -> dict[str, Any]:
        """Return settings that suit these weights, by dotted name, for all others to win over.

        Networks as large as the checkpoint's, augmentation that adapts five times as fast, and no ramp of the average,
        which does not start from noise. A discriminator of another kind starts fresh, with its own settings.
        """
        settings: dict[str, Any] = {"augment.ada_kimg": 100, "ema_rampup": None, "blur": {}, "growing": None}
        networks: dict[str, Any] = {
            "generator": self.checkpoint.G_ema or self.checkpoint.G,
            "discriminator": self.checkpoint.D if self.discriminator_kind == discriminator_kind else None,
        }
        for group, network in networks.items():
            args = asdict(network.settings) if network is not None else {}
            settings |= {f"{group}.{k}": value for k, value in args.items() if k not in _OF_DATA + _OF_TRAINING}
        return settings

    @property
    def provenance(self) -> dict[str, Any]:
        """Settings that say where the weights come from, by dotted name."""
        return {
            "transfer.source": str(self.source.resolve()),
            "transfer.origin": self.checkpoint.origin,
            "transfer.licence": self.checkpoint.licence,
        }


def open_start(source: Path) -> Start:
    """Open the weights of a checkpoint, or of the newest snapshot of a run.

    Raises: CheckpointError if there is no such checkpoint.
    """
    if (source / "snapshots").is_dir():
        source = newest_snapshot(source) or source
    return Start(load_checkpoint(source), source)


def settings_to_take_over(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings of another run, by dotted name, that suit a run from trained weights.

    Left out are those for training from random weights, and those that the data set of that run dictated.
    """
    begins = ("augment.ada_kimg", "ema_rampup", "blur.", "growing")
    dictated = tuple(f"{network}.{name}" for network in ("generator", "discriminator") for name in _OF_DATA)
    return {name: value for name, value in settings.items() if not name.startswith(begins + dictated)}


def require_architecture(checkpoint: Checkpoint, cfg: str, architecture: str) -> None:
    """Raise ConfigError unless the checkpoint is of the generation that `cfg` trains."""
    generator = checkpoint.G or checkpoint.G_ema
    found = architecture_of(generator) if generator is not None else architecture
    if found != architecture:
        raise ConfigError(
            f"`cfg` {cfg} trains networks of {architecture}, but the checkpoint holds those of {found}; choose a `cfg` "
            f"of {found}."
        )


@torch.no_grad()
def start_from_checkpoint(state: TrainingState, config: TrainConfig) -> None:
    """Fill the networks of a new run with the weights that `config.transfer` names.

    Adaptive augmentation starts where that of the checkpoint's discriminator was. With `transfer.freeze_mapping`, both
    generators take the mapping network of the averaged one, so that every seed keeps its w.

    Raises: CheckpointError if they cannot be read; ConfigError if a frozen layer would keep random weights.
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
    if state.augment_p is not None and (p := _first_p(checkpoint, config)) is not None:
        state.augment_p.fill_(p)


def transfer_report(checkpoint: Checkpoint, config: TrainConfig) -> str:
    """Return lines on what a run with these settings takes from the checkpoint and what not. Raises: ConfigError."""
    with torch.device("meta"):
        G = generator_class(config.architecture)(**config.generator)
        D = discriminator_class(config.architecture, config.discriminator_kind)(**config.discriminator)
        networks: dict[str, nn.Module] = {"G": G, "D": D, "G_ema": G}
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
    if p := _first_p(checkpoint, config):
        lines.append(f"augmentation: starts with probability {p:.3f}.")
    return "\n".join(f"  {line}" for line in lines)


def _first_p(checkpoint: Checkpoint, config: TrainConfig) -> float | None:
    """Return the probability that adaptive augmentation starts with; None where that is not for the checkpoint to say.

    It belongs to the discriminator that it was adapted to.
    """
    D = checkpoint.D
    if config.augment.mode != "ada" or D is None or D.kind != config.discriminator_kind:
        return None
    return min(checkpoint.augment_p, config.augment.max_p)


def _changes(checkpoint: Checkpoint, config: TrainConfig) -> list[str]:
    """Return a line for each network whose arguments differ from those in the checkpoint."""
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
    """Return the network of the checkpoint that each network of the run starts from."""
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
    """Raise ConfigError if a frozen layer would keep random weights."""
    wanted = config.discriminator.get("freeze_layers", 0)
    if wanted:
        _check_freezing(wanted, plan["D"], D)
    fresh = [name for name in plan["G_ema"].fresh if name.startswith("mapping.")]
    if config.transfer.freeze_mapping and fresh:
        raise ConfigError(f"a frozen mapping network would keep random weights in {fresh[0]}; let it train.")


def _check_freezing(wanted: int, transfer: Transfer, D: nn.Module) -> None:
    layers = {_layer(name) for name in _learned(D) if not name.startswith(("b4.", "mapping."))}
    if wanted > len(layers):
        raise ConfigError(
            f"this discriminator has {len(layers)} layers that can be frozen, got {wanted}; freeze fewer."
        )
    trained = dict(D.named_parameters())
    useless = [name for name in transfer.fresh if name not in trained]
    if useless:
        raise ConfigError(f"freezing {wanted} would keep random weights in {useless[0]}; freeze fewer layers or none.")


def carry_over(source: Any, target: Any) -> Transfer:
    """Return the tensors of `target` that the network `source` fills; None fills nothing. Neither is changed.

    Where the number of color channels differs, the layers from and to colors are converted as the images would be.
    Where labels are added or dropped, the mapping network treats z as before, and starts by ignoring labels.
    """
    own = _learned(target)
    if source is None:
        return Transfer({}, list(own), [])
    colors = source.img_channels, target.img_channels
    converted = {name: _recolored(name, value, *colors) for name, value in _learned(source).items()}
    first = "mapping.fc0.weight"
    if (
        first in converted
        and first in own
        and bool(source.c_dim) != bool(target.c_dim)
        and source.z_dim == target.z_dim
    ):
        converted[first] = _relabeled(converted[first], own[first].shape[1])
    unfit = {_layer(name) for name in own if name not in converted or converted[name].shape != own[name].shape}
    return Transfer(
        {name: converted[name] for name in own if _layer(name) not in unfit},
        [name for name in own if _layer(name) in unfit],
        [name for name in converted if name not in own],
    )


def _learned(network: nn.Module) -> dict[str, Tensor]:
    """Return the state dict without filters and the level of detail, which are settings."""
    settings = ("filter", "box", "blur", "lod")
    return {name: value for name, value in network.state_dict().items() if not name.endswith(settings)}


def _layer(name: str) -> str:
    """Return `b8.conv0` for `b8.conv0.affine.weight`: affine, bias and noise of a convolution belong to its weight."""
    return re.sub(r"(\.affine)?\.(weight|bias|noise_const|noise_strength)$", "", name)


def _recolored(name: str, value: Tensor, source: int, target: int) -> Tensor:
    """Return a tensor that does to images of `target` channels what `value` does to those of `source`."""
    if source == target:
        return value
    if ".torgb.weight" in name or ".torgb.bias" in name:
        return torch.tensordot(_conversion(source, target), value, 1)  # converts the generated image
    if name.endswith("fromrgb.weight"):  # converts the image back; the run-time gain is 1 / sqrt(C)
        effective = torch.einsum("oikl,ij->ojkl", value, _conversion(target, source))
        return effective * (target / source) ** 0.5
    return value


def _relabeled(value: Tensor, inputs: int) -> Tensor:
    """Return the first layer of a mapping network, [D, z + label], for `inputs` inputs: labels come after z."""
    kept = min(inputs, value.shape[1])
    result = torch.zeros(len(value), inputs)
    result[:, :kept] = value[:, :kept] * (inputs / value.shape[1]) ** 0.5  # the run-time gain is 1 / sqrt(inputs)
    return result


def _conversion(source: int, target: int) -> Tensor:
    """Return the matrix [target, source] between gray (1), RGB (3) and RGBA (4). Alpha starts at zero."""
    if 1 not in (source, target):
        return torch.eye(target, source)
    matrix = torch.zeros(target, source)
    matrix[: min(target, 3), : min(source, 3)] = 1 / min(source, 3)  # the mean of the colors, or gray for each
    return matrix


def _grouped(names: Iterable[str], everything: Collection[str]) -> list[str]:
    """Return the names, with b64.* for all tensors of the module b64."""
    chosen, groups = set(names), []
    for name in names:
        parts = name.split(".")
        prefixes = (".".join(parts[:k]) + "." for k in range(1, len(parts)))
        whole = (p for p in prefixes if all(n in chosen for n in everything if n.startswith(p)))
        prefix = next(whole, None)
        groups.append(f"{prefix}*" if prefix else name)
    return list(dict.fromkeys(groups))
