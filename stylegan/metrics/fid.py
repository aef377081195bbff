"""The Fréchet distance between generated images and a data set, with the protocol of the official tools.

One thing is ours: the seed is fixed, so that the same generator gets the same score again, up to rounding by any
number of processes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.metrics.features import Detector
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance
from stylegan.metrics.passes import KeptPasses
from stylegan.metrics.protocol import Score, Track, untracked
from stylegan.metrics.subject import Subject
from stylegan.networks.protocol import GeneratorLike

LEAST = 2  # images; the covariance of one is zero


def fid(
    G: GeneratorLike,
    dataset: Dataset,
    detector: Detector,
    *,
    num: int = 10_000,
    seed: int = 0,
    cache: str | Path | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> Score:
    """Measure how far `num` images of `G` are from all images of `dataset`: without truncation, with random noise,
    labels of random real images, as 8-bit pixels.

    The distance falls with `num`, which therefore is part of its name: compare scores of one name only.

    Args:
        dataset: with labels where the network has classes. Its statistics are kept in the cache folder.
        cache: another cache folder than that of `Dataset`.
        track: sees every stream of image batches, to show progress.
        world: the processes that share the work, each with the same arguments; all get the score.
    Raises: ConfigError for a network that does not fit the data, images that are neither gray nor RGB, or fewer than
        two images. What fails on one process fails on all.
    """
    with KeptPasses() as kept:
        subject = Subject(
            G=G, num=num, seed=seed, dataset=dataset, network=detector, cache=cache, track=track,
            world=world or World(), kept=kept,
        )  # fmt: skip
        return measure(subject)


def measure(subject: Subject) -> Score:
    """Measure the Fréchet distance of a subject, see `fid`."""
    subject.check(least=LEAST)
    return subject.score("fid", _distance(subject), reals=len(subject.reals))


def measure_by_class(subject: Subject) -> Score:
    """Measure the Fréchet distance of each class, `num` images drawn of each, and return the mean: intra-FID.

    Miyato and Koyama 2018, Sec. 4.1. The values of the classes are in the details of the score, by name. A folder of
    images takes part with all images of each class.

    Raises: DataError unless the real images have classes; ConfigError for a network without them, or a class of fewer
        than two images.
    """
    subject.check(least=LEAST)
    reals, images = subject.reals, subject.images
    if images is None and not subject.generator.c_dim:
        raise ConfigError("this network has no classes, and this metric measures each of them; leave it out.")
    names = reals.class_names or []
    values = {}
    theirs = {_class_of(images, m): m for m in images.class_members} if images is not None else {}
    for members in reals.class_members:
        number = _class_of(reals, members)
        part = subject.of_class(members)
        if images is not None:
            if number not in theirs:
                raise ConfigError(f"{images.name} has no images of class {number}; draw some of every class.")
            chosen = theirs[number]
            part = replace(part, images=subject.part(images, chosen), num=len(chosen))
        name = names[number] if number < len(names) else str(number)
        if min(len(members), part.num) < LEAST:
            raise ConfigError(
                f"class {name} has {min(len(members), part.num)} images, and each needs at least {LEAST}; leave this "
                "metric out."
            )
        values[name] = _distance(part)
    mean = float(np.mean(list(values.values())))
    return subject.score("fid_class", mean, reals=len(reals), details={"classes": values})


def _class_of(dataset: Dataset, members: np.ndarray) -> int:
    numbers = dataset.class_numbers(members[:1])
    assert numbers is not None  # `class_members` has raised
    return int(numbers[0])


def _distance(subject: Subject) -> float:
    reals, fakes = subject.real_statistics(), subject.fakes()
    value: float = subject.on_main(lambda: frechet_distance(FeatureStatistics.of_rows(fakes), reals))
    return value


def real_statistics(
    dataset: Dataset,
    detector: Detector,
    *,
    cache: str | Path | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> FeatureStatistics:
    """Compute the statistics of all images of a data set once, then read them from the cache folder.

    Arguments as in `fid`; several processes share the work, and rank 0 has the result.
    """
    with KeptPasses() as kept:
        return Subject(
            num=1, dataset=dataset, network=detector, cache=cache, track=track, world=world or World(), kept=kept
        ).real_statistics()
