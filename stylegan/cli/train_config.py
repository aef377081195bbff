"""Translation of the flags of `stylegan train` to settings by dotted name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.training.assemble import Given

# Flag -> settings. Of two flags for one setting, the later in this table wins. Flags have the names of the official
# tools.
SETTINGS: dict[str, tuple[str, ...]] = {
    "cfg": ("cfg",),
    "data": ("data.path",),
    "mirror": ("data.mirror",),
    "mirror_y": ("data.mirror_y",),
    "subset": ("data.max_images",),
    "held_out": ("data.held_out",),
    "discriminator": ("discriminator_kind",),
    "cond": ("data.labels",),
    "balanced": ("data.balanced",),
    "workers": ("data.workers",),
    "batch": ("batch",),
    "batch_gpu": ("micro_batch",),
    "gamma": ("r1_gamma",),
    "kimg": ("kimg",),
    "tick": ("tick_kimg",),
    "snap": ("snap_ticks",),
    "metrics": ("metrics",),
    "feature_net": ("feature_net",),
    "feature_resize": ("feature_resize",),
    "feature_range": ("feature_range",),
    "keep": ("keep_snapshots",),
    "milestones": ("milestone_kimg",),
    "seed": ("seed",),
    "lr": ("g_lr", "d_lr"),
    "glr": ("g_lr",),
    "dlr": ("d_lr",),
    "cbase": ("generator.channel_base", "discriminator.channel_base"),
    "cmax": ("generator.channel_max", "discriminator.channel_max"),
    "map_depth": ("generator.mapping_layers",),
    "mbstd_group": ("discriminator.mbstd_group_size",),
    "no_growing": ("growing",),
    "precision": ("precision",),
    "compile": ("compile",),
    "allow_tf32": ("allow_tf32",),
    "device": ("device",),
    "aug": ("augment.mode",),
    "augpipe": ("augment.pipe",),
    "p": ("augment.p",),
    "target": ("augment.target",),
    "freezed": ("discriminator.freeze_layers",),
    "freeze_mapping": ("transfer.freeze_mapping",),
    "on_nan": ("on_nan",),
}


def new_settings(flags: dict[str, Any]) -> Given:
    """Return the settings of --config, of the flags and of --set."""
    from stylegan.training.assemble import Given

    for flag, mode in (("p", "fixed"), ("target", "ada")):
        if flags[flag] is not None and flags["aug"] != mode:
            raise click.UsageError(f"--{flag} needs --aug {mode}; add that, or leave --{flag} out.")
    return Given(_from_file(flags["config_file"]), _from_flags(flags), _from_assignments(flags["assignments"]))


def spelled(flags: dict[str, Any]) -> dict[str, str]:
    """Return how the user named each setting: {"g_lr": "--lr"}, or {"g_lr": "g_lr"} for one that --set assigns."""
    given = [flag for flag in SETTINGS if flags.get(flag) is not None]
    names = {setting: "--" + flag.replace("_", "-") for flag in given for setting in SETTINGS[flag]}
    return names | {setting: setting for setting in _from_assignments(flags["assignments"])}


def resumed_settings(flags: dict[str, Any], run: Path) -> dict[str, Any]:
    """Return the settings that the flags and --set change of a resumed run.

    Raises: UsageError for those that a run keeps, and for another --outdir than that of `run`.
    """
    from stylegan.training.plan import CHANGEABLE

    kept = [name for setting, name in spelled(flags).items() if setting not in CHANGEABLE]
    refused = {name if name.startswith("--") else f"--set {name}" for name in kept}
    if flags["config_file"] is not None:
        refused.add("--config")
    if flags["outdir"] is not None and flags["outdir"].resolve() != run.resolve().parent:
        refused.add("--outdir")
    if refused:
        names = ", ".join(sorted(refused))
        raise click.UsageError(f"--resume keeps the settings of the run; leave out {names}, or start a new run.")
    return _from_flags(flags) | _from_assignments(flags["assignments"])


def _from_flags(flags: dict[str, Any]) -> dict[str, Any]:
    given = {flag: flags[flag] for flag in SETTINGS if flags[flag] is not None}
    if given.pop("no_growing", False):
        given["no_growing"] = None  # the value of the setting
    settings = {setting: value for flag, value in given.items() for setting in SETTINGS[flag]}
    if flags["discriminator"] == "projected":  # whose widths are settings of its own
        for width in ("channel_base", "channel_max"):
            settings.pop(f"discriminator.{width}", None)
    return settings


def _from_file(path: Path | None) -> dict[str, Any]:
    """Return the settings of a YAML file with groups, by dotted name; the config.json of a run is such a file too."""
    from stylegan.training.assemble import dotted

    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not readable YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold settings such as `batch: 16`, got {type(content).__name__}.")
    return dotted(content)


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
