"""Time of the metrics: the statistics and the distance of FID at the width of Inception, and a measurement in parts.

python benchmarks/metrics.py [--images 10000] [--width 2048] [--network avatars64 --num 128] [--json out.json]

CPU seconds are those of this process and its threads; on a machine that does other work they are what can be compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from measure import json_option, report

import stylegan
from stylegan.data import open_dataset
from stylegan.data.samples import avatars
from stylegan.metrics import load_detector, parse
from stylegan.metrics.frechet import frechet_distance
from stylegan.metrics.passes import Sums


class Clock:
    """Wall and CPU seconds of some parts of a program."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to a part."""

        def run(*args: Any, **options: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            result = function(*args, **options)
            spent = self.seconds.setdefault(part, [0.0, 0.0])
            spent[0] += time.perf_counter() - wall
            spent[1] += time.process_time() - cpu
            return result

        return run


def statistics(features: torch.Tensor) -> Any:
    """Sum features as they arrive, in batches of 16."""
    sums = Sums(features.shape[1], {})
    for batch in features.split(16):
        sums.add(batch)
    return sums.total()


def distance_of(images: int, width: int) -> dict[str, list[float]]:
    """Time FID over features of that number and width: the statistics of both sets, and their distance."""
    clock, rng = Clock(), torch.Generator().manual_seed(0)
    reals, fakes = (scale * torch.randn(images, width, generator=rng) for scale in (1.0, 1.1))
    both = [clock.timed("statistics", statistics)(features) for features in (reals, fakes)]
    clock.timed("distance", frechet_distance)(*both)
    return clock.seconds


def measurement_of(network: str, num: int, detector_name: str) -> dict[str, list[float]]:
    """Time FID of a bundled network, and its parts: drawing, features, and all."""
    clock = Clock()
    G = stylegan.load(network).for_inference("auto")
    detector: Any = load_detector(detector_name)
    for thing in (detector, G.synthesis, G.mapping):
        thing(*_warm(thing, G, detector))
    G.synthesis.forward = clock.timed("drawing", G.synthesis.forward)
    with tempfile.TemporaryDirectory() as cache:
        dataset = open_dataset(avatars(), max_images=num)
        subject = parse(f"fid{num}_{detector_name}").subject(
            G, dataset=dataset, detector=Timed(detector, clock), cache=Path(cache)
        )
        clock.timed("all", parse(f"fid{num}_{detector_name}").metric.measure)(subject)
    return clock.seconds


class Timed:
    """A feature network whose calls are timed."""

    def __init__(self, detector: Any, clock: Clock) -> None:
        self.name, self.feature_dim = detector.name, detector.feature_dim
        self.resize, self.sha256 = detector.resize, detector.sha256
        self._call = clock.timed("features", detector)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 [N, C, H, W] -> [N, feature_dim]"""
        features: torch.Tensor = self._call(images)
        return features


def _warm(thing: Any, G: Any, detector: Any) -> tuple[Any, ...]:
    if thing is detector:
        return (torch.zeros(16, 3, G.img_resolution, G.img_resolution, dtype=torch.uint8),)
    return (torch.zeros(16, G.num_ws, G.w_dim),) if thing is G.synthesis else (torch.zeros(16, G.z_dim), None)


@click.command()
@click.option("--images", default=10_000, show_default=True)
@click.option("--width", default=2048, show_default=True)
@click.option("--network", default="avatars64", show_default=True)
@click.option("--num", default=128, show_default=True)
@click.option("--detector", default="mobilenetv2", show_default=True)
@json_option
def main(images: int, width: int, network: str, num: int, detector: str, path: Path | None) -> None:
    """Print the seconds of all parts."""
    result: dict[str, Any] = {"distance": distance_of(images, width)}
    click.echo(f"FID of two sets of {images:,} features of width {width:,}:")
    _print(result["distance"])
    result["measurement"] = parts = measurement_of(network, num, detector)
    click.echo(f"fid{num}_{detector} of {network} against {num} images:")
    _print(parts)
    rest = parts["all"][1] - parts["drawing"][1]
    click.echo(f"Features take {parts['features'][1] / rest:.1%} of the CPU time beside drawing.")
    report(result, path)


def _print(parts: dict[str, list[float]]) -> None:
    for part, (wall, cpu) in parts.items():
        click.echo(f"  {part:<12} {cpu:7.2f} s CPU  {wall:7.2f} s wall")


if __name__ == "__main__":
    main()
