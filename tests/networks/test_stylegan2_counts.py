"""StyleGAN2's published counts, its state dict names and their order. Nothing is computed: meta tensors."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

from stylegan.errors import ConfigError
from stylegan.networks.stylegan2 import Discriminator, Generator

COUNTS = [  # resolution, channel base, G parameters with 8 and 2 mapping layers, G buffers, D parameters, D buffers
    (32, 16384, 21_523_475, 19_947_539, 3_392, 21_507_073, 224),
    (32, 32768, 21_523_475, 19_947_539, 3_392, 21_507_073, 224),
    (64, 16384, 23_819_544, 22_243_608, 11_632, 23_407_361, 288),
    (64, 32768, 27_032_600, 25_456_664, 11_632, 26_488_833, 288),
    (128, 16384, 24_525_213, 22_949_277, 44_448, 23_882_369, 352),
    (128, 32768, 29_328_669, 27_752_733, 44_448, 28_389_121, 352),
    (256, 16384, 24_767_458, 23_191_522, 175_568, 24_001_089, 416),
    (256, 32768, 30_034_338, 28_458_402, 175_568, 28_864_129, 416),
    (512, 16384, 24_860_935, 23_284_999, 699_904, 24_030_753, 480),
    (512, 32768, 30_276_583, 28_700_647, 699_904, 28_982_849, 480),
    (1024, 16384, 24_900_764, 23_324_828, 2_797_104, 24_038_161, 544),
    (1024, 32768, 30_370_060, 28_794_124, 2_797_104, 29_012_513, 544),
]
TINY = {"img_resolution": 8, "channel_base": 64, "channel_max": 8}


def counts(network: nn.Module) -> tuple[int, int]:
    return sum(p.numel() for p in network.parameters()), sum(b.numel() for b in network.buffers())


@pytest.fixture(autouse=True)
def _meta():
    with torch.device("meta"):
        yield


@pytest.mark.parametrize(("resolution", "base", "g8", "g2", "g_buffers", "d", "d_buffers"), COUNTS)
def test_numbers_of_parameters_and_buffers_are_the_published_ones(resolution, base, g8, g2, g_buffers, d, d_buffers):
    options = {"img_resolution": resolution, "channel_base": base}
    assert counts(Generator(**options)) == (g8, g_buffers)
    assert counts(Generator(mapping_layers=2, **options)) == (g2, g_buffers)
    assert counts(Discriminator(**options)) == (d, d_buffers)


@pytest.mark.parametrize(
    ("architecture", "resolution", "expected"),
    [
        ("orig", 256, (28_581_264, 175_568)),
        ("orig", 1024, (28_817_908, 2_797_104)),
        ("resnet", 256, (29_793_680, 175_664)),
        ("resnet", 1024, (30_040_564, 2_797_232)),
    ],
)
def test_generators_of_the_other_architectures_have_the_published_numbers(architecture, resolution, expected):
    assert counts(Generator(img_resolution=resolution, architecture=architecture)) == expected


@pytest.mark.parametrize(
    ("architecture", "resolution", "expected"),
    [
        ("orig", 256, (27_651_713, 320)),
        ("orig", 1024, (27_789_857, 416)),
        ("skip", 256, 27_662_977),
        ("skip", 1024, 27_801_889),
    ],
)
def test_discriminators_of_the_other_architectures_have_the_published_numbers(architecture, resolution, expected):
    found = counts(Discriminator(img_resolution=resolution, architecture=architecture))
    assert found == expected if isinstance(expected, tuple) else found[0] == expected


def test_conditional_networks_have_the_published_numbers():
    assert counts(Generator(c_dim=10, img_resolution=32, mapping_layers=2))[0] == 20_215_315
    assert counts(Discriminator(c_dim=10, img_resolution=32, architecture="orig")) == (23_089_664, 176)


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
@pytest.mark.parametrize(
    ("resolution", "num_ws"), [(4, 2), (8, 4), (32, 8), (64, 10), (128, 12), (256, 14), (512, 16), (1024, 18)]
)
def test_num_ws_is_twice_the_logarithm_less_two(architecture, resolution, num_ws):
    G = Generator(img_resolution=resolution, architecture=architecture)
    assert G.num_ws == G.synthesis.num_ws == G.mapping.num_ws == num_ws
    assert G(torch.empty(2, 512)).shape == (2, 3, resolution, resolution)


def synthesis_layer(name: str) -> list[str]:
    leaves = ["weight", "noise_strength", "bias", "resample_filter", "noise_const", "affine.weight", "affine.bias"]
    return [f"{name}.{leaf}" for leaf in leaves]


def torgb(name: str) -> list[str]:
    return [f"{name}.torgb.{leaf}" for leaf in ("weight", "bias", "affine.weight", "affine.bias")]


def conv(name: str) -> list[str]:
    return [f"{name}.weight", f"{name}.bias", f"{name}.resample_filter"]


MAPPING = ["mapping.embed.weight", "mapping.embed.bias", "mapping.fc0.weight", "mapping.fc0.bias"]


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_generator_state_dict_has_the_official_names_in_the_official_order(architecture):
    G = Generator(4, 2, 4, mapping_layers=1, architecture=architecture, **TINY)
    skip = architecture == "skip"
    expected = [
        "synthesis.b4.const",
        "synthesis.b4.resample_filter",
        *synthesis_layer("synthesis.b4.conv1"),
        *(torgb("synthesis.b4") if skip else []),
        "synthesis.b8.resample_filter",
        *synthesis_layer("synthesis.b8.conv0"),
        *synthesis_layer("synthesis.b8.conv1"),
        *torgb("synthesis.b8"),
        *(["synthesis.b8.skip.weight", "synthesis.b8.skip.resample_filter"] if architecture == "resnet" else []),
        "mapping.w_avg",
        *MAPPING,
    ]
    assert list(G.state_dict()) == expected


@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_discriminator_state_dict_has_the_official_names_in_the_official_order(architecture):
    D = Discriminator(2, mapping_layers=1, architecture=architecture, **TINY)
    expected = [
        "b8.resample_filter",
        *conv("b8.fromrgb"),
        *conv("b8.conv0"),
        *conv("b8.conv1"),
        *(["b8.skip.weight", "b8.skip.resample_filter"] if architecture == "resnet" else []),
        *MAPPING,
        *(conv("b4.fromrgb") if architecture == "skip" else []),
        *conv("b4.conv"),
        "b4.fc.weight", "b4.fc.bias", "b4.out.weight", "b4.out.bias",
    ]  # fmt: skip
    assert list(D.state_dict()) == expected


def test_every_block_of_a_skip_discriminator_reads_the_image():
    names = Discriminator(img_resolution=32, architecture="skip").state_dict()
    assert [n for n in names if n.endswith("fromrgb.weight")] == [f"b{r}.fromrgb.weight" for r in (32, 16, 8, 4)]


def test_shapes_are_the_official_ones():
    shapes = {
        name: list(v.shape) for name, v in Generator(16, 0, 24, 8, channel_base=64, channel_max=12).state_dict().items()
    }
    assert shapes["synthesis.b4.const"] == [12, 4, 4]
    assert shapes["synthesis.b8.resample_filter"] == [4, 4]
    assert shapes["synthesis.b8.conv0.weight"] == [8, 12, 3, 3]
    assert shapes["synthesis.b8.conv0.noise_strength"] == []
    assert shapes["synthesis.b8.conv0.noise_const"] == [8, 8]
    assert shapes["synthesis.b8.conv0.affine.weight"] == [12, 24]
    assert shapes["synthesis.b8.torgb.weight"] == [3, 8, 1, 1]
    assert shapes["mapping.fc0.weight"] == [24, 16]
    assert shapes["mapping.w_avg"] == [24]
    shapes = {
        name: list(v.shape) for name, v in Discriminator(5, 8, channel_base=64, channel_max=12).state_dict().items()
    }
    assert shapes["b8.conv1.weight"] == [12, 8, 3, 3]
    assert shapes["b8.skip.weight"] == [12, 8, 1, 1]
    assert shapes["mapping.embed.weight"] == [12, 5]
    assert shapes["b4.conv.weight"] == [12, 13, 3, 3]
    assert shapes["b4.fc.weight"] == [12, 192]
    assert shapes["b4.out.weight"] == [12, 12]


def test_a_generator_without_noise_stores_none():
    assert not [n for n in Generator(use_noise=False, img_resolution=16).state_dict() if "noise" in n]


@pytest.mark.parametrize(
    ("resolution", "num", "marked"),
    [(1024, 4, [128, 256, 512, 1024]), (32, 4, [8, 16, 32]), (64, 1, [64]), (64, 0, [])],
)
def test_the_highest_resolutions_are_marked_for_reduced_precision(resolution, num, marked):
    G, D = (
        Generator(img_resolution=resolution, num_fp16_res=num),
        Discriminator(img_resolution=resolution, num_fp16_res=num),
    )
    assert [r for r in G.synthesis.block_resolutions if getattr(G.synthesis, f"b{r}").low_precision] == marked
    assert sorted(r for r in D.block_resolutions if getattr(D, f"b{r}").low_precision) == marked


@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
@pytest.mark.parametrize("n", [0, 1, 3, 5, 99])
def test_freezing_turns_the_first_layers_into_buffers_of_the_same_names(architecture, n):
    options = {"architecture": architecture, "img_resolution": 16, "channel_base": 128, "channel_max": 8}
    free, frozen = Discriminator(**options), Discriminator(freeze_layers=n, **options)
    parts = {"resnet": ("conv0", "conv1", "skip"), "orig": ("conv0", "conv1"), "skip": ("fromrgb", "conv0", "conv1")}
    order = [f"b{r}.{part}" for r in (16, 8) for part in parts[architecture]]
    order = order if architecture == "skip" else ["b16.fromrgb", *order]
    assert set(frozen.state_dict()) == set(free.state_dict())
    gone = set(dict(free.named_parameters())) - set(dict(frozen.named_parameters()))
    assert {name.rsplit(".", 1)[0] for name in gone} == set(order[:n])
    assert {f"{layer}.weight" for layer in order[:n]} <= set(dict(frozen.named_buffers()))


@pytest.mark.parametrize("network", [Generator, Discriminator])
@pytest.mark.parametrize("resolution", [0, 2, 3, 48, 100, -8])
def test_a_resolution_that_is_no_power_of_two_is_refused(network, resolution):
    with pytest.raises(ConfigError, match=rf"img_resolution must be a power of two from 4 to 8192, got {resolution}\."):
        network(img_resolution=resolution)


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_an_unknown_architecture_is_named(network):
    with pytest.raises(ConfigError, match=r"architecture must be one of skip, orig, resnet, got 'unet'\."):
        network(architecture="unet")


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_a_network_can_be_built_again_from_its_arguments(network):
    first = network(c_dim=3, img_resolution=16, channel_base=128, architecture="orig", conv_clamp=1.0)
    again = network(**asdict(first.settings))
    assert again.settings == first.settings
    assert {n: v.shape for n, v in again.state_dict().items()} == {n: v.shape for n, v in first.state_dict().items()}
