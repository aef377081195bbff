"""Latents: what they draw, and the file that holds them."""

import io
import zipfile

import numpy as np
import pytest
import torch

from stylegan.errors import ConfigError, DataError
from stylegan.networks import stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import draw, generate, to_latents
from stylegan.sampling.interpolation import loop
from stylegan.sampling.latent import Latent, space_of, synthesize
from stylegan.sampling.latent_file import load_latents, save_latent
from stylegan.sampling.mixing import mixing_matrix

WORDS = {"z_dim": 8, "w_dim": 8, "img_resolution": 16, "mapping_layers": 2, "channel_base": 64, "channel_max": 8}


@pytest.fixture(scope="module", params=["stylegan1", "stylegan2", "stylegan3"])
def G(request):
    torch.manual_seed(1)
    module = {"stylegan1": stylegan1, "stylegan2": stylegan2, "stylegan3": stylegan3}[request.param]
    words = WORDS | ({"num_layers": 4, "filter_size": 4} if module is stylegan3 else {})
    G = module.Generator(**words).eval().requires_grad_(False)
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.3)
    return G


def drawn(G, latent):
    return next(draw(G, [latent]))


def first_affine(G):
    return next(name for name, _ in G.synthesis.named_modules() if name.endswith("affine") and "input" not in name)


def test_the_latent_of_a_seed_draws_the_image_of_the_seed(G):
    latents = to_latents(G, [3, 4], psi=0.7)
    assert torch.equal(torch.stack(list(draw(G, latents))), generate(G, [3, 4], psi=0.7))


def test_an_offset_in_style_space_acts_like_a_change_of_the_bias_of_the_affine_layer(G):
    (latent,) = to_latents(G, [3])
    name = first_affine(G)
    layer = G.synthesis.get_submodule(name)
    offset = torch.randn(layer.bias.shape)
    got = synthesize(G.synthesis, latent.ws[None], {name: offset}, {})
    layer.bias.add_(offset)
    expected = G.synthesis(latent.ws[None], noise_mode="const")
    layer.bias.sub_(offset)
    assert torch.allclose(got, expected, atol=1e-5)
    assert not torch.allclose(got, G.synthesis(latent.ws[None], noise_mode="const"), atol=1e-3)


def test_noise_of_a_latent_replaces_that_of_the_network(G):
    names = [name for name, _ in G.synthesis.named_buffers() if name.endswith("noise_const")]
    if not names:
        pytest.skip("StyleGAN3 has no noise")
    (latent,) = to_latents(G, [3])
    other = torch.randn_like(dict(G.synthesis.named_buffers())[names[-1]])
    changed = Latent(ws=latent.ws, noise={names[-1]: other})
    assert not torch.equal(drawn(G, changed), drawn(G, latent))
    assert torch.equal(drawn(G, latent), generate(G, [3], psi=1)[0])  # nothing is left behind


def test_images_of_a_batch_have_noise_of_their_own(G):
    buffers = {n: b for n, b in G.synthesis.named_buffers() if n.endswith("noise_const")}
    (latent,) = to_latents(G, [3])
    noise = {name: torch.randn(2, 1, *buffer.shape) for name, buffer in buffers.items()}
    both = synthesize(G.synthesis, latent.ws.expand(2, -1, -1), {}, noise)
    for i in range(2):
        one = synthesize(G.synthesis, latent.ws[None], {}, {name: value[i, 0] for name, value in noise.items()})
        assert torch.allclose(both[i], one[0], atol=1e-5)


def test_offsets_are_differentiable_and_removed_after_an_error(G):
    (latent,) = to_latents(G, [3])
    name = first_affine(G)
    offset = torch.zeros_like(G.synthesis.get_submodule(name).bias).requires_grad_()
    (gradient,) = torch.autograd.grad(synthesize(G.synthesis, latent.ws[None], {name: offset}, {}).sum(), offset)
    assert gradient.abs().sum() > 0
    with pytest.raises(RuntimeError):
        synthesize(G.synthesis, latent.ws[None], {name: torch.zeros(999)}, {})
    assert torch.equal(drawn(G, latent), generate(G, [3], psi=1)[0])


def test_a_file_gives_the_same_latent_back(G, tmp_path):
    (latent,) = to_latents(G, [3])
    name = first_affine(G)
    buffers = dict(G.synthesis.named_buffers())
    latent = Latent(
        ws=latent.ws + torch.randn_like(latent.ws),
        offsets={name: torch.randn_like(G.synthesis.get_submodule(name).bias)},
        noise={n: torch.randn_like(b) for n, b in buffers.items() if n.endswith("noise_const")},
    )
    save_latent(latent, G, tmp_path / "a.npz")
    (again,) = load_latents(tmp_path / "a.npz", G)
    assert torch.equal(again.ws, latent.ws)
    assert again.space == space_of(G)
    assert again.offsets.keys() == latent.offsets.keys()
    assert again.noise.keys() == latent.noise.keys()
    assert torch.equal(drawn(G, again), drawn(G, latent))


@pytest.mark.parametrize("shape", [(8,), (1, 1, 8), (3, 1, 8)])
def test_w_of_the_official_projector_is_repeated_for_all_layers(G, tmp_path, shape):
    w = np.random.RandomState(0).randn(*shape).astype(np.float32)
    np.savez(tmp_path / "projected_w.npz", w=w)
    found = load_latents(tmp_path / "projected_w.npz", G)
    assert len(found) == (shape[0] if len(shape) == 3 else 1)
    for latent, row in zip(found, w.reshape(-1, 8), strict=True):
        assert torch.equal(latent.ws, torch.from_numpy(row).expand(G.num_ws, 8))


def test_networks_with_the_same_mapping_network_share_a_space(G):
    import copy

    tuned, other = copy.deepcopy(G), copy.deepcopy(G)
    next(tuned.synthesis.parameters()).add_(1)
    next(other.mapping.parameters()).add_(1)
    assert space_of(tuned) == space_of(G) == space_of(G.for_inference()) != space_of(other)


def test_a_latent_of_another_network_is_refused(G, tmp_path):
    (latent,) = to_latents(G, [3])
    np.savez(tmp_path / "a.npz", w=latent.ws.numpy()[None], space="0123456789abcdef")
    with pytest.raises(ConfigError, match="0123456789abcdef"):
        load_latents(tmp_path / "a.npz", G)
    for other in (Latent(ws=latent.ws, space="0123456789abcdef"), Latent(ws=torch.zeros(1, 3))):
        with pytest.raises(ConfigError, match="latent"):
            generate(G, [other])
        with pytest.raises(ConfigError, match="latent"):
            save_latent(other, G, tmp_path / "b.npz")


def _npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _bomb():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("w.npy", "w") as entry:
        for _ in range(1100):
            entry.write(bytes(1 << 20))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.",
        b"PK\x03\x04garbage",
        _npz(v=np.zeros(8)),
        _npz(w=np.array(["x"])),
        _npz(w=np.full([1, 1, 8], np.nan, np.float32)),
        _npz(w=np.zeros([1, 1, 8]), **{"offset:a": np.full(3, np.inf)}),
    ],
    ids=["empty", "pickle", "no-zip", "without-w", "text", "nan", "infinite-offset"],
)
def test_a_file_without_latents_is_refused_with_its_name(G, tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="a.npz"):
        load_latents(tmp_path / "a.npz", G)


def test_objects_in_a_file_are_not_unpickled(G, tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="a.npz"):
        load_latents(tmp_path / "a.npz", G)


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    G = stylegan2.Generator(**WORDS)
    (tmp_path / "a.npz").write_bytes(_bomb())
    with pytest.raises(DataError, match="unpacks to"):
        load_latents(tmp_path / "a.npz", G)


@pytest.mark.parametrize("w", [np.zeros([1, 5, 9]), np.zeros([1, 1, 1, 8]), np.zeros([0, 1, 8])])
def test_w_of_another_shape_is_refused(G, tmp_path, w):
    np.savez(tmp_path / "a.npz", w=w)
    with pytest.raises(ConfigError, match="takes"):
        load_latents(tmp_path / "a.npz", G)


def test_latents_can_take_the_place_of_seeds(G):
    (latent,) = to_latents(G, [4], psi=0.7)

    def drawn_with(point):
        mixed = mixing_matrix(G, [3], [point], [0, 1], psi=0.7)
        return torch.stack(
            [*generate(G, [3, point, 5], psi=0.7), *mixed, *draw(G, loop(G, [3, point], 3, psi=0.7))]
        ).float()

    assert (drawn_with(latent) - drawn_with(4)).abs().max() <= 1  # the mapping network saw other batches


def test_a_loop_passes_latents_with_offsets_and_noise_exactly(G):
    name = first_affine(G)
    buffers = {n: b for n, b in G.synthesis.named_buffers() if n.endswith("noise_const")}
    (plain,) = to_latents(G, [4])
    rich = Latent(
        ws=plain.ws,
        offsets={name: torch.randn_like(G.synthesis.get_submodule(name).bias)},
        noise={n: torch.randn_like(b) for n, b in buffers.items()},
    )
    images = list(draw(G, loop(G, [3, rich], 4, psi=1)))
    assert (images[4].float() - drawn(G, rich).float()).abs().max() <= 1
    assert (images[0].float() - generate(G, [3], psi=1)[0].float()).abs().max() <= 1


def test_between_two_latents_noise_keeps_its_variance_and_all_else_goes_straight():
    start = Latent(ws=torch.zeros(2, 3), offsets={"a": torch.ones(3)}, noise={"n": torch.ones(4, 4)})
    end = Latent(ws=torch.ones(2, 3), offsets={"a": torch.zeros(3), "b": torch.ones(3)})
    between = start.towards(end, 0.36, {"n": torch.full((4, 4), 10.0)})  # the network's own noise for the end
    torch.testing.assert_close(between.ws, torch.full((2, 3), 0.36))
    torch.testing.assert_close(between.offsets, {"a": torch.full((3,), 0.64), "b": torch.full((3,), 0.36)})
    torch.testing.assert_close(between.noise, {"n": torch.full((4, 4), 0.8 + 0.6 * 10)})  # 0.8² + 0.6² = 1


def test_a_latent_has_no_z(G):
    with pytest.raises(ConfigError, match="no z"):
        list(loop(G, [3, *to_latents(G, [4])], 2, space="z"))


def test_a_prepared_network_refuses_changed_layers_in_one_sentence(G):
    (latent,) = to_latents(G, [4])
    rich = Latent(ws=latent.ws, offsets={first_affine(G): torch.ones(1)})
    with pytest.raises(ConfigError, match="prepared for inference"):
        drawn(G.for_inference(), rich)
