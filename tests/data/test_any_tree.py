"""Whatever the names in a source are: the decodable images are packed with the right labels, or the error is ours."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stylegan.data import prepare
from stylegan.data.labels import parse_dataset_json
from stylegan.data.names import leftover, plain_name
from stylegan.errors import DataError, StyleGANError

quick = settings(
    derandomize=True, max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

PARTS = st.one_of(
    st.sampled_from(
        [
            *(
                "cat",
                "dog",
                "Cat",
                "CAT",
                "train",
                "Test",
                "val",
                "00000",
                "00001",
                "images",
                "é",
                "e\u0301",
                "日本",
                "😀",
            ),
            *(
                " ",
                "a b",
                "line\nbreak",
                "tab\t",
                ".hidden",
                "._cat",
                "__MACOSX",
                "Thumbs.db",
                "x~",
                "~",
                "..",
                ".",
                "-rf",
            ),
            *("[b]", "%s", "{x}", "\u202ertl", "a" * 60, "dataset.json", "idx3-ubyte", "x.png", "C:", "*"),
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0\\"), min_size=1, max_size=6),
)
FILES = st.tuples(PARTS, st.sampled_from([".png", ".PNG", ".jpg", ".gif", "", ".txt", ".heic", ".cls", ".json"])).map(
    "".join
)
NAMES = st.tuples(st.lists(PARTS, max_size=3), FILES).map(lambda parts: "/".join([*parts[0], parts[1]]))
TREES = st.dictionaries(NAMES, st.sampled_from(["image", "image", "image", "broken"]), max_size=8)


def content(number: int, kind: str = "image") -> bytes:
    """Image `number` is all 20 * number."""
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4), 20 * number, np.uint8)).save(out, "PNG")
    return b"broken" if kind == "broken" else out.getvalue()


def to_folder(root: Path, files: dict[str, bytes]) -> tuple[Path, dict[str, bytes]]:
    """Write the files that a folder can hold, and return them too."""
    written = {}
    for name, data in files.items():
        if {".", ".."} & set(name.split("/")):
            continue
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            with (root / name).open("xb") as file:
                file.write(data)
        except OSError:  # a file and a folder of one name, or a name that is too long
            continue
        written[name] = data
    root.mkdir(exist_ok=True)
    return root, written


def to_zip(root: Path, files: dict[str, bytes]) -> tuple[Path, dict[str, bytes]]:
    with zipfile.ZipFile(root.with_suffix(".zip"), "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return root.with_suffix(".zip"), {plain_name(name): data for name, data in files.items()}


def to_tar(root: Path, files: dict[str, bytes]) -> tuple[Path, dict[str, bytes]]:
    with tarfile.open(root.with_suffix(".tar"), "w") as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return root.with_suffix(".tar"), {plain_name(name): data for name, data in files.items()}


def packed(path: Path) -> dict[int, object]:
    """The label, or None, of each image of a set by its number."""
    with zipfile.ZipFile(path) as file:
        info = json.loads(file.read("dataset.json"))
        labels = dict(info["labels"] or [])
        assert not labels or len(labels) == len(file.namelist()) - 1
        found = {}
        for name in file.namelist():
            if name != "dataset.json":
                label = labels.get(name)
                named = info.get("class_names") and info["class_names"][label]
                found[int(np.array(Image.open(file.open(name)))[0, 0]) // 20] = named or label
        return found


def usable(files: dict[str, bytes]) -> list[int]:
    """The numbers of the images that a set must hold."""
    return sorted(
        int(np.array(Image.open(io.BytesIO(data)))[0, 0]) // 20
        for name, data in files.items()
        if leftover(name) is None
        and os.path.splitext(name)[1].lower() in (".png", ".jpg", ".gif")
        and data != b"broken"
    )


@pytest.mark.parametrize("write", [to_folder, to_zip, to_tar])
@quick
@given(tree=TREES)
def test_any_tree_gives_exactly_its_images_or_an_error_of_ours(write: Callable, tree: dict[str, str]):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's, of names that come twice
        made = {name: content(i, kind) for i, (name, kind) in enumerate(tree.items())}
        source, files = write(Path(folder) / "in", made)
        error = None
        try:
            report = prepare(source, Path(folder) / "out.zip", labels="none")
        except StyleGANError as caught:
            error = caught
        if error is None:
            assert sorted(packed(Path(folder) / "out.zip")) == usable(files)
            assert report.used == len(usable(files))
        else:
            assert usable(files) == []


CLASSES = st.lists(
    st.sampled_from(["cat", "dog", "é", "日本", "line\nbreak", "a b", "Cat", "7"]), min_size=2, max_size=4, unique=True
)
AROUND = st.sampled_from(
    [[""], ["all/"], ["train/", "test/"], ["x/Train/", "x/VAL/"], ["a/train/images/", "a/dev/images/"]]
)


@pytest.mark.parametrize("write", [to_folder, to_zip, to_tar])
@quick
@given(classes=CLASSES, around=AROUND, deep=st.booleans(), count=st.integers(1, 3), junk=st.lists(NAMES, max_size=2))
def test_classes_are_found_within_any_splits_and_beside_any_leftovers(write, classes, around, deep, count, junk):
    names = [
        f"{around[(i + k) % len(around)]}{name}/{'deep/er/' if deep else ''}{k}.png"
        for i, name in enumerate(classes)
        for k in range(count if len(around) == 1 else 2)
    ]
    files = {name: content(i) for i, name in enumerate(names)}
    left = {f"{around[0]}._{name.replace('/', '_')}"[:100]: b"junk" for name in junk}
    with tempfile.TemporaryDirectory() as folder:
        source, _ = write(Path(folder) / "in", {**files, **left, "__MACOSX/1/2.png": b"junk", "zoo/.DS_Store": b"x"})
        report = prepare(source, Path(folder) / "out.zip", strict=True)
        found = packed(Path(folder) / "out.zip")
    belongs = {i: next(part for part in name.split("/") if part in classes) for i, name in enumerate(names)}
    assert found == belongs
    assert report.class_names == tuple(sorted(classes))


VALUES = st.one_of(
    st.integers(-1, 5), st.booleans(), st.none(), st.text(max_size=3), st.floats(), st.integers(),
    st.lists(st.one_of(st.floats(allow_nan=True), st.integers(0, 3), st.booleans()), max_size=3),
)  # fmt: skip


@quick
@given(
    entries=st.lists(
        st.tuples(st.sampled_from(["0.png", "./1.png", "é/2.png", "e\u0301/2.png", "x.png"]), VALUES), max_size=6
    )
)
def test_any_label_file_gives_its_labels_or_an_error_of_ours(entries):
    names = ["0.png", "1.png", "é/2.png"]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: content(i) for i, name in enumerate(names)}
        source, _ = to_folder(Path(folder) / "in", files)
        (source / "dataset.json").write_text(json.dumps({"labels": [list(entry) for entry in entries]}))
        try:
            prepare(source, Path(folder) / "out.zip", labels="json")
        except DataError:
            return
        found = packed(Path(folder) / "out.zip")
    listed = {unicodedata.normalize("NFC", name): label for name, label in entries}
    listed |= {plain_name(name): label for name, label in entries}
    for i, name in enumerate(names):
        assert np.allclose(found[i], np.asarray(listed[name], np.float64))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["labels", "class_names", "x"]), inner)
    ),
    max_leaves=10,
)


@quick
@given(value=JSON)
def test_any_json_is_labels_or_an_error_of_ours(value):
    with suppress(DataError):
        labels = parse_dataset_json(json.dumps(value).encode(), "dataset.json")
        assert labels is None or all(isinstance(label, int | list) for label in labels.by_name.values())


@pytest.mark.parametrize("write", [to_folder, to_zip, to_tar])
def test_absurd_depth_is_no_trouble(write, tmp_path):
    deep = "/".join(["d"] * (400 if write is to_folder else 20_000))
    source, _ = write(tmp_path / "in", {f"{deep}/a.png": content(1), f"{deep}/b/c.png": content(2)})
    assert prepare(source, tmp_path / "out.zip").used == 2
