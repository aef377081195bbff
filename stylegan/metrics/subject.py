"""All that a metric may measure with, and the features that several metrics share."""

from __future__ import annotations

import hashlib
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.data.subset import Subset
from stylegan.errors import ConfigError, DataError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.cache import default_cache
from stylegan.files.counted import counted
from stylegan.machine.processes import World
from stylegan.metrics.batches import Batches, fake_batches, gather_rows, image_batches, real_batches
from stylegan.metrics.features import check_channels, features_of
from stylegan.metrics.frechet import FeatureStatistics
from stylegan.metrics.passes import KeptPasses, Rows, Sums, pass_file, read_pass, run_pass
from stylegan.metrics.protocol import Score, Track, check_alike, check_fits, join_name, untracked
from stylegan.networks.protocol import GeneratorLike, device_of


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network, or a folder of images, that is measured.

    Attributes:
        G: in the precision that the metric asks for; None if `images` are measured.
        num: images to draw, or to take from `images`.
        images: generated images, in place of a network.
        dataset: real images, and the labels of a network that has some.
        network: the feature network, or the perceptual distance, of the metric.
        cache: folder of what is kept of real images; None for that of data sets.
        track: sees every stream of batches, to show progress.
        world: the processes that share the work, all with the same arguments.
        kept: features that were computed for other metrics of the same network, data and seed.
        network_sha256: of the weights of `G`; without it, nothing is kept of an interrupted measurement of `G`.
    """

    G: GeneratorLike | None = None
    num: int
    seed: int = 0
    images: Dataset | None = None
    dataset: Dataset | None = None
    network: Any = None
    cache: str | Path | None = None
    track: Track = untracked
    world: World = field(default_factory=World)
    kept: KeptPasses = field(default_factory=KeptPasses, repr=False)
    network_sha256: str | None = None

    @property
    def generator(self) -> GeneratorLike:
        """The network. Raises: ConfigError if images are measured."""
        if self.G is None:
            raise ConfigError("this metric measures a network, not a folder of images; give `network`.")
        return self.G

    @property
    def reals(self) -> Dataset:
        """The real images. Raises: ConfigError if there are none."""
        if self.dataset is None:
            raise ConfigError("this metric compares with real images; give the data set.")
        return self.dataset

    @property
    def features(self) -> Any:
        """The feature network. Raises: ConfigError if there is none."""
        if self.network is None:
            raise ConfigError("this metric compares features; give the feature network.")
        return self.network

    @property
    def device(self) -> torch.device:
        """Device that compares large matrices of features: a GPU of CUDA if the network is on one, else the CPU."""
        device = device_of(self.G) if self.G is not None else torch.device("cpu")
        return device if device.type == "cuda" else torch.device("cpu")

    def check(self, least: int = 1) -> None:
        """Raises ConfigError for fewer than `least` images, for real ones unlike those that are drawn, and for images
        that feature networks do not take."""
        if self.num < 1:
            raise ConfigError(f"the number of images to draw must be at least 1, got {self.num}.")
        for n, what in ((self.num, "generated"), (len(self.dataset) if self.dataset else least, "real")):
            if n < least:
                raise ConfigError(f"this metric compares at least {least} {what} images, got {n}; use more.")
        if self.images is not None:
            if len(self.images) < self.num:
                raise ConfigError(
                    f"{self.images.name} holds {counted(len(self.images), 'image')}, and {self.num:,} are to be "
                    "measured; put a smaller number in the name of the metric."
                )
            check_channels(self.images.channels)
            if self.dataset is not None:
                check_alike(self.images, self.dataset)
            return
        if self.dataset is not None:
            check_fits(self.generator, self.dataset)
        elif self.generator.c_dim:
            raise ConfigError(
                f"this network takes {self.generator.c_dim} label values; measure with the data that it was trained on."
            )
        check_channels(self.generator.img_channels)

    def fakes(self) -> Tensor:
        """Return the features of the generated images, [num, F] float32 on the CPU; computed once."""
        key = ("fakes", self.num, self.features.name, type(self.features))
        if key not in self.kept:
            if self.images is None:
                batches = fake_batches(self.generator, self.dataset, self.num, self.seed, self.world)
            else:
                batches = image_batches(self.images, self.chosen_images(), self.world)
            with self.forked_random_numbers():
                self.kept[key] = self.rows("fakes", batches, self.num, self._extract, "Drawing")
        return self.kept[key]

    def rows(
        self,
        kind: str,
        batches: Batches,
        count: int,
        compute: Callable[[Any], Tensor],
        what: str,
        *,
        real: bool = False,
    ) -> Tensor:
        """Return the rows that all processes compute for their batches, [count, F] on the CPU.

        An interrupted process continues where it was; its file is removed together with `kept`.

        Args:
            kind: a word for the numbers, which with the protocol of the subject identifies them.
            compute: a batch -> its rows, [N, F].
            what: the batches are, for `track`.
            real: of the data set, whatever is measured.
        """
        file = self._pass_file(kind, batches, real=real)
        found = Rows(read_pass(file))
        with self.world.all_or_none():
            run_pass(found, (compute(batch) for batch in self._remaining(batches, found.done, what)), file)
        return gather_rows(found.tensors().get("x"), count, batches.first, self.world)

    def _remaining(self, batches: Batches, done: int, what: str) -> Iterable[Any]:
        already = f", {done} of {batches.total} batches were done before" if done else ""
        return self.track(batches.after(done), f"{what}{already}", batches.total - done)

    def _extract(self, images: Tensor) -> Tensor:
        return features_of(images, self.features)

    def _pass_file(self, kind: str, batches: Batches, *, real: bool) -> Path | None:
        """Return the file of a pass with all that its numbers depend on as name; None if that is unknown."""
        if self.G is not None and self.network_sha256 is None and not real:
            return None
        drawn = (
            _identity(self.images) if self.images else None,
            self.network_sha256,
            _form_of(self.G),
            self.num,
            self.seed,
        )
        network, data = self.network, self.dataset
        file = pass_file(
            Path(self.cache or default_cache()),
            (
                kind,
                None if real else (drawn, device_of(self.G).type if self.G is not None else None),
                data and (data.fingerprint, data.selection, data.label_dim),
                network and (network.name, network.sha256, network.resize, type(network).__name__),
                (batches.total, batches.first, self.world.rank, self.world.size),
                (torch.__version__, platform.python_version()),
            ),
        )
        self.kept.files.append(file)
        return file

    def chosen_images(self) -> np.ndarray:
        """Return the indices of the measured ones of `images`, int64 [num], in order."""
        assert self.images is not None
        return np.sort(np.random.RandomState(self.seed).permutation(len(self.images))[: self.num])

    def real_features(self) -> Tensor:
        """Return the features of all real images, [n, F] float32 on the CPU; kept in the cache folder."""
        key, n = self._key_of_reals, len(self.reals)
        if key not in self.kept:

            def compute() -> dict[str, Tensor]:
                batches = self._real_batches()
                return {"x": self.rows("reals", batches, n, self._extract, "Real images", real=True)}

            found = self._cached("features", compute)
            x = found["x"] if found else torch.zeros(n, self.features.feature_dim)
            for block in x.split(4096):
                self.world.broadcast_([block])
            self.kept[key] = x
        return self.kept[key]

    def real_statistics(self) -> FeatureStatistics:
        """Return the sums over the features of all real images, kept in the cache folder; rank 0 has them."""

        if self.kept.features or self._key_of_reals in self.kept:
            return FeatureStatistics.of_rows(self.real_features())

        def compute() -> dict[str, Tensor]:
            batches = self._real_batches()
            file = self._pass_file("statistics", batches, real=True)
            found = Sums(self.features.feature_dim, read_pass(file))
            with self.world.all_or_none():
                remaining = self._remaining(batches, found.done, "Real images")
                run_pass(found, (self._extract(images) for images in remaining), file)
            total = found.total()
            n = torch.tensor(total.n, dtype=torch.float64)
            self.world.sum_([n, total.sum, total.outer])
            return {**total.tensors(), "n": n.long()}

        found = self._cached("", compute)
        return FeatureStatistics.of_tensors(found) if found else FeatureStatistics.none(self.features.feature_dim)

    @property
    def _key_of_reals(self) -> Any:
        return "reals", self.reals.selection, self.features.name, type(self.features)

    def of_class(self, members: np.ndarray) -> Subject:
        """Return the subject with these real images alone, and their labels."""
        return replace(self, dataset=self.part(self.reals, members), kept=self.kept.of_another_subject())

    @staticmethod
    def part(dataset: Dataset, members: np.ndarray) -> Dataset:
        """Return a data set with some of its images alone. Raises: DataError for one with mirrored images."""
        if dataset.subset.copies > 1:
            raise DataError(f"{dataset.name} is mirrored, and classes are measured without; leave out `mirror`.")
        return replace(dataset, subset=Subset(dataset.subset.chosen[members]))

    def score(
        self, key: str, value: float, *, details: dict[str, Any] | None = None, reals: int | None = None
    ) -> Score:
        """Return the score with what it was measured with; `key` is that of the table."""
        network, images, data = self.network, self.images, self.dataset if reals is not None else None
        return Score(
            name=join_name(f"{key}_{network.name}" if network else key, self.num),
            value=value,
            detector=network.name if network else None,
            detector_sha256=network.sha256 if network else None,
            resize=network.resize if network else None,
            quantization="uint8" if network else None,
            fakes=self.num,
            reals=reals,
            images=images.name if images else None,
            images_fingerprint=_identity(images) if images else None,
            network_sha256=self.network_sha256,
            data=data.name if data else None,
            data_fingerprint=_identity(data) if data else None,
            seed=self.seed,
            details=details,
            versions={"torch": torch.__version__, "python": platform.python_version()},
        )

    def on_main(self, compute: Callable[[], Any]) -> Any:
        """Compute in rank 0 what all processes return. Raises: what fails on rank 0, in all of them."""
        with self.world.all_or_none():
            value = compute() if self.world.is_main else None
        return self.world.gather(value)[0]

    @contextmanager
    def forked_random_numbers(self) -> Iterator[None]:
        """Leave torch's global random numbers as they were."""
        device = device_of(self.G) if self.G is not None else torch.device("cpu")
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield

    def _real_batches(self) -> Batches:
        with self.world.all_or_none():
            self.reals.fill_cache(self.track)
        return real_batches(self.reals, self.world)

    def _cached(self, kind: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return what rank 0 finds in the cache folder, or what all processes compute; empty in other ranks if kept."""
        dataset, network = self.reals, self.features
        parts = [dataset.fingerprint, dataset.selection, network.name, network.resize, kind]
        key = " ".join(part for part in parts if part)
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
        file = Path(self.cache or default_cache()) / "metrics" / name
        kept = _read(file) if self.world.is_main else {}
        if self.world.largest(bool(kept)):
            return kept
        passes = len(self.kept.files)
        computed = compute()
        if self.world.is_main:
            try:
                with atomic_file(file) as temporary:
                    save_file(computed, temporary)
            except (OutputError, SafetensorError) as error:
                message = f"the statistics of {dataset.name} are not kept: {error}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
        self.kept.remove(passes)
        return computed


def _read(file: Path) -> dict[str, Tensor]:
    """Return the tensors in a file of the cache; empty if it is missing or damaged."""
    try:
        kept = load_file(file)
    except (OSError, SafetensorError):
        return {}
    return kept if set(kept) in ({"n", "sum", "outer"}, {"x"}) else {}


def _form_of(G: GeneratorLike | None) -> tuple[Any, ...]:
    """Return how `G` computes: its images differ by rounding in another form."""
    synthesis = getattr(G, "synthesis", None)
    return tuple(getattr(synthesis, name, None) for name in ("precision", "compile_requested", "engine"))


def _identity(dataset: Dataset) -> str:
    return f"{dataset.fingerprint}-{dataset.selection}"
