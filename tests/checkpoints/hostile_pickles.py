"""Hostile and damaged pickles and torch.save files, each with the guard that must refuse it.

Payloads of live files touch "touched" in the working folder if stock pickle or torch.load opens them.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from foreign_pickles import Network, Persistent, dumps, module_state, torch_save
from torch import nn

from stylegan.checkpoints.pickle_guards import Limits

SHELL = "touch touched"
CODE = "open('touched', 'w').close()"
P2, P3, P4, P5 = (b"\x80" + bytes([n]) for n in (2, 3, 4, 5))
MARK, STOP, REDUCE, BUILD, TUPLE = b"(", b".", b"R", b"b", b"t"

DEFAULT = Limits()


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    data: bytes
    guard: str | None = "known"  # the function that refuses it, "any" if that is open; None for a clean load
    torch: bool = False  # read as a file of torch.save
    live: bool = False  # runs code under stock pickle
    limits: Limits = DEFAULT


# ---- An assembler


def body(value: Any) -> bytes:
    """Return the instructions that push a plain value."""
    return pickle.dumps(value, protocol=3)[2:-1]


def named(module: str, name: str) -> bytes:
    """Return the instructions that push a class or function."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def stacked(module: str, name: str) -> bytes:
    """Return those of protocol 4."""
    return body(module) + body(name) + b"\x93"


def called(function: bytes, *arguments: bytes) -> bytes:
    """Return the instructions of a call."""
    return function + MARK + b"".join(arguments) + TUPLE + REDUCE


def call(name: str, *arguments: Any, by: Callable[[str, str], bytes] = named) -> bytes:
    """Return the instructions that call a function by its full name with plain values."""
    module, _, function = name.rpartition(".")
    return called(by(module, function), *map(body, arguments))


def put(value: bytes, index: int) -> bytes:
    return value + b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


SYSTEM = call("os.system", SHELL)
DTYPE = call("numpy.dtype", "f4", False, True)
ARRAY = called(named("numpy.core.multiarray", "_reconstruct"), named("numpy", "ndarray"), body((0,)), body(b"b"))
ORDERED = named("collections", "OrderedDict") + b")R"


def stream(
    value: bytes | None = None,
    *,
    raw: bytes = struct.pack("<q4f", 4, 1, 2, 3, 4),
    kind: str = "FloatStorage",
    keys: bytes = body(["1"]),
    magic: bytes = body(0x1950A86A20F9469CFC6C),
    version: bytes = body(1001),
    system: bytes = body({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}),
    count: Any = 4,
    after: bytes = b"",
) -> bytes:
    """Return a legacy torch.save stream of one storage, with any of its six parts replaced."""
    value = storage_id(kind=kind, count=count) if value is None else value
    return b"".join(P2 + part + STOP for part in (magic, version, system, value, keys)) + raw + after


def storage_id(
    kind: str = "FloatStorage", key: Any = "1", device: Any = "cpu", count: Any = 4, first: Any = "storage"
) -> bytes:
    return MARK + body(first) + named("torch", kind) + body(key) + body(device) + body(count) + b"NtQ"


def storage(blob: bytes) -> bytes:
    """Return the instructions of a storage nested in a pickle."""
    return call("torch.storage._load_from_bytes", blob)


def tensor(
    offset: Any = 0, size: Any = (4,), stride: Any = (1,), inner: bytes | None = None, rest: bytes = b""
) -> bytes:
    """Return the instructions of a tensor."""
    parts = (
        storage(stream()) if inner is None else inner,
        body(offset),
        body(size),
        body(stride),
        b"\x89",
        ORDERED,
        rest,
    )
    return called(named("torch._utils", "_rebuild_tensor_v2"), *parts)


def official(protocol: int = 4, **changes: Any) -> bytes:
    """Return a small checkpoint of the official layout."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    attributes = {"gain": np.float64(0.5), "use_fp16": np.bool_(True), "size": np.array([4, 4])}
    return dumps({"G_ema": Persistent("Generator", module_state(network, attributes)), **changes}, protocol)


def tensorflow() -> bytes:
    G = Network()
    G.__dict__.update(version=4, variables=[("lod", np.float32(0)), ("x", np.ones((3, 3), np.float32))])
    return dumps((G, G, G))


def state_dict(zipped: bool) -> bytes:
    torch.manual_seed(0)
    value = {"g_ema": nn.Linear(3, 2).state_dict(), "args": argparse.Namespace(size=32)}
    return torch_save(value, zipped)


def meta(**changes: Any) -> bytes:
    """Return the instructions of a persistent object."""
    found = {"type": "class", "version": 6, "module_src": "", "class_name": "G", "state": {}, **changes}
    found = {key: value for key, value in found.items() if value is not ...}
    return call("torch_utils.persistence._reconstruct_persistent_obj", found)


# ---- Calls of other functions

WRITE = os.O_CREAT | os.O_WRONLY
LIVE_CALLS: list[tuple[Any, ...]] = [
    ("os.system", SHELL),
    ("posix.system", SHELL),
    ("os.open", "touched", WRITE),
    ("os.mkdir", "touched"),
    ("os.makedirs", "touched"),
    ("os.mkfifo", "touched"),
    ("os.symlink", "/", "touched"),
    ("os.spawnlp", 0, "touch", "touch", "touched"),
    ("os.spawnvp", 0, "touch", ["touch", "touched"]),
    ("builtins.exec", CODE),
    ("builtins.eval", CODE),
    ("builtins.open", "touched", "w"),
    ("io.open", "touched", "w"),
    ("_io.open", "touched", "w"),
    ("_io.FileIO", "touched", "w"),
    ("codecs.open", "touched", "w"),
    ("subprocess.run", ["touch", "touched"]),
    ("subprocess.call", ["touch", "touched"]),
    ("subprocess.check_call", ["touch", "touched"]),
    ("subprocess.check_output", ["touch", "touched"]),
    ("subprocess.getoutput", SHELL),
    ("subprocess.getstatusoutput", SHELL),
    ("shutil.copyfile", "payload_0.py", "touched"),
    ("shutil.copytree", ".", "touched"),
    ("logging.FileHandler", "touched"),
    ("zipfile.ZipFile", "touched", "w"),
    ("tarfile.open", "touched", "w"),
    ("gzip.open", "touched", "w"),
    ("bz2.open", "touched", "w"),
    ("lzma.open", "touched", "w"),
    ("timeit.timeit", "pass", CODE),
    ("cProfile.run", CODE),
    ("runpy.run_path", "payload_0.py"),
    ("runpy.run_module", "payload_0"),
    ("importlib.import_module", "payload_0"),
    ("builtins.__import__", "payload_1"),
    ("pydoc.locate", "payload_2"),
    ("pkgutil.resolve_name", "payload_3"),
    ("pickle.loads", P2 + SYSTEM + STOP),
    ("_pickle.loads", P2 + SYSTEM + STOP),
    ("numpy.save", "touched", 1),
    ("numpy.savetxt", "touched", [1]),
    ("torch.save", 1, "touched"),
]
OTHER_CALLS: list[tuple[Any, ...]] = [
    ("os.popen", SHELL),  # would not be finished in time to be seen
    ("subprocess.Popen", ["touch", "touched"]),
    ("marshal.loads", b"N"),
    ("ctypes.CDLL", "libc.so.6"),
    ("socket.create_connection", ["127.0.0.1", 9]),
    ("urllib.request.urlopen", "http://127.0.0.1:9/"),
    ("webbrowser.open", "http://127.0.0.1:9/"),
    ("os._exit", 0),
    ("os.abort",),
    ("os.kill", 0, 0),
    ("os.remove", "touched"),
    ("shutil.rmtree", "touched"),
    ("sys.exit",),
    ("time.sleep", 100),
    ("builtins.getattr", "x", "upper"),
    ("builtins.compile", "1", "x", "eval"),
    ("builtins.type", "X", (), {}),
    ("builtins.print", "x"),
    ("builtins.input",),
    ("builtins.bytearray", 10**10),
    ("builtins.range", 10**10),
    ("builtins.list", [1]),
    ("builtins.tuple", [1]),
    ("builtins.frozenset", [1]),
    ("builtins.complex", 1, 1),
    ("functools.partial", 1),
    ("operator.methodcaller", "x"),
    ("operator.attrgetter", "x"),
    ("types.CodeType",),
    ("types.FunctionType",),
    ("copyreg.add_extension", "os", "system", 1),
    ("copyreg.__newobj__",),
    ("collections.defaultdict",),
    ("collections.Counter", [1]),
    ("codecs.decode", b"", "zip"),
    ("_codecs.decode", b"", "latin1"),
    ("_codecs.lookup", "latin1"),
    ("torch.load", "touched"),
    ("torch.hub.load", "x", "y"),
    ("torch.jit.load", "touched"),
    ("torch._utils._rebuild_tensor", 1),
    ("torch._utils._rebuild_device_tensor_from_numpy", 1),
    ("torch._tensor._rebuild_from_type_v2", 1),
    ("torch.storage.UntypedStorage", 10**12),
    ("torch.FloatStorage", 10**12),
    ("torch.Tensor", 10**6, 10**6),
    ("torch.zeros", 10**12),
    ("numpy.load", "touched"),
    ("numpy.zeros", 10**12),
    ("numpy.ndarray", (10**6, 10**6)),
    ("numpy.fromfile", "touched"),
    ("numpy.memmap", "touched", "u1", "w+"),
    ("numpy.core.multiarray.fromfile", "touched"),
    ("numpy.testing._private.utils.runstring", CODE, {}),
    ("dill._dill._create_function",),
    ("dill._dill._import_module", "os"),
    ("dill._dill._load_type", "CodeType"),
    ("dnnlib.util.call_func_by_name", "os.system"),
    ("dnnlib.util.get_obj_by_name", "os.system"),
    ("torch_utils.persistence._src_to_module", CODE),
    ("torch_utils.persistence.import_hook", CODE),
    ("training.networks.Generator",),
    ("R3GAN.Networks.Generator",),
    ("timm.models.efficientnet.EfficientNet",),
    ("__main__.Generator",),
    ("pty.spawn", "sh"),
    ("pip.main", ["install"]),
]


def calls() -> Iterator[Case]:
    for name, *arguments in LIVE_CALLS:
        for by, protocol in ((named, P2), (stacked, P4)):
            data = protocol + call(name, *arguments, by=by) + STOP
            yield Case(f"call of {name} by {by.__name__} name", data, live=True)
    for name, *arguments in OTHER_CALLS:
        guard = "callable_name" if name == "numpy.ndarray" else "known"  # a known name that is no function
        yield Case(f"call of {name}", P4 + call(name, *arguments, by=stacked) + STOP, guard)
    names = ["os.system", "shutil.os.system", "zipfile.os.system", "subprocess.os.system"]
    for name in names:
        module, _, rest = name.partition(".")
        yield Case(f"dotted {name}", P4 + called(stacked(module, rest), body(SHELL)) + STOP, live=True)


def instructions() -> Iterator[Case]:
    system, ext = named("os", "system"), call("copyreg.add_extension", "posix", "system", 77) + b"0"
    yield Case("INST", P2 + MARK + body(SHELL) + b"ios\nsystem\n.", "opcode", live=True)
    yield Case("OBJ", P2 + MARK + system + body(SHELL) + b"o.", live=True)
    yield Case("OBJ of a known class", P2 + MARK + named("collections", "OrderedDict") + b"o.", "opcode")
    yield Case("NEWOBJ", P2 + system + body((SHELL,)) + b"\x81.")
    yield Case("NEWOBJ of a known class", P2 + named("argparse", "Namespace") + body((1,)) + b"\x81.", "arguments")
    yield Case("NEWOBJ of a function", P2 + named("numpy", "dtype") + b")\x81.", "callable_name")
    yield Case("NEWOBJ of a value", P2 + body("os.system") + b")\x81.", "callable_name")
    yield Case("NEWOBJ_EX", P4 + named("argparse", "Namespace") + b")}\x92.", "opcode")
    for code, index in ((b"\x82", b"M"), (b"\x83", b"M\0"), (b"\x84", b"M\0\0\0")):
        yield Case(f"EXT {code[0]:x}", P2 + ext + called(code + index, body(SHELL)) + STOP, live=True)
        yield Case(f"EXT {code[0]:x} alone", P2 + called(code + index, body(SHELL)) + STOP, "opcode")
    yield Case("PERSID", P2 + b"Pos.system\n.", "opcode")
    yield Case("BINPERSID", P2 + body(("storage", "os.system")) + b"Q.", "storage_id")
    yield Case("DUP", P2 + b"N2\x86.", "opcode")
    texts = [b"I1\n", b"L1L\n", b"F1\n", b"S'x'\n", b"Vx\n", b"T\1\0\0\0x", b"U\1x", b"(l", b"(d", b"Np0\n", b"Ng0\n"]
    texts += [b"\x8b\1\0\0\0\1", b"]\x91", b"\x97", b"N\x98", b"\xff", b"\x00", b"\x7f", b"i", b"\x80\x04N", b"(]\x91"]
    for code in texts:
        yield Case(f"old or unknown instruction {code!r}", P4 + code + STOP, "opcode")
    namespace = put(named("argparse", "Namespace") + b")\x81", 900)
    hook = MARK + body("__setstate__") + named("os", "system") + b"d"
    yield Case("BUILD of __setstate__", P2 + namespace + hook + BUILD + body(SHELL) + b"b.", live=True)
    yield Case("BUILD of text", P2 + namespace + body(SHELL) + b"b.", "buildable")
    yield Case("BUILD twice", P2 + namespace + body({"a": 1}) + BUILD + body({"a": 2}) + b"b.", "buildable")
    yield Case("BUILD of slots", P2 + namespace + body(({}, {"a": 1})) + b"b.", "buildable")
    yield Case("BUILD of a function", P2 + named("numpy", "dtype") + body({"a": 1}) + b"b.", "buildable")
    yield Case("BUILD of a persistent object", P2 + meta() + body({"a": 1}) + b"b.", "buildable")
    yield Case("BUILD of a dict", P2 + ORDERED + body({"__class__": 1}) + b"b.", "buildable")
    yield Case("BUILD of a list", P2 + body([]) + body({"a": 1}) + b"b.", "buildable")
    yield Case("BUILD of a tensor", P2 + tensor() + body({"a": 1}) + b"b.", "buildable")
    for attribute in ("__class__", "__dict__", "__reduce__", "__setstate__", "__del__"):
        yield Case(f"attribute {attribute}", P2 + namespace + body({attribute: "os.system"}) + b"b.", None)
    yield Case(
        "call of a result",
        P2 + called(called(named("functools", "partial"), named("os", "system"), body(SHELL))) + b".",
        live=True,
    )
    getattr_ = called(named("builtins", "getattr"), call("builtins.__import__", "os"), body("system"))
    yield Case("call of an attribute", P2 + called(getattr_, body(SHELL)) + STOP, live=True)
    mapped = called(named("builtins", "map"), named("os", "system"), body([SHELL]))
    yield Case("call by iteration", P2 + called(named("builtins", "list"), mapped) + STOP, live=True)
    for value in (body("os.system"), body([]), body(1), b"N", body({}), ORDERED, DTYPE, tensor(), meta()):
        yield Case(f"call of the value {value[:30]!r}", P2 + value + b")R.", "callable_name")
    for value in (b"N", body([1]), body({}), body("x"), DTYPE):
        yield Case(f"call with {value[:30]!r}", P2 + named("torch", "Size") + value + b"R.", "arguments")


def placements() -> Iterator[Case]:
    """A live call at every place of a checkpoint."""
    places = {
        "beside the networks": b"}" + body("x") + SYSTEM + b"s",
        "as a key": b"}" + SYSTEM + b"Ns",
        "in a list": b"]" + SYSTEM + b"a",
        "in a tuple": SYSTEM + b"\x85",
        "in a set": called(named("builtins", "set"), b"]" + SYSTEM + b"a"),
        "removed from the stack": SYSTEM + b"0N",
        "removed with a mark": MARK + SYSTEM + b"1N",
        "in the memo only": put(SYSTEM, 7) + b"0N",
        "behind padding": body(b"\0" * 100_000) + b"0" + SYSTEM,
        "in a state": named("argparse", "Namespace") + b")\x81}" + body("x") + SYSTEM + b"sb",
        "in the hooks of a tensor": tensor(rest=SYSTEM),
        "in the size of a tensor": called(named("torch", "Size"), SYSTEM + b"\x85"),
        "in the type of an array": called(named("numpy", "dtype"), body("f4"), SYSTEM, body(True)),
    }
    for place, code in places.items():
        yield Case(f"call {place}", P3 + code + STOP, live=True)
    source = {"module_src": CODE, "class_name": "Generator"}
    yield Case("module_src that writes", P2 + meta(**source) + STOP, None, live=True)
    for text in ("import os; os.system('x')", "\0", "(" * 10_000, "é" * 1000, CODE * 1000):
        yield Case(f"module_src {text[:20]!r}", P2 + meta(module_src=text) + STOP, None)
    yield Case("module_src that is missing", P2 + meta(module_src=...) + STOP, None)
    yield Case("module_src that is a call", P2 + called(named("builtins", "set"), SYSTEM) + STOP, live=True)
    for name in ("magic", "version", "system", "value", "keys"):
        blob = stream(**{name: SYSTEM})  # type: ignore[arg-type]
        yield Case(f"nested storage with a call as its {name}", P3 + storage(blob) + STOP, live=True)
        yield Case(f"torch.save stream with a call as its {name}", blob, torch=True, live=True)
    inner = stream(storage(stream()), raw=b"", keys=body([]))
    yield Case("storage nested twice", P3 + storage(inner) + STOP)


ALLOWED = [
    "torch_utils.persistence._reconstruct_persistent_obj",
    "torch._utils._rebuild_tensor_v2",
    "torch.storage._load_from_bytes",
    "collections.OrderedDict",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "dnnlib.util.EasyDict",
    "argparse.Namespace",
    "_codecs.encode",
    "builtins.set",
]


def names() -> Iterator[Case]:
    """Names that look like known ones."""
    for full in ALLOWED:
        module, _, name = full.rpartition(".")
        head, _, tail = module.partition(".")
        similar = {
            "upper case": (module, name.swapcase()),
            "module in upper case": (module.swapcase(), name),
            "space at the end": (module, name + " "),
            "space at the start": (module, " " + name),
            "module with a space": (module + " ", name),
            "null byte": (module, name + "\0"),
            "Cyrillic letter": (module, name.replace("e", "\u0435").replace("o", "\u043e")),
            "full-width letter": (module, name[:-1] + chr(ord(name[-1]) + 0xFEE0)),
            "combining mark": (module, name + "\u0301"),
            "zero width": (module, name + "\u200b"),
            "carriage return": (module, name + "\r"),
            "dot at the end": (module + ".", name),
            "dots": (module, name + ".__class__"),
            "attribute": (module, name + ".__init__.__globals__"),
            "split elsewhere": (head, f"{tail}.{name}" if tail else f".{name}"),
            "module of modules": ("sys", f"modules.{module}.{name}"),
            "empty module": ("", full),
            "empty name": (full, ""),
        }
        for kind, (m, n) in similar.items():
            if (m, n) != (module, name):
                yield Case(f"{full} with {kind}", P4 + called(stacked(m, n)) + STOP)
        yield Case(f"{full} by name of an array", P4 + body([module]) + body(name) + b"\x93.")
    yield Case("name without an end", P2 + b"c" + b"os" * 1000)
    yield Case("name of a million letters", P2 + named("os" * 500_000, "system") + STOP)
    yield Case("names that are bytes", P4 + body(b"os") + body(b"system") + b"\x93.")
    yield Case("names that are numbers", P4 + body(1) + body(2) + b"\x93.")


# ---- Arguments of known functions


def arguments() -> Iterator[Case]:
    wrong: dict[str, list[tuple[Any, ...]]] = {
        "collections.OrderedDict": [([],), (1,), ([["a", 1]],)],
        "_codecs.encode": [("x",), ("x", "utf-7"), ("x", "rot13"), (b"x", "latin1"), (1, "latin1"), ("日", "latin1")],
        "builtins.set": [(), (1,), ("abc",), ({"a": 1},), ([1], [2])],
        "builtins.bytes": [(1,), (10**10,), ([1],)],
        "torch.Size": [(), (1,), ([1],), ((1.0,),), (("1",),), ((10**20,),), ((True,),), ((1,) * 40,)],
        "torch.device": [(), (1,), ("cuda", "x"), ("cuda", 0, 0)],
        "torch.storage._load_from_bytes": [(), ("x",), (1,), (None,), (b"x", b"y")],
        "torch._utils._rebuild_tensor_v2": [(), (1,), (1, 0, (4,), (1,), False, {}), (b"x", 0, (), (), False, {})],
        "torch._utils._rebuild_parameter": [(), (1, False, {}), ([1.0], False, {}), ("x",)],
        "torch._utils._rebuild_parameter_with_state": [(), (1, False, {}, {}), (None,)],
        "torch.nn.parameter.Parameter": [(), (1,), ([1.0],)],
        "numpy.dtype": [(), ("f4",), ("f4", 2, 1), ("f4", False, "x"), (4, False, True), (["f4"], False, True)],
        "numpy.core.multiarray.scalar": [(), ("f4", b"1234"), (None, b"")],
        "numpy.core.multiarray._reconstruct": [(), (1, (0,), b"b"), ("numpy.ndarray", (0,), b"b")],
        "numpy.core.numeric._frombuffer": [(), (b"1234", "f4", (1,), "C"), (b"", None, (0,), "C")],
        "copyreg._reconstructor": [(), (1, 2, None), ("argparse.Namespace", "object", None)],
        "dill._dill._create_array": [(), (1, (), (), None), ("os.system", (SHELL,), (), None)],
        "torch_utils.persistence._reconstruct_persistent_obj": [(), ("x",), ([],), ({},), ({}, {})],
    }
    for name, several in wrong.items():
        for values in several:
            yield Case(f"{name}{repr(values)[:40]}", P3 + call(name, *values) + STOP, "arguments")
    reconstructor = named("copyreg", "_reconstructor")
    for kind, guard in (("os.system", "known"), ("numpy.dtype", "callable_name"), ("builtins.object", "callable_name")):
        kinds = named(*kind.rsplit(".", 1)), named("builtins", "object"), b"N"
        yield Case(f"copyreg of {kind}", P2 + called(reconstructor, *kinds) + STOP, guard)
    dill = named("dill._dill", "_create_array")
    yield Case("dill array of a function", P2 + called(dill, named("os", "system"), body((SHELL,)), b"N", b"N") + STOP)
    yield Case(
        "dill array without data",
        P2
        + called(
            dill,
            named("numpy.core.multiarray", "_reconstruct"),
            MARK + named("numpy", "ndarray") + body((0,)) + body(b"b") + b"t",
            b")",
            b"N",
        )
        + STOP,
        "buildable",
    )
    changes: dict[str, dict[str, Any]] = {
        "class_name os.system": {"class_name": "os.system"},
        "class_name with a call": {"class_name": "G()"},
        "empty class_name": {"class_name": ""},
        "class_name of other letters": {"class_name": "G\u0435nerator"},
        "class_name of 3 lines": {"class_name": "G\n\n"},
    }
    for name, change in changes.items():
        yield Case(name, P2 + meta(**change) + STOP, "identifier")
    for name, change in {
        "class_name that is a number": {"class_name": 1},
        "class_name that is missing": {"class_name": ...},
        "version 5": {"version": 5},
        "version 6.0": {"version": 6.0},
        "version that is text": {"version": "6"},
        "type function": {"type": "function"},
        "type that is a list": {"type": ["class"]},
        "state that is a list": {"state": []},
        "state that is text": {"state": CODE},
        "state that is missing": {"state": ...},
        "one more key": {"hooks": 1},
    }.items():
        yield Case(f"record with {name}", P2 + meta(**change) + STOP, "arguments")


# ---- Arrays


def arrays() -> Iterator[Case]:
    for code in (
        "O",
        "O8",
        "V8",
        "U4",
        "S4",
        "M8",
        "m8",
        "c8",
        "c16",
        "f16",
        "i3",
        "f4,f4",
        "(2,2)f4",
        ">f4",
        "<f4",
        "",
        "f4 ",
        "x" * 1000,
    ):
        yield Case(f"array of {code[:10]}", P2 + call("numpy.dtype", code, False, True) + STOP, "plain_dtype")
    for state in (
        (3, ">", None, None, None, -1, -1, 0),
        (3, "<", None, ("a",), {"a": 1}, -1, -1, 0),
        (3, "<", (1, (2,)), None, None, -1, -1, 0),
        (3, "<", None, None, None, 8, 8, 0),
        (3, "<", None, None, None, -1, -1, 63),
        (4, "<", None, None, None, -1, -1, 0, {}),
        {},
        None,
        (3,),
    ):
        yield Case(f"type of an array with {state}", P2 + DTYPE + body(state) + b"b.", "buildable")
    shapes: list[tuple[Any, bytes]] = [
        ((2,), b"1234"),
        ((-1,), b"1234"),
        ((-1, -1), b"1234"),
        ((10**9, 10**9), b"1234"),
        ((0, 2**39, 2**39), b""),
        ((0,), b"1234"),
        ((2**39,), b""),
        ((1,) * 5, b""),
    ]
    for shape, raw in shapes:
        state = MARK + body(1) + body(shape) + DTYPE + b"\x89" + body(raw) + TUPLE
        yield Case(f"array of shape {shape} and {len(raw)} bytes", P3 + ARRAY + state + b"b.", "array_size")
        buffer = called(named("numpy.core.numeric", "_frombuffer"), body(raw), DTYPE, body(shape), body("C"))
        yield Case(f"buffer of shape {shape} and {len(raw)} bytes", P3 + buffer + b".", "array_size")
    for raw in (b"", b"1", b"12345"):
        scalar = called(named("numpy._core.multiarray", "scalar"), DTYPE, body(raw))
        yield Case(f"scalar of {len(raw)} bytes", P3 + scalar + STOP, "array_size")
    for name, parts in {
        "version": (body(2), body((1,)), DTYPE, b"\x89", body(b"1234")),
        "shape": (body(1), body(4), DTYPE, b"\x89", body(b"1234")),
        "shape of floats": (body(1), body((1.0,)), DTYPE, b"\x89", body(b"1234")),
        "type": (body(1), body((1,)), body("f4"), b"\x89", body(b"1234")),
        "order": (body(1), body((1,)), DTYPE, body("C"), body(b"1234")),
        "data": (body(1), body((1,)), DTYPE, b"\x89", body([1.0])),
        "many axes": (body(1), body((1,) * 33), DTYPE, b"\x89", body(b"1234")),
        "length": (body(1), body((1,)), DTYPE),
    }.items():
        yield Case(f"array with another {name}", P3 + ARRAY + MARK + b"".join(parts) + b"tb.", "buildable")
    good = MARK + body(1) + body((1,)) + DTYPE + b"\x89" + body(b"1234") + TUPLE
    yield Case("array that is never filled", P3 + ARRAY + STOP, "data")
    yield Case("array that is used before", P3 + put(ARRAY, 900) + get(900) + b"\x86.", "array_complete")
    yield Case("array that is filled twice", P3 + ARRAY + good + BUILD + good + b"b.", "buildable")
    yield Case("array that is kept unfinished", P3 + b"](" + put(ARRAY, 900) + b"e.", "data")
    yield Case(
        "boolean array of other bytes",
        P3
        + called(
            named("numpy.core.numeric", "_frombuffer"),
            body(b"\2\xff"),
            call("numpy.dtype", "b1", False, True),
            body((2,)),
            body("C"),
        )
        + STOP,
        None,
    )


# ---- Storages and tensors


def tensors() -> Iterator[Case]:
    bounds: list[tuple[Any, Any, Any]] = [
        (1, (4,), (1,)),
        (5, (0,), (1,)),
        (0, (5,), (1,)),
        (0, (2, 2), (3, 1)),
        (0, (2,), (4,)),
        (-1, (4,), (1,)),
        (0, (-4,), (1,)),
        (0, (-2, -2), (1, 1)),
        (0, (4,), (-1,)),
        (3, (4,), (-1,)),
        (0, (4,), (1, 1)),
        (0, (4, 1), (1,)),
        (0, (2**39, 2**39), (0, 0)),
        (0, (0, 2**39, 2**39), (1, 1, 1)),
        (2**39, (1,), (1,)),
        (0, (2**39,), (2**39,)),
    ]
    for offset, size, stride in bounds:
        name = f"tensor with offset {offset}, size {size}, stride {stride}"
        yield Case(name, P3 + tensor(offset, size, stride) + STOP, "tensor_bounds")
    kinds: list[tuple[Any, Any, Any]] = [
        (2**63, (1,), (1,)),
        (0, (2**62, 4), (0, 0)),
        (0, (1,), (2**64,)),
        (0, 4, 1),
        (0, [4], [1]),
        (0.0, (4,), (1,)),
        (True, (4,), (1,)),
        (0, (4.0,), (1,)),
        (0, (1,) * 33, (1,) * 33),
        ("0", (4,), (1,)),
    ]
    for offset, size, stride in kinds:
        guard = "tensor_bounds" if offset == 2**63 else "arguments"
        name = f"tensor of other types: {offset}, {str(size)[:30]}, {str(stride)[:30]}"
        yield Case(name, P3 + tensor(offset, size, stride) + STOP, guard)
    yield Case("tensor of a tensor", P3 + tensor(inner=tensor()) + STOP, "arguments")
    yield Case("tensor with hooks", P3 + tensor(rest=body({"x": 1})) + STOP, "arguments")
    yield Case("tensor expanded to 800 MB", P3 + tensor(0, (200_000_000,), (0,)) + STOP, "built_room")
    view = get(900) + body(0) + body((4_000_000,)) + body((0,)) + b"\x89" + ORDERED
    views = (named("torch._utils", "_rebuild_tensor_v2") + MARK + view + b"tR0") * 10
    yield Case("many expanded tensors", P3 + put(storage(stream()), 900) + b"0" + views + b"N.", "built_room")
    yield Case("expanded tensor", P3 + tensor(0, (3, 4), (0, 1)) + STOP, None)
    yield Case("storage without a tensor", P3 + storage(stream()) + STOP, "data")


def storages() -> Iterator[Case]:
    good, little = struct.pack("<q4f", 4, 1, 2, 3, 4), {"protocol_version": 1001, "little_endian": True}
    blobs: dict[str, tuple[bytes, str]] = {
        "another magic number": (stream(magic=body(1)), "stream_part"),
        "a magic number that is a list": (stream(magic=body([1])), "stream_part"),
        "another version": (stream(version=body(1002)), "stream_part"),
        "big-endian elements": (stream(system=body({**little, "little_endian": False})), "stream_part"),
        "an order of elements that is 1": (stream(system=body({**little, "little_endian": 1})), "stream_part"),
        "no order of elements": (stream(system=body({})), "stream_part"),
        "a system that is a list": (stream(system=body([])), "stream_part"),
        "no keys": (stream(keys=body([])), "stream_part"),
        "another key": (stream(keys=body(["2"])), "stream_part"),
        "a key twice": (stream(keys=body(["1", "1"]), raw=good * 2), "stream_part"),
        "keys that are numbers": (stream(keys=body([1])), "stream_part"),
        "keys that are text": (stream(keys=body("1")), "stream_part"),
        "a count that is smaller": (stream(raw=struct.pack("<q4f", 3, 1, 2, 3, 4)), "storage_size"),
        "a negative count": (stream(raw=struct.pack("<q4f", -4, 1, 2, 3, 4)), "storage_size"),
        "a huge count": (stream(raw=struct.pack("<q4f", 2**62, 1, 2, 3, 4)), "storage_size"),
        "fewer elements": (stream(raw=good[:-1]), "inside"),
        "no count": (stream(raw=good[:4]), "inside"),
        "bytes after the elements": (stream(after=b"\0"), "whole"),
        "a pickle after the elements": (stream(after=P2 + SYSTEM + STOP), "whole"),
        "an unknown type": (stream(kind="UntypedStorage"), "known"),
        "a type that is no storage": (stream(kind="Tensor"), "known"),
        "a negative size": (stream(count=-4), "storage_id"),
        "a size of 10 ** 9": (stream(count=10**9), "storage_room"),
        "a size of 2 ** 62": (stream(count=2**62), "storage_id"),
        "a size that is a float": (stream(count=4.0), "storage_id"),
        "a value that is a list": (stream(b"]"), "stream_part"),
        "a value that is text": (stream(body("x"), keys=body([]), raw=b""), "stream_part"),
        "a list of its storage": (stream(b"](" + storage_id() + b"e"), "stream_part"),
        "two storages": (
            stream(storage_id() + b"0" + storage_id(key="2"), keys=body(["1", "2"]), raw=good * 2),
            "stream_part",
        ),
        "an id of a module": (stream(storage_id(first="module")), "storage_id"),
        "an id that is a list": (stream(body(["storage"]) + b"Q"), "storage_id"),
        "an id of two": (stream(body(("storage", 1)) + b"Q"), "storage_id"),
        "an id with a view": (stream(storage_id()[:-3] + body((1, 2)) + b"tQ"), "storage_id"),
        "an id with a list as key": (stream(storage_id(key=["1"])), "storage_id"),
        "an id with a number as device": (stream(storage_id(device=0)), "storage_id"),
        "an id with text as type": (
            stream(storage_id().replace(named("torch", "FloatStorage"), body("x"))),
            "storage_id",
        ),
        "ids that differ": (stream(storage_id() + b"0" + storage_id(count=2)), "storage_id"),
        "a zip": (state_dict(True), "protocol"),
        "a pickle": (P2 + SYSTEM + STOP, "known"),
        "zeros": (b"\0" * 100, "protocol"),
        "nothing": (b"", "protocol"),
    }
    for name, (blob, guard) in blobs.items():
        yield Case(f"storage with {name}", P3 + storage(blob) + STOP, guard)
        if name not in ("a value that is text", "nothing", "a zip", "two storages", "a list of its storage"):
            yield Case(f"torch.save stream with {name}", blob, guard, torch=True)
    big = stream(kind="ByteStorage", count=100_000, raw=struct.pack("<q", 100_000) + bytes(100_000))
    reused = put(named("torch.storage", "_load_from_bytes"), 900) + b"0" + put(body(big), 901) + b"0"
    reused += (get(900) + get(901) + b"\x85R0") * 1000 + b"N."
    yield Case("storage that is read a thousand times", P3 + reused, "nested_room")


# ---- Structure


def structure() -> Iterator[Case]:
    yield Case("no byte", b"", "protocol")
    for head in (
        b"\x80",
        b"\x80\x00",
        b"\x80\x01",
        b"\x80\x06",
        b"\x80\xff",
        b"N",
        b"cos\nsystem\n",
        b"PK\3\4",
        b"\x89HDF",
    ):
        yield Case(f"start {head!r}", head + b"N.", "protocol")
    yield Case("call in protocol 0", b"cos\nsystem\n(S'touch touched'\ntR.", "protocol", live=True)
    yield Case("call in protocol 1", b"cos\nsystem\n(U\x0dtouch touchedtR.", "protocol", live=True)
    for code in (b"a", b"s", b"\x85", b"\x86", b"\x87", b"0", b"q\0", b"R", b"\x81", b"b", b"\x93", b"Q", b"\x94"):
        yield Case(f"empty stack before {code!r}", P4 + code + STOP, "filled")
        yield Case(f"stack that ends at a mark before {code!r}", P4 + b"NNN(" + code + STOP, "filled")
    for code in (b"t", b"e", b"u", b"1", b"\x90"):
        yield Case(f"no mark before {code!r}", P4 + b"]" + code + STOP, "marked")
    for code in (b"Na", b"NNs", b"(Ne", b"(NNu", b"(K\1\x90"):
        for target in (b"N", b")", body("x"), body(b"x"), named("argparse", "Namespace")):
            yield Case(f"{code!r} fills {target[:12]!r}", P4 + target + code + STOP, "container")
    yield Case("odd number of values", P4 + b"}(" + body("a") + b"N" + body("b") + b"u.", "pairs")
    keys = (
        b"N",
        b"G" + bytes(8),
        b"\x88",
        body(b"x"),
        b")",
        body((1,)),
        body(2**48),
        body("x" * 501),
        b"]",
        b"}",
        b"\x8f",
        DTYPE,
        tensor(),
    )
    for key in keys:
        yield Case(f"key {key[:12]!r}", P4 + b"}" + key + b"Ns.", "keys")
        yield Case(f"item {key[:12]!r}", P4 + b"\x8f(" + key + b"\x90.", "keys")
    for index in (0, 1, 255):
        yield Case(f"empty memo {index}", P4 + b"h" + bytes([index]) + STOP, "memo_has")
    yield Case("empty memo 2 ** 32 - 1", P4 + get(2**32 - 1) + STOP, "memo_has")
    yield Case("last memo index", P4 + put(b"]", 2**32 - 1) + get(2**32 - 1) + b"\x86.", None)
    for rest in (b"", b"NN", b"N(", b"(N", b"N(N"):
        yield Case(f"end after {rest!r}", P4 + rest + STOP, "one_value")
    for rest in (b"\0", b"N.", P2 + SYSTEM + STOP, b"\n"):
        yield Case(f"{rest[:6]!r} after the end", P4 + b"N." + rest, "whole")
    for length in (1, 2**31, 2**63 - 1, 2**64 - 1):
        eight = struct.pack("<Q", length)
        yield Case(f"frame of {length}", P4 + b"\x95" + eight, "inside")
        for code in (b"\x8e", b"\x96"):
            yield Case(f"{code!r} of {length}", P5 + code + eight, "inside")
        if length > 1:
            yield Case(f"text of {length}", P4 + b"\x8d" + eight, "string")
    for code in (b"X", b"B"):
        yield Case(f"{code!r} that is short", P4 + code + struct.pack("<I", 100) + b"x" * 99, "inside")
    yield Case("text that is not UTF-8", P4 + b"\x8c\x02\xff\xfe.", "string")
    yield Case("half of a surrogate", P4 + b"\x8c\x03\xed\xa0\x80.", "string")
    values = {"a class": named("argparse", "Namespace"), "a function": named("numpy", "dtype"), "a type": DTYPE}
    for name, value in {**values, "70,000 bytes": body(b"x" * 70_000)}.items():
        yield Case(f"content that is {name}", P4 + value + STOP, "data")
        yield Case(f"content with {name}", P4 + b"}K\1" + value + b"s.", "data")


# ---- Bombs


def bombs() -> Iterator[Case]:
    ordered = put(named("collections", "OrderedDict"), 900)
    yield Case("few instructions", P4 + b"N0" * 10 + b"N.", "operations", limits=Limits(operations=20))
    yield Case("too long", P4 + b"N0" * 1024 + b"N.", "seconds", limits=Limits(seconds=-1.0))
    yield Case("few calls", P4 + (ORDERED + b"0") * 5 + b"N.", "calls", limits=Limits(calls=4))
    yield Case("small stack", P4 + b"N" * 11 + b"0" * 10 + b".", "stack", limits=Limits(stack=10))
    yield Case("few marks", P4 + b"(" * 11 + b"1" * 11 + b"N.", "marks", limits=Limits(marks=10))
    yield Case("small memo", P4 + b"N\x94" + b"N\x940" * 10 + b".", "remembered", limits=Limits(memo=10))
    yield Case("short text", P4 + body("x" * 11) + STOP, "string", limits=Limits(string=10))
    yield Case("small integer", P4 + b"\x8a\x09" + bytes(9) + STOP, "integer", limits=Limits(integer=8))
    yield Case("few items", P4 + b"](" + b"N" * 11 + b"e.", "items", limits=Limits(items=10))
    yield Case("shallow", P4 + b"]" * 11 + b"a" * 10 + b".", "nesting", limits=Limits(nesting=10))
    yield Case(
        "few entries", P4 + put(b"](NNNNNe", 1) + get(1) + get(1) + b"\x87.", "entries", limits=Limits(entries=15)
    )
    yield Case("little room", P3 + tensor(0, (100, 4), (0, 1)) + STOP, "built_room", limits=Limits(spare=0))
    yield Case("instructions", P4 + b"N0" * 400_000 + b"N.", "operations")
    yield Case("calls", P4 + ordered + b"0" + (get(900) + b")R0") * 60_000 + b"N.", "calls")
    yield Case("calls that are kept", P4 + ordered + b"0](" + (get(900) + b")R") * 60_000 + b"e.", "calls")
    yield Case("stack", P4 + b"]" * 200_000, "stack")
    yield Case("marks", P4 + b"(" * 200_000, "marks")
    yield Case("memo", P4 + b"}\x940" * 200_000 + b"N.", "remembered")
    yield Case(
        "memo by index", P4 + b"N" + b"".join(b"r" + struct.pack("<I", i * 7919) for i in range(200_000)), "remembered"
    )
    yield Case("text of 70 MB", P4 + b"X" + struct.pack("<I", 70 << 20), "string")
    yield Case("integer of 255 bytes", P4 + b"\x8a\xff" + b"\x01" * 255 + STOP, "integer")
    for code in (b"e", b"t"):
        values = b"](" if code == b"e" else b"("
        yield Case(f"items {code!r}", P4 + values + b"N" * 100_001 + code + STOP, "stack")
    grown = b"]" + (MARK + b"N" * 60_000 + b"e") * 2
    yield Case("list that grows", P4 + grown + STOP, "items")
    for code, close in ((b"]", b"a"), (b"}K\1", b"s")):
        yield Case(f"nested {code!r}", P4 + code * 40_000 + b"N" + close * 40_000 + STOP, "nesting")
    yield Case("nested tuples", P4 + b"N" + b"\x85" * 300_000 + STOP, "nesting")
    yield Case("nested tuples as key", P4 + b"}N" + b"\x85" * 300_000 + b"Ns.", "keys")
    yield Case(
        "nested records",
        P4 + (named("argparse", "Namespace") + b")\x81}K\1") * 300 + b"N" + b"sb" * 300 + STOP,
        "nesting",
    )
    yield Case("list inside itself", P4 + put(b"]", 1) + get(1) + b"a.", "acyclic")
    yield Case("dict inside itself", P4 + put(b"}", 1) + b"K\1" + get(1) + b"s.", "acyclic")
    yield Case("tuple inside itself", P4 + put(b"]", 1) + get(1) + b"\x85a.", "acyclic")
    record = put(named("argparse", "Namespace") + b")\x81", 1)
    yield Case("record inside itself", P4 + record + b"}K\1" + get(1) + b"sb.", "acyclic")
    yield Case("state inside itself", P4 + put(b"]", 1) + get(1) + b"a.", "acyclic")
    laughs = put(b"]", 0) + b"".join(b"0" + put(b"](" + get(i) * 10 + b"e", i + 1) for i in range(12))
    yield Case("billion laughs", P4 + laughs + STOP, "entries")
    doubled = b"N" + b"".join(put(b"", i) + get(i) + b"\x86" for i in range(64))
    yield Case("tuples of the same twice", P4 + doubled + STOP, "entries")
    listed = (
        put(b"](" + b"".join(body(i) for i in range(20_000)) + b"e", 1) + b"0" + put(named("builtins", "set"), 2) + b"0"
    )
    yield Case("sets of one list", P4 + listed + (get(2) + get(1) + b"\x85R0") * 10_000 + b"N.", "operations")
    states = (
        put(b"}(" + b"".join(body(i) + b"N" for i in range(20_000)) + b"u", 1)
        + b"0"
        + put(named("argparse", "Namespace"), 2)
        + b"0]("
    )
    yield Case("records of one state", P4 + states + (get(2) + b")\x81" + get(1) + b"b") * 10_000 + b"e.", "operations")
    text = (
        put(body("x" * 1_000_000), 1)
        + b"0"
        + put(named("_codecs", "encode"), 2)
        + b"0"
        + put(body("latin1"), 3)
        + b"0]("
    )
    yield Case("bytes of one text", P4 + text + (get(2) + get(1) + get(3) + b"\x86R") * 10_000 + b"e.", "built_room")
    raw = put(body(bytes(1_000_000)), 1) + b"0" + put(call("numpy.dtype", "u1", False, True), 2) + b"0"
    raw += (
        put(named("numpy.core.numeric", "_frombuffer"), 3)
        + b"0"
        + put(body((1_000_000,)), 4)
        + b"0"
        + put(body("C"), 5)
        + b"0]("
    )
    copies = (get(3) + MARK + get(1) + get(2) + get(4) + get(5) + b"tR") * 10_000
    yield Case("arrays of one buffer", P4 + raw + copies + b"e.", "built_room")
    collisions = b"".join(body(i * (2**61 - 1)) + b"N" for i in range(1, 2000))
    twins = put(body("x" * 2_000_000), 1) + put(body("x" * 2_000_000), 2) + b"00}("  # compared at each insertion
    yield Case("keys that are long", P4 + twins + (get(1) + b"N" + get(2) + b"N") * 10_000 + b"u.", "keys")
    yield Case("keys that are addresses", P4 + b"}" + body(140_223_116_984_960) + b"Ns.", None)
    yield Case("a long class name", P4 + meta(class_name="x" * 501) + STOP, "identifier")
    yield Case("keys of one hash", P4 + b"}(" + collisions + b"u.", "keys")


# ---- Zips


def repack(data: bytes, change: Callable[[dict[str, bytes]], Any], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip with other members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def zip_bomb() -> bytes:
    """Return a zip whose data.pkl has 2 MB and would have 1.9 GB after decompression."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(16 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    raw, size = block * 114 + compressor.flush(), 114 * (16 << 20)
    name = b"archive/data.pkl"
    sizes = struct.pack("<3I2H", 0, len(raw), size, len(name), 0)
    local = b"PK\3\4" + struct.pack("<5H", 20, 0, 8, 0, 0) + sizes + name + raw
    central = b"PK\1\2" + struct.pack("<6H", 20, 20, 0, 8, 0, 0) + sizes + struct.pack("<3H2I", 0, 0, 0, 0, 0) + name
    return local + central + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 1, 1, len(central), len(local), 0)


def zips() -> Iterator[Case]:
    good = state_dict(True)
    first = zipfile.ZipFile(io.BytesIO(good)).namelist()[0].partition("/")[0]
    pkl = f"{first}/data.pkl"

    def case(name: str, data: bytes, guard: str, **options: Any) -> Case:
        return Case(f"zip {name}", data, guard, torch=True, **options)

    def with_members(**members: bytes) -> bytes:
        return repack(good, lambda found: found.update({f"{first}/{k}": v for k, v in members.items()}))

    yield case("with a compressed data.pkl of 1.9 GB", zip_bomb(), "zip_stored")
    yield case("with compressed members", repack(good, lambda m: None, zipfile.ZIP_DEFLATED), "zip_stored")
    yield case("of LZMA", repack(good, lambda m: None, zipfile.ZIP_LZMA), "zip_stored")
    for name in (
        "code/x.py",
        "constants.pkl",
        "data/x",
        "data/../0",
        "extra/data.pkl",
        "../data.pkl",
        "data/0/1",
        "DATA.PKL",
    ):
        yield case(f"with {name}", with_members(**{name: b"x"}), "zip_name")
    for name in ("data.pkl", "/data.pkl", "../data.pkl", "a/b/data.pkl", "a\\data.pkl"):
        yield case(f"with a member {name}", repack(good, lambda m: m.update({name: m.pop(pkl)})), "zip_name")
    yield case("with two folders", repack(good, lambda m: m.update({"b/data.pkl": m[pkl]})), "zip_unique")
    yield case("without data.pkl", repack(good, lambda m: m.pop(pkl)), "zip_name")
    yield case("without members", repack(good, dict.clear), "protocol")
    yield case("of big-endian elements", with_members(byteorder=b"big"), "stream_part")
    yield case("with a call", with_members(**{"data.pkl": P2 + SYSTEM + STOP}), "known", live=True)
    nested = P2 + storage(stream(magic=SYSTEM)) + STOP
    yield case("with a call in a nested storage", with_members(**{"data.pkl": nested}), "known", live=True)
    yield case("with bytes after data.pkl", repack(good, lambda m: m.update({pkl: m[pkl] + b"x"})), "whole")
    yield case("with a shorter storage", with_members(**{"data/0": b"x"}), "storage_size")
    yield case("with a longer storage", with_members(**{"data/0": bytes(1000)}), "storage_size")
    yield case("without a storage", repack(good, lambda m: m.pop(f"{first}/data/0")), "storage_id")
    for name, value in {
        "an unknown key": storage_id(key="99"),
        "a key out of its folder": storage_id(key="../data.pkl"),
        "a negative size": storage_id(count=-1),
        "a huge size": storage_id(count=2**39),
        "another first word": storage_id(first="x"),
    }.items():
        guard = "storage_size" if "huge" in name else "storage_id"
        value = value.replace(body("1"), body("0"))
        yield case(f"with an id of {name}", with_members(**{"data.pkl": P2 + value + STOP}), guard)
    differs = storage_id(key="0", kind="FloatStorage", count=6) + b"0" + storage_id(key="0", kind="IntStorage", count=6)
    yield case("with ids that differ", with_members(**{"data.pkl": P2 + differs + STOP}), "storage_id")
    many = repack(good, lambda m: m.update({f"{first}/data/{i}": b"" for i in range(10, 60)}))
    yield case("with 50 members", many, "zip_members", limits=Limits(members=20))
    many = repack(good, lambda m: m.update({f"{first}/data/{i}": b"" for i in range(10, 11_000)}))
    yield case("with 11,000 members", many, "zip_members")
    for cut in (10, 30, 100, 400):
        yield case(f"without its last {cut} bytes", good[:-cut], "members")
    for name, member in {"data.pkl": pkl, "data/0": f"{first}/data/0"}.items():
        damaged = bytearray(good)
        damaged[good.index(zipfile.ZipFile(io.BytesIO(good)).read(member)) + 20] ^= 1
        yield case(f"with a damaged {name}", bytes(damaged), "zip_checksum")
    plain = repack(good, lambda m: None)
    renamed = bytearray(plain)
    renamed[plain.index(pkl.encode())] ^= 1
    yield case("with another local name", bytes(renamed), "zip_header")
    end = plain.rindex(b"PK\5\6")
    central = plain.index(b"PK\1\2")
    encrypted = bytearray(plain)
    encrypted[central + 8] |= 1
    yield case("with an encrypted member", bytes(encrypted), "zip_stored")
    second = plain.index(b"PK\1\2", central + 4)
    overlapping = bytearray(plain)
    overlapping[second + 42 : second + 46] = plain[central + 42 : central + 46]
    yield case("with members that overlap", bytes(overlapping), "zip_overlap")
    inner_size = bytearray(plain)
    inner_size[central + 20 : central + 28] = struct.pack("<2I", 5000, 5000)
    yield case("with a longer member", bytes(inner_size), "inside")
    far = bytearray(plain)
    far[central + 20 : central + 28] = struct.pack("<2I", 2**31, 2**31)
    yield case("with a member of 2 GB", bytes(far), "inside")
    lost = bytearray(plain)
    lost[end + 16 : end + 20] = struct.pack("<I", 2**31)
    yield case("with a far directory", bytes(lost), "any")
    yield case("with a member twice", _twice(pkl), "zip_unique")
    entries = plain[central:second] * (5_000_000 // (second - central))
    record = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entries), central, 0)
    yield case("with a long directory", plain[:central] + entries + record, "members")


def _twice(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(name, P2 + b"N.")
        archive.writestr(name, P2 + b"N.")
    return file.getvalue()


def hostile() -> list[Case]:
    """Return all files but the truncated and the mutated ones."""
    makers = (calls, instructions, placements, names, arguments, arrays, tensors, storages, structure, bombs, zips)
    return [case for maker in makers for case in maker()]


def valid() -> dict[str, Case]:
    """Return files that are read."""
    files = {f"official {protocol}": official(protocol) for protocol in (2, 3, 4, 5)}
    found = {name: Case(name, data, None) for name, data in {**files, "tensorflow": tensorflow()}.items()}
    found |= {f"torch {zipped}": Case(f"torch {zipped}", state_dict(zipped), None, True) for zipped in (True, False)}
    return found


def truncated() -> list[Case]:
    """Return the first bytes of valid files, 100 each of two."""
    found = []
    for name in ("official 4", "torch False"):
        case = valid()[name]
        for i in range(100):
            size = len(case.data) * i // 100
            found.append(Case(f"{size} bytes of {name}", case.data[:size], "any", case.torch))
    return found


def mutated(count: int = 1000, seed: int = 0) -> list[Case]:
    """Return valid files with random changes."""
    rng, files, found = random.Random(seed), list(valid().values()), []
    for i in range(count):
        case = rng.choice(files)
        data = bytearray(case.data)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            at, kind = rng.randrange(len(data)), rng.randrange(6)
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at] = rng.choice(b"().0123R\x81b\x93ctuesaNQhjqr\x8c\x85\x86\x87\x00\xff")
            elif kind == 2:
                data[at : at + rng.randrange(1, 9)] = b""
            elif kind == 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            elif kind == 4:
                other = rng.choice(files).data
                begin = rng.randrange(len(other))
                data[at : at + 20] = other[begin : begin + rng.randrange(1, 60)]
            else:
                data[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1)))
        found.append(Case(f"mutation {i} of {case.name}", bytes(data), "any", case.torch))
    return found
