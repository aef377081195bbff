"""Turn images of any kind into a checked data set in the official format, with a list of what was left out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylegan.data.class_folders import class_folders, folder_labels, why_no_classes
from stylegan.data.labels import LabelList, entries_without_image, label_notes, label_table, labels_of
from stylegan.data.ordered_map import ordered_map
from stylegan.data.shards.remote import is_url
from stylegan.data.shards.writer import ShardWriter, shard_writer
from stylegan.data.source import Source
from stylegan.data.sources import open_source
from stylegan.data.writer import DatasetWriter, dataset_writer, encode_png
from stylegan.errors import ConfigError, DataError
from stylegan.files.counted import counted
from stylegan.files.paths import local_path, refuse_name_of_file
from stylegan.images.read import Header
from stylegan.images.resize import FILTERS, TRANSFORMS, Transform, has_transparency, keep_exact, to_channels

LABELS = ("auto", "json", "folders", "none")
_LARGE_PIXELS = 1 << 24  # such images are converted one at a time, so that memory stays that of one


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """The settings of `prepare`. Raises: ConfigError for values that make no sense."""

    # A folder, zip, tar, IDX file, shards, ..., see `open_source`; images of 28x28 in an IDX file are padded to 32x32.
    source: Path | str
    dest: Path  # a new name; ending in .zip it becomes an uncompressed zip, else a folder
    # Pixels per side, a power of two >= 4, or (width, height) for center-crop-wide. None takes the most common square
    # power-of-two size and leaves out images of other sizes.
    resolution: int | tuple[int, int] | None = None
    # None takes square images only, "center-crop" the middle of any image, "center-crop-wide" keeps wide images wide
    # between black bars, and "face" takes the largest face, as in CelebA-HQ and FFHQ.
    transform: str | None = None
    resize_filter: str = "bicubic"  # one of FILTERS; the official tools take "lanczos" unless asked for "box"
    max_images: int | None = None  # stop after this number of usable images; class folders contribute in turn
    # "json" reads the labels that come with the source (dataset.json, the labels file beside an IDX file, .cls files in
    # a tar), "folders" takes class sub-folders, "none" nothing, and "auto" the first of these that the source has.
    labels: str = "auto"
    alpha: bool = False  # keep transparency as a fourth channel, which is opaque in images without any
    shards: int | None = None  # write tars of this number of images, in a random order, to the folder `dest`
    workers: int = 4  # threads that decode, resize and encode; the set is the same with any number
    strict: bool = False  # raise DataError at the first file that cannot be used, or that would be enlarged

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            known = ", ".join(name for name in TRANSFORMS if name)
            raise ConfigError(f"transform must be one of {known}, got {self.transform!r}.")
        if self.resize_filter not in FILTERS:
            raise ConfigError(f"resize_filter must be one of {', '.join(FILTERS)}, got {self.resize_filter!r}.")
        if self.labels not in LABELS:
            raise ConfigError(f"labels must be one of {', '.join(LABELS)}, got {self.labels!r}.")
        if self.max_images is not None and self.max_images < 1:
            raise ConfigError(f"max_images must be at least 1, got {self.max_images}.")
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, got {self.workers}.")
        if self.shards is not None and (self.shards < 1 or self.dest.suffix.lower() == ".zip"):
            raise ConfigError(f"shards must be at least 1 image each, in a folder; got {self.shards}, {self.dest}.")
        if self.dest.suffix.lower() != ".zip":
            refuse_name_of_file(self.dest, "a data set is a .zip, or a folder (of tar files with `shards`)")
        if self.size is None:
            if self.transform is not None:
                raise ConfigError(f"the transform {self.transform} needs a resolution, for example 256x256.")
            return
        width, height = self.size
        if not _is_power_of_two(width):
            raise ConfigError(f"resolution must be a power of two and at least 4, got {width}x{height}.")
        if height != width and not (self.transform == "center-crop-wide" and 0 < height < width):
            raise ConfigError(
                f"resolution must be square, got {width}x{height}; only center-crop-wide takes a smaller height."
            )

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels, None to take the most common size of the source."""
        return (self.resolution, self.resolution) if isinstance(self.resolution, int) else self.resolution


@dataclass(frozen=True)
class PrepareReport:
    """The result of `prepare`: what was written, and which files were left out."""

    dest: Path
    used: int  # images written
    resolution: int  # pixels per side
    channels: int  # 1 gray, 3 RGB, 4 RGBA
    label_dim: int  # number of classes or length of a label vector, 0 without labels
    left_out: tuple[tuple[str, str], ...]  # (name, reason) of each file that could not be used, by name
    not_needed: int  # images that were not read, because max_images was reached
    flattened: int  # images whose transparent pixels are white now
    enlarged: int = 0  # images that were smaller than the data set
    leftovers: tuple[str, ...] = ()  # names of what systems and tools left in the source, which was skipped
    class_names: tuple[str, ...] | None = None  # of all classes, None without any or if they are not known
    label_names: tuple[str, ...] | None = None  # of each value of label vectors
    notes: tuple[str, ...] = ()  # sentences about the labels


@dataclass(frozen=True)
class PrepareStep:
    """Progress after one file. Each image counts twice: its header is read first, to plan for all, then its pixels."""

    done: int
    total: int
    left_out: tuple[str, str] | None = None  # (name, reason) if the file cannot be used
    report: PrepareReport | None = None  # on the last step only


Steps = Iterator[PrepareStep]


def prepare(source: str | Path, dest: str | Path, **settings: Any) -> PrepareReport:
    """Turn a folder, zip, tar or other source of images into a data set of equal square images in the official format.

    >>> prepare("photos", "faces64.zip", resolution=64, transform="center-crop")

    A file that cannot be used is left out and named in the report; it never stops the others. Images are in the
    order of their names. The set has three channels if any image has color, else one, and transparent pixels are put
    on white; with `alpha` it has four.

    Args:
        settings: the other fields of `PrepareConfig`, which explains them.
    Raises: ConfigError for settings that make no sense, DataError for a source that is missing, has no usable image
        or labels only some images, OutputError if `dest` is taken or cannot be written.
    """
    where = source if is_url(source) else local_path(source)
    *_, last = prepare_steps(PrepareConfig(source=where, dest=local_path(dest), **settings))
    assert last.report is not None
    return last.report


def prepare_steps(config: PrepareConfig) -> Steps:
    """Prepare a data set one file at a time, to show progress. The last step carries the report."""
    _refuse_overlap(config.source, config.dest)
    # The writer comes first, so that a taken destination is reported at once and not after a long scan.
    with open_source(config.source) as source, _writer(config) as writer:
        tally = _Tally(total=2 * len(source.names) + len(source.ignored), strict=config.strict)
        listed = _listed_labels(source, config, tally)
        headers: dict[str, Header] = {}
        yield from _scan(source, config, tally, headers)
        folders: dict[str, str | None] = {}
        if listed is None and config.labels in ("auto", "folders"):
            folders = class_folders(list(headers), explicit=config.labels == "folders")
        if config.labels == "folders":
            yield from _leave_out_classless(source, folders, tally, headers)
        plan = _plan(headers, config, folders)
        yield from _write(source, plan, config, tally, writer)
        labels = _final_labels(listed, folders, tally, config)
        writer.finish(labels.to_json() if labels else {"labels": None})
    table = label_table(labels, list(labels.by_name), str(config.dest)) if labels else None
    if labels and table:
        tally.notes += label_notes(labels, table)
    yield PrepareStep(
        tally.total,
        tally.total,
        report=PrepareReport(
            dest=config.dest,
            used=len(tally.written),
            resolution=plan.width,
            channels=plan.channels,
            label_dim=table.label_dim if table else 0,
            left_out=tuple(sorted(tally.left_out)),
            not_needed=len(source.names) + len(source.ignored) - len(tally.written) - len(tally.left_out),
            flattened=tally.flattened,
            enlarged=tally.enlarged,
            leftovers=tuple(source.leftovers),
            class_names=tuple(table.class_names) if table and table.class_names else None,
            label_names=tuple(table.label_names) if table and table.label_names else None,
            notes=tuple(tally.notes),
        ),
    )


@dataclass
class _Tally:
    total: int
    strict: bool
    done: int = 0
    flattened: int = 0
    enlarged: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)  # an archive may hold a name twice
    written: dict[str, str] = field(default_factory=dict)  # name in the source -> name in the set
    notes: list[str] = field(default_factory=list)

    def step(self) -> PrepareStep:
        self.done += 1
        return PrepareStep(self.done, self.total)

    def leave_out(self, name: str, reason: str) -> PrepareStep:
        if self.strict:
            raise DataError(f"{name} cannot be used: {reason}.")
        self.left_out.append((name, reason))
        return replace(self.step(), left_out=(name, reason))


def _scan(source: Source, config: PrepareConfig, tally: _Tally, headers: dict[str, Header]) -> Steps:
    """Fill `headers` with those of the images that may be usable."""
    for name, reason in source.ignored:
        yield tally.leave_out(name, reason)
    for name in source.names:
        try:
            header = source.header(name)
            if config.strict and _enlarges(header, config):
                raise DataError(
                    f"it is {header.width}x{header.height} and would be enlarged; choose a lower resolution"
                )
            headers[name] = header
        except DataError as error:
            yield tally.leave_out(name, str(error))
        else:
            yield tally.step()
    if not headers:
        raise DataError(_nothing_usable(source, tally.left_out))


def _leave_out_classless(
    source: Source, folders: Mapping[str, str | None], tally: _Tally, headers: dict[str, Header]
) -> Steps:
    """Remove the images that are in no class folder from `headers`."""
    for name, folder in folders.items():
        if folder is None:
            del headers[name]
            yield tally.leave_out(name, "it is in no class folder")
    if not headers:
        raise DataError(_nothing_usable(source, tally.left_out))


@dataclass(frozen=True)
class _Plan:
    names: list[str]  # in the order to write them
    width: int
    height: int
    channels: int
    fit: Transform
    pixels: dict[str, int]  # of each image as it is
    resampling: str  # one of FILTERS
    enlarged: frozenset[str]  # images that are smaller than the data set


@dataclass(frozen=True)
class _Converted:
    png: bytes
    flattened: bool  # it had transparent pixels, which are white now


def _plan(headers: Mapping[str, Header], config: PrepareConfig, folders: Mapping[str, str | None]) -> _Plan:
    """Decide from all headers what every image has to become."""
    names = list(headers)
    if config.max_images is not None and folders and folder_labels({name: folders[name] for name in names}):
        names = _in_turns(names, folders)
    if config.shards is not None:
        count = min(config.max_images or len(names), len(names))
        shuffled = np.random.RandomState(0).permutation(count)
        names = [names[i] for i in shuffled] + names[count:]  # the rest replace images that turn out to be damaged
    channels = 4 if config.alpha else 3 if any(header.color for header in headers.values()) else 1
    if config.size is not None:
        width, height, fit = *config.size, TRANSFORMS[config.transform]
    else:
        width = height = _common_side(headers, config.source)
        fit = keep_exact
    pixels = {name: header.width * header.height for name, header in headers.items()}
    enlarged = frozenset(name for name, header in headers.items() if _enlarges(header, config))
    return _Plan(names, width, height, channels, fit, pixels, config.resize_filter, enlarged)


def _enlarges(header: Header, config: PrepareConfig) -> bool:
    """Return whether an image must become larger; center-crop-wide leaves such images out."""
    if config.size is None or config.transform == "center-crop-wide":
        return False
    return min(header.width, header.height) < config.size[0]


def _write(
    source: Source, plan: _Plan, config: PrepareConfig, tally: _Tally, writer: DatasetWriter | ShardWriter
) -> Steps:
    one_at_a_time = threading.Lock()

    def converted(name: str) -> _Converted | DataError:
        large = plan.pixels[name] > _LARGE_PIXELS
        with one_at_a_time if large else nullcontext():
            try:
                img = plan.fit(source.image(name), plan.width, plan.height, plan.resampling)
            except DataError as error:
                return error
        png = encode_png(to_channels(img, plan.channels), compress_level=writer.compress_level)
        return _Converted(png, flattened=plan.channels < 4 and has_transparency(img))

    for name, result in zip(plan.names, ordered_map(converted, plan.names, config.workers), strict=True):
        if isinstance(result, DataError):
            yield tally.leave_out(name, str(result))
            continue
        tally.flattened += result.flattened
        tally.enlarged += name in plan.enlarged
        tally.written[name] = writer.add(result.png)
        yield tally.step()
        if len(tally.written) == config.max_images:
            return
    if not tally.written:
        raise DataError(_nothing_usable(source, tally.left_out))


def _writer(config: PrepareConfig) -> AbstractContextManager[DatasetWriter | ShardWriter]:
    return dataset_writer(config.dest) if config.shards is None else shard_writer(config.dest, config.shards)


def _listed_labels(source: Source, config: PrepareConfig, tally: _Tally) -> LabelList | None:
    """The labels that come with the source, checked before any work is done; None without, or if none are wanted."""
    if config.labels not in ("auto", "json"):
        return None
    labels = source.labels()
    if labels is not None and source.names:
        where = f"dataset.json of {source.path}"
        label_table(labels, source.names, where)
        if unused := entries_without_image(labels, source.names):
            has = "has" if len(unused) == 1 else "have"
            tally.notes.append(f"{counted(len(unused), 'label')} of {where} {has} no image, the first: {unused[0]}.")
        return labels_of(labels, source.names, where)
    if config.labels == "json":
        raise DataError(f"{source.path} comes with no labels; add a dataset.json that has them.")
    return None


def _final_labels(
    listed: LabelList | None, folders: Mapping[str, str | None], tally: _Tally, config: PrepareConfig
) -> LabelList | None:
    """The labels of the written images by their new names."""
    if listed is not None:
        return replace(listed, by_name={new: listed.by_name[old] for old, new in tally.written.items()})
    written = {name: folders[name] for name in tally.written} if folders else {}
    labels = folder_labels({tally.written[name]: folder for name, folder in written.items()})
    if labels is None and config.labels == "folders":
        raise DataError(f"the usable images of {config.source} are in fewer than two class folders.")
    if labels is None and config.labels == "auto" and (reason := why_no_classes(written)) is not None:
        tally.notes.append(reason)
    return labels


def _common_side(headers: Mapping[str, Header], source: Path | str) -> int:
    sides = Counter(h.width for h in headers.values() if h.width == h.height and _is_power_of_two(h.width))
    if not sides:
        name, header = next(iter(headers.items()))
        raise DataError(
            f"no image of {source} is square with a power of two as its side ({name} is {header.width}x"
            f"{header.height}); give a resolution, and the transform center-crop if they are not square."
        )
    return max(sides, key=lambda side: (sides[side], side))


def _in_turns(names: Sequence[str], folders: Mapping[str, str | None]) -> list[str]:
    """Order images as the first of each class, then the second of each, so that any number of them is mixed."""
    seen: Counter[str | None] = Counter()
    rank = {}
    for name in names:
        rank[name] = seen[folders[name]]
        seen[folders[name]] += 1
    return sorted(names, key=lambda name: (rank[name], name))


def _nothing_usable(source: Source, left_out: Sequence[tuple[str, str]]) -> str:
    if not left_out:
        only = f"holds only leftovers of systems and tools ({source.leftovers[0]})" if source.leftovers else "is empty"
        return f"{source.path} {only}; give a folder, zip or tar that holds images."
    name, reason = left_out[0]
    files = "its only file was" if len(left_out) == 1 else f"all {len(left_out)} files were"
    return f"{source.path} holds no usable image: {files} left out, for example {name}: {reason}."


def _refuse_overlap(source: Path | str, dest: Path) -> None:
    if is_url(source):
        return
    inside, outer = dest.resolve(), Path(source).resolve()
    if inside == outer or outer in inside.parents:
        raise ConfigError(f"the destination {dest} is inside the source {source}; choose a place outside it.")


def _is_power_of_two(side: int) -> bool:
    return side >= 4 and side & (side - 1) == 0
