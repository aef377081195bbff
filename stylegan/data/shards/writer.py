"""Tar shards in the WebDataset convention, for data that outgrows a disk: DIR/000000.tar ... and an index."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stylegan.data.writer import refuse_existing
from stylegan.files.archives import add_to_tar
from stylegan.files.atomic import atomic_folder
from stylegan.images.read import read_header

INDEX, LABELS = "index.json", "labels.npy"


@contextmanager
def shard_writer(dest: Path, images_per_shard: int) -> Iterator[ShardWriter]:
    """Write a folder of shards that appears, complete, when the block ends without an error.

    Raises: OutputError if `dest` exists, or cannot be written.
    """
    refuse_existing(dest, as_zip=False)
    with atomic_folder(dest) as folder, closing(ShardWriter(folder, images_per_shard)) as writer:
        yield writer


class ShardWriter:
    """Writes `images_per_shard` images to each tar, as KEY.png followed by KEY.cls (a class) or KEY.json (a vector).

    KEY is the number of the image. `index.json` holds what a reader needs before it reads any shard: resolution,
    channels, and the size and SHA-256 of every shard; `labels.npy` holds all labels in order.
    """

    compress_level = 6  # shards are sent over networks

    def __init__(self, folder: Path, images_per_shard: int):
        self._folder = folder
        self._per_shard = images_per_shard
        self._count = 0
        self._last = b""  # image; all others have the same size and channels
        self._tar: tarfile.TarFile | None = None

    def add(self, png: bytes) -> str:
        """Write the next image and return its name in the set."""
        name = f"{self._count:09d}.png"
        if self._count % self._per_shard == 0:
            self.close()
            self._tar = tarfile.open(self._folder / f"{self._count // self._per_shard:06d}.tar", "w")  # noqa: SIM115
        assert self._tar is not None
        add_to_tar(self._tar, name, png)
        self._last = png
        self._count += 1
        return name

    def finish(self, dataset_json: dict[str, Any]) -> None:
        """Put the labels beside the images and write the index, after the last image."""
        self.close()
        labels = [label for _, label in dataset_json.pop("labels") or []]
        shards = sorted(self._folder.glob("*.tar"))
        if labels:
            # The classes are known only once all images are decoded.
            for number, shard in enumerate(shards):
                _add_labels(shard, labels[number * self._per_shard : (number + 1) * self._per_shard])
            np.save(self._folder / LABELS, np.array(labels, np.int64 if isinstance(labels[0], int) else np.float32))
        header = read_header(io.BytesIO(self._last))
        index = {
            "format": 1,
            "pictures": self._count,
            "resolution": header.width,
            "channels": header.channels,
            "labels": bool(labels),
            "shards": [self._describe(number, shard) for number, shard in enumerate(shards)],
            **dataset_json,
        }
        (self._folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8", newline="\n")

    def close(self) -> None:
        """Close the current shard."""
        if self._tar is not None:
            self._tar.close()

    def _describe(self, number: int, shard: Path) -> dict[str, Any]:
        with shard.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        return {
            "name": shard.name,
            "pictures": min(self._per_shard, self._count - number * self._per_shard),
            "bytes": shard.stat().st_size,
            "sha256": digest.hexdigest(),
        }


def _add_labels(shard: Path, labels: list[int | list[float]]) -> None:
    """Write the shard again with the label of each image after it, for readers that stream."""
    labeled = shard.with_suffix(".labeled")
    with tarfile.open(shard) as images, tarfile.open(labeled, "w") as tar:
        for member, label in zip(images, labels, strict=True):
            png = images.extractfile(member)
            assert png is not None
            add_to_tar(tar, member.name, png.read())
            key = member.name.removesuffix(".png")
            if isinstance(label, int):
                add_to_tar(tar, f"{key}.cls", str(label).encode())
            else:
                add_to_tar(tar, f"{key}.json", json.dumps({"label": label}).encode())
    os.replace(labeled, shard)
