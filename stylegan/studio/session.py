"""The session: the networks, caches and jobs of a studio, without a user interface.

The HTTP API calls it, and a script can do the same:

    with Session() as session:
        images = session.generate(Generate(network="avatars64", seeds=[1, 2, 3], psi=0.7))
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from stylegan.errors import ConfigError, DataError, StyleGANError
from stylegan.files.paths import local_path
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_uint8
from stylegan.images.png import save_png
from stylegan.images.read import read_header, read_image
from stylegan.images.video import check_video, save_video
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.projector import ProjectorSettings, project
from stylegan.inversion.target import as_target
from stylegan.machine.devices import resolve_device
from stylegan.models import bundled
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.generate import batched, draw, seeds_to_ws
from stylegan.sampling.interpolation import loop
from stylegan.sampling.labels import class_labels
from stylegan.sampling.latent import Latent, check_space
from stylegan.sampling.latent_file import save_latent
from stylegan.sampling.latents import MAX_SEED
from stylegan.sampling.mixing import mixing_matrix, parse_styles
from stylegan.sampling.song import dance, hear, read_sound
from stylegan.studio.added import Added
from stylegan.studio.bending import Bending
from stylegan.studio.cache import TensorCache
from stylegan.studio.datasets import DataSets
from stylegan.studio.editor import Editor
from stylegan.studio.jobs import Job, Shelf
from stylegan.studio.latents import Latents
from stylegan.studio.limits import Limits
from stylegan.studio.live import Live
from stylegan.studio.opened import OpenedNetwork, facts
from stylegan.studio.requests import Dance, Drawing, Generate, Interpolate, Mix, Project, Walk
from stylegan.studio.training import Trainer
from stylegan.studio.worker import Worker

BATCH = 8  # images at a time within a longer call


class _Manner(NamedTuple):
    """The manner in which ws become images; calls with the same manner are drawn together."""

    network: str
    noise_mode: str
    translate: tuple[float, ...]
    rotate: float


class _Wanted(NamedTuple):
    """A call's part of a drawing: ws [N, num_ws, w_dim] that are made of the w of seeds, seed -> [num_ws, w_dim]."""

    request: Drawing
    seeds: Sequence[int]
    ws: Callable[[Mapping[int, Tensor]], Tensor]


class Session:
    """Draws, mixes, interpolates and projects; any number of threads may call it, and one thread computes.

    Its parts do the rest: `latents` keeps latents, `editor` edits and drags them, `bending` bends and blends networks,
    and `added` takes and writes files of networks.

    Args:
        networks: name -> checkpoint, folder of a run, or name of a bundled network; None for the bundled ones.
        device: as in `stylegan.load`.
        precision: as in `G.for_inference`.
        limits: None for those of `Limits`.
        runs: folder of the runs that `trainer` trains; None for a session without training.
        data: folder whose data sets are offered to it.
    Raises: ConfigError without a network.
    """

    def __init__(
        self,
        networks: Mapping[str, Path | str] | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        limits: Limits | None = None,
        runs: Path | str | None = None,
        data: Path | str | None = None,
    ):
        self.sources: dict[str, Path | str] = dict({name: name for name in bundled()} if networks is None else networks)
        if not self.sources:
            raise ConfigError("the studio needs at least one network, got none.")
        self.limits = limits or Limits()
        self.device, self.precision = resolve_device(device), precision
        self._opened: OrderedDict[str, OpenedNetwork] = OrderedDict()
        self._opening = threading.Lock()
        self._decoding = threading.Lock()  # one upload at a time: a large one takes 100 MB as pixels
        self._images = TensorCache(self.limits.image_cache_bytes)
        self._ws = TensorCache(self.limits.w_cache_bytes)
        self._perceptual: PerceptualDistance | None = None
        self._shelf = Shelf(self.limits)
        self._worker = Worker(self._draw_together, self.limits)
        self.latents = Latents(self.limits)
        self.editor, self.bending, self.added = Editor(self), Bending(self), Added(self)
        self.live = Live(self, self.limits.streams)
        self.trainer = self._new_trainer(local_path(runs), data) if runs is not None else None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the calls that wait, cancel the jobs and remove their files, and stop streams and the training."""
        self.live.close()
        if self.trainer is not None:
            self.trainer.close()
        self._worker.close()
        self._shelf.close()

    @property
    def load(self) -> dict[str, int]:
        """Return the numbers of waiting calls and of waiting and running jobs."""
        return self._worker.load

    def warm(self) -> None:
        """Open the first network and draw with it, so that the first call does not wait for that."""
        with suppress(StyleGANError):
            opened = self._open(next(iter(self.sources)))
            self._worker.call(lambda: opened.draw(torch.zeros(1, opened.G.num_ws, opened.G.w_dim, device=self.device)))

    # Networks

    def networks(self) -> list[dict[str, Any]]:
        """Return the name of each network, its path, and what its checkpoint says about itself."""
        return [
            {"name": name, "source": self.added.shown(name, source), "added": name in self.added, **facts(source)}
            for name, source in list(self.sources.items())
        ]

    def card(self, name: str, *, layers: bool = True) -> dict[str, Any]:
        """Return all that is known about a network, see `OpenedNetwork.card`; with its layers, or without."""
        opened = self._open(name)
        card = {"name": name, **self._worker.call(opened.card)}
        return {**card, "layers": self._worker.call(opened.layers)} if layers else card

    def source(self, name: str) -> Path | str:
        """Return the path or the bundled name of a network. Raises: ConfigError for an unknown name."""
        if name not in self.sources:
            raise ConfigError(f"`network` must be one of {', '.join(self.sources)}, got {name!r}.")
        return self.sources[name]

    def _new_trainer(self, runs: Path, data: Path | str | None) -> Trainer:
        offered: dict[str, Path] = {}

        def offer(snapshots: dict[str, Path]) -> None:
            for name in offered.keys() - snapshots.keys():
                self.sources.pop(name, None)
            offered.clear()
            offered.update(snapshots)
            self.sources.update(snapshots)

        datasets = DataSets(local_path(data) if data is not None else None, runs / "data", self._shelf, self.limits)
        return Trainer(runs, datasets, device=self.device, source=self.source, compute=self._worker.call, offer=offer)

    def _open(self, name: str) -> OpenedNetwork:
        """Raises: ConfigError for an unknown name, CheckpointError for a checkpoint that cannot be read."""
        source = self.source(name)
        with self._opening:
            if name not in self._opened:
                self._opened[name] = OpenedNetwork(source, self.device, self.precision)
                while len(self._opened) > self.limits.networks:
                    self._opened.popitem(last=False)
            self._opened.move_to_end(name)
            return self._opened[name]

    # Images

    def generate(self, request: Generate) -> Tensor:
        """Return one image per seed or latent, [N, C, H, W] uint8. Raises: ConfigError, BusyError."""
        opened = self._open(request.network)
        self._require_room(opened, len(request.seeds))
        self._resolved(opened, request.seeds)  # a latent that was removed may still have its image in the cache
        keys = [_key(request, seed) for seed in request.seeds]
        found = dict(zip(keys, map(self._images.get, keys), strict=True))
        missing = [seed for seed, key in zip(request.seeds, keys, strict=True) if found[key] is None]
        if request.noise_mode == "random":
            missing = list(request.seeds)
        if missing:
            images = self._draw_points(opened, request, missing)
            if request.noise_mode == "random":
                return images
            for seed, image in zip(missing, images, strict=True):
                found[_key(request, seed)] = image
                self._images.put(_key(request, seed), image.clone())
        return torch.stack([image for key in keys if (image := found[key]) is not None])

    def ws(self, request: Generate) -> Tensor:
        """Return the ws of the seeds, [N, num_ws, w_dim], on the CPU. Raises: ConfigError for latents, BusyError."""
        seeds = [seed for seed in request.seeds if isinstance(seed, int)]
        if len(seeds) < len(request.seeds):
            raise ConfigError("npz holds the w of seeds, got a latent; download it from /v1/latents.")
        opened = self._open(request.network)
        return self._worker.call(lambda: self._seeds_to_ws(opened, request, seeds).cpu())

    def walk(self, request: Walk) -> Tensor:
        """Return the frames of a walk, [frames, C, H, W] uint8. Raises: ConfigError, BusyError."""
        opened = self._open(request.network)
        self._require_room(opened, request.frames)

        places = [request.start + k * request.step for k in range(request.frames)]
        first = [int(place // 1) % (MAX_SEED + 1) for place in places]
        second = [(seed + 1) % (MAX_SEED + 1) for seed in first]
        weights = [place % 1 for place in places]

        def ws(rows: Mapping[int, Tensor]) -> Tensor:
            return torch.stack(
                [torch.lerp(rows[a], rows[b], t) for a, b, t in zip(first, second, weights, strict=True)]
            )

        return self._draw(_Wanted(request, [*first, *second], ws), request.frames)

    def frame(
        self, request: Drawing, first: int, second: int, weight: float, move: Callable[[Tensor], Tensor] = lambda ws: ws
    ) -> Tensor:
        """Return one image between two seeds, [C, H, W] uint8.

        Args:
            weight: 0 is the first seed and 1 the second, in w.
            move: what is done to the ws [num_ws, w_dim] before it is drawn.
        Raises: ConfigError, BusyError.
        """
        self._open(request.network)
        ws = lambda rows: move(torch.lerp(rows[first], rows[second], weight))[None]  # noqa: E731
        return self._draw(_Wanted(request, [first, second], ws), 1)[0]

    def mix(self, request: Mix) -> Tensor:
        """Return the sheet of a mixing matrix, [C, rows * H, columns * W] uint8. Raises: ConfigError, BusyError."""
        opened = self._open(request.network)
        columns, rows = len(request.cols) + 1, len(request.rows) + 1
        self._require_room(opened, columns * rows)
        layers = parse_styles(request.styles, opened.G.num_ws)
        manner, exact = _manner(request), self.latents.exact([*request.rows, *request.cols])
        row_points, col_points = (self._resolved(opened, points) for points in (request.rows, request.cols))

        def sheet() -> Tensor:
            images = mixing_matrix(
                opened.towards(request.center, exact),
                row_points,
                col_points,
                layers,
                label=request.label,
                psi=request.psi,
                cutoff=request.cutoff,
                noise_mode=request.noise_mode,
                batch=BATCH,
            )
            with opened.moved(*_motion(manner), opened.G if exact else None):
                return make_grid(images, columns, rows)

        return self._worker.call(sheet)

    # Jobs

    def interpolate(self, request: Interpolate) -> Job:
        """Start to draw a loop; it leaves the file loop.webp or loop.gif. Raises: ConfigError, BusyError."""
        opened = self._open(request.network)
        total = len(request.seeds) * request.frames
        pixels = total * opened.G.img_resolution**2
        if pixels > self.limits.loop_pixels:
            raise ConfigError(
                f"a loop has at most {self.limits.loop_pixels:,} pixels in all frames, got {pixels:,}; use fewer "
                "`frames` or seeds."
            )
        name = f"loop.{request.format}"
        check_video(name, request.fps)
        exact = self.latents.exact(request.seeds)
        G = opened.G if exact else opened.fast
        ws = loop(
            opened.towards(request.center, exact),
            self._resolved(opened, request.seeds),
            request.frames,
            space=request.space,
            easing=request.easing,
            labels=[] if request.label is None else [request.label],
            psi=request.psi,
            cutoff=request.cutoff,
        )
        job = self._shelf.new("interpolate", total)

        def work() -> None:
            save_video(self._frames(job, opened, G, request, ws), job.file(name), fps=request.fps)
            job.files[name] = job.file(name)

        return self._start(job, work)

    def dance(self, request: Dance, upload: BinaryIO) -> Job:
        """Start to draw a video that a song drives; it leaves song.mp4, with the sound.

        Args:
            upload: a file with sound.
        Raises: DataError for a file without sound, or too long; ConfigError, BusyError, MissingExtra without PyAV.
        """
        opened = self._open(request.network)
        job = self._shelf.new("song", 1)
        try:
            sound = job.file("sound")
            sound.write_bytes(upload.read())
            with self._decoding:
                heard = hear(read_sound(sound, self.limits.song_s), request.fps)
            if len(heard) * opened.G.img_resolution**2 > self.limits.song_pixels:
                raise ConfigError(
                    f"a video has at most {self.limits.song_pixels:,} pixels in all frames; use fewer `fps`, or a "
                    "shorter song."
                )
            seeds = [int(seed) for seed in request.seeds.split(",")]
            if max(seeds) > MAX_SEED:
                raise ConfigError(f"`seeds` are at most {MAX_SEED}, got {max(seeds)}.")
            class_labels(opened.G, request.label, 1)
        except BaseException:
            self._shelf.discard(job)
            raise
        job.total = len(heard)
        drawing = Drawing.model_validate({"network": request.network})

        def work() -> None:
            ws = dance(
                opened.fast, seeds, heard,
                drive=request.drive, pulse=request.pulse, label=request.label, psi=request.psi,
            )  # fmt: skip
            save_video(
                self._frames(job, opened, opened.fast, drawing, ws), job.file("song.mp4"), fps=request.fps, sound=sound
            )
            job.files["song.mp4"] = job.file("song.mp4")

        return self._start(job, work)

    def _frames(
        self, job: Job, opened: OpenedNetwork, G: Any, request: Drawing, ws: Iterator[Latent]
    ) -> Iterator[Tensor]:
        """Draw the frames of a video with a form of the network, and report each as progress of its job."""
        for part in batched(ws, BATCH):
            with opened.moved(*_motion(_manner(request)), G):
                images = list(draw(G, part, noise_mode=request.noise_mode, batch=BATCH))
            for image in images:
                yield image
                job.report(job.step + 1, image)

    def project(self, request: Project, upload: BinaryIO) -> Job:
        """Start to search for the latent of an uploaded image; it leaves projected_w.npz and images, and is kept.

        Args:
            upload: any seekable file with an image; its middle square is used.
        Raises: DataError for a file that is not an image, or too large; ConfigError, BusyError.
        """
        opened = self._open(request.network)
        G = opened.G
        if G.img_channels not in (1, 3):
            raise ConfigError(f"the projector compares gray or RGB images, got {G.img_channels} channels.")
        class_labels(G, request.label, 1)
        with self._decoding:
            target = self._target(upload, G, request.fit)
        settings = ProjectorSettings(steps=request.steps, examples=request.examples)
        steps = request.steps + (max(request.steps // 2, 1) if request.space == "f" else 0)
        job = self._shelf.new("project", steps)
        job.files["target.png"] = job.file("target.png")
        save_png(target, job.files["target.png"])

        def work() -> None:
            G = copy.deepcopy(opened.G)  # calls draw with the other one between two steps
            if self._perceptual is None:
                self._perceptual = PerceptualDistance(self.device)
            # Before every forward pass, since the search begins with hundreds of images that it does not show.
            pausing = G.synthesis.register_forward_pre_hook(lambda *_: job.pause())
            try:
                found = project(
                    G,
                    target[None],
                    space=request.space,
                    settings=settings,
                    label=request.label,
                    perceptual=self._perceptual,
                    watch=lambda step, images: job.report(step, to_uint8(images)[0].cpu()),
                )
            finally:
                pausing.remove()
            job.step, job.image = steps, found.images[0]
            save_latent(found.latents[0], G, job.file("projected_w.npz"))
            save_png(found.images[0], job.file("proj.png"))
            job.files |= {name: job.file(name) for name in ("projected_w.npz", "proj.png")}
            job.facts |= {
                "psnr": round(found.psnr[0], 2),
                "distance": round(found.distance[0], 4),
                "typicality": round(found.typicality[0], 2),
                "latent": self.latents.keep(found.latents[0], G, request.network, "photo").id,
            }

        return self._start(job, work)

    def jobs(self) -> list[Job]:
        """Return the jobs, the oldest first; finished ones are removed after a while."""
        return self._shelf.all()

    def job(self, id: str) -> Job | None:
        """Return a job, or None for one that is unknown or was removed."""
        return self._shelf.get(id)

    def _start(self, job: Job, work: Callable[[], None]) -> Job:
        try:
            self._worker.start(job, work)
        except Exception:
            self._shelf.discard(job)
            raise
        return job

    # Parts of the above

    def _draw(self, wanted: _Wanted, images: int) -> Tensor:
        return self._worker.draw(_manner(wanted.request), wanted, images)

    def _draw_points(self, opened: OpenedNetwork, request: Drawing, points: Sequence[int | str]) -> Tensor:
        """Return one image per seed or kept latent. Raises: ConfigError for a latent that is not kept, BusyError."""
        resolved = self._resolved(opened, points)
        if not self.latents.exact(points):
            seeds = [point for point in resolved if not isinstance(point, Latent)]
            return self._draw(_Wanted(request, seeds, lambda rows: self._stacked(resolved, rows)), len(points))
        return self._worker.call(lambda: self._draw_exactly(opened, request, resolved, opened.G))

    def _draw_exactly(
        self, opened: OpenedNetwork, request: Drawing, points: Sequence[int | Latent], G: FamilyGenerator
    ) -> Tensor:
        """Draw with a network as it was trained, `opened.G` or one with its mapping network, in the worker."""
        latents = self._to_latents(opened, request, points)
        with opened.moved(*_motion(_manner(request)), G), opened.threads():
            return torch.stack(list(draw(G, latents, noise_mode=request.noise_mode, batch=BATCH)))

    def _resolved(self, opened: OpenedNetwork, points: Sequence[int | str]) -> list[int | Latent]:
        """Return seeds, and the latents of ids. Raises: ConfigError for one that is unknown or of another network."""
        found = [self.latents.get(point).latent if isinstance(point, str) else point for point in points]
        for point in found:
            if isinstance(point, Latent):
                check_space(point, opened.G)
        return found

    def _to_latents(self, opened: OpenedNetwork, request: Drawing, points: Sequence[int | Latent]) -> list[Latent]:
        ws = iter(self._seeds_to_ws(opened, request, [point for point in points if isinstance(point, int)]))
        return [point if isinstance(point, Latent) else Latent(ws=next(ws)) for point in points]

    def _stacked(self, points: Sequence[int | Latent], rows: Mapping[int, Tensor]) -> Tensor:
        return torch.stack([p.ws.to(self.device) if isinstance(p, Latent) else rows[p] for p in points])

    def _draw_together(self, manner: _Manner, parts: list[_Wanted]) -> Sequence[Tensor]:
        """Return the images of each part; the seeds that are mapped alike are mapped together too."""
        opened = self._open(manner.network)
        alike: dict[tuple, list[_Wanted]] = {}
        for part in parts:
            alike.setdefault(_mapping(part.request), []).append(part)
        rows = {}
        for mapping, those in alike.items():
            seeds = list({seed: None for part in those for seed in part.seeds})
            rows[mapping] = dict(zip(seeds, self._seeds_to_ws(opened, those[0].request, seeds), strict=True))
        ws = [part.ws(rows[_mapping(part.request)]) for part in parts]
        with opened.moved(*_motion(manner)), opened.threads():
            batches = torch.cat(ws).split(self.limits.together)
            images = [opened.draw(batch, manner.noise_mode) for batch in batches]
        return torch.cat(images).split([len(part) for part in ws])

    def _seeds_to_ws(self, opened: OpenedNetwork, request: Drawing, seeds: Sequence[int]) -> Tensor:
        """Return the ws of seeds, [N, num_ws, w_dim]; each is computed once as long as the cache keeps it."""
        known = {seed: self._ws.get(_w_key(request, seed)) for seed in seeds}
        missing = [seed for seed, w in known.items() if w is None]
        if missing:
            G = opened.towards(request.center)
            with opened.threads():
                found = seeds_to_ws(G, missing, label=request.label, psi=request.psi, cutoff=request.cutoff)
            for seed, w in zip(missing, found, strict=True):
                known[seed] = w
                self._ws.put(_w_key(request, seed), w.clone())
        rows = [w for seed in seeds if (w := known[seed]) is not None]
        return torch.stack(rows) if rows else torch.empty(0, opened.G.num_ws, opened.G.w_dim)

    def _require_room(self, opened: OpenedNetwork, images: int) -> None:
        pixels = images * opened.G.img_resolution**2
        if pixels > self.limits.pixels:
            raise ConfigError(
                f"one call draws at most {self.limits.pixels:,} pixels, got {pixels:,}; ask for fewer images."
            )

    def _target(self, upload: BinaryIO, G: FamilyGenerator, fit: str) -> Tensor:
        try:
            header = read_header(upload)
            if header.width * header.height > self.limits.upload_pixels:
                raise DataError(
                    f"it has {header.width}x{header.height} pixels, more than the limit of "
                    f"{self.limits.upload_pixels}; make it smaller"
                )
            return as_target(read_image(upload), G, fit)
        except DataError as error:
            raise DataError(f"the uploaded file cannot be used: {error}.") from error


def _manner(request: Drawing) -> _Manner:
    return _Manner(request.network, request.noise_mode, tuple(request.translate), request.rotate)


def _motion(manner: _Manner) -> tuple[tuple[float, float], float]:
    x, y = manner.translate
    return (x, y), manner.rotate


def _mapping(request: Drawing) -> tuple:
    """Return the manner in which seeds become ws."""
    return request.network, request.label, request.psi, request.cutoff, request.center


def _w_key(request: Drawing, seed: int | str) -> tuple:
    return *_mapping(request), seed


def _key(request: Drawing, seed: int | str) -> tuple:
    return _manner(request), _w_key(request, seed)
