"""Convert checkpoints: any that can be read to a native folder or to the file of another tool, with a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.native import refuse_foreign, save
from stylegan.checkpoints.portable import Account, Portable
from stylegan.checkpoints.write_official import SETTINGS, to_official
from stylegan.checkpoints.write_rosinality import to_rosinality
from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.networks.family import architecture_of


class Kind(NamedTuple):
    """One format that can be written."""

    suffixes: tuple[str, ...]  # of its files; the first kind with the suffix of a file is taken for it
    portable: Callable[[Checkpoint], Portable] | None  # None for the native folder


KINDS = {
    "native": Kind(("",), None),
    "rosinality": Kind((".pt", ".pth"), to_rosinality),
    "official": Kind((".safetensors", ".pt", ".pth"), to_official),
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
    accounts: dict[str, Account] = field(default_factory=dict)  # G_ema, G and D -> their tensors
    left_out: dict[str, str] = field(default_factory=dict)  # network or setting -> reason

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @property
    def lines(self) -> list[str]:
        """A summary for people, one line for each network and for each thing that is left out."""
        return [
            *(f"{name}: {account}." for name, account in self.accounts.items()),
            *(f"{name} is left out: {reason}." for name, reason in self.left_out.items()),
        ]


def kind_of(dest: Path, kind: str | None = None) -> str:
    """Return the kind of checkpoint to write at `dest`: the one that is asked for, else by its suffix.

    Raises: ConfigError if the suffix is that of another kind, or of none.
    """
    suffix = dest.suffix if dest.suffix in {s for k in KINDS.values() for s in k.suffixes} else ""
    if dest.suffix in (".pkl", ".pickle", ".bin", ".ckpt", ".onnx", ".zip"):
        raise ConfigError(f"{dest} has a suffix that is not written; expected a folder, .pt or .safetensors.")
    chosen = kind or next(name for name, known in KINDS.items() if suffix in known.suffixes)
    if suffix not in KINDS[chosen].suffixes:
        wanted = " or ".join(s or "no suffix, since it is a folder" for s in KINDS[chosen].suffixes)
        raise ConfigError(f"a checkpoint of the kind {chosen} has the suffix {wanted}, got {dest}; rename it.")
    return chosen


def require_free(dest: Path, *, overwrite: bool = False) -> None:
    """Raises: OutputError if something exists at `dest`, unless it is a checkpoint that may be overwritten."""
    if overwrite and (dest.is_file() or not dest.exists()):
        return
    if overwrite:
        refuse_foreign(dest)
    elif dest.exists() and not (dest.is_dir() and not any(dest.iterdir())):
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
    require_free(dest, overwrite=overwrite)
    portable = KINDS[kind].portable
    if portable is None:
        save(checkpoint, dest)
        accounts = {name: Account(kept=list(net.state_dict())) for name, net in checkpoint.networks.items()}
        return _report(checkpoint, dest, kind, accounts, {})
    content = portable(checkpoint)
    if dest.is_dir():
        raise OutputError(f"{dest} is a folder, expected the name of a file; choose another name.")
    with atomic_file(dest) as temporary:
        try:
            (_write_safetensors if dest.suffix == ".safetensors" else _write_pt)(content, temporary)
        except (SafetensorError, RuntimeError) as error:  # a full disk raises these too
            raise OSError(str(error).splitlines()[0]) from error
    return _report(checkpoint, dest, kind, content.accounts, content.left_out)


def _report(
    checkpoint: Checkpoint, dest: Path, kind: str, accounts: dict[str, Account], left_out: dict[str, str]
) -> Report:
    generator = checkpoint.G_ema or checkpoint.G
    return Report(
        dest=str(dest),
        kind=kind,
        architecture=architecture_of(generator) if generator is not None else None,
        origin=checkpoint.origin,
        licence=checkpoint.licence,
        nimg=checkpoint.nimg,
        augment_p=checkpoint.augment_p,
        class_names=generator.class_names if generator is not None else None,
        accounts=accounts,
        left_out=left_out,
    )


def _write_pt(content: Portable, path: Path) -> None:
    """Write tensors, numbers and texts only, which torch.load reads with weights_only."""
    networks: dict[str, Any] = {name: _plain(tensors) for name, tensors in content.networks.items()}
    others = {name: _own(value) if isinstance(value, Tensor) else value for name, value in content.others.items()}
    torch.save({**networks, **others}, path)


def _write_safetensors(content: Portable, path: Path) -> None:
    """Write the tensors of all networks, each behind the name of its network; texts are in the header."""
    networks = content.networks.items()
    tensors = {f"{name}.{key}": _own(value) for name, values in networks for key, value in values.items()}
    save_file(tensors, path, metadata={"format": "pt", SETTINGS: content.others[SETTINGS]})


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: _own(value) for name, value in tensors.items()}


def _own(value: Tensor) -> Tensor:
    """Return a copy in memory of its own, since a view would be stored with all that it is a view of."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
