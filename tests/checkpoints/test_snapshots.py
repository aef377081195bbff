"""Choice of the snapshot of a run that is read."""

import shutil
import warnings
from pathlib import Path

import pytest
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints.snapshots import discriminator_features, newest_snapshot, nimg_of, snapshots
from stylegan.errors import CheckpointError
from stylegan.files import checksums
from stylegan.files.checksums import mismatch, write_checksums


@pytest.fixture
def run(tmp_path) -> Path:
    """Three snapshots to draw with."""
    for kimg in (9, 10, 100):
        folder = tmp_path / "snapshots" / f"{kimg:06d}"
        stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator(), origin=f"{kimg}"), folder)
        write_checksums(folder)
    return tmp_path


def test_newest_is_found_by_number_without_a_warning(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert newest_snapshot(run).name == "000100"
        (run / "snapshots" / ".000200.77.tmp").mkdir()
        (run / "snapshots" / "best").symlink_to("000009")
        (run / "snapshots" / "000100" / "notes.txt").write_text("my favorite")
        assert stylegan.load_checkpoint(run).origin == "100"
        assert newest_snapshot(run / "elsewhere") is None


def test_a_second_snapshot_within_one_kimg_comes_after_the_first(run):
    for name in ("000100.008", "000010.500"):
        shutil.copytree(run / "snapshots" / "000009", run / "snapshots" / name)
    (run / "snapshots" / "000100.1").mkdir()  # not a name of ours
    assert [p.name for p in snapshots(run)] == ["000100.008", "000100", "000010.500", "000010", "000009"]
    assert newest_snapshot(run).name == "000100.008"


@pytest.mark.parametrize(("content", "nimg"), [
    ('{"nimg": 9016}', 9016), ('{"nimg": null}', 9000), ("{}", 9000), ("[]", None), ("{", None), ("[" * 99_999, None)
])  # fmt: skip
def test_the_number_of_images_is_that_of_the_file_rather_than_of_the_name(run, content, nimg):
    (run / "snapshots" / "000009" / "config.json").write_text(content)
    assert nimg_of(run / "snapshots" / "000009") == nimg


def test_each_damaged_one_is_named_with_its_reason(run):
    (run / "snapshots" / "000100" / "checksums.json").write_text("{")
    weights = run / "snapshots" / "000010" / "generator_ema.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 128
    weights.write_bytes(content)
    with pytest.warns(RuntimeWarning) as caught:
        assert stylegan.load_checkpoint(run).origin == "9"
    first, second = (str(w.message) for w in caught)
    assert "000100 is skipped: checksums.json cannot be read: " in first
    assert "000010 is skipped: generator_ema.safetensors has another SHA-256 than the file that was written" in second
    assert first.endswith("; going back to 000009.")


def test_damaged_snapshot_that_was_asked_for_is_an_error(run):
    snapshot = run / "snapshots" / "000100"
    (snapshot / "README.md").write_text("")
    with pytest.raises(
        CheckpointError, match=r"000100 is damaged: README.md has 0 bytes instead of \d+; choose another"
    ):
        stylegan.load(snapshot)


GARBAGE = ["", "{}", "[]", "null", "[" * 10_000, '{"config.json": 3}', '{"\\u0000": {}}', "\xff"]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_list_of_checksums_may_hold_anything(run, content):
    snapshot = run / "snapshots" / "000100"
    (snapshot / "checksums.json").write_text(content, encoding="latin-1")
    assert mismatch(snapshot) is not None


def test_file_that_cannot_be_read_is_named(run, monkeypatch):
    def fail(file):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checksums, "_describe", fail)
    assert mismatch(run / "snapshots" / "000100") == "README.md cannot be read: Input/output error"


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"discriminator_features": "efflite0"}', "efflite0"), ("{}", None), ('{"discriminator_features": 1}', None),
     ("[]", None), ("{", None), (None, None)],
)  # fmt: skip
def test_feature_network_of_the_discriminator_is_read_from_the_config(tmp_path, text, expected):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    assert discriminator_features(tmp_path) == expected
