"""`stylegan move`"""

import numpy as np
import pytest
from PIL import Image
from run_cli import run, run_cli


def test_images_turn_side_by_side_in_a_loop(alias_free, tmp_path):
    dest = tmp_path / "frames"
    arguments = ("--network", alias_free, "--seeds", "3,8", "--path", "rotate", "--frames", 4, "--dest", dest)
    result = run_cli("move", *arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Wrote {dest} (4 images, 0.1 s long) in ")
    frames = [np.array(Image.open(dest / f"frame{k:04d}.png")).astype(int) for k in range(4)]
    assert frames[0].shape == (16, 32, 3)
    for k, frame in enumerate(frames):
        for drawn, first in zip(np.split(frame, 2, 1), np.split(frames[0], 2, 1), strict=True):
            assert abs(drawn - np.rot90(first, k)).max() <= 1


@pytest.mark.parametrize("path", ["circle", "shift"])
def test_the_loop_is_an_animation_with_the_given_number_of_frames(alias_free, tmp_path, path):
    dest = tmp_path / "move.gif"
    assert run_cli("move", "--network", alias_free, "--path", path, "--frames", 5, "--dest", dest).code == 0
    with Image.open(dest) as image:
        assert (image.n_frames, image.size) == (5, (32, 32))


def test_a_latent_takes_the_place_of_a_seed(alias_free, tmp_path):
    run("edit", "--network", alias_free, "--seeds", 8, "--outdir", tmp_path)
    for name, point in (("seed", "seed:8"), ("file", tmp_path / "seed0008-edited.npz")):
        run("move", "--network", alias_free, "--seeds", point, "--frames", 2, "--dest", tmp_path / name)
    a, b = (np.array(Image.open(tmp_path / name / "frame0001.png")) for name in ("seed", "file"))
    assert np.array_equal(a, b)


def test_another_network_is_refused(network, tmp_path):
    result = run_cli("move", "--network", network, "--dest", tmp_path / "new" / "move.gif")
    assert result.code == 1
    assert result.err == (
        "Error: only images of a StyleGAN3 can be shifted and rotated, and this is another network.\n"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "zoom"], "'zoom' is not one of 'circle', 'shift', 'rotate'."),
        (["--dest", "move.avi"], "the loop can be a .gif, a .webp, an .mp4 or a folder of PNG frames, got move.avi."),
        (["--frames", "0"], "0 is not in the range x>=1."),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(alias_free, arguments, message):
    result = run_cli("move", "--network", alias_free, *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())
