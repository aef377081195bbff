"""The jobs of a session, and the folder with their files."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stylegan.studio.jobs import Job, Shelf
from stylegan.studio.limits import Limits


@pytest.fixture
def shelf():
    shelf = Shelf(Limits(kept_jobs=2, kept_bytes=100))
    yield shelf
    shelf.close()


def ended(shelf: Shelf, content: bytes = b"") -> Job:
    job = shelf.new("interpolate", 1)
    job.files["loop.webp"] = job.file("loop.webp")
    job.files["loop.webp"].write_bytes(content)
    job.end("done")
    return job


def test_the_oldest_go_where_there_are_too_many(shelf):
    jobs = [ended(shelf) for _ in range(4)]
    assert shelf.all() == jobs[2:]
    assert [job.folder.exists() for job in jobs] == [False, False, True, True]


def test_the_oldest_go_where_their_files_are_too_large_together(shelf):
    jobs = [ended(shelf, bytes(60)), ended(shelf, bytes(60))]
    assert shelf.all() == jobs[1:]


def test_many_threads_may_remove_the_same_jobs(shelf):
    end = time.monotonic() + 1

    def begin_and_look(_: int) -> int:
        begun = 0
        while time.monotonic() < end:
            ended(shelf)
            shelf.all()
            begun += 1
        return begun

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin_and_look, range(8))) > 50
    assert len(shelf.all()) <= 2


def test_a_file_that_is_gone_counts_nothing(shelf):
    job = ended(shelf, bytes(60))
    job.files["loop.webp"].unlink()
    assert job.bytes == 0
