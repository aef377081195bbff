"""The examples run as a newcomer runs them, only smaller."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from PIL import Image
from run_cli import run_cli
from tiny_run import tiny_images

EXAMPLES = Path(__file__).parents[2] / "examples"
OUTPUTS = ("reals.png", "time.png", "losses.png", "grid.png", "mix.png", "truncation.png", "loop.gif", "fresh/grid.png")


def run_example(name: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_train_and_generate_hand_over_to_each_other(tmp_path):
    trained = run_example("train.py", tmp_path, 0.032)
    assert trained.returncode == 0, trained.stderr
    command = trained.stdout.strip().splitlines()[-1].rpartition("python ")[2]
    _, run = shlex.split(command)
    drawn = run_example("generate.py", run, tmp_path / "eight.png")
    assert drawn.returncode == 0, drawn.stderr
    assert Image.open(tmp_path / "eight.png").size == (4 * 32, 2 * 32)


def test_generate_without_a_network_draws_with_a_bundled_one(tmp_path):
    command = [sys.executable, str(EXAMPLES / "generate.py")]
    subprocess.run(command, cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)})
    with Image.open(tmp_path / "out" / "example.png") as image:
        assert image.size == (4 * 64, 2 * 64)


def test_the_classroom_experiment_draws_all_its_images(tmp_path):
    pytest.importorskip("matplotlib", reason="pip install 'stylegan[plots]'")
    source = tiny_images(tmp_path / "images", channels=1, size=28)
    result = run_example("mnist_stylegan1.py", source, tmp_path / "out", 0.064)
    assert result.returncode == 0, result.stderr
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").glob("*.png")}
    assert sizes.pop("losses.png")[0] > 1000
    assert sizes == {"grid.png": (256, 256), "truncation.png": (256, 256)} | {
        f"mix_{styles}.png": (320, 320) for styles in ("coarse", "middle", "fine")
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """out/demo of a demo that trained for two seconds, in place of an older one."""
    pytest.importorskip("matplotlib", reason="pip install 'stylegan[plots]'")
    home = tmp_path_factory.mktemp("demo")
    (home / "out" / "demo").mkdir(parents=True)
    (home / "out" / "demo" / "stale.txt").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.syspath_prepend(EXAMPLES)
        from demo import demo

        demo(Path("out/demo"), seconds=2)
    return home / "out" / "demo"


def test_demo_writes_every_image_and_replaces_the_older_one(shown):
    for name in OUTPUTS:
        with Image.open(shown / name) as image:
            image.load()
    assert not (shown / "stale.txt").exists()


def test_page_of_the_demo_refers_to_files_that_exist_and_to_no_other_place(shown):
    page = (shown / "index.html").read_text(encoding="utf-8")
    references = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    (run,) = shown.glob("0*")
    assert set(references) == {*OUTPUTS, f"{run.name}/index.html"}
    assert all((shown / name).is_file() for name in references)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script", page)


def test_training_command_on_the_page_has_the_settings_of_the_run(shown, monkeypatch):
    monkeypatch.chdir(shown.parents[1])
    page = unescape((shown / "index.html").read_text(encoding="utf-8"))
    command = re.search(r"stylegan (train --data out.*)(?=<)", page)[1]
    printed = json.loads(run_cli(*shlex.split(command), "--dry-run").out)
    used = json.loads(next(shown.glob("0*/config.json")).read_text(encoding="utf-8"))
    assert {**printed, "kimg": None} == {**used, "kimg": None}


def test_commands_on_the_page_make_the_images_above_them(shown, monkeypatch):
    monkeypatch.chdir(shown.parents[1])
    page = unescape((shown / "index.html").read_text(encoding="utf-8"))
    commands = re.findall(r"stylegan (?:generate|mix|interpolate) .*?(?=<)", page)
    made = ("grid.png", "truncation.png", "mix.png", "loop.gif", "fresh/grid.png")
    for name, command in zip(made, commands, strict=True):
        with Image.open(shown / name) as before:
            size, frames = before.size, getattr(before, "n_frames", 1)
        (shown / name).unlink()
        result = run_cli(*shlex.split(command)[1:])
        assert result.code == 0, result.err
        with Image.open(shown / name) as after:
            assert (after.size, getattr(after, "n_frames", 1)) == (size, frames)
