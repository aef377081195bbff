"""Translation of the command lines of the official tools by the table in `official.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

import click

from stylegan.cli.launch import speaks
from stylegan.cli.official import FLAGS, VERBS, Flag
from stylegan.cli.verbs import VERBS as OURS

_BOOLEANS = {"": "1", "true": "1", "yes": "1", "on": "1", "false": "0", "no": "0", "off": "0"}  # as click reads them


def translate_verb(args: list[str]) -> list[str]:
    """Return a command line that begins with the name of an official program, beginning with the verb instead.

    Raises: UsageError for a program that has no verb, or whose verb is planned.
    """
    program = args[0].removesuffix(".py")
    for given in (args[:2], args[:1]):
        theirs = " ".join([program.replace("-", "_"), *given[1:]])
        for verb in VERBS:
            if verb.theirs != theirs:
                continue
            if verb.ours is None:
                raise click.UsageError(f"{' '.join(given)}: {verb.note}")
            if verb.ours not in OURS:
                raise click.UsageError(
                    f"{' '.join(given)} is the verb {verb.ours} here, which is planned; this version has "
                    f"{', '.join(OURS)}."
                )
            return [verb.ours, *args[len(given) :]]
    return [program if program in OURS else args[0], *args[1:]]


def translate_flags(verb: str, args: list[str]) -> list[str]:
    """Return the arguments of a verb with the flags of the official tools replaced by ours.

    What has no effect is printed in one line. Raises: UsageError for a flag that is refused, with the reason.
    """
    found: list[str] = []
    for word in _words(args):
        row = _row(verb, word) if word.name else None
        if row is None:
            found += word.given
            continue
        if row.ours is None:
            raise click.UsageError(f"{word.name}{word.value and ' '}{word.value}: {row.note}")
        if row.note:
            _say(f"{word.name} {row.note}")
        found += _replaced(row, word.value)
    return found


def refuse_repeated(command: click.Command, args: list[str]) -> None:
    """Raise UsageError for a path given twice, with two values; of another option, say which value counts."""
    once = {
        name: param
        for param in command.params
        if isinstance(param, click.Option) and not param.multiple
        for name in (*param.opts, *param.secondary_opts)
    }
    values: dict[str, str] = {}
    for word in _words(args):
        param = once.get(word.name)
        if param is None:
            continue
        value = "" if param.is_flag else word.value
        name = str(param.name)
        if values.setdefault(name, value) == value:
            continue
        if isinstance(param.type, click.Path) or param.type.name == "network":
            raise click.UsageError(f"{word.name} is given twice, as {values[name]} and {value}; give it once.")
        _say(f"{param.opts[0]} is given more than once; the last value, {value or 'on'}, counts.")
        values[name] = value


def _say(note: str) -> None:
    if speaks():  # one process of a launcher is enough
        click.echo(f"Note: {note}", err=True)


class _Word(NamedTuple):
    """A flag with the word that may be its value, or a single word."""

    name: str  # of the flag, with - for _; empty for another word
    value: str  # empty without
    given: list[str]  # the words of the command line


def _words(args: list[str]) -> Iterator[_Word]:
    """Yield the flags of a command line with their values. A word after a flag counts as its value."""
    rest = list(args)
    while rest:
        given = [rest.pop(0)]
        name, equals, value = given[0].partition("=")
        if not _is_flag(given[0]):
            yield _Word("", "", given)
            continue
        if "--" in name:
            name = name.replace("_", "-")
            given = [name + equals + value]
        if not equals and rest and not _is_flag(rest[0]):
            value = rest.pop(0)
            given.append(value)
        yield _Word(name, value, given)


def _is_flag(word: str) -> bool:
    return re.match(r"--?[A-Za-z]", word) is not None


def _row(verb: str, word: _Word) -> Flag | None:
    """Return the row of the table for this flag and value, if there is one."""
    for row in FLAGS:
        name, _, pattern = row.theirs.partition(" ")
        if (row.verb, name.lower()) == (verb, word.name.lower()) and _matches(word.value, pattern):
            return row
    return None


def is_placeholder(pattern: str) -> bool:
    """Return whether this word of the table is a name for any value."""
    return re.fullmatch("[A-Z][A-Zx]*", pattern) is not None


def _matches(value: str, pattern: str) -> bool:
    if not pattern or is_placeholder(pattern):
        return True
    if pattern in ("0", "1"):
        return _BOOLEANS.get(value.lower(), value) == pattern
    return any(fnmatchcase(part.strip(), form) for part in value.split(",") for form in pattern.split("|"))


def _replaced(row: Flag, value: str) -> list[str]:
    """Return our words for a flag of theirs with this value."""
    placeholder = row.theirs.partition(" ")[2]
    words = (row.ours or "").split()
    if not is_placeholder(placeholder):
        return words
    return [word for word in (re.sub(rf"\b{placeholder}$", lambda _: value, word) for word in words) if word]
