"""Several processes of one run: they stop, resume and write together, and torchrun restarts them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from launch import Launch, command
from run_cli import run_cli
from safetensors.torch import load_file
from tiny_run import tiny_images

import stylegan
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.data.order import shuffled_indices
from stylegan.data.prepare import prepare
from stylegan.errors import ConfigError, DistributedError
from stylegan.machine.processes import World, from_environment, join

TINY = ("--cfg", "tiny16", "--device", "cpu", "--tick", "0.032", "--snap", "1", "--aug", "ada", "--cond")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    prepare(tiny_images(folder / "source", classes=2), folder / "data.zip")
    return folder / "data.zip"


@pytest.fixture(scope="module")
def uninterrupted(images, tmp_path_factory) -> tuple[Path, Launch]:
    """A run of two processes to its end."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    launch = Launch(2, folder, note_images, folder, "train", "--data", images, *TINY, "--kimg", "0.096",
                    "--outdir", folder / "runs")  # fmt: skip
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    (run,) = (folder / "runs").iterdir()
    return run, launch


def note_images(rank, folder, *arguments):
    """The command; which images of the data a rank trains on goes to images{rank}.json, and a number of each w that
    it draws to ws{rank}.json."""
    from stylegan.data.stream import ShuffledStream
    from stylegan.training import phases

    seen, images = [], ShuffledStream.images
    drawn, sample_ws = [], phases.sample_ws

    def noted_ws(*args, **options):
        ws = sample_ws(*args, **options)
        drawn.extend(ws[:, 0, 0].tolist() if not ws.is_meta else [])  # memory is estimated without values
        (folder / f"ws{rank}.json").write_text(json.dumps(drawn))
        return ws

    def noted(stream, start, count):
        seen.extend(stream.indices(start, count).tolist())
        (folder / f"images{rank}.json").write_text(json.dumps(seen))
        return images(stream, start, count)

    ShuffledStream.images = noted
    phases.sample_ws = noted_ws
    command(rank, *arguments)


def state_of(run: Path) -> dict[str, torch.Tensor]:
    snapshot = newest_snapshot(run)
    tensors = {f"{file.stem}/{k}": v for file in snapshot.glob("*.safetensors") for k, v in load_file(file).items()}
    return {**tensors, "nimg": torch.tensor(json.loads((snapshot / "training.json").read_text())["nimg"])}


def assert_same_state(a: Path, b: Path) -> None:
    x, y = state_of(a), state_of(b)
    assert x.keys() == y.keys()
    assert [name for name in x if not torch.equal(x[name], y[name])] == []


def test_only_the_first_process_prints_and_writes(uninterrupted):
    run, launch = uninterrupted
    assert run.name == "00000-stylegan2-data-batch8-gamma1"
    assert re.match(rf"(Decoding .*\n)?New run in {re.escape(str(run))}\n", launch.output(0))  # decoded at first use
    assert launch.output(1) == ""
    records = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert [r["nimg"] for r in records] == [32, 64, 96]
    assert records[1]["Loss/G/loss"]["num"] == 32  # of both processes
    assert json.loads((run / "config.json").read_text())["micro_batch"] == 4


def test_every_image_of_the_batch_is_used_once(uninterrupted):
    _, launch = uninterrupted
    first, second = (json.loads((launch.folder / f"images{rank}.json").read_text()) for rank in range(2))
    assert len(first) == len(second) == 48
    used = [image for i in range(0, 48, 4) for image in first[i : i + 4] + second[i : i + 4]]
    assert used == shuffled_indices(24, 0, 0, 96).tolist()


def test_no_two_processes_draw_the_same_latents(uninterrupted):
    _, launch = uninterrupted
    first, second = (json.loads((launch.folder / f"ws{rank}.json").read_text()) for rank in range(2))
    assert len(first) == len(second) == 12 * (4 + 4) + 3 * 2  # of G and D in 12 steps, of path lengths in three
    assert len({*first, *second}) == 2 * len(first)


def stop_at(rank, step, number, *arguments):
    """The command; rank 1 gets a signal during `step`."""
    from stylegan.training import phases

    real = phases.discriminator_main

    def signaled(state, *args):
        if rank == 1 and state.step == step:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # launchers repeat themselves
        real(state, *args)

    phases.discriminator_main = signaled
    command(rank, *arguments)


def test_signal_to_one_stops_all_at_one_step_and_resuming_equals_an_uninterrupted_run(images, uninterrupted, tmp_path):
    options = ("train", "--data", images, *TINY, "--kimg", "0.096", "--outdir", tmp_path / "runs")
    launch = Launch(2, tmp_path, stop_at, 5, signal.SIGTERM, *options)
    assert launch.wait() == [143, 143], launch.output(0) + launch.output(1)
    (run,) = (tmp_path / "runs").iterdir()
    assert f"Stopped. Resume with: stylegan train --resume {run}\n" in launch.output(0)
    assert launch.output(1) == ""
    assert int(state_of(run)["nimg"]) == 48  # after step 5, within a tick and within an interval of ADA
    launch = Launch(2, tmp_path / "again", command, "train", "--resume", run)
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    assert_same_state(run, uninterrupted[0])


def stop_with_scores(rank, *arguments):
    from moments import Moments

    from stylegan.metrics.features import DETECTORS

    DETECTORS["moments"] = Moments
    stop_at(rank, 5, signal.SIGUSR1, *arguments)


def test_signal_of_a_queue_to_one_stops_all_and_snapshots_are_scored_together(images, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    options = ("train", "--data", images, *TINY, "--metrics", "fid20_moments", "--outdir", tmp_path / "runs")
    launch = Launch(2, tmp_path, stop_with_scores, *options)
    assert launch.wait() == [138, 138], launch.output(0) + launch.output(1)
    (run,) = (tmp_path / "runs").iterdir()
    assert int(state_of(run)["nimg"]) == 48
    (score,) = map(json.loads, (run / "metric-fid20_moments.jsonl").read_text().splitlines())
    assert (score["nimg"], score["fakes"], score["reals"]) == (
        32,
        20,
        24,
    )  # the first snapshot alone, not that of the stop
    assert re.search(rf"tick 1 .* fid20_moments {score['results']['fid20_moments']:.4f}\n", launch.output(0))
    assert launch.output(1) == ""
    assert os.readlink(run / "best") == "snapshots/000000"  # beside which the stop wrote its own


def differ(rank, *arguments):
    """The command; rank 1 loses a bit of a weight during training."""
    from stylegan.training import phases

    real = phases.update_ema

    def broken(average, network, beta):
        real(average, network, beta)
        if rank == 1:
            network.synthesis.b16.conv1.bias.data[0] += 1e-6

    phases.update_ema = broken
    command(rank, *arguments)


def test_processes_that_differ_are_named_and_no_snapshot_is_written(images, tmp_path):
    launch = Launch(2, tmp_path, differ, "train", "--data", images, *TINY, "--outdir", tmp_path / "runs")
    assert launch.wait() == [1, 1]
    for rank in range(2):
        sentence = r"Error: the generator of rank 1 differs from that of rank 0 after 0\.032 kimg: its machine"
        assert re.search(sentence, launch.output(rank)), launch.output(rank)
    (run,) = (tmp_path / "runs").iterdir()
    assert list((run / "snapshots").iterdir()) == []


def test_torchrun_restarts_processes_which_resume_in_the_same_folder(images, uninterrupted, tmp_path):
    """The launcher itself: a worker is killed after the first snapshot, and the run ends as an uninterrupted one."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "--max-restarts", "1", "-m", "stylegan", "train", "--data", str(images), *TINY,
               "--kimg", "0.096", "--outdir", str(tmp_path / "runs")]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as launcher:
        lines = []
        for line in launcher.stdout:
            lines.append(line)
            if line.startswith("tick 1 ") and not any("Resuming" in earlier for earlier in lines):
                os.kill(max(children_of(launcher.pid)), signal.SIGKILL)
    output = "".join(lines)
    assert launcher.returncode == 0, output
    (run,) = (tmp_path / "runs").iterdir()
    assert re.search(rf"Resuming {re.escape(str(run))} from 0\.\d+ kimg", output), output
    assert re.search(r"rank 1 \(process \d+ on .*\) died.*; resume from the newest snapshot", output), output
    assert_same_state(run, uninterrupted[0])


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("variables", [{}, {"RANK": "3"}, {"WORLD_SIZE": "4"}, {"RANK": "", "WORLD_SIZE": "4"},
                                       {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}], ids=str)  # fmt: skip
def test_a_process_is_alone_unless_both_rank_and_world_size_are_set(monkeypatch, variables):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with join() as world:
        assert world == from_environment() == World(rank=0, size=1, local_rank=0, local_size=1)
        assert not torch.distributed.is_initialized()
        x = torch.tensor([1.0, 2.0])
        world.average_([x])
        assert x.tolist() == [1, 2]
        assert (world.largest(3), world.gather("a"), world.run_once("x", lambda: "b")) == (3, ["a"], "b")


def test_half_a_launcher_gets_a_sentence(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(DistributedError, match="RANK and WORLD_SIZE are set, but 'MASTER_ADDR' is not; start with tor"):
        join().__enter__()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"RANK": "x", "WORLD_SIZE": "2"},
            "RANK must be a whole number, got 'x'; start the processes with torchrun, or",
        ),
        ({"RANK": "0", "WORLD_SIZE": "-1"}, "WORLD_SIZE must be a whole number, got '-1'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK must be below WORLD_SIZE, got 2 and 2; start"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "RANK must be below WORLD_SIZE, got 0 and 0"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "1.5"}, "LOCAL_RANK must be a whole number, got '1.5'"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "7"}, "LOCAL_RANK must be below WORLD_SIZE, got 7 and 2"),
        (
            {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "1"},
            "LOCAL_RANK must be below LOCAL_WORLD_SIZE, got 1 and 1",
        ),
        (
            {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "8"},
            "LOCAL_WORLD_SIZE must be at most WORLD_SIZE, got 8",
        ),
    ],
)
def test_values_that_are_malformed_or_contradict_each_other_get_one_sentence(
    monkeypatch, tmp_path, variables, sentence
):
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        from_environment()
    result = run_cli("train", "--data", tmp_path, "--dry-run")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith(f"Error: {sentence}")


def test_a_full_place_of_a_launcher_is_believed(monkeypatch):
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert from_environment() == World(rank=5, size=8, local_rank=1, local_size=4)


def test_a_world_is_made_in_one_place_and_handed_on():
    library = Path(stylegan.__file__).parent
    makers = {
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if re.search(
            r"\bfrom_environment\b|\bimport .*\bjoin\b|\"(WORLD_SIZE|RANK)\"", path.read_text(encoding="utf-8")
        )
    }
    assert makers == {"machine/__init__.py", "machine/processes.py", "cli/launch.py"}


def test_dataset_is_the_work_of_one_process(monkeypatch, images, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in (1, 0):
        monkeypatch.setenv("RANK", str(rank))
        result = run_cli("dataset", "--source", images, "--dest", tmp_path / "data.zip")
        assert (result.code, result.err) == (0, "")
        assert (tmp_path / "data.zip").exists() == (rank == 0)
        assert (result.out == "") == (rank == 1)


@pytest.mark.parametrize("variables", [{"RANK": "1"}, {"WORLD_SIZE": "4"}], ids=str)
def test_half_a_launcher_does_not_keep_dataset_from_its_work(monkeypatch, images, tmp_path, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run_cli("dataset", "--source", images, "--dest", tmp_path / "data.zip").code == 0
    assert (tmp_path / "data.zip").exists()


@pytest.mark.parametrize("variables", [{"RANK": "2"}, {"WORLD_SIZE": "4"}], ids=str)
def test_half_a_launcher_does_not_divide_the_batch(monkeypatch, images, tmp_path, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = ("--data", images, *TINY, "--kimg", "0.032", "--outdir", tmp_path / "runs")
    assert run_cli("train", *options).out.startswith("New run in ")
    (run,) = (tmp_path / "runs").iterdir()
    (record,) = map(json.loads, (run / "stats.jsonl").read_text().splitlines())
    assert (record["nimg"], record["Loss/G/loss"]["num"]) == (32, 32)
