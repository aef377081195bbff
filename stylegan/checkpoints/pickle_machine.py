"""A machine that reads a pickle and runs nothing: one pass, known opcodes, inert names.

The format is a program for a stack machine. A class or function that it names becomes a `Token`, which only a
`Vocabulary` can give a meaning; nothing is imported. Opcodes that no checkpoint needs are missing from the table:
those of protocols 0 and 1, EXT, DUP, FROZENSET, NEWOBJ_EX and out-of-band buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from stylegan.checkpoints import pickle_guards as guards
from stylegan.checkpoints.pickle_guards import Meter
from stylegan.errors import PickleError

KEPT = 1 << 16  # bytes; longer byte strings remain views of the file until an array or tensor copies them
LONGEST_NAME = 200  # bytes in the name of a module or class

Predicate = Callable[[Any], bool]


@dataclass(frozen=True, eq=False, kw_only=True)
class Token:
    """A class or function named by a pickle. It is inert: its meaning is here, not in the module of that name."""

    name: str  # such as "collections.OrderedDict"
    takes: tuple[Predicate, ...] = ()  # what each argument must be
    optional: int = 0  # number of arguments at the end that may be missing
    call: Callable[..., Any] | None = None  # of the meter and the arguments; None if it is never called
    new: Callable[[Meter], Any] | None = None  # makes an empty instance; None if it has none

    def result(self, meter: Meter, values: tuple) -> Any:
        """Return what the call becomes. Raises: PickleError if it is never called, or with other arguments."""
        guards.callable_name(self.name, self.call is not None)
        least = len(self.takes) - self.optional
        fits = least <= len(values) <= len(self.takes) and all(
            takes(value) for takes, value in zip(self.takes, values, strict=False)
        )
        guards.arguments(self.name, fits, values)
        assert self.call
        return self.call(meter, *values)

    def instance(self, meter: Meter, values: tuple) -> Any:
        """Return an empty instance. Raises: PickleError if there is none, or if it has arguments."""
        guards.callable_name(self.name, self.new is not None)
        guards.arguments(self.name, values == (), values)
        assert self.new
        return self.new(meter)


class Unfinished:
    """An array between the instruction that makes it and the one that gives it its data."""

    def __init__(self) -> None:
        self.array: Any = None


class Vocabulary(NamedTuple):
    """The meaning of names in a pickle."""

    tokens: Mapping[tuple[str, str], Token]  # by module and name
    build: Callable[[Meter, Any, Any], Any] | None = None  # returns an object with its state
    persistent: Callable[[Meter, Any], Any] | None = None  # returns the object of a persistent id


class Machine:
    """Stack, memo and position while a pickle is read."""

    def __init__(self, data: memoryview, position: int, vocabulary: Vocabulary, meter: Meter) -> None:
        self.data, self.position, self.vocabulary, self.meter = data, position, vocabulary, meter
        self.stack: list[Any] = []  # above the last mark
        self.below: list[list[Any]] = []  # stacks below each open mark
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the value of the pickle; `position` is then the byte after it. Raises: PickleError."""
        at, name = self.position, None
        meter, limits = self.meter, self.meter.limits
        try:
            guards.protocol(bytes(self.data[at : at + 2]))
            self.position += 2
            while True:
                at, name = self.position, None
                guards.inside(at + 1, len(self.data))
                code = self.data[at]
                self.position += 1
                if code == STOP:
                    name = "STOP"
                    guards.one_value(len(self.stack), len(self.below))
                    return self.stack.pop()
                name, instruction = OPCODES.get(code, ("an unknown instruction", _unknown))
                guards.opcode(code in OPCODES, code)
                meter.operations += 1
                guards.operations(meter)
                if not meter.operations & 1023:
                    guards.seconds(meter)
                instruction(self)
                guards.stack(len(self.stack), limits)
        except PickleError as error:
            if error.offset is None:
                error.offset, error.opcode = at, name
            raise

    def take(self, length: int) -> memoryview:
        """Return the next bytes."""
        begin, self.position = self.position, self.position + length
        guards.inside(self.position, len(self.data))
        return self.data[begin : self.position]

    def unsigned(self, length: int) -> int:
        """Return the next bytes as a little-endian unsigned integer."""
        return int.from_bytes(self.take(length), "little")

    def pop(self) -> Any:
        guards.filled(len(self.stack), 1)
        return self.stack.pop()

    def top(self) -> Any:
        guards.filled(len(self.stack), 1)
        return self.stack[-1]

    def last(self, count: int) -> tuple:
        """Return the values on top of the stack, and remove them."""
        guards.filled(len(self.stack), count)
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        return values

    def pop_to_mark(self) -> list[Any]:
        """Return the values above the last mark, and remove both."""
        guards.marked(len(self.below))
        values, self.stack = self.stack, self.below.pop()
        return values

    def call(self, make: Callable[[Token, Meter, tuple], Any]) -> Any:
        """Return what the token below the top makes of the arguments on top of the stack."""
        token, values = self.last(2)
        guards.callable_name(token.name if type(token) is Token else type(token).__name__, type(token) is Token)
        guards.arguments(token.name, type(values) is tuple, values)
        self.meter.calls += 1
        guards.calls(self.meter)
        return make(token, self.meter, values)

    def find(self, module: str, name: str) -> Token:
        """Return the token of a name."""
        token = self.vocabulary.tokens.get((module, name))
        guards.known(f"{module}.{name}", token is not None)
        return token  # type: ignore[return-value]

    def remember(self, index: int) -> None:
        """Put the value on top of the stack into the memo."""
        if index not in self.memo:
            self.meter.remembered += 1
            guards.remembered(self.meter)
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Push a value of the memo."""
        guards.memo_has(index, self.memo)
        value = self.memo[index]
        if type(value) is Unfinished:
            guards.array_complete(value.array is not None)
            value = value.array
        self.stack.append(value)

    def string(self, length: int) -> str:
        guards.string(length, self.meter.limits)
        try:
            return str(self.take(length), "utf-8")
        except UnicodeDecodeError as error:
            raise PickleError("a string is not in UTF-8") from error

    def blob(self, length: int) -> bytes | memoryview:
        """Return the next bytes: a copy of few, a view of many."""
        view = self.take(length)
        return bytes(view) if length <= KEPT else view

    def line(self) -> str:
        """Return the next line of text, which has the name of a module or class."""
        text, found, _ = bytes(self.data[self.position : self.position + LONGEST_NAME]).partition(b"\n")
        name = text.decode("latin1")  # every byte is one character, so only ASCII names can be known
        guards.known(name, bool(found))
        self.position += len(text) + 1
        return name


def _unknown(m: Machine) -> None:
    raise AssertionError("a guard refuses an unknown instruction")


STOP = ord(".")
OPCODES: dict[int, tuple[str, Callable[[Machine], object]]] = {}


def _add(code: bytes, name: str, instruction: Callable[[Machine], object]) -> None:
    OPCODES[code[0]] = (name, instruction)


def _push(code: bytes, name: str, value: Callable[[Machine], Any]) -> None:
    """Add an opcode that pushes what `value` returns."""

    def instruction(m: Machine) -> None:
        result = value(m)  # before `m.stack` is looked up, since it may remove a mark
        m.stack.append(result)

    _add(code, name, instruction)


def _long(m: Machine) -> int:
    length = m.unsigned(1)
    guards.integer(length, m.meter.limits)
    return int.from_bytes(m.take(length), "little", signed=True)


def _mark(m: Machine) -> None:
    m.below.append(m.stack)
    m.stack = []
    guards.marks(len(m.below), m.meter.limits)


def _limited(values: Any, m: Machine) -> Any:
    guards.items(len(values), m.meter.limits)
    return values


def _fill_list(m: Machine, values: list[Any]) -> None:
    target = m.top()
    guards.container(target, list)
    target.extend(values)
    _limited(target, m)


def _fill_dict(m: Machine, values: list[Any]) -> None:
    target = m.top()
    guards.container(target, dict)
    guards.pairs(len(values))
    guards.keys(values[::2])
    target.update(zip(values[::2], values[1::2], strict=True))
    _limited(target, m)


def _fill_set(m: Machine) -> None:
    values = m.pop_to_mark()
    target = m.top()
    guards.container(target, set)
    guards.keys(values)
    target.update(values)
    _limited(target, m)


def _stack_global(m: Machine) -> Token:
    module, name = m.last(2)
    guards.known(f"{type(module).__name__}.{type(name).__name__}", type(module) is str and type(name) is str)
    return m.find(module, name)


def _build(m: Machine) -> None:
    target, state = m.last(2)
    guards.buildable(target, m.vocabulary.build is not None)
    assert m.vocabulary.build
    m.meter.calls += 1
    guards.calls(m.meter)
    m.stack.append(m.vocabulary.build(m.meter, target, state))


def _persistent(m: Machine) -> Any:
    value = m.pop()
    guards.storage_id(m.vocabulary.persistent is not None, value)
    assert m.vocabulary.persistent
    return m.vocabulary.persistent(m.meter, value)


_push(b"N", "NONE", lambda m: None)
_push(b"\x88", "NEWTRUE", lambda m: True)
_push(b"\x89", "NEWFALSE", lambda m: False)
_push(b"J", "BININT", lambda m: int.from_bytes(m.take(4), "little", signed=True))
_push(b"K", "BININT1", lambda m: m.unsigned(1))
_push(b"M", "BININT2", lambda m: m.unsigned(2))
_push(b"\x8a", "LONG1", _long)
_push(b"G", "BINFLOAT", lambda m: struct.unpack(">d", m.take(8))[0])
_push(b"X", "BINUNICODE", lambda m: m.string(m.unsigned(4)))
_push(b"\x8c", "SHORT_BINUNICODE", lambda m: m.string(m.unsigned(1)))
_push(b"\x8d", "BINUNICODE8", lambda m: m.string(m.unsigned(8)))
_push(b"B", "BINBYTES", lambda m: m.blob(m.unsigned(4)))
_push(b"C", "SHORT_BINBYTES", lambda m: m.blob(m.unsigned(1)))
_push(b"\x8e", "BINBYTES8", lambda m: m.blob(m.unsigned(8)))
_push(b"\x96", "BYTEARRAY8", lambda m: m.blob(m.unsigned(8)))
_push(b"]", "EMPTY_LIST", lambda m: [])
_push(b"}", "EMPTY_DICT", lambda m: {})
_push(b")", "EMPTY_TUPLE", lambda m: ())
_push(b"\x8f", "EMPTY_SET", lambda m: set())
_push(b"t", "TUPLE", lambda m: _limited(tuple(m.pop_to_mark()), m))
_push(b"\x85", "TUPLE1", lambda m: m.last(1))
_push(b"\x86", "TUPLE2", lambda m: m.last(2))
_push(b"\x87", "TUPLE3", lambda m: m.last(3))
_add(b"a", "APPEND", lambda m: _fill_list(m, [m.pop()]))
_add(b"e", "APPENDS", lambda m: _fill_list(m, m.pop_to_mark()))
_add(b"s", "SETITEM", lambda m: _fill_dict(m, list(m.last(2))))
_add(b"u", "SETITEMS", lambda m: _fill_dict(m, m.pop_to_mark()))
_add(b"\x90", "ADDITEMS", _fill_set)
_add(b"(", "MARK", _mark)
_add(b"0", "POP", Machine.pop)
_add(b"1", "POP_MARK", Machine.pop_to_mark)
_add(b"q", "BINPUT", lambda m: m.remember(m.unsigned(1)))
_add(b"r", "LONG_BINPUT", lambda m: m.remember(m.unsigned(4)))
_add(b"\x94", "MEMOIZE", lambda m: m.remember(len(m.memo)))
_add(b"h", "BINGET", lambda m: m.recall(m.unsigned(1)))
_add(b"j", "LONG_BINGET", lambda m: m.recall(m.unsigned(4)))
_add(b"\x95", "FRAME", lambda m: guards.inside(m.position + m.unsigned(8) + 8, len(m.data)))
_push(b"c", "GLOBAL", lambda m: m.find(m.line(), m.line()))
_push(b"\x93", "STACK_GLOBAL", _stack_global)
_push(b"R", "REDUCE", lambda m: m.call(Token.result))
_push(b"\x81", "NEWOBJ", lambda m: m.call(Token.instance))
_add(b"b", "BUILD", _build)
_push(b"Q", "BINPERSID", _persistent)
