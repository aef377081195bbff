"""The complete settings of a run, frozen and validated; config.json holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stylegan.augment import SAFE_P
from stylegan.augment.filter import SMALLEST_SIDE
from stylegan.augment.presets import PRESETS as AUGMENT_PRESETS
from stylegan.errors import ConfigError
from stylegan.metrics.feature_file import feature_file, name_of
from stylegan.metrics.registry import Request, is_complete, parse, parse_all
from stylegan.metrics.torchscript import RANGE, TorchScriptNetwork, parse_resize
from stylegan.networks.family import ARCHITECTURES, DISCRIMINATORS, discriminator_class, generator_class
from stylegan.runs.info import RunInfo
from stylegan.training.refusal import in_group, refusal

_MBSTD = "`discriminator.mbstd_group_size`"


class Frozen(BaseModel):
    """Base class of settings: they do not change, and an unknown name or a number that is not finite is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Model = TypeVar("_Model", bound=Frozen)
Objective = Literal["logistic", "wasserstein_gp", "hinge", "relativistic"]  # see docs/losses.md
GROUPS = (
    "data",
    "generator",
    "discriminator",
    "augment",
    "blur",
    "anneal",
    "transfer",
)  # and growing, which may be None


class DataConfig(Frozen):
    """The images to train on, and how to read them."""

    path: str  # a prepared data set: zip or folder
    labels: bool = False  # train conditionally on the labels of the data set
    balanced: bool = False  # show every class equally often, however many images it has
    mirror: bool = False  # add every image flipped left to right
    mirror_y: bool = False  # add all of these again, flipped upside down
    max_images: int | None = Field(default=None, ge=1)  # train on a subset of this size, which the seed chooses
    workers: int = Field(default=4, ge=1)  # threads that decode images; their number changes no result
    cache_gb: float = Field(default=32, gt=0)  # GB of disk for decoded images; larger sets are decoded at every use
    held_out: int = Field(default=0, ge=0)  # images of them that are not trained on, to measure overfitting

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        if self.balanced and not self.labels:
            raise ValueError("`data.balanced` needs labels; set `data.labels` too")
        return self


class AugmentConfig(Frozen):
    """Augmentation of all images that the discriminator sees. StyleGAN2-ADA Sec. 2 and 3, DiffAugment Sec. 3."""

    # Off; the transformations of `pipe`, adapted to overfitting or with probability `p`; or those of `diff_augment`
    mode: Literal["noaug", "ada", "fixed", "diffaugment"] = "noaug"
    pipe: str = "bgc"  # transformations: blit, geom, color, ..., bgc, bgcf, bgcfn, bgcfnc
    p: float = Field(default=0.2, ge=0, le=1)  # probability of each transformation in mode fixed
    start: float = Field(default=0, ge=0, le=1)  # probability at the start, in mode ada
    target: float = Field(default=0.6, ge=-1, le=1)  # mean sign of D's logits of real images to aim at, in mode ada
    ada_kimg: float = Field(default=500, gt=0)  # the time in which p can go from 0 to 1
    interval: int = Field(default=4, ge=1)  # steps between two adaptations
    max_p: float = Field(default=SAFE_P, ge=0, le=1)  # upper limit of p; above 0.8 augmentations may leak into images
    cutout: float = Field(default=0.5, ge=0, le=1)  # sides of the rectangle that diffaugment cuts out, of the image's


class BlurConfig(Frozen):
    """A blur of all images that the discriminator sees, which fades during training. StyleGAN3 App. E."""

    init_sigma: float = Field(default=0, ge=0)  # pixels at the start; 0 for none
    fade_kimg: float = Field(default=200, gt=0)  # the time until it is gone


class AnnealConfig(Frozen):
    """Settings that move along half a cosine from their own value to the end given here, and then stay. R3GAN."""

    kimg: float | None = Field(default=None, gt=0)  # the time until the end; None keeps all settings constant
    lr: float = Field(default=1, gt=0)  # learning rates at the end, as a share of those at the start
    gamma: float = Field(default=1, ge=0)  # weights of R1 and R2 at the end, as a share of those at the start
    beta2: float | None = Field(default=None, ge=0, lt=1)  # second of `adam_betas` at the end; None for no change
    ema_kimg: float | None = Field(default=None, ge=0)  # at the end; None for no change
    augment_p: float | None = Field(default=None, ge=0, le=1)  # `augment.p` at the end, in mode fixed; None as above

    @model_validator(mode="after")
    def _fits(self) -> AnnealConfig:
        if self.kimg is None and self != AnnealConfig.model_construct():
            raise ValueError("`anneal` needs to know the time until the end; set `anneal.kimg`")
        return self


class GrowingConfig(Frozen):
    """Progressive growing: start with small images and double their size repeatedly. ProGAN Sec. 2, App. A."""

    initial_resolution: int = Field(default=4, ge=4)
    training_kimg: float = Field(default=600, gt=0)  # time at one resolution
    transition_kimg: float = Field(default=600, gt=0)  # time to fade in the next
    batch: dict[int, int] = {}  # resolution -> images per step, where it differs from the batch of the run
    lr: dict[int, float] = {}  # resolution -> learning rate of both networks, where it differs from that of the run


class TransferConfig(Frozen):
    """Trained weights to start from."""

    source: str | None = None  # path of a checkpoint; None starts from random weights
    origin: str | None = None  # where its weights came from
    licence: str | None = None  # license of its weights
    freeze_mapping: bool = False  # do not train the mapping network, so that every seed keeps its w


class TrainConfig(Frozen):
    """All settings of a run. Numbers without a unit are ratios, counts of images or counts of steps.

    `architecture` is the generation; the argument of the same name in `generator` and `discriminator` is their design
    (skip, orig, resnet) in StyleGAN2 Fig. 7. Both names belong to fixed formats.
    """

    cfg: str  # name of the preset
    architecture: Literal["progan", "stylegan1", "stylegan2", "stylegan3", "minimal", "r3gan"] = "stylegan2"
    data: DataConfig
    generator: dict[str, Any]  # arguments of the Generator
    discriminator: dict[str, Any]  # arguments of the Discriminator
    discriminator_kind: Literal["own", "projected"] = "own"  # that of the generation, or see `networks.projected`
    seed: int = Field(0, ge=0, lt=2**32)
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # of the highest resolutions, see num_fp16_res
    compile: bool | Literal["auto"] = False  # losses without second derivatives; auto: if it is faster, see compiling
    allow_tf32: bool = False  # let a GPU multiply float32 with 10 bits of mantissa

    on_nan: Literal["skip", "rollback", "stop"] = "rollback"  # see health.must_roll_back

    kimg: float = Field(gt=0)  # thousands of real images to show to the discriminator
    tick_kimg: float = Field(ge=0.001)  # between two ticks
    snap_ticks: int = Field(ge=1)  # ticks between two snapshots
    metrics: tuple[str, ...] = ()  # measured at every snapshot; the first decides which is the best
    feature_net: str | None = None  # file through which metrics see images that name no network, see `feature_file`
    feature_resize: str = "none"  # how images come to the size that it takes, see `TorchScriptNetwork`
    feature_range: tuple[float, float] = RANGE  # of the pixels that it takes
    keep_snapshots: Annotated[int, Field(ge=1)] | Literal["all"] = (
        3  # that can be resumed; older ones keep the generator only
    )
    milestone_kimg: float | None = Field(
        default=None, gt=0
    )  # of the older ones, the first after each multiple stays resumable

    batch: int = Field(ge=1)  # images per optimizer step, over all devices
    micro_batch: int = Field(ge=1)  # images that a device computes at once; gradients accumulate over its share
    g_lr: float = Field(gt=0)
    d_lr: float = Field(gt=0)
    adam_betas: tuple[float, float] = (0.0, 0.99)
    adam_eps: float = Field(1e-8, gt=0)
    mapping_lr: float | None = Field(default=None, gt=0)  # learning rate of the mapping network, where it differs
    clip_norm: float | None = Field(
        default=None, gt=0
    )  # upper limit of the norm of the gradient of each parameter group

    augment: AugmentConfig = AugmentConfig()
    blur: BlurConfig = BlurConfig()
    anneal: AnnealConfig = AnnealConfig()
    growing: GrowingConfig | None = None
    transfer: TransferConfig = TransferConfig()

    objective: Objective = "logistic"
    one_stage: bool = False  # main losses of both networks from one pass forward, see `phases.one_stage`
    gp_weight: float = Field(default=10, ge=0)  # weight of the gradient penalty of wasserstein_gp
    separate_regularization: bool = True  # lazy R1, R2 and path length take optimizer steps of their own
    r1_gamma: float = Field(ge=0)
    r2_gamma: float = Field(0, ge=0)  # weight of the same penalty on generated images
    r1_interval: int = Field(16, ge=1)  # steps between two R1 and R2 penalties (lazy regularization)
    penalty: Literal["exact", "approximate"] = "exact"  # R1 and R2 by second derivatives, or by disturbed images
    penalty_sigma: float = Field(0.01, gt=0)  # standard deviation of the disturbance, for images in [-1, 1]
    path_length: Literal["running_mean", "previous_mean"] = (
        "running_mean"  # the mean of StyleGAN2, or without this batch
    )
    pl_weight: float = Field(ge=0)
    pl_decay: float = Field(0.01, gt=0, le=1)
    pl_interval: int = Field(4, ge=1)  # steps between two path length penalties
    pl_start: int = Field(0, ge=0)  # steps before the first
    pl_batch_shrink: int = Field(2, ge=1)  # divides the batch for path lengths
    style_mixing_prob: float = Field(ge=0, le=1)
    ema_kimg: float = Field(ge=0)  # half-life of the averaged generator
    ema_rampup: float | None = Field(
        default=None, gt=0
    )  # upper limit of the half-life as a share of the images seen so far
    ema_beta: float | None = Field(default=None, ge=0, lt=1)  # decay per step, instead of ema_kimg

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.batch % self.micro_batch:
            raise ValueError(f"`batch` must be a multiple of `micro_batch` {self.micro_batch}, got {self.batch}")
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError(f"`adam_betas` must be in [0, 1), got {self.adam_betas}")
        if self.growing is not None:
            start, end = self.growing.initial_resolution, self.generator.get("img_resolution", 0)
            if not generator_class(self.architecture).grows:
                raise ValueError(f"networks of {self.architecture} do not grow; set `growing` to null")
            if self.discriminator_kind == "projected":
                raise ValueError("a projected discriminator does not grow; set `growing` to null")
            if start & (start - 1) or start > end:
                raise ValueError(f"`growing.initial_resolution` must be a power of two up to {end}, got {start}")
        if self.mapping_lr is not None and self.transfer.freeze_mapping:
            raise ValueError("a frozen mapping network has no learning rate; set `mapping_lr` to null")
        freeze_layers = self.discriminator.get("freeze_layers")
        if (freeze_layers or self.transfer.freeze_mapping) and self.transfer.source is None:
            name = "discriminator.freeze_layers" if freeze_layers else "transfer.freeze_mapping"
            raise ValueError(
                f"`{name}`: frozen layers would keep random weights; start from a checkpoint, or freeze nothing"
            )
        parse_resize(self.feature_resize)
        for metric in self.metrics:
            channels = self.generator.get("img_channels", 3)
            _parsed(metric).check(self.architecture, channels, labels=self.data.labels)
        group = self.group_size
        if group is not None and (not isinstance(group, int) or group < 1):
            raise ValueError(f"{_MBSTD} must be at least 1, or null for the whole batch, got {group!r}")
        if group and self.micro_batch % min(group, self.micro_batch):
            name = "batch" if self.batch == self.micro_batch else "micro_batch"  # which follows the batch by default
            raise ValueError(f"`{name}` must be a multiple of {_MBSTD} {group}, got {self.micro_batch}")
        return self

    @property
    def group_size(self) -> int | None:
        """The images that minibatch standard deviation compares with each other; None for all, or without it."""
        if self.architecture == "r3gan" or self.discriminator_kind == "projected":
            return None
        return self.discriminator.get("mbstd_group_size", 4)

    def to_json(self) -> str:
        """Return the content of config.json."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def info(self) -> RunInfo:
        """The settings that the folder and the page of a run show."""
        return RunInfo.from_config(self.model_dump())


def _parsed(metric: str) -> Request:
    """Return the metric of that name. Raises: ConfigError, which names the setting."""
    try:
        return parse(metric)
    except ConfigError as error:
        reason = f"{error}".rstrip(".")
        hint = "; an empty list, or none on the command line, measures nothing" * (metric.lower() == "none")
        raise ConfigError(f"`metrics`: {reason}{hint}.") from error


def _named_metrics(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics by names with the feature network, where some are official names or those of its file.

    A local file is read only then, so that the configuration of a run is readable without it.
    """
    names, source = settings.get("metrics"), settings.get("feature_net")
    if not isinstance(source, str) or not isinstance(names, list | tuple) or all(map(is_complete, names)):
        return {}
    requests = parse_all(",".join(names), name_of(source))
    if any(request.width for request in requests):
        own = TorchScriptNetwork(feature_file(source))
        for request in requests:
            request.load_detector(own=own)
    return {"metrics": tuple(request.name for request in requests)}


def data_config(settings: dict[str, Any]) -> DataConfig:
    """Return the data settings of {"data.path": ..., "data.mirror": ...}. Raises: ConfigError."""
    return build(DataConfig, {name.removeprefix("data."): value for name, value in settings.items()}, "data.")


def read_config(path: Path | str) -> TrainConfig:
    """Return the settings in the config.json of a run. Raises: ConfigError."""
    try:
        return validated(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is not the configuration of a run: {error}.") from error


def validated(settings: dict[str, Any]) -> TrainConfig:
    """Return the configuration of complete settings in groups. Raises: ConfigError for impossible values."""
    architecture = settings.get("architecture", "stylegan2")
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"`architecture` must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}.")
    kind = settings.get("discriminator_kind", "own")
    if kind not in DISCRIMINATORS:
        raise ConfigError(f"`discriminator_kind` must be one of {', '.join(DISCRIMINATORS)}, got {kind!r}.")
    networks: dict[str, Any] = {
        "generator": generator_class(architecture),
        "discriminator": discriminator_class(architecture, kind),
    }
    arguments = {name: {field.name for field in fields(network.Settings)} for name, network in networks.items()}
    for name, known in arguments.items():
        if not isinstance(settings.get(name), dict):
            raise ConfigError(f"`{name}` must be a group of settings, got {settings.get(name)!r}.")
        for unknown in set(settings[name]) - known:
            raise ConfigError(f"`{name}` has no setting {unknown!r}; it has {', '.join(sorted(known))}.")
    config = build(TrainConfig, {**settings, **_named_metrics(settings)})
    if config.augment.pipe not in AUGMENT_PRESETS:
        raise ConfigError(f"`augment.pipe` must be one of {', '.join(AUGMENT_PRESETS)}, got {config.augment.pipe!r}.")
    filters = "imgfilter" in AUGMENT_PRESETS[config.augment.pipe]
    if config.augment.mode in ("ada", "fixed") and filters and config.generator["img_resolution"] < SMALLEST_SIDE:
        raise ConfigError(
            f"`augment.pipe` {config.augment.pipe} needs images of {SMALLEST_SIDE} pixels per side or more for its "
            "filter; use one without a filter, such as bgc."
        )
    for name, network in networks.items():
        try:
            with torch.device("meta"):  # nothing is computed or stored
                num_ws = getattr(network(**settings[name]), "num_ws", None)
        except (TypeError, ValueError, RuntimeError) as error:
            reason = in_group((str(error).splitlines() or [type(error).__name__])[0], name, arguments[name])
            if not isinstance(error, ConfigError):
                reason = f"the settings of the {name} do not make a network: {reason.rstrip('.')}."
            raise ConfigError(reason) from error
        if num_ws == 1 and config.style_mixing_prob > 0:
            raise ConfigError(
                f"networks of {architecture} with a single w have no styles to mix; set `style_mixing_prob` to 0."
            )
    return config


def changed(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    """Return `config` with some settings changed, by dotted name. Raises: ConfigError for impossible values."""
    return validated(overlaid([config.model_dump(), changes]))


def overlaid(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return settings in groups, from layers that name them "batch" or "generator.w_dim"; later layers win.

    A layer that names a whole group replaces it. Raises: ConfigError for a name whose group does not exist.
    """
    settings: dict[str, Any] = {group: {} for group in GROUPS}
    for layer in layers:
        for name, value in layer.items():
            settings = _with(settings, name, value, name)
    return settings


def _with(settings: Mapping[str, Any], path: str, value: Any, name: str) -> dict[str, Any]:
    group, dot, rest = path.partition(".")
    if not dot:
        return {**settings, group: value}
    if not isinstance(settings.get(group), dict):
        raise ConfigError(f"there is no setting {name!r}; the groups are {', '.join([*GROUPS, 'growing'])}.")
    return {**settings, group: _with(settings[group], rest, value, name)}


def build(model: type[_Model], settings: dict[str, Any], prefix: str = "") -> _Model:
    """Return a group of settings; `prefix` is before their names in messages. Raises: ConfigError."""
    try:
        return model(**settings)
    except ValidationError as error:
        raise ConfigError(refusal(error, prefix)) from error
