"""Calls as scripts for the official networks write them: accepted, or answered with the remedy."""

import numpy as np
import pytest
import torch
from golden import R
from tiny_generations import CONDITIONAL, EVERY_GENERATION, discriminator, generator, shared_generator

import stylegan
from stylegan.errors import CheckpointError, ConfigError, ShapeError

Z = R(1, [3, 8])


@EVERY_GENERATION
def test_psi_and_cutoff_may_be_positional(name):
    G = shared_generator(name)
    ws = G.mapping(Z, None, truncation_psi=0.7, truncation_cutoff=2)
    assert torch.equal(G.mapping(Z, None, 0.7, 2), ws)
    assert torch.equal(G(Z, None, 0.7, 2, noise_mode="const"), G.synthesis(ws, noise_mode="const"))
    form = G.for_inference()
    expected = form(Z, truncation_psi=0.7, noise_mode="none")
    assert torch.equal(form(Z, None, 0.7, noise_mode="none"), expected)


@EVERY_GENERATION
def test_arrays_are_taken_for_z_ws_and_images(name):
    G, D = shared_generator(name), discriminator(name)
    ws = G.mapping(Z)
    assert torch.equal(G.mapping(Z.numpy()), ws)
    assert torch.equal(G.mapping(Z.double().numpy()), ws)
    assert torch.equal(G.synthesis(ws.numpy(), noise_mode="const"), G.synthesis(ws, noise_mode="const"))
    img = R(3, [4, 3, 16, 16])
    assert torch.equal(D(img.numpy()), D(img))


@EVERY_GENERATION
def test_each_image_may_have_its_own_psi(name):
    G = shared_generator(name)
    together = G.mapping(Z, truncation_psi=torch.tensor([0.5, 1.0, 0.0]))
    for row, z, psi in zip(together, Z, (0.5, 1.0, 0.0), strict=True):
        torch.testing.assert_close(row[None], G.mapping(z[None], truncation_psi=psi))
    with pytest.raises(ShapeError, match=r"or \[N\] with one for each of 3 images, got \[2\]"):
        G.mapping(Z, truncation_psi=[0.5, 1.0])


@EVERY_GENERATION
@pytest.mark.parametrize("force_fp32", [False, True])
def test_force_fp32_computes_in_float32(name, force_fp32):
    marked = {} if name == "minimal" else {"num_fp16_res": 2}
    G = generator(name, **marked)
    exact = G(Z, noise_mode="const")
    if name != "minimal":
        G.precision = "bf16"
    img = G(Z, noise_mode="const", force_fp32=force_fp32)
    assert torch.equal(img, exact) == (force_fp32 or name == "minimal")
    if name != "minimal":
        with pytest.raises(ConfigError, match=r"call for_inference\('fp32'\) of the network"):
            G.for_inference("bf16")(Z, force_fp32=True)
    assert torch.equal(
        G.for_inference()(Z, noise_mode="none", force_fp32=True), G.for_inference()(Z, noise_mode="none")
    )


@CONDITIONAL
def test_classes_may_be_numbers(name):
    G, D = generator(name, c_dim=3), discriminator(name, c_dim=3)
    rows = torch.eye(3)[[0, 2, 1]]
    for c in (torch.tensor([0, 2, 1]), np.array([0, 2, 1]), [0, 2, 1], rows.numpy()):
        assert torch.equal(G.mapping(Z, c), G.mapping(Z, rows))
    one = G.mapping(Z, torch.eye(3)[[1, 1, 1]])
    for c in (1, np.int64(1), torch.tensor(1), torch.eye(3)[1], torch.eye(3)[1:2]):
        assert torch.equal(G.mapping(Z, c), one)
    img = R(3, [3, 3, 16, 16])
    assert torch.equal(D(img, torch.tensor([0, 2, 1])), D(img, rows))
    with pytest.raises(ConfigError, match=r"this network has the classes 0\.\.2, got class 3"):
        G.mapping(Z, [0, 1, 3])
    with pytest.raises(ShapeError, match="one row for each of the 3 images, got 2 rows"):
        G.mapping(Z, torch.eye(3)[:2])


@EVERY_GENERATION
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation_cutoff": -1}, "0 or more, or None for all layers, got -1"),
        ({"truncation_cutoff": 2.5}, r"or None for all layers, got 2\.5"),
        ({"truncation_psi": float("nan")}, "truncation_psi must be a finite number, such as 0.7, got nan"),
    ],
)
def test_a_truncation_that_means_nothing_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        shared_generator(name)(Z, **options)


@EVERY_GENERATION
def test_what_is_no_number_or_has_another_shape_is_refused_with_a_sentence(name):
    G, D = shared_generator(name), discriminator(name)
    for z in ("seed", [[1.0], [1.0, 2.0]]):
        with pytest.raises(ShapeError, match="expected a tensor, an array or a list of numbers, got"):
            G(z)
    with pytest.raises(ShapeError, match=r"mapping takes z \[N, 8\], got \[8\]"):
        G(Z[0])
    with pytest.raises(ShapeError, match=r"takes img as floats in \[-1, 1\], got uint8"):
        D(torch.zeros(4, 3, 16, 16, dtype=torch.uint8))


@EVERY_GENERATION
def test_a_network_can_be_built_from_its_init_kwargs(name):
    G = shared_generator(name)
    twin = type(G)(*G.init_args, **G.init_kwargs)
    twin.load_state_dict(G.state_dict())
    assert torch.equal(twin(Z, noise_mode="const"), G(Z, noise_mode="const"))


@EVERY_GENERATION
def test_a_generator_is_saved_without_a_checkpoint_around_it(name, tmp_path):
    G = shared_generator(name)
    stylegan.save(G, tmp_path / "net")
    assert torch.equal(stylegan.load(tmp_path / "net", device="cpu")(Z, noise_mode="const"), G(Z, noise_mode="const"))
    with pytest.raises(CheckpointError, match="got a discriminator; pass G_ema"):
        stylegan.save(discriminator(name), tmp_path / "D")
    with pytest.raises(CheckpointError, match="a generator or a Checkpoint can be saved, got dict"):
        stylegan.save({}, tmp_path / "D")
