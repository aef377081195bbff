"""`stylegan interpolate`"""

import numpy as np
import pytest
from PIL import Image
from run_cli import run_cli


@pytest.mark.parametrize("name", ["loop.gif", "loop.webp"])
def test_the_loop_has_as_many_images_as_seeds_times_frames(network, tmp_path, name):
    result = run_cli(
        "interpolate", "--network", network, "--seeds", "0-2", "--frames", 4, "--fps", 20, "--dest", tmp_path / name
    )
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Wrote {tmp_path / name} (12 images, 0.6 s long) in ")
    with Image.open(tmp_path / name) as image:
        assert (image.n_frames, image.size) == (12, (16, 16))


@pytest.mark.parametrize("space", ["w", "z"])
def test_frames_in_a_folder_pass_the_seeds_own_images(network, tmp_path, space):
    dest = tmp_path / "frames"
    arguments = ["--network", network, "--seeds", "3,8", "--trunc", "0.2", "--trunc-cutoff", "3"]
    assert run_cli("interpolate", *arguments, "--frames", 3, "--space", space, "--dest", dest).code == 0
    assert sorted(p.name for p in dest.iterdir()) == [f"frame{k:04d}.png" for k in range(6)]
    run_cli("generate", *arguments, "--outdir", tmp_path)
    for frame, seed in ((0, 3), (3, 8)):
        with Image.open(dest / f"frame{frame:04d}.png") as a, Image.open(tmp_path / f"seed{seed:04d}.png") as b:
            assert abs(np.array(a).astype(int) - np.array(b)).max() <= 1


@pytest.mark.parametrize("space", ["w", "z"])
def test_one_seed_goes_through_the_classes(pets, tmp_path, space):
    dest = tmp_path / "frames"
    arguments = ["--network", pets, "--classes", "cat,1-2", "--frames", 2, "--space", space, "--trunc", "0.6"]
    assert run_cli("interpolate", *arguments, "--trunc-center", "class", "--dest", dest).code == 0
    assert len(list(dest.iterdir())) == 6
    arguments = ["--network", pets, "--class", "fish", "--trunc", "0.6", "--trunc-center", "class"]
    run_cli("generate", *arguments, "--outdir", tmp_path)
    with Image.open(dest / "frame0004.png") as a, Image.open(tmp_path / "seed0000.png") as b:
        assert abs(np.array(a).astype(int) - np.array(b)).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "7"], "Invalid value for '--seeds': a loop needs at least two seeds, for example 0-3."),
        (["--classes", "0,1", "--class", "1"], "--classes names all labels of the loop; leave --class out."),
        (["--dest", "loop.avi"], "the loop can be a .gif, a .webp, an .mp4 or a folder of PNG frames, got loop.avi."),
        (["--fps", "60"], "a GIF shows at most 50 images a second, got fps 60; write a .webp."),
        (["--space", "x"], "'x' is not one of 'w', 'z', 'circle'."),
        (["--frames", "0"], "0 is not in the range x>=1."),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(network, arguments, message):
    result = run_cli("interpolate", "--network", network, *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_a_place_that_cannot_be_written_exits_with_1(network, tmp_path):
    (tmp_path / "file").touch()
    result = run_cli("interpolate", "--network", network, "--dest", tmp_path / "file" / "loop.gif")
    assert result.code == 1
    assert result.err.startswith(f"Error: cannot write to {tmp_path / 'file'}: ")


def test_the_main_process_of_a_launcher_draws_alone(network, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in (1, 0):
        monkeypatch.setenv("RANK", str(rank))
        result = run_cli("interpolate", "--network", network, "--frames", 1, "--dest", tmp_path / "loop.gif")
        assert (result.code, bool(result.out), (tmp_path / "loop.gif").exists()) == (0, rank == 0, rank == 0)
