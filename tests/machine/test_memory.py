"""Free memory of a machine and of a container."""

from pathlib import Path

import pytest
import torch

from stylegan.errors import OutOfMemoryError
from stylegan.machine.memory import available_bytes, memory_enough_for

CPU = torch.device("cpu")


NEW = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "")
OLD = (
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    "/sys/fs/cgroup/memory/memory.stat",
    "total_",
)


@pytest.fixture
def files(monkeypatch):
    """The files that a machine with 64 GB of free memory reports it in."""
    texts = {"/proc/meminfo": "MemTotal:       67108864 kB\nMemAvailable:   62500000 kB\n"}

    def read_text(path, **options):
        if str(path) not in texts:
            raise FileNotFoundError(path)
        return texts[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)
    return texts


@pytest.mark.parametrize("version", [NEW, OLD], ids=["version 2", "version 1"])
def test_files_that_were_read_leave_memory_free_in_a_container(files, version):
    limit, used, stat, total = version
    files[limit], files[used] = "8000000000\n", "7000000000\n"
    files[stat] = f"anon 1\n{total}inactive_file 4000000000\n{total}active_file 1000000000\n"
    assert available_bytes(CPU) == 6_000_000_000


def test_without_a_limit_the_machine_counts(files):
    assert available_bytes(CPU) == 64_000_000_000
    files.update(dict(zip(NEW[:3], ("max\n", "7000000000\n", "inactive_file 0\nactive_file 0\n"), strict=True)))
    assert available_bytes(CPU) == 64_000_000_000


def test_the_processes_of_a_machine_share_its_free_memory(files, monkeypatch):
    assert available_bytes(CPU, processes=4) == 16_000_000_000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")  # alone in the environment, it means nothing
    assert available_bytes(CPU) == 64_000_000_000


@pytest.mark.parametrize(
    ("error", "size"),
    [
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to "
                      "allocate 2100000000 bytes. Error code 12 (Cannot allocate memory)"), " (one tensor of 2.1 GB)"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.50 GiB. GPU 0"), " (one tensor of 3.50 GiB)"),
        (MemoryError(), ""),
        (RuntimeError("std::bad_alloc"), ""),
    ],
)  # fmt: skip
def test_running_out_of_memory_becomes_one_sentence(error, size):
    with pytest.raises(OutOfMemoryError) as caught, memory_enough_for("drawing", "use a smaller `batch`"):
        raise error
    assert str(caught.value) == f"drawing ran out of memory{size}; use a smaller `batch`."
    with pytest.raises(RuntimeError, match="^something else$"), memory_enough_for("drawing", "use a smaller `batch`"):
        raise RuntimeError("something else")


def test_a_tensor_that_no_machine_can_hold_is_out_of_memory():
    with pytest.raises(OutOfMemoryError, match="one tensor of 4000000.0 GB"), memory_enough_for("drawing", "stop"):
        torch.empty(10**15)
