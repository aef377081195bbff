"""Alarms: silent in health, loud in sickness."""

import re

import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.data import open_dataset
from stylegan.errors import DataError
from stylegan.runs.alarms import alarms
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder


def records(n: int = 8, **curves) -> list[dict]:
    """n ticks; each curve is a number, or a function of the tick."""
    names = {"real": "Loss/signs/real", "fake": "Loss/signs/fake", "loss": "Loss/G/loss",
             "diversity": "Health/diversity", "gap": "Health/held_out_gap"}  # fmt: skip
    healthy = {"real": 0.5, "fake": -0.5, "loss": 1.5, "diversity": 0.8, "gap": 0.1}
    return [
        {names[k]: {"mean": v(i) if callable(v) else v} for k, v in {**healthy, **curves}.items()} for i in range(n)
    ]


HEALTHY = {
    "plain": {},
    "one poor snapshot": {"diversity": lambda i: 0.1 if i == 7 else 0.8},
    "recovered": {"diversity": lambda i: 0.1 if i < 7 else 0.8},
    "D ahead, G holding": {"real": 1.0, "fake": -1.0, "loss": lambda i: 6.0},
    "D certain, G catching up": {"real": 1.0, "fake": -1.0, "loss": lambda i: 20.0 - i},
    "certain of real images only": {"real": 1.0, "loss": lambda i: 9.0 + i},
    "one large gap": {"gap": lambda i: 0.9 if i == 7 else 0.2},
    "numbers lost": {"loss": float("nan"), "diversity": float("nan"), "gap": float("nan")},
}
SICK = {
    "all alike": ({"diversity": lambda i: 0.8 / (i + 1)}, "collapse: generated images vary 0.10 times as much"),
    "D has won": ({"real": 0.99, "fake": -1.0, "loss": lambda i: 6.0 + i}, "collapse: for 5 ticks the discriminator"),
    "by heart": (
        {"gap": lambda i: i / 7.5},
        r"overfitting: .*\(gap 0\.93 of 1\); stop the run, or start a new one .* `augment.mode` ada",
    ),
}


@pytest.mark.parametrize("curves", HEALTHY.values(), ids=HEALTHY)
def test_health_raises_no_alarm(curves):
    assert alarms(records(**curves)) == []


@pytest.mark.parametrize(("curves", "sentence"), SICK.values(), ids=SICK)
def test_sickness_raises_its_alarm_and_no_other(curves, sentence):
    (alarm,) = alarms(records(**curves))
    assert re.match(sentence, alarm)


def test_the_first_ticks_are_no_reason_to_worry():
    assert alarms(records(n=1, diversity=0.01, gap=0.99, real=1.0, fake=-1.0, loss=50.0)) == []


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("images"), count=40)


def test_tiny_runs_raise_none(images, tmp_path, recwarn):
    config = tiny_config(images, kimg=0.128, tick_kimg=0.032, **{"data.held_out": 8})
    list(train(config, new_run_folder(tmp_path, config, "healthy")))
    assert [w for w in recwarn if "collapse" in str(w.message) or "overfitting" in str(w.message)] == []


def test_held_out_images_are_never_trained_on(images):
    dataset = open_dataset(images, held_out=8, mirror=True, seed=5)
    assert (len(dataset), len(dataset.held_out)) == (2 * 32, 8)
    seen = {img.numpy().tobytes() for img in dataset.images(range(32))}
    kept = {img.numpy().tobytes() for img in dataset.held_out.images(range(8))}
    assert len(seen | kept) == 40
    assert not seen & kept
    again, other = (open_dataset(images, held_out=8, seed=seed).held_out for seed in (5, 6))
    assert torch.equal(again.images(range(8)), dataset.held_out.images(range(8)))
    assert not torch.equal(other.images(range(8)), again.images(range(8)))
    assert open_dataset(images).held_out is None
    with pytest.raises(DataError, match="has 40 images, so 40 cannot be held out; leave some to train on"):
        open_dataset(images, held_out=40)
