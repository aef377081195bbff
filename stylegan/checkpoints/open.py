"""Open a checkpoint: a native folder, a run, a bundled network, or a file of another library.

A file is recognized by its content, whatever its name. Nothing in it is run, and its settings are checked before a
network is built from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from stylegan.checkpoints import (
    lernapparat,
    minimal_names,
    native,
    nvidia,
    official_file,
    official_names,
    rosinality,
    tensorflow,
)
from stylegan.checkpoints.checkpoint import Checkpoint, facts
from stylegan.checkpoints.layout import CONFIG
from stylegan.checkpoints.pickle_vm import PickleError, Record, read_pickle, read_torch
from stylegan.checkpoints.rebuild import MOST_VALUES
from stylegan.errors import CheckpointError
from stylegan.machine.devices import resolve_device
from stylegan.machine.surroundings import ordinary_torch
from stylegan.models import find
from stylegan.networks.generator import FamilyGenerator

Reader = Callable[..., Checkpoint]

MOST_TENSORS = 10_000  # in a file of safetensors; three networks of 1024 pixels have under 1000
MOST_BYTES = 3 * 4 * MOST_VALUES  # of a file with three networks
_HEAD = 4096  # bytes of a file that are looked at first
_LEGACY_TORCH = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # the number that torch.save wrote before 1.6
_TORCH_MEMBER = re.compile(rb"[^/]+/(data\.pkl|version|byteorder|constants\.pkl|\.\w+|data/|code/)")
_OTHERS = {  # first bytes -> what the file is, and what to do
    b"version https://git-lfs": "is a pointer of git-lfs instead of the file; fetch it with `git lfs pull`",
    b"\x1f\x8b": "is compressed with gzip; unpack it and choose the checkpoint in it",
    b"BZh": "is compressed with bzip2; unpack it and choose the checkpoint in it",
    b"\xfd7zXZ": "is compressed with xz; unpack it and choose the checkpoint in it",
    b"7z\xbc\xaf": "is an archive of 7-Zip; unpack it and choose the checkpoint in it",
    b"Rar!": "is a RAR archive; unpack it and choose the checkpoint in it",
    b"\x89HDF": "is an HDF5 file, which no StyleGAN is published in; choose its .pkl or .pt",
    b"\x89PNG": "is an image, not a checkpoint; choose the file with the weights",
    b"\xff\xd8\xff": "is an image, not a checkpoint; choose the file with the weights",
}
_RELATIVES = {  # first part of a class in a pickle -> what it belongs to
    "pg_modules": "Projected GAN or StyleGAN-XL",
    "timm": "Projected GAN or StyleGAN-XL",
    "R3GAN": "R3GAN in the layout of its own code",
    "training.networks": "R3GAN in the layout of its own code",
}


def load_checkpoint(source: Path | str) -> Checkpoint:
    """Read every network of a checkpoint.

    Args:
        source: a native folder, a run folder, whose newest undamaged snapshot is read, the name of a bundled network,
            or a file: a .pkl of NVIDIA's ProGAN, StyleGAN, StyleGAN2, StyleGAN2-ADA or StyleGAN3, a .pt of
            rosinality's or lernapparat's code, or a state dict, also in safetensors, of these or of the minimal
            StyleGAN2.
    Raises: CheckpointError if `source` is none of these or is damaged, or if its discriminator needs other trained
        weights than this version has; MissingExtra if these are not installed.
    """
    return read(source)


def load(source: Path | str, *, device: str | torch.device = "auto") -> FamilyGenerator:
    """Return the generator for drawing: the averaged one, in eval mode, on `device`.

    Args:
        source: as in `load_checkpoint`, for example "avatars64" or "ffhq.pkl".
        device: "cpu", "cuda", "mps", ...; "auto" uses a GPU if the machine has one.
    Raises: CheckpointError as in `load_checkpoint`.
    """
    return drawing_generator(read(source, to_draw=True), source).to(resolve_device(device))


@ordinary_torch(gradients=False)
def read(source: Path | str, *, to_draw: bool = False) -> Checkpoint:
    """Read a checkpoint as `load_checkpoint` does; `to_draw` leaves out networks that are not drawn with."""
    path = find(source)
    return native.read_folder(path, to_draw=to_draw) if path.is_dir() else _read_file(path, to_draw)


def drawing_generator(checkpoint: Checkpoint, source: Path | str) -> FamilyGenerator:
    """Return the averaged generator, else the one in training. Raises: CheckpointError if there is none."""
    generator = checkpoint.G_ema or checkpoint.G
    if generator is None:
        raise CheckpointError(f"{source} holds no generator, only a discriminator; choose another checkpoint.")
    return generator


def _read_file(path: Path, to_draw: bool) -> Checkpoint:
    content = content_of(path)
    reader = _reader(content)
    if reader is None:
        raise CheckpointError(
            f"{path} holds {_description(content)}, which is not the checkpoint of a StyleGAN; "
            "docs/checkpoints.md lists what can be read."
        )
    try:
        checkpoint = reader(content, to_draw=to_draw)
        stated = content if isinstance(content, dict) else {}
        origin: str | None = f"{path.name}, {checkpoint.origin}"
        if reader is official_file.read:
            origin = checkpoint.origin
        elif isinstance(stated.get("origin"), str):  # a file that this library wrote
            origin, checkpoint = stated["origin"], replace(checkpoint, licence=stated.get("licence"))
        given = facts({**vars(checkpoint), "origin": origin})
        if checkpoint.G_ema is checkpoint.G is checkpoint.D is None:
            raise CheckpointError("holds no network")
        return replace(checkpoint, **given)
    except CheckpointError as error:
        reason = str(error)
        if not reason.startswith(("holds ", "is ")):
            reason = f"is damaged or of another kind: {reason}"
        raise CheckpointError(f"{path} {reason}.") from error


def content_of(path: Path) -> Any:
    """Return the content of a file of any container. Raises: CheckpointError with one sentence on what the file is."""
    if not path.is_file():  # a pipe would be waited for
        raise CheckpointError(f"{path} is neither a file nor a folder; choose a checkpoint.")
    try:
        size = path.stat().st_size
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise CheckpointError(f"{path} is empty; download it again.")
    if size > MOST_BYTES:
        raise CheckpointError(f"{path} has {size / 1e9:,.0f} GB, more than any checkpoint; choose another file.")
    for start, meaning in _OTHERS.items():
        if head.startswith(start):
            raise CheckpointError(f"{path} {meaning}.")
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise CheckpointError(f"{path} is an HTML page, such as the message of a server; download it again.")
    try:
        if head.startswith(b"PK\x03\x04"):
            if not _TORCH_MEMBER.match(head[30:]):
                raise CheckpointError(f"{path} is a zip; unpack it and choose the checkpoint in it.")
            return read_torch(path)
        if head.startswith(_LEGACY_TORCH):
            return read_torch(path)
        if head[:1] == b"\x80":
            return read_pickle(path)
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
            return _safetensors(path)
    except PickleError as error:
        error.file = None  # these sentences begin with it
        name = error.name or ""
        for part, relative in _RELATIVES.items():
            if f"{name}.".startswith(f"{part}."):
                raise CheckpointError(
                    f"{path} holds a network of {relative}, which is a relative of StyleGAN that this library does not "
                    "have."
                ) from error
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    raise CheckpointError(
        f"{path} is not a checkpoint: it is neither a pickle nor a file of torch.save or safetensors."
    )


def _safetensors(path: Path) -> Any:
    try:
        with safe_open(path, framework="pt") as file:
            if (count := len(file.keys())) > MOST_TENSORS:
                raise CheckpointError(f"{path} has {count:,} tensors, more than any checkpoint; choose another file.")
            config = (file.metadata() or {}).get(official_file.SETTINGS)
        if config is not None:
            return official_file.nested(load_file(path), config)
        if (path.parent / CONFIG).is_file():
            raise CheckpointError(f"{path} is one network of the checkpoint {path.parent}; choose that folder.")
        return load_file(path)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; download it again.") from error


def _reader(content: Any) -> Reader | None:
    """Return the function that reads an unpickled content; None if it is not known."""
    if isinstance(content, Record):
        return nvidia.read_module
    if isinstance(content, list | tuple):
        return tensorflow.read if len(content) == 3 and isinstance(content[2], Record) else None
    if not isinstance(content, dict):
        return None
    if official_file.is_checkpoint(content):
        return official_file.read
    if any(
        isinstance(content.get(name), Record) or nvidia.is_state_dict(content.get(name)) for name in nvidia.NETWORKS
    ):
        return nvidia.read
    if rosinality.is_checkpoint(content):
        return rosinality.read
    if nvidia.is_state_dict(content):
        return _reader_of_state_dict(content)
    if nvidia.is_state_dict(content.get("state_dict")) and (inner := _reader_of_state_dict(content["state_dict"])):
        return lambda content, to_draw: inner(content["state_dict"], to_draw=to_draw)
    return minimal_names.read if minimal_names.is_checkpoint(content) else None


def _reader_of_state_dict(content: dict[str, Any]) -> Reader | None:
    names = nvidia.plain_names(content)
    if official_names.is_generator(names) or official_names.is_discriminator(names):
        return nvidia.read_module
    if rosinality.is_generator(names):
        return lambda content, to_draw: rosinality.read({"g_ema": content})
    if rosinality.is_discriminator(names):
        return lambda content, to_draw: rosinality.read({"d": content})
    if lernapparat.is_generator(names):
        return lernapparat.read
    return minimal_names.read if minimal_names.is_checkpoint(names) else None


def _description(content: Any) -> str:
    """Return in a few words what a file holds."""
    if isinstance(content, dict):
        names = ", ".join(str(name)[:40] for name in list(content)[:5])
        return f"a dict of {names}{', ...' if len(content) > 5 else ''}" if content else "an empty dict"
    if isinstance(content, list) and any(nvidia.is_state_dict(part) for part in content):
        return "a list of variables of TensorFlow, from which lernapparat's .pt is made"
    return f"a {type(content).__name__}"
