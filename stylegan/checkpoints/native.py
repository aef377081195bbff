"""The native checkpoint: a folder of safetensors and a config.json. Nothing in it can be executed.

config.json                  format, architecture, settings of the networks, origin, licence
generator_ema.safetensors    the averaged generator; those in float16 or bfloat16 are loaded as float32
generator.safetensors        optional, for further training
discriminator.safetensors    optional, for further training
README.md                    a model card

A discriminator may see images through a trained network. config.json names its package and the hash of its weights,
which are not copied.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stylegan.checkpoints.checkpoint import Checkpoint, facts
from stylegan.checkpoints.commands import generate_command
from stylegan.checkpoints.layout import CONFIG, FEATURES, KIND, NETWORKS, WEIGHTS
from stylegan.checkpoints.rebuild import N, empty, fill, require_shapes
from stylegan.checkpoints.snapshots import damage, newest_snapshot
from stylegan.errors import CheckpointError, OutputError
from stylegan.files.atomic import atomic_folder
from stylegan.files.paths import local_path
from stylegan.inference import InferenceGenerator
from stylegan.models import find
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.family import (
    ARCHITECTURES,
    DISCRIMINATORS,
    architecture_of,
    discriminator_class,
    generator_class,
)
from stylegan.networks.generator import FamilyGenerator

FORMAT = 1
MOST_BYTES = 16_000_000  # of a config.json; names of 100,000 classes fit
_NAMES = ("class_names", "label_names")  # optional in config.json: meanings of the generator's labels


def save(checkpoint: Checkpoint | FamilyGenerator, folder: Path | str) -> None:
    """Write a native checkpoint; an older one of that name is replaced once the new one is complete.

    A generator alone is saved as the averaged one of a checkpoint.

    Raises: CheckpointError without a generator or for foreign networks, OutputError if `folder` holds something else or
        cannot be written.
    """
    folder = local_path(folder)
    if isinstance(checkpoint, nn.Module):  # `contents` refuses those that are not a generator of the family
        checkpoint = Checkpoint(G_ema=checkpoint)
    if not isinstance(checkpoint, Checkpoint):
        raise CheckpointError(f"a generator or a Checkpoint can be saved, got {type(checkpoint).__name__}.")
    refuse_foreign(folder)
    files = contents(checkpoint)
    with atomic_folder(folder) as temporary:
        write(files, temporary)


class Contents(NamedTuple):
    """The contents of the files of a checkpoint, by file name."""

    texts: dict[str, str]
    tensors: dict[str, dict[str, Tensor]]


def contents(checkpoint: Checkpoint) -> Contents:
    """Return the files of a native checkpoint. Raises: CheckpointError without a generator, or for foreign networks."""
    generator = checkpoint.G_ema or checkpoint.G
    if generator is None or isinstance(generator, FamilyDiscriminator):
        found = "none" if generator is None else "a discriminator"
        raise CheckpointError(f"a checkpoint needs a generator to be saved, got {found}; pass G_ema.")
    for network in (checkpoint.G_ema, checkpoint.G, checkpoint.D):
        _require_own(network)
    architecture = architecture_of(generator)
    config = {
        "format": FORMAT,
        "architecture": architecture,
        "generator": asdict(generator.settings),
        "discriminator": asdict(checkpoint.D.settings) if checkpoint.D is not None else None,
        "augment_p": checkpoint.augment_p,
        "nimg": checkpoint.nimg,
        "origin": checkpoint.origin,
        "licence": checkpoint.licence,
        **{key: getattr(generator, key) for key in _NAMES if getattr(generator, key) is not None},
        **(_about(checkpoint.D) if checkpoint.D is not None else {}),
    }
    texts = {CONFIG: json.dumps(config, indent=2) + "\n", "README.md": _model_card(config)}
    networks = {file: getattr(checkpoint, name) for name, file in NETWORKS.items()}
    return Contents(texts, {file: network.state_dict() for file, network in networks.items() if network is not None})


def write(files: Contents, folder: Path) -> None:
    """Write files into an existing folder; tensors may have any device and layout.

    Raises: OSError if the disk is full or cannot be written.
    """
    for name, text in files.texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for name, tensors in files.tensors.items():
        try:
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / name)
        except SafetensorError as error:  # a full disk raises this too
            raise OSError(str(error)) from error


def read_folder(source: Path | str, *, to_draw: bool = False) -> Checkpoint:
    """Read a native folder, the newest undamaged snapshot of a run folder, or a bundled network.

    Args:
        to_draw: leave out a discriminator that needs the weights of another package.
    Raises: CheckpointError if `source` is not a checkpoint or is damaged, or if its discriminator needs other trained
        weights than this version has; MissingExtra if these are not installed.
    """
    folder = checkpoint_folder(source)
    config = read_config(folder)
    networks: dict[str, Any] = {}
    for name, file in NETWORKS.items():
        if name == "D" and to_draw and WEIGHTS in config:
            continue
        args = config.get("discriminator" if name == "D" else "generator")
        if (folder / file).is_file() and args is not None:
            kind = "Discriminator" if name == "D" else "Generator"
            if not isinstance(args, dict):
                raise CheckpointError(
                    f"{kind.lower()} in {folder / CONFIG} must be a group of settings, "
                    f"got {reprlib.repr(args)}; the checkpoint is damaged."
                )
            if name == "D":
                networks[name] = _read_network(folder / file, _discriminator_class(config, folder), args)
            else:
                networks[name] = _read_network(folder / file, generator_class(config["architecture"]), args)
                name_labels(networks[name], config, folder / CONFIG)
    if not networks:
        raise CheckpointError(f"{folder} holds no weights; expected {NETWORKS['G_ema']} in it.")
    try:
        return Checkpoint(**networks, **facts(config))
    except CheckpointError as error:
        raise CheckpointError(f"{error} in {folder / CONFIG}; the checkpoint is damaged.") from error


def _require_own(network: nn.Module | None) -> None:
    """Raises: CheckpointError unless a network is None or one that its settings can rebuild."""
    if isinstance(network, InferenceGenerator):
        raise CheckpointError(
            "a generator made by for_inference cannot be saved; save the network that it was made from."
        )
    if network is not None and architecture_of(network) is None and not isinstance(network, FamilyDiscriminator):
        raise CheckpointError(
            f"a checkpoint takes the networks of {', '.join(ARCHITECTURES)} themselves, "
            f"got {type(network).__module__}.{type(network).__name__}."
        )


def refuse_foreign(folder: Path) -> None:
    """Refuse to replace anything but a checkpoint or an empty folder: a mistyped name must not delete images."""
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / CONFIG).is_file()):
        return
    if folder.exists():
        raise OutputError(f"{folder} already exists and is not a checkpoint; remove it or choose another name.")


def checkpoint_folder(source: Path | str) -> Path:
    """Return the folder that `read_folder` reads. Raises: CheckpointError if `source` is not a checkpoint."""
    source = find(source)
    if (source / "snapshots").is_dir():
        snapshot = newest_snapshot(source)
        if snapshot is None:
            raise CheckpointError(f"run {source} has no snapshot yet; let it train until the first one.")
        return snapshot
    if not (source / CONFIG).is_file():
        raise CheckpointError(
            f"{source} is not a checkpoint; expected a folder with {CONFIG} and {NETWORKS['G_ema']}, or a run folder."
        )
    if (wrong := damage(source)) is not None:
        raise CheckpointError(f"snapshot {source} is damaged: {wrong}; choose another.")
    return source


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of the config.json of a checkpoint. Raises: CheckpointError unless it is of this format."""
    file = folder / CONFIG
    try:
        if file.stat().st_size > MOST_BYTES:
            raise CheckpointError(f"{file} is larger than {MOST_BYTES / 1e6:.0f} MB; the checkpoint is damaged.")
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}; the checkpoint is damaged.") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        if str(found).startswith("encoder"):
            raise CheckpointError(f"{folder} holds an encoder, which is not a network; set it as `encoder`.")
        raise CheckpointError(
            f"{folder} is not a checkpoint of format {FORMAT}, got {reprlib.repr(found)}; update stylegan."
        )
    if config.get("architecture") not in ARCHITECTURES:
        raise CheckpointError(
            f"{folder} has architecture {reprlib.repr(config.get('architecture'))}; "
            f"this version knows {', '.join(ARCHITECTURES)}."
        )
    return config


def name_labels(G: FamilyGenerator, config: dict[str, Any], place: Path | str) -> None:
    """Give a generator the names of its labels that a config has. Raises: CheckpointError if their number is wrong."""
    for key in _NAMES:
        names = config.get(key)
        if names is not None and not (
            isinstance(names, list) and len(names) == G.c_dim and all(isinstance(name, str) for name in names)
        ):
            raise CheckpointError(f"{key} in {place} must be {G.c_dim} strings; correct or remove it.")
        setattr(G, key, names)


def _about(D: FamilyDiscriminator) -> dict[str, Any]:
    """Return what the config.json says of a discriminator besides its settings."""
    return {
        **({KIND: D.kind} if D.kind != FamilyDiscriminator.kind else {}),
        **({FEATURES: D.feature_network} if D.feature_network else {}),
        **({WEIGHTS: D.feature_weights._asdict()} if D.feature_weights else {}),
    }


def _discriminator_class(config: dict[str, Any], folder: Path) -> type[FamilyDiscriminator]:
    """Raises: CheckpointError for an unknown kind, or if it was trained on the features of other weights."""
    kind = config.get(KIND, FamilyDiscriminator.kind)
    if kind not in DISCRIMINATORS:
        raise CheckpointError(
            f"{folder} has a discriminator of kind {reprlib.repr(kind)}; "
            f"this version knows {', '.join(DISCRIMINATORS)}."
        )
    found = discriminator_class(config["architecture"], kind)
    own, named = found.feature_weights, config.get(WEIGHTS)
    if own is not None and (not isinstance(named, dict) or named.get("sha256") != own.sha256):
        digest = str(named.get("sha256"))[:8] if isinstance(named, dict) else None
        raise CheckpointError(
            f"the discriminator in {folder} was trained on features of weights with SHA-256 {digest}..., but this "
            f"version has those of {own.package} with SHA-256 {own.sha256[:8]}...; use the version that wrote it."
        )
    return found


def _read_network(file: Path, network_class: type[N], settings: dict[str, Any]) -> N:
    try:
        network = empty(network_class, settings)
        with safe_open(file, framework="pt") as stored:
            require_shapes(network, {name: stored.get_slice(name).get_shape() for name in stored.keys()})  # noqa: SIM118
        return fill(network, load_file(file))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}; the checkpoint is damaged.") from error
    except CheckpointError as error:
        raise CheckpointError(f"{file} does not fit the config.json beside it: {error}.") from error


def _model_card(config: dict[str, Any]) -> str:
    generator = config["generator"]
    size, channels = generator["img_resolution"], generator["img_channels"]
    names = {key: config.get(key) for key in ("class_names", "label_names")}
    command = generate_command(".", "--seeds", "0-7", "--trunc", "0.7", c_dim=generator["c_dim"], **names)
    return f"""---
library_name: stylegan
tags: [{config["architecture"]}]
license: {config["licence"] or "unknown"}
---
# {config["architecture"]}, {size}x{size} pixels, {channels} channel{"s" if channels > 1 else ""}

Origin: {config["origin"] or "not stated"}. Licence of the weights: {config["licence"] or "not stated"}.

```
{command}
```
"""
