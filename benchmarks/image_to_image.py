"""Measure image-to-image: superres against bicubic, and how well styles keep a sketch.

    python benchmarks/image_to_image.py --network avatars64 --unseen unseen.zip --out out/image_to_image

trains the encoders of both tasks on images of the network, and of --train, prints a table for each, for images of the
network itself and for unseen ones, and writes sheet.png. Edges are compared by the part that they share (intersection
over union), exactly and with a tolerance of one pixel.

    python benchmarks/image_to_image.py --tasks labels --maps avatars50k.zip --unseen unseen10k.zip

trains an encoder on label maps of drawn faces instead, translates those of unseen faces, and counts the attributes that
a judge, trained on real faces, finds right in the results. It needs the extra `samples`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from directions import labeled
from directions import trained as trained_judge
from encoders import trained
from label_maps import draw_map, faces_of, write_pairs
from measure import environment
from torch import Tensor

import stylegan
from stylegan.data.open import open_dataset
from stylegan.data.samples.make_avatars import LABELS
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float, to_uint8
from stylegan.inversion.encoder import Encoder
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.projector import psnr
from stylegan.inversion.tasks import sketch
from stylegan.inversion.translate import translate
from stylegan.sampling import draw, generate

STYLES = range(5)
STEPS = 100  # that fit an image to its input
SHOWN = 6  # inputs on the sheet
MAPS = 6000  # faces that the judge and the encoder of label maps learn from
JUDGED = 500  # unseen faces whose maps are translated
IN_MAPS = [name for name in LABELS if name != "dark_hair"]  # a map has parts, and no color of hair


def edge_iou(a: Tensor, b: Tensor, tolerance: int = 0) -> float:
    """Return the mean part of the edges of two batches of sketches that both have, within `tolerance` pixels."""
    lines = [(x < 0).float() for x in (a, b)]
    wide = [F.max_pool2d(x, 2 * tolerance + 1, 1, tolerance) for x in lines]
    shared = (lines[0] * wide[1]).sum([1, 2, 3]) + (lines[1] * wide[0]).sum([1, 2, 3])
    total = lines[0].sum([1, 2, 3]) + lines[1].sum([1, 2, 3])
    # An edge of one that the other has counts for both; for equal weights, shared / 2 is the intersection.
    return float((shared / 2 / (total - shared / 2).clamp(min=1)).mean())


class Bench:
    """Draws from inputs, and collects the cells of the sheet."""

    def __init__(self, network: str, train: Path | None, kimg: float, out: Path):
        self.network, self.train, self.kimg, self.out = network, train, kimg, out
        self.G, self.perceptual = stylegan.load(network, device="cpu").requires_grad_(False), PerceptualDistance()
        self.cells: list[Tensor] = []

    def trained(self, task: str, data: Path | None = None, inputs: Path | None = None) -> Encoder:
        """Return the encoder of a task."""
        return trained(self.network, task, data or self.train, self.kimg, self.out, inputs=inputs)

    def drawn(self, encoder: Encoder, inputs: Tensor, styles: Sequence[int] = (), steps: int = 0) -> list[Tensor]:
        """Return the images of an encoder, after steps, then those of each style, uint8 [N, 3, R, R]."""
        found = translate(self.G, encoder, inputs, styles, steps=steps)
        return [torch.stack(list(draw(self.G, column))) for column in zip(*found, strict=True)]

    def show(self, *rows: Tensor) -> None:
        """Add rows of images to the sheet."""
        self.cells += [cell for row in rows for cell in row[:SHOWN]]

    def superres(self, sets: dict[str, Tensor]) -> None:
        """Print how far enlarged images are from their originals."""
        encoder = self.trained("superres")
        click.echo(
            "\n| images | from 8 pixels | perceptual distance | PSNR | off the 8 pixels |\n|---|---|---|---|---|"
        )
        for name, targets in sets.items():
            inputs = encoder.settings.task.of_images(to_float(targets))
            ways = {"bicubic": to_uint8(inputs)}
            seconds = []
            for steps in (0, STEPS):
                start = time.process_time()
                ways[f"encoder, {steps} steps"] = self.drawn(encoder, inputs, steps=steps)[0]
                seconds.append((time.process_time() - start) / len(targets))
            for way, result in ways.items():
                distance = float(self.perceptual(to_float(result), to_float(targets)).mean())
                off = float(encoder.settings.task.difference(to_float(result), inputs).mean().sqrt())
                click.echo(
                    f"| {name} | {way} | {distance:.3f} | {float(psnr(result, targets).mean()):.1f} dB | {off:.3f} |"
                )
            click.echo(f"{STEPS} steps: {seconds[1] - seconds[0]:.2f} CPU seconds an image.", err=True)
            self.show(*ways.values(), targets)

    def sketch(self, sets: dict[str, Tensor]) -> None:
        """Print how much of the edges is kept."""
        encoder = self.trained("sketch")
        click.echo(f"\n| images | {len(STYLES)} styles against | IoU of edges | within a pixel |\n|---|---|---|---|")
        for name, targets in sets.items():
            inputs = encoder.settings.task.of_images(to_float(targets))
            found = {steps: self.drawn(encoder, inputs, STYLES, steps) for steps in (0, STEPS)}
            for steps, (plain, *styled) in found.items():
                edges = [sketch(to_float(result)) for result in styled]
                for what, reference in (("the sketch", inputs), ("the plain image", sketch(to_float(plain)))):
                    exact, near = (sum(edge_iou(edge, reference, t) for edge in edges) / len(edges) for t in (0, 1))
                    click.echo(f"| {name} | {what}, {steps} steps | {exact:.2f} | {near:.2f} |")
            plain, *styled = found[STEPS]
            self.show(to_uint8(inputs).expand_as(plain), found[0][0], plain, *styled[:3])

    def labels(self, unseen: Path, maps: Path) -> None:
        """Print which attributes of unseen faces are right in the images drawn from their label maps."""
        G = self.G
        names, real, has = labeled(maps, MAPS)
        judge = trained_judge(real, has)
        _, targets, true = labeled(unseen, JUDGED)
        encoder = self.trained("labels", *write_pairs(maps, MAPS, self.out / "pairs", G.img_resolution))
        files = torch.stack([draw_map(face, G.img_resolution) for face in faces_of(unseen, JUDGED).values()])
        plain, *styled = self.drawn(encoder, encoder.settings.task.of_files(files, G.img_resolution), STYLES[:3])
        chosen = [names.index(name) for name in IN_MAPS]
        expected = true[:, chosen] > 0.5
        real_right, right = (judge.sees(images)[:, chosen] == expected for images in (targets, plain))
        guess = torch.maximum(expected.double().mean(0), 1 - expected.double().mean(0))
        click.echo(
            f"\n| {JUDGED} maps of {unseen.name} | with it | judge right, real faces | always the more frequent | "
            "from the map: right | of faces with it | of faces without it |\n|---|---|---|---|---|---|---|"
        )
        rows = []
        for i, name in enumerate(IN_MAPS):
            with_it = expected[:, i]
            parts = (real_right[:, i], right[:, i], right[with_it, i], right[~with_it, i])
            judged, all_right, *sides = (float(part.double().mean()) for part in parts)
            rows.append([float(with_it.double().mean()), judged, float(guess[i]), all_right, *sides])
            click.echo(f"| `{name}` | " + " | ".join(f"{x:.0%}" for x in rows[-1]) + " |")
        click.echo(
            "| mean | " + " | ".join(f"{sum(column) / len(rows):.0%}" for column in zip(*rows, strict=True)) + " |"
        )
        self.show(files, plain, *styled, targets)


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--unseen", type=click.Path(exists=True, path_type=Path), help="Images that the network has not seen.")
@click.option(
    "--train",
    type=click.Path(exists=True, path_type=Path),
    help="Images that superres and sketch learn from beside those of the network.",
)
@click.option("--images", default=32, show_default=True, help="Of the network, and of --unseen.")
@click.option("--tasks", default="superres,sketch", show_default=True, help="Tables to make; also labels.")
@click.option("--maps", type=click.Path(exists=True, path_type=Path), help="Avatars to learn label maps from.")
@click.option("--kimg", default=4.0, show_default=True, help="Length of each training.")
@click.option("--out", type=click.Path(path_type=Path), default="out/image_to_image", show_default=True)
def main(
    network: str,
    unseen: Path | None,
    train: Path | None,
    images: int,
    tasks: str,
    maps: Path | None,
    kimg: float,
    out: Path,
) -> None:
    """Print the tables."""
    chosen = tasks.split(",")
    if "labels" in chosen and (unseen is None or maps is None):
        raise click.UsageError("the task labels needs --unseen and --maps, two zips of make_avatars.")
    click.echo(f"CPU with {', '.join(environment()['cpu_features'])}")
    bench = Bench(network, train, kimg, out)
    sets = {f"of {network} itself": generate(bench.G, range(1000, 1000 + images), psi=1)}
    if unseen is not None:
        sets[f"of {unseen.name}"] = open_dataset(unseen).images(range(images))
    if "superres" in chosen:
        bench.superres(sets)
    if "sketch" in chosen:
        bench.sketch(sets)
    if "labels" in chosen and unseen is not None and maps is not None:
        bench.labels(unseen, maps)
    out.mkdir(parents=True, exist_ok=True)
    stylegan.save_png(make_grid(bench.cells, SHOWN, len(bench.cells) // SHOWN), out / "sheet.png")
    click.echo(
        f"\nWrote {out / 'sheet.png'}, for each set: small images, encoder, originals; sketches, encoder, styles, "
        "refined; then label maps, encoder, styles, originals."
    )


if __name__ == "__main__":
    main()
