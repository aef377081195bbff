"""Modes of Stacked Fashion-MNIST: how many of the 1,000 combinations of garments appear, and how evenly.

python benchmarks/modes.py --network RUN --classifier out/garments
python benchmarks/modes.py --data stacked32.zip --classifier out/garments  # real stacks, the best that can be reached
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import torch
from garments import CLASSES, garments, load_classifier
from measure import json_option, report
from torch import Tensor

from stylegan.checkpoints import load
from stylegan.data import open_dataset
from stylegan.sampling.generate import generate_images

MODES = CLASSES**3
BATCH = 100


class Coverage(NamedTuple):
    """The modes that a set of images covers."""

    modes: int  # those with at least one image
    kl: float  # KL divergence of their frequencies from even ones, in nats: 0 is even, log(1000) = 6.9 is a single mode


def mode_of(classes: Tensor) -> Tensor:
    """Number the combinations of classes: [N, 3] in 0..9 -> [N] in 0..999."""
    return classes @ torch.tensor([CLASSES**2, CLASSES, 1])


def coverage(modes: Tensor) -> Coverage:
    """Count the modes of images, int64 [N], and compare their frequencies p with even ones: sum p log(p * 1000)."""
    counts = modes.bincount(minlength=MODES).double()
    p = counts / counts.sum()
    return Coverage(int((counts > 0).sum()), float(torch.xlogy(p, p * MODES).sum()))


def expected_kl(num: int) -> float:
    """Return the KL divergence to expect of `num` images of even modes, which chance makes uneven: 999 / (2 num)."""
    return (MODES - 1) / (2 * num)


def generated(network: Path, num: int, seed: int) -> Iterator[Tensor]:
    """Draw images of a network without labels, without truncation and with random noise, uint8 [n, 3, H, W] each."""
    G = load(network).for_inference()
    torch.manual_seed(seed)
    images = generate_images(G, range(seed, seed + num), noise_mode="random", batch=BATCH)
    while batch := [image for _, image in zip(range(BATCH), images, strict=False)]:
        yield torch.stack(batch)


def real(data: Path, num: int) -> Iterator[Tensor]:
    """Read the first images of a data set of stacks, uint8 [n, 3, H, W] each."""
    dataset = open_dataset(data)
    for indices in torch.arange(min(num, len(dataset))).split(BATCH):
        yield dataset.images(indices)


@click.command()
@click.option("--network", type=click.Path(exists=True, path_type=Path), help="A run or a checkpoint.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Real stacks, instead of a network.")
@click.option("--classifier", type=click.Path(exists=True, path_type=Path), required=True, help="Of garments.py.")
@click.option("--images", default=25600, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=2, show_default=True)
@json_option
def main(
    network: Path | None,
    data: Path | None,
    classifier: Path,
    images: int,
    seed: int,
    threads: int,
    path: Path | None,
) -> None:
    if (network is None) == (data is None):
        raise click.UsageError("Give either --network or --data.")
    torch.set_num_threads(threads)
    read = load_classifier(classifier)
    batches = generated(network, images, seed) if network is not None else real(data, images)
    modes = torch.cat([mode_of(garments(read, batch)) for batch in batches])
    found = coverage(modes)
    click.echo(
        f"{found.modes:,} of {MODES:,} modes, KL {found.kl:.4f} ({expected_kl(len(modes)):.4f} if all are equally "
        f"likely): {len(modes):,} images of {network or data}."
    )
    source = {"source": str(network or data), "images": len(modes), "seed": seed}
    report({**source, **found._asdict(), "expected_kl": expected_kl(len(modes))}, path)


if __name__ == "__main__":
    main()
