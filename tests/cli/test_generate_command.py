"""`stylegan generate`"""

import os
import subprocess
import sys
import tarfile
from importlib import import_module

import numpy as np
import pytest
from PIL import Image
from run_cli import run_cli

import stylegan
from stylegan.sampling.generate import generate_images


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def test_one_png_per_seed_with_the_pixels_of_the_library(network, tmp_path):
    result = run_cli("generate", "--network", network, "--seeds", "2,10-11", "--trunc", "0.7", "--outdir", tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Wrote 3 images to {tmp_path} in ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["seed0002.png", "seed0010.png", "seed0011.png"]
    G = stylegan.load(network, device="cpu")
    for seed, image in zip([2, 10, 11], generate_images(G, [2, 10, 11], psi=0.7), strict=True):
        assert np.array_equal(read(tmp_path / f"seed{seed:04d}.png"), image.permute(1, 2, 0).numpy())


def test_the_same_command_gives_the_same_pixels_whatever_the_batch(network, tmp_path):
    for batch in (1, 3):
        assert (
            run_cli(
                "generate", "--network", network, "--seeds", "0-3", "--batch", batch, "--outdir", tmp_path / str(batch)
            ).code
            == 0
        )
    for seed in range(4):
        a, b = (read(tmp_path / batch / f"seed{seed:04d}.png").astype(int) for batch in "13")
        assert abs(a - b).max() <= 1


def test_gray_networks_write_gray_images_of_the_class(gray_classes, tmp_path):
    for k in (0, 2):
        assert run_cli("generate", "--network", gray_classes, "--class", k, "--outdir", tmp_path / str(k)).code == 0
    with Image.open(tmp_path / "0" / "seed0000.png") as image:
        assert image.mode == "L"
    assert not np.array_equal(read(tmp_path / "0" / "seed0000.png"), read(tmp_path / "2" / "seed0000.png"))


def test_a_class_is_found_by_name_or_number_and_may_be_a_mixture(pets, tmp_path):
    for name in ("dog", "1", "0,1,0", "0.5,0.5,0"):
        result = run_cli("generate", "--network", pets, "--class", name, "--outdir", tmp_path / name)
        assert (result.code, result.err) == (0, "")
    dog, one, row, mixture = (read(tmp_path / name / "seed0000.png") for name in ("dog", "1", "0,1,0", "0.5,0.5,0"))
    assert np.array_equal(dog, one)
    assert np.array_equal(dog, row)
    assert not np.array_equal(dog, mixture)
    result = run_cli("generate", "--network", pets, "--class", "bird", "--outdir", tmp_path)
    assert result.err == "Error: this network has no class 'bird'; it has cat, dog, fish.\n"


def test_the_center_of_truncation_may_be_that_of_the_class(pets, network, tmp_path):
    for center in ("global", "class"):
        arguments = ("--network", pets, "--class", "dog", "--trunc", 0, "--trunc-center", center)
        assert run_cli("generate", *arguments, "--outdir", tmp_path / center).code == 0
    assert not np.array_equal(*(read(tmp_path / center / "seed0000.png") for center in ("global", "class")))
    assert run_cli("generate", *arguments, "--shards", 4, "--outdir", tmp_path / "shards").code == 0
    with tarfile.open(tmp_path / "shards/00000-of-00001.tar") as tar, Image.open(tar.extractfile(tar.next())) as image:
        assert np.array_equal(np.asarray(image), read(tmp_path / "class/seed0000.png"))
    result = run_cli("generate", "--network", network, "--trunc-center", "class", "--outdir", tmp_path)
    assert result.err == "Error: this network has no classes, so truncation has only the global center.\n"


@pytest.mark.parametrize(("grid", "size"), [("auto", (48, 32)), ("2x4", (32, 64)), ("6x1", (96, 16))])
def test_a_grid_is_one_image_in_the_order_of_the_seeds(network, tmp_path, grid, size):
    result = run_cli("generate", "--network", network, "--seeds", "0-5", "--grid", grid, "--outdir", tmp_path)
    assert result.code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]
    sheet = read(tmp_path / "grid.png")
    assert sheet.shape == (size[1], size[0], 3)
    columns = size[0] // 16
    last = sheet[5 // columns * 16 :, 5 % columns * 16 :][:16, :16]
    *_, expected = generate_images(stylegan.load(network, device="cpu"), range(6))
    assert abs(last.astype(int) - expected.permute(1, 2, 0).numpy()).max() <= 1


def test_several_psi_draw_a_truncation_sweep(network, tmp_path):
    result = run_cli("generate", "--network", network, "--seeds", "0-1", "--trunc", "-0.5,0,1", "--outdir", tmp_path)
    assert result.out.startswith(f"Wrote {tmp_path / 'truncation.png'} (a row per seed, a column per psi) in ")
    sheet = read(tmp_path / "truncation.png").astype(int)
    assert sheet.shape == (32, 48, 3)
    assert abs(sheet[:16, 16:32] - sheet[16:, 16:32]).max() <= 1  # psi = 0: the average image in every row


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "5-2"], "Invalid value for '--seeds': a range of seeds ascends, got '5-2'; write 2-5."),
        (["--seeds", "x"], "Invalid value for '--seeds': seeds are whole numbers and ranges such as 0-3,7, got 'x'"),
        (["--trunc", "half"], "psi is a number such as 0.7, or several such as 0,0.5,1, got 'half'."),
        (["--trunc", "nan"], "got 'nan'."),
        (["--grid", "8"], "a grid is COLSxROWS such as 8x4, or auto, got '8'."),
        (["--grid", "2x2", "--seeds", "0-4"], "--grid 2x2 holds 4 images, got 5 seeds; make it larger."),
        (
            ["--grid", "auto", "--trunc", "0,1"],
            "several values of --trunc draw their own sheet; leave out --grid.",
        ),
        (["--noise-mode", "loud"], "'loud' is not one of 'const', 'random', 'none'."),
        (["--precision", "int8"], "'int8' is not one of"),
        (["--batch", "0"], "0 is not in the range x>=1."),
        (["--color"], "No such option"),
        (["--translate", "0.5"], "'--translate': expected X,Y in finite numbers, such as 0,0, got '0.5'."),
        (["--rotate", "nan"], "'--rotate': expected DEGREES in finite numbers, such as 0, got 'nan'."),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(network, tmp_path, arguments, message):
    result = run_cli("generate", "--network", network, "--outdir", tmp_path / "new", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())
    assert not (tmp_path / "new").exists()


def test_a_missing_network_exits_with_2(tmp_path):
    result = run_cli("generate", "--network", tmp_path / "nothing")
    assert result.code == 2
    assert "does not exist" in result.err


def test_what_is_not_a_network_exits_with_1(tmp_path):
    result = run_cli("generate", "--network", tmp_path)
    assert result.code == 1
    assert f"Error: {tmp_path} is not a checkpoint" in result.err


def test_a_missing_or_needless_class_exits_with_1(network, gray_classes, tmp_path):
    result = run_cli("generate", "--network", gray_classes, "--outdir", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert (result.code, result.err) == (1, "Error: this network has 3 classes; choose one with --class, 0..2.\n")
    result = run_cli("generate", "--network", network, "--class", 1, "--outdir", tmp_path)
    assert (result.code, result.err) == (
        1,
        "Error: this network has no classes, since it was trained without --cond, got class 1; leave out --class.\n",
    )


def test_a_stylegan3_is_turned_counter_clockwise_and_then_moved(alias_free, tmp_path):
    def drawn(*motion):
        assert run_cli("generate", "--network", alias_free, *motion, "--outdir", tmp_path).code == 0
        return read(tmp_path / "seed0000.png").astype(int)

    still = drawn()
    assert still.std() > 5
    assert abs(drawn("--rotate", "90") - np.rot90(still)).max() <= 1
    right = drawn("--translate", "0.25,0")
    assert abs(right[:, 4:] - still[:, :-4]).mean() < 0.3 * abs(right - still).mean()
    assert abs(drawn("--rotate", "90", "--translate", "0,-0.25") - np.rot90(right)).max() <= 1


@pytest.mark.parametrize("motion", [["--translate", "0.1,-0.2"], ["--rotate", "30"]])
def test_only_a_stylegan3_is_moved(network, tmp_path, motion):
    result = run_cli("generate", "--network", network, *motion, "--outdir", tmp_path / "new")
    assert result.code == 1
    assert result.err == (
        "Error: only images of a StyleGAN3 can be shifted and rotated, and this is another network.\n"
    )
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_exits_with_1(network, tmp_path):
    (tmp_path / "file").touch()
    result = run_cli("generate", "--network", network, "--outdir", tmp_path / "file")
    assert result.code == 1
    assert result.err.startswith(f"Error: cannot write to {tmp_path / 'file'}: ")
    assert "Traceback" not in result.err


def test_a_device_that_this_machine_lacks_exits_with_1(network, tmp_path):
    result = run_cli("generate", "--network", network, "--device", "banana", "--outdir", tmp_path)
    assert result.code == 1
    assert "device 'banana' is not available here" in result.err


def test_help_of_the_drawing_verbs_does_not_wait_for_torch():
    code = (
        "import sys\nfrom stylegan.cli.main import cli\n"
        "for verb in ('generate', 'mix', 'interpolate', 'move'):\n"
        "    cli([verb, '--help'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert "--seeds RANGE" in result.stdout


def test_processes_of_a_launcher_share_the_seeds(network, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, names in enumerate([["seed0000.png", "seed0002.png"], ["seed0001.png"]]):
        monkeypatch.setenv("RANK", str(rank))
        folder = tmp_path / str(rank)
        assert run_cli("generate", "--network", network, "--seeds", "0-2", "--outdir", folder).code == 0
        assert sorted(p.name for p in folder.iterdir()) == names
        run_cli("generate", "--network", network, "--seeds", "0-2", "--grid", "3x1", "--outdir", folder)
        assert (folder / "grid.png").exists() == (rank == 0)


@pytest.mark.parametrize("stray", [{"WORLD_SIZE": "4"}, {"RANK": "3"}], ids=str)
def test_half_a_launcher_does_not_divide_the_work(network, tmp_path, monkeypatch, stray):
    """A notebook server or a job script may leave one variable of a launcher behind."""
    for name, value in stray.items():
        monkeypatch.setenv(name, value)
    options = ("--network", network, "--seeds", "0-7", "--outdir", tmp_path)
    assert run_cli("generate", *options).out.startswith(f"Wrote 8 images to {tmp_path} in ")
    assert len(list(tmp_path.glob("seed*.png"))) == 8
    assert run_cli("generate", *options, "--grid", "auto").code == 0
    assert (tmp_path / "grid.png").exists()


def test_shards_are_tar_files_that_a_second_command_completes(network, tmp_path):
    options = ("generate", "--network", network, "--seeds", "0-4", "--shards", 2, "--outdir", tmp_path)
    assert run_cli(*options).out.startswith(f"Wrote 5 images in 3 new shards to {tmp_path} in ")
    (tmp_path / "00001-of-00003.tar").unlink()
    assert run_cli(*options).out.startswith(f"Wrote 2 images in 1 new shard to {tmp_path} in ")
    result = run_cli(*options, "--trunc", "0.5")
    assert result.code == 1
    assert "choose another --outdir" in result.err
    assert "leave out --grid" in run_cli(*options, "--grid", "auto").err


def test_random_noise_without_noise_inputs_is_said_in_one_line(alias_free, network, tmp_path):
    note = "Note: --noise-mode random changes nothing: this network has no noise inputs.\n"
    for folder, mode, expected in ((alias_free, "random", note), (alias_free, "const", ""), (network, "random", "")):
        result = run_cli("generate", "--network", folder, "--noise-mode", mode, "--outdir", tmp_path)
        assert (result.code, result.err) == (0, expected)


def test_running_out_of_memory_names_the_batch(network, tmp_path, monkeypatch):
    def full(image):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2100000000 bytes")

    monkeypatch.setattr(import_module("stylegan.sampling.generate"), "to_uint8", full)
    result = run_cli("generate", "--network", network, "--seeds", "0-3", "--outdir", tmp_path)
    assert result.code == 1
    sentence = "drawing 4 images at a time ran out of memory (one tensor of 2.1 GB); use a smaller --batch."
    assert result.err == f"Error: {sentence}\n"


def test_a_sheet_that_cannot_be_held_is_refused_with_its_size(network, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("stylegan.images.grid"), "available_bytes", lambda device: 10**9)
    result = run_cli("generate", "--network", network, "--grid", "9999x9999", "--outdir", tmp_path)
    assert result.code == 1
    assert "a sheet of 9999x9999 images of 16x16 has 76.8 GB" in result.err
    assert not (tmp_path / "grid.png").exists()
