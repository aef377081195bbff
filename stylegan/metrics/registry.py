"""The table of metrics. A new one is a row here and a file beside this one.

A name is the key of a row with the number of images in it, and at its end the network that it sees images through,
where there is one: `fid10k_efflite0`, `ppl1k_wend_efflite0`, `eqt50k_frac`, `eqr200`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.metrics import manifolds
from stylegan.metrics.dci import measure as measure_dci
from stylegan.metrics.distances import DISTANCES
from stylegan.metrics.equivariance import measure as measure_equivariance
from stylegan.metrics.features import DETECTORS, check_channels, load_detector
from stylegan.metrics.fid import measure as measure_fid
from stylegan.metrics.fid import measure_by_class
from stylegan.metrics.inception_score import measure as measure_inception_score
from stylegan.metrics.kid import measure as measure_kid
from stylegan.metrics.mind import measure as measure_mind
from stylegan.metrics.passes import KeptPasses
from stylegan.metrics.path_length import measure as measure_path_length
from stylegan.metrics.protocol import SAME_FEATURES, Score, Track, join_name, split_name, untracked
from stylegan.metrics.separability import measure as measure_separability
from stylegan.metrics.subject import Subject
from stylegan.metrics.torchscript import Lpips, TorchScriptNetwork, is_network_name
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
class Metric(Meaning):
    """A row of the table: the meaning of the scores, the requirements of measuring, and its function."""

    measure: Callable[[Subject], Score]
    official: str | None = None  # name of the same metric in the official tools
    needs_reals: bool = False  # compares with the images of a data set
    needs_features: bool = False  # of each real image, and not only their statistics
    needs_labels: bool = False  # of the data set, whether or not the network has some
    needs_network: bool = False  # draws along paths or moves, so a folder of images will not do
    sees_through: str = ""  # "features" or "distance", by the network that its name ends in
    precision: str = "auto"  # of the network, as in `for_inference`
    architectures: tuple[str, ...] = ()  # generations that can be measured; empty for all

    @property
    def networks(self) -> dict[str, Callable[[torch.device | str], Any]]:
        """The networks that its name may end in, by name, and their loading."""
        return {"features": DETECTORS, "distance": DISTANCES}.get(self.sees_through, {})  # type: ignore[return-value]


def _moved(kind: str, title: str) -> Metric:
    return Metric(
        title=title,
        unit="dB",
        lower_is_better=False,
        form="{:.2f} dB",
        measure=partial(measure_equivariance, kind=kind),
        official=f"{join_name(kind, 50_000)}",
        needs_network=True,
        precision="fp32",  # the difference of two images that are nearly equal must not be that of their rounding
        architectures=("stylegan3",),
    )


def _compared(title: str, unit: str, measure: Callable[[Subject], Score], **more: Any) -> Metric:
    """A comparison of the features of generated and of real images."""
    return Metric(
        **{"lower_is_better": False, "needs_features": True, **more},
        title=title,
        unit=unit,
        measure=measure,
        needs_reals=True,
        sees_through="features",
    )


def _path_length(space: str, *, full: bool, crop: bool) -> Metric:
    places = "random places" if full else "the beginning"
    name = f"ppl_{space}{'full' if full else 'end'}"
    return Metric(
        title=f"Path length in {space.upper()} at {places}{', cropped' * crop}",
        unit="0 = no change",
        lower_is_better=True,
        form="{:.2f}",
        measure=partial(measure_path_length, space=space, full=full, crop=crop),
        official=name if crop else "ppl2_wend" if name == "ppl_wend" else None,
        needs_network=True,
        sees_through="distance",
        precision="fp32",  # the ends of a step differ by a ten-thousandth
    )


METRICS: dict[str, Metric] = {
    "fid": _compared(
        "Distance from real images", "0 = alike", measure_fid, lower_is_better=True, needs_features=False,
        official="fid50k_full",
    ),
    "fid_class": _compared(
        "Distance from real images by class", "0 = alike", measure_by_class, lower_is_better=True,
        needs_features=False, needs_labels=True,
    ),
    "kid": _compared(
        "Kernel distance from real images", "0 = alike", measure_kid, lower_is_better=True, form="{:.5f}",
        official="kid50k_full",
    ),
    "mind": _compared("Monge distance from real images", "0 = alike", measure_mind, lower_is_better=True),
    "precision": _compared(
        "Precision", "share of generated images", manifolds.measure_precision, official="pr50k3_full"
    ),
    "recall": _compared("Recall", "share of real images", manifolds.measure_recall, official="pr50k3_full"),
    "density": _compared("Density", "1 = as dense as real images", manifolds.measure_density),
    "coverage": _compared("Coverage", "share of real images", manifolds.measure_coverage),
    "authenticity": _compared("Authenticity", "share of generated images", manifolds.measure_authenticity),
    "is": Metric(
        title="Inception score",
        unit="classes",
        lower_is_better=False,
        measure=measure_inception_score,
        official="is50k",
        sees_through="features",
    ),
    **{
        f"ppl_{space}{'full' if full else 'end'}{'_crop' * crop}": _path_length(space, full=full, crop=crop)
        for crop in (False, True)
        for space in ("w", "z")
        for full in (False, True)
    },
    **{
        f"ls_{space}": _compared(
            f"Linear separability of {space}", "1 = separable", partial(measure_separability, space=space),
            lower_is_better=True, official="ls" if space == "w" else None, needs_labels=True, needs_network=True,
        )
        for space in ("z", "w", "s")
    },
    **{
        f"dci_{space}": _compared(
            f"Disentanglement of {space}", "1 = disentangled", partial(measure_dci, space=space), needs_labels=True,
            needs_network=True,
        )
        for space in ("z", "w", "s")
    },
    "eqt_int": _moved("eqt_int", "Equivariance to whole-pixel shifts"),
    "eqt_frac": _moved("eqt_frac", "Equivariance to shifts"),
    "eqr": _moved("eqr", "Equivariance to rotations"),
}  # fmt: skip
UNKNOWN = Meaning(title="Score", unit="", lower_is_better=True)  # of a metric that another version measured
_OFFICIAL = {  # names of the official tools -> rows, the number of images if not in the name, and their network
    r"(fid|kid)(\d+k?)_full": "Inception",
    r"(pr)(\d+k?)3(?:_full)?": "VGG16",
    r"(ppl)2_wend": "VGG16",
    r"(ppl)_([zw](?:full|end))": "VGG16",
}
_WIDTHS = {"Inception": 2048, "VGG16": 4096}  # of their features


@dataclass(frozen=True, kw_only=True)
class Request:
    """A metric, the number of images and the network that it sees them through, as one name gives them."""

    key: str  # of the row in METRICS
    num: int
    detector: str | None = None  # the feature network, or the perceptual distance
    width: int | None = None  # of its features, if the name is an official one

    @property
    def name(self) -> str:
        """The shortest name, such as fid10k_efflite0."""
        return join_name(f"{self.key}_{self.detector}" if self.detector else self.key, self.num)

    @property
    def metric(self) -> Metric:
        """The row of the table."""
        return METRICS[self.key]

    def check(self, architecture: str, channels: int, *, labels: bool = True) -> None:
        """Raises ConfigError if networks of this generation, these channels or without labels cannot be measured."""
        known = self.metric.architectures
        if known and architecture not in known:
            raise ConfigError(
                f"{self.name} can be measured with {' and '.join(known)} only, not with {architecture}; "
                "leave it out of the metrics."
            )
        if self.metric.sees_through:
            check_channels(channels, self.name)
        if self.metric.needs_labels and not labels:
            raise ConfigError(
                f"{self.name} needs the labels of the data; train with `data.labels`, or measure snapshots afterwards."
            )

    def load_detector(self, device: torch.device | str = "cpu", own: TorchScriptNetwork | None = None) -> Any:
        """The network that the metric sees images through, if it has one; `own` is that of a file.

        Raises: MissingExtra if its weights are not installed, ConfigError if `own` is of another kind than the name.
        """
        if own is not None and self.detector == own.name:
            if self.width not in (None, own.feature_dim) and self.metric.sees_through == "features":
                raise ConfigError(
                    f"the official name of {self.name} takes {self.width:,} features, and this network has "
                    f"{own.feature_dim:,}; ask for {join_name(self.key, self.num)}, or give another network."
                )
            return Lpips(own) if self.metric.sees_through == "distance" else own
        if self.detector and self.detector not in self.metric.networks:
            raise ConfigError(
                f"{self.name} sees images through the file {self.detector}, and "
                f"{f'the file of `feature_net` is {own.name}' if own else 'no `feature_net` is given'}; give that file."
            )
        if self.metric.sees_through == "distance" and self.detector:
            return DISTANCES[self.detector](device)
        return load_detector(self.detector, device) if self.detector else None

    def subject(
        self,
        G: GeneratorLike | None,
        *,
        images: Dataset | None = None,
        dataset: Dataset | None = None,
        detector: Any = None,
        network_sha256: str | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
        track: Track = untracked,
        world: World | None = None,
        kept: KeptPasses | None = None,
    ) -> Subject:
        """Return what this metric measures; arguments as in `measure`."""
        return Subject(
            G=G, num=self.num, seed=seed, images=images, dataset=dataset, network=detector, cache=cache, track=track,
            world=world or World(), kept=KeptPasses() if kept is None else kept, network_sha256=network_sha256,
        )  # fmt: skip

    def measure(
        self,
        G: GeneratorLike | None,
        *,
        images: Dataset | None = None,
        dataset: Dataset | None = None,
        detector: Any = None,
        network_sha256: str | None = None,
        discriminator_features: str | None = None,
        seed: int = 0,
        track: Track = untracked,
        world: World | None = None,
        kept: KeptPasses | None = None,
    ) -> Score:
        """Measure a network, or images that were generated earlier, with this metric.

        Args:
            G: in the precision `metric.precision`; None to measure `images`.
            images: generated images, with labels for a metric of classes.
            dataset: for a metric that needs reals, or a network with labels.
            detector: the result of `load_detector`.
            network_sha256: of the weights of `G`, for the record, and to continue an interrupted measurement.
            discriminator_features: the feature network through which the discriminator of `G` sees images, if any.
            seed: of the latents.
            track: sees every stream of batches, to show progress.
            world: the processes that share the work, each with the same arguments; all get the score.
            kept: keeps features for further metrics of the same network, data and seed.
        Raises: ConfigError if something is missing, or the network does not fit the metric or the data.
        """
        if G is None and self.metric.needs_network:
            raise ConfigError(f"{self.name} measures a network, not a folder of images; leave it out of the metrics.")
        with nullcontext(kept) if kept is not None else KeptPasses() as kept:
            subject = self.subject(
                G, images=images, dataset=dataset, detector=detector, network_sha256=network_sha256, seed=seed,
                track=track, world=world, kept=kept,
            )  # fmt: skip
            return self.score(subject, discriminator_features=discriminator_features)

    def score(self, subject: Subject, *, discriminator_features: str | None = None) -> Score:
        """Measure what `subject` returned; the other argument as in `measure`."""
        same = self.detector is not None and self.detector == discriminator_features
        return replace(self.metric.measure(subject), same_as_discriminator=same)


def kept_for(requests: Iterable[Request]) -> KeptPasses:
    """Return what several metrics of one network share."""
    return KeptPasses(features=any(request.metric.needs_features for request in requests))


def parse_all(names: str, own: str | None = None) -> list[Request]:
    """Read names that are separated by commas, also those of the official tools; some of these name two metrics.

    Args:
        own: name of the network of a file; names without a network use it.
    Raises: ConfigError as `parse`.
    """
    requests: list[Request] = []
    for name in (part.strip() for part in names.split(",")):
        found = _official(name, own)
        requests += [request for request in found or [parse(name, own)] if request not in requests]
    return requests


def parse(name: str, own: str | None = None) -> Request:
    """Read a name: "fid10k_efflite0" -> "fid", 10000 images, "efflite0". Raises: ConfigError for any other.

    Args:
        own: name of the network of a file; a name without a network uses it.
    """
    official = _official(name, own)
    if len(official) == 1:
        return official[0]
    if official:
        raise ConfigError(f"{name} is {' and '.join(request.name for request in official)}; name each of them.")
    kind, num = split_name(name) or ("", 0)
    if kind in METRICS:
        if not METRICS[kind].sees_through:
            return Request(key=kind, num=num)
        if own is None:
            raise _no_network(name, kind, num, "a network that it sees images through")
        return Request(key=kind, num=num, detector=own)
    for key, metric in METRICS.items():
        detector = kind.removeprefix(f"{key}_")
        of_a_file = bool(metric.sees_through) and (detector == own or is_network_name(detector))
        if detector != kind and (detector in metric.networks or of_a_file):
            return Request(key=key, num=num, detector=detector)
    raise ConfigError(
        f"a metric is {_either(_forms())}, where NETWORK is {_either(DETECTORS)} ({_either(DISTANCES)} for "
        f"ppl), got {name!r}."
    )


def is_complete(name: str) -> bool:
    """Return whether a name says all, without the feature network of a file."""
    try:
        return bool(parse(name))
    except ConfigError:
        return False


def _official(name: str, own: str | None) -> list[Request]:
    """The rows of a name of the official tools; empty for any other. Raises: ConfigError without a network."""
    for pattern, network in _OFFICIAL.items():
        match = re.fullmatch(pattern, name)
        if match is None:
            continue
        kind, rest = match[1], match[2] if match.re.groups > 1 else ""
        if kind == "ppl":
            keys, count = [f"ppl_{rest}_crop" if rest else "ppl_wend"], "50k"
        else:
            keys, count = (["precision", "recall"] if kind == "pr" else [kind]), rest
        if (parsed := split_name(f"x{count}")) is None:
            return []
        if own is None:
            raise _no_network(name, keys[0], parsed[1], f"the network {network}, which does not ship with the library")
        return [Request(key=key, num=parsed[1], detector=own, width=_WIDTHS[network]) for key in keys]
    return []


def _no_network(name: str, key: str, num: int, what: str) -> ConfigError:
    known = _either(join_name(f"{key}_{network}", num) for network in METRICS[key].networks)
    return ConfigError(
        f"{name} needs {what}; use one that works offline, as in {known}, or give its TorchScript file as "
        "`feature_net`."
    )


def _either(names: Iterable[str]) -> str:
    """ "a", "b", "c" -> "a, b or c" """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _forms() -> list[str]:
    """The forms of all names, such as "kidNk_NETWORK" and "eqtNk_[int|frac]"."""
    rests: dict[str, list[str]] = {}
    for key in METRICS:
        metric, _, rest = key.partition("_")
        rests.setdefault(metric, []).append(rest)
    forms = []
    for metric, found in rests.items():
        variants = [rest for rest in found if rest]
        one = f"_[{'|'.join(variants)}]" if variants else ""
        sees = METRICS[f"{metric}_{found[0]}".rstrip("_")].sees_through
        network = "_NETWORK" if sees else ""
        forms += [f"{metric}Nk{network}"] * ("" in found) + [f"{metric}Nk{one}{network}"] * bool(variants)
    return forms


def meaning_of(name: str) -> Meaning:
    """Look up the meaning of a score by its name; `UNKNOWN` for a metric of another version, which a run may hold."""
    key, _ = split_name(name) or ("", 0)
    while key not in METRICS and "_" in key:
        key = key.rpartition("_")[0]  # a feature network, which need not be known
    return METRICS.get(key, UNKNOWN)
