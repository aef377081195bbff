"""The processes of one run, started by a launcher such as torchrun: their ranks and the messages between them.

docs/many_machines.md shows how to start them. Without a launcher the world has one process, and its messages cost
nothing.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from stylegan.errors import ConfigError, DistributedError, StyleGANError
from stylegan.machine.heartbeat import RESUME, Heartbeat

JOIN_TIMEOUT = timedelta(minutes=5)  # for all processes to connect
STEP_TIMEOUT = timedelta(minutes=30)  # for a message during training, which may have to wait for a snapshot
WAIT_TIMEOUT = timedelta(days=2)  # for one process to prepare data for the others; the heartbeat detects a dead one


@dataclass
class World:
    """`size` processes that work together; this one has number `rank`."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # number among the processes of this machine, and of the GPU that it uses
    local_size: int = 1  # processes on this machine
    connection: _Connection | None = None  # to the other processes; `join` sets it

    @property
    def is_main(self) -> bool:
        """True in rank 0, the process that prints and writes."""
        return self.rank == 0

    def device_for(self, device: torch.device) -> torch.device:
        """Return the device that this process uses: `device`, or with several processes the GPU of its local rank.

        Raises: ConfigError if this machine has fewer GPUs than processes.
        """
        if self.size == 1 or device.type != "cuda":
            return device
        if self.local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"each process needs its own GPU, but this machine has {torch.cuda.device_count()} for process "
                f"{self.local_rank}; start at most one process per GPU, or set `device` to cpu."
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace floating-point tensors of one dtype and device by their sums over all processes, in one message.

        Every process must call it with the same shapes. Raises: DistributedError if another process is lost.
        """
        if self.connection is None:
            return
        flat = torch.cat([t.detach().flatten() for t in tensors])
        with self.connection.reporting_lost_processes():
            dist.all_reduce(flat, group=self.connection.group(flat.device))
        for tensor, total in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(total.view(tensor.shape))

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes, as `sum_` does with sums."""
        if self.connection is not None:
            self.sum_(tensors)
            torch._foreach_div_([t.detach() for t in tensors], self.size)

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of rank 0. Raises: DistributedError if another process is lost."""
        if self.connection is None:
            return
        for tensor in tensors:
            same = tensor.detach().contiguous()
            with self.connection.reporting_lost_processes():
                dist.broadcast(same, 0, group=self.connection.group(same.device))
            tensor.detach().copy_(same)

    def largest(self, number: int) -> int:
        """Return the largest `number` of all processes."""
        if self.connection is None:
            return number
        result = torch.tensor(number)
        with self.connection.reporting_lost_processes():
            dist.all_reduce(result, op=dist.ReduceOp.MAX)
        return int(result)

    def gather(self, value: Any) -> list:
        """Return the `value` of every process, ordered by rank."""
        values = [value] * self.size
        if self.connection is not None:
            with self.connection.reporting_lost_processes():
                dist.all_gather_object(values, value)
        return values

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Run a block in every process; if it fails in one, it fails in all, so that none waits for a message.

        Raises: the block's own error in the process where it failed; elsewhere a StyleGANError that names that
            process and its reason.
        """
        failure = None
        try:
            yield
        except DistributedError:
            raise
        except Exception as error:
            failure = error
        reasons = self.gather(str(failure) or type(failure).__name__ if failure else None)
        if failure is not None:
            raise failure
        for rank, reason in enumerate(reasons):
            if reason is not None:
                raise StyleGANError(f"rank {rank} failed: {reason}")

    @contextmanager
    def local_main_first(self) -> Iterator[None]:
        """Run a block in the first process of each machine, then in the others, which can use what it prepared."""
        if self.local_rank != 0:
            self.gather(None)
        yield
        if self.local_rank == 0:
            self.gather(None)

    def run_once(self, name: str, make: Callable[[], str]) -> str:
        """Call `make` on rank 0 and return its result in every process.

        When torchrun restarts the processes, they get the first result again, and `make` is not called.
        """
        if self.connection is None:
            return make()
        launcher = self.connection.launcher  # torchrun's store outlives the processes that it restarts
        if self.is_main and not launcher.check([name]):
            launcher.set(name, make())
        return self.gather(launcher.get(name).decode() if self.is_main else "")[0]


class _Connection:
    """The connections between processes: gloo for tensors in main memory, and nccl besides for those on GPUs."""

    def __init__(self, launcher: dist.TCPStore, heartbeat: Heartbeat):
        self.launcher, self.heartbeat = launcher, heartbeat
        self._groups: dict[str, Any] = {}

    def group(self, device: torch.device) -> Any:
        if device.type not in self._groups:
            backend = "nccl" if device.type == "cuda" else "gloo"
            self._groups[device.type] = dist.new_group(backend=backend, timeout=STEP_TIMEOUT)
        return self._groups[device.type]

    @contextmanager
    def reporting_lost_processes(self) -> Iterator[None]:
        """Replace the errors that a lost process causes by a DistributedError that names it."""
        try:
            if self.heartbeat.cause is None:
                yield
                return
            cause = self.heartbeat.cause
        except RuntimeError as error:
            cause = self.heartbeat.find_cause(error)
        raise _lost(cause)


def _lost(cause: str) -> DistributedError:
    return DistributedError(f"{cause}; {RESUME}.")


def from_environment() -> World:
    """Return the place of this process among those of a launcher, without connecting to the others.

    A launcher sets both RANK and WORLD_SIZE. Where one of them is missing, this process is alone: notebook servers and
    job scripts may leave the other one behind.

    Raises: ConfigError if the values are not whole numbers or contradict each other.
    """
    if not _launched():
        return World()
    rank, size = _number("RANK"), _number("WORLD_SIZE")
    local_rank, local_size = _number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1)
    for name, number, limit_name, limit in (
        ("RANK", rank, "WORLD_SIZE", size),
        ("LOCAL_RANK", local_rank, "WORLD_SIZE", size),
        ("LOCAL_RANK", local_rank, "LOCAL_WORLD_SIZE", local_size),
    ):
        if number >= limit and os.environ.get(limit_name):
            raise ConfigError(f"{name} must be below {limit_name}, got {number} and {limit}; {_LAUNCH}.")
    if local_size > size:
        raise ConfigError(f"LOCAL_WORLD_SIZE must be at most WORLD_SIZE, got {local_size} and {size}; {_LAUNCH}.")
    return World(rank, size, local_rank, local_size)


_LAUNCH = "start the processes with torchrun, or unset RANK and WORLD_SIZE to run one alone"


def _launched() -> bool:
    return bool(os.environ.get("RANK") and os.environ.get("WORLD_SIZE"))


def _number(name: str, default: int = 0) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(f"{name} must be a whole number, got {text!r}; {_LAUNCH}.")
    return int(text)


@contextmanager
def join() -> Iterator[World]:
    """Connect to the other processes of a launcher such as torchrun, and disconnect when the block ends.

    Sets up `torch.distributed`. Does nothing unless RANK and WORLD_SIZE are set, see `from_environment`.

    Raises: DistributedError if the other processes cannot be reached; within the block, any method of the world raises
        it once another process has died or has not answered for 15 s.
    """
    world = from_environment()
    if not _launched():
        yield world
        return
    launcher = _connect(world)
    meeting = _meet(world, launcher)
    heartbeat = Heartbeat(dist.PrefixStore(f"{meeting}/heartbeat", _connect(world)), world.rank, world.size)
    try:
        group = dist.PrefixStore(f"{meeting}/group", launcher)
        dist.init_process_group("gloo", store=group, rank=world.rank, world_size=world.size, timeout=WAIT_TIMEOUT)
        world.connection = _Connection(launcher, heartbeat)
        yield world
        world.gather(None)  # a process that left now would look lost to those that still work
    except DistributedError:
        raise
    except dist.DistError as error:  # NCCL may report a lost process at any later call
        raise _lost(heartbeat.find_cause(error)) from error
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        heartbeat.report(f"rank {world.rank} (on {platform.node()}) failed: {reason}")
        raise
    finally:
        heartbeat.close()
    dist.destroy_process_group()


def _connect(world: World) -> dist.TCPStore:
    """Return a client of the launcher's store; without torchrun, rank 0 serves the store."""
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    except (KeyError, ValueError) as error:
        raise DistributedError(f"RANK and WORLD_SIZE are set, but {error} is not; start with torchrun.") from error
    serves = world.is_main and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        return dist.TCPStore(
            host, port, is_master=serves, timeout=JOIN_TIMEOUT, wait_for_workers=False, multi_tenant=True
        )
    except RuntimeError as error:
        raise DistributedError(
            f"rank {world.rank} cannot reach {host}:{port} ({str(error).splitlines()[0]}); check that the first "
            "machine is running and that its port is open."
        ) from error


def _meet(world: World, launcher: dist.TCPStore) -> str:
    """Wait for the other processes; return a new name under which they exchange messages.

    A launcher that restarts processes keeps its store, with the entries of the dead ones. So each process writes a new
    name, and rank 0 publishes the list of names until every process finds its own in it. The name of rank 0 in that
    list is the result.
    """
    name, meeting = uuid.uuid4().hex, ""
    launcher.set(f"name/{world.rank}", name)
    deadline = time.monotonic() + JOIN_TIMEOUT.total_seconds()
    while time.monotonic() < deadline:
        if world.is_main:
            names = [launcher.get(f"name/{r}").decode() for r in range(world.size) if launcher.check([f"name/{r}"])]
            launcher.set("names", " ".join(names))
        published = launcher.get("names").decode().split() if launcher.check(["names"]) else []
        if name in published and not meeting:
            meeting = published[0]
            launcher.set(f"{meeting}/{world.rank}", "present")
        missing = [r for r in range(world.size) if not launcher.check([f"{meeting}/{r}"])] if world.is_main else []
        if meeting and not missing:
            return meeting
        time.sleep(0.05)
    waited = f"for {JOIN_TIMEOUT.total_seconds():.0f} s; check that all machines run the same command"
    raise DistributedError(f"rank {world.rank} waited for {f'rank {missing[0]}' if missing else 'rank 0'} {waited}.")
