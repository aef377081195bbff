"""The settings of a training run: frozen, complete, written beside the run."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stylegan.augment import SAFE_P
from stylegan.augment import preset as augment_preset
from stylegan.augment.filter import SMALLEST_SIDE
from stylegan.errors import ConfigError
from stylegan.metrics.registry import parse
from stylegan.networks.family import ARCHITECTURES, discriminator_class, generator_class
from stylegan.runs.info import RunInfo
from stylegan.training.presets import auto_gamma, preset

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Model = TypeVar("_Model", bound=_Frozen)


class DataConfig(_Frozen):
    """Which images, and how they are read."""

    path: str  # a prepared data set: zip or folder
    labels: bool = False  # train conditionally on the labels of the data set
    balanced: bool = False  # show every class equally often, however many images it has
    mirror: bool = False  # add every image flipped left to right
    max_images: int | None = Field(default=None, ge=1)  # train on so many, drawn by the seed
    workers: int = Field(default=4, ge=1)  # threads that decode; the images are the same with any number
    cache_gb: float = Field(default=32, gt=0)  # disk for the shards of a set that is streamed
    held_out: int = Field(default=0, ge=0)  # of these, keep so many from training, to tell overfitting by

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        if self.balanced and not self.labels:
            raise ValueError("`data.balanced` needs labels; set `data.labels` too")
        return self


class AugmentConfig(_Frozen):
    """What the discriminator's images are changed by. StyleGAN2-ADA Sec. 2 and 3."""

    mode: Literal["noaug", "ada", "fixed"] = "noaug"  # off, adapted to overfitting, or always `p`
    pipe: str = "bgc"  # which transformations: blit, geom, color, ..., bgc, bgcf, bgcfn, bgcfnc
    p: float = Field(default=0.2, ge=0, le=1)  # probability of each transformation, where it is fixed
    target: float = Field(default=0.6, ge=-1, le=1)  # mean sign of D's scores of real images: how sure it may be
    ada_kimg: float = Field(default=500, gt=0)  # in which p can go from 0 to 1
    interval: int = Field(default=4, ge=1)  # steps between two adaptations
    max_p: float = Field(default=SAFE_P, ge=0, le=1)  # beyond it the generator may begin to draw the augmentations


class BlurConfig(_Frozen):
    """A blur of all that the discriminator sees, which fades while it learns. StyleGAN3 App. E."""

    init_sigma: float = Field(default=0, ge=0)  # pixels, at the start
    fade_kimg: float = Field(default=200, gt=0)  # until it is gone


class GrowingConfig(_Frozen):
    """Begin with small images, double their size again and again. ProGAN Sec. 2, App. A."""

    initial_resolution: int = Field(default=4, ge=4)
    training_kimg: float = Field(default=600, gt=0)  # at one resolution
    transition_kimg: float = Field(default=600, gt=0)  # in which the next fades in
    batch: dict[int, int] = {}  # resolution -> images per step, where it is not the batch of the run
    lr: dict[int, float] = {}  # resolution -> learning rate of both networks, where it is not that of the run


class TransferConfig(_Frozen):
    """Trained weights to start from."""

    source: str | None = None  # a checkpoint; None starts from random weights
    origin: str | None = None  # where its weights came from,
    licence: str | None = None  # and what theirs is
    freeze_mapping: bool = False  # keep the w of every seed


class TrainConfig(_Frozen):
    """A run. Numbers without a unit are ratios, counts of images or counts of steps."""

    cfg: str  # the preset that it started from
    architecture: Literal["progan", "stylegan1", "stylegan2", "stylegan3", "minimal"] = "stylegan2"
    data: DataConfig
    generator: dict[str, Any]  # arguments of its Generator
    discriminator: dict[str, Any]  # and of its Discriminator
    seed: int = Field(0, ge=0, lt=2**32)
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # of the blocks marked by num_fp16_res
    compile: bool = False  # the phases without second derivatives: a minute or more at the start, faster steps after
    allow_tf32: bool = False  # float32 products of a GPU with 10 bits of mantissa

    on_nan: Literal["skip", "rollback", "stop"] = "rollback"  # see health.must_leave

    kimg: float = Field(gt=0)  # thousands of real images to show to the discriminator
    tick_kimg: float = Field(ge=0.001)  # between two lines of progress
    snap_ticks: int = Field(ge=1)  # ticks between two snapshots
    metrics: tuple[str, ...] = ()  # measured at every snapshot; the first decides which is the best
    keep_snapshots: Annotated[int, Field(ge=1)] | Literal["all"] = 3  # that can be resumed; the others only draw,
    milestone_kimg: float | None = Field(default=None, gt=0)  # but for the first one from each multiple of this on

    batch: int = Field(ge=1)  # images per optimizer step, over all devices
    micro_batch: int = Field(ge=1)  # images that a device computes at once; gradients accumulate over its share
    g_lr: float = Field(gt=0)
    d_lr: float = Field(gt=0)
    adam_betas: tuple[float, float] = (0.0, 0.99)
    adam_eps: float = Field(1e-8, gt=0)
    mapping_lr: float | None = Field(default=None, gt=0)  # of the mapping network, where it is another
    clip_norm: float | None = Field(default=None, gt=0)  # most length of the gradient of each group of weights

    augment: AugmentConfig = AugmentConfig()
    blur: BlurConfig = BlurConfig()
    growing: GrowingConfig | None = None
    transfer: TransferConfig = TransferConfig()

    objective: Literal["logistic", "wasserstein_gp", "hinge"] = "logistic"
    gp_weight: float = Field(default=10, ge=0)  # of the gradient penalty of wasserstein_gp
    separate_regularization: bool = True  # R1 and path length every few steps take a step of their own, not the main
    r1_gamma: float = Field(ge=0)
    r1_interval: int = Field(16, ge=1)  # steps between two R1 penalties (lazy regularization)
    path_length: Literal["running_mean", "previous_mean"] = "running_mean"  # StyleGAN2's, or without this batch
    pl_weight: float = Field(ge=0)
    pl_decay: float = Field(0.01, gt=0, le=1)
    pl_interval: int = Field(4, ge=1)  # steps between two path length penalties
    pl_start: int = Field(0, ge=0)  # steps before the first
    pl_batch_shrink: int = Field(2, ge=1)  # path lengths are measured on batch / so many images
    style_mixing_prob: float = Field(ge=0, le=1)
    ema_kimg: float = Field(ge=0)  # half-life of the averaged generator
    ema_rampup: float | None = None  # half-life at the start, as a share of the images seen so far
    ema_beta: float | None = Field(default=None, ge=0, lt=1)  # decay per step instead of a half-life

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.batch % self.micro_batch:
            raise ValueError(f"batch must be a multiple of micro_batch {self.micro_batch}, got {self.batch}")
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError(f"adam_betas must lie in [0, 1), got {self.adam_betas}")
        if self.growing is not None:
            start, end = self.growing.initial_resolution, self.generator.get("img_resolution", 0)
            if not generator_class(self.architecture).grows:
                raise ValueError(f"networks of {self.architecture} do not grow; leave growing out")
            if start & (start - 1) or start > end:
                raise ValueError(f"growing starts at a power of two up to {end}, got initial_resolution {start}")
        if self.mapping_lr is not None and self.transfer.freeze_mapping:
            raise ValueError("a frozen mapping network has no learning rate; leave mapping_lr out")
        frozen = self.transfer.freeze_mapping or self.discriminator.get("freeze_layers")
        if frozen and self.transfer.source is None:
            raise ValueError("frozen layers would keep random weights; start from a checkpoint, or freeze nothing")
        for metric in self.metrics:
            parse(metric).check(self.architecture, self.generator.get("img_channels", 3))
        group = self.discriminator.get("mbstd_group_size", 4)
        if group is not None and (not isinstance(group, int) or group < 1):
            raise ValueError(f"mbstd_group_size must be at least 1, or null for the whole batch, got {group!r}")
        if group and self.micro_batch % min(group, self.micro_batch):
            raise ValueError(f"micro_batch must be a multiple of mbstd_group_size {group}, got {self.micro_batch}")
        return self

    def to_json(self) -> str:
        """The content of a run's config.json."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def info(self) -> RunInfo:
        """The settings that the folder and the page of a run show."""
        return RunInfo.from_config(self.model_dump())


class Images(NamedTuple):
    """What the settings of a run have to know of its data set; a `Dataset` tells the same."""

    path: Path | str
    resolution: int  # pixels per side
    channels: int = 3
    label_dim: int = 0


def from_preset(
    cfg: str,
    images: Images | Dataset,
    changes: dict[str, Any] | None = None,
    *,
    data: DataConfig | None = None,
    gpus: int = 1,
) -> TrainConfig:
    """The full settings of a run: preset, what the data dictates, then `changes` by dotted name.

    Args:
        cfg: name of a preset.
        images: the data set to train on.
        changes: for example {"batch": 16, "generator.channel_base": 8192}; later ones win. {"r1_gamma": "auto"} is
            the heuristic of StyleGAN2-ADA for the resolution and batch.
        data: how the data set was opened; without, it is read whole, and with its labels if it has any.
        gpus: processes that share a batch, each with its own device.
    Raises: ConfigError for an unknown name or an impossible value, which it names.
    """
    resolution = images.resolution
    p = preset(cfg, resolution, gpus)
    shape = {"c_dim": images.label_dim, "img_resolution": resolution, "img_channels": images.channels}
    if data is None:
        path = str(images.path.resolve() if isinstance(images.path, Path) else images.path)
        data = DataConfig(path=path, labels=images.label_dim > 0)
    settings: dict[str, Any] = {
        "cfg": cfg,
        "architecture": p.architecture,
        "data": data.model_dump(),
        "generator": {**shape, **p.generator},
        "discriminator": {**shape, **p.discriminator},
        "augment": {},
        "blur": {},
        "transfer": {},
        **copy.deepcopy(p.training),
    }
    for name, value in (changes or {}).items():
        _set(settings, name, value)
    if "micro_batch" not in (changes or {}) and isinstance(settings["batch"], int):
        share = max(settings["batch"] // gpus, 1)
        settings["micro_batch"] = share if "batch" in (changes or {}) else min(settings["micro_batch"], share)
    if settings["r1_gamma"] == "auto" and isinstance(settings["batch"], int) and settings["batch"] > 0:
        settings["r1_gamma"] = auto_gamma(resolution, settings["batch"])
    if p.architecture == "stylegan3" and isinstance(settings["batch"], int):  # half-life of 20 kimg
        settings["generator"].setdefault("magnitude_ema_beta", 0.5 ** (settings["batch"] / 20e3))
    return _validated(settings)


def data_config(settings: dict[str, Any]) -> DataConfig:
    """The data settings from {"data.path": ..., "data.mirror": ...}. Raises: ConfigError."""
    return _build(DataConfig, {name.removeprefix("data."): value for name, value in settings.items()})


def read_config(path: Path | str) -> TrainConfig:
    """The settings that a run was started with, from its config.json."""
    try:
        return _validated(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is not the configuration of a run: {error}.") from error


def _validated(settings: dict[str, Any]) -> TrainConfig:
    architecture = settings.get("architecture", "stylegan2")
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}.")
    networks = {"generator": generator_class(architecture), "discriminator": discriminator_class(architecture)}
    for name, network in networks.items():
        known = set(inspect.signature(network).parameters)
        if not isinstance(settings.get(name), dict):
            raise ConfigError(f"{name} must be a group of settings, got {settings.get(name)!r}.")
        for unknown in set(settings[name]) - known:
            raise ConfigError(f"{name} has no setting {unknown!r}; it has {', '.join(sorted(known))}.")
    config = _build(TrainConfig, settings)
    filters = "imgfilter" in augment_preset(config.augment.pipe)  # raises for an unknown name
    if config.augment.mode != "noaug" and filters and config.generator["img_resolution"] < SMALLEST_SIDE:
        raise ConfigError(
            f"the augmentation {config.augment.pipe} filters images of {SMALLEST_SIDE} pixels a side or more; "
            "use one without it, such as bgc."
        )
    for name, network in networks.items():
        try:
            with torch.device("meta"):  # nothing is computed or stored
                network(**settings[name])
        except (TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"the settings of the {name} make no network: {str(error).splitlines()[0]}") from error
    return config


def changed(config: TrainConfig, changes: dict[str, Any]) -> TrainConfig:
    """The configuration with some settings changed. Raises: ConfigError for impossible values."""
    return _validated({**config.model_dump(), **changes})


def _build(model: type[_Model], settings: dict[str, Any]) -> _Model:
    try:
        return model(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ").removesuffix(".")
        got = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r}"
        raise ConfigError(f"{where + ': ' if where else ''}{reason}{got}.") from error


def _set(settings: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        if not isinstance(settings.get(parent), dict):
            raise ConfigError(
                f"there is no setting {name!r}; the groups are data, generator, discriminator, augment, "
                "blur, growing and transfer."
            )
        settings = settings[parent]
    settings[leaf] = value
