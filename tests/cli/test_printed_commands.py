"""Commands that are printed work when they are pasted into a shell."""

import json
import os
import re
import shlex
import signal
from pathlib import Path

import pytest
from run_cli import run, run_cli
from tiny_generator import tiny_generator
from tiny_run import tiny_images

from stylegan.checkpoints import Checkpoint, load, save
from stylegan.checkpoints.commands import generate_command
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.cli import train_progress
from stylegan.sampling.labels import label_vector

TINY = ("--cfg", "tiny16", "--tick", "0.008", "--snap", "1", "--device", "cpu", "--precision", "fp32")
FOLDERS = ["runs", "my runs", "it's [new] & $HOME"]
LABELS = {
    "none": None,
    "classes": {"labels": [0, 1, 2]},
    "named classes": {"labels": [0, 1, 2], "class_names": ["tabby cat", "dog's", "10"]},
    "classes named by numbers": {"labels": [0, 1, 2], "class_names": ["7", "8", "9"]},
    "values": {"labels": [[0, 1], [1, 0], [1, 1]]},
    "named values": {"labels": [[0, 1], [1, 0], [1, 1]], "label_names": ["smile", "big hat"]},
    "values with odd names": {"labels": [[0, 1], [1, 0], [1, 1]], "label_names": ["a,b", "c=d"]},
}


def data_set(folder: Path, content: dict | None) -> Path:
    tiny_images(folder, count=12)
    if content is not None:
        labels = [[f"{i:03d}.png", content["labels"][i % 3]] for i in range(12)]
        (folder / "dataset.json").write_text(json.dumps({**content, "labels": labels}))
    return folder


def paste(line: str) -> str:
    """Run `stylegan ...` as a shell splits it, and return what it prints."""
    program, *arguments = shlex.split(line)
    assert program == "stylegan"
    return run(*arguments)


@pytest.mark.parametrize("labels", LABELS)
def test_a_finished_run_and_its_model_cards_say_how_to_draw(tmp_path, monkeypatch, labels):
    monkeypatch.chdir(tmp_path)
    data, outdir = data_set(tmp_path / "data", LABELS[labels]), FOLDERS[len(labels) % 3]
    conditional = ["--cond"] if LABELS[labels] else []
    out = run("train", "--data", data, *TINY, *conditional, "--kimg", "0.008", "--outdir", outdir)
    paste(out.rpartition("Draw images with: ")[2])
    assert (tmp_path / "out").is_dir()
    (folder,) = (tmp_path / outdir).iterdir()
    snapshot = newest_snapshot(folder)
    monkeypatch.chdir(snapshot)
    paste(re.search("```\n(stylegan .*)\n```", (snapshot / "README.md").read_text())[1])


@pytest.mark.parametrize("outdir", FOLDERS)
def test_a_stopped_run_says_how_to_resume(tmp_path, monkeypatch, outdir):
    monkeypatch.chdir(tmp_path)
    presses = iter([signal.SIGINT])

    def press(tick):
        for number in presses:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(train_progress.ShowTicks, "__enter__", lambda self: press)
    command = ("train", "--data", tiny_images(tmp_path / "data"), *TINY, "--kimg", "0.032", "--outdir", outdir)
    stopped = run_cli(*command)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert stopped.code == 130
    assert "from 0.016 kimg" in paste(stopped.err.rpartition("Resume with: ")[2])


@pytest.mark.parametrize(
    ("class_names", "label_names"),
    [
        (None, None),
        (["cat", "dog"], None),
        ([" cat", "dog"], None),
        (["", "dog"], None),
        (["1", "2"], None),
        (["-x", "y"], None),
        (["a,b", "c"], None),
        (None, ["0", "1"]),
        (None, ["a;b", "c"]),
        (None, ["", "c"]),
        (None, ["nan", "inf"]),
    ],
)
def test_the_label_of_a_command_is_one_of_the_network(class_names, label_names):
    G = tiny_generator(c_dim=2)
    G.class_names, G.label_names = class_names, label_names
    words = shlex.split(generate_command("net", c_dim=2, class_names=class_names, label_names=label_names))
    assert words[:4] == ["stylegan", "generate", "--network", "net"]
    assert label_vector(G, words[words.index("--class") + 1]).tolist() == [1, 0]


def test_the_list_of_networks_says_how_to_draw_with_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^  (stylegan .*)$", run("models"), re.MULTILINE)
    assert len(lines) == len(re.findall(r"^\w+: ", run("models"), re.MULTILINE))
    for line in lines:
        paste(line.replace("0-31", "0-1").replace("8x4", "2x1"))


def test_the_card_of_a_bundled_network_says_how_to_draw_with_it(tmp_path, monkeypatch):
    from stylegan.checkpoints.bundle import Card, bundle

    G = tiny_generator(c_dim=2)
    G.class_names = ["ankle boot", "bag"]
    save(Checkpoint(G_ema=G), tmp_path / "net")
    result = bundle(tmp_path / "net", tmp_path / "boots", Card(draws="boots", origin="a test"))
    monkeypatch.chdir(tmp_path)
    paste(re.search("```\n(stylegan .*)\n```", (result.folder / "README.md").read_text())[1])
    assert load(tmp_path / "boots", device="cpu").class_names == G.class_names


def test_the_example_in_an_error_works():
    result = run_cli("info")
    assert result.code == 2
    assert "architecture: stylegan2" in paste(result.err.rpartition("for example: ")[2].strip().rstrip("."))
