"""Named configurations: StyleGAN2-ADA App. C."""

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from stylegan.errors import ConfigError
from stylegan.networks.presets import NAMES, PRESETS, preset
from stylegan.networks.stylegan2 import Discriminator, Generator

PUBLISHED = {  # kimg, batch, micro batch, mbstd group, channel base, lr, gamma, ema kimg, ramp-up, mapping layers
    "stylegan2": (25000, 32, 4, 4, 32768, 0.002, 10, 10, None, 8),
    "paper256": (25000, 64, 8, 8, 16384, 0.0025, 1, 20, None, 8),
    "paper512": (25000, 64, 8, 8, 32768, 0.0025, 0.5, 20, None, 8),
    "paper1024": (25000, 32, 4, 4, 32768, 0.002, 2, 10, None, 8),
    "cifar": (100000, 64, 32, 32, 32768, 0.0025, 0.01, 500, 0.05, 2),
}
AUTO = {  # resolution: (batch, gamma) on 1, 2, 4, 8 devices
    128: [(32, 0.1024), (64, 0.0512), (64, 0.0512), (64, 0.0512)],
    256: [(16, 0.8192), (32, 0.4096), (64, 0.2048), (64, 0.2048)],
    512: [(8, 6.5536), (16, 3.2768), (32, 1.6384), (64, 0.8192)],
    1024: [(4, 52.4288), (8, 26.2144), (16, 13.1072), (32, 6.5536)],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_of_the_papers_have_the_published_numbers(name):
    p = preset(name, 256)
    assert PUBLISHED[name] == (
        p.kimg, p.batch, p.micro_batch, p.mbstd_group_size, p.channel_base, p.lr, p.r1_gamma, p.ema_kimg, p.ema_rampup,
        p.mapping_layers,
    )  # fmt: skip
    assert (p.z_dim, p.w_dim, p.channel_max, p.num_fp16_res, p.conv_clamp) == (512, 512, 512, 4, 256)


def test_cifar_has_neither_path_length_nor_mixing_nor_residuals():
    p = preset("cifar", 32)
    assert (p.pl_weight, p.style_mixing_prob, p.d_architecture) == (0, 0, "orig")
    q = preset("stylegan2", 32)
    assert (q.pl_weight, q.style_mixing_prob, q.d_architecture) == (2, 0.9, "resnet")


@pytest.mark.parametrize("resolution", AUTO)
def test_auto_follows_the_resolution_and_the_devices(resolution):
    for gpus, (batch, gamma) in zip((1, 2, 4, 8), AUTO[resolution], strict=True):
        p = preset("auto", resolution, gpus)
        assert (p.batch, p.r1_gamma) == (batch, pytest.approx(gamma))
        assert p.micro_batch == batch // gpus
        assert p.mbstd_group_size == min(batch // gpus, 4)
        assert p.ema_kimg == batch * 10 / 32
        assert (p.ema_rampup, p.mapping_layers, p.kimg) == (0.05, 2, 25000)
        assert p.channel_base == (32768 if resolution >= 512 else 16384)
        assert p.lr == (0.002 if resolution >= 1024 else 0.0025)


def test_auto_never_has_fewer_pictures_than_devices():
    assert preset("auto", 8192, gpus=4).batch == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_a_whole_number_of_micro_batches_and_groups(name):
    p = preset(name, PRESETS[name].resolution or 64 if name != "auto" else 64)
    assert p.batch % p.micro_batch == 0
    assert p.micro_batch % p.mbstd_group_size == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds_both_networks(name):
    resolution = (PRESETS[name].resolution if name != "auto" else None) or 64
    p = preset(name, resolution)
    with torch.device("meta"):
        G = Generator(c_dim=2, img_resolution=resolution, img_channels=1, **p.generator_args())
        D = Discriminator(c_dim=2, img_resolution=resolution, img_channels=1, **p.discriminator_args())
        z, c = torch.empty(p.micro_batch, p.z_dim), torch.empty(p.micro_batch, 2)
        assert D(G(z, c), c).shape == (p.micro_batch, 1)
    assert G.mapping.num_layers == p.mapping_layers
    assert D.architecture == p.d_architecture


def test_a_made_to_measure_preset_takes_its_resolution_alone():
    assert {name: p.resolution for name, p in PRESETS.items() if p.resolution} == {
        "cpu64": 64, "cpu32": 32, "tiny16": 16,
    }  # fmt: skip
    text = (
        r"cfg cpu64 is made for 64 px, the data has 32; prepare it with `stylegan dataset --resolution 64x64` or "
        r"choose another cfg\."
    )
    with pytest.raises(ConfigError, match=text):
        preset("cpu64", 32)


def test_an_unknown_cfg_is_named_with_all_there_are():
    text = r"cfg must be one of auto, stylegan2, paper256, paper512, paper1024, cifar, .*, got 'paper64'\."
    with pytest.raises(ConfigError, match=text):
        preset("paper64", 64)


def test_a_preset_is_a_value_that_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        preset("stylegan2", 64).batch = 1
    assert replace(preset("stylegan2", 64), r1_gamma=0.5).r1_gamma == 0.5
