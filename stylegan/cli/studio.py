"""`stylegan studio`: trained networks -> a page in the browser, over an HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from stylegan.cli.launch import main_only
from stylegan.cli.options import LocalPath, Network, device_option, precision_option

PORT = 7860


def serving_options(command: Callable) -> Callable:
    """Add the options of `stylegan serve`, which `stylegan studio` has too."""
    for option in reversed(
        [
            click.option(
                "--network",
                "networks",
                type=Network(),
                multiple=True,
                metavar="FILE|FOLDER|NAME",
                help="A network to offer besides the bundled ones: a checkpoint, a file of another tool, or the folder "
                "of a run; can be repeated. The first is selected at the start.",
            ),
            click.option(
                "--host",
                default="127.0.0.1",
                show_default=True,
                metavar="ADDRESS",
                help="Address to listen on. With any but the default, other machines can call, and need the token in "
                "the printed URL.",
            ),
            click.option(
                "--port",
                type=click.IntRange(0, 65535),
                default=PORT,
                show_default=True,
                metavar="PORT",
                help="Port to listen on; 0 takes any free one.",
            ),
            click.option(
                "--allow-host",
                "hosts",
                multiple=True,
                metavar="NAME",
                help="A further name under which the studio may be called, such as that of a proxy; can be repeated.",
            ),
            click.option(
                "--data",
                type=LocalPath(exists=True),
                metavar="DIR",
                help="Folder whose data sets, folders and archives of images, can be trained on.",
            ),
            device_option,
            precision_option,
        ]
    ):
        command = option(command)
    return command


@click.command("studio")
@serving_options
@click.option(
    "--runs",
    type=LocalPath(),
    default="runs",
    show_default=True,
    metavar="DIR",
    help="Folder of the runs that are trained and shown.",
)
@click.option("--no-training", is_flag=True, help="Leave out the Train tab.")
@click.option(
    "--osc-in",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Let OSC messages to this port of this machine steer the live image.  [default: none]",
)
@click.option(
    "--osc-map",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="JSON",
    help="Rules for --osc-in: address -> number, scale, offset, clamp and curve.  [default: /stylegan/psi and so on]",
)
@click.option(
    "--osc-out",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Send the place of the live image, seeds and the ends of loops to this port of this machine.  [default: none]",
)
@click.option("--no-browser", is_flag=True, help="Print the URL without opening the browser.")
@click.option("--api-only", is_flag=True, help="Serve the HTTP API without the page, as stylegan serve does.")
@main_only
def command(runs: Path, no_training: bool, no_browser: bool, api_only: bool, **options: Any) -> None:
    """Open the studio in the browser: explore seeds, mix styles, make loops, invert photos, edit, bend and train.

    Everything that it shows can be downloaded together with the command that draws it again. The studio listens on this
    machine only, unless --host says otherwise. Ctrl-C ends it.
    """
    if options["osc_map"] is not None and options["osc_in"] is None:
        raise click.UsageError("--osc-map has rules for messages; add --osc-in PORT.")
    shown = None if no_training else runs
    serve(page=not api_only, browser=not (no_browser or api_only), runs=shown, **options)


def serve(
    *,
    networks: tuple[Path, ...],
    host: str,
    port: int,
    hosts: tuple[str, ...],
    data: Path | None,
    runs: Path | None,
    device: str,
    precision: str,
    page: bool,
    browser: bool,
    osc_in: int | None = None,
    osc_map: Path | None = None,
    osc_out: int | None = None,
) -> None:
    """Run the studio until a signal ends it."""
    from stylegan.machine.memory import keep_freed_memory, share_memory_of_threads
    from stylegan.studio.serve import bind, run
    from stylegan.studio.session import Session

    keep_freed_memory()
    share_memory_of_threads()
    bound = bind(host, port)

    def started(url: str) -> None:
        click.echo(f"Serving {url} (Ctrl-C ends it)")
        if "?token=" in url:
            click.echo("On other machines, open the same with the name or the address of this machine.")
        if not page:
            click.echo("The API is described in /v1/openapi.json.")
        if browser:
            click.launch(url)

    with (
        Session(offered(networks), device=device, precision=precision, runs=runs, data=data) as session,
        ExitStack() as stack,
    ):
        if osc_in is not None or osc_out is not None:
            from stylegan.studio.osc import OscIn, OscOut, read_rules

            if osc_in is not None:
                stack.enter_context(OscIn(session.live, osc_in, read_rules(osc_map) if osc_map else None))
            if osc_out is not None:
                session.live.send_events(OscOut(osc_out))
        run(session, bound, page=page, hosts=hosts, started=started)


def offered(networks: tuple[Path, ...]) -> dict[str, Path | str]:
    """Return the networks by name: those given, named by their folders, then the other bundled ones."""
    from stylegan.models import bundled

    named: dict[str, Path | str] = {}
    for path in networks:
        if path in bundled().values():
            named[path.name] = path.name
            continue
        name = path.resolve().name
        number = 2
        while name in named:
            name, number = f"{path.resolve().name}-{number}", number + 1
        named[name] = path
    return {**named, **{name: name for name in bundled() if name not in named}}
