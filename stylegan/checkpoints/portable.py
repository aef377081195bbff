"""The form that writers of other formats produce: named tensors, and an account of what happened to each of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn


class Renaming(NamedTuple):
    """One tensor under its name here and under the name that another tool gives it."""

    ours: str
    theirs: str
    change: Callable[[Tensor], Tensor] | None = None  # of shape or scale; None for none


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of the tensors of one network that was written."""

    kept: list[str] = field(default_factory=list)  # under the same name
    renamed: dict[str, str] = field(default_factory=dict)  # name here -> name in the file
    dropped: dict[str, str] = field(default_factory=dict)  # name here -> reason
    added: dict[str, str] = field(default_factory=dict)  # name in the file -> reason

    def __str__(self) -> str:
        counts = {"kept": self.kept, "renamed": self.renamed, "dropped": self.dropped, "added": self.added}
        return ", ".join(f"{len(names)} {what}" for what, names in counts.items() if names)


@dataclass(frozen=True, kw_only=True)
class Portable:
    """The content of a file of another tool, apart from its container."""

    networks: dict[str, dict[str, Tensor]]  # name of the network in the file -> its tensors
    others: dict[str, Any] = field(default_factory=dict)  # other tensors, numbers and texts beside the networks
    accounts: dict[str, Account] = field(default_factory=dict)  # G_ema, G or D -> its tensors
    left_out: dict[str, str] = field(default_factory=dict)  # network or setting that the format cannot hold -> reason


def renamed(
    network: nn.Module, table: Iterable[Renaming], dropped: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], Account]:
    """Return the tensors of a network under the names of a table, and the account.

    Args:
        dropped: reasons for tensors that the table leaves out, by the last part of their names.
    """
    own = network.state_dict()
    rows = list(table)
    tensors = {row.theirs: row.change(own[row.ours]) if row.change else own[row.ours] for row in rows}
    covered = {row.ours for row in rows}
    reasons = dropped or {}
    return tensors, Account(
        kept=[row.ours for row in rows if row.ours == row.theirs],
        renamed={row.ours: row.theirs for row in rows if row.ours != row.theirs},
        dropped={name: reasons[name.rpartition(".")[2]] for name in own if name not in covered},
    )
