"""Tar shards in the WebDataset convention, for data that outgrows a disk: DIR/000000.tar ... and an index."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from stylegan.data.pictures import read_header
from stylegan.data.writer import refuse_existing
from stylegan.errors import OutputError

INDEX, LABELS = "index.json", "labels.npy"


class ShardWriter:
    """Writes `pictures_per_shard` pictures a tar, each as KEY.png, beside it KEY.cls (a class) or KEY.json (a vector).

    KEY is the number of the picture. `index.json` holds what a reader must know before it reads any shard:
    resolution, channels, and size and SHA-256 of every shard; `labels.npy` all labels in order. Used like
    `DatasetWriter`: nothing is seen under the real name before `finish`, and the same pictures give the same bytes.

    Raises: OutputError if something is at `dest` already, or it cannot be written.
    """

    compress_level = 6  # bytes travel, so fewer are better here

    def __init__(self, dest: str | Path, pictures_per_shard: int):
        self.dest = Path(dest)
        self.count = 0
        self._per_shard = pictures_per_shard
        self._last = b""  # picture, which is like all the others
        self._tar: tarfile.TarFile | None = None
        refuse_existing(self.dest, as_zip=False)
        self._partial = self.dest.with_name(f".{self.dest.name}.{os.getpid()}.partial")
        try:
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise self._failed(error) from error

    def add(self, png: bytes) -> str:
        """Write the next picture and return its name in the set."""
        name = f"{self.count:09d}.png"
        try:
            if self.count % self._per_shard == 0:
                self._close_shard()
                self._tar = tarfile.open(self._partial / f"{self.count // self._per_shard:06d}.tar", "w")  # noqa: SIM115
            assert self._tar is not None
            _add(self._tar, name, png)
        except OSError as error:
            raise self._failed(error) from error
        self._last = png
        self.count += 1
        return name

    def finish(self, dataset_json: dict[str, Any]) -> None:
        """Put the labels beside the pictures, write the index, then give the whole its real name."""
        labels = [label for _, label in dataset_json.pop("labels") or []]
        try:
            self._close_shard()
            shards = sorted(self._partial.glob("*.tar"))
            if labels:
                # Which classes there are is known only when all pictures were decoded.
                for number, shard in enumerate(shards):
                    _add_labels(shard, labels[number * self._per_shard : (number + 1) * self._per_shard])
                np.save(
                    self._partial / LABELS, np.array(labels, np.int64 if isinstance(labels[0], int) else np.float32)
                )
            header = read_header(io.BytesIO(self._last))
            described = [self._describe(number, shard) for number, shard in enumerate(shards)]
            index = {
                "format": 1,
                "pictures": self.count,
                "resolution": header.width,
                "channels": header.channels,
                "labels": bool(labels),
                "shards": described,
                **dataset_json,
            }
            (self._partial / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
            if self.dest.is_dir():
                self.dest.rmdir()
            os.replace(self._partial, self.dest)
        except OSError as error:
            raise self._failed(error) from error

    def _describe(self, number: int, shard: Path) -> dict[str, Any]:
        with shard.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        return {
            "name": shard.name,
            "pictures": min(self._per_shard, self.count - number * self._per_shard),
            "bytes": shard.stat().st_size,
            "sha256": digest.hexdigest(),
        }

    def _close_shard(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.dest} ({error.strerror or error}); choose another place.")

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._tar is not None and self._tar.fileobj is not None:
            self._tar.fileobj.close()  # without the end that close() would write, which a full disk refuses
        shutil.rmtree(self._partial, ignore_errors=True)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # its fixed date keeps the bytes repeatable
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _add_labels(shard: Path, labels: list[int | list[float]]) -> None:
    """Write the shard again with the label of each picture behind it, since readers stream."""
    labelled = shard.with_suffix(".labelled")
    with tarfile.open(shard) as pictures, tarfile.open(labelled, "w") as tar:
        for member, label in zip(pictures, labels, strict=True):
            png = pictures.extractfile(member)
            assert png is not None
            _add(tar, member.name, png.read())
            key = member.name.removesuffix(".png")
            if isinstance(label, int):
                _add(tar, f"{key}.cls", str(label).encode())
            else:
                _add(tar, f"{key}.json", json.dumps({"label": label}).encode())
    os.replace(labelled, shard)
