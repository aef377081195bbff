"""Downloads from servers that cut, stall, announce wrong sizes, ignore ranges, redirect and send other bytes."""

import hashlib
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from file_server import CONTENT, RULES, SHA256, Server, serving

from stylegan.errors import DownloadError, OutputError
from stylegan.files.download import HTTPS, Remote, _announced, _SafeRedirects, download, size_of


@pytest.fixture
def server():
    with serving() as server:
        yield server


def fetch(server: Server, path, rules=RULES, **known) -> list[int]:
    return list(download(Remote(url=server.url, **known), path, rules))


def test_a_file_arrives_whole_and_alone(server, tmp_path):
    steps = fetch(server, tmp_path / "new" / "net.pkl", sha256=SHA256, bytes=len(CONTENT))
    assert steps == sorted(steps)
    assert steps[-1] == len(CONTENT)
    assert (tmp_path / "new" / "net.pkl").read_bytes() == CONTENT
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["net.pkl"]


@pytest.mark.parametrize("known", [{}, {"sha256": SHA256}, {"bytes": len(CONTENT)}])
def test_a_cut_connection_is_resumed_where_it_ended(server, tmp_path, known):
    server.cut_after = [100_000, 200_000]
    fetch(server, tmp_path / "net.pkl", **known)
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=300000-"]


def test_a_later_call_resumes_too(server, tmp_path):
    server.cut_after = [100_000, 1, 1]
    with pytest.raises(DownloadError, match=r"was cut off after 100002 of 512000 bytes, tried 3 times; the 0.1 MB"):
        fetch(server, tmp_path / "net.pkl")
    assert not (tmp_path / "net.pkl").exists()
    assert fetch(server, tmp_path / "net.pkl")[0] > 100_002
    assert server.asked[-1] == "bytes=100002-"
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_file_that_was_replaced_meanwhile_is_never_joined_with_the_older_one(server, tmp_path):
    server.cut_after = [100_000, 1, 1]
    with pytest.raises(DownloadError, match="cut off"):
        fetch(server, tmp_path / "net.pkl")
    server.content, server.etag = CONTENT[::-1], '"2"'
    fetch(server, tmp_path / "net.pkl")
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_without_a_version_or_a_hash_a_download_starts_again(server, tmp_path, etag):
    server.etag, server.cut_after = etag, [100_000]
    fetch(server, tmp_path / "net.pkl")
    assert server.asked == [None, None]
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_everything_again(server, tmp_path):
    server.ranges, server.cut_after = False, [100_000]
    fetch(server, tmp_path / "net.pkl", sha256=SHA256)
    assert server.asked == [None, "bytes=100000-"]
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_part_that_is_complete_already_only_needs_its_name(server, tmp_path):
    (tmp_path / ".net.pkl.part").write_bytes(CONTENT)
    (tmp_path / ".net.pkl.etag").write_text('"1"')
    fetch(server, tmp_path / "net.pkl")
    assert server.asked == ["bytes=512000-"]
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / ".net.pkl.part").write_bytes(CONTENT + b"more")
    fetch(server, tmp_path / "net.pkl", sha256=SHA256)
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"sha256": hashlib.sha256(b"other").hexdigest()}, f"has SHA-256 {SHA256}, expected .*; it was removed"),
        ({"bytes": 511_999}, "has 512000 bytes, expected 511999; the file was replaced"),
        ({"bytes": 512_001}, "has 512000 bytes, expected 512001; the file was replaced"),
    ],
)
def test_another_file_than_expected_is_refused(server, tmp_path, known, text):
    with pytest.raises(DownloadError, match=text):
        fetch(server, tmp_path / "net.pkl", **known)
    assert not (tmp_path / "net.pkl").exists()
    assert all(file.name == ".net.pkl.part" and not file.read_bytes() for file in tmp_path.iterdir())


def test_a_server_that_announces_more_than_it_sends_is_not_believed(server, tmp_path):
    server.announced = 600_000
    with pytest.raises(DownloadError, match="was cut off after 512000 of 600000 bytes"):
        fetch(server, tmp_path / "net.pkl", rules=replace(RULES, tries=1))
    assert not (tmp_path / "net.pkl").exists()


def test_a_body_without_a_length_needs_a_hash(server, tmp_path):
    server.chunked = True
    with pytest.raises(DownloadError, match="does not say how long it is"):
        fetch(server, tmp_path / "net.pkl")
    fetch(server, tmp_path / "net.pkl", sha256=SHA256)
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_body_longer_than_the_known_size_stops_there(server, tmp_path):
    server.chunked = True
    with pytest.raises(DownloadError, match="sends more than the expected 1000 bytes"):
        fetch(server, tmp_path / "net.pkl", bytes=1000, sha256=SHA256)
    assert not (tmp_path / "net.pkl").exists()


def test_a_stalled_server_times_out_and_what_arrived_is_kept(server, tmp_path):
    server.stall, server.cut_after = True, [100_000, 1]
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"stalled, tried 2 times; the 0.1 MB that arrived are kept"):
        fetch(server, tmp_path / "net.pkl", rules=replace(RULES, tries=2))
    assert time.monotonic() - start < 3
    assert (tmp_path / ".net.pkl.part").stat().st_size == 100_001


def test_only_https_is_followed(server, tmp_path):
    for rules in (HTTPS, replace(RULES, schemes=("https",))):
        with pytest.raises(DownloadError, match="is not a secure address, expected https; nothing was read"):
            fetch(server, tmp_path / "net.pkl", rules=rules)
    assert server.asked == []
    with pytest.raises(DownloadError, match="http://example.com/x is not a secure address"):
        _SafeRedirects(HTTPS).redirect_request(None, None, 302, "", None, "http://example.com/x")


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "https://127.0.0.1/x"])
def test_a_redirection_to_another_scheme_is_refused(server, tmp_path, target):
    server.status, server.location = 302, target
    with pytest.raises(DownloadError, match=f"{target}. is not allowed|{target} is not a secure address"):
        fetch(server, tmp_path / "net.pkl")
    assert not (tmp_path / "net.pkl").exists()


def test_a_web_page_or_a_missing_file_gets_one_sentence(server, tmp_path):
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="is a web page, expected a file; open it in a browser"):
        fetch(server, tmp_path / "net.pkl")
    server.status = 404
    with pytest.raises(DownloadError, match="answers 404 Not Found; the file may have moved"):
        fetch(server, tmp_path / "net.pkl")
    with pytest.raises(DownloadError, match="answers 404"):
        size_of(Remote(url=server.url), RULES)


def test_offline_is_one_sentence_and_is_not_repeated(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(
        DownloadError, match=r"127.0.0.1 cannot be reached \(.*\); connect to the internet, or get http"
    ):
        fetch(server, tmp_path / "net.pkl", rules=replace(RULES, pause_s=60))


def test_the_size_is_known_before_the_download(server):
    assert size_of(Remote(url=server.url), RULES) == len(CONTENT)
    assert server.asked == ["bytes=0-0"]
    server.ranges = False
    assert size_of(Remote(url=server.url), RULES) == len(CONTENT)
    assert size_of(Remote(url=server.url, bytes=5), RULES) == 5
    assert len(server.asked) == 2


def test_two_processes_do_not_write_the_same_part(server, tmp_path):
    first = download(Remote(url=server.url), tmp_path / "net.pkl", RULES)
    next(first)
    with pytest.raises(DownloadError, match="another process is downloading .*net.pkl; wait until it ends"):
        fetch(server, tmp_path / "net.pkl")
    list(first)
    assert (tmp_path / "net.pkl").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*net.pkl: .*; choose another place"):
        fetch(server, tmp_path / "file" / "net.pkl")


def test_a_full_disk_is_an_error_of_the_disk(server, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(OutputError, match="no space for 1 MB; choose another place"):
        fetch(server, tmp_path / "net.pkl")


@pytest.mark.parametrize("name", ["Content-Length", "Content-Range"])
def test_a_length_of_thousands_of_digits_is_none(name):
    assert _announced(SimpleNamespace(headers={name: "bytes 0-0/" * (name == "Content-Range") + "9" * 5000})) is None
