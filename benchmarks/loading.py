"""Time that a training step waits for images: cached or decoded at every use, read ahead or not, in turns.

python benchmarks/loading.py [--resolution 256] [--json out.json]

A step is a pause that leaves the CPU free, as a GPU does, or float32 convolutions on all threads.
"""

from __future__ import annotations

import itertools
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from measure import measured, summary, take_turns

from stylegan.data import Dataset, open_dataset, pixels
from stylegan.data.samples import avatars
from stylegan.data.writer import dataset_writer, encode_png
from stylegan.images.pixels import to_float
from stylegan.images.resize import resize

STEPS = 5


def pause() -> None:
    """0.1 s on a GPU."""
    time.sleep(0.1)


def convolve() -> None:
    """About 0.1 s on two cores."""
    x, w = torch.ones(8, 64, 64, 64), torch.ones(64, 64, 3, 3)
    for _ in range(5):
        F.conv2d(x, w, padding=1)


def training(dataset: Dataset, batch: int, compute: Callable[[], None], ahead: bool) -> Callable[[], None]:
    """`STEPS` steps of a training that takes its images as `Batches` does."""
    stream, starts = dataset.stream(0), itertools.count(step=batch)

    def steps() -> None:
        for _, start in zip(range(STEPS), starts, strict=False):
            images = stream.images(start, batch)
            if ahead:
                stream.prefetch(start + batch, batch)
            to_float(images).contiguous(memory_format=torch.channels_last)
            compute()

    return steps


def enlarged(resolution: int, n: int, path: Path) -> Path:
    """n avatar faces at this resolution, as `stylegan dataset` writes them."""
    faces = open_dataset(avatars(), cache=path.parent / "faces")
    with dataset_writer(path) as writer:
        for i in range(n):
            img = resize(faces.image(i).permute(1, 2, 0).numpy().astype(np.uint8), resolution, resolution)
            writer.add(encode_png(img, compress_level=writer.compress_level))
        writer.finish({"labels": None})
    return path


@click.command()
@click.option("--resolution", default=256, show_default=True)
@click.option("--batch", default=32, show_default=True)
@measured(rounds=5)
def main(resolution: int, batch: int, rounds: int) -> dict:
    warnings.simplefilter("ignore", RuntimeWarning)  # that images are decoded at every use
    pixels._BYTES_IN_MEMORY = 0  # as for a set much larger than memory
    results: dict[str, dict] = {}
    click.echo("| step | images | read ahead | ms per step, with its images (fastest to slowest) |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = enlarged(resolution, 320, Path(folder) / "faces.zip")
        for compute in (pause, convolve):
            forms: dict[str, Callable[[], None]] = {f"{compute.__name__} | none | -": lambda c=compute: _alone(c)}
            for kind, gb in (("decoded", 1e-9), ("cached", 32)):
                for ahead in (False, True):
                    dataset = open_dataset(path, cache=Path(folder) / kind, cache_gb=gb)
                    dataset.fill_cache()
                    form = f"{compute.__name__} | {kind} | {'yes' if ahead else 'no'}"
                    forms[form] = training(dataset, batch, compute, ahead)
            for form, seconds in take_turns(forms, rounds).items():
                results[form] = s = summary(seconds)
                ms = [s[name] / STEPS * 1e3 for name in ("median_s", "min_s", "max_s")]
                click.echo(f"| {form} | {ms[0]:.0f} ({ms[1]:.0f} to {ms[2]:.0f}) |")
    return {"resolution": resolution, "batch": batch, "seconds": results}


def _alone(compute: Callable[[], None]) -> None:
    for _ in range(STEPS):
        compute()


if __name__ == "__main__":
    main()
