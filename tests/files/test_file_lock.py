"""A lock of a file is held by one, by the means that the system has."""

import errno
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from stylegan.files.lock import lock
from stylegan.files.warn_once import warn_once

fcntl = pytest.importorskip("fcntl", reason="plays the locks of both systems")


@pytest.fixture(autouse=True)
def _fresh():
    warn_once.cache_clear()


@pytest.fixture(params=["fcntl", "msvcrt"])
def _system(request, monkeypatch):
    if request.param == "msvcrt":
        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=windows_locking))


def windows_locking(descriptor, mode, size):
    """Lock as Windows does: from the current position on, which no other process can read then."""
    assert os.lseek(descriptor, 0, os.SEEK_CUR) >= 1 << 20
    assert (mode, size) == (2, 1)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EACCES, "Permission denied") from None


@pytest.mark.usefixtures("_system")
def test_only_one_has_the_lock_until_its_file_is_closed(tmp_path):
    with (tmp_path / "lock").open("a+b", buffering=0) as second:
        with (tmp_path / "lock").open("a+b", buffering=0) as first:
            assert lock(first, wait=False)
            first.write(b"the holder")
            with pytest.raises(BlockingIOError):
                lock(second, wait=False)
            assert second.seek(0) == 0
            assert second.read() == b"the holder"
            waiting = threading.Thread(target=lock, args=(second,))
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
        waiting.join(10)
        assert not waiting.is_alive()


@pytest.mark.parametrize("missing", ["module", errno.EINVAL, errno.EPERM, errno.ENOTSUP, errno.ENOLCK, errno.EACCES])
@pytest.mark.parametrize("wait", [True, False])
def test_without_locks_there_is_one_warning_and_no_wait(tmp_path, monkeypatch, recwarn, missing, wait):
    def refuse(descriptor, operation):
        raise OSError(missing, os.strerror(missing))

    if missing == "module":
        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", None)
    else:
        monkeypatch.setattr(fcntl, "flock", refuse)
    with (tmp_path / "lock").open("ab") as file:
        assert [lock(file, wait=wait) for _ in range(3)] == [False] * 3
    (warning,) = recwarn
    reason = "this system has no locks" if missing == "module" else f"no locks ({os.strerror(missing)})"
    assert reason in str(warning.message)
