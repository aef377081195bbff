"""Files of feature networks from a server: verified, kept, and used offline."""

import hashlib

import pytest
from file_server import CONTENT, RULES, SHA256, serving

from stylegan.errors import CheckpointError, ConfigError, DownloadError
from stylegan.metrics.feature_file import cached_file, feature_file, name_of, published_files, remote_of
from stylegan.metrics.torchscript import network_name


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_is_downloaded_once_and_then_used_offline():
    with serving() as server:
        source = f"{server.url}#sha256={SHA256.upper()}"
        shown = []

        def show(arriving, remote):
            shown.append(remote.url)
            yield from arriving

        file = feature_file(source, show, RULES)
        assert file.read_bytes() == CONTENT
        assert shown == [server.url]
    assert feature_file(source, show, RULES) == file  # the server is gone
    assert len(shown) == 1
    assert network_name(file) == name_of(source) == name_of(str(file)) == f"net_{SHA256[:8]}"


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again():
    with serving() as server:
        source = f"{server.url}#sha256={SHA256}"
        feature_file(source, rules=RULES).write_bytes(b"damaged")
        assert feature_file(source, rules=RULES).read_bytes() == CONTENT


def test_another_file_than_the_one_of_the_hash_is_refused(cache):
    other = hashlib.sha256(b"another").hexdigest()
    with serving() as server, pytest.raises(DownloadError, match="SHA-256"):
        feature_file(f"{server.url}#sha256={other}", rules=RULES)
    assert not [file for file in cache.rglob("*") if file.is_file()]


def test_offline_without_the_file_is_one_sentence():
    with serving() as server:
        url = server.url
    with pytest.raises(DownloadError, match="cannot be reached"):
        feature_file(f"{url}#sha256={SHA256}", rules=RULES)


@pytest.mark.parametrize("source", ["https://x.org/net.pt", "https://x.org/net.pt#sha256=12", "https://x.org/#sha256="])
def test_a_url_needs_the_whole_hash(source):
    with pytest.raises(ConfigError, match=r"must end in the SHA-256 of its file, as in https://x.org/.*#sha256=\.\.\."):
        remote_of(source)


def test_the_official_files_have_names_and_a_local_file_of_that_name_wins(tmp_path, monkeypatch):
    for name, entry in published_files().items():
        assert remote_of(name) == entry.remote
        assert entry.url.startswith("https://")
        assert len(entry.sha256) == 64
        assert cached_file(entry.remote).name == f"{name}.pt"
        assert name_of(name) == f"{name.replace('-', '')}_{entry.sha256[:8]}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16").touch()
    assert feature_file("vgg16").samefile(tmp_path / "vgg16")


def test_a_missing_file_gets_a_sentence_with_the_names():
    with pytest.raises(CheckpointError, match="nowhere.pt is no file; give a TorchScript file, inception-2015-12-05"):
        feature_file("nowhere.pt")
