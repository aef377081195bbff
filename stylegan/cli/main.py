"""The `stylegan` command: finds the verb, turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module

import click

from stylegan.errors import StyleGANError

# Verb -> its line in `stylegan --help`. A verb's module is imported only when the verb is used, so that help
# and completion never wait for PyTorch.
VERBS = {
    "dataset": "Turn any folder, zip or IDX file of images into a checked data set.",
    "train": "Train a network on a data set, or continue a run.",
    "generate": "Draw images from a trained network, one per seed.",
    "mix": "Draw a matrix of images that mixes the styles of two sets of seeds.",
    "interpolate": "Draw a seamless loop that moves through several seeds.",
    "move": "Draw a seamless loop in which the images of a StyleGAN3 move or turn.",
    "metrics": "Score the images of a network.",
    "info": "Print the layers, parameters and shapes of the networks in a checkpoint.",
}


class _Verbs(click.Group):
    """A group that knows its verbs by name and imports them late."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"stylegan.cli.{name}").command
        if not any(param.name == "debug" for param in command.params):
            debug = click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")
            command.params.append(debug)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stylegan")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """Train, generate, mix and inspect style-based GANs.

    Start with `stylegan train --outdir runs`: without --data it trains on the embedded avatar faces.
    """


def main() -> None:
    """Run the command line; exit 0 when done, 1 for a failed run, 2 for wrong usage. A warning is one line too."""
    warnings.showwarning = lambda message, *_: click.echo(f"Warning: {message}", err=True)
    try:
        cli.main(standalone_mode=False)
    except click.UsageError as error:
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
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
