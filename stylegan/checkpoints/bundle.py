"""Turn a trained generator into a small checkpoint to ship: half-precision weights, provenance and a model card.

    python -m stylegan.checkpoints.bundle runs/RUN avatars64

replaces the bundled network `avatars64` by the newest snapshot of a run. Parameters and noise are stored in float16
and loaded as float32; the other buffers (filters, running averages) stay exact. The images of both forms are compared
before anything is replaced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.commands import generate_command
from stylegan.checkpoints.layout import CONFIG, DRAWS, FEATURES, NETWORKS
from stylegan.checkpoints.native import (
    Contents,
    checkpoint_folder,
    contents,
    read_config,
    read_folder,
    refuse_foreign,
    write,
)
from stylegan.errors import CheckpointError, StyleGANError
from stylegan.files.atomic import atomic_folder
from stylegan.files.counted import counted
from stylegan.images.pixels import to_uint8
from stylegan.models import FOLDER
from stylegan.networks.generator import FamilyGenerator

CARD = "README.md"
TODO = "TODO"  # marks what a person has to write; a model card without it is kept when its network is replaced
LEAST_PSNR_DB = 40.0  # below, float16 changes what a viewer sees
COMPARED = 64  # images


@dataclass(frozen=True, kw_only=True)
class Card:
    """The facts about a network that its weights do not contain."""

    draws: str  # its images in a few words, "drawn faces"
    origin: str  # training data with author and licence, "50,000 drawings by ... (CC0-1.0)"
    licence: str = "Apache-2.0"  # of the weights
    class_names: tuple[str, ...] | None = None  # one per class; None keeps those of the network


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """The result of `bundle`."""

    folder: Path
    bytes: int  # of the weights
    psnr_db: float  # of the image that float16 changes most
    kept_card: bool  # whether the model card of the network that was replaced is still in place


def bundle(source: Path | str, folder: Path, card: Card) -> Bundled:
    """Write the averaged generator of `source` as a half-precision checkpoint; an older one at `folder` is replaced.

    A README.md from which all `TODO` are gone is kept.

    Raises: CheckpointError if `source` has no generator, if its weights have another licence, if the number of class
        names is wrong, or if float16 changes the images visibly; OutputError if `folder` cannot be written.
    """
    refuse_foreign(folder)
    place = checkpoint_folder(source)
    checkpoint = read_folder(place)
    generator = _labeled(checkpoint, card)
    texts = contents(Checkpoint(G_ema=generator, nimg=checkpoint.nimg, origin=card.origin, licence=card.licence)).texts
    features = read_config(place).get(FEATURES)
    config = json.loads(texts[CONFIG]) | {DRAWS: card.draws} | ({FEATURES: features} if features else {})
    older = folder / CARD
    written = older.read_text(encoding="utf-8") if older.is_file() else TODO
    kept = TODO not in written
    texts = {
        CONFIG: json.dumps(config, indent=2) + "\n",
        CARD: written if kept else model_card(folder.name, generator, config),
    }
    with atomic_folder(folder) as temporary:
        write(Contents(texts, {NETWORKS["G_ema"]: in_half(generator)}), temporary)
        stored = read_folder(temporary).G_ema
        assert stored is not None
        psnr_db = float(psnr(generator, stored).min())
        if not psnr_db >= LEAST_PSNR_DB:  # NaN too
            raise CheckpointError(
                f"float16 changes the images of {source} to a PSNR of {psnr_db:.1f} dB, at least {LEAST_PSNR_DB:g} dB "
                "are expected; share the float32 checkpoint."
            )
    size = (folder / NETWORKS["G_ema"]).stat().st_size
    return Bundled(folder=folder, bytes=size, psnr_db=psnr_db, kept_card=kept)


def in_half(generator: FamilyGenerator) -> dict[str, Tensor]:
    """Return the state dict with parameters and constant noise in float16; the other buffers keep their format."""
    parameters = {name for name, _ in generator.named_parameters()}
    return {
        name: value.half() if name in parameters or name.endswith("noise_const") else value
        for name, value in generator.state_dict().items()
    }


@torch.no_grad()
def psnr(first: FamilyGenerator, second: FamilyGenerator) -> Tensor:
    """Return the PSNR in dB of each of `COMPARED` images that two generators draw from the same latents, [COMPARED].

    The images are 8-bit, untruncated, with constant noise, and of all classes in turn.
    """
    z = torch.randn([COMPARED, first.z_dim], generator=torch.Generator().manual_seed(0))
    c = torch.eye(first.c_dim)[torch.arange(COMPARED) % first.c_dim] if first.c_dim else None
    a, b = (to_uint8(G(z, c, noise_mode="const")).double() for G in (first, second))
    return 10 * torch.log10(255**2 / (a - b).square().mean([1, 2, 3]))


def model_card(name: str, generator: FamilyGenerator, config: dict[str, Any]) -> str:
    """Return a model card in which `TODO` marks what only the author knows."""
    size, channels = generator.img_resolution, generator.img_channels
    kimg = f"{config['nimg'] / 1000:,.0f} kimg" if config["nimg"] else f"{TODO} kimg"
    parameters = sum(p.numel() for p in generator.parameters())
    names = generator.class_names or generator.label_names or []
    command = generate_command(
        name,
        *("--seeds", "0-31", "--grid", "8x4", "--trunc", "0.7"),
        c_dim=generator.c_dim,
        class_names=generator.class_names,
        label_names=generator.label_names,
    )
    return f"""---
library_name: stylegan
tags: [{config["architecture"]}]
license: {config["licence"]}
---
# {name}: {config[DRAWS]}

{config["architecture"]}, {size}x{size} pixels, {channels} channel{"s" if channels > 1 else ""},
{parameters:,} parameters in float16.{f" Classes: {', '.join(names)}." if names else ""}

```
{command}
```

## Data

{config["origin"]}. {TODO}: number of images, selection, how to make or get them.

## Recipe

Trained from scratch for {kimg} in {TODO} CPU hours on {TODO}.

```
{TODO}: the exact command
```

## Scores

Fréchet distances without truncation; lower is better, and "real" is the distance between two sets of real images.

| metric | {name} | real |
|---|---|---|
| `fid10k_mobilenetv2` | {TODO} | {TODO} |
| `fid10k_efflite2` | {TODO} | {TODO} |

## Known weaknesses

{TODO}: what is still wrong in the images, and how often.

## Licence

Weights: {config["licence"]}. Data: {TODO}.
"""


def _labeled(checkpoint: Checkpoint, card: Card) -> FamilyGenerator:
    """Return the generator to ship, with the class names of the card. Raises: CheckpointError as in `bundle`."""
    generator = checkpoint.G_ema or checkpoint.G
    if generator is None:
        raise CheckpointError("a network to bundle needs a generator, got a discriminator alone.")
    if checkpoint.licence not in (None, card.licence):
        raise CheckpointError(
            f"the weights are licensed under {checkpoint.licence}, got {card.licence}; state their own licence."
        )
    if card.class_names is not None:
        if len(card.class_names) != generator.c_dim:
            raise CheckpointError(
                f"the network has {counted(generator.c_dim, 'class', 'classes')}, got {len(card.class_names)} names; "
                "give one per class."
            )
        generator.class_names = list(card.class_names)
    return generator


@click.command()
@click.argument("source", metavar="RUN")
@click.argument("name")
@click.option("--draws", help="What it draws, in a few words.")
@click.option("--origin", help="Training data with author and licence.")
@click.option("--licence", help="Licence of the weights.")
@click.option("--classes", help="Names of the classes in their order, separated by commas.")
@click.option("--dest", type=click.Path(path_type=Path), default=FOLDER, help="Folder to write NAME into.")
def main(source: str, name: str, draws: str, origin: str, licence: str, classes: str, dest: Path) -> None:
    """Bundle the averaged generator of RUN, a run or a snapshot, as NAME.

    If NAME exists, its facts and its finished model card are kept unless the options say otherwise.
    """
    try:
        older: dict[str, Any] = read_config(dest / name) if (dest / name / CONFIG).is_file() else {}
        draws, origin = draws or older.get(DRAWS, ""), origin or older.get("origin", "")
        if not (draws and origin):
            raise click.UsageError(f"{name} is new; describe it with --draws and --origin.")
        names = classes.split(",") if classes else older.get("class_names")
        card = Card(
            draws=draws,
            origin=origin,
            licence=licence or older.get("licence") or Card.licence,
            class_names=tuple(names) if names else None,
        )
        result = bundle(source, dest / name, card)
    except StyleGANError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {result.folder}: {result.bytes / 1000:,.0f} KB in float16.")
    click.echo(f"Worst of {COMPARED} images against float32: PSNR {result.psnr_db:.1f} dB.")
    click.echo(
        f"Kept the model card; check its numbers: {result.folder / CARD}"
        if result.kept_card
        else f"Wrote a model card; replace every {TODO}: {result.folder / CARD}"
    )


if __name__ == "__main__":
    main()
