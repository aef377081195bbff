"""Measure how close each way of inversion comes, and its time.

    python benchmarks/inversion.py --network avatars64 --data unseen.zip --own 64 --real 32 --out out/inversion
    python benchmarks/inversion.py --network avatars64 --speed

The first prints two tables, for images that the network drew itself and for real images that it has not seen, and
writes sheet.png: the real images, then what each way gives. With --train it trains an encoder on these first, and
adds rows for it; --ways chooses the rows. The second compares the time of a step with that of its two networks, and a
batch with images one by one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Semaphore, Thread
from typing import Any

import click
import torch
from encoders import trained
from measure import environment, take_turns
from torch import Tensor

import stylegan
from stylegan.data.open import open_dataset
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float
from stylegan.inversion.encoder import encode
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.pivotal import tune
from stylegan.inversion.projector import REFINING, ProjectorSettings, project, psnr
from stylegan.sampling import draw, generate

AT_ONCE = 8  # images
WAYS = ("w", "w+", "pivotal", "f")
BATCH = 16  # images that are projected together, against one by one, by --speed


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Images that the network has not seen.")
@click.option("--own", default=64, show_default=True, help="Images that the network draws.")
@click.option("--real", default=32, show_default=True, help="Images of --data.")
@click.option("--steps", default=300, show_default=True)
@click.option("--label", help="Label, for a network with labels.")
@click.option("--ways", default=",".join(WAYS), show_default=True, help="Rows, also 'w+ from the mean'; '' for none.")
@click.option("--train", type=click.Path(exists=True, path_type=Path), help="Images to train an encoder on.")
@click.option("--kimg", default=4.0, show_default=True, help="Length of that training.")
@click.option("--speed", is_flag=True, help="Measure only the time of a step, and of a batch against one by one.")
@click.option("--out", type=click.Path(path_type=Path), default="out/inversion", show_default=True)
def main(
    network: str,
    data: Path | None,
    own: int,
    real: int,
    steps: int,
    label: str | None,
    ways: str,
    train: Path | None,
    kimg: float,
    speed: bool,
    out: Path,
) -> None:
    """Print the tables."""
    click.echo(f"CPU with {', '.join(environment()['cpu_features'])}")
    G, perceptual = stylegan.load(network, device="cpu"), PerceptualDistance()
    if speed:
        speeds(G, perceptual, label)
        return
    encoder = None if train is None else trained(network, "image", train, kimg, out)
    rows = [
        *filter(None, ways.split(",")),
        *(() if encoder is None else ("encoder", f"encoder + {REFINING.steps} steps")),
    ]

    def row(targets: Tensor, space: str) -> Tensor:
        start, images, scores, distances, far = time.process_time(), [], [], [], []
        hybrid, mean = space.startswith("encoder"), space.endswith("from the mean")
        settings = ProjectorSettings(steps=steps, examples=0) if mean else ProjectorSettings(steps=steps)
        if hybrid:
            settings = REFINING if "+" in space else replace(REFINING, steps=0)
        search = "w+" if hybrid else "w" if space == "pivotal" else space.removesuffix(" from the mean")
        for part in targets.split(AT_ONCE):
            first = encode(G, encoder, to_float(part)) if hybrid and encoder is not None else None
            found = project(G, part, space=search, settings=settings, label=label, start=first, perceptual=perceptual)
            drawn = found.images
            if space == "pivotal":
                tuned = tune(G, found.latents, part, label=label, perceptual=perceptual)
                drawn = torch.stack(list(draw(tuned, found.latents)))
            images.append(drawn)
            scores += psnr(drawn, part).tolist()
            distances += perceptual(*(2 * x.float() / 255 - 1 for x in (drawn, part))).tolist()
            far += found.typicality
        seconds = (time.process_time() - start) / len(targets)
        click.echo(
            f"| {space} | {seconds:.1f} | {statistics.mean(scores):.1f} | {min(scores):.1f} | "
            f"{sum(s >= 30 for s in scores) / len(scores):.0%} | {statistics.mean(distances):.4f} | "
            f"{statistics.mean(far):.2f} |"
        )
        return torch.cat(images)

    def head(what: str) -> None:
        click.echo(f"\n{what}, {steps} steps, {AT_ONCE} at a time, {torch.get_num_threads()} threads\n")
        click.echo(
            "| way | CPU seconds an image | mean PSNR | least | 30 dB or more | perceptual distance | typicality |"
        )
        click.echo("|---|---|---|---|---|---|---|")

    if own:
        head(f"{own} images of {network} itself (seeds from 1000)")
        targets = generate(G, range(1000, 1000 + own), psi=1, label=label)
        for way in rows:
            if way not in ("f", "pivotal"):
                row(targets, way)
    if data is not None and real:
        dataset = open_dataset(data, use_labels=False)
        targets = dataset.images(range(real))
        head(f"{real} images of {data.name}")
        sheet = [targets, *(row(targets, way) for way in rows)]
        shown = min(real, 8)
        out.mkdir(parents=True, exist_ok=True)
        cells = [image for images in sheet for image in images[:shown]]
        stylegan.save_png(make_grid(cells, shown, len(sheet)), out / "sheet.png")
        click.echo(f"\nWrote {out / 'sheet.png'}: the images, then {', '.join(rows)}.")


def speeds(G: Any, perceptual: PerceptualDistance, label: str | None, *, rounds: int = 5) -> None:
    """Print the time of a step relative to its two networks, and of a batch relative to one by one, interleaved."""
    targets = generate(G, range(BATCH), psi=1, label=label)
    forms: dict[str, Callable[[], object]] = {}
    for n in (1, BATCH):
        forms[f"step {n}"] = one_step(G, perceptual, targets[:n], label)
        forms[f"networks {n}"] = partial(both_networks, G, perceptual, n)
    seconds = {name: statistics.median(times) for name, times in take_turns(forms, rounds).items()}
    click.echo("\n| images | step | forward and backward of both networks | ratio |\n|---|---|---|---|")
    for n in (1, BATCH):
        step, networks = seconds[f"step {n}"], seconds[f"networks {n}"]
        click.echo(f"| {n} | {step * 1000:.0f} ms | {networks * 1000:.0f} ms | {step / networks:.2f} |")
    click.echo(f"\n{BATCH} images together are {BATCH * seconds['step 1'] / seconds[f'step {BATCH}']:.1f}x as fast.")


def one_step(G: Any, perceptual: PerceptualDistance, targets: Tensor, label: str | None) -> Callable[[], object]:
    """Return a function that makes the next step of one long search, which waits in a thread between its steps."""
    ready, done = Semaphore(0), Semaphore(0)

    def between(step: int, images: Tensor) -> None:
        done.release()
        ready.acquire()

    settings = ProjectorSettings(steps=1000, examples=0, w_samples=100)
    search = partial(project, G, targets, settings=settings, label=label, perceptual=perceptual, watch=between)
    Thread(target=search, daemon=True).start()
    done.acquire()

    def step() -> None:
        ready.release()
        done.acquire()

    return step


def both_networks(G: Any, perceptual: PerceptualDistance, n: int) -> None:
    """Draw n images, read their features, and send gradients back to ws."""
    ws = torch.zeros(n, G.num_ws, G.w_dim, requires_grad=True)
    features = perceptual.features(G.synthesis(ws, noise_mode="const"))
    torch.stack([x.square().mean() for x in features]).sum().backward()


if __name__ == "__main__":
    main()
