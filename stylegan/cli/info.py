"""`stylegan info`: the contents of a checkpoint as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
def command(source: Path) -> None:
    """Print the layers, parameters, buffers, output shapes and datatypes of every network in SOURCE.

    SOURCE is a checkpoint, or the folder of a run, whose newest snapshot is read. Shapes are for 4 images. NAME:1 is
    the second output of a layer, the image so far, which the official tables list with the shape of the first output.
    float16 marks the layers that can compute in reduced precision; the device and --precision decide whether they do.
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
    """Return ("classes", names) or ("labels", names) for each list of names that the generator has."""
    found = (("classes", getattr(G, "class_names", None)), ("labels", getattr(G, "label_names", None)))
    return [(kind, names) for kind, names in found if names]
