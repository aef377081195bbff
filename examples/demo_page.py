"""The page that shows the results of the demo: one plain HTML file without scripts or outside resources."""

from __future__ import annotations

import shlex
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

from PIL import Image

from stylegan.files.atomic import write_text
from stylegan.models import DEFAULT
from stylegan.training import Tick

WIDTH_PX = 896  # images are enlarged up to this width, by a whole factor
MAX_SCALE = 8


class Chapter(NamedTuple):
    """One image with its title, its explanation and the command that makes it."""

    title: str
    file: str  # beside the page
    text: str
    command: str  # makes the image


def write_page(path: Path, run: Path, last: Tick, chapters: list[Chapter]) -> None:
    """Write the page; `run` is the run folder and `last` its last tick."""
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    page = template.substitute(
        network=DEFAULT,
        kimg=f"{last.nimg / 1000:.1f}",
        seconds=f"{last.seconds:.0f}",
        run=escape(shlex.quote(str(run))),
        run_page=escape(f"{run.name}/index.html"),
        more_kimg=last.nimg // 1000 + 100,
        chapters="\n".join(_section(path.parent, chapter) for chapter in chapters),
    )
    write_text(path, page)


def _section(folder: Path, chapter: Chapter) -> str:
    with Image.open(folder / chapter.file) as image:
        width, height = image.size
    scale = min(max(1, WIDTH_PX // width), MAX_SCALE)
    name, title = escape(chapter.file), escape(chapter.title)
    return f"""<section>
  <h2>{title}</h2>
  <p>{escape(chapter.text)}</p>
  <a href="{name}"><img src="{name}" width="{width * scale}" height="{height * scale}" alt="{title}"></a>
  <pre><code>{escape(chapter.command)}</code></pre>
</section>"""
