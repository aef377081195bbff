"""Names, latents and labels, which all metrics share."""

import pytest
import torch
from tiny_generator import tiny_generator
from tiny_run import tiny_images

from stylegan.data import open_dataset, prepare
from stylegan.metrics.protocol import join_name, random_latents, split_name


@pytest.mark.parametrize(
    ("name", "kind", "num"),
    [("fid10k_efflite0", "fid_efflite0", 10_000), ("eqt64_frac", "eqt_frac", 64), ("eqr2k", "eqr", 2000)],
)
def test_a_name_is_a_kind_with_the_number_of_images_in_it(name, kind, num):
    assert split_name(name) == (kind, num)
    assert join_name(kind, num) == name


@pytest.mark.parametrize("name", ["fid", "fid0k_x", "10k", "fid10k-x", "FID10k", "fid10k_", "fid10kk"])
def test_other_texts_are_no_names(name):
    assert split_name(name) is None


def test_labels_are_drawn_where_the_network_has_some(tmp_path):
    prepare(tiny_images(tmp_path / "classes", count=6, classes=3), tmp_path / "classes.zip")
    dataset = open_dataset(tmp_path / "classes.zip", use_labels=True, cache=tmp_path)
    z, c = random_latents(tiny_generator(c_dim=3), 4, dataset, torch.Generator().manual_seed(1))
    assert c.sum(1).tolist() == [1, 1, 1, 1]
    same, none = random_latents(tiny_generator(), 4, dataset, torch.Generator().manual_seed(1))
    assert torch.equal(z, same)
    assert none is None
