"""`stylegan train`: flags, resuming, stopping, and one sentence for each mistake."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_cli import run_cli
from tiny_run import tiny_images

from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.errors import OutputError
from stylegan.training import compiling

TINY = ("--cfg", "tiny16", "--tick", "0.032", "--snap", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return tiny_images(tmp_path_factory.mktemp("images"))


def test_dry_run_prints_the_settings_and_writes_nothing(images, tmp_path):
    result = run_cli("train", "--data", images, *TINY, "--gamma", "3", "--lr", "0.001", "--cbase", "128",
                     "--map-depth", "3", "--set", "ema_kimg=7", "--outdir", tmp_path / "runs", "--dry-run")  # fmt: skip
    assert result.code == 0
    config = json.loads(result.out)
    assert (config["cfg"], config["r1_gamma"], config["g_lr"], config["d_lr"]) == ("tiny16", 3, 0.001, 0.001)
    assert config["generator"]["channel_base"] == config["discriminator"]["channel_base"] == 128
    assert (config["generator"]["mapping_layers"], config["ema_kimg"]) == (3, 7)
    assert not (tmp_path / "runs").exists()


def test_dry_run_reports_what_the_run_needs(images):
    result = run_cli("train", "--data", images, *TINY, "--kimg", "0.064", "--dry-run")
    assert re.search(
        r"About \d+ MB of memory: weights \d+ MB, .*\nAbout \d+ MB on the disk: 2 snapshots of ", result.err
    )


def test_run_that_cannot_fit_is_refused_unless_forced(images, tmp_path, monkeypatch):
    from stylegan.training import estimate

    monkeypatch.setattr(estimate, "available_bytes", lambda device, processes: 10**8)
    command = ("train", "--data", images, *TINY, "--kimg", "0.008", "--outdir", tmp_path / "runs")
    result = run_cli(*command)
    assert result.code == 2
    assert re.search(r"needs about \d+ MB of memory, \d+ MB more than is free on cpu", result.err)
    assert not (tmp_path / "runs").exists()
    assert run_cli(*command, "--force").code == 0


def test_auto_chooses_gamma_and_how_many_images_at_once(images, tmp_path, monkeypatch):
    from stylegan.training import estimate
    from stylegan.training.config import changed, read_config

    command = ("train", "--data", images, *TINY, "--dry-run")
    for more, gamma in (((), 1), (("--cbase", "16384"), 0.0002 * 16**2 / 4)):
        config = json.loads(run_cli(*command, "--gamma", "auto", "--batch", "4", *more).out)
        assert config["r1_gamma"] == pytest.approx(gamma)
    (tmp_path / "config.json").write_text(run_cli(*command, "--batch-gpu", "4").out)
    from_file = ("--config", tmp_path / "config.json")  # the flags win over it, so over its micro-batch too
    for more in ((), from_file):
        config = json.loads(run_cli(*command, *more, "--batch", "auto").out)
        assert (config["batch"], config["micro_batch"]) == (8, 8)
    halves = estimate.estimate(read_config(tmp_path / "config.json")).memory
    assert halves < estimate.estimate(changed(read_config(tmp_path / "config.json"), {"micro_batch": 8})).memory
    monkeypatch.setattr(estimate, "available_bytes", lambda device, processes: halves)
    config = json.loads(run_cli(*command, "--batch", "auto").out)
    assert (config["batch"], config["micro_batch"]) == (8, 4)
    assert json.loads(run_cli(*command, "--set", "r1_gamma=auto").out)["r1_gamma"] == 1


@pytest.mark.parametrize(
    ("given", "name"), [(("--batch-gpu", "4"), "--batch-gpu"), (("--set", "micro_batch=4"), "micro_batch")]
)
def test_batch_auto_and_a_number_of_images_at_once_contradict_each_other(images, given, name):
    result = run_cli("train", "--data", images, *TINY, "--batch", "auto", *given, "--dry-run")
    assert (result.code, result.out) == (2, "")
    text = f"Error: --batch auto chooses {name} by itself; leave {name} out, or give --batch a number."
    assert text in " ".join(result.err.split())


def test_tensorboard_that_is_missing_is_reported_before_the_run(images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = run_cli("train", "--data", images, *TINY, "--tensorboard", "--outdir", tmp_path / "runs")
    assert result.code == 1
    assert "pip install 'stylegan[tracking]'" in result.err
    assert not (tmp_path / "runs").exists()


def test_augmentation_is_asked_for_by_the_official_flags(images):
    result = run_cli("train", "--data", images, *TINY, "--aug", "fixed", "--p", "0.3", "--augpipe", "bg", "--dry-run")
    augment = json.loads(result.out)["augment"]
    assert (augment["mode"], augment["p"], augment["pipe"]) == ("fixed", 0.3, "bg")
    assert json.loads(run_cli("train", "--data", images, *TINY, "--dry-run").out)["augment"]["mode"] == "noaug"
    for unused in (("--p", "0.3"), ("--target", "0.5", "--aug", "fixed")):
        result = run_cli("train", "--data", images, *TINY, *unused, "--dry-run")
        assert result.code == 2
        assert f"{unused[0]} needs --aug" in result.err
    result = run_cli("train", "--data", images, *TINY, "--augpipe", "everything")
    assert result.code == 2
    assert "everything" in result.err


def test_compile_measures_and_says_when_it_does_not_help(images, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "step_seconds", lambda *_: (2.0, 1.0))
    asked = run_cli("train", "--data", images, *TINY, "--compile", "--dry-run")
    assert json.loads(asked.out)["compile"] == "auto"
    result = run_cli("train", "--data", images, *TINY, "--compile", "--kimg", "0.008", "--outdir", tmp_path)
    assert result.code == 0
    warning = "Warning: --compile is off: a step takes 2000 ms compiled, 1000 ms uncompiled.\n"
    assert result.err.endswith(warning)  # after the decoding of the images at their first use


def test_settings_of_a_run_start_another_like_it(images, tmp_path):
    first = run_cli("train", "--data", images, *TINY, "--gamma", "3", "--dry-run")
    (tmp_path / "run.yaml").write_text(first.out)
    again = run_cli("train", "--config", tmp_path / "run.yaml", "--dry-run")
    assert json.loads(again.out) == json.loads(first.out)
    changed = run_cli("train", "--config", tmp_path / "run.yaml", "--gamma", "4", "--dry-run")
    assert json.loads(changed.out)["r1_gamma"] == 4


def test_run_prints_the_official_tick_line_and_how_to_continue(images, tmp_path):
    result = run_cli("train", "--data", images, *TINY, "--kimg", "0.032", "--outdir", tmp_path)
    assert result.code == 0
    (run,) = tmp_path.iterdir()
    assert result.out.startswith(f"New run in {run}\n24 images of 16x16, 3 channels; cfg tiny16, batch 8")
    assert re.search(
        r"\ntick 1 +kimg 0\.0 +time \d+s +sec/tick [\d.]+ +sec/kimg [\d.]+ +maintenance [\d.]+", result.out
    )
    assert f"stylegan generate --network {run}" in result.out
    assert (run / "log.txt").read_text().count("\ntick 1") == 1
    longer = run_cli("train", "--resume", run, "--kimg", "0.064")
    assert longer.out.startswith(f"Resuming {run} from 0.032 kimg\n")
    assert "tick 2" in longer.out
    assert sorted(p.name for p in tmp_path.iterdir()) == [run.name]


def test_without_data_the_embedded_faces_are_used(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path))
    config = json.loads(run_cli("train", "--cfg", "tiny16", "--dry-run").out)
    assert Path(config["data"]["path"]).name == "avatars16.zip"
    assert config["generator"]["img_resolution"] == 16


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_signal_stops_with_a_snapshot_that_resumes(images, tmp_path, number, code):
    command = [sys.executable, "-m", "stylegan", "train", "--data", str(images), *TINY, "--kimg", "1000"]
    process = subprocess.Popen(
        [*command, "--snap", "100000", "--outdir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for line in process.stdout:  # until it has trained a little
        if line.startswith("tick"):
            break
    start = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert process.returncode == code
    (run,) = tmp_path.iterdir()
    assert f"Resume with: stylegan train --resume {run}" in err
    snapshot = newest_snapshot(run)
    nimg = json.loads((snapshot / "training.json").read_text())["nimg"]
    assert run_cli("train", "--resume", run, "--kimg", nimg / 1000 + 0.008).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--cfg", "paper9000"], 2, "cfg must be one of auto, progan, .* got 'paper9000'"),
        (["--cfg", "cpu64"], 2, "cfg cpu64 is made for 64 px, but the data has 16; prepare the images at"),
        (["--cond", *TINY], 1, "has no labels; .*use it without them"),
        ([*TINY, "--cbase", "8"], 2, "--cbase 8 and --cmax 32 leave no channel at 16x16; enlarge them"),
        ([*TINY, "--gamma", "much"], 2, "'much' is not a valid float"),
        ([*TINY, "--held-out", "24"], 1, "has 24 images, so 24 cannot be held out; leave some to train on"),
        ([*TINY, "--map-depth", "0"], 2, "--map-depth must be a whole number from 1 to 100, got 0"),
        ([*TINY, "--mbstd-group", "0"], 2, "--mbstd-group must be at least 1, or null for the whole batch, got 0"),
        ([*TINY, "--set", "generator.activation=foo"], 2, "activation must be one of linear, relu"),
        ([*TINY, "--set", "generator.w_dim=abc"], 2, "w_dim must be a whole number from 1 to 65536, got 'abc'"),
        ([*TINY, "--set", "generator=5"], 2, "generator must be a group of settings, got 5"),
        ([*TINY, "--set", "a=[1"], 2, "is not a value in YAML"),
        ([*TINY, "--set", "seed=abc"], 2, "seed must be a whole number, got 'abc'"),
        ([*TINY, "--seed", str(2**70)], 2, "seed must be less than 4294967296, got "),
        ([*TINY, "--set", "adam_betas=[0,2]"], 2, r"adam_betas must be in \[0, 1\)"),
        ([*TINY, "--device", "meta"], 1, "device 'meta' is not available here"),
        (["--batch", "6", *TINY], 2, "--batch must be a multiple of --mbstd-group 4, got 6"),
        (["--batch", "12", "--batch-gpu", "8", *TINY], 2, "--batch must be a multiple of --batch-gpu 8, got 12"),
        (["--kimg", "-1", *TINY], 2, "kimg must be greater than 0, got -1"),
        (["--set", "generator.depth=3", *TINY], 2, "`generator` has no setting 'depth'; it has "),
        (
            ["--set", "color=blue", *TINY],
            2,
            "there is no setting 'color', got 'blue'; correct the name, or leave it out",
        ),
        (["--set", "data.flip=true", *TINY], 2, "there is no setting 'data.flip', got True"),
        (["--set", "batch", *TINY], 2, "expected NAME=VALUE such as batch=16, got 'batch'"),
        (["--precision", "int8"], 2, "'int8' is not one of"),
        ([*TINY, "--device", "cuda:9"], 1, "device 'cuda:9' is not available here"),
        (["--color", "blue"], 2, "No such option"),
        (["--config", "nowhere.yaml"], 2, "does not exist"),
    ],
)
def test_mistake_gets_one_sentence(images, tmp_path, arguments, code, message):
    result = run_cli("train", "--data", images, "--outdir", tmp_path / "runs", "--kimg", "0.008", *arguments)
    assert result.code == code, result.err
    assert re.search(message, result.err.replace("\n", " ")), result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "runs").exists()


def test_missing_or_empty_data_gets_one_sentence(tmp_path):
    assert "does not exist" in run_cli("train", "--data", tmp_path / "nowhere").err
    (tmp_path / "empty").mkdir()
    result = run_cli("train", "--data", tmp_path / "empty")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "holds no images" in result.err


def test_mixed_sizes_are_named_at_train_time(tmp_path):
    tiny_images(tmp_path / "mixed")
    tiny_images(tmp_path / "mixed" / "z", size=32, count=1)
    result = run_cli("train", "--data", tmp_path / "mixed", *TINY)
    assert result.code == 1
    assert re.search(r"z/000.png .* is 32x32 .*, but 000.png is 16x16", result.err)


def test_resume_refuses_what_it_would_ignore(images, tmp_path):
    result = run_cli("train", "--resume", tmp_path, "--gamma", "2", "--cfg", "auto", "--outdir", tmp_path)
    assert result.code == 2
    assert "leave out --cfg, --gamma, --outdir, or start a new run" in result.err
    result = run_cli("train", "--resume", tmp_path, "--set", "seed=3", "--config", images / "000.png")
    assert "leave out --config, --set seed, or start a new run" in result.err
    result = run_cli("train", "--resume", images)
    assert result.code == 2
    assert "is not the folder of a run, which holds config.json and snapshots" in result.err


@pytest.fixture
def run(images, tmp_path) -> Path:
    """A finished run of one tick, on data of its own."""
    shutil.copytree(images, tmp_path / "data")
    assert (
        run_cli("train", "--data", tmp_path / "data", *TINY, "--kimg", "0.032", "--outdir", tmp_path / "runs").code == 0
    )
    return next((tmp_path / "runs").iterdir())


def test_longer_length_is_remembered(run):
    assert run_cli("train", "--resume", run, "--kimg", "0.048").code == 0
    assert json.loads((run / "config.json").read_text())["kimg"] == 0.048
    for kimg in ("-5", "nan", "inf"):
        assert run_cli("train", "--resume", run, "--kimg", kimg).code == 2


def test_data_that_moved_can_be_given_again_but_not_exchanged(run, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    result = run_cli("train", "--resume", run, "--kimg", "0.048")
    assert result.code == 1
    assert "there is nothing at" in result.err
    result = run_cli("train", "--resume", run, "--kimg", "0.048", "--data", tmp_path / "moved")
    assert result.code == 0
    assert f"Warning: {tmp_path / 'moved'} was changed or moved since the last snapshot." in result.err
    tiny_images(tmp_path / "fewer", count=8)
    result = run_cli("train", "--resume", run, "--kimg", "0.064", "--data", tmp_path / "fewer")
    assert result.code == 1
    assert "was trained on 24 images, but" in result.err


def test_run_whose_every_snapshot_is_damaged_does_not_start_from_nothing(run):
    before = (run / "stats.jsonl").read_text()
    (run / "snapshots" / "000000" / "training.json").write_text("[]")
    for arguments in (("train", "--resume", run, "--kimg", "0.048"), ("generate", "--network", run, "--seeds", "0")):
        result = run_cli(*arguments)
        assert result.code == 1
        assert re.search(
            r"no snapshot in .*/snapshots can be (resumed|read): 000000 \(training.json has 2 bytes instead of \d+\); "
            r"bring one back from a copy, or start a new run\.\n$",
            result.err,
        )
    assert (run / "stats.jsonl").read_text() == before


def test_snapshot_made_for_other_networks_says_what_to_do(run):
    config = json.loads((run / "config.json").read_text())
    config["generator"]["channel_max"] = 8
    (run / "config.json").write_text(json.dumps(config))
    result = run_cli("train", "--resume", run, "--kimg", "0.048")
    assert result.code == 1
    assert "snapshots/000000 cannot be resumed" in result.err
    assert "remove that folder to resume from an older one" in result.err


def test_output_that_cannot_be_written_is_tried_twice_and_reported_once(run, monkeypatch):
    from stylegan.training import snapshot_writer

    tried = []

    def fail(*args, **options):
        tried.append(args)
        raise OutputError("cannot write x: No space left on device; choose another place.")

    monkeypatch.setattr(snapshot_writer, "write_snapshot", fail)
    result = run_cli("train", "--resume", run, "--kimg", "0.048")
    assert result.code == 1
    assert result.err == "Error: cannot write x: No space left on device; choose another place.\n"
    assert len(tried) == 2


def test_log_that_cannot_be_written_is_one_warning(run):
    (run / "log.txt").unlink()
    (run / "log.txt").mkdir()
    result = run_cli("train", "--resume", run, "--kimg", "0.128")
    assert result.code == 0
    assert result.err == "Warning: log.txt could not be written (Is a directory); training continues (reported once).\n"


def test_number_of_snapshots_kept_can_be_chosen_and_changed(images, run):
    def kept(*arguments):
        return json.loads(run_cli("train", *arguments, "--dry-run").out)["keep_snapshots"]

    assert kept("--data", images, *TINY) == 3
    assert kept("--data", images, *TINY, "--keep", "all") == "all"
    assert kept("--resume", run, "--kimg", "0.064", "--keep", "1") == 1
    for wrong in ("0", "some"):
        result = run_cli("train", "--data", images, *TINY, "--keep", wrong)
        assert result.code == 2
        assert f"--keep: expected a number of snapshots from 1, or all, got '{wrong}'" in result.err


def test_snapshot_that_was_being_replaced_is_brought_back(run):
    (run / "snapshots" / "000000").rename(run / "snapshots" / ".000000.1234.old")
    (run / "snapshots" / ".000000.1234.tmp").mkdir()
    result = run_cli("train", "--resume", run, "--kimg", "0.048")
    assert "from 0.032 kimg" in result.out
    lines = [json.loads(line)["nimg"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert lines == [32, 48]
    assert sorted(p.name for p in (run / "snapshots").iterdir()) == ["000000", "000000.048"]


def test_run_that_never_reached_a_snapshot_starts_again(run):
    shutil.rmtree(run / "snapshots")
    (run / "snapshots").mkdir()
    assert run_cli("train", "--resume", run).code == 0
    lines = [json.loads(line)["nimg"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert lines == [32]


def test_folder_that_cannot_be_written_gets_one_sentence(images, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run_cli("train", "--data", images, *TINY, "--outdir", tmp_path / "file")
    assert result.code == 1
    assert "cannot write a run into" in result.err
    assert "choose another --outdir" in result.err


def test_data_labels_and_rounding_are_reported_with_flags(run, tmp_path):
    labels = [[f"{i:03d}.png", i % 2] for i in range(24)]
    (tmp_path / "data/dataset.json").write_text(json.dumps({"labels": labels}))
    start = ("train", "--data", tmp_path / "data", *TINY, "--kimg", "0.008", "--outdir", tmp_path / "more")
    line = "The labels of the data, 2 classes, are not used; start the run with --cond to use them."
    assert run_cli(*start).out.splitlines()[1] == line
    assert line in run_cli(*start, "--dry-run").err
    line = "From here on, the run will not equal one without this change bit for bit: --batch-gpu 8 -> 4."
    resumed = run_cli("train", "--resume", run, "--kimg", "0.04", "--batch-gpu", "4", "--snap", "2", "--tick", "0.004")
    assert resumed.out.splitlines()[1] == line
    weights = run_cli("train", "--resume", run / "snapshots/000000", *TINY, "--dry-run")
    assert f"Training on {tmp_path / 'data'}, the data of {run}." in weights.err
    assert json.loads(weights.out)["data"]["path"] == str(tmp_path / "data")


def test_a_run_that_is_finished_says_how_to_train_longer(run):
    for arguments in ((), ("--kimg", "0.016"), ("--dry-run",)):
        result = run_cli("train", "--resume", run, *arguments)
        assert result.code == 2
        text = "is finished: it has been trained for 0.032 kimg, and --kimg is"
        assert text in " ".join(result.err.split())


def test_a_resumed_run_takes_its_own_outdir_and_settings_that_may_change(run):
    resumed = ("train", "--resume", run, "--kimg", "0.064", "--dry-run")
    assert run_cli(*resumed, "--outdir", run.parent).code == 0
    config = json.loads(run_cli(*resumed, "--set", "data.cache_gb=1", "--set", "snap_ticks=7").out)
    assert (config["data"]["cache_gb"], config["snap_ticks"]) == (1, 7)
