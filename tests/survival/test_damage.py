"""A damaged newest snapshot is reported, skipped, and replaced when the run reaches that point again."""

import shutil
import warnings
from pathlib import Path

import pytest
from small_run import BATCH, folder_digest, small_config, small_images, train_small

import stylegan
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.errors import CheckpointError

STEPS = 3
FILES = (
    "config.json", "README.md", "generator_ema.safetensors", "generator.safetensors", "discriminator.safetensors",
    "training.safetensors", "training.json", "checksums.json",
)  # fmt: skip
OLDER, NEWEST = f"{BATCH * (STEPS - 1):06d}", f"{BATCH * STEPS:06d}"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "one bit flipped": _flip,
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "overwritten by other JSON": lambda path: path.write_text("[1, 2, {}]"),
    "appended to": lambda path: path.open("ab").write(b"\0"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("finished")
    config = small_config(small_images(tmp_path_factory.mktemp("images")), steps=STEPS)
    train_small(config, run)
    return config, run


def one_warning(action) -> tuple[object, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    (warning,) = caught
    return result, str(warning.message)


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_newest_snapshot_costs_one_warning(kind, finished, tmp_path):
    config, whole = finished
    cases = 0
    for file in FILES:
        run = shutil.copytree(whole, tmp_path / file)
        newest = run / "snapshots" / NEWEST
        DAMAGES[kind](newest / file)
        named = f"snapshot {newest} is skipped: {_named(file, kind)}"
        found, message = one_warning(lambda: newest_snapshot(run))
        assert found.name == OLDER
        assert message.startswith(named)
        assert message.endswith(f"; going back to {OLDER}.")
        with pytest.raises(CheckpointError, match=_direct(file, kind)):
            stylegan.load(newest)
        checkpoint, message = one_warning(lambda: stylegan.load_checkpoint(run))
        assert message.startswith(named)
        assert checkpoint.origin.endswith(f"{BATCH * (STEPS - 1) / 1000:g} kimg")
        _, message = one_warning(lambda: train_small(config, run))
        assert message.startswith(named)
        assert folder_digest(newest) == folder_digest(whole / "snapshots" / NEWEST)
        cases += 1
    print(f"{cases} newest snapshots {kind}: named, skipped, and replaced by the same numbers")
    assert cases >= 8


def _named(file: str, kind: str) -> str:
    """Return how messages name the damage: a flipped bit in the list of checksums is blamed on the listed file."""
    return "" if (file, kind) == ("checksums.json", "one bit flipped") else file


def _direct(file: str, kind: str) -> str:
    if (file, kind) == ("config.json", "deleted"):
        return "is not a checkpoint; expected a folder with config.json"
    return rf"{NEWEST} is damaged: {_named(file, kind)}.*(is missing|has |cannot be read).*; choose another\."


def test_run_of_damaged_snapshots_does_not_restart_from_scratch(finished, tmp_path):
    config, whole = finished
    run = shutil.copytree(whole, tmp_path / "run")
    for snapshot in (run / "snapshots").iterdir():
        (snapshot / "generator.safetensors").unlink()
    reasons = ", ".join(f"{BATCH * i:06d} \\(generator.safetensors is missing\\)" for i in (3, 2, 1))
    with pytest.raises(CheckpointError, match=f"no snapshot in .* can be resumed: {reasons}; bring one back"):
        train_small(config, run)
