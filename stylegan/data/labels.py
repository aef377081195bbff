"""Labels of images, as `dataset.json` lists them and as rows `c` [N, label_dim] for networks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from stylegan.errors import DataError

MAX_CLASSES = (
    100_000  # ImageNet-21k has 21,841; larger numbers are probably identifiers, and a one-hot label would be as wide
)
Label = int | list[float]  # a class number, or one value per attribute


@dataclass(frozen=True)
class LabelList:
    """The labels of a data set by image name, as `dataset.json` keeps them."""

    by_name: Mapping[str, Label]
    class_names: list[str] | None = None  # what each class number means
    label_names: list[str] | None = None  # what each value of a vector means

    def to_json(self) -> dict[str, object]:
        """The content of a `dataset.json`: pairs of name and label in name order, then the names of the labels."""
        content: dict[str, object] = {"labels": [[name, self.by_name[name]] for name in sorted(self.by_name)]}
        if self.class_names is not None:
            content["class_names"] = self.class_names
        if self.label_names is not None:
            content["label_names"] = self.label_names
        return content


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels in image order. Class numbers stay numbers, since [n, 1000] one-hot rows can outgrow memory."""

    values: np.ndarray  # int64 [n] classes, or float32 [n, label_dim] vectors
    class_names: list[str] | None = None  # what each class means, if known
    label_names: list[str] | None = None  # what each value of a vector means

    @property
    def label_dim(self) -> int:
        return int(self.values.max()) + 1 if self.values.ndim == 1 else self.values.shape[1]

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Labels of some images: int64 [N] -> float32 [N, label_dim], one-hot for classes."""
        if self.values.ndim == 2:
            return self.values[indices]
        one_hot = np.zeros((len(indices), self.label_dim), np.float32)
        one_hot[np.arange(len(indices)), self.values[indices]] = 1
        return one_hot


def parse_dataset_json(content: bytes, where: str) -> LabelList | None:
    """Read the bytes of a `dataset.json`; `where` names it in errors.

    Returns: None when it says that there are no labels (`"labels": null`, or no such key).
    Raises: DataError if it is not JSON, or the labels are not pairs of a name and an int or a list of numbers.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); correct or remove it.") from error
    if not isinstance(data, dict):
        raise DataError(f"{where} holds a {type(data).__name__}, expected an object with the key 'labels'.")
    entries = data.get("labels")
    if entries is None or entries == []:
        return None
    if not isinstance(entries, list):
        raise DataError(f"'labels' in {where} is a {type(entries).__name__}, expected a list of [name, label] pairs.")
    by_name: dict[str, Label] = {}
    for position, entry in enumerate(entries):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise DataError(f"entry {position} of 'labels' in {where} is {_short(entry)}, expected [name, label].")
        if not _is_label(entry[1]):
            raise DataError(
                f"{where} gives {entry[0]} the label {_short(entry[1])}, expected a class number from 0 "
                "or a list of numbers."
            )
        name = entry[0].replace("\\", "/")
        if by_name.setdefault(name, entry[1]) != entry[1]:
            raise DataError(
                f"{where} gives {name} two labels, {_short(by_name[name])} and {_short(entry[1])}; keep one."
            )
    return LabelList(by_name, _names(data, "class_names", where), _names(data, "label_names", where))


def named(values: np.ndarray, class_names: list[str] | None, label_names: list[str] | None) -> LabelTable:
    """A table with a name for each class, or for each value of a vector.

    Classes have no names unless all have one. Values without names are called by their positions.
    """
    n = LabelTable(values).label_dim
    if values.ndim == 1:
        return LabelTable(values, class_names=class_names[:n] if class_names and len(class_names) >= n else None)
    fits = label_names is not None and len(label_names) == n
    return LabelTable(values, label_names=label_names if fits else [str(i) for i in range(n)])


def require_labels(labels: LabelList, names: Sequence[str], where: str) -> None:
    """Raise DataError unless every image has a label: half-labeled sets train on nonsense."""
    missing = [name for name in names if name not in labels.by_name]
    if missing:
        raise DataError(
            f"{where} labels some images but not {len(missing)} of {len(names)}, the first of them {missing[0]}; "
            "label all or none."
        )


def label_table(labels: LabelList, names: Sequence[str], where: str) -> LabelTable:
    """Put labels in image order.

    Args:
        names: the n >= 1 images in index order.
    Raises: DataError if an image has no label, classes and vectors are mixed, vectors differ in length, or a class
        number is absurd.
    """
    require_labels(labels, names, where)
    kinds = {name: _kind(labels.by_name[name]) for name in names}
    odd = next((name for name in names if kinds[name] != kinds[names[0]]), None)
    if odd is not None:
        raise DataError(
            f"{where} gives {names[0]} {kinds[names[0]]} but {odd} {kinds[odd]}; all labels must be of one kind."
        )
    if not isinstance(labels.by_name[names[0]], int):
        values = np.array([labels.by_name[name] for name in names], np.float32)
        return named(values, labels.class_names, labels.label_names)
    classes = np.array([labels.by_name[name] for name in names], np.int64)
    largest = int(classes.argmax())
    if classes[largest] >= MAX_CLASSES:
        raise DataError(
            f"{where} gives {names[largest]} the class number {classes[largest]}, expected less than {MAX_CLASSES}; "
            "number the classes 0, 1, 2 and so on: a label is as wide as the largest number."
        )
    return named(classes, labels.class_names, labels.label_names)


def folder_classes(names: Sequence[str]) -> LabelList | None:
    """Return labels from class sub-folders: `cat/1.png`, `dog/2.png` -> classes 0 and 1, named "cat" and "dog".

    Folders that all images share (`animals/cat/1.png`) are skipped. The numbered folders of the official format
    (`00000/`) are no classes.

    Returns: None unless all images are in class folders, at least two.
    """
    folders = class_folders(names)
    if None in folders.values():
        return None
    class_names = sorted({folder for folder in folders.values() if folder is not None})
    if len(class_names) < 2:
        return None
    number = {folder: index for index, folder in enumerate(class_names)}
    return LabelList({name: number[folder] for name, folder in folders.items() if folder is not None}, class_names)


def class_folders(names: Sequence[str]) -> dict[str, str | None]:
    """Return the class folder of each image, None for one that is in no class folder."""
    parents = [name.split("/")[:-1] for name in names]
    first, last = min(parents), max(parents)  # folders that these two share, all others share too
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return {
        name: parent[shared] if len(parent) > shared and not _is_shard(parent[shared]) else None
        for name, parent in zip(names, parents, strict=True)
    }


def _is_shard(folder: str) -> bool:
    return len(folder) == 5 and folder.isdecimal()


def _is_label(label: object) -> bool:
    if isinstance(label, list):
        return bool(label) and all(_is_number(value) for value in label)
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < 1 << 31


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _kind(label: Label) -> str:
    return "a class number" if isinstance(label, int) else f"a vector of {len(label)}"


def _names(data: dict, key: str, where: str) -> list[str] | None:
    names = data.get(key)
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise DataError(f"'{key}' in {where} is {_short(names)}, expected a list of strings.")
    return names


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
