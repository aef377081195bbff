"""Learning per second: train with given settings for some CPU seconds, and compare what the network draws with images
that it has not seen.

python benchmarks/recipe.py --data fashion32.zip --unseen fashion32_test.zip --seconds 300 [--cfg cpu32] \\
    [--set batch=16 --set g_lr=0.0025 ...]
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import torch
from measure import json_option, report

import stylegan
from stylegan.data import open_dataset
from stylegan.metrics.registry import parse
from stylegan.training import Run, Tick


def value(text: str) -> Any:
    """Read the value of NAME=VALUE: JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def train_for(run: Run, seconds: float) -> Tick:
    """Train for CPU seconds of this process and return the last tick.

    The first tick does not count: in it, modules are loaded and images are read.
    """
    ticks = iter(run)
    last = next(ticks)
    start = time.process_time()
    for last in ticks:  # noqa: B007 - the last tick counts
        if time.process_time() - start >= seconds:
            run.stop()
    return last


@click.command()
@click.option("--data", required=True)
@click.option("--unseen", required=True, help="Images of the same kind that are not in --data.")
@click.option("--cfg", help="As in `stylegan train`.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="As in `stylegan train`.")
@click.option("--seconds", default=300.0, show_default=True)
@click.option("--metric", "names", multiple=True, default=["fid2k_mobilenetv2"], show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--outdir", type=click.Path(path_type=Path), default=Path("runs/recipe"), show_default=True)
@json_option
def main(
    data: str,
    unseen: str,
    cfg: str | None,
    assignments: tuple[str, ...],
    seconds: float,
    names: tuple[str, ...],
    threads: int,
    outdir: Path,
    path: Path | None,
) -> None:
    torch.set_num_threads(threads)
    settings = {name: value(text) for name, _, text in (a.partition("=") for a in assignments)}
    ticks = {"tick_kimg": 0.5, "snap_ticks": 10**6, "kimg": 10**6}
    run = stylegan.train(data, outdir, cfg=cfg, **{**ticks, **settings})
    last = train_for(run, seconds)
    G = stylegan.load(run.folder)
    reals = open_dataset(unseen, use_labels=G.c_dim > 0)
    scores = {}
    for request in map(parse, names):
        scores[request.name] = request.measure(
            G.for_inference(request.metric.precision), dataset=reals, detector=request.load_detector()
        ).value
    text = ", ".join(f"{name} {score:.1f}" for name, score in scores.items())
    click.echo(f"{' '.join(assignments) or 'preset'}: {seconds:g} CPU s, {last.nimg / 1000:.1f} kimg, {text}")
    report({"settings": settings, "cpu_s": seconds, "nimg": last.nimg, "scores": scores, "run": str(run.folder)}, path)


if __name__ == "__main__":
    main()
