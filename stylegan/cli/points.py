"""Parameters that take seeds, files of latents, and images, which are projected first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stylegan.errors import ConfigError
from stylegan.files.paths import local_path

if TYPE_CHECKING:
    from stylegan.networks.generator import FamilyGenerator
    from stylegan.sampling.latent import Latent

LATENT_FILES = (".npz", ".npy")


class Seeds(click.ParamType):
    """Whole numbers and ranges, such as 0-3,7."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        from stylegan.sampling.latents import parse_seeds

        try:
            return value if isinstance(value, list) else parse_seeds(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class Points(click.ParamType):
    """Seeds and ranges, and paths of latents or images, separated by commas: 0-3,7,photo.npz."""

    name = "range|file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int | Path]:
        if isinstance(value, list):
            return value
        points: list[int | Path] = []
        for part in value.split(","):
            text = part.strip().removeprefix("seed:")
            if re.fullmatch(r"[0-9\s-]*", text) or not Path(text).suffix:
                points += Seeds().convert(text, param, ctx)
                continue
            points.append(local_path(text))
        return points


class Point(NamedTuple):
    """A seed, or a latent, and the name of its image."""

    name: str
    seed: int | Latent


def resolve(G: FamilyGenerator, points: list[int | Path], label: str | None) -> list[Point]:
    """Read the latents of files for `G`, which is not prepared for inference; an image is projected into W+.

    Files of the same name in different folders, as `stylegan project` writes them, get images of different names.
    """
    from stylegan.sampling.latent_file import load_latents

    names = _names([point for point in points if isinstance(point, Path)])
    resolved: list[Point] = []
    for point in points:
        if isinstance(point, Path) and not point.is_file():
            raise click.UsageError(f"{str(point)!r} is neither a seed nor a file; give seeds such as 0-3,7 or a path.")
        if isinstance(point, int):
            resolved.append(Point(f"seed{point:04d}", point))
        elif point.suffix.lower() in LATENT_FILES:
            latents = load_latents(point, G)
            several = len(latents) > 1
            resolved += [Point(f"{names[point]}{k:04d}" if several else names[point], z) for k, z in enumerate(latents)]
        else:
            resolved.append(Point(names[point], _projected(G, point, label)))
    return resolved


def _names(files: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each file: its own, with that of its folder in front, and with a number, where it must be."""
    files = dict.fromkeys(files)
    stems = Counter(file.stem for file in files)
    names: dict[Path, str] = {}
    for file in files:
        name = file.stem if stems[file.stem] == 1 else f"{file.resolve().parent.name}-{file.stem}"
        numbered = (name, *(f"{name}-{k}" for k in range(2, len(files) + 2)))
        names[file] = next(free for free in numbered if free not in names.values())
    return names


def _projected(G: FamilyGenerator, image: Path, label: str | None) -> Latent:
    from stylegan.inversion.projector import project
    from stylegan.inversion.target import read_target

    click.echo(f"Projecting {image}; `stylegan project` keeps the latent ...", err=True)
    return project(G, read_target(image, G)[None], space="w+", label=label).latents[0]
