"""The `stylegan` command: runs a verb and turns an error into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from difflib import get_close_matches
from importlib import import_module

import click

from stylegan.cli.messages import with_flags
from stylegan.cli.translation import refuse_repeated, translate_flags, translate_verb
from stylegan.cli.verbs import VERBS, module_of
from stylegan.errors import StyleGANError


class _Verbs(click.Group):
    """A group that imports the module of a verb only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(module_of(name)).command
        for part in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            if not any(param.name == "debug" for param in part.params):
                debug = click.Option(
                    ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."
                )
                part.params.append(debug)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, translate_verb(args))
        if name is not None and command is not None:
            rest = translate_flags(name, rest)
            refuse_repeated(command, rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stylegan")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """Train, generate, mix and inspect style-based GANs.

    Start with `stylegan generate --seeds 0-31 --grid 8x4 --trunc 0.7`, which draws with a network that ships with the
    library, or with `stylegan train --outdir runs`: without --data it trains on the embedded avatar faces.
    """


def _spin_less() -> None:
    """Let threads that wait for each other give up their cores soon; it holds for the PyTorch that is loaded later.

    GNU's OpenMP lets them spin for milliseconds. On a machine that does other work, each of many short operations then
    waits until the system gives the last thread a core (docs/performance.md, "On a busy machine").
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def main() -> None:
    """Run the command line. Exits with 0 after success, 1 after a failed run, 2 after wrong usage, 130 when stopped."""
    _spin_less()
    warnings.showwarning = lambda message, *_: click.echo(f"Warning: {with_flags(str(message))}", err=True)
    try:
        cli.main(standalone_mode=False)
    except click.UsageError as error:
        if isinstance(error, click.NoSuchOption):  # a short option resembles many words of another meaning
            close = get_close_matches(error.option_name, error.possibilities or (), cutoff=0.8)
            error = click.NoSuchOption(error.option_name, possibilities=close, ctx=error.ctx)
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except StyleGANError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"Error: {with_flags(str(error))}", err=True)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        from stylegan.machine.memory import is_out_of_memory

        if "--debug" in sys.argv or not is_out_of_memory(error):
            raise
        remedy = "close other programs, or use a smaller --batch, smaller images or a smaller network"
        click.echo(f"Error: the command ran out of memory; {remedy}.", err=True)
        sys.exit(1)
