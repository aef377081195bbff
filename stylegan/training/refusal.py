"""Sentences for settings that do not validate: what was expected, what came. None is in the words of pydantic."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_EXPECTED = {  # type of pydantic's error -> what was expected
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "dict_type": "a group of settings",
    "model_type": "a group of settings",
    "model_attributes_type": "a group of settings",
}
_OF_A_UNION = re.compile(r"[\[-]|^bool$")  # pydantic's names for its members: constrained-int, literal['all'], bool


def refusal(error: ValidationError, prefix: str = "") -> str:
    """Return one sentence about the first setting of `error`; `prefix` is the group that its names belong to."""
    errors = error.errors()
    first, name = errors[0], _name(errors[0], prefix)
    match first["type"]:
        case "value_error":  # the sentence of a validator of ours
            return f"{first['msg'].removeprefix('Value error, ').rstrip('.')}."
        case "missing":
            return f"`{name}` is missing; give it a value."
        case "extra_forbidden":
            return f"there is no setting {name!r}, got {first['input']!r}; correct the name, or leave it out."
    expected = [_expected(e) for e in errors if _name(e, prefix) == name]
    if None in expected:
        return f"`{name}` cannot be {first['input']!r}; give it a value like that of a preset."
    return f"`{name}` must be {' or '.join(dict.fromkeys(map(str, expected)))}, got {first['input']!r}."


def in_group(message: str, group: str, names: Collection[str]) -> str:
    """Return a message of a network, in which its arguments become settings: z_dim as `generator.z_dim`.

    Args:
        names: the arguments of the network. Those of one word count at the start only, as they may be plain words.
    """
    words = "|".join(sorted(name for name in names if "_" in name))
    first = "|".join(sorted(names))
    return re.sub(rf"(?<![\w`.])(?:{words})(?![\w`])|^(?:{first})(?= )", rf"`{group}.\g<0>`", message)


def _expected(error: ErrorDetails) -> str | None:
    text = _EXPECTED.get(error["type"])
    limits = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in error.get("ctx", {}).items()}
    return None if text is None else text.format(**limits)


def _name(error: ErrorDetails, prefix: str) -> str:
    """Return the dotted name of a setting, without positions in a list."""
    parts = [part for part in error["loc"] if isinstance(part, str) and not _OF_A_UNION.search(part)]
    return prefix + ".".join(parts)
