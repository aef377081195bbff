"""Files of feature networks: local ones, and published ones, which are downloaded once into the cache folder.

`published.json` lists the files of the official tools. A download is verified by its SHA-256, which the table or the
user gives, and a file that is in the cache is used offline.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from stylegan.errors import CheckpointError, ConfigError
from stylegan.files.cache import default_cache
from stylegan.files.checksums import sha256_of
from stylegan.files.download import HTTPS, Remote, Rules, download
from stylegan.files.paths import local_path
from stylegan.metrics.torchscript import network_name, with_digits

_TABLE = Path(__file__).with_name("published.json")
Show = Callable[[Iterator[int], Remote], Iterator[int]]  # passes on the bytes that have arrived


class PublishedFile(NamedTuple):
    """One entry of the table."""

    name: str
    url: str
    metrics: str  # that papers measure with it
    licence: str
    bytes: int | None  # size of the file
    sha256: str  # of the file, in hexadecimal

    @property
    def remote(self) -> Remote:
        return Remote(url=self.url, bytes=self.bytes, sha256=self.sha256)


def published_files() -> dict[str, PublishedFile]:
    """Return the table: name -> entry."""
    entries = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {entry["name"]: PublishedFile(**entry) for entry in entries}


def remote_of(source: str) -> Remote | None:
    """Return the file on a server that a source names, by its name in the table or as URL#sha256=HEX; None for a path.

    Raises: ConfigError for a URL without the SHA-256 of its file.
    """
    if local_path(source).exists():
        return None
    if source in (known := published_files()):
        return known[source].remote
    if "://" not in source:
        return None
    url, _, fragment = source.partition("#")
    match = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment.lower())
    if match is None or not PurePosixPath(urlsplit(url).path).name:
        raise ConfigError(
            f"the URL of a feature network must end in the SHA-256 of its file, as in {url}#sha256=..., 64 digits from "
            "0 to f; add it, or download the file yourself and give its path."
        )
    return Remote(url=url, sha256=match[1])


def cached_file(remote: Remote) -> Path:
    """Return the place of a file in the cache folder."""
    name = PurePosixPath(urlsplit(remote.url).path).name
    return default_cache() / "feature_networks" / str(remote.sha256) / name


def name_of(source: str) -> str:
    """Return the end of the names of scores through a feature network; a file on a server is not needed for that."""
    remote = remote_of(source)
    return (
        network_name(feature_file(source)) if remote is None else with_digits(cached_file(remote), str(remote.sha256))
    )


def feature_file(source: str, show: Show = lambda arriving, remote: arriving, rules: Rules = HTTPS) -> Path:
    """Return the local file of a feature network; it is downloaded if it is not in the cache.

    Args:
        source: a path, a name in the table, or URL#sha256=HEX.
        show: passes on the bytes that have arrived, to show progress.
    Raises: CheckpointError for a path that does not exist; ConfigError as `remote_of`; errors of `download`.
    """
    remote = remote_of(source)
    if remote is None:
        if not (path := local_path(source)).is_file():
            raise CheckpointError(
                f"{source} is no file; give a TorchScript file, {' or '.join(published_files())} for a published one, "
                "or URL#sha256=HEX as `feature_net`."
            )
        return path
    file = cached_file(remote)
    if not file.is_file() or sha256_of(file) != remote.sha256:
        for _ in show(download(remote, file, rules), remote):
            pass
    return file
