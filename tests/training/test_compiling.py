"""`compile` auto trains with the faster form: measured once, recorded, and equal in all processes."""

import json
import warnings

import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.training import compiling, resume, start, timing
from stylegan.training.batches import open_training_set
from stylegan.training.compiling import Choice, faster_form, step_seconds
from stylegan.training.phases import due_phases
from stylegan.training.plan import Plan
from stylegan.training.run import Run

CPU = torch.device("cpu")
SLOWER = "`compile` is off: a step takes 2000 ms compiled, 1000 ms uncompiled."
FASTER = "`compile` is on: a step takes 500 ms compiled, 1000 ms uncompiled."


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def compiled(monkeypatch) -> list:
    """A compiler that returns the function itself; the functions that it was given."""
    given: list = []
    monkeypatch.setattr(torch, "compile", lambda function, **_: given.append(function) or function)
    return given


def measured(monkeypatch, compiled_s: float, uncompiled_s: float) -> None:
    monkeypatch.setattr(compiling, "step_seconds", lambda *_: (compiled_s, uncompiled_s))


def unmeasured(monkeypatch) -> None:
    monkeypatch.setattr(compiling, "step_seconds", lambda *_: pytest.fail("measured"))


def settings(run: Run) -> dict:
    return json.loads((run.folder / "config.json").read_text())


def weights(run: Run) -> bytes:
    return (run.folder / "snapshots/000000.064/generator_ema.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("seconds", "expected"), [((0.5, 1.0), True), ((2.0, 1.0), False), ((0.99, 1.0), False), ((1.0, 1.0), False)]
)
def test_steps_are_compiled_if_that_makes_them_faster(monkeypatch, seconds, expected):
    measured(monkeypatch, *seconds)
    assert faster_form(tiny_config("unused"), World()).compile is expected


def test_the_reason_has_both_times(monkeypatch):
    measured(monkeypatch, 2.0, 1.0)
    assert faster_form(tiny_config("unused"), World()) == Choice(False, SLOWER)
    measured(monkeypatch, 0.5, 1.0)
    assert faster_form(tiny_config("unused"), World()) == Choice(True, FASTER)


def test_a_precision_that_the_device_lacks_is_refused_before_the_measurement(monkeypatch):
    monkeypatch.setattr(compiling, "require_precision", lambda *_: (_ for _ in ()).throw(ConfigError("precision")))
    unmeasured(monkeypatch)
    with pytest.raises(ConfigError, match="precision"):
        faster_form(tiny_config("unused"), World())


@pytest.mark.parametrize("label_dim", [0, 3])
def test_a_measurement_times_both_forms_of_the_same_networks(monkeypatch, compiled, label_dim):
    stepped = []

    def seconds(state, config, batch, *, step):
        assert step == 1
        stepped.append((state.first_order_D, state.D))
        assert list(batch.real_img.shape) == [4, 3, 16, 16]
        assert list(batch.fake_c.shape) == [4, label_dim]
        return float(len(stepped))

    monkeypatch.setattr(torch, "compile", lambda function, **_: lambda *args, **options: function(*args, **options))
    monkeypatch.setattr(compiling, "seconds", seconds)
    fastest = step_seconds(tiny_config("unused", label_dim=label_dim), CPU, 4)
    assert fastest == (3.0, 4.0)  # the second of each, since the first compiles
    assert len(stepped) == 2 * (compiling.ROUNDS + 1)
    assert all((used is D) == bool(i % 2) for i, (used, D) in enumerate(stepped))
    assert len({id(D) for _, D in stepped}) == 1


def test_measured_steps_leave_out_the_regularizers_of_every_few_steps(monkeypatch, compiled):
    monkeypatch.setattr(compiling, "ROUNDS", 1)
    step, phases = timing.train_step, []

    def noted(state, config, batches):
        phases.append([phase.name for phase in due_phases(state, config)])
        step(state, config, batches)

    monkeypatch.setattr(timing, "train_step", noted)
    assert all(s > 0 for s in step_seconds(tiny_config("unused"), CPU, 4))
    assert phases == [["generator_main", "discriminator_main"]] * 4
    assert compiled  # both networks were given to the compiler


@pytest.mark.parametrize(("seconds", "line", "expected"), [((0.5, 1.0), FASTER, True), ((2.0, 1.0), SLOWER, False)])
def test_a_run_records_the_choice_and_logs_both_times(monkeypatch, compiled, images, tmp_path, seconds, line, expected):
    measured(monkeypatch, *seconds)
    run = start(tiny_config(images, compile="auto"), tmp_path)
    assert settings(run)["compile"] == "auto"
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        list(run)
    assert settings(run)["compile"] is run.config.compile is expected
    assert (run.folder / "log.txt").read_text().splitlines()[2] == line
    assert [str(w.message) for w in given if "compile" in str(w.message)] == ([] if expected else [line])
    assert bool(compiled) == expected


def test_measuring_changes_no_result(monkeypatch, compiled, images, tmp_path):
    monkeypatch.setattr(compiling, "ROUNDS", 1)
    runs = [start(tiny_config(images, compile=compile), tmp_path) for compile in (False, "auto")]
    for run in runs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            list(run)
    assert weights(runs[0]) == weights(runs[1])


@pytest.mark.parametrize("seconds", [(0.5, 1.0), (2.0, 1.0)])
@pytest.mark.filterwarnings("ignore:`compile` is off")
def test_a_resumed_run_takes_the_recorded_choice(monkeypatch, compiled, images, tmp_path, seconds):
    measured(monkeypatch, *seconds)
    whole = start(tiny_config(images, compile="auto"), tmp_path)
    parts = start(tiny_config(images, compile="auto", kimg=0.032), tmp_path)
    for run in (whole, parts):
        list(run)
    unmeasured(monkeypatch)
    again = resume(parts.folder, {"kimg": 0.064})
    list(again)
    assert again.config.compile is whole.config.compile
    assert weights(again) == weights(whole)


def test_processes_that_a_launcher_starts_again_take_the_recorded_choice(monkeypatch, compiled, images, tmp_path):
    first = start(tiny_config(images, compile=False), tmp_path)
    unmeasured(monkeypatch)
    plan = Plan(tiny_config(images, compile="auto"), open_training_set(first.config.data, 0))
    again = Run(plan, first.folder)  # with the settings of the command line
    list(again)
    assert again.config.compile is False
    assert compiled == []


class SecondOfTwo(World):
    """Rank 1 of two processes, with the answers of rank 0."""

    def __init__(self, *answers):
        super().__init__(rank=1, size=2, local_rank=1, local_size=2)
        self.answers = list(answers)

    def gather(self, value):
        return [self.answers.pop(0), value]


@pytest.mark.parametrize("compile", [True, False])
def test_rank_0_decides_for_all_processes(monkeypatch, images, tmp_path, compile):
    measured(monkeypatch, *((2.0, 1.0) if compile else (0.5, 1.0)))  # of this process, which would choose otherwise
    world = SecondOfTwo("auto", None, Choice(compile, "as measured there"))
    config = tiny_config(images, compile="auto")
    run = Run(Plan(config, open_training_set(config.data, 0), world), tmp_path)
    run._settle_compile()
    assert run.config.compile is compile
    assert list(tmp_path.iterdir()) == []  # rank 0 writes
