"""What a run folder survives."""

import pytest
from file_size_limit import file_size_limit

from stylegan.errors import OutputError
from stylegan.runs.folder import append_line, drop_lines_after, mend_interrupted_writes
from stylegan.runs.scores import read_scores


def test_line_that_does_not_fit_leaves_the_lines_before_whole(tmp_path):
    path = tmp_path / "stats.jsonl"
    append_line(path, {"nimg": 1})
    whole = path.read_bytes()
    told = "No space left on device; make room or choose another `outdir`"
    with file_size_limit(len(whole) + 5), pytest.raises(OutputError, match=told):
        append_line(path, {"nimg": 2})
    assert path.read_bytes() == whole
    append_line(path, {"nimg": 3})
    assert path.read_text() == '{"nimg": 1}\n{"nimg": 3}\n'


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / "snapshots" / "000001").mkdir(parents=True)
    (tmp_path / "snapshots" / ".000002.77.tmp").mkdir()
    for name in (".fakes000001.77.tmp.png", ".stats.77.tmp.jsonl", "snapshots/000001/.checksums.77.tmp.json"):
        (tmp_path / name).touch()
    mend_interrupted_writes(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["000001", "snapshots"]


def test_bytes_that_a_power_cut_left_are_dropped_like_any_damaged_line(tmp_path):
    stats, scores = tmp_path / "stats.jsonl", tmp_path / "metric-fid20_moments.jsonl"
    for path in (stats, scores):
        path.write_bytes(b'{"nimg": 1}\n\xff\xfe\0\0\n{"nimg": 1}\n{"nimg": 2')
    drop_lines_after(stats, 1)
    assert stats.read_text() == '{"nimg": 1}\n{"nimg": 1}\n'
    assert read_scores(tmp_path) == {"fid20_moments": [{"nimg": 1}, {"nimg": 1}]}
