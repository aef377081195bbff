"""Training: the four phases at their intervals, ours against the textbook form with the same weights, alternating.

python benchmarks/train.py [--config cpu32 --config 64] [--json out.json]
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from baseline.stylegan2 import Discriminator as BaselineD
from baseline.stylegan2 import Generator as BaselineG
from measure import TEXTBOOK, measured, summary, take_turns
from PIL import Image
from steps import configuration, in_full, random_batch

from stylegan.data import open_dataset
from stylegan.data.order import shuffled_indices
from stylegan.images.pixels import to_float
from stylegan.training import phases
from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState, create_state

CONFIGS = {  # name -> (preset, resolution, changes)
    "cpu32": ("cpu32", 32, {**in_full("cpu32"), "batch": 32}),
    "64": (
        "cpu64",
        64,
        in_full("cpu64") | {f"{network}.channel_base": 8192 for network in ("generator", "discriminator")},
    ),
}


class _TrainingBaseline(BaselineG):
    """Textbook generator for training: scaled activations and random noise."""

    mapping = property(lambda self: self.G.mapping)
    z_dim = property(lambda self: self.G.z_dim)
    num_ws = property(lambda self: self.G.num_ws)

    def synthesis(self, ws):
        return super().synthesis(ws, noise_mode="random", per_sample=False)


def measure(name: str, precisions: list[str], rounds: int) -> dict:
    """Measure every phase and their weighted sum, for the textbook form and for ours in each precision."""
    config = configuration(*CONFIGS[name])
    n = config.batch
    forms = {}
    cpu = torch.device("cpu")
    state = create_state(config.model_copy(update={"precision": "fp32"}), cpu)
    G, D = _TrainingBaseline(state.G), BaselineD(state.D)
    for network in (state.G, state.D):
        network.to(memory_format=torch.contiguous_format)
    textbook = replace(state, G=G, D=D, first_order_synthesis=G.synthesis, first_order_D=D)
    forms[TEXTBOOK] = forms["textbook keeping memory"] = textbook, torch.contiguous_format
    for precision in precisions:
        for label, compiled in ((precision, False), (f"{precision} compiled", True)):
            form = config.model_copy(update={"precision": precision, "compile": compiled})
            forms[label] = create_state(form, cpu), torch.channels_last
    batch = random_batch(config)
    mix = dict.fromkeys(forms, 0.0)
    detail: dict[str, dict] = {label: {} for label in forms}
    for i, phase in enumerate(phases.due_phases(*_first(forms, config))):
        calls = {label: _phase(state, config, i, batch, layout) for label, (state, layout) in forms.items()}
        for label, seconds in take_turns(calls, rounds).items():
            detail[label][phase.name] = summary(seconds)
            mix[label] += summary(seconds)["median_s"] / phase.interval
    return {
        "config": name,
        "batch": n,
        "loading_s": loading(n, config.generator["img_resolution"]),
        "forms": {
            label: {
                "images_per_s": n / seconds,
                "ratio": mix[TEXTBOOK] / seconds,
                "phases": detail[label],
            }
            for label, seconds in mix.items()
        },
    }


def loading(batch: int, resolution: int) -> float:
    """Return the seconds to load the images of a step from a cached data set, as the training loop does."""
    with tempfile.TemporaryDirectory() as folder:
        images = np.random.RandomState(0).randint(0, 256, [512, resolution, resolution, 3], np.uint8)
        for i, pixels in enumerate(images):
            Image.fromarray(pixels).save(Path(folder) / f"{i:04d}.png")
        dataset = open_dataset(folder, cache=folder)
        positions = itertools.count(step=batch)

        def read() -> None:
            indices = shuffled_indices(len(dataset), 0, next(positions), batch)
            to_float(dataset.images(indices)).contiguous(memory_format=torch.channels_last)

        return summary(take_turns({"read": read}, 20)["read"])["median_s"]


def _first(forms: dict, config: TrainConfig) -> tuple[TrainingState, TrainConfig]:
    return next(iter(forms.values()))[0], config


def _phase(state: TrainingState, config: TrainConfig, i: int, batch: phases.MicroBatch, layout: torch.memory_format):
    phase = phases.due_phases(state, config)[i]
    batch = batch._replace(real_img=batch.real_img.contiguous(memory_format=layout))

    def call() -> None:
        phase.accumulate(state, config, [batch])
        phases.apply_gradients(state, config, phase, 1)

    return call


@click.command()
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), default=list(CONFIGS))
@click.option("--precision", "precisions", multiple=True, default=["fp32", "bf16"])
@measured(rounds=5)
def main(configs: list[str], precisions: list[str], rounds: int) -> dict:
    results = []
    click.echo("| config | form | images/s | ratio |\n|---|---|---|---|")
    for name in configs:
        result = measure(name, list(precisions), rounds)
        results.append(result)
        for label, r in result["forms"].items():
            click.echo(f"| {name}, batch {result['batch']} | {label} | {r['images_per_s']:.1f} | {r['ratio']:.2f} |")
        fastest = max(r["images_per_s"] for r in result["forms"].values())
        share = result["loading_s"] * fastest / result["batch"]
        click.echo(f"Loading the images takes {share:.1%} of the fastest step.")
    return {"results": results}


if __name__ == "__main__":
    main()
