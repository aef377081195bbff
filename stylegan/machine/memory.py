"""Memory of the process, and what is left of it."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from stylegan.machine.processes import from_environment

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h

_CGROUPS = (  # versions 2 and 1: where a container's limit is told, and how
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ""),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)


def keep_freed_memory() -> bool:
    """Let the C library keep what tensors free, for the next ones, instead of returning it to the system.

    By default every large tensor is mapped anew, and the system fills it with zeros page by page: on a CPU that
    takes several times as long as computing it. This changes the whole process, so only programs call it, not
    importing. Returns whether the C library took it (glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))


def available_bytes(device: torch.device) -> int | None:
    """Memory that this process's new tensors on `device` may take, None if nobody tells.

    On a CPU also within the limits of a container, and an equal share if a launcher started several processes.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    free = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        free.append(int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))) * 1024)
    for folder, limit, used, total in _CGROUPS:
        with suppress(OSError, ValueError, KeyError):  # "max" where there is no limit
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            # Copies of files count as used, but the system gives them up when memory is asked for.
            files = int(stat[f"{total}inactive_file"]) + int(stat[f"{total}active_file"])
            free.append(int((folder / limit).read_text()) - int((folder / used).read_text()) + files)
    return min(free) // from_environment().local_size if free else None


def peak_memory_gb() -> float:
    """The peak resident memory of this process, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
