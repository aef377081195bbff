"""`stylegan info`: the contents of a checkpoint as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylegan.cli.options import Network
from stylegan.files.counted import counted

ROLES = {"G_ema": "the averaged generator", "G": "the generator in training", "D": "the discriminator"}


@click.command()
@click.argument("source", type=Network(), required=False)
@click.option("--network", type=Network(), metavar="FILE|FOLDER|NAME", help="The same as SOURCE.")
def command(source: Path | None, network: Path | None) -> None:
    """Print the layers, parameters, buffers, output shapes and datatypes of every network in SOURCE.

    SOURCE is a checkpoint of this library or a file of another tool, the folder of a run, whose newest snapshot is
    read, or a name that `stylegan models` lists.
    Shapes are for 4 images. NAME:1 is the second output of a layer, the image so far, which the official tables list
    with the shape of the first output. float16 marks the layers that can compute in reduced precision; the device and
    --precision decide whether they do.
    """
    named = [path for path in (source, network) if path is not None]
    if len(named) != 1:
        raise click.UsageError("name one network, for example: stylegan info avatars64.")
    from stylegan.checkpoints import load_checkpoint
    from stylegan.networks.family import architecture_of
    from stylegan.networks.summary import discriminator_table, generator_table

    checkpoint = load_checkpoint(named[0])
    G = checkpoint.G_ema or checkpoint.G
    if G is not None:
        click.echo(f"architecture: {architecture_of(G)}")
    click.echo(f"origin: {checkpoint.origin or 'not stated'}; licence: {checkpoint.licence or 'not stated'}")
    if checkpoint.nimg is not None:
        click.echo(f"trained with {checkpoint.nimg / 1000:,.0f} thousand real images")
    if checkpoint.augment_p:
        click.echo(f"augmentation probability: {checkpoint.augment_p:.3f}")
    for kind, names in _names(G):
        click.echo(f"{kind}: {', '.join(f'{i} {name}' for i, name in enumerate(names))}")
    for name, net in checkpoint.networks.items():
        table = discriminator_table if name == "D" else generator_table
        click.echo(f"\n{name}, {ROLES[name]}: {_about(net)}\n\n{table(net)}")


def _about(network: Any) -> str:
    """Return the size of a network and the precision that it declares."""
    shape = f"{network.img_resolution}x{network.img_resolution}, {network.img_channels} channels"
    labels = f", {counted(network.c_dim, 'label')}" if network.c_dim else ""
    marked = getattr(network.settings, "num_fp16_res", 0)
    precision = f"float32, reduced in the {marked} highest resolutions" if marked else "float32"
    return f"{shape}{labels}; {sum(p.numel() for p in network.parameters()):,} parameters, {precision}"


def _names(G: Any) -> list[tuple[str, list[str]]]:
    """Return ("classes", names) or ("labels", names) for each list of names that the generator has."""
    found = (("classes", getattr(G, "class_names", None)), ("labels", getattr(G, "label_names", None)))
    return [(kind, names) for kind, names in found if names]
