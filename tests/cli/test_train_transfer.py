"""`stylegan train --resume ... --transfer`, and training on classes."""

import json
from pathlib import Path

import pytest
from run_cli import run_cli
from tiny_run import tiny_images

import stylegan
from stylegan.checkpoints.snapshots import newest_snapshot

SHORT = ("--cfg", "tiny16", "--tick", "0.008", "--snap", "1", "--device", "cpu", "--kimg", "0.008")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return tiny_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def run(images, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert run_cli("train", "--data", images, *SHORT, "--cbase", "128", "--outdir", folder).code == 0
    return next(folder.iterdir())


@pytest.mark.parametrize("form", ["run", "checkpoint"])
def test_the_first_line_says_whether_a_run_resumes_or_starts_from_weights(run, images, tmp_path, form):
    snapshot = run / "snapshots/000000"
    source = (run, "--transfer") if form == "run" else (snapshot,)
    arguments = ("--data", images, *SHORT, "--freezed", 4, "--freeze-mapping", "--lr", 0.001, "--dlr", 0.0005)
    result = run_cli("train", "--resume", *source, *arguments, "--outdir", tmp_path)
    assert result.code == 0, result.err
    (new,) = tmp_path.iterdir()
    first, *report = result.out.splitlines()[:4]
    assert first == f"New run in {new} from the weights of {snapshot}"
    assert [line.split(" tensors")[0] for line in report] == [
        "  G: carried over 48 of 48",
        "  D: carried over 18 of 18",
        "  G_ema: carried over 48 of 48",
    ]
    config = json.loads((new / "config.json").read_text())
    assert config["generator"]["channel_base"] == 128  # of the weights, not of tiny16
    assert (config["g_lr"], config["d_lr"], config["discriminator"]["freeze_layers"]) == (0.001, 0.0005, 4)
    assert config["transfer"]["freeze_mapping"]
    again = run_cli("train", "--resume", new, "--kimg", "0.016")
    assert again.out.startswith(f"Resuming {new} from 0.008 kimg\n")
    assert f"from the weights of {snapshot} (trained by" in stylegan.load_checkpoint(new).origin


def test_settings_of_the_source_may_be_taken_over_too(run, images):
    arguments = ("--config", run / "config.json", "--data", images, "--dry-run")
    result = run_cli("train", "--resume", run, "--transfer", *arguments)
    config = json.loads(result.out)
    assert config["transfer"]["source"] == str(run / "snapshots/000000")
    assert "D: carried over 18 of 18 tensors." in result.err
    assert config["kimg"] == 0.008
    assert (config["augment"]["ada_kimg"], config["ema_rampup"]) == (100, None)  # not as from random weights
    larger = ("--config", run / "config.json", "--data", tiny_images(run.parent / "larger", size=32))
    larger += ("--cfg", "cpu32", "--dry-run")
    result = run_cli("train", "--resume", run, "--transfer", *larger)
    assert result.code == 0, result.err
    assert json.loads(result.out)["generator"]["img_resolution"] == 32
    assert "generator changed: img_resolution 16 -> 32." in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--transfer"], "--transfer needs weights to start from; add --resume FILE."),
        (["--freezed", "3"], "frozen layers would keep random weights; start from a checkpoint, or freeze nothing."),
        (["--balanced"], "--balanced needs labels; set --cond too."),
    ],
)
def test_what_makes_no_sense_alone_gets_one_sentence(images, arguments, message):
    result = run_cli("train", "--data", images, *SHORT, *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_too_many_frozen_layers_are_counted(run, images, tmp_path):
    arguments = ("--data", images, *SHORT, "--freezed", 10, "--outdir", tmp_path / "runs")
    result = run_cli("train", "--resume", run, "--transfer", *arguments)
    assert result.code == 2
    assert "this discriminator has 7 layers that can be frozen, got 10; freeze fewer." in " ".join(result.err.split())
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_checkpoint_gets_one_sentence(tmp_path):
    (tmp_path / "weights.txt").write_text("no")
    result = run_cli("train", "--resume", tmp_path / "weights.txt")
    assert result.code == 1
    assert "is not a checkpoint" in result.err


def test_class_folders_train_balanced_resume_exactly_and_are_drawn_by_name(tmp_path):
    tiny_images(tmp_path / "pets/cat", count=12)
    tiny_images(tmp_path / "pets/dog", count=2)
    assert run_cli("dataset", "--source", tmp_path / "pets", "--dest", tmp_path / "pets.zip").code == 0
    arguments = ("--data", tmp_path / "pets.zip", *SHORT, "--cond", "--balanced", "--outdir", tmp_path / "runs")
    assert run_cli("train", *arguments).code == 0
    assert run_cli("train", *arguments, "--kimg", "0.016").code == 0
    parts, whole = sorted((tmp_path / "runs").iterdir())
    assert run_cli("train", "--resume", parts, "--kimg", "0.016").code == 0
    for file in ("generator.safetensors", "discriminator.safetensors", "training.safetensors"):
        assert (newest_snapshot(parts) / file).read_bytes() == (newest_snapshot(whole) / file).read_bytes()
    assert stylegan.load(whole, device="cpu").class_names == ["cat", "dog"]
    assert run_cli("generate", "--network", whole, "--class", "dog", "--outdir", tmp_path / "out").code == 0


def test_vectors_are_drawn_by_the_names_of_their_values(tmp_path):
    labels = [[f"{i:03d}.png", [i % 2, i / 24]] for i in range(24)]
    tiny_images(tmp_path / "data")
    (tmp_path / "data/dataset.json").write_text(json.dumps({"labels": labels, "label_names": ["smile", "age"]}))
    assert run_cli("train", "--data", tmp_path / "data", *SHORT, "--cond", "--outdir", tmp_path / "runs").code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run_cli("generate", "--network", run, "--class", "smile,age=0.5", "--outdir", tmp_path).code == 0
    result = run_cli("generate", "--network", run, "--outdir", tmp_path)
    assert "this network takes 2 values (smile, age); choose them with --class, for example smile=1." in result.err
    arguments = ("--data", tmp_path / "data", *SHORT, "--cond", "--balanced", "--outdir", tmp_path / "more")
    assert "has no class numbers, which balanced classes need" in run_cli("train", *arguments).err
    assert not (tmp_path / "more").exists()
