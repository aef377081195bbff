"""The shards that `prepare` wrote as a source of images, to prepare them again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

from stylegan.data.labels import LabelList
from stylegan.data.shards.index import INDEX, parse_index, read_labels
from stylegan.data.shards.remote import is_url, read_bytes
from stylegan.data.source import digest
from stylegan.data.tars import Tar, TarSource, no_room
from stylegan.errors import DataError


class ShardSource(TarSource):
    """A folder of shards, its URL, or the path or URL of its index.

    Shards behind a URL are fetched into temporary files without names.
    Raises: DataError for an index or a shard that is missing or damaged; MissingExtra.
    """

    def __init__(self, path: str):
        root = path.rstrip("/").removesuffix(f"/{INDEX}")
        content = read_bytes(f"{root}/{INDEX}")
        self._root, self._index = root, parse_index(content, f"{root}/{INDEX}")
        self._fingerprint = digest([content.hex()])
        super().__init__(root if is_url(root) else Path(root), self._fetched())
        if len(self.names) != self._index.images:
            self.close()
            raise DataError(
                f"the shards of {root} hold {len(self.names)} images where {INDEX} lists {self._index.images}; "
                "write the shards again."
            )

    def labels(self) -> LabelList | None:
        if not self._index.labels:
            return None
        table = read_labels(self._root, self._index)
        by_name = dict(zip(self.names, table.values.tolist(), strict=True))
        return LabelList(by_name, self._index.class_names, self._index.label_names)

    def fingerprint(self) -> str:
        return self._fingerprint

    def _fetched(self) -> list[Tar]:
        """The tars in the order of the index: the files of a folder, or parts of one temporary file."""
        if not is_url(self._root):
            return [Tar(Path(self._root) / shard.name) for shard in self._index.shards]
        tars: list[Tar] = []
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        end = 0
        try:
            for shard in self._index.shards:
                tars.append(Tar(file, end))
                end += file.write(read_bytes(f"{self._root}/{shard.name}", shard.sha256))
        except OSError as error:
            file.close()
            raise no_room(self._root, error) from error
        except BaseException:
            file.close()
            raise
        return tars
