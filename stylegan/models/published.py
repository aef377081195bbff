"""Networks that others have published: `published.json` lists them, and the verb `convert` downloads one by its name.

A size or SHA-256 that is null has not been published; a value is verified.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from stylegan.files.cache import default_cache
from stylegan.files.checksums import sha256_of
from stylegan.files.download import HTTPS, Remote, Rules, download

_REGISTRY = Path(__file__).with_name("published.json")


class Published(NamedTuple):
    """One entry of the registry."""

    name: str
    url: str
    draws: str  # its images in a few words
    resolution: int  # pixels per side
    architecture: str  # one of `networks.family.ARCHITECTURES`
    licence: str  # of the weights
    bytes: int | None  # size of the file
    sha256: str | None  # of the file, in hexadecimal

    @property
    def remote(self) -> Remote:
        return Remote(url=self.url, bytes=self.bytes, sha256=self.sha256)

    @property
    def file(self) -> Path:
        """The place of the downloaded file in the cache folder."""
        return default_cache() / "networks" / self.name / Path(urlsplit(self.url).path).name


def published() -> dict[str, Published]:
    """Return the registry: name -> entry."""
    entries = json.loads(_REGISTRY.read_text(encoding="utf-8"))
    return {entry["name"]: Published(**entry) for entry in entries}


def find_published(name: str) -> Published | None:
    """Return the entry of a name, or of the name of its file, such as "stylegan3-t-ffhq-1024x1024.pkl"; else None."""
    entries = published()
    by_file = {entry.file.stem: entry for entry in entries.values()}
    return entries.get(name) or by_file.get(name.removesuffix(".pkl"))


def is_downloaded(entry: Published) -> bool:
    """Return whether the file is in the cache with the size and SHA-256 that are known."""
    if not entry.file.is_file() or entry.bytes not in (None, entry.file.stat().st_size):
        return False
    return entry.sha256 in (None, sha256_of(entry.file))


def fetch(entry: Published, rules: Rules = HTTPS) -> Iterator[int]:
    """Download a network into the cache; yields the bytes that have arrived. Raises: as `files.download.download`."""
    return download(entry.remote, entry.file, rules)
