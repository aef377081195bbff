"""Every `stylegan VERB ...` in the README, the docs, the help texts and the examples is a command that exists."""

import re
import shlex
from importlib import import_module
from itertools import product
from pathlib import Path

import click
import pytest

from stylegan.cli import options
from stylegan.cli.train_config import new_settings
from stylegan.cli.verbs import VERBS, module_of
from stylegan.training.assemble import Images, assemble
from stylegan.training.presets import PRESETS

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "docs/**/*.md", "stylegan/models/*/README.md", "examples/*.html"]
CODE = ["stylegan/cli/*.py", "examples/*.py"]
COMMAND = re.compile(rf"(?<![\w/.-])stylegan (?:{'|'.join(VERBS)})(?= |$)[^`\n]*")


def commands_of(text: str) -> list[str]:
    """Return the commands in a text, with each value of the shell variables that a loop of it sets."""
    text = re.sub(r"\\\n\s*", " ", text)  # a line that continues
    loops = dict(re.findall(r"for (\w+) in ([^;]*);", text))
    found = []
    for command in COMMAND.findall(text):
        used = [name for name in loops if f"${name}" in command]
        for values in product(*(loops[name].split() for name in used)):
            line = command
            for name, value in zip(used, values, strict=True):
                line = line.replace(f"${name}", value)
            found.append(line)
    return found


def in_pages() -> list[tuple[str, str]]:
    found = []
    for page in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        text = re.sub(r"(`[^`\n]*)\n *([^`\n]*`)", r"\1 \2", page.read_text(encoding="utf-8"))  # `code` over two lines
        text = re.sub(r"</?(?:pre|code)>", "`", text).replace("$more_kimg", "100")
        found += [(page.relative_to(ROOT).as_posix(), command) for command in commands_of(text)]
    for file in sorted(path for pattern in CODE for path in ROOT.glob(pattern)):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("    stylegan ")]
        found += [(file.relative_to(ROOT).as_posix(), command) for command in commands_of("\n".join(lines))]
    return found


def words(command: str) -> list[str]:
    """Return the words of a command after `stylegan`, without a comment, other programs and the three dots."""
    line = re.split(r" \| |\)? && |; | > ", command)[0]
    return [word for word in shlex.split(line, comments=True)[1:] if word != "..."]


@pytest.fixture
def without_files(monkeypatch):
    """Let the parser accept paths and networks that do not exist here."""
    for kind in (click.Path, options.LocalPath, options.PathOrURL, options.Network):
        monkeypatch.setattr(kind, "convert", lambda self, value, param, ctx: Path(value))
    monkeypatch.setattr(Path, "is_file", lambda self: True)  # of files in the place of seeds


@pytest.mark.parametrize(("page", "command"), dict.fromkeys(in_pages()))
def test_a_command_in_a_text_has_verbs_flags_and_values_that_exist(page, command, without_files):
    verb, *arguments = words(command)
    if not arguments:
        return  # the verb as a noun
    parser = import_module(module_of(verb)).command
    if len(arguments) == 1 and arguments[0].startswith("--"):  # the name of an option
        assert any(arguments[0] in param.opts for param in parser.params)
        return
    required = [param.name for param in parser.params if param.required]
    for param in parser.params:
        param.required = False  # a text may show a part of a command
    try:
        flags = parser.make_context(verb, arguments).params
    finally:
        for param in parser.params:
            param.required = param.name in required
    if verb == "train" and flags["resume"] is None:
        cfg = flags["cfg"] or "cpu64"
        side = PRESETS[cfg].resolution if cfg in PRESETS else None
        labels = 2 if flags["cond"] else 0
        given = new_settings({**flags, "metrics": flags["metrics"] or None})
        known = type(given)(given.file, {k: v for k, v in given.flags.items() if k != "data.path"}, given.assignments)
        assemble(cfg, Images("images.zip", side or 64, 3, labels), known)


def test_there_are_many_commands_in_the_texts():
    pages = {page for page, _ in in_pages()}
    assert {"README.md", "docs/resuming.md", "stylegan/cli/train.py", "examples/demo_page.html"} <= pages
    assert len(in_pages()) > 70
