"""`stylegan info`: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
def command(source: Path) -> None:
    """Print the layers, parameters, buffers, output shapes and datatypes of every network in SOURCE.

    SOURCE is a checkpoint or the folder of a run, of which the newest snapshot is taken. Shapes are for 4 pictures;
    NAME:1 is a layer's second output, the picture so far, listed with the shape of its first as in the official
    tables. float16 marks the layers that compute in reduced precision where the device or --precision asks for it.
    """
    from stylegan.checkpoints import load_checkpoint
    from stylegan.networks.summary import discriminator_table, generator_table

    checkpoint = load_checkpoint(source)
    click.echo(f"origin: {checkpoint.origin or 'not stated'}; licence: {checkpoint.licence or 'not stated'}")
    for name, network, table in (
        ("G_ema, the averaged generator", checkpoint.G_ema, generator_table),
        ("G, the generator in training", checkpoint.G, generator_table),
        ("D, the discriminator", checkpoint.D, discriminator_table),
    ):
        if network is not None:
            click.echo(f"\n{name}\n\n{table(network)}")
