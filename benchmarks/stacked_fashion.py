"""Stacked Fashion-MNIST: color images whose three channels are garments drawn at random, 1,000 combinations of classes.

python benchmarks/stacked_fashion.py --source fashion32.zip --dest stacked32.zip
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from torch import Tensor

from stylegan.data import open_dataset
from stylegan.data.dataset import Dataset
from stylegan.data.writer import dataset_writer, encode_png

CHUNK = 1000  # images in memory at once


def stack_indices(garments: int, num: int, seed: int) -> np.ndarray:
    """Draw the garments of `num` stacks, each uniformly and independently: int64 [num, 3] in [0, garments)."""
    return np.random.RandomState(seed).randint(garments, size=[num, 3], dtype=np.int64)


def stacked(gray: Dataset, indices: np.ndarray) -> Tensor:
    """Return the stacks of these garments: a gray data set, [N, 3] -> uint8 [N, 3, H, W]."""
    images = gray.images(indices.reshape(-1))
    return images.reshape(len(indices), 3, *images.shape[2:])


@click.command()
@click.option("--source", type=click.Path(exists=True, path_type=Path), required=True, help="Gray images.")
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="The data set to write, such as a.zip.")
@click.option("--images", default=60000, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(source: Path, dest: Path, images: int, seed: int) -> None:
    gray = open_dataset(source)
    if gray.channels != 1:
        raise click.BadParameter(f"expected gray images, got {gray.channels} channels.", param_hint="--source")
    indices = stack_indices(len(gray), images, seed)
    with dataset_writer(dest) as writer:
        for start in range(0, images, CHUNK):
            for image in stacked(gray, indices[start : start + CHUNK]):
                writer.add(encode_png(image.permute(1, 2, 0).numpy(), compress_level=writer.compress_level))
        writer.finish({"labels": None})
    click.echo(f"Wrote {images:,} stacks of {gray.resolution}x{gray.resolution} into {dest}.")


if __name__ == "__main__":
    main()
