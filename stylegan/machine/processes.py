"""Several processes that work on one thing, started by a launcher such as torchrun: which of them this one is, and
what they tell each other.

    torchrun --nnodes 2 --nproc-per-node 8 ... -m stylegan train ...     (docs/many_machines.md)

Without a launcher the world has one process, and everything here does nothing.
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
from stylegan.machine.heartbeat import Heartbeat

JOIN_TIMEOUT = timedelta(minutes=5)  # until every process must have come
STEP_TIMEOUT = timedelta(minutes=30)  # for a message of training, which may have to wait for a snapshot
WAIT_TIMEOUT = timedelta(days=2)  # for one process to prepare data for the others; the heartbeat sees whether it lives


@dataclass
class World:
    """`size` processes, of which this one is number `rank`."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # number on this machine, and of its GPU
    local_size: int = 1  # processes on this machine
    joined: _Joined | None = None  # how to reach the others, after `join`

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def place(self, device: torch.device) -> torch.device:
        """Where this process computes: with several on a machine, each takes the GPU of its number.

        Raises: ConfigError if there are fewer GPUs than processes.
        """
        if self.size == 1 or device.type != "cuda":
            return device
        if self.local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"each process needs a GPU of its own, but this machine has {torch.cuda.device_count()} for process "
                f"{self.local_rank}; start so many with --nproc-per-node, or add --device cpu."
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace floating-point tensors of one dtype and device by their sums over all processes, in one message.

        Every process calls it with the same shapes. Raises: DistributedError if another process is lost.
        """
        if self.joined is None:
            return
        flat = torch.cat([t.detach().flatten() for t in tensors])
        with self.joined.talking():
            dist.all_reduce(flat, group=self.joined.group(flat.device))
        for tensor, total in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(total.view(tensor.shape))

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """The same with means."""
        if self.joined is not None:
            self.sum_(tensors)
            torch._foreach_div_([t.detach() for t in tensors], self.size)

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of rank 0."""
        if self.joined is None:
            return
        for tensor in tensors:
            same = tensor.detach().contiguous()
            with self.joined.talking():
                dist.broadcast(same, 0, group=self.joined.group(same.device))
            tensor.detach().copy_(same)

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers."""
        if self.joined is None:
            return number
        result = torch.tensor(number)
        with self.joined.talking():
            dist.all_reduce(result, op=dist.ReduceOp.MAX)
        return int(result)

    def gather(self, value: Any) -> list:
        """The values of all processes by rank."""
        values = [value] * self.size
        if self.joined is not None:
            with self.joined.talking():
                dist.all_gather_object(values, value)
        return values

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """A block that each process runs by itself. When it fails on one it fails on all, so that nobody waits.

        Raises: what the block raised here; elsewhere a StyleGANError that names the process and its reason.
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
    def in_turn(self, leads: bool) -> Iterator[None]:
        """Those who lead run the block first, then the others, who find ready what it prepared."""
        if not leads:
            self.gather(None)
        yield
        if leads:
            self.gather(None)

    def once(self, name: str, make: Callable[[], str]) -> str:
        """What `make` returns on rank 0, for all; what it returned then, if the launcher starts the processes again."""
        if self.joined is None:
            return make()
        launcher = self.joined.launcher  # the store of torchrun outlives the processes that it starts again
        if self.first and not launcher.check([name]):
            launcher.set(name, make())
        return self.gather(launcher.get(name).decode() if self.first else "")[0]


class _Joined:
    """The connections of a world: gloo for what the hosts tell each other, and for GPUs nccl besides."""

    def __init__(self, launcher: dist.TCPStore, heartbeat: Heartbeat):
        self.launcher, self.heartbeat = launcher, heartbeat
        self._groups: dict[str, Any] = {}

    def group(self, device: torch.device) -> Any:
        if device.type not in self._groups:
            backend = "nccl" if device.type == "cuda" else "gloo"
            self._groups[device.type] = dist.new_group(backend=backend, timeout=STEP_TIMEOUT)
        return self._groups[device.type]

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Turns what a lost process causes into one sentence."""
        try:
            if self.heartbeat.cause is None:
                yield
                return
            cause = self.heartbeat.cause
        except RuntimeError as error:
            cause = self.heartbeat.find_cause(error)
        raise _lost(cause)


def _lost(cause: str) -> DistributedError:
    return DistributedError(f"{cause}; go on from the newest snapshot.")


def from_environment() -> World:
    """The place that a launcher gave to this process, without talking to the others; alone without a launcher."""

    def told(name: str, alone: int) -> int:
        return int(os.environ.get(name) or alone)

    return World(told("RANK", 0), told("WORLD_SIZE", 1), told("LOCAL_RANK", 0), told("LOCAL_WORLD_SIZE", 1))


@contextmanager
def join() -> Iterator[World]:
    """Meet the other processes of a launcher such as torchrun, and part from them when the block ends.

    Sets up `torch.distributed`. Without RANK and WORLD_SIZE in the environment it does nothing.

    Raises: DistributedError if the others cannot be reached; while the block runs, any call of the world raises it
        once another process has died, or has not answered for 15 s.
    """
    world = from_environment()
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield world
        return
    launcher = _connect(world)
    meeting = _meet(world, launcher)
    heartbeat = Heartbeat(dist.PrefixStore(f"{meeting}/heartbeat", _connect(world)), world.rank, world.size)
    try:
        group = dist.PrefixStore(f"{meeting}/group", launcher)
        dist.init_process_group("gloo", store=group, rank=world.rank, world_size=world.size, timeout=WAIT_TIMEOUT)
        world.joined = _Joined(launcher, heartbeat)
        yield world
        world.gather(None)  # nobody leaves, and falls silent, while others still work
    except DistributedError:
        raise
    except dist.DistError as error:  # nccl tells of a lost process when it likes
        raise _lost(heartbeat.find_cause(error)) from error
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        heartbeat.report(f"rank {world.rank} (on {platform.node()}) failed: {reason}")
        raise
    finally:
        heartbeat.close()
    dist.destroy_process_group()


def _connect(world: World) -> dist.TCPStore:
    """A client of the launcher's store. Without torchrun, rank 0 has the store."""
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    except (KeyError, ValueError) as error:
        raise DistributedError(f"RANK and WORLD_SIZE are set, but {error} is not; start with torchrun.") from error
    serves = world.first and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        return dist.TCPStore(
            host, port, is_master=serves, timeout=JOIN_TIMEOUT, wait_for_workers=False, multi_tenant=True
        )
    except RuntimeError as error:
        raise DistributedError(
            f"rank {world.rank} cannot reach {host}:{port} ({str(error).splitlines()[0]}); see that the first machine "
            "runs and that its port is open."
        ) from error


def _meet(world: World, launcher: dist.TCPStore) -> str:
    """Wait for the other processes; returns a name for this meeting that was never used before.

    A launcher that starts processes again keeps its store, with all that the dead ones left there. So each process
    brings a new name, and rank 0 reads the names aloud until everybody has heard its own: then that is the rank 0 of
    today, whose name is that of the meeting.
    """
    mine, meeting = uuid.uuid4().hex, ""
    launcher.set(f"name/{world.rank}", mine)
    deadline = time.monotonic() + JOIN_TIMEOUT.total_seconds()
    while time.monotonic() < deadline:
        if world.first:
            names = [launcher.get(f"name/{r}").decode() for r in range(world.size) if launcher.check([f"name/{r}"])]
            launcher.set("names", " ".join(names))
        heard = launcher.get("names").decode().split() if launcher.check(["names"]) else []
        if mine in heard and not meeting:
            meeting = heard[0]
            launcher.set(f"{meeting}/{world.rank}", "here")
        missing = [r for r in range(world.size) if not launcher.check([f"{meeting}/{r}"])] if world.first else []
        if meeting and not missing:
            return meeting
        time.sleep(0.05)
    waited = f"for {JOIN_TIMEOUT.total_seconds():.0f} s; see that all machines run the same command"
    raise DistributedError(f"rank {world.rank} waited for {f'rank {missing[0]}' if missing else 'rank 0'} {waited}.")
