"""Measure image-to-image: superres against bicubic, and how well styles keep a sketch.

    python benchmarks/image_to_image.py --network avatars64 --unseen unseen.zip --out out/image_to_image

trains the encoders of both tasks on images of the network, prints a table for each, for images of the network itself
and for unseen ones, and writes sheet.png. Edges are compared by the part that they share (intersection over union),
exactly and with a tolerance of one pixel.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
import torch.nn.functional as F
from encoders import trained
from measure import environment
from torch import Tensor

import stylegan
from stylegan.data.open import open_dataset
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float, to_uint8
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.projector import psnr
from stylegan.inversion.tasks import sketch
from stylegan.inversion.translate import translate
from stylegan.sampling import draw, generate

STYLES = range(5)
SHOWN = 6  # inputs on the sheet


def edge_iou(a: Tensor, b: Tensor, tolerance: int = 0) -> float:
    """Return the mean part of the edges of two batches of sketches that both have, within `tolerance` pixels."""
    lines = [(x < 0).float() for x in (a, b)]
    wide = [F.max_pool2d(x, 2 * tolerance + 1, 1, tolerance) for x in lines]
    shared = (lines[0] * wide[1]).sum([1, 2, 3]) + (lines[1] * wide[0]).sum([1, 2, 3])
    total = lines[0].sum([1, 2, 3]) + lines[1].sum([1, 2, 3])
    # An edge of one that the other has counts for both; for equal weights, shared / 2 is the intersection.
    return float((shared / 2 / (total - shared / 2).clamp(min=1)).mean())


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--unseen", type=click.Path(exists=True, path_type=Path), help="Images that the network has not seen.")
@click.option("--images", default=32, show_default=True, help="Of the network, and of --unseen.")
@click.option("--kimg", default=4.0, show_default=True, help="Length of each training.")
@click.option("--out", type=click.Path(path_type=Path), default="out/image_to_image", show_default=True)
def main(network: str, unseen: Path | None, images: int, kimg: float, out: Path) -> None:
    """Print the tables."""
    click.echo(f"CPU with {', '.join(environment()['cpu_features'])}")
    G, perceptual = stylegan.load(network, device="cpu"), PerceptualDistance()
    superres, sketches = (trained(network, task, None, kimg, out) for task in ("superres", "sketch"))
    sets = {f"of {network} itself": generate(G, range(1000, 1000 + images), psi=1)}
    if unseen is not None:
        sets[f"of {unseen.name}"] = open_dataset(unseen).images(range(images))

    @torch.no_grad()
    def drawn(encoder, inputs: Tensor, styles=()) -> list[Tensor]:
        found = translate(G, encoder, inputs, styles)
        return [torch.stack(list(draw(G, column))) for column in zip(*found, strict=True)]

    cells: list[Tensor] = []
    click.echo("\n| images | from 8 pixels | perceptual distance | PSNR |\n|---|---|---|---|")
    for name, targets in sets.items():
        inputs = superres.settings.task.of_images(to_float(targets))
        found = drawn(superres, inputs)[0]
        for way, result in (("bicubic", to_uint8(inputs)), ("encoder", found)):
            distance = float(perceptual(to_float(result), to_float(targets)).mean())
            click.echo(f"| {name} | {way} | {distance:.3f} | {float(psnr(result, targets).mean()):.1f} |")
        cells += [*to_uint8(inputs)[:SHOWN], *found[:SHOWN], *targets[:SHOWN]]
    click.echo(
        f"\n| images | edges of {len(STYLES)} styles against | IoU | within a pixel | std of colors |\n"
        "|---|---|---|---|---|"
    )
    for name, targets in sets.items():
        inputs = sketches.settings.task.of_images(to_float(targets))
        plain, *styled = drawn(sketches, inputs, STYLES)
        edges = [sketch(to_float(result)) for result in styled]
        colors = float(torch.stack([to_float(result) for result in styled]).std(0).mean())
        for what, reference in (("the sketch", inputs), ("the image without a style", sketch(to_float(plain)))):
            exact, near = (sum(edge_iou(edge, reference, t) for edge in edges) / len(edges) for t in (0, 1))
            click.echo(f"| {name} | {what} | {exact:.2f} | {near:.2f} | {colors:.2f} |")
        rows = [to_uint8(inputs).expand_as(plain), plain, *styled[:3]]
        cells += [cell for row in rows for cell in row[:SHOWN]]
    out.mkdir(parents=True, exist_ok=True)
    stylegan.save_png(make_grid(cells, SHOWN, -(-len(cells) // SHOWN)), out / "sheet.png")
    click.echo(f"\nWrote {out / 'sheet.png'}: input, encoder, target; then sketch, encoder and styles; for each set.")


if __name__ == "__main__":
    main()
