"""`stylegan dataset`: turn images of any kind into a checked data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress

from stylegan.cli.launch import main_only
from stylegan.cli.messages import with_flags
from stylegan.cli.options import LocalPath, PathOrURL, switch, wrong_usage
from stylegan.files.counted import counted

if TYPE_CHECKING:
    from stylegan.data.prepare import PrepareConfig, PrepareReport

MOST_ALIKE = 10  # files that are listed with the same reason
_COLORS = {1: "gray", 3: "RGB", 4: "RGBA"}


class _Size(click.ParamType):
    name = "WxH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", str(value).strip().lower())
        if match is None:
            self.fail(f"expected a size such as 64x64, got {value!r}.", param, ctx)
        return int(match[1]), int(match[2] or match[1])


@click.command("dataset")
@click.option(
    "--source",
    type=PathOrURL(exists=True),
    required=True,
    help="Folder (any depth), zip, tar, IDX or TFRecord file of images, or shards.",
)
@click.option("--dest", type=LocalPath(), required=True, help="New data set: NAME.zip or the name of a folder.")
@click.option(
    "--resolution", type=_Size(), metavar="WxH", help="Resize to this, a power of two.  [default: as they are]"
)
@click.option("--width", type=int, hidden=True, metavar="PIXELS", help="With --height, the same as --resolution.")
@click.option("--height", type=int, hidden=True, metavar="PIXELS", help="With --width, the same as --resolution.")
@click.option(
    "--resize-filter",
    type=click.Choice(["bicubic", "lanczos", "box"]),
    default="bicubic",
    show_default=True,
    help="Filter of --resolution, always with antialiasing. The official default is lanczos; the 256 px sets of the "
    "papers were made with box.",
)
@click.option(
    "--transform",
    type=click.Choice(["center-crop", "center-crop-wide", "face"]),
    help="What to do with images that are not square; face cuts out the largest face that is found, as in CelebA-HQ "
    "and FFHQ.  [default: leave them out]",
)
@click.option(
    "--max-images", type=click.IntRange(min=1), metavar="IMAGES", help="Stop after this number of usable images."
)
@click.option(
    "--labels",
    type=click.Choice(["auto", "json", "folders", "none"]),
    default="auto",
    show_default=True,
    help="Labels of the source, as in dataset.json, or class sub-folders; auto takes the first of them that exists.",
)
@switch("--alpha", default=False, help="Keep transparency as a fourth channel.  [default: put it on white]")
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Write tar shards of this number of images, which training can stream, to the folder --dest.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="THREADS",
    help="Images to work on at the same time.",
)
@switch("--strict", default=False, help="Stop at the first file that cannot be used or would be enlarged.")
@main_only
def command(resolution: tuple[int, int] | None, width: int | None, height: int | None, **options: Any) -> None:
    """Turn images into a checked data set: equal, square, numbered, with dataset.json.

    Files that cannot be used are left out and listed with the reason, the first ten of each.

    \b
    stylegan dataset --source photos --dest photos64.zip --resolution 64x64 --transform center-crop
    stylegan dataset --source train-images-idx3-ubyte.gz --dest fashion32.zip
    """
    from stylegan.data.prepare import PrepareConfig

    if width or height:
        if resolution:
            raise click.UsageError("--resolution names the width and the height; leave out --width and --height.")
        resolution = (width or height or 0, height or width or 0)
    with wrong_usage():
        config = PrepareConfig(resolution=resolution, **options)
    click.echo(_summary(_run(config)))


def _run(config: PrepareConfig) -> PrepareReport:
    """Prepare with a progress bar on a terminal, and list what was left out even if preparing fails in the end."""
    from stylegan.data.prepare import prepare_steps

    console = Console(stderr=True)
    left_out: list[tuple[str, str]] = []
    report = None
    try:
        with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
            task = bar.add_task("Preparing")
            for step in prepare_steps(config):
                if step.left_out is not None:
                    left_out.append(step.left_out)
                if step.done % 64 == 0:  # drawing is slower than a small image
                    bar.update(task, completed=step.done, total=step.total)
                report = step.report
    finally:
        if left_out:
            click.echo(_left_out_text(left_out))
    assert report is not None
    return report


def _summary(report: PrepareReport) -> str:
    side = f"{report.resolution}x{report.resolution}"
    images = counted(report.used, "image")
    lines = [f"{report.dest}: {images}, {side}, {_COLORS[report.channels]}, {_labels_text(report)}."]
    if report.not_needed:
        lines.append(f"Left {counted(report.not_needed, 'more image')} unread, as --max-images asks.")
    if report.flattened:
        lines.append(f"Made transparent pixels of {counted(report.flattened, 'image')} white; --alpha keeps them.")
    if report.enlarged:
        lines.append(f"Enlarged {counted(report.enlarged, 'smaller image')} to {side}; --strict refuses such images.")
    if report.leftovers:
        leftovers = counted(len(report.leftovers), "leftover")
        lines.append(f"Skipped {leftovers} of systems and tools: {_listed(report.leftovers)}.")
    return "\n".join([*lines, *map(with_flags, report.notes)])


def _labels_text(report: PrepareReport) -> str:
    n = report.label_dim
    if n == 0:
        return "no labels"
    if report.label_names:
        return f"labels of {counted(n, 'value')}: {_listed(report.label_names)}"
    classes = counted(n, "class", "classes")
    return f"{classes}: {_listed(report.class_names)}" if report.class_names else classes


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(_printable, names[:most])) + more


def _left_out_text(left_out: list[tuple[str, str]]) -> str:
    """Return a line for each file, and one for the rest of those whose reasons differ in numbers alone."""
    kinds: dict[str, list[str]] = {}
    for name, reason in sorted(left_out):
        kinds.setdefault(re.sub(r"\d+", "0", reason), []).append(f"  {_printable(name)}: {with_flags(reason)}")
    lines = [f"Left out {counted(len(left_out), 'file')}:"]
    for alike in kinds.values():
        lines += alike[:MOST_ALIKE]
        if more := len(alike[MOST_ALIKE:]):
            lines.append(f"  and {counted(more, 'more file')} for the same reason")
    return "\n".join(lines)


def _printable(name: str) -> str:
    # Names on disk may hold line breaks, control codes of the terminal, or bytes that are no text at all.
    return name if name.isprintable() else ascii(name)
