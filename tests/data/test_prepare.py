from __future__ import annotations

import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from file_size_limit import file_size_limit
from PIL import Image

from stylegan.data import PrepareConfig, open_dataset, prepare, prepare_steps
from stylegan.errors import ConfigError, DataError, OutputError
from stylegan.images.resize import FILTERS, center_crop, center_crop_wide, resize


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path_factory.mktemp("cache")))


def noise(height=8, width=8, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)


def save(path: Path, img: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(img[:, :, 0] if img.shape[2] == 1 else img).save(path)
    return img


def read_set(path: Path):
    """All images of an official zip by name, and its dataset.json."""
    with zipfile.ZipFile(path) as file:
        images = {n: np.array(Image.open(file.open(n))) for n in file.namelist() if n.endswith(".png")}
        return images, json.loads(file.read("dataset.json"))


# the format


def test_zip_is_stored_numbered_and_keeps_pixels(tmp_path):
    first, second = save(tmp_path / "in/a.png", noise(seed=1)), save(tmp_path / "in/deep/b.bmp", noise(seed=2))
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert (report.used, report.resolution, report.channels, report.label_dim) == (2, 8, 3, 0)
    images, info = read_set(tmp_path / "out.zip")
    assert list(images) == ["00000/img00000000.png", "00000/img00000001.png"]
    assert (images["00000/img00000000.png"] == first).all()
    assert (images["00000/img00000001.png"] == second).all()
    assert info == {"labels": None}
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        assert {member.compress_type for member in file.infolist()} == {zipfile.ZIP_STORED}


def test_the_thousandth_image_starts_a_new_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
        save(tmp_path / "x.png", noise(4, 4, 1))
        for index in range(1001):
            file.write(tmp_path / "x.png", f"{index:04d}.png")
    prepare(tmp_path / "in.zip", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["00000", "00001", "dataset.json"]
    assert [p.name for p in (tmp_path / "out/00001").iterdir()] == ["img00001000.png"]


def test_folder_and_zip_hold_the_same_and_zips_repeat_bit_for_bit(tmp_path):
    for index in range(3):
        save(tmp_path / f"in/{index}.png", noise(seed=index))
    for dest in ("a.zip", "b.zip", "folder"):
        prepare(tmp_path / "in", tmp_path / dest)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        for name in file.namelist():
            assert (tmp_path / "folder" / name).read_bytes() == file.read(name)


def test_preparing_a_prepared_set_changes_nothing(tmp_path):
    for index, kind in enumerate(["cat", "dog", "cat"]):
        save(tmp_path / f"in/{kind}/{index}.png", noise(seed=index))
    prepare(tmp_path / "in", tmp_path / "a.zip")
    prepare(tmp_path / "a.zip", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


# what is left out


def test_one_broken_png_is_named_and_the_rest_is_used(tmp_path):
    save(tmp_path / "in/a.png", noise())
    save(tmp_path / "in/c.png", noise())
    broken = (tmp_path / "in/c.png").read_bytes()[:-60]
    (tmp_path / "in/b.png").write_bytes(broken)
    (tmp_path / "in/notes.txt").write_text("x")
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert report.used == 2
    assert [name for name, _ in report.left_out] == ["b.png", "notes.txt"]
    assert list(read_set(tmp_path / "out.zip")[0]) == ["00000/img00000000.png", "00000/img00000001.png"]


def test_strict_stops_at_the_first_file_and_leaves_nothing_behind(tmp_path):
    save(tmp_path / "in/a.png", noise())
    save(tmp_path / "in/b.png", noise(4, 4))
    with pytest.raises(DataError, match=r"^b.png cannot be used: it is 4x4 where the set is 8x8"):
        prepare(tmp_path / "in", tmp_path / "out.zip", strict=True)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_the_most_common_size_wins_without_a_resolution(tmp_path):
    save(tmp_path / "in/a.png", noise(4, 4))
    for index in range(2):
        save(tmp_path / f"in/b{index}.png", noise(8, 8))
    save(tmp_path / "in/wide.png", noise(8, 16))
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert (report.used, report.resolution) == (2, 8)
    assert dict(report.left_out)["a.png"] == "it is 4x4 where the set is 8x8; set `resolution` to resize it"
    assert "wide.png" in dict(report.left_out)


def test_images_that_are_not_square_need_a_transform(tmp_path):
    save(tmp_path / "in/a.png", noise(8, 8))
    save(tmp_path / "in/b.png", noise(8, 16))
    report = prepare(tmp_path / "in", tmp_path / "out.zip", resolution=4)
    assert dict(report.left_out) == {
        "b.png": "it is 16x8, not square; set `transform` to center-crop to take its middle"
    }
    assert prepare(tmp_path / "in", tmp_path / "b.zip", resolution=4, transform="center-crop").used == 2


def test_max_images_stops_early_and_counts_the_rest(tmp_path):
    for index in range(5):
        save(tmp_path / f"in/{index}.png", noise(seed=index))
    report = prepare(tmp_path / "in", tmp_path / "out.zip", max_images=2)
    assert (report.used, report.not_needed, report.left_out) == (2, 3, ())
    assert (read_set(tmp_path / "out.zip")[0]["00000/img00000001.png"] == noise(seed=1)).all()


def test_steps_count_up_to_the_total_and_end_with_the_report(tmp_path):
    for index in range(3):
        save(tmp_path / f"in/{index}.png", noise())
    steps = list(prepare_steps(PrepareConfig(source=tmp_path / "in", dest=tmp_path / "out.zip")))
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6, 6]
    assert {step.total for step in steps} == {6}
    assert [step.report is None for step in steps] == [True] * 6 + [False]


# channels


@pytest.mark.parametrize(
    ("channels", "expected"),
    [((1, 1), 1), ((1, 2), 1), ((2, 2), 1), ((1, 3), 3), ((2, 3), 3), ((3, 3, 4), 3), ((4, 4, 1), 3), ((4, 4), 3)],
)
def test_the_set_has_color_if_any_image_has_and_alpha_only_when_asked(tmp_path, channels, expected):
    for index, count in enumerate(channels):
        save(tmp_path / f"in/{index}.png", noise(channels=count, seed=index))
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert (report.channels, report.used) == (expected, len(channels))
    report = prepare(tmp_path / "in", tmp_path / "alpha.zip", alpha=True)
    assert (report.channels, report.used) == (4, len(channels))


def test_transparency_is_put_on_white_or_kept_when_asked(tmp_path):
    save(tmp_path / "in/a.png", np.full((8, 8, 3), 40, np.uint8))
    img = np.full((8, 8, 4), (200, 100, 0, 255), np.uint8)
    img[0, 0, 3], img[0, 1, 3] = 0, 51  # unseen, and one fifth
    save(tmp_path / "in/b.png", img)
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    _, b = read_set(tmp_path / "out.zip")[0].values()
    assert report.flattened == 1
    assert b[0, :3].tolist() == [[255, 255, 255], [244, 224, 204], [200, 100, 0]]
    report = prepare(tmp_path / "in", tmp_path / "alpha.zip", alpha=True)
    a, b = read_set(tmp_path / "alpha.zip")[0].values()
    assert report.flattened == 0
    assert (b == img).all()
    assert (a == (40, 40, 40, 255)).all()


# leftovers of systems and tools

LEFTOVERS = {
    "__MACOSX/cat/._1.png", "__MACOSX/._dog/2.png", ".DS_Store", "cat/.hidden.png", "cat/Thumbs.db", "desktop.ini",
    ".git/objects/a.png", "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", ".ipynb_checkpoints/1-checkpoint.png", "dog/2.png~",
    "lost+found/x.png", "$RECYCLE.BIN/y.png", "dog/3.png.part", "train/._x.png",
}  # fmt: skip
OUTERMOST = (
    "$RECYCLE.BIN", ".DS_Store", ".git", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "cat/.hidden.png",
    "cat/Thumbs.db", "desktop.ini", "dog/2.png~", "dog/3.png.part", "lost+found", "train/._x.png",
)  # fmt: skip


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("labels", ["auto", "folders"])
def test_leftovers_take_part_in_nothing_and_are_counted_in_every_form_of_source(tmp_path, form, labels):
    folder = tmp_path / "in"
    for name in ("cat/1.png", "dog/2.png"):
        save(folder / name, noise())
    for name in LEFTOVERS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((folder / "cat/1.png").read_bytes())
    source = {"folder": folder, "zip": tmp_path / "in.zip"}.get(form, tmp_path / f"in.{form}")
    if form == "zip":
        with zipfile.ZipFile(source, "w") as file:
            for path in folder.rglob("*"):
                file.write(path, path.relative_to(folder))
    elif form != "folder":
        with tarfile.open(source, "w:gz" if form == "tar.gz" else "w") as file:
            file.add(folder, ".")
    report = prepare(source, tmp_path / "out.zip", labels=labels, strict=True)
    assert (report.used, report.class_names, report.left_out) == (2, ("cat", "dog"), ())
    assert report.leftovers == OUTERMOST
    assert open_dataset(source, cache_gb=1).fingerprint
    assert len(open_dataset(source)) == 2


def test_a_source_of_leftovers_alone_gets_a_sentence(tmp_path):
    save(tmp_path / "in/.thumbnails/a.png", noise())
    with pytest.raises(DataError, match=r"in holds only leftovers of systems and tools \(.thumbnails\); give a folder"):
        prepare(tmp_path / "in", tmp_path / "out.zip")


# labels


def test_class_folders_become_labels(tmp_path):
    for name in ("dog/1.png", "cat/1.png", "dog/2.png"):
        save(tmp_path / "in" / name, noise())
    assert prepare(tmp_path / "in", tmp_path / "out.zip").label_dim == 2
    info = read_set(tmp_path / "out.zip")[1]
    assert info["class_names"] == ["cat", "dog"]
    assert [label for _, label in info["labels"]] == [0, 1, 1]
    assert prepare(tmp_path / "in", tmp_path / "none.zip", labels="none").label_dim == 0


def test_class_folders_are_taken_in_turns_up_to_max_images(tmp_path):
    for name in ("a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png"):
        save(tmp_path / "in" / name, noise())
    prepare(tmp_path / "in", tmp_path / "out.zip", max_images=3)
    assert [label for _, label in read_set(tmp_path / "out.zip")[1]["labels"]] == [0, 1, 0]


def test_a_class_of_broken_images_is_no_class(tmp_path):
    for name in ("b/1.png", "c/1.png"):
        save(tmp_path / "in" / name, noise())
    (tmp_path / "in/a").mkdir()
    (tmp_path / "in/a/1.png").write_bytes(b"x")
    prepare(tmp_path / "in", tmp_path / "out.zip")
    assert read_set(tmp_path / "out.zip")[1]["class_names"] == ["b", "c"]


def test_asking_for_folder_labels_leaves_out_images_outside(tmp_path):
    for name in ("a/1.png", "b/1.png", "root.png"):
        save(tmp_path / "in" / name, noise())
    report = prepare(tmp_path / "in", tmp_path / "out.zip", labels="folders")
    assert report.left_out == (("root.png", "it is in no class folder"),)
    assert report.label_dim == 2


def test_asking_for_missing_labels_is_an_error(tmp_path):
    save(tmp_path / "in/1.png", noise())
    with pytest.raises(DataError, match=r"comes with no labels; add a dataset.json"):
        prepare(tmp_path / "in", tmp_path / "out.zip", labels="json")
    save(tmp_path / "one/a/1.png", noise())
    save(tmp_path / "one/a/2.png", noise())
    with pytest.raises(DataError, match="it is in no class folder"):
        prepare(tmp_path / "one", tmp_path / "out.zip", labels="folders")


def test_labels_and_their_names_are_carried_over(tmp_path):
    for name in ("b.png", "a.png"):
        save(tmp_path / "in" / name, noise())
    content = {"labels": [["a.png", [0.5, 1.0]], ["b.png", [0.0, 2.0]]], "label_names": ["smile", "hair"]}
    (tmp_path / "in/dataset.json").write_text(json.dumps(content))
    assert prepare(tmp_path / "in", tmp_path / "out.zip").label_dim == 2
    info = read_set(tmp_path / "out.zip")[1]
    assert info["labels"] == [["00000/img00000000.png", [0.5, 1.0]], ["00000/img00000001.png", [0.0, 2.0]]]
    assert info["label_names"] == ["smile", "hair"]


@pytest.mark.parametrize("dest", ["out.zip", "shards"])
@pytest.mark.parametrize("source", ["in", "in.zip"])
def test_labels_stay_with_their_images_behind_those_that_are_left_out(tmp_path, source, dest):
    """Image i is all 10 * i and has the label 5 - i; the second has no header and the fourth breaks off in its
    pixels, so that one is found when headers are read and the other when images are."""
    for index in range(6):
        save(tmp_path / f"in/{index}.png", np.full((64, 64, 3), 10 * index, np.uint8))
    (tmp_path / "in/1.png").write_bytes(b"no image")
    (tmp_path / "in/3.png").write_bytes((tmp_path / "in/3.png").read_bytes()[:60])
    labels = {"labels": [[f"{index}.png", 5 - index] for index in range(6)]}
    (tmp_path / "in/dataset.json").write_text(json.dumps(labels))
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
        for path in sorted((tmp_path / "in").iterdir()):
            file.write(path, path.name)
    shards = 2 if dest == "shards" else None
    report = prepare(tmp_path / source, tmp_path / dest, shards=shards)
    assert [name for name, _ in report.left_out] == ["1.png", "3.png"]
    dataset = open_dataset(tmp_path / dest, use_labels=True, cache_gb=1)
    brightness = dataset.images(range(4))[:, 0, 0, 0].tolist()
    assert sorted(brightness) == [0, 20, 40, 50]
    assert dataset.labels(range(4)).argmax(1).tolist() == [5 - value // 10 for value in brightness]


@pytest.mark.parametrize("labels", ["json", "folders"])
def test_with_max_images_labels_stay_with_their_images_behind_one_that_is_left_out(tmp_path, labels):
    names = [f"{'ab'[index % 2]}/{index}.png" for index in range(6)]
    for index, name in enumerate(names):
        save(tmp_path / "in" / name, np.full((64, 64, 3), 10 * index, np.uint8))
    (tmp_path / "in/a/2.png").write_bytes((tmp_path / "in/a/2.png").read_bytes()[:60])
    if labels == "json":
        listed = [[name, index % 2] for index, name in enumerate(names)]
        (tmp_path / "in/dataset.json").write_text(json.dumps({"labels": listed}))
    prepare(tmp_path / "in", tmp_path / "out.zip", labels=labels, max_images=4)
    images, info = read_set(tmp_path / "out.zip")
    assert len(images) == 4
    assert {name: int(img[0, 0, 0]) // 10 % 2 for name, img in images.items()} == dict(info["labels"])


def test_a_half_labeled_source_is_refused(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "in" / name, noise())
    (tmp_path / "in/dataset.json").write_text('{"labels": [["a.png", 0]]}')
    with pytest.raises(DataError, match=r"has no label for 2 of 3 images, the first of them b.png"):
        prepare(tmp_path / "in", tmp_path / "out.zip")


def test_labels_of_other_images_are_reported(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, noise())
    content = {"labels": [["a.png", 0], ["b.png", 1], ["c.png", 1], ["d.png", 1]]}
    (tmp_path / "in/dataset.json").write_text(json.dumps(content))
    (note,) = prepare(tmp_path / "in", tmp_path / "out.zip").notes
    assert note.endswith("no image, the first: c.png.")
    assert note.startswith("2 labels of dataset.json of ")


def test_classes_without_images_are_reported_when_made_and_when_opened(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, noise())
    content = {"labels": [["a.png", 1], ["b.png", 3]], "class_names": ["cat", "dog", "owl", "fox"]}
    (tmp_path / "in/dataset.json").write_text(json.dumps(content))
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert report.notes == ("2 of 4 classes have no images: 0 (cat), 2 (owl).",)
    assert report.class_names == ("cat", "dog", "owl", "fox")
    with pytest.warns(RuntimeWarning, match=r"out.zip: 2 of 4 classes have no images: 0 \(cat\), 2 \(owl\)"):
        open_dataset(tmp_path / "out.zip", use_labels=True)


def test_images_that_cannot_be_used_do_not_move_the_level_of_the_classes(tmp_path):
    for name in ("all/cat/1.png", "all/dog/1.png"):
        save(tmp_path / "in" / name, noise())
    (tmp_path / "in/cover.jpg").write_bytes(b"no image")
    assert prepare(tmp_path / "in", tmp_path / "out.zip").class_names == ("cat", "dog")
    for name in ("x/cat/1.png", "x/dog/1.png", "y/1.png"):
        save(tmp_path / "two" / name, noise(64, 64))
    (tmp_path / "two/y/1.png").write_bytes((tmp_path / "two/y/1.png").read_bytes()[:60])  # breaks off in its pixels
    assert prepare(tmp_path / "two", tmp_path / "two.zip").label_dim == 0


def test_numbered_folders_are_classes_if_they_are_asked_for_and_explained_if_not(tmp_path):
    for name in ("00000/00000_1.png", "00001/00001_1.png"):
        save(tmp_path / "in" / name, noise())
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert report.label_dim == 0
    assert report.notes == (
        "The folders 00000, 00001 and so on were taken for mere numbering; set `labels` to folders to make classes of "
        "them.",
    )
    report = prepare(tmp_path / "in", tmp_path / "classes.zip", labels="folders")
    assert (report.class_names, report.left_out, report.notes) == (("00000", "00001"), (), ())


def test_images_of_a_split_without_classes_are_left_out_only_if_folders_are_asked_for(tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "val/1.png"):
        save(tmp_path / "in" / name, noise())
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert (report.used, report.label_dim) == (3, 0)
    assert "1 of 3 images are in no class folder, the first of them val/1.png" in report.notes[0]
    report = prepare(tmp_path / "in", tmp_path / "classes.zip", labels="folders")
    assert (report.used, report.class_names) == (2, ("cat", "dog"))
    assert report.left_out == (("val/1.png", "it is in no class folder"),)


def test_training_on_class_folders_without_labels_names_the_way(tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        save(tmp_path / "in" / name, noise())
    with pytest.raises(
        DataError, match=r"has class folders and no dataset.json; make a data set with labels of it with `prepare`"
    ):
        open_dataset(tmp_path / "in", use_labels=True)


# enlarged images


@pytest.mark.parametrize(("transform", "small"), [(None, (8, 8)), ("center-crop", (8, 40))])
def test_enlarged_images_are_counted_and_refused_when_strict(tmp_path, transform, small):
    save(tmp_path / "in/a.png", noise(16, 16))
    save(tmp_path / "in/b.png", noise(*small))
    report = prepare(tmp_path / "in", tmp_path / "out.zip", resolution=16, transform=transform)
    assert (report.used, report.enlarged) == (2, 1)
    with pytest.raises(
        DataError, match=r"^b.png cannot be used: it is \d+x\d+ and would be enlarged; choose a lower resolution"
    ):
        prepare(tmp_path / "in", tmp_path / "strict.zip", resolution=16, transform=transform, strict=True)
    assert prepare(tmp_path / "in", tmp_path / "4.zip", resolution=4, transform=transform, strict=True).enlarged == 0


# sources and destinations that cannot be


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.npz", "out.TFRecords", "out.h5", "out.png"])
def test_a_name_of_a_file_never_becomes_a_folder(tmp_path, name):
    save(tmp_path / "in/a.png", noise())
    with pytest.raises(ConfigError, match=r"a data set is a .zip, or a folder .*, but .* ends like a file; leave out"):
        prepare(tmp_path / "in", tmp_path / name)
    assert os.listdir(tmp_path) == ["in"]
    assert prepare(tmp_path / "in", tmp_path / "v1.5").used == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.npz", "it holds NumPy arrays; save its images as PNG files"),
        ("a.mat", "it holds MATLAB arrays; read them with `scipy.io.loadmat`"),
        ("a.parquet", "it is a Parquet table"),
        ("data.mdb", "it is an LMDB database; export its images as files"),
        ("a.7z", "it is an archive that is not read; unpack it"),
        ("a.pkl", "it holds pickled objects, which can run code"),
        ("cat.heic", "its format HEIC is not read; convert it"),
        ("bedroom_lmdb/data.mdb", "it is an LMDB database; export its images as files"),
        ("a.tar.gz", "is truncated or not a tar; download it again"),
    ],
)
def test_a_source_that_is_not_read_comes_with_the_way_forward(tmp_path, name, message):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x93NUMPY" + bytes(600))
    if path.suffix == ".npz":
        np.savez(path, x=np.zeros(3))
    with pytest.raises(DataError, match=message):
        prepare(tmp_path / name.split("/")[0], tmp_path / "out.zip")


def test_missing_empty_and_useless_sources_get_a_sentence(tmp_path):
    with pytest.raises(DataError, match="there is nothing at"):
        prepare(tmp_path / "missing", tmp_path / "out.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty is empty; give a folder"):
        prepare(tmp_path / "empty", tmp_path / "out.zip")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("x")
    with pytest.raises(DataError, match=r"no usable image: its only file was left out, for example a.txt: it is not"):
        prepare(tmp_path / "texts", tmp_path / "out.zip")
    save(tmp_path / "odd/a.png", noise(6, 6))
    with pytest.raises(DataError, match=r"no image of .* is square with a power of two as its side \(a.png is 6x6\)"):
        prepare(tmp_path / "odd", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize("inside", [".", "out.zip", "deep/er/out"])
def test_a_destination_inside_the_source_is_refused(tmp_path, inside):
    save(tmp_path / "in/a.png", noise())
    with pytest.raises(ConfigError, match="is inside the source"):
        prepare(tmp_path / "in", tmp_path / "in" / inside)


def test_what_exists_already_is_never_overwritten(tmp_path):
    save(tmp_path / "in/a.png", noise())
    (tmp_path / "old.zip").write_text("old")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/file").write_text("old")
    for dest in ("old.zip", "old"):
        with pytest.raises(OutputError, match="exists already; remove it or choose another name"):
            prepare(tmp_path / "in", tmp_path / dest)
    assert (tmp_path / "old.zip").read_text() == "old"
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path / "in", tmp_path / "empty").used == 1


def test_an_unwritable_destination_gets_a_sentence(tmp_path):
    save(tmp_path / "in/a.png", noise())
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"cannot (write|read) .*out.zip"):
        prepare(tmp_path / "in", tmp_path / "file/out.zip")


@pytest.mark.parametrize(("dest", "shards"), [("out.zip", None), ("out", None), ("out", 2)])
def test_a_full_disk_gets_a_sentence_and_leaves_no_trace(tmp_path, dest, shards):
    for index in range(3):
        save(tmp_path / f"in/{index}.png", noise())
    with file_size_limit(100), pytest.raises(OutputError, match=rf"cannot write .*{dest}: File too large; choose"):
        prepare(tmp_path / "in", tmp_path / dest, shards=shards)
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("dest", ["out.zip", "out"])
def test_an_interrupted_run_leaves_no_trace(tmp_path, dest):
    for index in range(3):
        save(tmp_path / f"in/{index}.png", noise())
    steps = prepare_steps(PrepareConfig(source=tmp_path / "in", dest=tmp_path / dest))
    for _ in range(5):
        next(steps)
    assert len(os.listdir(tmp_path)) == 2  # something is being written
    steps.close()
    assert os.listdir(tmp_path) == ["in"]


def test_faces_are_cut_out_and_images_without_one_are_left_out(tmp_path):
    photo = np.asarray(Image.open(Path(__file__).parents[1] / "images" / "astronaut.jpg"))
    for name, image in (("face", photo), ("none", np.full_like(photo, 9))):
        save(tmp_path / f"in/{name}.png", image)
    report = prepare(tmp_path / "in", tmp_path / "set", resolution=32, transform="face")
    assert report.used == 1
    assert "no face that could be found" in dict(report.left_out)["none.png"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolution": 48}, "power of two and at least 4, got 48x48"),
        ({"resolution": 2}, "power of two and at least 4, got 2x2"),
        ({"resolution": (64, 32)}, "must be square, got 64x32"),
        ({"resolution": (64, 128), "transform": "center-crop-wide"}, "must be square, got 64x128"),
        ({"transform": "center-crop"}, "center-crop needs a resolution"),
        ({"transform": "squash", "resolution": 4}, "transform must be one of center-crop, center-crop-wide"),
        ({"labels": "some"}, "labels must be one of auto, json, folders, none, got 'some'"),
        ({"max_images": 0}, "max_images must be at least 1, got 0"),
    ],
)
def test_settings_that_make_no_sense_get_a_sentence(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        prepare(tmp_path, tmp_path / "out.zip", **settings)


def test_any_damage_to_any_file_is_only_ever_a_reason(tmp_path):
    random = np.random.RandomState(0)
    save(tmp_path / "in/good.png", noise(16, 16))
    for extension in ("png", "jpg", "gif", "webp", "tif", "bmp"):
        path = tmp_path / f"whole.{extension}"
        save(path, noise(16, 16))
        content = np.frombuffer(path.read_bytes(), np.uint8)
        for index in range(20):
            damaged = content.copy()
            damaged[random.randint(0, len(damaged), 8)] = random.randint(0, 256, 8)
            (tmp_path / f"in/{index}.{extension}").write_bytes(damaged.tobytes())
    report = prepare(tmp_path / "in", tmp_path / "out.zip", resolution=16, labels="none")
    assert report.used + len(report.left_out) == 121
    assert report.used >= 1


# transforms


def test_center_crop_takes_the_middle_square():
    img = noise(4, 10)
    assert (center_crop(img, 4, 4) == img[:, 3:7]).all()


def test_center_crop_wide_pastes_between_black_bars():
    img = np.full((8, 16, 3), 200, np.uint8)
    out = center_crop_wide(img, 16, 8)
    assert out.shape == (16, 16, 3)
    assert (out[4:12] == 200).all()
    assert out[:4].max() == out[12:].max() == 0
    with pytest.raises(DataError, match="it is 8x8, too small or too wide"):
        center_crop_wide(noise(8, 8), 16, 8)


def test_resizing_keeps_flat_color_and_means():
    assert (resize(np.full((30, 30, 3), 77, np.uint8), 16, 16) == 77).all()
    smooth = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 64, axis=0)[:, :, None]
    assert abs(float(resize(smooth, 16, 16).mean()) - float(smooth.mean())) < 1


def test_resizing_agrees_with_pillow_bicubic():
    img = noise(64, 64)
    expected = np.asarray(Image.fromarray(img).resize((16, 16), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(resize(img, 16, 16).astype(int) - expected).max() <= 1


def test_unseen_color_does_not_bleed_into_transparent_edges():
    img = np.zeros((32, 32, 4), np.uint8)
    img[:, :] = (255, 0, 0, 0)  # red, but transparent
    img[:, 16:] = (0, 255, 0, 255)
    out = resize(img, 8, 8)
    visible = out[:, :, 3] > 8
    assert out[visible][:, 0].max() <= 2


def test_resizing_with_each_filter_keeps_the_mean_and_box_averages():
    img = np.random.RandomState(0).randint(0, 256, (16, 16, 4)).astype(np.uint8)
    img[..., 3] = 255
    for channels in (1, 3, 4):
        for name in FILTERS:
            out = resize(img[..., :channels], 4, 4, name)
            assert (out.shape, out.dtype) == ((4, 4, channels), np.uint8)
            assert abs(float(out.mean()) - float(img[..., :channels].mean())) < 4
    boxes = img[..., :3].reshape(4, 4, 4, 4, 3).mean((1, 3))
    assert np.abs(resize(img[..., :3], 4, 4, "box") - boxes).max() <= 1
