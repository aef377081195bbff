"""Measure how close each way of inversion comes, and its time.

    python benchmarks/inversion.py --network avatars64 --data unseen.zip --own 64 --real 32 --out out/inversion

prints two tables, for images that the network drew itself and for real images that it has not seen, and writes
sheet.png: the real images, then what each space gives.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import click
import torch
from measure import environment
from torch import Tensor

import stylegan
from stylegan.data.open import open_dataset
from stylegan.images.grid import make_grid
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.pivotal import tune
from stylegan.inversion.projector import ProjectorSettings, project, psnr
from stylegan.sampling import draw, generate

AT_ONCE = 8  # images


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Images that the network has not seen.")
@click.option("--own", default=64, show_default=True, help="Images that the network draws.")
@click.option("--real", default=32, show_default=True, help="Images of --data.")
@click.option("--steps", default=300, show_default=True)
@click.option("--label", help="Label, for a network with labels.")
@click.option("--out", type=click.Path(path_type=Path), default="out/inversion", show_default=True)
def main(network: str, data: Path | None, own: int, real: int, steps: int, label: str | None, out: Path) -> None:
    """Print the tables."""
    click.echo(f"CPU with {', '.join(environment()['cpu_features'])}")
    G, perceptual = stylegan.load(network, device="cpu"), PerceptualDistance()
    settings = ProjectorSettings(steps=steps)

    def row(targets: Tensor, space: str) -> Tensor:
        start, images, scores, distances, far = time.perf_counter(), [], [], [], []
        for part in targets.split(AT_ONCE):
            search = "w" if space == "pivotal" else space
            found = project(G, part, space=search, settings=settings, label=label, perceptual=perceptual)
            drawn = found.images
            if space == "pivotal":
                tuned = tune(G, found.latents, part, label=label, perceptual=perceptual)
                drawn = torch.stack(list(draw(tuned, found.latents)))
            images.append(drawn)
            scores += psnr(drawn, part).tolist()
            distances += perceptual(*(2 * x.float() / 255 - 1 for x in (drawn, part))).tolist()
            far += found.typicality
        seconds = (time.perf_counter() - start) / len(targets)
        click.echo(
            f"| {space} | {seconds:.1f} | {statistics.mean(scores):.1f} | {min(scores):.1f} | "
            f"{sum(s >= 30 for s in scores) / len(scores):.0%} | {statistics.mean(distances):.4f} | "
            f"{statistics.mean(far):.2f} |"
        )
        return torch.cat(images)

    def head(what: str) -> None:
        click.echo(f"\n{what}, {steps} steps, {AT_ONCE} at a time, {torch.get_num_threads()} threads\n")
        click.echo(
            "| space | seconds an image | mean PSNR | least | 30 dB or more | perceptual distance | typicality |"
        )
        click.echo("|---|---|---|---|---|---|---|")

    if own:
        head(f"{own} images of {network} itself (seeds from 1000)")
        targets = generate(G, range(1000, 1000 + own), psi=1, label=label)
        for space in ("w", "w+"):
            row(targets, space)
    if data is not None and real:
        dataset = open_dataset(data, use_labels=False)
        targets = dataset.images(range(real))
        head(f"{real} images of {data.name}")
        sheet = [targets, *(row(targets, space) for space in ("w", "w+", "f", "pivotal"))]
        shown = min(real, 8)
        out.mkdir(parents=True, exist_ok=True)
        cells = [image for images in sheet for image in images[:shown]]
        stylegan.save_png(make_grid(cells, shown, len(sheet)), out / "sheet.png")
        click.echo(f"\nWrote {out / 'sheet.png'}: the images, then w, w+, f and pivotal.")


if __name__ == "__main__":
    main()
