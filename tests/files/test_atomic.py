"""An interrupted write leaves the older file or folder whole."""

import os

import pytest

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file, atomic_folder, write_text


def test_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a" / "x.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x"
    with atomic_folder(path) as temporary:
        (temporary / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(path) as temporary:
        (temporary / "file").write_text("half")
        raise KeyboardInterrupt
    assert (path / "file").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_place_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for write in (atomic_file, atomic_folder):
        with pytest.raises(OutputError, match="cannot write .*; choose another place"), write(tmp_path / "file" / "x"):
            pass


def test_older_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / "x"
    with atomic_folder(path) as temporary:
        (temporary / "file").write_text("old")
    replace = os.replace

    def fail(source, target):
        if str(source).endswith(".tmp"):
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="Input/output error"), atomic_folder(path) as temporary:
        (temporary / "file").write_text("new")
    assert (path / "file").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_every_file_and_folder_of_a_folder_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    """A power cut after the rename must not take any of them away."""
    calls, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("replace"), replace(*names)))
    with atomic_folder(tmp_path / "x") as temporary:
        (temporary / "a/b").mkdir(parents=True)
        for name in ("a/b/deep", "a/file", "top"):
            (temporary / name).write_text("content")
        (temporary / "link").symlink_to("/nowhere")
    place = {name: calls.index((tmp_path / "x" / name).stat().st_ino) for name in ("a/b/deep", "a/b", "a", "")}
    assert list(place.values()) == sorted(place.values())  # a folder after what is in it
    names = ("a/b/deep", "a/file", "top", "a/b", "a", "")
    assert set(calls[: calls.index("replace")]) == {(tmp_path / "x" / name).stat().st_ino for name in names}
    assert calls[-1] == tmp_path.stat().st_ino  # the new name itself
