"""The account of a conversion: what became of each tensor of one network."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of the tensors of one network that was read or written."""

    kept: list[str] = field(default_factory=list)  # under the same name
    renamed: dict[str, str] = field(default_factory=dict)  # name before -> name after
    dropped: dict[str, str] = field(default_factory=dict)  # name before -> reason
    added: list[str] = field(default_factory=list)  # names after that no tensor before has the values of

    def __str__(self) -> str:
        counts = {"kept": self.kept, "renamed": self.renamed, "dropped": self.dropped, "added": self.added}
        return ", ".join(f"{len(names)} {what}" for what, names in counts.items() if names)
