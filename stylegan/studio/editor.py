"""Edits of a session: directions, style mixing and dragging."""

from __future__ import annotations

import base64
import binascii
import copy
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction
from stylegan.editing.drag import DragSettings, drag, read_mask
from stylegan.editing.edit import edit, mixed
from stylegan.editing.find import find_directions
from stylegan.errors import ConfigError, DataError
from stylegan.images.png import save_png
from stylegan.images.read import read_header
from stylegan.inversion.w_statistics import random_ws
from stylegan.sampling.generate import draw
from stylegan.sampling.labels import class_labels
from stylegan.sampling.latent import Latent, space_of
from stylegan.sampling.latent_file import load_latents, save_latent
from stylegan.sampling.mixing import parse_styles
from stylegan.studio.edit_requests import Drag, Edit, Find
from stylegan.studio.jobs import Job
from stylegan.studio.latents import Kept
from stylegan.studio.opened import OpenedNetwork
from stylegan.studio.store import Store
from stylegan.studio.uploads import spooled

if TYPE_CHECKING:
    from stylegan.studio.session import Session

SAMPLES = 2000  # random w from which directions are found
PREVIEW_S = 0.25  # between two images of a drag


@dataclass(frozen=True)
class KeptDirections:
    """Directions that were uploaded or found, by name, and the network that they are for."""

    network: str
    space: str
    directions: dict[str, Direction]

    @property
    def bytes(self) -> int:
        return sum(_bytes(direction) for direction in self.directions.values())


class Editor:
    """Moves latents of a session."""

    def __init__(self, session: Session):
        self._session = session
        limits = session.limits
        self._kept: Store[KeptDirections] = Store(
            "directions", count=limits.directions, size_bytes=limits.direction_bytes, seconds=limits.kept_s
        )

    # Edits

    def edit(self, request: Edit) -> Tensor:
        """Return the edited image, [C, H, W] uint8. Raises: ConfigError, BusyError."""
        return self._edited(request)[1]

    def keep(self, request: Edit, kind: str = "edit") -> tuple[Kept, Tensor]:
        """Keep the edited latent, and return it with its image. Raises: ConfigError, BusyError."""
        latent, image = self._edited(request)
        G = self._session._open(request.network).G
        return self._session.latents.keep(latent, G, request.network, kind), image

    def _edited(self, request: Edit) -> tuple[Latent, Tensor]:
        session = self._session
        opened = session._open(request.network)
        session._require_room(opened, 1)
        layers = None if request.layers is None else parse_styles(request.layers, opened.G.num_ws)
        if request.mix is not None and layers is None:
            raise ConfigError("`mix` needs the layers that it changes; choose them with `layers`, such as fine.")
        points = session._resolved(opened, [request.start, *([] if request.mix is None else [request.mix])])
        strengths = [(self._direction(opened, move.name, move.file), move.strength) for move in request.directions]

        def work() -> tuple[Latent, Tensor]:
            latent, *others = session._to_latents(opened, request, points)
            for other in others:
                latent = mixed(latent, other, layers or [])
            latent = edit(latent, strengths, None if others else layers)
            G = opened.fast if latent.is_plain else opened.G
            with opened.moved((request.translate[0], request.translate[1]), request.rotate, G), opened.threads():
                return latent, next(draw(G, [latent], noise_mode=request.noise_mode))

        return session._worker.call(work)

    # Latents

    def upload_latents(self, network: str, content: bytes) -> list[Kept]:
        """Keep the latents of an uploaded file. Raises: DataError, ConfigError."""
        session = self._session
        opened = session._open(network)
        with session._decoding, spooled(content, session._shelf.folder / "uploads") as file:
            found = load_latents(file, opened.G, max_bytes=session.limits.unpacked_bytes)
            for latent in found:
                self._require_drawable(opened, latent)
        if len(found) > session.limits.latents:
            raise ConfigError(f"the studio keeps {session.limits.latents} latents, got {len(found)}; upload fewer.")
        return [session.latents.keep(latent, opened.G, network, "upload") for latent in found]

    def latent_file(self, kept: Kept) -> bytes:
        """Return the .npz of a latent."""
        return _written(lambda file: save_latent(kept.latent, self._session._open(kept.network).G, file))

    def _require_drawable(self, opened: OpenedNetwork, latent: Latent) -> None:
        """Raises: ConfigError for offsets that do not fit the layers of the network."""
        if latent.is_plain:
            return
        try:
            self._session._worker.call(lambda: list(draw(opened.G, [latent])))
        except RuntimeError as error:
            raise ConfigError("the uploaded file changes layers by values that do not fit this network.") from error

    # Directions

    def directions(self, network: str) -> list[dict[str, Any]]:
        """Return the directions that a network has: its own, and the kept ones that fit."""
        opened = self._session._open(network)
        rows = [_row(direction, None) for direction in opened.directions.values()]
        space = space_of(opened.G)
        for id, kept in self._kept.values().items():
            if kept.space == space:
                rows += [_row(direction, id) for direction in kept.directions.values()]
        return rows

    def upload_directions(self, network: str, content: bytes) -> str:
        """Keep an uploaded file of directions and return its id. Raises: DataError, ConfigError."""
        session = self._session
        opened = session._open(network)
        with session._decoding, spooled(content, session._shelf.folder / "uploads") as file:
            found = load_directions(file, opened.G, max_bytes=session.limits.unpacked_bytes)
        return self._keep_directions(network, found)

    def direction_file(self, id: str) -> bytes | None:
        """Return the .npz of kept directions, or None for an unknown id."""
        kept = self._kept.get(id)
        return None if kept is None else _written(lambda file: save_directions(list(kept.directions.values()), file))

    def find(self, request: Find) -> Job:
        """Start to find directions; its job leaves directions.npz and keeps them. Raises: ConfigError, BusyError."""
        session = self._session
        opened = session._open(request.network)
        G = opened.G
        layers = None if request.layers is None else parse_styles(request.layers, G.num_ws)
        class_labels(G, request.label, 1)
        job = session._shelf.new("find", 1)

        def work() -> None:
            w = random_ws(G, request.label, SAMPLES)[:, 0]
            found = find_directions(G, w, request.method, count=request.count, layers=layers)
            save_directions(found, job.file("directions.npz"))
            job.files["directions.npz"] = job.file("directions.npz")
            job.facts["directions"] = self._keep_directions(request.network, {one.name: one for one in found})
            job.report(1)

        return session._start(job, work)

    def _keep_directions(self, network: str, found: dict[str, Direction]) -> str:
        kept = KeptDirections(network, next(iter(found.values())).space, found)
        return self._kept.put(kept, kept.bytes)

    def _direction(self, opened: OpenedNetwork, name: str, file: str | None) -> Direction:
        found = opened.directions
        if file is not None:
            kept = self._kept.get(file)
            if kept is None:
                raise ConfigError(f"{file} is unknown, or was removed because it was not used; upload the file again.")
            found = kept.directions
        if name not in found:
            names = ", ".join(list(found)[:10]) or "none"
            raise ConfigError(f"the directions are {names}, got {name[:100]!r}; choose one of them.")
        return found[name]

    # Dragging

    def drag(self, request: Drag) -> Job:
        """Start to move points; its job leaves dragged.npz and dragged.png, and keeps the latent.

        Raises: ConfigError for points outside the image, DataError for a mask that is no image, BusyError.
        """
        session = self._session
        opened = session._open(request.network)
        side = opened.G.img_resolution
        pairs = [((p.handle[0], p.handle[1]), (p.target[0], p.target[1])) for p in request.points]
        if wrong := [x for pair in pairs for point in pair for x in point if x > side - 1]:
            raise ConfigError(f"points are from 0 to {side - 1} in images of this network, got {wrong[0]:g}.")
        mask = None if request.mask is None else self._mask(request.mask, opened)
        points = session._resolved(opened, [request.start])
        settings = DragSettings(method=request.method, space=request.space, steps=request.steps)
        job = session._shelf.new("drag", request.steps)
        shown = 0.0

        def work() -> None:
            G = copy.deepcopy(opened.G)  # calls draw with the other one between two steps
            latent = session._to_latents(opened, request, points)[0]

            def watch(step: int, places: Tensor, now: Latent) -> None:
                nonlocal shown
                job.facts["points"] = [[round(value, 1) for value in place] for place in places.tolist()]
                image = None
                if time.monotonic() - shown > PREVIEW_S:
                    image, shown = next(draw(G, [now])), time.monotonic()
                job.report(step, image)

            with opened.threads():
                result = drag(G, latent, pairs, mask=mask, settings=settings, watch=watch)
            job.step, job.image = result.steps, next(draw(G, [result.latent]))
            save_latent(result.latent, G, job.file("dragged.npz"))
            save_png(job.image, job.file("dragged.png"))
            job.files |= {name: job.file(name) for name in ("dragged.npz", "dragged.png")}
            job.facts |= {
                "before": round(result.before, 2),
                "after": round(result.after, 2),
                "points": [[round(value, 1) for value in place] for place in result.found.tolist()],
                "latent": session.latents.keep(result.latent, G, request.network, "drag").id,
            }

        return session._start(job, work)

    def _mask(self, text: str, opened: OpenedNetwork) -> Tensor:
        try:
            file = io.BytesIO(base64.b64decode(text, validate=True))
            read_header(file)
        except (binascii.Error, ValueError) as error:
            raise DataError("`mask` is an image in base64, got something else.") from error
        except DataError as error:
            raise DataError(f"`mask` is an image in base64: {error}.") from error
        side = opened.G.img_resolution
        header = read_header(file)
        if (header.width, header.height) != (side, side):
            raise ConfigError(f"a mask of this network has {side}x{side} pixels, got {header.width}x{header.height}.")
        return read_mask(file, opened.G)


def _written(write: Any) -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file.npz"
        write(file)
        return file.read_bytes()


def _row(direction: Direction, file: str | None) -> dict[str, Any]:
    return {
        "name": direction.name,
        "file": file,
        "method": direction.method,
        "note": direction.note,
        "layers": None if direction.layers is None else list(direction.layers),
        "space": "style" if direction.styles else "w",
    }


def _bytes(direction: Direction) -> int:
    parts = [direction.vector] if isinstance(direction.vector, Tensor) else direction.vector.values()
    return sum(part.nbytes for part in parts)
