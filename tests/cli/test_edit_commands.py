"""`stylegan directions`, `stylegan edit` and `stylegan drag`"""

import numpy as np
import pytest
import torch
from PIL import Image
from run_cli import run, run_cli

import stylegan
from stylegan.editing.direction_file import load_directions
from stylegan.models import bundled
from stylegan.sampling.latent_file import load_latents


@pytest.fixture(scope="module")
def found(network, tmp_path_factory):
    """A file with directions of three methods."""
    file = tmp_path_factory.mktemp("directions") / "found.npz"
    common = ["--network", network, "--samples", 100, "--out", file]
    run("directions", "find", *common, "--method", "sefa", "--layers", "1-2", "--count", 2)
    run("directions", "find", *common, "--method", "style", "--count", 1)
    run("directions", "find", *common, "--method", "pca", "--count", 2)
    return file


def pixels(path):
    with Image.open(path) as image:
        return np.array(image).astype(int)


def test_directions_of_several_methods_gather_in_one_file_and_are_listed(network, found):
    lines = run("directions", "list", found).splitlines()
    assert lines[:2] == ["sefa0: sefa in w, layers 1,2", "sefa1: sefa in w, layers 1,2"]
    assert "style in style space, local effect" in lines[2]
    assert lines[3:] == ["pca0: pca in w, all layers", "pca1: pca in w, all layers"]
    assert len(load_directions(found, stylegan.load(network, device="cpu"))) == 5


def test_marked_seeds_and_orthogonal_directions(network, tmp_path):
    marks, out = tmp_path / "tilted.csv", tmp_path / "d.npz"
    marks.write_text("".join(f"{seed},{seed % 3}\n" for seed in range(30)))
    run("directions", "find", "--network", network, "--method", "labels", "--csv", marks, "--out", out)
    text = run("directions", "find", "--network", network, "--count", "1", "--orthogonal", "--out", out)
    assert text.startswith("pca0: pca in w, all layers, orthogonal to 1 other\n")
    loaded = load_directions(out)
    assert abs(float(loaded["tilted"].vector @ loaded["pca0"].vector)) < 1e-5


def test_a_sheet_has_the_seeds_as_rows_and_the_strengths_as_columns(network, found, tmp_path):
    arguments = ["--network", network, "--seeds", "0-1", "--direction", f"{found}:pca0", "--outdir", tmp_path]
    out = run("directions", "sheet", *arguments, "--strengths", "-2,0,2")
    assert out.startswith(f"Wrote {tmp_path / 'sheet-pca0.png'} in ")
    sheet = pixels(tmp_path / "sheet-pca0.png")
    assert sheet.shape == (2 * 16, 3 * 16, 3)
    run("generate", "--network", network, "--seeds", "0-1", "--outdir", tmp_path)
    for row in (0, 1):
        cell = sheet[16 * row : 16 * row + 16, 16:32]
        assert abs(cell - pixels(tmp_path / f"seed000{row}.png")).max() <= 1


def test_an_edit_writes_images_and_latents_that_can_be_edited_back(network, found, tmp_path):
    style = next(name for name in load_directions(found) if name.startswith("b"))
    there, back = ([f"{found}:pca0={k}", f"{found}:{style}={2 * k}"] for k in (3, -3))
    G = stylegan.load(network, device="cpu")
    run("edit", "--network", network, "--seeds", 4, *directions(there), "--outdir", tmp_path)
    run(
        "edit",
        "--network",
        network,
        "--seeds",
        tmp_path / "seed0004-edited.npz",
        *directions(back),
        "--outdir",
        tmp_path,
    )
    run("edit", "--network", network, "--seeds", 4, "--outdir", tmp_path / "plain")
    names = ("seed0004-edited", "seed0004-edited-edited", "plain/seed0004-edited")
    moved, returned, plain = (pixels(tmp_path / f"{name}.png") for name in names)
    assert abs(moved - plain).max() > 10
    assert abs(returned - plain).max() <= 1
    (latent,) = load_latents(tmp_path / "seed0004-edited.npz", G)
    assert list(latent.offsets) == [style.rpartition(".")[0] + ".affine"]


def directions(texts):
    return [word for text in texts for word in ("--direction", text)]


def test_layers_mixing_and_sums(network, found, tmp_path):
    G = stylegan.load(network, device="cpu")

    def edited(*arguments):
        run("edit", "--network", network, *arguments, "--outdir", tmp_path)
        (file,) = tmp_path.glob("*.npz")
        (latent,) = load_latents(file, G)
        file.unlink()
        return latent.ws

    one, two, three = (edited("--seeds", seed) for seed in (1, 2, 3))
    moved = edited("--seeds", 1, "--direction", f"{found}:pca0=1", "--layers", "0-2") - one
    assert moved.abs().sum(1).nonzero().flatten().tolist() == [0, 1, 2]
    assert torch.equal(edited("--seeds", 1, "--mix", 2, "--layers", "4-5"), torch.cat([one[:4], two[4:]]))
    assert torch.allclose(edited("--sum", "1 - 2 + 3"), one - two + three, atol=1e-6)


def test_latents_of_the_same_name_in_different_folders_write_different_files(network, found, tmp_path):
    files = [tmp_path / folder / "projected_w.npz" for folder in ("mia", "tom")]
    for seed, file in enumerate(files):
        run("edit", "--network", network, "--seeds", seed, "--outdir", file.parent)
        (file.parent / f"seed000{seed}-edited.npz").rename(file)
    seeds = ["--network", network, "--seeds", ",".join(map(str, [*files, files[0]])), "--outdir", tmp_path]
    assert run("generate", *seeds).startswith(f"Wrote 2 images to {tmp_path} in ")
    assert run("edit", *seeds, "--direction", f"{found}:pca0=1").startswith("Wrote 2 images and their latents to ")
    names = ["mia-projected_w", "tom-projected_w"]
    assert sorted(p.stem for p in tmp_path.glob("*.png")) == sorted([*names, *(f"{name}-edited" for name in names)])


def test_an_edit_of_one_image_says_so_and_notes_that_nothing_changes(network, tmp_path):
    result = run_cli("edit", "--network", network, "--seeds", 1, "--outdir", tmp_path)
    assert result.out.startswith(f"Wrote 1 image and its latent to {tmp_path} in ")
    assert result.err == "Note: nothing is changed without --direction, --mix, --text or --sum.\n"


def test_a_drag_writes_its_result_and_reports_the_distances(network, tmp_path):
    white = tmp_path / "mask.png"
    Image.new("L", (16, 16), 255).save(white)
    arguments = ["--network", network, "--seeds", 1, "--steps", 3, "--mask", white, "--outdir", tmp_path]
    for method in ("freedrag", "draggan"):
        out = run("drag", *arguments, "--points", "4,4->8,7;1,1->1,2", "--method", method)
        assert out.startswith("seed0001: 3.0 px from the target before, ")
        assert "px after 3 steps." in out
    assert (tmp_path / "seed0001-dragged.png").exists()
    assert load_latents(tmp_path / "seed0001-dragged.npz", stylegan.load(network, device="cpu"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edit"], "Name what to start from with --seeds, such as 0-3 or out/projected_w.npz."),
        (["directions", "sheet", "--direction", "x", "--strengths", "a"], "expected numbers such as -2,0,2, got 'a'."),
        (["edit", "--seeds", "1", "--direction", "pca0=1"], "comes without directions; write FILE:NAME"),
        (["edit", "--seeds", "1", "--direction", "{found}:pca0"], "is written [FILE:]NAME=STRENGTH, such as smile=2"),
        (["edit", "--seeds", "1", "--direction", "{found}:pca0=much"], "is written [FILE:]NAME=STRENGTH"),
        (["edit", "--seeds", "1", "--direction", "{found}:pca9=1"], "has no direction 'pca9'; it has sefa0,"),
        (["edit", "--seeds", "1", "--direction", "none.npz:x=1"], "none.npz does not exist; write FILE:NAME"),
        (["edit", "--seeds", "1", "--layers", "9"], "this network has the layers 0-5, got '9'."),
        (["edit", "--seeds", "1", "--mix", "2"], "--mix needs the layers that it changes"),
        (["edit", "--seeds", "1", "--sum", "1 - 2 + 3"], "--sum names its latents itself"),
        (["edit", "--sum", "1 + 2"], "sum to 1, as in a - b + c"),
        (["edit", "--sum", "1-2+3"], "is written like a - b + 0.5*c, with spaces, got '1-2+3'."),
        (["edit", "--sum", "1-2"], "expected one seed or file, got '1-2'; a sum has spaces, as in '1 - 2 + 3'."),
        (["edit", "--seeds", "1", "--mix", "2-3", "--layers", "1"], "expected one seed or file, got '2-3'"),
        (["edit", "--sum", "1 - x + 2"], "seeds are whole numbers and ranges such as 0-3,7"),
        (["directions", "find", "--method", "labels"], "takes either marked seeds, with --csv, or a data set"),
        (
            ["directions", "find", "--method", "learned"],
            "takes a data set with labels, with --data, and no marked seeds",
        ),
        (["directions", "find", "--count", "99"], "--count is from 1 to 16 here, got 99."),
        (["directions", "sheet", "--seeds", "1", "--direction", "{found}:x"], "has no direction 'x'"),
        (["drag", "--seeds", "1", "--points", "1,2"], "Invalid value for '--points': points are written like"),
        (["drag", "--seeds", "1", "--points", "1,2->16,2"], "points are pairs of (x, y) from 0 to 15"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(network, found, tmp_path, arguments, message):
    verb, *rest = (word.replace("{found}", str(found)) for word in arguments)
    words = [verb, *([rest.pop(0)] if verb == "directions" else []), "--network", network, *rest]
    result = run_cli(
        *words, "--out" if "find" in words else "--outdir", tmp_path / "out.npz" if "find" in words else tmp_path
    )
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_a_list_of_no_file_names_what_can_be_listed():
    result = run_cli("directions", "list", "nowhere")
    sentence = "nowhere is not a file; give one that `stylegan directions find` wrote, or one of avatars64, fashion32."
    assert (result.code, sentence in result.err) == (2, True)


def test_directions_of_another_network_are_refused(network, found, tmp_path):
    result = run_cli("edit", "--seeds", 1, "--direction", f"{found}:pca0=1", "--outdir", tmp_path)
    assert result.code == 2
    assert "holds directions of another network" in result.err


@pytest.mark.parametrize("name", sorted(bundled()))
def test_bundled_networks_come_with_three_directions_that_fit_them(name):
    file = bundled()[name] / "directions.npz"
    loaded = load_directions(file, stylegan.load(name, device="cpu"))
    assert len(loaded) == 3
    assert len(run("directions", "list", name).splitlines()) == 3
