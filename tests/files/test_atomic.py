"""An interrupted write leaves the older file or folder whole."""

import errno
import os
import shutil
import stat

import pytest

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file, atomic_folder, write_text
from stylegan.files.warn_once import warn_once


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


def failing(call, code, only_folders):
    """Return the call of `os`, failing for folders or for everything."""

    def fail(target, *arguments, **options):
        folder = stat.S_ISDIR(os.fstat(target).st_mode) if isinstance(target, int) else os.path.isdir(target)
        if folder or not only_folders:
            raise OSError(code, os.strerror(code))
        return call(target, *arguments, **options)

    return fail


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
@pytest.mark.parametrize(("name", "only_folders"), [("open", True), ("fsync", True), ("fsync", False)])
def test_a_disk_that_cannot_flush_keeps_what_is_written_and_causes_one_warning(
    tmp_path, monkeypatch, recwarn, name, only_folders, code
):
    warn_once.cache_clear()
    monkeypatch.setattr(shutil, "_use_fd_functions", False)  # on such a system `rmtree` opens no folder either
    monkeypatch.setattr(os, name, failing(getattr(os, name), code, only_folders))
    for content in ("old", "new"):
        write_text(tmp_path / "file", content)
        with atomic_folder(tmp_path / "folder") as temporary:
            (temporary / "inside").write_text(content)
    monkeypatch.undo()
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/inside").read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    (warning,) = recwarn
    assert f"not flushed ({os.strerror(code)})" in str(warning.message)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_loses_what_is_written_keeps_the_older_file_and_is_an_error(tmp_path, monkeypatch, code):
    write_text(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", failing(os.fsync, code, only_folders=False))
    with pytest.raises(OutputError, match=os.strerror(code)):
        write_text(tmp_path / "file", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("file", "old")]
