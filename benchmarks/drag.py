"""Measure how far dragged points come, and how well the image returns.

    python benchmarks/drag.py --network avatars64 --images 50 --out out/drag

The points are ones that the network itself can move. An image gets its coarse layers (up to 16 pixels) from another
seed, which changes shapes and keeps colors. A random point is valid if its patch of features is found again in that
image 4 to 12 pixels away, and from there back at its own place. The place where it is found is the target; nothing else
of that image is used.

`there and back` is the perceptual distance of the image from itself after the point is dragged to its target and back
(CCSD of FreeDrag).
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import click
import torch
from measure import environment
from torch import Tensor

import stylegan
from stylegan.editing.drag import RULES, Drag, DragSettings, Point, drag
from stylegan.editing.feature_maps import FeatureMaps
from stylegan.editing.patches import Patches
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.sampling import draw
from stylegan.sampling.generate import to_latents
from stylegan.sampling.latent import Latent

PSI = 0.7
COARSE = 4  # rows of ws from another seed: layers up to 16 pixels
NEAREST, FURTHEST = 4, 12  # pixels from a point to its target
RETURN = 1  # pixels from a point to where it is found back
POINTS = 48  # random points of an image; the half with most texture is tried
OTHERS = 20  # seeds whose coarse layers are tried for an image
FIRST_OTHER = 10_000  # of their seeds


class Pair(NamedTuple):
    """A point, where the network moves it, and the latent that does."""

    latent: Latent
    point: Point
    target: Point
    moved: Latent


def valid_pair(G: Any, seed: int, rng: torch.Generator) -> Pair | None:
    """Return a random point of the image of a seed and a target that the network reaches, None without one."""
    maps, side = FeatureMaps(G, 32), G.img_resolution
    patches = Patches(side, 1)
    around = 2 * torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    latent = to_latents(G, [seed], psi=PSI)[0]
    for k in range(OTHERS):
        other = to_latents(G, [FIRST_OTHER + OTHERS * seed + k], psi=PSI)[0]
        moved = latent.moved(other.ws - latent.ws, range(COARSE))
        with torch.no_grad():
            here, there = maps(latent.ws[None]), maps(moved.ws[None])
            points = 4 + torch.rand(POINTS, 2, generator=rng) * (side - 9)
            texture = (patches.at(here, points[:, None] + around) - patches.at(here, points)[:, None]).abs()
            points = points[texture.mean((1, 2, 3)).argsort(descending=True)[: POINTS // 2]]
            found = patches.nearest(there, here, points, points, FURTHEST)
            back = patches.nearest(here, there, found, found, FURTHEST)
        way = (found - points).norm(dim=1)
        valid = (way >= NEAREST) & (way <= FURTHEST) & ((back - points).norm(dim=1) <= RETURN)
        if bool(valid.any()):
            i = int(valid.nonzero()[0])
            (x0, y0), (x1, y1) = points[i].tolist(), found[i].tolist()
            return Pair(latent, (x0, y0), (x1, y1), moved)
    return None


def marked(image: Tensor, *points: Point) -> Tensor:
    """Return an RGB image [3, R, R] at twice its size with a red dot, and a blue one for a second point."""
    large = image.repeat_interleave(2, 1).repeat_interleave(2, 2).clone()
    for color, (x, y) in zip(([255, 0, 0], [0, 0, 255]), points, strict=False):
        at = round(2 * x), round(2 * y)
        large[:, at[1] : at[1] + 3, at[0] : at[0] + 3] = torch.tensor(color, dtype=torch.uint8)[:, None, None]
    return large


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--images", default=50, show_default=True)
@click.option("--first", default=2000, show_default=True, help="The first seed, for a part of a table.")
@click.option("--steps", default=DragSettings.steps, show_default=True)
@click.option("--space", default=DragSettings.space, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default="out/drag", show_default=True)
def main(network: str, images: int, first: int, steps: int, space: str, out: Path) -> None:
    """Print the table, and write a sheet of the first images."""
    click.echo(f"CPU with {', '.join(environment()['cpu_features'])}, {torch.get_num_threads()} threads")
    G: Any = stylegan.load(network, device="cpu")
    perceptual, rng = PerceptualDistance(), torch.Generator().manual_seed(0)
    pairs: list[Pair] = []
    tried = 0
    while len(pairs) < images:
        pair = valid_pair(G, first + tried, rng)
        pairs += [pair] if pair else []
        tried += 1
    click.echo(
        f"{images} points of {tried} images of {network} from seed {first}, psi {PSI:g}, {space}, up to {steps} steps\n"
    )
    click.echo("| method | distance before | after | falls by | arrived | there and back | steps | CPU seconds |")
    click.echo("|---|---|---|---|---|---|---|---|")
    originals = list(draw(G, [pair.latent for pair in pairs]))
    sheet = [
        [marked(image, pair.point, pair.target) for image, pair in zip(originals, pairs, strict=True)],
        [marked(image, pair.target) for image, pair in zip(draw(G, [p.moved for p in pairs]), pairs, strict=True)],
    ]
    for method in RULES:
        settings = DragSettings(method=method, steps=steps, space=space)
        start = time.process_time()
        found: list[Drag] = [drag(G, pair.latent, [(pair.point, pair.target)], settings=settings) for pair in pairs]
        seconds = (time.process_time() - start) / images
        back = [
            drag(G, one.latent, [(pair.target, pair.point)], settings=settings).latent
            for one, pair in zip(found, pairs, strict=True)
        ]
        again = torch.stack(list(draw(G, back)))
        with torch.no_grad():
            distances = perceptual(to_float(torch.stack(originals)), to_float(again)).tolist()
        before, after = mean(one.before for one in found), mean(one.after for one in found)
        arrived = mean(one.after <= 2 for one in found)
        click.echo(
            f"| {method} | {before:.1f} px | {after:.1f} px | {1 - after / before:.0%} | {arrived:.0%} | "
            f"{mean(distances):.2f} | {mean(one.steps for one in found):.0f} | {seconds:.1f} |"
        )
        places = [tuple(one.found[0].tolist()) for one in found]
        dragged = [next(iter(draw(G, [one.latent]))) for one in found]
        sheet.append([marked(image, place) for image, place in zip(dragged, places, strict=True)])
        sheet.append([marked(image) for image in again])
    out.mkdir(parents=True, exist_ok=True)
    shown = min(images, 10)
    cells = [image for row in sheet for image in row[:shown]]
    stylegan.save_png(make_grid(cells, shown, len(sheet)), out / "sheet.png")
    click.echo(
        f"\nWrote {out / 'sheet.png'}: images with the point in red and its target in blue, those that the targets are "
        f"from, and, for {' and '.join(RULES)}, dragged with the point where it is found, and dragged back."
    )


if __name__ == "__main__":
    main()
