"""`stylegan info`: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
def command(source: Path) -> None:
    """Print the layers, parameters, buffers, output shapes and datatypes of every network in SOURCE.

    SOURCE is a checkpoint or the folder of a run, of which the newest snapshot is taken. Shapes are for 4 images;
    NAME:1 is a layer's second output, the image so far, listed with the shape of its first as in the official
    tables. float16 marks the layers that compute in reduced precision where the device or --precision asks for it.
    """
    from stylegan.checkpoints import load_checkpoint
    from stylegan.networks.family import architecture_of
    from stylegan.networks.summary import discriminator_table, generator_table

    checkpoint = load_checkpoint(source)
    G = checkpoint.G_ema or checkpoint.G
    if G is not None:
        click.echo(f"architecture: {architecture_of(G)}")
    click.echo(f"origin: {checkpoint.origin or 'not stated'}; licence: {checkpoint.licence or 'not stated'}")
    for kind, names in _names(G):
        click.echo(f"{kind}: {', '.join(f'{i} {name}' for i, name in enumerate(names))}")
    for name, network, table in (
        ("G_ema, the averaged generator", checkpoint.G_ema, generator_table),
        ("G, the generator in training", checkpoint.G, generator_table),
        ("D, the discriminator", checkpoint.D, discriminator_table),
    ):
        if network is not None:
            click.echo(f"\n{name}\n\n{table(network)}")


def _names(G: Any) -> list[tuple[str, list[str]]]:
    """What the labels of a generator mean, where it knows."""
    found = (("classes", getattr(G, "class_names", None)), ("labels", getattr(G, "label_names", None)))
    return [(kind, names) for kind, names in found if names]
