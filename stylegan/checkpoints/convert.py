"""Convert checkpoints: any that can be read to a native folder or to the file of another tool, with a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError

from stylegan.checkpoints import native, official_file, rosinality
from stylegan.checkpoints.account import Account
from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.errors import CheckpointError, ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.networks.family import architecture_of
from stylegan.networks.stylegan2 import GeneratorSettings

_NOT_WRITTEN = (".pkl", ".pickle", ".bin", ".ckpt", ".onnx", ".zip", ".npz", ".h5")
_MOVED = {  # last part of a name -> its place in a file of rosinality's tools, which is not that of one tensor
    "resample_filter": "stored as the kernels of the layers that resample",
    "w_avg": "stored as latent_avg",
}


class Written(NamedTuple):
    """The result of writing one kind of checkpoint."""

    accounts: dict[str, Account]  # G_ema, G and D -> their tensors
    left_out: dict[str, str]  # network or setting that the kind cannot hold -> reason


class Kind(NamedTuple):
    """One format that can be written."""

    suffixes: tuple[str, ...]  # of its files; a suffix means the first kind that has it
    write: Callable[[Checkpoint, Path], Written]


def _write_native(checkpoint: Checkpoint, folder: Path) -> Written:
    native.save(checkpoint, folder)
    return Written(_all_kept(checkpoint), {})


def _write_official(checkpoint: Checkpoint, path: Path) -> Written:
    left_out = {}
    if checkpoint.D is not None and not official_file.fits(checkpoint.D):
        checkpoint = replace(checkpoint, D=None)
        left_out["D"] = "the official PyTorch releases have no such discriminator"
    with atomic_file(path) as temporary:
        try:
            official_file.write(checkpoint, temporary)
        except (SafetensorError, RuntimeError) as error:  # a full disk raises these too
            raise OSError(str(error).splitlines()[0]) from error
    return Written(_all_kept(checkpoint), left_out)


def _write_rosinality(checkpoint: Checkpoint, path: Path) -> Written:
    checkpoint = replace(
        checkpoint,
        G_ema=checkpoint.G_ema or checkpoint.G,
        origin=checkpoint.origin or "not stated",  # without it, the file would look like a conversion of NVIDIA's
    )
    left_out = {}
    if checkpoint.D is not None:
        try:
            rosinality.require_expressible(checkpoint.D)
        except CheckpointError as error:
            checkpoint = replace(checkpoint, D=None)
            left_out["D"] = str(error).partition("; ")[0]
    rosinality.write(checkpoint, path)
    accounts = {}
    for name, network in checkpoint.networks.items():
        settings, size = network.settings, network.img_resolution
        names = (
            rosinality.generator_names(size, settings.mapping_layers)
            if isinstance(settings, GeneratorSettings)
            else rosinality.discriminator_names(size)
        )
        others = [tensor for tensor in network.state_dict() if tensor not in names]
        accounts[name] = Account(
            renamed=names, dropped={tensor: _MOVED[tensor.rpartition(".")[2]] for tensor in others}
        )
    return Written(accounts, {**left_out, **_unlike_rosinality(checkpoint)})


def _unlike_rosinality(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the settings of the generator that rosinality's tools do not have -> reason."""
    assert checkpoint.G_ema is not None  # or the writer has refused
    settings: GeneratorSettings = checkpoint.G_ema.settings
    left_out = {
        name: f"it is {value}; rosinality's networks compute in float32, without a limit"
        for name in ("conv_clamp", "num_fp16_res")
        if (value := getattr(settings, name))
    }
    widths = [settings.channels(r) for r in settings.resolutions]
    if all(widths != [min(512, 16384 * m // r) for r in settings.resolutions] for m in (1, 2)):
        left_out["channel_multiplier"] = f"widths {widths} are none of rosinality's; its own classes need a change"
    return left_out


def _all_kept(checkpoint: Checkpoint) -> dict[str, Account]:
    return {name: Account(kept=list(network.state_dict())) for name, network in checkpoint.networks.items()}


KINDS = {
    "native": Kind(("",), _write_native),
    "rosinality": Kind((".pt", ".pth"), _write_rosinality),
    "official": Kind((".safetensors", ".pt", ".pth"), _write_official),
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of `convert`."""

    dest: str
    kind: str  # one of `KINDS`
    architecture: str | None
    origin: str | None
    licence: str | None
    nimg: int | None
    augment_p: float
    class_names: list[str] | None
    written: dict[str, Account]  # G_ema, G and D -> their tensors, from the networks here to the file
    left_out: dict[str, str]  # network or setting that the kind cannot hold -> reason

    def to_json(self, read: Mapping[str, Account]) -> str:
        """Return all of it, with what happened to the tensors of a foreign source when it was read."""
        accounts = {name: asdict(account) for name, account in read.items()}
        return json.dumps({**asdict(self), "read": accounts}, indent=2, ensure_ascii=False) + "\n"

    @property
    def lines(self) -> list[str]:
        """A summary for people, one line for each network and for each thing that is left out."""
        return [
            *(f"{name} as written: {account}." for name, account in self.written.items()),
            *(f"{name} is left out: {reason}." for name, reason in self.left_out.items()),
        ]


def kind_of(dest: Path, kind: str | None = None) -> str:
    """Return the kind of checkpoint to write at `dest`: the one that is asked for, else by its suffix.

    Raises: ConfigError if the suffix is that of another kind, or of none.
    """
    if dest.suffix in _NOT_WRITTEN:
        raise ConfigError(f"{dest} has a suffix that is not written; expected a folder, .pt or .safetensors.")
    known = {suffix for kind in KINDS.values() for suffix in kind.suffixes}
    suffix = dest.suffix if dest.suffix in known else ""
    chosen = kind or next(name for name, candidate in KINDS.items() if suffix in candidate.suffixes)
    if suffix not in KINDS[chosen].suffixes:
        wanted = " or ".join(s or "no suffix, since it is a folder" for s in KINDS[chosen].suffixes)
        raise ConfigError(f"a checkpoint of the kind {chosen} has the suffix {wanted}, got {dest}; rename it.")
    return chosen


def require_free(dest: Path, kind: str, *, overwrite: bool = False) -> None:
    """Raises: OutputError if something exists at `dest`, unless it is a checkpoint of the kind to be overwritten."""
    if kind != "native" and dest.is_dir():
        raise OutputError(f"{dest} is a folder, expected the name of a file; choose another name.")
    if kind == "native" and overwrite:
        native.refuse_foreign(dest)
    elif not overwrite and dest.exists() and not (dest.is_dir() and not any(dest.iterdir())):
        raise OutputError(f"{dest} already exists; choose another name, or set `overwrite` to replace it.")


def convert(checkpoint: Checkpoint, dest: Path | str, kind: str | None = None, *, overwrite: bool = False) -> Report:
    """Write a checkpoint at `dest`, whole or not at all, and report what was kept, renamed and dropped.

    Args:
        kind: one of `KINDS`; by default that of the suffix of `dest`.
        overwrite: replace a checkpoint that exists.
    Raises: ConfigError for a suffix that does not fit, CheckpointError for networks that the kind cannot hold,
        OutputError if `dest` exists or cannot be written.
    """
    dest = Path(dest)
    kind = kind_of(dest, kind)
    require_free(dest, kind, overwrite=overwrite)
    generator = checkpoint.G_ema or checkpoint.G
    written = KINDS[kind].write(checkpoint, dest)
    return Report(
        dest=str(dest),
        kind=kind,
        architecture=architecture_of(generator) if generator is not None else None,
        origin=checkpoint.origin,
        licence=checkpoint.licence,
        nimg=checkpoint.nimg,
        augment_p=checkpoint.augment_p,
        class_names=generator.class_names if generator is not None else None,
        written=written.accounts,
        left_out=written.left_out,
    )
