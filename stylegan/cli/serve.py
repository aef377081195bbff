"""`stylegan serve`: trained networks -> an HTTP API."""

from __future__ import annotations

from typing import Any

import click

from stylegan.cli.launch import main_only
from stylegan.cli.options import LocalPath
from stylegan.cli.studio import serve, serving_options


@click.command("serve")
@serving_options
@click.option(
    "--runs",
    type=LocalPath(),
    metavar="DIR",
    help="Folder of runs; with it, callers can train.  [default: no training]",
)
@main_only
def command(**options: Any) -> None:
    """Serve the HTTP API of the studio: generate, walk, mix, interpolate, project, edit, drag and bend.

    /v1/openapi.json describes it. The API listens on this machine only, unless --host says otherwise. Ctrl-C and
    SIGTERM end it once the calls that wait are answered.
    """
    serve(page=False, browser=False, **options)
