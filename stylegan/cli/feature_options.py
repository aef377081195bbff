"""The feature network in a file, through which the verbs `metrics` and `train` see images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.messages import with_flags
from stylegan.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from stylegan.files.download import Remote
    from stylegan.machine.processes import World


class _FeatureNet(click.ParamType):
    """A file that exists, which becomes an absolute path; the name of a published one; or URL#sha256=HEX."""

    name = "feature_net"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stylegan.metrics.feature_file import feature_file, remote_of

        try:
            return str(value) if remote_of(value) is not None else str(feature_file(value).resolve())
        except (CheckpointError, ConfigError) as error:
            self.fail(with_flags(str(error)), param, ctx)


class _Range(click.ParamType):
    """Two numbers, LOW:HIGH."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            low, high = value if isinstance(value, tuple) else map(float, value.split(":"))
        except ValueError:
            self.fail(f"expected two numbers such as 0:255 or -1:1, got {value!r}.", param, ctx)
        return low, high


class _Resize(click.ParamType):
    """none, legacy:PX or clean:PX."""

    name = "resize"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stylegan.metrics.torchscript import parse_resize

        try:
            parse_resize(value)
        except ConfigError as error:
            self.fail(with_flags(str(error)), param, ctx)
        return str(value)


def feature_options(command: Callable) -> Callable:
    """Add --feature-net, --feature-resize and --feature-range; each is None if it is not given."""
    for option in (
        click.option(
            "--feature-range",
            type=_Range(),
            metavar="LOW:HIGH",
            help="The range of pixels that --feature-net takes.  [default: 0:255]",
        ),
        click.option(
            "--feature-resize",
            type=_Resize(),
            metavar="none|legacy:PX|clean:PX",
            help="How images come to the size that --feature-net takes: none if it resizes them itself, as the "
            "official files do; legacy as TensorFlow 1; clean with antialiasing.  [default: none]",
        ),
        click.option(
            "--feature-net",
            type=_FeatureNet(),
            metavar="FILE|NAME|URL#sha256=HEX",
            help="A TorchScript file through which the metrics see images whose names have no network: a path; "
            "inception-2015-12-05 or vgg16, the official files, which are downloaded once; or the URL of any other "
            "with its SHA-256. Its code is run, so use only files that you trust.",
        ),
    ):
        command = option(command)
    return command


def fetched(source: str, world: World) -> Path:
    """Return the file of --feature-net; the first process of each machine downloads it if it is not in the cache."""
    from stylegan.metrics.feature_file import feature_file

    with world.local_main_first():
        return feature_file(source, _shown)


def _shown(arriving: Iterator[int], remote: Remote) -> Iterator[int]:
    from stylegan.metrics.feature_file import cached_file, published_files

    click.echo(f"Downloading {remote.url} to {cached_file(remote)}", err=True)
    for entry in published_files().values():
        if entry.sha256 == remote.sha256:
            click.echo(f"Licence: {entry.licence}", err=True)
    yield from with_download_bar(arriving, remote.bytes)


def with_download_bar(arriving: Iterator[int], size: int | None) -> Iterator[int]:
    """Yield the numbers of bytes that have arrived, while a terminal shows them as a progress bar."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Downloading", total=size)
        for received in arriving:
            progress.update(task, completed=received)
            yield received
