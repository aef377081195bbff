"""Memory: how much the process used, how much is free, how freed memory is reused, and errors when it runs out."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from stylegan.errors import OutOfMemoryError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # glibc's malloc.h

_CGROUPS = (  # versions 2 and 1: the folder, the files and the key prefix that hold a container's limit
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ""),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)


def keep_freed_memory() -> bool:
    """Let the C library reuse the memory of freed tensors instead of returning it to the system.

    By default the system maps new memory for every large tensor and fills it with zeros page by page, which on a CPU
    takes several times as long as computing the tensor. The setting affects the whole process, so programs call this
    function, and importing the library does not.

    Returns: whether the C library accepted the setting (glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))


def share_memory_of_threads(arenas: int = 2) -> bool:
    """Let all threads of a server allocate from a few arenas, so that the memory that each keeps does not add up.

    Returns: whether the C library accepted the setting (glibc does), before any other thread was started.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_ARENA_MAX, arenas))


def available_bytes(device: torch.device, processes: int = 1) -> int | None:
    """Return how many bytes this process can still allocate on `device`, or None if unknown.

    On a CPU, a container's limit counts too, and `processes` of this machine get equal shares.
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
        with suppress(OSError, ValueError, KeyError):  # the limit is "max" if there is none
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            # Cached files count as used, but the system drops them when a program needs memory.
            files = int(stat[f"{total}inactive_file"]) + int(stat[f"{total}active_file"])
            free.append(int((folder / limit).read_text()) - int((folder / used).read_text()) + files)
    return min(free) // processes if free else None


def peak_memory_gb() -> float:
    """Return the peak resident memory of this process in GB; 0.0 on systems that do not report it (Windows)."""
    if resource is None:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@contextmanager
def memory_enough_for(work: str, remedy: str) -> Iterator[None]:
    """Raise OutOfMemoryError, one sentence, where the block runs out of memory on a device or in the system.

    Args:
        work: what the memory was for, such as "drawing".
        remedy: what to do, such as "use a smaller `batch`".
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"{work} ran out of memory{_asked_for(error)}; {remedy}.") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, also by the RuntimeError of the CPU allocator or as the cause of another error."""
    causes: list[BaseException | None] = [error, error.__cause__, error.__context__]
    texts = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError) or any(text in str(cause).lower() for text in texts)
        for cause in causes
        if cause is not None
    )


def _asked_for(error: BaseException) -> str:
    """Return the size that could not be allocated, as in " (one tensor of 2.1 GB)"; empty if it is unknown."""
    match = re.search(r"tried to allocate ([\d.]+) (bytes|[KMGT]i?B)", str(error), re.IGNORECASE)
    if match is None:
        return ""
    return f" (one tensor of {f'{int(match[1]) / 1e9:.1f} GB' if match[2] == 'bytes' else f'{match[1]} {match[2]}'})"
