"""`stylegan blend`: two networks of one architecture -> a network between them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.cli.latent_options import parsed_layers
from stylegan.cli.launch import main_only
from stylegan.cli.options import Network, say_licence, say_wrote, switch, wrong_usage


@click.command("blend")
@click.argument("network", type=Network())
@click.argument("other", type=Network())
@click.argument("dest", type=click.Path(path_type=Path))
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    metavar="NUMBER",
    help="How far the layers move from NETWORK, which is 0, to OTHER, which is 1.",
)
@click.option(
    "--layers",
    metavar="LAYERS",
    help="Layers that move: coarse, middle, fine, or numbers such as 0-6,9.  [default: all]",
)
@switch("--force", "overwrite", default=False, help="Replace a checkpoint that exists at DEST.")
@main_only
def command(network: Path, other: Path, dest: Path, alpha: float, layers: str | None, overwrite: bool) -> None:
    """Write DEST, a network whose chosen layers are between those of NETWORK and OTHER.

    It works where OTHER was trained further from NETWORK, or both from a third. The latents and directions of NETWORK
    fit the result. DEST is a folder, or a file whose suffix `stylegan convert` knows.
    """
    from stylegan.checkpoints.convert import convert, kind_of, require_free
    from stylegan.checkpoints.open import drawing_generator, read
    from stylegan.editing.blend import Part, blended_checkpoint

    start = time.perf_counter()
    with wrong_usage():
        kind = kind_of(dest)
    require_free(dest, kind, overwrite=overwrite)

    def part(source: Path) -> Part:
        checkpoint = read(source, to_draw=True)
        return Part(name=source.name, G=drawing_generator(checkpoint, source), licence=checkpoint.licence)

    first, second = part(network), part(other)
    with wrong_usage():
        blend = blended_checkpoint(first, second, alpha, parsed_layers(first.G, layers))
    convert(blend, dest, kind, overwrite=overwrite)
    say_licence(blend.licence, blend.origin)
    say_wrote(dest, start)
