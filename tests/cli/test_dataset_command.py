from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from stylegan.cli.dataset import command
from stylegan.cli.main import main
from stylegan.data import PrepareConfig, open_dataset
from stylegan.data.prepare import LABELS
from stylegan.images.resize import FILTERS, TRANSFORMS


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(3):
        img = np.random.RandomState(index).randint(0, 256, (8, 12, 3)).astype(np.uint8)
        Image.fromarray(img).save(folder / f"{index}.png")
    return folder


def run(*args):
    return CliRunner().invoke(command, [str(arg) for arg in args])


def run_main(monkeypatch, capsys, *args):
    """Run `main`, which turns errors into sentences: (exit code, stdout, stderr)."""
    monkeypatch.setattr("sys.argv", ["stylegan", "dataset", *map(str, args)])
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    else:
        code = 0
    out, err = capsys.readouterr()
    return code, out, err


def test_the_summary_counts_what_was_used_and_names_what_was_not(images, tmp_path):
    (images / "notes [b].txt").write_text("x")
    (images / "bad\nname.png").write_bytes(b"x")
    result = run(
        "--source", images, "--dest", tmp_path / "out.zip", "--resolution", "4x4", "--transform", "center-crop"
    )
    assert result.exit_code == 0, result.output
    assert "out.zip: 3 images, 4x4, RGB, no labels." in result.output
    assert "Left out 2 files:" in result.output
    assert "notes [b].txt: it is not an image (.txt)" in result.output
    assert r"'bad\nname.png': it is empty, damaged or not one of" in result.output
    assert len(open_dataset(tmp_path / "out.zip", cache=tmp_path)) == 3


def test_files_left_out_for_the_same_reason_are_listed_up_to_ten(images, tmp_path):
    for k in range(14):
        Image.new("RGB", (20 + k, 50)).save(images / f"wide{k:02d}.png")
    result = run("--source", images, "--dest", tmp_path / "out.zip", "--resolution", "4x4")
    alike = [line for line in result.output.splitlines() if "not square" in line]
    assert len(alike) == 10
    assert alike[0] == "  0.png: it is 12x8, not square; set --transform to center-crop to take its middle"
    assert "\n  and 7 more files for the same reason\n" in result.output


def test_max_images_says_how_many_were_not_needed(images, tmp_path):
    result = run(
        "--source", images, "--dest", tmp_path / "out", "--resolution", "4",
        "--transform", "center-crop", "--max-images", 1,
    )  # fmt: skip
    assert "1 image, 4x4" in result.output
    assert "Left 2 more images unread, as --max-images asks." in result.output


def test_shards_are_written_and_transparency_is_reported(tmp_path):
    (tmp_path / "in").mkdir()
    for index in range(3):
        Image.new("RGBA", (8, 8), (1, 2, 3, 100 if index else 255)).save(tmp_path / f"in/{index}.png")
    result = run("--source", tmp_path / "in", "--dest", tmp_path / "out", "--shards", 2)
    assert "out: 3 images, 8x8, RGB, no labels." in result.output
    assert "Made transparent pixels of 2 images white; --alpha keeps them." in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000000.tar", "000001.tar", "index.json"]
    result = run("--source", tmp_path / "in", "--dest", tmp_path / "alpha", "--alpha")
    assert "3 images, 8x8, RGBA" in result.output
    assert "transparent" not in result.output


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def test_the_summary_names_the_classes_and_many_of_them_in_part(tmp_path):
    few = make(tmp_path / "few", "train/cat/1.png", "test/dog/1.png", "train/b\nad/1.png")
    assert r"RGB, 3 classes: 'b\nad', cat, dog." in run("--source", few, "--dest", tmp_path / "few.zip").output
    many = make(tmp_path / "many", *(f"class{i:02d}/1.png" for i in range(12)))
    output = run("--source", many, "--dest", tmp_path / "many.zip").output
    assert "RGB, 12 classes: class00, class01, " in output
    assert ", class09 and 2 more.\n" in output


def test_the_summary_describes_label_vectors_and_classes_without_names(tmp_path):
    folder = make(tmp_path / "in", "1.png", "2.png")
    for labels, text in (([[1, 0], [0, 1]], "labels of 2 values: 0, 1."), ([0, 1], "2 classes.")):
        content = [[f"{i}.png", label] for i, label in enumerate(labels, 1)]
        (folder / "dataset.json").write_text(json.dumps({"labels": content}))
        result = run("--source", folder, "--dest", tmp_path / f"{text[0]}.zip")
        assert f"RGB, {text}\n" in result.output


def test_leftovers_enlarged_images_and_notes_have_one_line_each(tmp_path):
    folder = make(tmp_path / "in", "00000/1.png", "00001/2.png", ".cache/3.png", "00000/._1.png")
    lines = run("--source", folder, "--dest", tmp_path / "out.zip", "--resolution", "16").output.splitlines()
    assert lines[1:] == [
        "Enlarged 2 smaller images to 16x16; --strict refuses such images.",
        "Skipped 2 leftovers of systems and tools: .cache, 00000/._1.png.",
        "The folders 00000, 00001 and so on were taken for mere numbering; set --labels to folders to make classes of "
        "them.",
    ]


def test_a_url_is_a_source_and_a_missing_path_is_none(tmp_path, monkeypatch, capsys):
    pytest.importorskip("fsspec")
    make(tmp_path / "in", "1.png", "2.png")
    run("--source", tmp_path / "in", "--dest", tmp_path / "shards", "--shards", 1)
    result = run("--source", f"file://{tmp_path}/shards", "--dest", tmp_path / "out.zip")
    assert "out.zip: 2 images, 8x8" in result.output
    code, _, err = run_main(
        monkeypatch, capsys, "--source", f"file://{tmp_path}/nothing", "--dest", tmp_path / "none.zip"
    )
    assert (code, err.count("\n")) == (1, 1)
    assert "there is nothing at file://" in err


def test_strict_fails_with_one_sentence(images, tmp_path, monkeypatch, capsys):
    code, _, err = run_main(
        monkeypatch, capsys, "--source", images, "--dest", tmp_path / "out.zip", "--resolution", "4x4", "--strict"
    )
    assert code == 1
    assert err == (
        "Error: 0.png cannot be used: it is 12x8, not square; set --transform to center-crop to take its middle.\n"
    )


def test_a_source_with_nothing_usable_fails_and_still_names_every_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.png").write_bytes(b"x")
    code, out, err = run_main(monkeypatch, capsys, "--source", tmp_path / "in", "--dest", tmp_path / "out.zip")
    assert code == 1
    assert "holds no usable image" in err
    assert "a.png: it is empty" in out
    assert "b.png: it is empty" in out
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resolution", "64by64"], "expected a size such as 64x64, got '64by64'"),
        (["--resolution", "48x48"], "resolution must be a power of two and at least 4, got 48x48"),
        (["--resolution", "64x32"], "resolution must be square, got 64x32"),
        (["--transform", "center-crop"], "center-crop needs a resolution"),
        (["--transform", "squash"], "'squash' is not one of"),
        (["--max-images", "0"], "0 is not in the range x>=1"),
        (["--source", "/nowhere"], "'/nowhere' does not exist"),
        (["--unknown"], "No such option"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(images, tmp_path, monkeypatch, capsys, flags, message):
    source = () if "--source" in flags else ("--source", images)
    code, _, err = run_main(monkeypatch, capsys, *source, "--dest", tmp_path / "out.zip", *flags)
    assert code == 2
    assert message in " ".join(err.split())


def test_a_taken_destination_fails_with_one_sentence(images, tmp_path, monkeypatch, capsys):
    (tmp_path / "out.zip").write_text("old")
    code, _, err = run_main(
        monkeypatch, capsys, "--source", images, "--dest", tmp_path / "out.zip", "--resolution", "4x4",
        "--transform", "center-crop",
    )  # fmt: skip
    assert (code, len(err.splitlines())) == (1, 1)
    assert "exists already; remove it or choose another name." in err


def test_choices_and_defaults_are_those_of_the_library(tmp_path):
    choices = {option.name: getattr(option.type, "choices", ()) for option in command.params}
    assert tuple(choices["labels"]) == LABELS
    assert {None, *choices["transform"]} == set(TRANSFORMS)
    assert tuple(choices["resize_filter"]) == FILTERS
    given = command.make_context("dataset", ["--source", str(tmp_path), "--dest", "new"]).params
    del given["width"], given["height"]  # the two parts of --resolution
    assert PrepareConfig(**given) == PrepareConfig(source=tmp_path, dest=Path("new"))


def test_enlarged_images_are_counted_in_one_line_and_refused_by_strict(images, tmp_path, monkeypatch, capsys):
    arguments = ("--source", images, "--dest", tmp_path / "out.zip", "--width", 16, "--height", 16,
                 "--transform", "center-crop")  # fmt: skip
    code, _, err = run_main(monkeypatch, capsys, *arguments, "--strict")
    assert (code, err.count("\n")) == (1, 1)
    assert "0.png cannot be used: it is 12x8 and would be enlarged; choose a lower resolution." in err
    code, out, _ = run_main(monkeypatch, capsys, *arguments)
    assert code == 0
    assert out.endswith("\nEnlarged 3 smaller images to 16x16; --strict refuses such images.\n")


def test_a_destination_that_ends_like_a_file_is_refused(images, tmp_path, monkeypatch, capsys):
    for name in ("out.tar", "out.h5"):
        code, _, err = run_main(monkeypatch, capsys, "--source", images, "--dest", tmp_path / name, "--resolution", 4)
        assert code == 2
        assert "a data set is a .zip, or a folder (of tar files with --shards), but " in err
        assert f"{name} ends like a file; leave out {name[3:]}." in err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
