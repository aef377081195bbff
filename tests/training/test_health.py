"""NaN and infinity, injected wherever a run keeps numbers: counted, named, kept out of the average and of snapshots."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import tiny_config, tiny_images

from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.errors import NonFiniteError
from stylegan.training import batches, loop
from stylegan.training.config import read_config
from stylegan.training.gradient_watch import GradientWatch, HealthReport
from stylegan.training.health import MAX_ROLLBACKS, must_roll_back, nonfinite_tensors
from stylegan.training.run import new_run_folder
from stylegan.training.state import create_state

SICK_STEP = 5  # in the second tick; the first, of four steps, ends with a snapshot


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return tiny_images(tmp_path_factory.mktemp("images"))


def first_weight(network):
    return next(p for p in network.parameters() if p.ndim == 4)


def activations(state, network, value):
    """One forward pass gives a value that is not finite."""
    handle = None

    def spoil(module, inputs, output):
        handle.remove()
        return output * value

    handle = getattr(state, network).b4.register_forward_hook(spoil) if network == "D" else (
        state.G.mapping.fc0.register_forward_hook(spoil)
    )  # fmt: skip


def gradients(state, network, value):
    """The next gradient of a weight holds three values that are not finite."""
    weight = first_weight(getattr(state, network))

    def spoil(grad):
        handle.remove()
        grad = grad.clone()
        grad[0, :3, 0, 0] = value
        return grad

    weight.requires_grad_(True)
    handle = weight.register_hook(spoil)
    weight.requires_grad_(False)


def weights(state, network, value):
    first_weight(getattr(state, network)).data[0, 0, 0, 0] = value


def moments(state, network, value):
    optimizer = getattr(state, f"{network}_opt")
    optimizer.state[first_weight(getattr(state, network))]["exp_avg"][0, 0, 0, 0] = value


def second_moments(state, network, value):
    """Infinite, they freeze a weight without a trace in the weights."""
    optimizer = getattr(state, f"{network}_opt")
    optimizer.state[first_weight(getattr(state, network))]["exp_avg_sq"][0, 0, 0, 0] = value


def buffers(state, network, value):
    """Running means of the generator; the discriminator has none."""
    state.G.mapping.w_avg[0] = value


PLACES = {
    (activations, "G"): "replaced", (activations, "D"): "replaced",
    (gradients, "G"): "replaced", (gradients, "D"): "replaced",
    (weights, "G"): "fatal", (weights, "D"): "fatal",
    (moments, "G"): "fatal", (moments, "D"): "fatal",
    (second_moments, "D"): "fatal", (buffers, "G"): "fatal",
}  # fmt: skip


@contextmanager
def injected(spoil: Callable, network: str, value: float, times: int = 1) -> Iterator[list]:
    """Runs of `train` in which `spoil` acts `times` times before step SICK_STEP; yields the states that were seen."""
    states, left = [], [times]
    original = loop.train_step

    def train_step(state, config, batches):
        states.append(state)
        if state.step == SICK_STEP and left[0]:
            left[0] -= 1
            spoil(state, network, value)
        original(state, config, batches)
        assert all(t.isfinite().all() for t in state.G_ema.state_dict().values()), "G_ema is not finite"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train_step", train_step)
        yield states


def snapshot_is_finite(run: Path) -> bool:
    files = list(run.glob("snapshots/*/*.safetensors"))
    return bool(files) and all(t.isfinite().all() for file in files for t in load_file(file).values())


def final_nimg(run: Path) -> int:
    return json.loads((newest_snapshot(run) / "training.json").read_text())["nimg"]


@pytest.mark.parametrize("policy", ["skip", "rollback", "stop"])
@pytest.mark.filterwarnings("ignore:not finite")
def test_injections_end_as_the_policy_says(images, tmp_path, policy):
    ended = 0
    for (place, network), outcome in PLACES.items():
        run = new_run_folder(tmp_path, tiny_config(images, kimg=0.064, on_nan=policy), f"{place.__name__}-{network}")
        _inject(run, place, network, policy, outcome)
        assert snapshot_is_finite(run), (place, network)
        ended += 1
    print(f"\n{policy}: {ended} NaN injections ended as they should")
    assert ended >= 10


def _inject(run: Path, place: Callable, network: str, policy: str, outcome: str) -> None:
    with injected(place, network, math.nan if network == "G" else math.inf) as states:
        ticks = loop.train(read_config(run / "config.json"), run)
        if policy == "rollback" or (policy, outcome) == ("skip", "replaced"):
            *_, last = ticks
            assert final_nimg(run) == 64
            assert states[-1].rollbacks == (outcome == "fatal")
            if outcome == "replaced":
                assert last.nonfinite
                assert all(name.startswith(("G.", "D.")) for name in last.nonfinite if name != "others")
                assert json.loads((run / "stats.jsonl").read_text().splitlines()[-1])["nonfinite"] == last.nonfinite
        else:
            with pytest.raises(NonFiniteError, match="the newest snapshot is from before"):
                list(ticks)
            assert final_nimg(run) == 32
    assert nonfinite_tensors(states[-1]) == [] or policy != "rollback"


@pytest.mark.parametrize("policy", ["skip", "rollback"])
@pytest.mark.filterwarnings("ignore:not finite")
def test_image_that_is_not_finite_is_survived(images, tmp_path, policy, monkeypatch):
    original = batches.to_float
    calls = iter(range(100))
    monkeypatch.setattr(batches, "to_float", lambda x: original(x) * (math.nan if next(calls) == SICK_STEP else 1))
    config = tiny_config(images, kimg=0.064, on_nan=policy)
    run = new_run_folder(tmp_path, config, "sick")
    *_, last = loop.train(config, run)
    assert any(name.startswith("D.") for name in last.nonfinite)
    assert final_nimg(run) == 64
    assert snapshot_is_finite(run)


def test_rollback_draws_other_random_numbers_and_resumes_exactly(images, tmp_path):
    """A run that went back is not the run without trouble, but a resumed one continues like it."""
    config = tiny_config(images, kimg=0.096)
    finals = {}
    for name in ("healthy", "sick"):
        run = new_run_folder(tmp_path, config, name)
        with injected(weights, "G", math.nan, times=name == "sick"):
            if name == "sick":
                with pytest.warns(RuntimeWarning, match=r"resuming from 0\.032 kimg with other random numbers"):
                    list(loop.train(config, run))
            else:
                list(loop.train(config, run))
        finals[name] = load_file(newest_snapshot(run) / "generator.safetensors")
    parts = new_run_folder(tmp_path, config, "parts")
    with injected(weights, "G", math.nan), pytest.warns(RuntimeWarning, match="other random numbers"):
        list(loop.train(config.model_copy(update={"kimg": 0.064}), parts))
    assert json.loads((newest_snapshot(parts) / "training.json").read_text())["rollbacks"] == 1
    list(loop.train(config, parts))
    resumed = load_file(newest_snapshot(parts) / "generator.safetensors")
    assert all(torch.equal(resumed[name], finals["sick"][name]) for name in resumed)
    assert any(not torch.equal(resumed[name], finals["healthy"][name]) for name in resumed)


@pytest.mark.filterwarnings("ignore:not finite")
def test_trouble_that_comes_back_ends_the_run(images, tmp_path):
    config = tiny_config(images, kimg=0.064)
    run = new_run_folder(tmp_path, config, "sick")
    message = r"D\.b16.*3 attempts from 0\.032 kimg ended alike\. Start"
    with injected(weights, "D", math.inf, times=100) as states, pytest.raises(NonFiniteError, match=message):
        list(loop.train(config, run))
    assert len(set(map(id, states))) == 1 + MAX_ROLLBACKS
    assert snapshot_is_finite(run)


@pytest.mark.filterwarnings("ignore:not finite")
def test_trouble_before_the_first_snapshot_starts_again(images, tmp_path):
    config = tiny_config(images, kimg=0.064, snap_ticks=100)
    run = new_run_folder(tmp_path, config, "sick")
    with injected(moments, "G", math.nan) as states:
        list(loop.train(config, run))
    assert (states[-1].rollbacks, final_nimg(run)) == (1, 64)


def test_stop_names_step_and_tensor(images, tmp_path):
    config = tiny_config(images, kimg=0.064, on_nan="stop")
    run = new_run_folder(tmp_path, config, "sick")
    warned = pytest.warns(RuntimeWarning, match="not finite, and replaced: 3 values")
    message = r"first of (G\.synthesis\.b4\S+weight) in step 5: \1 \(3\); the"
    with injected(gradients, "G", math.nan), warned, pytest.raises(NonFiniteError, match=message):
        list(loop.train(config, run))


def test_values_are_counted_per_tensor_and_reported_in_short():
    watch = GradientWatch()
    for step in range(3):
        named = [(f"G.{i}", torch.zeros(10)) for i in range(9)]
        for i, (_, g) in enumerate(named):
            g[: i if step else 0] = math.inf
        assert int(watch.clean("generator_main", named, step)) == (36 if step else 0)
        assert max(float(g.max()) for _, g in named) == (1e5 if step else 0)
    report = watch.collect()
    assert report.gradients == {f"G.{i}": 2 * i for i in range(8, 0, -1)}
    assert set(report.first_steps.values()) == {1}
    assert report.summary() == {"G.8": 16, "G.7": 14, "G.6": 12, "G.5": 10, "G.4": 8, "others": 12}
    assert watch.collect() == HealthReport()


@pytest.mark.parametrize(("bad", "of", "lasts"), [(4, 7, True), (4, 8, False), (3, 3, False)])
def test_gradients_that_stay_bad_end_the_patience_of_rollback_only(bad, of, lasts):
    watch = GradientWatch()
    for step in range(of):
        watch.clean("discriminator_main", [("D.w", torch.full([2], math.nan if step < bad else 0.0))], step)
    report = watch.collect()
    assert must_roll_back(report, "rollback") == lasts
    assert not must_roll_back(report, "skip")


def test_every_tensor_of_a_snapshot_is_looked_at():
    state = create_state(tiny_config("unused"), torch.device("cpu"))
    assert nonfinite_tensors(state) == []
    state.pl_mean.fill_(math.nan)
    state.D.b8.conv0.weight.data[0, 0, 0, 0] = -math.inf
    state.G_ema.mapping.w_avg[1] = math.inf
    assert nonfinite_tensors(state) == ["pl_mean", "D.b8.conv0.weight", "G_ema.mapping.w_avg"]
