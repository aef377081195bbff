"""Build hook: the README as a package index shows it, where a relative link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = r"\((?![a-z]+:)([^)\s]+)\)"  # target of a link to a file of the repository, or to a heading


class IndexReadme(MetadataHookInterface):
    """Sets the readme of the package; `urls.Source` of pyproject.toml, if there is one, is where its files are."""

    def update(self, metadata: dict) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(text, source)}


def for_index(text: str, source: str | None) -> str:
    """Return the text with every relative link made absolute; without a source, its words remain and images go."""
    if source is None:
        text = re.sub(rf"!\[[^\]]*\]{RELATIVE}\n*", "", text)
        return re.sub(rf"\[([^\]]*)\]{RELATIVE}", r"\1", text)
    text = re.sub(rf"(!\[[^\]]*\]){RELATIVE}", rf"\1({source}/raw/HEAD/\2)", text)
    return re.sub(rf"(?<!!)(\[[^\]]*\]){RELATIVE}", rf"\1({source}/blob/HEAD/\2)", text)
