"""The machine that computes: devices, memory, precision, compilation and the processes of a run."""

from stylegan.machine.compile import compile_or_eager
from stylegan.machine.devices import resolve_device
from stylegan.machine.environment import environment, warn_if_changed
from stylegan.machine.heartbeat import Heartbeat
from stylegan.machine.memory import available_bytes, keep_freed_memory, peak_memory_gb
from stylegan.machine.precision import best_precision, check_precision, require_precision
from stylegan.machine.processes import World, from_environment, join

__all__ = [
    "Heartbeat",
    "World",
    "available_bytes",
    "best_precision",
    "check_precision",
    "compile_or_eager",
    "environment",
    "from_environment",
    "join",
    "keep_freed_memory",
    "peak_memory_gb",
    "require_precision",
    "resolve_device",
    "warn_if_changed",
]
