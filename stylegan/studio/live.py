"""A live image: a walk that sliders and OSC messages steer while it is shown, as a stream of frames.

One thread draws, and only while someone watches. Every watcher takes the newest frame when it is ready for one, so a
slow connection misses frames and delays no other.
"""

from __future__ import annotations

import asyncio
import io
import math
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from stylegan.editing.direction_file import load_directions
from stylegan.editing.directions import Direction
from stylegan.errors import BusyError, StyleGANError
from stylegan.images.pixels import to_pil
from stylegan.models import bundled
from stylegan.sampling.latent import Latent
from stylegan.sampling.latents import MAX_SEED
from stylegan.studio.requests import Drawing, LiveChange

if TYPE_CHECKING:
    from stylegan.studio.session import Session

FASTEST = 60  # frames per second
JPEG = {"quality": 92, "subsampling": 0}
NUMBERS = {  # name -> least and greatest value
    "seed": (0.0, float(MAX_SEED)),
    "psi": (-2.0, 3.0),
    "speed": (-10.0, 10.0),
    "loop": (0.0, 64.0),
    "noise": (0.0, 2.0),
}
NOISES = ("none", "const", "random")  # of noise 0, 1 and 2
DIRECTION = "direction/"
STRONGEST = 10.0  # along a direction, in standard deviations
DRAWING = tuple(Drawing.model_fields)
Event = Callable[[str, float], None]  # name, value


class Frames:
    """The newest frame for one watcher, from the thread that draws to the loop that sends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._newest: bytes | None = None
        self.dropped = 0

    def offer(self, frame: bytes | None) -> None:
        """Replace the frame that waits; None ends the stream. May be called from any thread."""

        def put() -> None:
            self.dropped += self._ready.is_set()
            self._newest = frame
            self._ready.set()

        with suppress(RuntimeError):  # the loop of a watcher that is gone
            self._loop.call_soon_threadsafe(put)

    async def each(self, fps: float) -> AsyncIterator[bytes]:
        """Yield frames, at most `fps` a second, until the stream ends."""
        due = 0.0
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self._newest is None:
                return
            yield self._newest
            due = max(due + 1 / fps, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


class Live:
    """The state of the live image, and the thread that draws it.

    Attributes:
        place: where the walk is: 2.25 is a quarter of the way from seed 2 to seed 3.
        speed: seeds per second.
        loop: number of seeds after which the walk returns to the first; 0 for a walk without end.
        strengths: name of a direction -> standard deviations.
        error: why no image can be drawn; "" if it can.
    """

    def __init__(self, session: Session, watchers: int):
        self._session, self._most = session, watchers
        self.drawing = Drawing.model_validate({"network": next(iter(session.sources)), "psi": 0.7})
        self.place, self.speed, self.loop, self.first = 0.0, 0.5, 0, 0.0
        self.strengths: dict[str, float] = {}
        self.error = ""
        self.sinks: list[Event] = []  # called with what happens, such as ("loop", 3)
        self._loops = 0
        self._watchers: list[Frames] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._directions: tuple[str, dict[str, Direction]] = ("", {})

    # Steering

    def change(self, request: LiveChange) -> None:
        """Take over the values that a request gives."""
        given = request.model_dump(exclude_unset=True)
        with self._changed:
            drawing = {name: value for name, value in given.items() if name in DRAWING}
            if drawing:
                self.drawing = Drawing.model_validate({**self.drawing.model_dump(), **drawing})
                self.error = ""
            self.speed = given.get("speed", self.speed)
            if "seed" in given:
                self._go(given["seed"])
            if "loop" in given:
                self._loop_over(given["loop"])
            if "directions" in given:
                self.strengths = dict(given["directions"])

    def set(self, name: str, value: float) -> bool:
        """Set a number by its name, limited to its range. Returns False for an unknown name, or if it is not finite."""
        if not math.isfinite(value):
            return False
        with self._changed:
            if name.startswith(DIRECTION):
                known = self.directions()
                key = name.removeprefix(DIRECTION)
                if key in known:
                    self.strengths[key] = min(max(value, -STRONGEST), STRONGEST)
                return key in known
            if name not in NUMBERS:
                return False
            low, high = NUMBERS[name]
            value = min(max(value, low), high)
            if name == "seed":
                self._go(value)
            elif name == "psi":
                self.drawing = self.drawing.model_copy(update={"psi": value})
            elif name == "noise":
                self.drawing = self.drawing.model_copy(update={"noise_mode": NOISES[round(value)]})
            elif name == "loop":
                self._loop_over(round(value))
            else:
                self.speed = value
        return True

    def state(self) -> dict[str, Any]:
        """Return all values, the directions of the network, and the number of watchers."""
        with self._changed:
            return {
                **self.drawing.model_dump(),
                "seed": self.place,
                "speed": self.speed,
                "loop": self.loop,
                "directions": {name: self.strengths.get(name, 0.0) for name in self.directions()},
                "watchers": len(self._watchers),
                "loops": self._loops,
                "error": self.error,
            }

    def directions(self) -> dict[str, Direction]:
        """Return the directions that come with the network, by name."""
        name = self.drawing.network
        if self._directions[0] != name:
            file = Path(self._session.sources.get(name, "")) / "directions.npz"
            if name in bundled():
                file = bundled()[name] / file.name
            known = load_directions(file) if file.is_file() else {}
            self._directions = (name, {key: one for key, one in known.items() if one.styles is None})
        return self._directions[1]

    # Watching

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Frames]:
        """Draw while the block runs. Raises: BusyError if the greatest number of watchers is reached."""
        frames = Frames()
        with self._changed:
            if self._closed:
                raise BusyError("the studio is shutting down; start it again.")
            if len(self._watchers) >= self._most:
                raise BusyError(f"{self._most} streams are watched already; close one.")
            self._watchers.append(frames)
            self._begin()
        try:
            yield frames
        finally:
            with self._changed:
                self._watchers.remove(frames)

    def send_events(self, sink: Event) -> None:
        """Call `sink` with what happens, from now on; the walk then moves without watchers too."""
        with self._changed:
            self.sinks.append(sink)
            self._begin()

    def close(self) -> None:
        """End all streams."""
        with self._changed:
            self._closed = True
            for frames in self._watchers:
                frames.offer(None)
            self._changed.notify_all()

    # The thread

    def _begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="stylegan-live", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            with self._changed:
                if self._closed or not (self._watchers or self.sinks):
                    self._thread = None
                    return
                watched = bool(self._watchers)
                now = time.monotonic()
                events = self._advance(min(now - last, 0.5))
                last = now
            for event in events:
                for sink in self.sinks:
                    sink(*event)
            if watched:
                self._draw()
            with self._changed:
                self._changed.wait_for(lambda: self._closed, max(now + 1 / FASTEST - time.monotonic(), 0))

    def _advance(self, seconds: float) -> list[tuple[str, float]]:
        """Move the walk and return what happened on the way."""
        before = self.place
        place = before + self.speed * seconds
        events: list[tuple[str, float]] = []
        if self.loop:
            turns, along = divmod(place - self.first, self.loop)
            place = self.first + along
            if turns:
                self._loops += 1
                events.append(("loop", float(self._loops)))
        self.place = place % (MAX_SEED + 1)
        if math.floor(self.place) != math.floor(before):
            events.append(("key", float(math.floor(self.place))))
        return [*events, ("seed", self.place)] if self.place != before else events

    def _go(self, seed: float) -> None:
        self.place = self.first = float(seed)

    def _loop_over(self, seeds: int) -> None:
        if seeds != self.loop:
            self.loop, self.first = seeds, float(math.floor(self.place))

    def _draw(self) -> None:
        with self._changed:
            drawing, place, first, loop = self.drawing, self.place, self.first, self.loop
            moves = [
                (self.directions()[name], by) for name, by in self.strengths.items() if by and name in self.directions()
            ]
        try:
            image = self._session.frame(drawing, *_neighbors(place, first, loop), lambda ws: _moved(ws, moves))
        except BusyError:  # others come first
            return
        except StyleGANError as error:
            self.error = str(error)
            time.sleep(0.2)
            return
        self.error = ""
        buffer = io.BytesIO()
        to_pil(image).convert("RGB").save(buffer, format="JPEG", **JPEG)
        with self._changed:
            for frames in self._watchers:
                frames.offer(buffer.getvalue())


def _neighbors(place: float, first: float, loop: int) -> tuple[int, int, float]:
    """Return the seeds around a place, and the part of the way: the last seed of a loop leads to the first."""
    begin = math.floor(place)
    after = begin + 1
    if loop and after >= first + loop:
        after = math.floor(first)
    return begin, after % (MAX_SEED + 1), place - begin


def _moved(ws: Tensor, moves: list[tuple[Direction, float]]) -> Tensor:
    latent = Latent(ws=ws)
    for direction, strength in moves:
        latent = direction.moved(latent, strength)
    return latent.ws
