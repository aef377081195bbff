"""The index and the labels of a folder of shards, which are read before any shard."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from stylegan.data.labels import LabelTable, named
from stylegan.data.shards.remote import is_url, read_bytes
from stylegan.data.shards.writer import INDEX, LABELS
from stylegan.errors import DataError


class Shard(BaseModel):
    """The entry of one tar in the index."""

    name: str = Field(pattern=r"^\w[\w.-]*\.tar$")  # beside the index and nowhere else
    images: int = Field(ge=1, alias="pictures")  # the name that the format has
    sha256: str


class ShardIndex(BaseModel):
    """The content of `index.json`, as `ShardWriter` writes it."""

    format: Literal[1]
    images: int = Field(ge=1, alias="pictures")  # the name that the format has
    resolution: int = Field(ge=4)
    channels: Literal[1, 3, 4]
    labels: bool
    shards: list[Shard]
    class_names: list[str] | None = None
    label_names: list[str] | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> ShardIndex:
        if sum(shard.images for shard in self.shards) != self.images:
            raise ValueError("the images of the shards do not add up")
        return self


def is_sharded(path: str | Path) -> bool:
    """Return whether `path` is a folder with an index of shards, that index, or a URL, which can only be of these."""
    if is_url(path):
        return True
    path = Path(path)
    index = path if path.name == INDEX else path / INDEX
    return index.is_file() and any(index.parent.glob("*.tar"))  # other tools write an index.json too


def parse_index(content: bytes, where: str) -> ShardIndex:
    """The index that a file holds; `where` names it in errors. Raises: DataError."""
    try:
        return ShardIndex.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
        raise DataError(
            f"{where} is not an index of shards ({reason}); make one with `prepare` and its setting `shards`."
        ) from None


def read_labels(root: str, index: ShardIndex) -> LabelTable:
    """The labels of all images. Raises: DataError if there are none, or their file is missing or damaged."""
    if not index.labels:
        raise DataError(f"{root} has no labels; shard images that have, or train without them.")
    location = f"{root}/{LABELS}"
    try:
        values = np.load(io.BytesIO(read_bytes(location)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{location} is damaged ({error}); write the shards again.") from error
    if len(values) != index.images or (values.dtype, values.ndim) not in ((np.int64, 1), (np.float32, 2)):
        raise DataError(f"{location} holds {values.dtype} {values.shape}, not the labels of {index.images} images.")
    return named(values, index.class_names, index.label_names)
