"""From the flags of `stylegan train` to the configuration and the data of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset
    from stylegan.machine.processes import World
    from stylegan.training import TrainConfig

# Flag -> setting. The flags keep the names of the official tools.
SETTINGS = {
    "mirror": "data.mirror",
    "subset": "data.max_images",
    "held_out": "data.held_out",
    "cond": "data.labels",
    "balanced": "data.balanced",
    "workers": "data.workers",
    "batch": "batch",
    "batch_gpu": "micro_batch",
    "gamma": "r1_gamma",
    "kimg": "kimg",
    "tick": "tick_kimg",
    "snap": "snap_ticks",
    "metrics": "metrics",
    "keep": "keep_snapshots",
    "milestones": "milestone_kimg",
    "seed": "seed",
    "map_depth": "generator.mapping_layers",
    "mbstd_group": "discriminator.mbstd_group_size",
    "precision": "precision",
    "compile": "compile",
    "allow_tf32": "allow_tf32",
    "device": "device",
    "aug": "augment.mode",
    "augpipe": "augment.pipe",
    "p": "augment.p",
    "target": "augment.target",
    "freezed": "discriminator.freeze_layers",
    "freeze_mapping": "transfer.freeze_mapping",
    "on_nan": "on_nan",
}


def is_checkpoint(source: Path) -> bool:
    """Weights without a run around them."""
    return source.is_file() or ((source / "config.json").is_file() and not (source / "snapshots").is_dir())


def new_config(flags: dict[str, Any], start: Path | None, world: World) -> tuple[TrainConfig, Dataset, str]:
    """The configuration of a new run: preset, then weights to start from, then --config, then flags, then --set.

    The third value says what the run takes over from those weights.
    """
    from stylegan.machine.devices import resolve_device
    from stylegan.machine.precision import best_precision
    from stylegan.training.batches import check_fits, open_dataset
    from stylegan.training.config import data_config, from_preset
    from stylegan.training.estimate import largest_micro_batch
    from stylegan.training.presets import preset
    from stylegan.training.transfer import open_start, require_architecture, settings_to_take_over, transfer_report

    from_file = _from_file(flags["config_file"])
    if start is not None:
        from_file = settings_to_take_over(from_file)
    typed = {**_from_flags(flags), **_from_assignments(flags["assignments"])}
    settings = {**from_file, **typed}
    source = start or settings.get("transfer.source")
    checkpoint = None
    if source is not None:
        checkpoint, defaults, provenance = open_start(Path(source))
        settings = {**defaults, **settings, **provenance}
    cfg = settings.pop("cfg", None)
    device = resolve_device(settings.get("device", "auto"))
    settings.setdefault("data.path", None)
    if settings["data.path"] is None:
        settings["data.path"] = _avatars(cfg)
    settings["data.path"] = _located(settings["data.path"])
    data = data_config({k: settings.pop(k) for k in list(settings) if k.startswith("data.")})
    seed = settings.get("seed", 0)
    if not isinstance(seed, int):
        raise ConfigError(f"seed must be a whole number, got {seed!r}.")
    dataset = open_dataset(data, seed, world.local_size)
    fill_memory = settings.get("batch") == "auto"
    if fill_memory:
        if "micro_batch" in typed:
            raise click.UsageError(
                "--batch auto chooses how many images are computed at once; leave out --batch-gpu, or give --batch a "
                "number."
            )
        del settings["batch"]
    cfg = cfg or _default_cfg(dataset.resolution, device.type)
    architecture = preset(cfg, dataset.resolution).architecture
    if checkpoint is not None:
        require_architecture(checkpoint, cfg, architecture)
    if settings.get("precision", "auto") == "auto":
        settings["precision"] = "fp32" if architecture == "minimal" else best_precision(device)
    config = from_preset(cfg, dataset, settings, data=data, gpus=world.size)
    check_fits(config, dataset)
    if fill_memory:
        config = largest_micro_batch(config, device, world.size, world.local_size)
    return config, dataset, transfer_report(checkpoint, config) if checkpoint else ""


def resumed_config(run: Path, flags: dict[str, Any], world: World) -> tuple[TrainConfig, Dataset]:
    """The configuration that `run` was started with; only its length, its machine and the place of its data change."""
    from stylegan.files.cache import default_cache
    from stylegan.training.batches import check_fits, open_dataset
    from stylegan.training.config import changed, read_config

    given = {k for k, v in flags.items() if v not in (None, ())}
    refused = given - {"kimg", "device", "data", "keep", "milestones", "metrics", "on_nan", "workers"}
    if refused:
        flag = {"assignments": "set", "config_file": "config"}
        names = ", ".join(sorted("--" + flag.get(name, name).replace("_", "-") for name in refused))
        raise click.UsageError(f"--resume keeps the settings of the run; leave out {names}, or start a new run.")
    if not (run / "snapshots").is_dir() or not (run / "config.json").is_file():
        raise ConfigError(f"{run} is not the folder of a run, which holds config.json and snapshots.")
    config = read_config(run / "config.json")
    changes: dict[str, Any] = {SETTINGS[name]: flags[name] for name in given - {"data", "workers"}}
    data = config.data.model_dump()
    if flags["workers"] is not None:
        data["workers"] = flags["workers"]
    if flags["data"] is not None:
        data["path"] = _located(flags["data"])
    elif Path(config.data.path).parent == default_cache() / "data" and not Path(config.data.path).exists():
        _avatars(config.cfg)  # a cache may be emptied
    config = changed(config, {**changes, "data": data})
    dataset = open_dataset(config.data, config.seed, world.local_size)
    check_fits(config, dataset)
    return config, dataset


def _from_flags(flags: dict[str, Any]) -> dict[str, Any]:
    for flag, mode in (("p", "fixed"), ("target", "ada")):
        if flags[flag] is not None and flags["aug"] != mode:
            raise click.UsageError(f"--{flag} means something with --aug {mode} only; add that, or leave it out.")
    settings = {setting: flags[flag] for flag, setting in SETTINGS.items() if flags[flag] is not None}
    if flags["no_growing"]:
        settings["growing"] = None
    for flag, names in (
        ("cfg", ["cfg"]),
        ("data", ["data.path"]),
        ("lr", ["g_lr", "d_lr"]),
        ("glr", ["g_lr"]),
        ("dlr", ["d_lr"]),
        ("cbase", ["generator.channel_base", "discriminator.channel_base"]),
        ("cmax", ["generator.channel_max", "discriminator.channel_max"]),
    ):
        if flags[flag] is not None:
            settings |= dict.fromkeys(names, flags[flag])
    return settings


def _from_file(path: Path | None) -> dict[str, Any]:
    """Settings by dotted name, from YAML with groups; the config.json of a run is such a file too."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not readable YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold settings such as `batch: 16`, got {type(content).__name__}.")
    settings: dict[str, Any] = {}
    for name, value in content.items():
        settings |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return settings


def _from_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected NAME=VALUE such as batch=16, got {assignment!r}.", param_hint="--set")
        try:
            settings[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"{value!r} is not a value in YAML.", param_hint="--set") from error
    return settings


def _avatars(cfg: str | None) -> Path:
    """The embedded faces at the resolution that the preset wants, prepared once into the cache folder."""
    from stylegan.data.prepare import prepare
    from stylegan.data.samples import avatars
    from stylegan.files.cache import default_cache
    from stylegan.training.presets import PRESETS

    resolution = PRESETS[cfg].resolution if cfg in PRESETS else None
    if resolution in (None, 64):
        return avatars()
    path = default_cache() / "data" / f"avatars{resolution}.zip"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare(avatars(), path, resolution=resolution)
    return path


def _located(data: str | Path) -> str:
    """Where the data lies, whichever folder the run goes on in."""
    from stylegan.data.shards.remote import is_url

    return str(data) if is_url(data) else str(Path(data).resolve())


def _default_cfg(resolution: int, device: str) -> str:
    return {16: "tiny16", 32: "cpu32", 64: "cpu64"}.get(resolution, "auto") if device == "cpu" else "auto"
