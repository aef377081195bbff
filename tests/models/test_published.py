"""The registry of published networks."""

from urllib.parse import urlsplit

import pytest

from stylegan.errors import CheckpointError
from stylegan.models import bundled, find
from stylegan.models.published import find_published, is_downloaded, published
from stylegan.networks.family import ARCHITECTURES


def test_every_entry_says_all_that_a_user_has_to_know():
    for name, entry in published().items():
        assert entry.name == name
        assert urlsplit(entry.url).scheme == "https"
        assert name.endswith(f"-{entry.resolution}")
        assert entry.draws
        assert entry.licence in ("CC-BY-4.0", "NVIDIA Source Code License (non-commercial)")
        assert entry.architecture in ARCHITECTURES
        assert entry.sha256 is None or len(entry.sha256) == 64


def test_names_are_unique_and_not_those_of_bundled_networks():
    assert not set(published()) & set(bundled())
    assert len({entry.file for entry in published().values()}) == len(published())


@pytest.mark.parametrize(
    "name", ["stylegan3-t-ffhq-1024", "stylegan3-t-ffhq-1024x1024", "stylegan3-t-ffhq-1024x1024.pkl"]
)
def test_an_entry_is_found_by_its_name_or_that_of_its_file(name):
    assert find_published(name).name == "stylegan3-t-ffhq-1024"


def test_a_name_where_a_path_is_expected_says_how_to_download_it():
    with pytest.raises(
        CheckpointError, match="name of a published network; download internet-lions-512 with `convert`"
    ):
        find("internet-lions-512")


def test_a_file_in_the_cache_counts_if_it_is_the_expected_one(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path))
    entry = published()["ffhq-1024"]
    assert not is_downloaded(entry)
    entry.file.parent.mkdir(parents=True)
    entry.file.write_bytes(b"abc")
    assert is_downloaded(entry)
    assert not is_downloaded(entry._replace(bytes=4))
    assert not is_downloaded(entry._replace(sha256="0" * 64))
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert is_downloaded(entry._replace(bytes=3, sha256=digest))
