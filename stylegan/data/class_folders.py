"""Classes from folders: `cat/1.png` and `dog/2.png` are of the classes "cat" and "dog"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

from stylegan.data.labels import LabelList

# Such as train, Test, val2017, training_set, or with the name of the set: seg_train, fruits-360-test.
_SPLIT = re.compile(
    r"(?:(?P<set>.+)[-_ .])?"
    r"(?:(?P<main>train(?:ing)?|test(?:ing)?|val(?:id(?:ation)?)?|trainval)"
    r"|dev|eval(?:uation)?|held[-_ ]?out|hold[-_ ]?out|extra|pred|unlabell?ed)"
    r"(?:[-_ ]?(?:set|data|images?|imgs?|split))?[-_ ]?\d*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[0-9]{5}")
_OFFICIAL = re.compile(r"(?:.*/)?[0-9]{5}/img[0-9]{8}\.\w+")


def class_folders(names: Sequence[str], *, explicit: bool = False) -> dict[str, str | None]:
    """Return the class folder of each image, None for one that is in no class folder.

    Folders that all images share (`animals/cat/1.png`) and those that split a set (`train/cat/1.png`,
    `test/cat/2.png`) are skipped. Folders that are all named by five digits only number the images, as in the official
    format.

    Args:
        names: relative names with "/".
        explicit: classes are known to be folders, so numbers are classes, and so are splits with no folders in them.
    """
    folders = _below_splits([tuple(name.split("/")[:-1]) for name in names], explicit)
    numbered = not explicit and _all_numbered(folders)
    return {
        name: _text(folder[0]) if folder and not numbered else None for name, folder in zip(names, folders, strict=True)
    }


def folder_labels(folders: Mapping[str, str | None]) -> LabelList | None:
    """Return class numbers from the class folder of each image, with the folders in sorted order as class names.

    Returns: None unless all images are in class folders, at least two.
    """
    class_names = sorted({folder for folder in folders.values() if folder is not None})
    if None in folders.values() or len(class_names) < 2:
        return None
    number = {folder: k for k, folder in enumerate(class_names)}
    return LabelList({name: number[folder] for name, folder in folders.items() if folder is not None}, class_names)


def why_no_classes(folders: Mapping[str, str | None]) -> str | None:
    """Return a sentence about folders that may be meant as classes but give no labels, None without any.

    Args:
        folders: the class folder of each image, if it has one, by `class_folders`.
    """
    names = list(folders)
    outside = [name for name in names if folders[name] is None]
    if outside and len({folder for folder in folders.values() if folder is not None}) > 1:
        return (
            f"{len(outside)} of {len(names)} images are in no class folder, the first of them {outside[0]}; set "
            "`labels` to folders to leave them out and make classes of the other folders."
        )
    known = sorted({folder for folder in class_folders(names, explicit=True).values() if folder is not None})
    if len(known) > 1 and _all_numbered([(folder,) for folder in known]) and not all(map(_OFFICIAL.fullmatch, names)):
        return (
            f"The folders {known[0]}, {known[1]} and so on were taken for mere numbering; set `labels` to folders to "
            "make classes of them."
        )
    return None


def _below_splits(folders: list[tuple[str, ...]], explicit: bool) -> list[tuple[str, ...]]:
    """The folders of each image from the level of classes on."""
    while True:
        folders = _below_shared(folders)
        splits = _splits({folder[0] for folder in folders if folder})
        inner = [folder[1:] if folder and folder[0] in splits else () for folder in folders]
        if not splits or (explicit and not any(inner)):
            return folders
        folders = inner


def _below_shared(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    first, last = min(folders, default=()), max(folders, default=())  # what these two share, all others share too
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return [folder[shared:] for folder in folders]


def _splits(folders: set[str]) -> set[str]:
    """The folders that split a set, of those beside each other; none if they are no splits.

    Some may be classes, such as "train" among "bus" and "car": there are splits only if all are, or two of training,
    test and validation are among them.
    """
    found = {folder: split for folder in folders if (split := _SPLIT.fullmatch(folder))}
    kinds = {split["main"][:2].casefold() for split in found.values() if split["main"]}
    same_set = len({(split["set"] or "").casefold() for split in found.values()}) == 1
    return set(found) if same_set and (len(kinds) > 1 or (kinds and len(found) == len(folders) > 1)) else set()


def _all_numbered(folders: Sequence[tuple[str, ...]]) -> bool:
    return all(folder and _NUMBERED.fullmatch(folder[0]) for folder in folders)


def _text(folder: str) -> str:
    """The name of a class, valid Unicode even if that of its folder is not."""
    return folder.encode("utf-8", "backslashreplace").decode()
