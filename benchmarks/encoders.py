"""Encoders for the benchmarks: each is trained once, and kept in the folder of the results."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.inversion.encoder import Encoder
from stylegan.inversion.encoder_file import load_encoder
from stylegan.training.encoder import resume_encoder, train_encoder
from stylegan.training.encoder.run import line_of


def trained(
    network: str, task: str, data: Path | None, kimg: float, out: Path, *, inputs: Path | None = None
) -> Encoder:
    """Return the encoder of a task in `out`, which is trained first, or further, where it is not finished."""
    runs = sorted((out / task).glob("*-encoder-*"))
    if not runs or not (runs[-1] / "done").exists():
        start = time.process_time()
        settings = {"task": task, "data": data, "inputs": inputs, "kimg": kimg}
        run = resume_encoder(runs[-1]) if runs else train_encoder(network, out / task, **settings)
        for tick in run:
            click.echo(line_of(tick), err=True)
        (run.folder / "done").touch()
        click.echo(f"Trained the encoder {task} for {kimg:g} kimg in {time.process_time() - start:.0f} CPU seconds.")
        runs = [run.folder]
    return load_encoder(runs[-1])
