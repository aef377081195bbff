"""A run is an object: it makes its folder, trains while it is iterated, stops, and resumes."""

import json

import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.errors import ConfigError, OutOfMemoryError, OutputError
from stylegan.machine.processes import World
from stylegan.runs.lock import locked
from stylegan.training import loop, resume, start, train
from stylegan.training.assemble import Given, Images, from_preset
from stylegan.training.batches import open_training_set
from stylegan.training.plan import Plan, new_plan, resumed_plan

TINY = {"cfg": "tiny16", "device": "cpu", "kimg": 0.032, "tick_kimg": 0.016, "snap_ticks": 1, "precision": "fp32"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("images"))


def test_training_from_one_call_leaves_a_run_like_that_of_the_command_line(images, tmp_path):
    run = train(images, tmp_path, **TINY, generator={"mapping_layers": 3})
    assert [tick.nimg for tick in run] == [16, 32]
    config = json.loads((run.folder / "config.json").read_text())
    assert (config["cfg"], config["generator"]["mapping_layers"]) == ("tiny16", 3)
    log = (run.folder / "log.txt").read_text().splitlines()
    assert log[:2] == run.headline.splitlines()
    assert log[0] == f"New run in {run.folder}"
    assert [line.split()[:2] for line in log[2:]] == [["tick", "1"], ["tick", "2"]]


def test_leaving_a_run_unlocks_its_folder_and_iterating_again_continues_it(images, tmp_path):
    run = start(tiny_config(images), tmp_path)
    for tick in run:
        assert tick.nimg == 32
        with pytest.raises(OutputError, match="is being trained by"), locked(run.folder):
            pass
        break
    with locked(run.folder):
        pass
    assert [tick.nimg for tick in run][-1] == 64
    assert not (run.folder / ".lock").exists()


def test_stop_ends_the_iteration_with_a_snapshot_and_the_next_continues(images, tmp_path):
    run = start(tiny_config(images, tick_kimg=0.008, snap_ticks=100), tmp_path)
    seen = []
    for tick in run:
        seen.append(tick.nimg)
        if len(seen) == 2:
            run.stop()
    assert seen == [8, 16, 24]  # the step after
    assert tick.snapshot.is_dir()
    assert [tick.nimg for tick in run] == [32, 40, 48, 56, 64]


def test_resuming_equals_an_uninterrupted_run(images, tmp_path):
    whole = start(tiny_config(images), tmp_path / "whole")
    parts = start(tiny_config(images, kimg=0.032), tmp_path / "parts")
    for run in (whole, parts):
        list(run)
    again = resume(parts.folder, {"kimg": 0.064})
    assert again.headline.startswith(f"Resuming {parts.folder} from 0.032 kimg\n")
    list(again)
    name = "snapshots/000000.064/generator_ema.safetensors"
    assert (whole.folder / name).read_bytes() == (parts.folder / name).read_bytes()
    assert json.loads((parts.folder / "config.json").read_text())["kimg"] == 0.064


def test_the_convenience_resumes_a_run_and_starts_from_a_checkpoint(images, tmp_path):
    first = train(images, tmp_path, **TINY)
    list(first)
    assert [tick.nimg for tick in train(resume=first.folder, kimg=0.048)] == [48]
    new = train(images, tmp_path, resume=first.folder / "snapshots/000000", **TINY)
    assert new.folder != first.folder
    assert f"from the weights of {first.folder / 'snapshots/000000'}\n  G: carried over 48 of 48" in new.headline
    assert new.config.augment.ada_kimg == 100


def test_a_resumed_run_keeps_its_settings(images, tmp_path):
    run = start(tiny_config(images), tmp_path)
    with pytest.raises(ConfigError, match=r"a resumed run keeps its settings; leave out batch, or start a new run\."):
        resume(run.folder, {"batch": 16, "kimg": 1})
    with pytest.raises(ConfigError, match="is not the folder of a run, which holds config.json and snapshots"):
        resume(images)


def test_nothing_is_written_for_a_run_that_cannot_start(images, tmp_path, monkeypatch):
    from stylegan.training import estimate

    monkeypatch.setattr(estimate, "available_bytes", lambda device, processes: 10**8)
    outdir = tmp_path / "runs"
    with pytest.raises(ConfigError, match="more than is free on cpu; use a smaller `micro_batch` or network"):
        start(tiny_config(images), outdir)
    with pytest.raises(ConfigError, match="has img_resolution 32, but the data set"):
        start(tiny_config(images, **{f"{n}.img_resolution": 32 for n in ("generator", "discriminator")}), outdir)
    assert not outdir.exists()
    assert start(tiny_config(images), outdir, force=True).folder.is_dir()


def test_what_the_device_and_the_disk_refuse_becomes_one_sentence(images, tmp_path, monkeypatch):
    run = start(tiny_config(images), tmp_path)
    for error, kind, message in (
        (
            torch.OutOfMemoryError("full"),
            OutOfMemoryError,
            r"training ran out of memory; use a smaller `micro_batch` or network\.",
        ),
        (OSError(28, "No space left on device"), OutputError, r"cannot write to .*: No space left on device\."),
    ):
        monkeypatch.setattr(loop, "train_step", lambda *_, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(kind, match=message):
            list(run)


@pytest.mark.parametrize(("processes", "refused"), [(1, False), (2, False), (3, True)])
def test_batches_of_growing_are_shared_before_the_run_starts(images, processes, refused):
    changes = {"batch": 24, "micro_batch": 4, "discriminator.mbstd_group_size": 2, "growing.batch": {4: 16, 8: 16}}
    config = from_preset("progan-tiny16", Images(images, 16), changes)
    dataset = open_training_set(config.data, 0)
    if refused:
        with pytest.raises(
            ConfigError, match=rf"^`growing.batch` at \d px: `batch` \d+ cannot be split over {processes} "
        ):
            Plan(config, dataset, World(size=processes))
    else:
        Plan(config, dataset, World(size=processes))


def test_batch_auto_and_a_micro_batch_contradict_each_other(images):
    given = Given(assignments={**TINY, "data.path": images, "batch": "auto", "micro_batch": 4})
    with pytest.raises(ConfigError, match="`batch` auto chooses `micro_batch` by itself; leave"):
        new_plan(given)


def test_a_plan_writes_nothing_and_says_what_the_run_needs(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = new_plan(Given(assignments={**TINY, "data.path": images}))
    assert plan.needed().snapshots == 2
    assert (plan.folder, plan.report) == (None, "")
    assert list(tmp_path.iterdir()) == []


def test_an_emptied_cache_of_embedded_faces_is_filled_again(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    run = train(outdir=tmp_path / "runs", **TINY)
    (tmp_path / "cache/data/avatars16.zip").unlink()
    assert len(resumed_plan(run.folder).dataset) == 1000
