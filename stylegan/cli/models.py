"""`stylegan models`: the networks that ship with the library as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

COLORS = {1: "gray", 3: "color", 4: "color with alpha"}  # number of channels -> word
HEADS = ("name", "images", "classes", "architecture", "size", "licence", "draws")


@click.command()
@click.option(
    "--published", "others", is_flag=True, help="List the networks that `stylegan convert NAME DEST` downloads."
)
def command(others: bool) -> None:
    """List the networks that ship with the library; every --network accepts their names."""
    from stylegan.checkpoints.commands import generate_command

    if others:
        _show_published()
        return
    from stylegan.checkpoints.native import read_config
    from stylegan.models import bundled

    networks = {name: (folder, read_config(folder)) for name, folder in bundled().items()}
    _show([HEADS, *(_row(name, folder, config) for name, (folder, config) in networks.items())])
    click.echo()
    for name, (_, config) in networks.items():
        click.echo(f"{name}: {config['origin']}.")
        if config.get("class_names"):
            click.echo(f"  classes: {', '.join(config['class_names'])}")
    click.echo("\nDraw with one:")
    for name, (_, config) in networks.items():
        names = {key: config.get(key) for key in ("class_names", "label_names")}
        options = ("--seeds", "0-31", "--grid", "8x4", "--trunc", "0.7")
        click.echo(f"  {generate_command(name, *options, c_dim=config['generator']['c_dim'], **names)}")
    click.echo("\nNetworks of others to download: stylegan models --published")


def _show(rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _show_published() -> None:
    from stylegan.models.published import published

    rows = [(e.name, f"{e.resolution} px", e.architecture, e.licence, e.draws) for e in published().values()]
    _show([("name", "images", "architecture", "licence", "draws"), *rows])
    click.echo("\nDownload one, after a question: stylegan convert NAME DEST")


def _row(name: str, folder: Path, config: dict[str, Any]) -> tuple[str, ...]:
    from stylegan.checkpoints.layout import DRAWS, NETWORKS

    generator = config["generator"]
    return (
        name,
        f"{generator['img_resolution']} px {COLORS[generator['img_channels']]}",
        str(generator["c_dim"] or "-"),
        config["architecture"],
        f"{(folder / NETWORKS['G_ema']).stat().st_size / 1000:,.0f} KB",
        config["licence"],
        config[DRAWS],
    )
