"""`stylegan convert`: a checkpoint, or the name of a published one, to a native folder or the file of another tool."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stylegan.cli.feature_options import with_download_bar
from stylegan.cli.options import LocalPath, say_licence, say_wrote, switch, tuned_option, wrong_usage
from stylegan.errors import CheckpointError
from stylegan.models import find
from stylegan.models.published import Published, fetch, find_published, is_downloaded

if TYPE_CHECKING:
    from stylegan.checkpoints import Checkpoint


@click.command()
@click.argument("source")
@click.argument("dest", type=LocalPath())
@click.option(
    "--to",
    "kind",
    type=click.Choice(["native", "rosinality", "official"]),
    help="Kind of checkpoint to write.  [default: by the suffix of DEST: none is native, .pt rosinality, .safetensors "
    "official]",
)
@click.option(
    "--report",
    type=LocalPath(dir_okay=False),
    metavar="JSON",
    help="Also write what was kept, renamed and dropped, tensor by tensor.",
)
@tuned_option
@switch("--force", "overwrite", default=False, help="Replace a checkpoint that exists at DEST.")
@switch("--yes", default=False, help="Download without asking.")
def command(
    source: str, dest: Path, kind: str | None, report: Path | None, tuned: Path | None, overwrite: bool, yes: bool
) -> None:
    """Write the networks of SOURCE as DEST: a native folder, or a file for other tools.

    SOURCE is any checkpoint that `stylegan info` reads, or a name that `stylegan models --published` lists, which is
    downloaded after a question.

    \b
    stylegan convert network-snapshot-025000.pkl faces  # a folder that every verb reads
    stylegan convert faces sketches --tuned out/adapted.safetensors  # a network of its own
    stylegan convert faces faces.pt  # for rosinality's stylegan2-pytorch
    stylegan convert faces faces.safetensors  # state dicts in the official names
    stylegan convert internet-lions-512 lions  # download a published network
    """
    from stylegan.checkpoints.convert import convert, kind_of, require_free
    from stylegan.checkpoints.open import drawing_generator
    from stylegan.checkpoints.trace import read_accounts
    from stylegan.files.atomic import write_text
    from stylegan.inversion.pivotal import load_delta

    since = time.perf_counter()
    with wrong_usage():
        kind = kind_of(dest, kind)
    require_free(dest, kind, overwrite=overwrite)
    path, checkpoint = _opened(source, yes)
    if tuned is not None:
        G = load_delta(drawing_generator(checkpoint, path), tuned)
        checkpoint = replace(checkpoint, G_ema=G, G=None, D=None, augment_p=0.0)
    result = convert(checkpoint, dest, kind, overwrite=overwrite)
    read = read_accounts(path, checkpoint) if report is not None and path.is_file() else {}
    for name, account in read.items():
        click.echo(f"{name} as read: {account}.")
    for line in result.lines:
        click.echo(line)
    if report is not None:
        write_text(report, result.to_json(read))
    say_licence(result.licence, result.origin)
    say_wrote(f"{dest} ({result.kind}, {result.architecture})", since)


def _opened(source: str, yes: bool) -> tuple[Path, Checkpoint]:
    """Read a checkpoint, after downloading it if `source` is the name of a published one and no path.

    Returns: its place and its networks.
    """
    from stylegan.checkpoints import load_checkpoint

    try:
        path = find(source)
        return path, load_checkpoint(path)
    except CheckpointError:
        entry = find_published(source)
        if entry is None or Path(source).exists():
            raise
    if not is_downloaded(entry):
        _download(entry, yes)
    return entry.file, replace(load_checkpoint(entry.file), origin=entry.url, licence=entry.licence)


def _download(entry: Published, yes: bool) -> None:
    """Say what would be downloaded, ask, and download it. Raises: click.Abort if the answer is no."""
    from stylegan.files.download import size_of

    size = size_of(entry.remote)
    megabytes = f"{size / 1e6:,.0f} MB" if size is not None else "of unknown size"
    click.echo(f"{entry.name}: {entry.draws}, {entry.resolution} px, {entry.architecture}, {megabytes}")
    click.echo(f"From {entry.url} to {entry.file}")
    click.echo(f"Licence of the weights: {entry.licence}")
    if entry.sha256 is None:
        click.echo("Its SHA-256 has not been published, so only its length is verified.")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("a download needs a yes; add --yes.")
        click.confirm("Download?", abort=True)
    for _ in with_download_bar(fetch(entry), size):
        pass
