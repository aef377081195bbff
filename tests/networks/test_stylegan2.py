"""StyleGAN2: the recorded outputs of the references, and what its docstrings promise."""

import pytest
import torch
from golden import R, assert_matches, fill
from torch.testing import assert_close

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks.stylegan2 import Discriminator, Generator

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 16}


def small_generator(architecture: str, c_dim: int, **options) -> Generator:
    return fill(Generator(8, c_dim, 8, mapping_layers=2, architecture=architecture, **SMALL, **options))


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_generator_gives_the_recorded_images(architecture, c_dim):
    G = small_generator(architecture, c_dim)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    name = f"sg2_G_{architecture}_c{c_dim}"
    assert_matches(name, G(z, c, noise_mode="const"))
    if architecture == "skip":
        assert_matches(f"{name}_nonoise", G(z, c, noise_mode="none"))
        cut = G(z, c, truncation_psi=0.5, truncation_cutoff=2, noise_mode="const")
        assert_matches(f"{name}_trunc0.5_cut2", cut)
        assert_matches(f"{name}_w", G.mapping(z, c)[:, 0])


def test_clamped_generator_gives_the_recorded_images():
    G = small_generator("resnet", 0, conv_clamp=0.5)
    assert_matches("sg2_G_resnet_c0_clamp0.5", G(R(1, [3, 8]), noise_mode="const"))


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_discriminator_gives_the_recorded_logits(architecture, c_dim):
    D = fill(Discriminator(c_dim, mapping_layers=2, architecture=architecture, mbstd_group_size=2, **SMALL))
    c = torch.eye(3)[[0, 1, 2, 0]] if c_dim else None
    assert_matches(f"sg2_D_{architecture}_c{c_dim}", D(R(2, [4, 3, 16, 16]), c))


def test_torgb_shares_its_w_with_the_first_convolution_of_the_next_block():
    G = small_generator("skip", 0)
    seen = {}

    def see(module, inputs, _):
        seen[names[module]] = inputs[1][0, 0].item()

    names = {m: name for name, m in G.synthesis.named_modules() if name.endswith(("conv0", "conv1", "torgb"))}
    for module in names:
        module.register_forward_hook(see)
    G.synthesis(torch.arange(6.0)[None, :, None].repeat(1, 1, 8))
    assert seen == {
        "b4.conv1": 0, "b4.torgb": 1, "b8.conv0": 1, "b8.conv1": 2, "b8.torgb": 3, "b16.conv0": 3, "b16.conv1": 4,
        "b16.torgb": 5,
    }  # fmt: skip


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_noise_modes_do_what_they_say(architecture):
    G = small_generator(architecture, 0)
    ws = G.mapping(R(1, [2, 8]))
    const, none = G.synthesis(ws, noise_mode="const"), G.synthesis(ws, noise_mode="none")
    assert torch.equal(const, G.synthesis(ws, noise_mode="const"))
    assert torch.equal(none, G.synthesis(ws, noise_mode="none"))
    random = [G.synthesis(ws) for _ in range(2)]
    images = [const, none, *random]
    for i, a in enumerate(images):
        assert all((a - b).abs().max() > 1e-2 for b in images[:i])


def test_random_noise_follows_the_seed_and_differs_between_images():
    G = small_generator("skip", 0)
    ws = G.mapping(R(1, [1, 8])).repeat(2, 1, 1)
    torch.manual_seed(3)
    first = G.synthesis(ws)
    torch.manual_seed(3)
    assert torch.equal(first, G.synthesis(ws))
    assert (first[0] - first[1]).abs().max() > 1e-2


def test_fresh_noise_strengths_are_zero_so_that_noise_changes_nothing_yet():
    G = Generator(8, 0, 8, mapping_layers=1, **SMALL)
    z = R(1, [2, 8])
    assert torch.equal(G(z, noise_mode="random"), G(z, noise_mode="none"))


def test_a_image_does_not_depend_on_its_batch():
    G = small_generator("resnet", 0)
    z = R(1, [3, 8])
    assert_close(G(z, noise_mode="const")[1:2], G(z[1:2], noise_mode="const"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("img_channels", [1, 3, 4])
def test_images_and_logits_have_the_promised_shape(img_channels):
    G, D = Generator(8, 0, 8, 16, img_channels, mapping_layers=1, channel_base=128), Discriminator(0, 16, img_channels)
    img = G(torch.randn(2, 8))
    assert img.shape == (2, img_channels, 16, 16)
    assert D(img).shape == (2, 1)


@pytest.mark.parametrize(("precision", "least"), [("bf16", 25), ("fp16", 40)])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_images_of_reduced_precision_are_close_to_float32(architecture, precision, least):
    G = small_generator(architecture, 0, num_fp16_res=4, conv_clamp=256)
    z = R(1, [3, 8])
    G.precision = "fp32"
    exact = G(z, noise_mode="const")
    G.precision = precision
    img = G(z, noise_mode="const")
    assert not torch.equal(img, exact)
    psnr = 10 * ((exact.max() - exact.min()).square() / (img - exact).square().mean()).log10()
    assert psnr > least


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_images_and_logits_are_float32_under_every_policy(architecture, precision):
    G = small_generator(architecture, 3, num_fp16_res=4, conv_clamp=256)
    D = fill(Discriminator(3, architecture=architecture, num_fp16_res=4, conv_clamp=256, mapping_layers=1, **SMALL))
    G.precision = D.precision = precision
    assert (G.precision, D.precision) == (precision, precision)
    img = G(R(1, [3, 8]), torch.eye(3))
    logits = D(img, torch.eye(3))
    assert img.dtype == logits.dtype == torch.float32
    assert img.isfinite().all()
    assert logits.isfinite().all()


def test_on_a_cpu_the_default_precision_is_float32():
    plain, marked = small_generator("skip", 0), small_generator("skip", 0, num_fp16_res=4)
    z = R(1, [2, 8])
    assert torch.equal(plain(z, noise_mode="const"), marked(z, noise_mode="const"))


def test_an_unknown_precision_is_named():
    for network in (small_generator("skip", 0), Discriminator(**SMALL)):
        with pytest.raises(ConfigError, match=r"precision must be one of auto, fp32, bf16, fp16, got 'int8'\."):
            network.precision = "int8"


def test_truncation_moves_images_towards_the_average_one():
    G = small_generator("skip", 0)
    z = R(1, [2, 8])
    average = G.synthesis(G.mapping.w_avg.expand(2, G.num_ws, 8), noise_mode="const")
    assert_close(G(z, truncation_psi=0.0, noise_mode="const"), average)
    distances = [(G(z, truncation_psi=psi, noise_mode="const") - average).norm() for psi in (0.1, 0.5, 1.0)]
    assert distances == sorted(distances)
    assert torch.equal(G(z, truncation_psi=0.5, truncation_cutoff=0, noise_mode="const"), G(z, noise_mode="const"))


def test_w_avg_follows_the_batch_only_when_asked():
    G = small_generator("skip", 0, w_avg_beta=0.9).train()
    before, z = G.mapping.w_avg.clone(), R(1, [3, 8])
    G(z)
    assert torch.equal(G.mapping.w_avg, before)
    G.mapping(z, update_emas=True)
    assert_close(G.mapping.w_avg, 0.9 * before + 0.1 * G.mapping(z)[:, 0].mean(0))


def test_the_label_projects_the_features_of_a_conditional_discriminator():
    D = fill(Discriminator(3, mapping_layers=1, mbstd_num_channels=0, **SMALL))
    img, seen = R(2, [3, 3, 16, 16]), []
    D.b4.out.register_forward_hook(lambda _m, _i, out: seen.append(out))
    logits = D(img, torch.eye(3))
    labels = D.mapping(None, torch.eye(3))
    assert_close(logits, (seen[0] * labels).sum(1, keepdim=True) / 16**0.5)


@pytest.mark.parametrize("shape", [(2, 8), (2, 5, 8), (2, 6, 7)])
def test_ws_of_another_shape_are_refused_with_the_remedy(shape):
    text = (
        rf"synthesis at 16x16 takes ws \[N, 6, 8\], got \[{', '.join(map(str, shape))}\]; repeat a single w for all "
        r"layers with w\[:, None\]\.repeat\(1, 6, 1\)\."
    )
    with pytest.raises(ShapeError, match=text):
        small_generator("skip", 0).synthesis(torch.zeros(shape))


def test_an_unknown_noise_mode_is_named():
    with pytest.raises(ConfigError, match=r"noise_mode must be one of random, const, none, got 'fixed'\."):
        small_generator("skip", 0)(torch.zeros(1, 8), noise_mode="fixed")


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 16, 16), (3, 16, 16)])
def test_images_of_another_shape_are_refused(shape):
    text = rf"discriminator takes img \[N, 3, 16, 16\], got \[{', '.join(map(str, shape))}\]\."
    with pytest.raises(ShapeError, match=text):
        Discriminator(**SMALL)(torch.zeros(shape))


def test_labels_are_asked_for_by_conditional_networks():
    D = Discriminator(3, mapping_layers=1, **SMALL)
    with pytest.raises(ShapeError, match=r"this discriminator is conditional and takes labels c \[N, 3\], got None\."):
        D(torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_a_discriminator_without_blocks_is_refused(architecture):
    with pytest.raises(ConfigError, match="a discriminator needs images of at least 8x8, got 4x4"):
        Discriminator(0, 4, architecture=architecture)
