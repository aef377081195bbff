"""The settings of a network: one frozen value per generation that checks itself before anything is built.

A field is annotated with its type and bounds, such as `Width`. The upper bounds are far above every published network;
they keep a damaged or hostile file from asking for hours of time or terabytes of memory.
"""

from __future__ import annotations

import inspect
import reprlib
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache, wraps
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from stylegan.errors import ConfigError
from stylegan.machine.surroundings import float32_by_default
from stylegan.ops.bias_act import ACTIVATIONS

P = ParamSpec("P")
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Whole:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def admits(self, value: object) -> bool:
        return isinstance(value, Integral) and not isinstance(value, bool) and self.low <= int(value) <= self.high


@dataclass(frozen=True)
class PowerOfTwo:
    """Powers of two from `low` to `high`, both included."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"a power of two from {self.low} to {self.high}"

    def admits(self, value: object) -> bool:
        return Whole(self.low, self.high).admits(value) and not value & (value - 1)  # type: ignore[operator]


@dataclass(frozen=True)
class Between:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def admits(self, value: object) -> bool:
        number: Any = value  # compared as it is: some whole numbers are too large for a float
        return isinstance(value, Real) and not isinstance(value, bool) and bool(self.low <= number <= self.high)


@dataclass(frozen=True)
class OneOf:
    """One of several words."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"

    def admits(self, value: object) -> bool:
        return isinstance(value, str) and value in self.words


@dataclass(frozen=True)
class Text:
    """Texts of up to `most` characters."""

    most: int

    def __str__(self) -> str:
        return f"a text of up to {self.most} characters"

    def admits(self, value: object) -> bool:
        return isinstance(value, str) and len(value) <= self.most


@dataclass(frozen=True)
class Numbers:
    """Lists of 1 to `most` numbers whose sum is not zero."""

    most: int

    def __str__(self) -> str:
        return f"1 to {self.most} numbers whose sum is not zero"

    def admits(self, value: object) -> bool:
        if not isinstance(value, list | tuple) or not 0 < len(value) <= self.most:
            return False
        return all(Between(-1e6, 1e6).admits(number) for number in value) and abs(sum(value)) > 1e-6


class _TrueOrFalse:
    def __str__(self) -> str:
        return "True or False"

    def admits(self, value: object) -> bool:
        return isinstance(value, bool)


Width = Annotated[int, Whole(1, 2**16)]
WidthOrNothing = Annotated[int, Whole(0, 2**16)]
LabelWidth = Annotated[int, Whole(0, 100_000)]
Resolution = Annotated[int, PowerOfTwo(4, 8192)]
ImageChannels = Annotated[int, Whole(1, 64)]
Depth = Annotated[int, Whole(1, 100)]
Count = Annotated[int, Whole(0, 1000)]
ChannelBase = Annotated[int, Whole(1, 2**24)]
Fraction = Annotated[float, Between(0, 1)]
Positive = Annotated[float, Between(1e-9, 1e9)]
Taps = Annotated[Sequence[float], Numbers(64)]
Activation = Annotated[str, OneOf(tuple(ACTIVATIONS))]


class _Brief(reprlib.Repr):
    """Short texts of values; tensors and arrays count by their shape, since a small file can hold one of many axes."""

    def repr_instance(self, x: Any, level: int) -> str:
        if getattr(x, "ndim", 0):
            return f"{type(x).__name__} of shape {list(x.shape)[:9]}"
        return super().repr_instance(x, level)


def shown(value: Any) -> str:
    """Return a short text on one line for a value of any type, for the message of an error."""
    return " ".join(_Brief().repr(value).split())


class NetworkFields(Protocol):
    """The fields that the settings of every network have."""

    @property
    def c_dim(self) -> int: ...

    @property
    def img_resolution(self) -> int: ...

    @property
    def img_channels(self) -> int: ...


@dataclass(frozen=True)
class Settings:
    """Base class of the settings of a network.

    Raises: ConfigError for the first field whose value has another type or is out of bounds. TypeError for unknown
        fields.
    """

    def __post_init__(self) -> None:
        own: Any = type(self)
        hints = _hints(own)
        for field in fields(self):
            value = _checked(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)


def by_words(
    settings: Callable[P, S],
) -> Callable[[Callable[[Any, S], None]], Callable[Concatenate[Any, P], None]]:
    """Let a constructor that takes a settings value take the words of its fields instead.

    `@by_words(GeneratorSettings)` over `def __init__(self, settings)` makes `Generator(z_dim=512, ...)` the call, with
    the signature of `GeneratorSettings`.
    """

    def decorate(init: Callable[[Any, S], None]) -> Callable[Concatenate[Any, P], None]:
        @wraps(init)
        def by_words_of_settings(self: Any, *args: P.args, **words: P.kwargs) -> None:
            with float32_by_default():
                init(self, settings(*args, **words))

        own = next(iter(inspect.signature(init).parameters.values()))
        hints = get_type_hints(settings)  # plain types, without bounds
        others = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(settings).parameters.items()
        ]
        signature = inspect.Signature([own, *others], return_annotation=None)
        by_words_of_settings.__signature__ = signature  # type: ignore[attr-defined]
        return by_words_of_settings

    return decorate


@cache
def _hints(settings: type[Any]) -> dict[str, Any]:
    return get_type_hints(settings, include_extras=True)


def _checked(name: str, value: Any, hint: Any) -> Any:
    """Return `value` in plain Python numbers and tuples. Raises: ConfigError unless it has the type of `hint`."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if value is None and types.NoneType in alternatives:
        return None
    bounds: Any = alternatives[0].__metadata__[0] if get_origin(alternatives[0]) is Annotated else _TrueOrFalse()
    if not bounds.admits(value):
        or_none = " or None" if len(alternatives) > 1 else ""
        raise ConfigError(f"{name} must be {bounds}{or_none}, got {shown(value)}.")
    if isinstance(value, list | tuple):
        return tuple(_plain(number) for number in value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return the Python number that equals a number of another library."""
    if isinstance(value, int | float | str):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
