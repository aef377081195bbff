"""The table of metrics. A new one is a row here and a file beside this one.

A name is the key of a row with the number of images in it, and at its end the feature network where there is one:
`fid10k_efflite0`, `eqt50k_frac`, `eqr200`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import torch

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.metrics.equivariance import equivariance
from stylegan.metrics.features import DETECTORS, Detector, check_channels, load_detector
from stylegan.metrics.fid import fid
from stylegan.metrics.protocol import SAME_FEATURES, Score, Track, join_name, split_name, untracked
from stylegan.networks.protocol import GeneratorLike


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The meaning of the scores of a metric."""

    title: str  # of their curve
    unit: str  # of its axis
    lower_is_better: bool
    form: str = "{:.4f}"  # of a score in a line of text

    def text(self, value: float, *, same_as_discriminator: bool = False) -> str:
        """A score as it is printed, such as 12.3456 or 47.92 dB, with a mark if D has the same feature network."""
        return self.form.format(value) + f" ({SAME_FEATURES})" * same_as_discriminator


@dataclass(frozen=True, kw_only=True)
class Subject:
    """All that a metric may measure with."""

    G: GeneratorLike  # in the precision that the metric asks for
    num: int  # images to draw
    seed: int
    dataset: Dataset | None  # real images, and the labels of a network that has some
    detector: Detector | None
    track: Track  # sees every stream of batches, to show progress
    world: World  # the processes that share the work, all with the same arguments

    @property
    def reals(self) -> Dataset:
        """The real images. Raises: ConfigError if there are none."""
        if self.dataset is None:
            raise ConfigError("this metric compares with real images; give the data set.")
        return self.dataset

    @property
    def features(self) -> Detector:
        """The feature network. Raises: ConfigError if there is none."""
        if self.detector is None:
            raise ConfigError("this metric compares features; give the feature network.")
        return self.detector


@dataclass(frozen=True, kw_only=True)
class Metric(Meaning):
    """A row of the table: the meaning of the scores, the requirements of measuring, and its function."""

    measure: Callable[[Subject], Score]
    needs_reals: bool = False  # compares with the images of a data set
    needs_features: bool = False  # sees images through the feature network that its name ends in
    precision: str = "auto"  # of the network, as in `for_inference`
    architectures: tuple[str, ...] = ()  # generations that can be measured; empty for all


def _fid(s: Subject) -> Score:
    return fid(s.G, s.reals, s.features, num=s.num, seed=s.seed, track=s.track, world=s.world)


def _equivariance(kind: str, s: Subject) -> Score:
    return equivariance(s.G, kind, num=s.num, seed=s.seed, dataset=s.dataset, track=s.track, world=s.world)


def _moved(kind: str, title: str) -> Metric:
    return Metric(
        title=title,
        unit="dB",
        lower_is_better=False,
        form="{:.2f} dB",
        measure=partial(_equivariance, kind),
        precision="fp32",  # the difference of two images that are nearly equal must not be that of their rounding
        architectures=("stylegan3",),
    )


METRICS: dict[str, Metric] = {
    "fid": Metric(
        title="Distance from real images",
        unit="0 = alike",
        lower_is_better=True,
        measure=_fid,
        needs_reals=True,
        needs_features=True,
    ),
    "eqt_int": _moved("eqt_int", "Equivariance to whole-pixel shifts"),
    "eqt_frac": _moved("eqt_frac", "Equivariance to shifts"),
    "eqr": _moved("eqr", "Equivariance to rotations"),
}
UNKNOWN = Meaning(title="Score", unit="", lower_is_better=True)  # of a metric that another version measured


@dataclass(frozen=True, kw_only=True)
class Request:
    """A metric, the number of images and the feature network, as one name gives them."""

    key: str  # of the row in METRICS
    num: int
    detector: str | None = None

    @property
    def name(self) -> str:
        """The shortest name, such as fid10k_efflite0."""
        return join_name(f"{self.key}_{self.detector}" if self.detector else self.key, self.num)

    @property
    def metric(self) -> Metric:
        """The row of the table."""
        return METRICS[self.key]

    def check(self, architecture: str, channels: int) -> None:
        """Raises ConfigError if networks of this generation, or these channels, cannot be measured."""
        known = self.metric.architectures
        if known and architecture not in known:
            raise ConfigError(
                f"{self.name} can be measured with {' and '.join(known)} only, not with {architecture}; "
                "leave it out of the metrics."
            )
        if self.metric.needs_features:
            check_channels(channels, self.name)

    def load_detector(self, device: torch.device | str = "cpu") -> Detector | None:
        """The feature network, if the metric has one. Raises: MissingExtra if its weights are not installed."""
        return load_detector(self.detector, device) if self.detector else None

    def measure(
        self,
        G: GeneratorLike,
        *,
        dataset: Dataset | None = None,
        detector: Detector | None = None,
        discriminator_features: str | None = None,
        seed: int = 0,
        track: Track = untracked,
        world: World | None = None,
    ) -> Score:
        """Measure a network with this metric.

        Args:
            G: in the precision `metric.precision`.
            dataset: for a metric that needs reals, or a network with labels.
            detector: the result of `load_detector`.
            discriminator_features: the feature network through which the discriminator of `G` sees images, if any.
            seed: of the latents.
            track: sees every stream of batches, to show progress.
            world: the processes that share the work, each with the same arguments; all get the score.
        Raises: ConfigError if something is missing, or the network does not fit the metric or the data.
        """
        subject = Subject(
            G=G, num=self.num, seed=seed, dataset=dataset, detector=detector, track=track, world=world or World()
        )
        same = self.detector is not None and self.detector == discriminator_features
        return replace(self.metric.measure(subject), same_as_discriminator=same)


def parse(name: str) -> Request:
    """Read a name: "fid10k_efflite0" -> "fid", 10000 images, "efflite0". Raises: ConfigError for any other."""
    kind, num = split_name(name) or ("", 0)
    if kind in METRICS and not METRICS[kind].needs_features:
        return Request(key=kind, num=num)
    key, _, detector = kind.rpartition("_")
    if key in METRICS and METRICS[key].needs_features and detector in DETECTORS:
        return Request(key=key, num=num, detector=detector)
    raise ConfigError(
        f"a metric is {_either(map(_form, METRICS))}, where DETECTOR is {_either(DETECTORS)}, got {name!r}."
    )


def _either(names: Iterable[str]) -> str:
    """ "a", "b", "c" -> "a, b or c" """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _form(key: str) -> str:
    """ "fid" -> "fidNk_DETECTOR" """
    metric, underscore, rest = key.partition("_")
    return f"{metric}Nk{underscore}{rest}{'_DETECTOR' * METRICS[key].needs_features}"


def meaning_of(name: str) -> Meaning:
    """Look up the meaning of a score by its name; `UNKNOWN` for a metric of another version, which a run may hold."""
    key, _ = split_name(name) or ("", 0)
    while key not in METRICS and "_" in key:
        key = key.rpartition("_")[0]  # a feature network, which need not be known
    return METRICS.get(key, UNKNOWN)
