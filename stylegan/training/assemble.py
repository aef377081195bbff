"""Complete settings of a run from what a user asks for, without reading a file or looking at the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stylegan.training.config import DataConfig, TrainConfig, overlaid, validated
from stylegan.training.presets import Preset, preset
from stylegan.training.presets.projected import projected
from stylegan.training.transfer import Start, require_architecture

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset

Settings = Mapping[str, Any]  # by dotted name: {"batch": 16, "generator.w_dim": 256}


@dataclass(frozen=True)
class Given:
    """The settings that a user gives. Assignments win over flags, flags over the file."""

    file: Settings = field(default_factory=dict)
    flags: Settings = field(default_factory=dict)
    assignments: Settings = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Any]:
        """Return every given setting with the value that wins."""
        return {**self.file, **self.flags, **self.assignments}


class Images(NamedTuple):
    """The facts of a data set that the settings of a run need. A `Dataset` has the same attributes."""

    path: Path | str
    resolution: int  # pixels per side
    channels: int = 3
    label_dim: int = 0


SMALL_CHANNEL_BASE = 4096  # that of the widest size for a CPU; the narrowest network of the papers has 16384


def auto_gamma(batch: int, resolution: int, channel_base: int | None) -> float:
    """Return an estimate of the weight of R1, which grows with the number of pixels. StyleGAN2-ADA App. C.

    For a discriminator as small as that of a size for a CPU, it is at least the gamma of these sizes: 1 up to 32 px,
    and 2 above. The formula was fitted to networks of `channel_base` 16384 and more at 128 px and more. It gives 0.0064
    for 32 px and a batch of 32, with which small networks collapsed for 25 kimg and longer; with 1 at 32 px and 2 at
    64 px they train. No values between these were compared, and none above 64 px.

    Args:
        channel_base: that of the discriminator; None for networks without one.
    """
    published = 0.0002 * resolution**2 / batch
    if channel_base is None or channel_base > SMALL_CHANNEL_BASE:
        return published
    return max(published, 1.0 if resolution <= 32 else 2.0)


# The value of "auto" in complete settings. Presets say "auto" where a paper makes the setting follow the batch.
FOLLOWS_BATCH: dict[str, Callable[[dict[str, Any]], float]] = {
    "r1_gamma": lambda s: auto_gamma(
        s["batch"], s["discriminator"]["img_resolution"], s["discriminator"].get("channel_base")
    ),
    "ema_kimg": lambda s: s["batch"] * 10 / 32,  # StyleGAN2-ADA `auto`, StyleGAN3
    "blur.fade_kimg": lambda s: s["batch"] * 200 / 32,  # StyleGAN3-R
    "generator.magnitude_ema_beta": lambda s: 0.5 ** (s["batch"] / 20e3),  # StyleGAN3: half-life of 20 kimg
}


def assemble(
    cfg: str,
    images: Images | Dataset,
    given: Given,
    *,
    data: DataConfig | None = None,
    start: Start | None = None,
    processes: int = 1,
    precision: str = "fp32",
) -> TrainConfig:
    """Return the complete settings of a new run.

    Args:
        cfg: name of a preset.
        images: the data set to train on.
        data: the settings that opened it; by default it is read whole, with its labels if it has any.
        start: trained weights to start from.
        processes: how many share a batch, each with its own device.
        precision: what "auto" means on this machine.
    Raises: ConfigError for an unknown name or an impossible value, which it names.
    """
    p = preset(cfg, images.resolution, processes)
    kind = given.all.get("discriminator_kind", start.discriminator_kind if start is not None else "own")
    if kind == "projected":
        p = projected(p)
    if start is not None:
        require_architecture(start.checkpoint, cfg, p.architecture)
    settings = overlaid(
        [  # later layers win
            {"precision": "auto", "data": _whole(images).model_dump()},
            p.settings(),
            _facts(images),
            start.settings(kind) if start is not None else {},
            given.file,
            given.flags,
            given.assignments,
            {"data": data.model_dump()} if data is not None else {},
            start.provenance if start is not None else {},
            {"cfg": cfg},
        ]
    )
    if settings["precision"] == "auto":
        settings["precision"] = "fp32" if p.architecture == "minimal" else precision
    settings = _split(settings, given.all, p, processes)
    if isinstance(settings["batch"], int) and settings["batch"] > 0:  # else `validated` refuses it
        settings = _following_batch(settings)
    return validated(settings)


def from_preset(
    cfg: str,
    images: Images | Dataset,
    changes: Settings | None = None,
    *,
    data: DataConfig | None = None,
    gpus: int = 1,
) -> TrainConfig:
    """Return the settings of a preset, with `changes` by dotted name. The short form of `assemble`.

    Args:
        changes: for example {"batch": 16, "generator.channel_base": 8192}.
        gpus: processes that share a batch, each with its own device.
    """
    return assemble(cfg, images, Given(assignments=changes or {}), data=data, processes=gpus)


def dotted(settings: Settings) -> dict[str, Any]:
    """Return settings by dotted name: {"generator": {"w_dim": 64}} as {"generator.w_dim": 64}."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        result |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return result


def _whole(images: Images | Dataset) -> DataConfig:
    """Return the settings that read a data set whole."""
    path = images.path.resolve() if isinstance(images.path, Path) else images.path
    return DataConfig(path=str(path), labels=images.label_dim > 0)


def _facts(images: Images | Dataset) -> Settings:
    """Return the arguments of both networks that the data dictates."""
    shape = {"c_dim": images.label_dim, "img_resolution": images.resolution, "img_channels": images.channels}
    return {f"{network}.{name}": value for network in ("generator", "discriminator") for name, value in shape.items()}


def _split(settings: dict[str, Any], asked: Settings, p: Preset, processes: int) -> dict[str, Any]:
    """Return `settings` with a batch, where it says "auto", and with the micro-batch that suits it."""
    batch = p.batch if settings["batch"] == "auto" else settings["batch"]
    if not isinstance(batch, int) or (settings["batch"] != "auto" and "micro_batch" in asked):
        return settings
    share = max(batch // processes, 1)
    return {**settings, "batch": batch, "micro_batch": share if "batch" in asked else min(p.micro_batch, share)}


def _following_batch(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` with a number for each of `FOLLOWS_BATCH` that says "auto"."""
    numbers = {}
    for name, rule in FOLLOWS_BATCH.items():
        group, _, setting = name.rpartition(".")
        values = settings[group] if group else settings
        if isinstance(values, dict) and values.get(setting) == "auto":
            numbers[name] = rule(settings)
    return overlaid([settings, numbers])
