"""Alarms: silent in health, loud in sickness."""

import re

import pytest
import torch
from tiny_run import tiny_config, tiny_pictures

from stylegan.data import Dataset
from stylegan.errors import DataError
from stylegan.training import train
from stylegan.training.alarms import alarms, snapshot_health
from stylegan.training.batches import open_dataset
from stylegan.training.run_folder import new_run_folder
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.state import create_state


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
    "certain of real pictures only": {"real": 1.0, "loss": lambda i: 9.0 + i},
    "one large gap": {"gap": lambda i: 0.9 if i == 7 else 0.2},
    "numbers lost": {"loss": float("nan"), "diversity": float("nan"), "gap": float("nan")},
}
SICK = {
    "all alike": ({"diversity": lambda i: 0.8 / (i + 1)}, "collapse: generated pictures vary 0.10 times as much"),
    "D has won": ({"real": 0.99, "fake": -1.0, "loss": lambda i: 6.0 + i}, "collapse: for 5 ticks the discriminator"),
    "by heart": ({"gap": lambda i: i / 7.5}, r"overfitting: .*\(gap 0\.93 of 1\); use --aug ada"),
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
def pictures(tmp_path_factory):
    return tiny_pictures(tmp_path_factory.mktemp("pictures"), count=40)


def test_tiny_runs_raise_none(pictures, tmp_path, recwarn):
    config = tiny_config(pictures, kimg=0.128, tick_kimg=0.032, **{"data.held_out": 8})
    list(train(config, new_run_folder(tmp_path, config, "healthy")))
    assert [w for w in recwarn if "collapse" in str(w.message) or "overfitting" in str(w.message)] == []


def test_held_out_pictures_are_never_trained_on(pictures):
    dataset = Dataset(pictures, held_out=8, mirror=True, seed=5)
    assert (len(dataset), len(dataset.held_out)) == (2 * 32, 8)
    seen = {img.numpy().tobytes() for img in dataset.images(range(32))}
    kept = {img.numpy().tobytes() for img in dataset.held_out.images(range(8))}
    assert len(seen | kept) == 40
    assert not seen & kept
    again, other = (Dataset(pictures, held_out=8, seed=seed).held_out for seed in (5, 6))
    assert torch.equal(again.images(range(8)), dataset.held_out.images(range(8)))
    assert not torch.equal(other.images(range(8)), again.images(range(8)))
    assert Dataset(pictures).held_out is None
    with pytest.raises(DataError, match="has 40 pictures, so 40 cannot be held out; leave some to train on"):
        Dataset(pictures, held_out=40)


class KnowsByHeart(torch.nn.Module):
    """Scores training pictures 2, held-out ones `held_out`, all others -2."""

    def __init__(self, dataset, held_out):
        super().__init__()
        self.train_set, self.held_out_set = (
            {img.numpy().tobytes() for img in d.images(range(len(d)))} for d in (dataset, dataset.held_out)
        )
        self.held_out = held_out

    def forward(self, img, c):
        keys = [x.numpy().tobytes() for x in ((img + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)]
        scores = [2.0 if k in self.train_set else self.held_out if k in self.held_out_set else -2.0 for k in keys]
        return torch.tensor(scores)[:, None]


@pytest.mark.parametrize(("held_out", "gap"), [(2.0, 0.0), (-2.0, 1.0), (0.0, 0.5)])
def test_gap_is_where_held_out_pictures_stand_between_training_and_generated_ones(pictures, held_out, gap):
    config = tiny_config(pictures, **{"data.held_out": 8})
    state = create_state(config, torch.device("cpu"))
    dataset = open_dataset(config.data, config.seed)
    state.D = KnowsByHeart(dataset, held_out)
    health = snapshot_health(state, dataset, SnapshotGrid(dataset, state.G.z_dim, config.micro_batch))
    assert health["Health/held_out_gap"]["mean"] == pytest.approx(gap)
    assert health["Health/scores/held_out"]["mean"] == pytest.approx(held_out)
    assert 0.3 < health["Health/diversity"]["mean"] < 2


def test_generator_that_draws_one_picture_has_no_diversity(pictures):
    config = tiny_config(pictures)
    state = create_state(config, torch.device("cpu"))
    for p in state.G_ema.mapping.parameters():
        p.data.zero_()
    dataset = open_dataset(config.data, config.seed)
    health = snapshot_health(state, dataset, SnapshotGrid(dataset, state.G.z_dim, config.micro_batch))
    assert health == {"Health/diversity": {"num": 1, "mean": pytest.approx(0, abs=1e-5), "std": 0.0}}
