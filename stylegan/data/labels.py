"""Labels of images, as `dataset.json` lists them and as rows `c` [N, label_dim] for networks."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stylegan.data.names import plain_name
from stylegan.errors import DataError

MAX_CLASSES = (
    100_000  # ImageNet-21k has 21,841; larger numbers are probably identifiers, and a one-hot label would be as wide
)
Label = int | list[float]  # a class number, or one value per attribute
_MAX_VALUE = float(np.finfo(np.float32).max)


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

    @cached_property
    def label_dim(self) -> int:
        """Number of classes or length of the vectors."""
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

    Returns: None when it says that there are no labels (`"labels": null`), or is empty.
    Raises: DataError if it is not JSON, holds something else, or the labels are not pairs of a name and a label.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); correct or remove it.") from error
    if not isinstance(data, dict):
        raise DataError(f"{where} holds a {type(data).__name__}, expected an object with the key 'labels'.")
    if data and "labels" not in data:
        key = _short(next(iter(data)))
        raise DataError(
            f"{where} has no key 'labels' but {key}; rename the key, or make a data set without this file with "
            "`prepare` and its setting `labels`."
        )
    entries = data.get("labels")
    if entries is None or entries == []:
        return None
    if not isinstance(entries, list):
        raise DataError(f"'labels' in {where} is a {type(entries).__name__}, expected a list of [name, label] pairs.")
    by_name: dict[str, Label] = {}
    for position, entry in enumerate(entries):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise DataError(f"entry {position} of 'labels' in {where} is {_short(entry)}, expected [name, label].")
        name = plain_name(entry[0])
        label = parse_label(entry[1], name, where)
        if by_name.setdefault(name, label) != label:
            raise DataError(f"{where} gives {name} two labels, {_short(by_name[name])} and {_short(label)}; keep one.")
    return LabelList(by_name, _names(data, "class_names", where), _names(data, "label_names", where))


def parse_label(label: object, name: str, where: str) -> Label:
    """Return the label of an image from JSON: a class number, also written as 1.0 or true, or a list of numbers.

    Raises: DataError, which names the image and `where` its label comes from, for any other.
    """
    number = _class_number(label)
    if number is not None:
        return number
    if isinstance(label, list) and label and all(map(_is_number, label)):
        return [value + 0 for value in label]  # true and false become 1 and 0
    hint = "; number the classes and put their names into 'class_names'" if isinstance(label, str) else ""
    raise DataError(
        f"{where} gives {name} the label {_short(label)}, expected a class number from 0 or a list of numbers{hint}."
    )


def named(values: np.ndarray, class_names: list[str] | None, label_names: list[str] | None) -> LabelTable:
    """A table with a name for each class, or for each value of a vector.

    Classes have no names unless all have one. Values without names are called by their positions.
    """
    n = LabelTable(values).label_dim
    if values.ndim == 1:
        return LabelTable(values, class_names=class_names[:n] if class_names and len(class_names) >= n else None)
    fits = label_names is not None and len(label_names) == n
    return LabelTable(values, label_names=label_names if fits else [str(i) for i in range(n)])


def labels_of(labels: LabelList, names: Sequence[str], where: str) -> LabelList:
    """Return the labels of these images alone.

    Names that differ only in the Unicode form of their letters are the same: macOS may write é as two characters.
    Raises: DataError unless every image has a label, since half-labeled sets train on nonsense.
    """
    found = {name: labels.by_name[name] for name in names if name in labels.by_name}
    if len(found) < len(names):
        composed = {_composed(name): label for name, label in labels.by_name.items()}
        unfound = [name for name in names if name not in found]
        found |= {name: composed[_composed(name)] for name in unfound if _composed(name) in composed}
    missing = [name for name in names if name not in found]
    if missing:
        extra = entries_without_image(labels, names)
        unused = f", while {len(extra)} entries name no image, the first of them {extra[0]}" if extra else ""
        raise DataError(
            f"{where} has no label for {len(missing)} of {len(names)} images, the first of them {missing[0]}{unused}; "
            "label all or none."
        )
    return replace(labels, by_name=found)


def entries_without_image(labels: LabelList, names: Sequence[str]) -> list[str]:
    """Return the names that have a label but are not among these images."""
    known = {_composed(name) for name in names}
    return [name for name in labels.by_name if _composed(name) not in known]


def empty_classes(classes: np.ndarray, class_names: Sequence[str] | None) -> str | None:
    """Return a clause about the classes that have no images, None without any.

    Args:
        classes: int64 [n], the class number of each image.
    """
    known = class_names or ()
    total = max(int(classes.max()) + 1, len(known))
    empty = np.flatnonzero(np.bincount(classes, minlength=total) == 0).tolist()
    if not empty:
        return None
    shown = [f"{k} ({known[k]})" if k < len(known) else str(k) for k in empty[:5]]
    more = f" and {len(empty) - len(shown)} more" if len(empty) > len(shown) else ""
    return f"{len(empty)} of {total} classes {'has' if len(empty) == 1 else 'have'} no images: {', '.join(shown)}{more}"


def label_notes(labels: LabelList, table: LabelTable) -> list[str]:
    """Return a sentence for classes without images, and for names that do not fit the labels in number."""
    notes = []
    classes = table.values.ndim == 1
    if classes and (clause := empty_classes(table.values, labels.class_names)) is not None:
        notes.append(f"{clause}.")
    names, used = (labels.class_names, table.class_names) if classes else (labels.label_names, table.label_names)
    if names and (used is None or used != names[: len(used)]):
        what = "classes" if classes else "values"
        notes.append(f"The names of {what} were left out, since their number is {len(names)}, not {table.label_dim}.")
    return notes


def label_table(labels: LabelList, names: Sequence[str], where: str) -> LabelTable:
    """Put labels in image order.

    Args:
        names: the n >= 1 images in index order.
    Raises: DataError if an image has no label, classes and vectors are mixed, vectors differ in length, or a class
        number is absurd.
    """
    labels = labels_of(labels, names, where)
    lengths = {name: len(label) if isinstance(label, list) else 0 for name, label in labels.by_name.items()}
    odd = next((name for name in names if lengths[name] != lengths[names[0]]), None)
    if odd is not None:
        kind, other = (_kind(labels.by_name[name]) for name in (names[0], odd))
        raise DataError(f"{where} gives {names[0]} {kind} but {odd} {other}; all labels must be of one kind.")
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


def _class_number(label: object) -> int | None:
    """A label that is a whole number, as 3, 3.0 or true, as the official loader reads it; None for any other."""
    if isinstance(label, int | float) and 0 <= label < 1 << 31 and label == int(label):
        return int(label)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _MAX_VALUE  # which NaN is not


def _kind(label: Label) -> str:
    return "a class number" if isinstance(label, int) else f"a vector of {len(label)}"


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", plain_name(name))


def _names(data: dict, key: str, where: str) -> list[str] | None:
    names = data.get(key)
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise DataError(f"'{key}' in {where} is {_short(names)}, expected a list of strings.")
    return names


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
