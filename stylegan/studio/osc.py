"""Open Sound Control: controllers steer the live image, and other programs hear what it does.

Both directions stay on this machine. A message sets a number through a rule: scale, offset, a curve and a clamp.
Nothing that a message or a file of rules contains is ever evaluated.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stylegan.errors import ConfigError, OutputError
from stylegan.studio.live import DIRECTION, NUMBERS, Live
from stylegan.studio.osc_packets import message, messages

ADDRESS = "127.0.0.1"
PREFIX = "/stylegan/"
DATAGRAM_BYTES = 4096
WINDOW_S, PER_WINDOW = 0.05, 200  # of a flood, at most this number of messages is read in each window
RULES_BYTES, MOST_RULES = 1 << 20, 1000

CURVES: dict[str, Callable[[float], float]] = {  # of a value from 0 to 1
    "linear": lambda x: x,
    "square": lambda x: x * x,
    "root": math.sqrt,
    "smooth": lambda x: x * x * (3 - 2 * x),
}


class Rule(BaseModel):
    """The way from the value of an address to a number of the live image: clamp(offset + scale * curve(value))."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    to: str = Field(max_length=100, description="seed, psi, speed, loop, noise or direction/NAME.")
    scale: float = 1.0
    offset: float = 0.0
    clamp: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    curve: Literal["linear", "square", "root", "smooth"] = "linear"

    def value(self, x: float) -> float:
        """Return the number for a value; curves other than linear limit it to 0 ... 1 first."""
        y = self.offset + self.scale * CURVES[self.curve](x if self.curve == "linear" else min(max(x, 0.0), 1.0))
        return y if self.clamp is None else min(max(y, min(self.clamp)), max(self.clamp))


def default_rules(directions: Mapping[str, Any]) -> dict[str, Rule]:
    """Return the rules without a file: /stylegan/psi sets psi, and so on."""
    names = [*NUMBERS, *(DIRECTION + name for name in directions)]
    return {PREFIX + name: Rule(to=name) for name in names}


def read_rules(file: Path) -> dict[str, Rule]:
    """Read address -> rule from a JSON file.

    Raises: ConfigError for a file that does not hold rules, or a rule for an unknown number.
    """
    try:
        if file.stat().st_size > RULES_BYTES:
            raise ConfigError(f"{file} is larger than {RULES_BYTES} bytes; it should hold a few rules.")
        rules = TypeAdapter(dict[str, Rule]).validate_python(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise ConfigError(f"{file} holds a wrong rule: {place}: {first['msg'][:200]}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} does not hold rules as JSON: {str(error)[:200]}.") from error
    for address, rule in rules.items():
        if not address.startswith("/") or len(rules) > MOST_RULES:
            raise ConfigError(f"{file} needs at most {MOST_RULES} addresses that begin with /, got {address[:80]!r}.")
        if rule.to not in NUMBERS and not rule.to.startswith(DIRECTION):
            raise ConfigError(f"a rule sets {', '.join(NUMBERS)} or {DIRECTION}NAME, got {rule.to!r} in {file}.")
    return rules


class OscIn:
    """Listens on this machine, and sets numbers of a live image. Used in `with`.

    Attributes:
        port: that it listens on.
        heard: messages that set a number, `ignored`: all others: malformed, unknown, not finite.

    Args:
        port: 0 takes any free one.
        rules: address -> rule; None for the default ones.
    Raises: OutputError if the port is taken.
    """

    def __init__(self, live: Live, port: int, rules: Mapping[str, Rule] | None = None):
        self.live, self.rules = live, rules
        self.heard = self.ignored = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((ADDRESS, port))
        except OSError as error:
            self._socket.close()
            raise OutputError(f"cannot listen on port {port} for OSC: {error.strerror}; choose another.") from error
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stylegan-osc", daemon=True)

    def __enter__(self) -> OscIn:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closed.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        begin, read = time.monotonic(), 0
        while not self._closed.is_set():
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES + 1)
            except OSError:  # nothing came
                continue
            now = time.monotonic()
            if now - begin > WINDOW_S:
                begin, read = now, 0
            read += 1
            self.take(datagram)
            if read >= PER_WINDOW:  # the system drops what does not fit into its buffer meanwhile
                self._closed.wait(max(begin + WINDOW_S - now, 0))

    def take(self, datagram: bytes) -> None:
        """Read one packet, and set what its messages say."""
        try:
            if len(datagram) > DATAGRAM_BYTES:
                raise ValueError("too large")
            found = list(messages(datagram))
        except ValueError:
            self.ignored += 1
            return
        for address, values in found:
            if self._set(address, values):
                self.heard += 1
            else:
                self.ignored += 1

    def _set(self, address: str, values: list[float | None]) -> bool:
        rules = default_rules(self.live.directions()) if self.rules is None else self.rules
        rule = rules.get(address)
        if rule is None or not values or (x := values[0]) is None:
            return False
        return math.isfinite(x) and self.live.set(rule.to, rule.value(x))


class OscOut:
    """Sends what happens to another program on this machine: `live.send_events(OscOut(9001))`.

    /stylegan/seed has the place of the walk, /stylegan/key each seed that it passes, and /stylegan/loop the number of
    loops that have ended.
    """

    def __init__(self, port: int):
        self._to = (ADDRESS, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def __call__(self, name: str, value: float) -> None:
        packet = message(PREFIX + name, value if name == "seed" else int(value), "f" if name == "seed" else "i")
        with suppress(OSError):  # no program listens, or the buffer is full
            self._socket.sendto(packet, self._to)
