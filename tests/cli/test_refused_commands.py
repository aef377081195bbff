"""A command that is refused leaves every file as it was, and makes none."""

import contextlib
import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from run_cli import run_cli
from tiny_run import tiny_images

from stylegan.errors import ConfigError, MissingExtra
from stylegan.machine import precision
from stylegan.metrics import registry
from stylegan.runs.lock import locked
from stylegan.training import estimate

TINY = ("--cfg", "tiny16", "--tick", "0.008", "--snap", "1", "--device", "cpu", "--precision", "fp32")
LABELED = "labeled"


def write_labels(folder: Path, shift: int = 0) -> None:
    labels = [[f"{i:03d}.png", (i + shift) % 2] for i in range(12)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with data sets, and a finished conditional run of two snapshots in `runs`."""
    root = tmp_path_factory.mktemp("root")
    write_labels(tiny_images(root / LABELED, count=12))
    tiny_images(root / "fewer", count=8)
    tiny_images(root / "larger", count=4, size=32)
    tiny_images(root / "damaged", count=12)
    (root / "damaged/003.png").write_bytes((root / "damaged/003.png").read_bytes()[:200])
    (root / "file").write_text("in the way")
    tiny_images(root / ("x" * 245), count=8)
    command = ("train", "--data", root / LABELED, *TINY, "--cond", "--kimg", "0.016", "--outdir", root / "runs")
    assert run_cli(*command).code == 0
    return root


def contents(root: Path) -> dict[str, str]:
    """Return the digest of every file below `root`, and the name of every folder."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


class Place:
    """A copy of the trained folder, and what a test does to it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.patch = root, monkeypatch
        self.run = next((root / "runs").glob("00000-*"))
        self.during = contextlib.ExitStack()

    def relabel(self):
        write_labels(self.root / LABELED, shift=1)

    def remove_labels(self):
        (self.root / LABELED / "dataset.json").unlink()

    def remove_data(self):
        shutil.rmtree(self.root / LABELED)

    def damage_snapshots(self):
        for file in self.run.glob("snapshots/*/training.json"):
            file.write_text("[]")

    def damage_settings(self):
        (self.run / "config.json").write_text("{")

    def other_networks(self):
        config = json.loads((self.run / "config.json").read_text())
        config["generator"]["channel_max"] = 8
        (self.run / "config.json").write_text(json.dumps(config))

    def lock(self):
        self.during.enter_context(locked(self.run))

    def lose_metric_weights(self):
        def missing(name, device):
            raise MissingExtra(f"{name} needs its weights. Install them with: pip install 'stylegan[metrics]'")

        self.patch.setattr(registry, "load_detector", missing)

    def lose_tensorboard(self):
        self.patch.setitem(sys.modules, "torch.utils.tensorboard", None)

    def lose_precision(self):
        def refuse(*_, **__):
            raise RuntimeError("not implemented")

        self.patch.setattr(precision.F, "conv2d", refuse)

    def little_memory(self):
        self.patch.setattr(estimate, "available_bytes", lambda device, processes: 10**8)

    def fail_to_load(self):
        from stylegan.training import loop

        def refuse(*_):
            raise ConfigError("the snapshot does not fit.")

        self.patch.setattr(loop, "load_snapshot", refuse)


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "root")
    run = next((tmp_path / "root/runs").iterdir())
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace(str(trained), str(tmp_path / "root")))
    place = Place(tmp_path / "root", monkeypatch)
    with place.during:
        yield place


RESUMED = {
    "other images": ("", "--data fewer"),
    "images of another size": ("", "--data larger"),
    "damaged images": ("", "--data damaged"),
    "data that is missing": ("remove_data", ""),
    "data that does not exist": ("", "--data nowhere"),
    "other labels": ("relabel", ""),
    "lost labels": ("remove_labels", ""),
    "damaged snapshots": ("damage_snapshots", ""),
    "damaged settings": ("damage_settings", ""),
    "other networks": ("other_networks", ""),
    "a snapshot that does not fit": ("fail_to_load", ""),
    "a lock that another process holds": ("lock", ""),
    "weights of a metric that are missing": ("lose_metric_weights", "--metrics fid8_efflite0"),
    "an unknown metric": ("", "--metrics fid8_magic"),
    "TensorBoard that is missing": ("lose_tensorboard", "--tensorboard"),
    "a precision that the device lacks": ("lose_precision", "--precision bf16"),
    "a precision that the device lacks, forced": ("lose_precision", "--precision bf16 --force"),
    "a device that is missing": ("", "--device cuda:9"),
    "a device that is missing, forced": ("", "--device cuda:9 --force"),
    "little memory": ("little_memory", ""),
    "a length that is reached": ("", "--kimg 0.012"),
    "the length it has": ("", "--kimg 0.016"),
    "an impossible length": ("", "--kimg -5"),
    "an impossible interval": ("", "--snap 0"),
    "an impossible micro-batch": ("", "--batch-gpu 3"),
    "settings that a run keeps": ("", "--gamma 2"),
    "a setting that a run keeps": ("", "--set batch=16"),
    "another place": ("", "--outdir elsewhere"),
}
NEW = {
    "a precision that the device lacks": ("lose_precision", "--data fewer"),
    "a precision that the device lacks, forced": ("lose_precision", "--data fewer --force"),
    "a device that is missing": ("", "--data fewer --device cuda:9 --force"),
    "weights of a metric that are missing": ("lose_metric_weights", "--data fewer --metrics fid8_efflite0"),
    "TensorBoard that is missing": ("lose_tensorboard", "--data fewer --tensorboard"),
    "little memory": ("little_memory", "--data fewer"),
    "damaged images": ("", "--data damaged"),
    "images of another size": ("", "--data larger"),
    "no labels": ("", "--data fewer --cond"),
    "a batch that cannot be split": ("", "--data fewer --batch 12 --batch-gpu 8"),
    "frozen layers of random weights": ("", "--data fewer --freezed 2"),
    "weights of another generation": ("", "--data fewer --resume {run} --transfer --cfg progan-tiny16"),
    "weights whose data is missing": ("remove_data", "--resume {run} --transfer"),
    "weights that are damaged": ("damage_snapshots", "--data fewer --resume {run} --transfer"),
    "too many frozen layers": ("", "--data fewer --resume {run} --transfer --freezed 99"),
    "a name that is too long": ("", f"--data {'x' * 245}"),
    "an output folder that is a file": ("", "--data fewer --outdir file"),
}


def refused(place: Place, prepare: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.root)
    if prepare:
        getattr(place, prepare)()
    before = contents(place.root)
    result = run_cli("train", *arguments)
    assert result.code in (1, 2), result.err
    assert "Traceback" not in result.err
    assert contents(place.root) == before


@pytest.mark.parametrize(("prepare", "arguments"), RESUMED.values(), ids=RESUMED)
def test_a_run_that_may_not_resume_keeps_every_file(place, monkeypatch, prepare, arguments):
    changes = ["--keep", "1", *arguments.split()]  # a setting that would be stored
    length = [] if "--kimg" in changes else ["--kimg", "0.032"]
    refused(place, prepare, ["--resume", str(place.run), *length, *changes], monkeypatch)


@pytest.mark.parametrize(("prepare", "arguments"), NEW.values(), ids=NEW)
def test_a_run_that_may_not_start_makes_no_folder(place, monkeypatch, prepare, arguments):
    outdir = [] if "--outdir" in arguments else ["--outdir", "new"]
    refused(place, prepare, [*TINY, *outdir, *arguments.format(run=place.run).split()], monkeypatch)


def test_a_run_that_may_resume_stores_its_new_settings(place):
    assert run_cli("train", "--resume", place.run, "--kimg", "0.024", "--keep", "1").code == 0
    config = json.loads((place.run / "config.json").read_text())
    assert (config["kimg"], config["keep_snapshots"]) == (0.024, 1)
    log = (place.run / "log.txt").read_text().splitlines()
    assert log.count(f"Resuming {place.run} from 0.016 kimg") == 1
