"""Verbs take the name of a bundled network, and those that draw need none."""

import numpy as np
import pytest
from PIL import Image
from run_cli import run_cli

from stylegan.models import DEFAULT

SAYS = f"Drawing with {DEFAULT}, which ships with the library; choose another with --network.\nWrote "
DRAWING = {
    "generate": (["generate", "--seeds", "0-1", "--grid", "auto"], "grid.png"),
    "sweep": (["generate", "--seeds", "0", "--trunc", "0,1"], "truncation.png"),
    "mix": (["mix", "--rows", "0", "--cols", "1"], "mix.png"),
    "interpolate": (["interpolate", "--seeds", "0-1", "--frames", "1"], "loop.gif"),
}


def drawn(arguments: list[str], file: str, folder, *more: str):
    place = ("--dest", folder / file) if arguments[0] == "interpolate" else ("--outdir", folder)
    result = run_cli(*arguments, *place, *more)
    with Image.open(folder / file) as image:
        return result, np.array(image)


@pytest.mark.parametrize(("arguments", "file"), DRAWING.values(), ids=DRAWING)
def test_drawing_without_a_network_uses_the_default_and_says_so(arguments, file, tmp_path):
    result, image = drawn(arguments, file, tmp_path / "default")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(SAYS)
    named, same = drawn(arguments, file, tmp_path / "named", "--network", DEFAULT)
    assert named.out.startswith("Wrote ")
    assert np.array_equal(image, same)


@pytest.mark.parametrize("verb", ["generate", "mix", "interpolate"])
def test_the_help_names_the_default(verb):
    assert f"[default: {DEFAULT}]" in " ".join(run_cli(verb, "--help").out.split())


@pytest.mark.parametrize(
    ("verb", "message"),
    [("move", "Missing option '--network'"), ("metrics", "Name what to score with --network or --images.")],
)
def test_a_verb_that_the_default_does_not_suit_needs_a_network(verb, message):
    result = run_cli(verb, *(["--metrics", "eqr100"] if verb == "metrics" else []))
    assert (result.code, message in result.err) == (2, True)


def test_a_folder_with_the_name_of_the_default_does_not_replace_it_unless_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT).mkdir()
    assert run_cli("generate").code == 0
    result = run_cli("generate", "--network", DEFAULT)
    assert (result.code, "is not a checkpoint" in result.err) == (1, True)


def test_classes_of_a_bundled_network_are_chosen_by_name_or_number(tmp_path):
    for label in ("sneaker", "7"):
        command = ("generate", "--network", "fashion32", "--class", label, "--outdir", tmp_path / label)
        assert run_cli(*command).code == 0
    with Image.open(tmp_path / "sneaker/seed0000.png") as a, Image.open(tmp_path / "7/seed0000.png") as b:
        assert (a.size, a.mode) == ((32, 32), "L")
        assert np.array_equal(np.array(a), np.array(b))
    command = ("interpolate", "--network", "fashion32", "--classes", "sneaker,t-shirt", "--frames", "1")
    assert run_cli(*command, "--dest", tmp_path / "loop.gif").code == 0
    result = run_cli("generate", "--network", "fashion32", "--outdir", tmp_path)
    assert "this network has 10 classes; choose one with --class, 0..9 or t-shirt, trouser, " in result.err


def test_info_takes_a_name_as_argument_or_option():
    by_option, by_argument = run_cli("info", "--network", DEFAULT), run_cli("info", DEFAULT)
    assert (by_option.code, by_option.out) == (0, by_argument.out)
    assert "licence: Apache-2.0\n" in by_option.out
    for arguments in ([], [DEFAULT, "--network", DEFAULT]):
        result = run_cli("info", *arguments)
        assert result.code == 2
        assert "name one network, for example: stylegan info avatars64." in result.err


def test_metrics_take_a_name():
    result = run_cli("metrics", "--network", DEFAULT, "--metrics", "fid10k_efflite0")
    assert "fid10k_efflite0 compares with real images" in result.err  # the next check after the network


@pytest.mark.parametrize("verb", ["generate", "info", "metrics"])
def test_an_unknown_name_exits_with_2_and_lists_the_names(verb):
    result = run_cli(verb, "--network", "avatars65", *(["--metrics", "eqr100"] if verb == "metrics" else []))
    assert result.code == 2
    assert (
        "avatars65 does not exist; expected a checkpoint, a run folder or the name of a bundled network: " in result.err
    )
    assert "avatars64, " in result.err
