"""Options of the verbs that follow a text, and the progress of their searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.options import switch

if TYPE_CHECKING:
    from stylegan.editing.text_model import TextModel

_FROM = click.option(
    "--from",
    "from_text",
    metavar="TEXT",
    help="What the images show now, such as 'a face' for the text 'a face with glasses'. Where the two must be "
    "compared, the default is 'an image'.",
)
_MODEL = [
    click.option(
        "--text-model",
        metavar="FOLDER|NAME:FILE|hf-hub:NAME",
        help="Text-image model in the form of open_clip: a folder with open_clip_config.json, an architecture with a "
        "file of weights, such as ViT-B-32:weights.safetensors, or a model of the Hugging Face hub.  "
        "[default: hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K]",
    ),
    switch("--download", default=False, help="Download a model of the hub that is not on this machine yet."),
]


def model_options(command: Callable) -> Callable:
    """Add the options of a text-image model to a verb, which receives text_model and download."""
    for option in reversed(_MODEL):
        command = option(command)
    return command


def text_options(command: Callable) -> Callable:
    """Add the options of a text to a verb, which receives from_text, text_model and download."""
    return _FROM(model_options(command))


def open_text_model(text_model: str | None, download: bool, device: Any) -> TextModel:
    """Return the text-image model that the options name."""
    from stylegan.editing.text_model import DEFAULT_MODEL, load_text_model

    return load_text_model(text_model or DEFAULT_MODEL, download=download, device=device)


@contextmanager
def progress_of(what: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal while the block runs, which calls the result once for each of `total` steps."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda *_: bar.advance(task)
