"""Small networks on disk for the verbs that draw."""

import pytest
from golden import fill
from tiny_generator import tiny_generator

from stylegan.checkpoints import Checkpoint, save
from stylegan.networks import stylegan3


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "tiny"
    save(Checkpoint(G_ema=tiny_generator()), folder)
    return folder


@pytest.fixture(scope="session")
def pets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "pets"
    G = tiny_generator(c_dim=3)
    G.class_names = ["cat", "dog", "fish"]
    save(Checkpoint(G_ema=G), folder)
    return folder


@pytest.fixture(scope="session")
def gray_classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "gray_classes"
    save(Checkpoint(G_ema=tiny_generator(c_dim=3, img_channels=1)), folder)
    return folder


@pytest.fixture(scope="session")
def alias_free(tmp_path_factory):
    """A StyleGAN3-R."""
    folder = tmp_path_factory.mktemp("networks") / "alias_free"
    size = {"num_layers": 4, "channel_base": 128, "channel_max": 16, "output_scale": 1.0}
    G = stylegan3.Generator(16, 0, 16, 16, 3, conv_kernel=1, use_radial_filters=True, **size)
    save(Checkpoint(G_ema=fill(G)), folder)
    return folder
