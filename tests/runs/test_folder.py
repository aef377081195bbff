"""The names in a run folder, and interrupted writing."""

import json

import pytest
from file_size_limit import file_size_limit

from stylegan.errors import ConfigError, OutputError
from stylegan.runs.folder import (
    append_line,
    drop_lines_after,
    grid_file,
    grids_by_kimg,
    make_run_folder,
    repair_interrupted_writes,
    snapshot_folder,
)
from stylegan.runs.info import RunInfo
from stylegan.runs.scores import read_scores


def test_line_that_does_not_fit_leaves_the_lines_before_whole(tmp_path):
    path = tmp_path / "stats.jsonl"
    append_line(path, {"nimg": 1})
    whole = path.read_bytes()
    sentence = "No space left on device; make room, or make the folder writable"
    with file_size_limit(len(whole) + 5), pytest.raises(OutputError, match=sentence):
        append_line(path, {"nimg": 2})
    assert path.read_bytes() == whole
    append_line(path, {"nimg": 3})
    assert path.read_text() == '{"nimg": 1}\n{"nimg": 3}\n'


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / "snapshots" / "000001").mkdir(parents=True)
    (tmp_path / "snapshots" / ".000002.77.tmp").mkdir()
    for name in (".fakes000001.77.tmp.png", ".stats.77.tmp.jsonl", "snapshots/000001/.checksums.77.tmp.json"):
        (tmp_path / name).touch()
    repair_interrupted_writes(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["000001", "snapshots"]


def test_bytes_that_a_power_cut_left_are_dropped_like_any_damaged_line(tmp_path):
    stats, scores = tmp_path / "stats.jsonl", tmp_path / "metric-fid20_moments.jsonl"
    for path in (stats, scores):
        path.write_bytes(b'{"nimg": 1}\n\xff\xfe\0\0\n{"nimg": 1}\n{"nimg": 2')
    drop_lines_after(stats, 1)
    assert stats.read_text() == '{"nimg": 1}\n{"nimg": 1}\n'
    assert read_scores(tmp_path) == {"fid20_moments": [{"nimg": 1}, {"nimg": 1}]}


def snapshot(run, name, nimg):
    folder = run / "snapshots" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"nimg": nimg}))
    return folder


def test_snapshots_are_named_by_whole_kimg_where_that_names_one(tmp_path):
    assert snapshot_folder(tmp_path, 200_064).name == "000200"
    snapshot(tmp_path, "000200", 200_064)
    assert snapshot_folder(tmp_path, 200_064).name == "000200"  # written again
    assert snapshot_folder(tmp_path, 200_104).name == "000200.104"
    assert snapshot_folder(tmp_path, 200_032).name == "000200"  # the run went back to before it
    assert snapshot_folder(tmp_path, 201_000).name == "000201"
    (tmp_path / "snapshots/000200/config.json").write_text("{")
    assert snapshot_folder(tmp_path, 200_104).name == "000200"  # nothing to keep


def test_the_grid_of_a_snapshot_has_its_name(tmp_path):
    for name in ("000000", "000000.064", "000001", "000010"):
        grid_file(tmp_path / "snapshots" / name).touch()
    for name in ("fakes_init.png", "fakes_mine.png", "fakes1.5.png", "fakes.png"):
        (tmp_path / name).touch()
    assert {kimg: path.name for kimg, path in sorted(grids_by_kimg(tmp_path).items())} == {
        -1: "fakes_init.png", 0: "fakes000000.png", 0.064: "fakes000000.064.png", 1: "fakes000001.png",
        10: "fakes000010.png",
    }  # fmt: skip


def test_snapshot_that_was_being_replaced_comes_back_under_its_own_name(tmp_path):
    snapshot(tmp_path, "000001", 1008)
    for name in (".000001.104.77.old", ".000002.77.old"):
        snapshot(tmp_path, name, 0)
    repair_interrupted_writes(tmp_path)
    assert sorted(p.name for p in (tmp_path / "snapshots").iterdir()) == ["000001", "000001.104", "000002"]
    assert (tmp_path / "snapshots/000001/config.json").read_text() == '{"nimg": 1008}'


INFO = RunInfo(
    cfg="cpu64", architecture="stylegan2", data="x.zip", resolution=64, batch=8, gamma=2.0, precision="fp32", kimg=1.0
)


def test_the_description_is_the_end_of_the_name(tmp_path):
    assert make_run_folder(tmp_path, INFO, "x", "{}").name == "00000-stylegan2-x-batch8-gamma2"
    assert (
        make_run_folder(tmp_path, INFO, "x", "{}", "first try/2").name == "00001-stylegan2-x-batch8-gamma2-first_try_2"
    )


def test_a_data_set_whose_name_is_too_long_is_named_with_its_length(tmp_path):
    with pytest.raises(
        OutputError, match="a name of 275 characters, .*: 245 are the name of the data set, 0 the descr"
    ):
        make_run_folder(tmp_path, INFO, "x" * 245, "{}")
    assert list(tmp_path.iterdir()) == []


def test_runs_are_not_written_to_a_name_that_ends_like_a_file(tmp_path):
    with pytest.raises(ConfigError, match="runs are written to a folder, but .*/runs.zip ends like a file"):
        make_run_folder(tmp_path / "runs.zip", INFO, "x", "{}")
