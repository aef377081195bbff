"""Messages of the library, which name settings as in `micro_batch`, with the flags that set them, as in --batch-gpu."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module

import click

from stylegan.cli.verbs import VERBS, module_of

# Settings that no option carries in its name, and the function of Python that a verb calls.
_MORE = {
    "channel_base": "--cbase",
    "channel_max": "--cmax",
    "d_lr": "--dlr",
    "g_lr": "--glr",
    "overwrite": "--force",
    "convert": "`stylegan convert`",
    "prepare": "`stylegan dataset`",
}


def with_flags(message: str, typed: Mapping[str, str] | None = None) -> str:
    """Replace every setting in backticks by its flag; what no flag sets stays as it is.

    Args:
        typed: how the user spelled settings, which wins: {"g_lr": "--lr"}, or {"snap_ticks": "snap_ticks"} for --set.
    """
    names = {**flags(), **(typed or {})}
    return re.sub(r"`([\w.]+)`", lambda match: names.get(match[1], match[0]), message)


@cache
def flags() -> dict[str, str]:
    """Return the flag of every setting: of those of `stylegan train`, and of the options of all verbs."""
    from stylegan.cli.train_config import SETTINGS

    found: dict[str, str] = {}
    for verb in VERBS:
        command: click.Command = import_module(module_of(verb)).command
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        params = [param for part in parts for param in part.params]
        options = [param for param in params if isinstance(param, click.Option) and not param.hidden]
        found |= {str(param.name): param.opts[0] for param in options if param.opts[0].startswith("--")}
    opposite = ("no_growing",)  # of its setting
    settings = {setting: found[flag] for flag, names in SETTINGS.items() if flag not in opposite for setting in names}
    short = {setting.rpartition(".")[2]: flag for setting, flag in settings.items()}
    return {**short, **found, **settings, **_MORE}
