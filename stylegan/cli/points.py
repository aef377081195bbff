"""What stands where a seed is taken: numbers, files of latents, and images, which are projected first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stylegan.cli.options import Seeds
from stylegan.files.paths import local_path

if TYPE_CHECKING:
    from stylegan.networks.generator import FamilyGenerator
    from stylegan.sampling.latent import Latent

LATENT_FILES = (".npz", ".npy")


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
            path = local_path(text)
            if not path.is_file():
                self.fail(f"{text!r} is neither a seed nor a file; expected seeds such as 0-3,7 or a path.", param, ctx)
            points.append(path)
        return points


class Point(NamedTuple):
    """A seed, or a latent, and the name of its image."""

    name: str
    seed: int | Latent


def resolve(G: FamilyGenerator, points: list[int | Path], label: str | None) -> list[Point]:
    """Read the latents of files for `G`, which is not prepared for inference; an image is projected into W+."""
    from stylegan.sampling.latent_file import load_latents

    resolved: list[Point] = []
    for point in points:
        if isinstance(point, int):
            resolved.append(Point(f"seed{point:04d}", point))
        elif point.suffix.lower() in LATENT_FILES:
            latents = load_latents(point, G)
            several = len(latents) > 1
            resolved += [Point(f"{point.stem}{k:04d}" if several else point.stem, z) for k, z in enumerate(latents)]
        else:
            resolved.append(Point(point.stem, _projected(G, point, label)))
    return resolved


def _projected(G: FamilyGenerator, image: Path, label: str | None) -> Latent:
    from stylegan.inversion.projector import project
    from stylegan.inversion.target import read_target

    click.echo(f"Projecting {image}; `stylegan project` keeps the latent ...", err=True)
    return project(G, read_target(image, G)[None], space="w+", label=label).latents[0]
