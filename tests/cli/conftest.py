"""Small networks on disk for the verbs that draw."""

import pytest
from tiny_generator import tiny_generator

from stylegan.checkpoints import Checkpoint, save


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
def grey_classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "grey_classes"
    save(Checkpoint(G_ema=tiny_generator(c_dim=3, img_channels=1)), folder)
    return folder
