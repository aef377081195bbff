"""The encoder of images, its files, and image-to-image."""

import pytest
import torch
from PIL import Image
from tiny_generator import tiny_generator

from stylegan.errors import CheckpointError, ConfigError, OutputError, ShapeError
from stylegan.inversion.encoder import Encoder, EncoderSettings, encode
from stylegan.inversion.encoder_file import load_encoder, save_encoder
from stylegan.inversion.tasks import Task
from stylegan.inversion.translate import read_input, translate
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.networks import stylegan1, stylegan3
from stylegan.sampling.generate import seeds_to_ws
from stylegan.sampling.mixing import named_styles

WORDS = {"z_dim": 8, "w_dim": 8, "img_resolution": 16, "mapping_layers": 2, "channel_base": 128, "channel_max": 8}
GENERATORS = {
    "stylegan1": lambda: stylegan1.Generator(**WORDS).eval().requires_grad_(False),
    "stylegan2": tiny_generator,
    "stylegan3": lambda: stylegan3.Generator(**WORDS, num_layers=4, filter_size=4).eval().requires_grad_(False),
}


def made(G, task=None, space="w+"):
    torch.manual_seed(2)
    encoder = Encoder(EncoderSettings.of(G, task or Task(), space=space, passes=2))
    torch.nn.init.normal_(encoder.change.weight)
    return encoder.eval().requires_grad_(False)


@pytest.mark.parametrize("name", GENERATORS)
def test_an_encoder_finds_ws_that_any_generation_draws(name):
    G = GENERATORS[name]()
    for space, rows in (("w", 1), ("w+", G.num_ws)):
        ws = encode(G, made(G, space=space), torch.rand(3, 3, 16, 16))
        assert ws.shape == (3, G.num_ws, G.w_dim)
        assert len(ws[0].unique(dim=0)) == rows
        assert G.synthesis(ws, noise_mode="const").isfinite().all()


def test_without_training_the_latent_is_that_of_the_regression():
    G = tiny_generator()
    encoder = Encoder(EncoderSettings.of(G, Task(), space="w+", passes=3))
    ws = random_ws(G, None, 300)
    images = G.synthesis(ws, noise_mode="const")
    encoder.fit_start(images[100:], ws[100:, 0], WStatistics.of(ws[:, 0], whiten=False))
    found = encode(G, encoder, images[:100])
    assert torch.equal(found, encoder.start(images[:100]))
    error = (found - ws[:100]).square().sum(2).mean() / (ws[:100] - encoder.center).square().sum(2).mean()
    assert error < 0.6


def test_a_saved_encoder_finds_the_same_latents(tmp_path):
    G, task = tiny_generator(), Task(name="labels", colors=((0, 0, 0), (9, 9, 9)))
    encoder, inputs = made(G, task), torch.rand(2, 2, 16, 16)
    save_encoder(encoder, tmp_path / "e")
    save_encoder(encoder, tmp_path / "e")  # replaces it
    assert {file.name for file in (tmp_path / "e").iterdir()} == {"config.json", "encoder.safetensors"}
    for place in (tmp_path / "e", tmp_path / "e" / "encoder.safetensors"):
        again = load_encoder(place)
        assert again.settings == encoder.settings
        assert torch.equal(encode(G, again, inputs), encode(G, encoder, inputs))


def test_what_is_not_an_encoder_is_refused(tmp_path):
    G = tiny_generator()
    with pytest.raises(CheckpointError, match="is not an encoder; expected a folder with encoder.safetensors"):
        load_encoder(tmp_path)
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(OutputError, match="already exists and is not an encoder"):
        save_encoder(made(G), tmp_path)
    save_encoder(made(G), tmp_path / "e")
    weights = tmp_path / "e" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is damaged: .*; choose another"):
        load_encoder(tmp_path / "e")
    (tmp_path / "e" / "config.json").write_text('{"format": 1}')
    with pytest.raises(CheckpointError, match="is not an encoder of the format"):
        load_encoder(tmp_path / "e")
    (tmp_path / "e" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_encoder(tmp_path / "e")


def test_another_network_and_other_inputs_are_refused():
    G, other = tiny_generator(), GENERATORS["stylegan1"]()
    encoder = made(G)
    with pytest.raises(ConfigError, match="was trained for the network .* train another encoder"):
        encode(other, encoder, torch.zeros(1, 3, 16, 16))
    for wrong in (torch.zeros(1, 1, 16, 16), torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 16, 16, dtype=torch.uint8)):
        with pytest.raises(ShapeError, match=r"takes float inputs \[N, 3, 16, 16\], got"):
            encode(G, encoder, wrong)
    with pytest.raises(ConfigError, match="`space` of an encoder is one of w, w\\+, got 'z'"):
        made(G, space="z")


def test_a_style_changes_the_chosen_layers_alone():
    G = tiny_generator()
    (latents,) = translate(G, made(G), torch.zeros(1, 3, 16, 16), [5, 6])
    plain, first, second = (latent.ws for latent in latents)
    fine = named_styles(G.num_ws)["fine"]
    assert torch.equal(plain[: fine.start], first[: fine.start])
    assert not torch.equal(first[fine], second[fine])
    assert torch.equal(first[fine], seeds_to_ws(G, [5, 6])[0][fine])


def test_a_file_of_another_size_or_mode_is_made_to_fit_and_remarked_on(tmp_path):
    G = tiny_generator()
    Image.new("RGBA", (40, 30), "red").save(tmp_path / "photo.png")
    sketch = read_input(tmp_path / "photo.png", made(G, Task(name="sketch")), G)
    assert sketch.pixels.shape == (1, 1, 16, 16)
    assert sketch.remarks == [
        "it is 40x30; its largest centered square is used at 16x16",
        "its transparency is put on white",
    ]
    small = read_input(tmp_path / "photo.png", made(G, Task(name="superres", input_px=4)), G)
    assert small.pixels.shape == (1, 3, 16, 16)
    assert "used at 4x4" in small.remarks[0]
    labels = read_input(tmp_path / "photo.png", made(G, Task(name="labels", colors=((0, 0, 0), (9, 9, 9)))), G)
    assert "100% of it have a color that was not in training" in labels.remarks[-1]
    Image.new("L", (16, 16), 99).save(tmp_path / "gray.png")
    assert read_input(tmp_path / "gray.png", made(G), G).remarks == []
    with pytest.raises(ConfigError, match="the task image takes no mask; leave out `mask`"):
        read_input(tmp_path / "gray.png", made(G), G, tmp_path / "gray.png")
