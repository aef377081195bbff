"""The labels of a data set in a few words."""

from __future__ import annotations

from stylegan.data.dataset import Dataset
from stylegan.data.labels import label_table
from stylegan.data.shards.index import INDEX, is_sharded, parse_index
from stylegan.data.shards.remote import read_bytes
from stylegan.data.sources import open_source
from stylegan.errors import DataError


def label_summary(dataset: Dataset) -> str:
    """Return the labels of the files that a data set was opened from, whether or not they are used.

    For example "3 classes (cat, dog, fish)"; "" without labels, and for labels that cannot be read.
    """
    try:
        if is_sharded(dataset.path):
            where = f"{dataset.path}/{INDEX}"
            index = parse_index(read_bytes(where), where)
            names = index.class_names or index.label_names
            kind = "values" if index.label_names else "classes"
            return _words(kind, len(names) if names else None, names) if index.labels else ""
        with open_source(dataset.path) as source:
            labels = source.labels()
            if labels is None:
                return ""
            table = label_table(labels, source.names, str(dataset.path))
    except DataError:
        return ""
    kind = "classes" if table.values.ndim == 1 else "values"
    return _words(kind, table.label_dim, table.class_names or labels.label_names)


def _words(kind: str, count: int | None, names: list[str] | None, most: int = 5) -> str:
    text = kind if count is None else f"{count} {kind}"
    if not names:
        return text
    return f"{text} ({', '.join(names[:most])}{', ...' * (len(names) > most)})"
