"""Requests that must be refused, files that must be refused, and requests at the edge of what is allowed."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any, NamedTuple

import numpy as np

PLAIN = {"network": "plain"}
LATENT = "latent:0123456789abcdef"
NOT_NUMBERS = ("0.5", None, [], {}, 1e300, -1e300)

EDIT = {**PLAIN, "start": 3}
MOVE = {"name": "own0", "strength": 1.0}
PAIR = {"handle": [4, 4], "target": [8, 7]}
DRAG = {**PLAIN, "start": 3, "points": [PAIR]}
FIND = {**PLAIN}
BEND = {"layer": "b8.conv1"}
BENDS = {**PLAIN, "seeds": [1], "bends": [BEND]}
FEATURES = {**PLAIN, "seed": 1, "layer": "b8.conv1"}
BLEND = {"network": "tuned"}
SAVE = {**PLAIN, "blend": BLEND}

# Calls -> bodies with a value of the wrong type, range, number or meaning.
PARAMETERS: dict[str, list[Any]] = {
    "generate": [
        *(
            {**PLAIN, "seeds": [value]}
            for value in (LATENT, "latent:", "latent:xyz", "latent:" + "0" * 17, "LATENT:0" * 4)
        ),
        {**PLAIN, "seeds": [1, LATENT]},
        {**PLAIN, "seeds": ["latent:../../../etc/pas"]},
        {**PLAIN, "seeds": [{"latent": "0123456789abcdef"}]},
    ],
    "mix": [{**PLAIN, "rows": [LATENT], "cols": [1]}, {**PLAIN, "rows": [1], "cols": ["x" * 1000]}],
    "interpolate": [{**PLAIN, "seeds": [1, LATENT]}, {**PLAIN, "seeds": [1, "latent:\0"]}],
    "edit": [
        *({**EDIT, "start": value} for value in (-1, 2**32, 1.5, True, None, [], {}, "3", LATENT, "x" * 500)),
        *({**EDIT, "directions": value} for value in (None, {}, "own0", [1], [[]], [{}], [MOVE] * 65)),
        *({**EDIT, "directions": [{**MOVE, "strength": value}]} for value in (*NOT_NUMBERS, 101, -101, True)),
        *(
            {**EDIT, "directions": [{**MOVE, "name": value}]}
            for value in ("", "none", 3, None, "x" * 101, "../own0", "\ud800")
        ),
        *(
            {**EDIT, "directions": [{**MOVE, "file": value}]}
            for value in ("", "directions:0123456789abcdef", "/etc/passwd", 3)
        ),
        {**EDIT, "directions": [{**MOVE, "extra": 1}]},
        *({**EDIT, "mix": value, "layers": "0"} for value in (-1, 1.5, "7", LATENT, [1])),
        {**EDIT, "mix": 1},
        *({**EDIT, "layers": value} for value in ("", "99", "3-1", "all", 3, "x" * 501, "0-" + "9" * 400)),
        {**EDIT, "psi": 11},
        {**EDIT, "unknown": 1},
        {**EDIT, "network": "none"},
        {"start": 1},
        [],
        None,
    ],
    "drag": [
        *({**DRAG, "points": value} for value in ([], None, {}, "1,2->3,4", [1], [{}], [PAIR] * 33, [[4, 4, 8, 7]])),
        *(
            {**DRAG, "points": [{**PAIR, "handle": value}]}
            for value in ([], [1], [1, 2, 3], [-1, 2], [1, 16], ["1", 2], [None, 1], [1e300, 1], "1,2")
        ),
        *({**DRAG, "points": [{**PAIR, "target": value}]} for value in ([16, 2], [1, 15.5], [True, 1], [-0.1, 0])),
        *({**DRAG, "steps": value} for value in (0, -1, 2001, 1.5, "9", None)),
        *({**DRAG, "method": value} for value in ("", "dragon", 3, None)),
        *({**DRAG, "space": value} for value in ("z", "f", 3)),
        *(
            {**DRAG, "mask": value}
            for value in ("", "not base64!", "QUJD", 3, "A" * 60_001, "\u00e9", "data:image/png;base64,AAAA")
        ),
        {**DRAG, "start": LATENT},
        {**DRAG, "unknown": 1},
    ],
    "find": [
        *({**FIND, "count": value} for value in (0, -1, 65, 1.5, "8", None)),
        *({**FIND, "method": value} for value in ("style", "labels", "", 3, None)),
        *({**FIND, "layers": value} for value in ("99", "x", 3)),
        {**FIND, "label": "cat"},
        {"network": "pets"},
        {"network": "../plain"},
        {},
    ],
    "bend": [
        *({**BENDS, "bends": value} for value in (None, {}, "b8.conv1", [1], [{}], [BEND] * 65)),
        *(
            {**BENDS, "bends": [{**BEND, "layer": value}]}
            for value in ("", "b8.torgb", "synthesis.b8.conv1", 3, None, "x" * 101, "b8.conv1.affine")
        ),
        *(
            {**BENDS, "bends": [{**BEND, "channels": value}]}
            for value in ([], [-1], [16], [1.5], ["1"], "all", [4096], list(range(1025)))
        ),
        *({**BENDS, "bends": [{**BEND, "x": value}]} for value in (*NOT_NUMBERS, 4.1, -4.1)),
        *({**BENDS, "bends": [{**BEND, "turn": value}]} for value in (3601, "90")),
        *({**BENDS, "bends": [{**BEND, "zoom": value}]} for value in (0, -1, 101, None)),
        *({**BENDS, "bends": [{**BEND, "multiply": value}]} for value in (101, -101, "2")),
        *({**BENDS, "bends": [{**BEND, "noise": value}]} for value in (-0.1, 101)),
        *({**BENDS, "bends": [{**BEND, "seed": value}]} for value in (-1, 2**32, 0.5)),
        *({**BENDS, "blend": value} for value in ({}, 3, "tuned", {"network": "none"}, {"network": "moving"})),
        *({**BENDS, "blend": {**BLEND, "alpha": value}} for value in (*NOT_NUMBERS, 1.1, -0.1)),
        *({**BENDS, "blend": {**BLEND, "layers": value}} for value in ("", "99", 3)),
        *({**BENDS, "seeds": value} for value in ([], [LATENT], [0] * 65, None, 3)),
        {**BENDS, "unknown": 1},
    ],
    "features": [
        *({**FEATURES, "layer": value} for value in ("", "b8.torgb", 3, None, "x" * 101)),
        *({**FEATURES, "first": value} for value in (-1, 4096, 0.5, "0")),
        *({**FEATURES, "count": value} for value in (0, 257, None)),
        *({**FEATURES, "seed": value} for value in (-1, LATENT, None)),
        {**FEATURES, "blend": {"network": "moving"}},
    ],
    "blend": [
        *({**SAVE, "name": value} for value in ("", ".", "../x", "a/b", "a\\b", "x" * 61, "\u00e9", 3, None, "-x y")),
        *(
            {**SAVE, "blend": value}
            for value in (None, {}, {"network": "moving"}, {"network": "none"}, {**BLEND, "alpha": 2})
        ),
        {**SAVE, "network": "none"},
    ],
    "convert": [
        *({**PLAIN, "kind": value} for value in ("", "pickle", "pkl", 3, None, "../x")),
        {"network": "none"},
        {**PLAIN, "path": "/tmp/x"},
        {},
    ],
}

# Bodies of a call with a number that JSON does not know, which is at the place of X.
NOT_FINITE = {
    "edit": '{"network": "plain", "start": 3, "directions": [{"name": "own0", "strength": X}]}',
    "drag": '{"network": "plain", "start": 3, "points": [{"handle": [X, 1], "target": [1, 2]}]}',
    "find": '{"network": "plain", "count": X}',
    "bend": '{"network": "plain", "seeds": [1], "bends": [{"layer": "b8.conv1", "turn": X}]}',
    "features": '{"network": "plain", "seed": 1, "layer": "b8.conv1", "first": X}',
    "blend": '{"network": "plain", "blend": {"network": "tuned", "alpha": X}}',
}


class Edge(NamedTuple):
    """A request at the edge, and the status of its answer; jobs that begin are canceled."""

    call: str
    body: dict[str, Any]
    status: int = 200


def _edges(call: str, body: dict[str, Any], name: str, inside: tuple, outside: tuple, ok: int = 200) -> list[Edge]:
    return [
        *(Edge(call, {**body, name: value}, ok) for value in inside),
        *(Edge(call, {**body, name: value}, 422) for value in outside),
    ]


def _moves(*values: float) -> tuple:
    return tuple([{**MOVE, "strength": value}] for value in values)


def _bends(name: str, *values: float) -> tuple:
    return tuple([{**BEND, name: value}] for value in values)


def _points(*values: list[float]) -> tuple:
    return tuple([{**PAIR, "target": value}] for value in values)


EDGES = [
    *_edges("generate", {**PLAIN, "seeds": [1]}, "psi", (-10, 10), (-10.001, 10.001)),
    *_edges("generate", PLAIN, "seeds", ([0], [2**32 - 1], [1] * 64), ([2**32], [1] * 65)),
    *_edges("generate", {**PLAIN, "seeds": [1]}, "cutoff", (0, 6, 1000), (1001,)),
    *_edges("generate", {"network": "moving", "seeds": [1]}, "rotate", (-360.0, 360.0), (361.0,)),
    *_edges("generate", {"network": "moving", "seeds": [1]}, "translate", ([-10, 10],), ([-10.1, 0],)),
    *_edges("walk", {**PLAIN, "start": 0, "step": 0.1}, "frames", (1, 64), (0, 65)),
    *_edges("walk", {**PLAIN, "step": 0.1, "frames": 2}, "start", (0, 2**32 - 1), (2**32,)),
    *_edges("mix", {**PLAIN, "cols": [1]}, "rows", ([1] * 16,), ([1] * 17,)),
    *_edges("interpolate", {**PLAIN, "seeds": [1, 2]}, "frames", (1, 3600), (0, 3601), 202),
    *_edges("interpolate", {**PLAIN, "seeds": [1, 2], "frames": 1}, "fps", (1, 120), (0.9, 121), 202),
    *_edges("edit", EDIT, "directions", ([], *_moves(-100, 0, 100), [MOVE] * 64), (*_moves(100.1), [MOVE] * 65)),
    *_edges("edit", {**EDIT, "mix": 2}, "layers", ("0", "5", "0-5"), ("6",)),
    *_edges("drag", {**DRAG, "steps": 1}, "points", _points([0, 0], [15, 15]), _points([15.01, 0]), 202),
    *_edges("drag", DRAG, "steps", (1, 2000), (0, 2001), 202),
    *_edges("find", FIND, "count", (1, 64), (0, 65), 202),
    *_edges(
        "bend", BENDS, "bends", ([], *_bends("zoom", 0.01, 100), *_bends("x", -4, 4)), _bends("zoom", 0.009, 100.1)
    ),
    *_edges(
        "bend", BENDS, "bends", (*_bends("multiply", -100, 0, 100), *_bends("noise", 0, 100)), _bends("noise", 101)
    ),
    *_edges("bend", BENDS, "bends", ([{**BEND, "channels": [0, 15]}], [BEND] * 64), ([{**BEND, "channels": [16]}],)),
    *_edges("bend", BENDS, "blend", ({**BLEND, "alpha": 0}, {**BLEND, "alpha": 1}), ({**BLEND, "alpha": 1.001},)),
    *_edges("features", FEATURES, "first", (0, 15, 4095), (4096,)),
    *_edges("features", FEATURES, "count", (1, 256), (0, 257)),
]


def npz(**arrays: Any) -> bytes:
    """Return the content of an .npz; objects are pickled."""
    file = io.BytesIO()
    np.savez(file, **{name.replace("__", ":"): value for name, value in arrays.items()})
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class Payload:
    """Touches a file if something unpickles it."""

    def __reduce__(self) -> tuple:
        return exec, ("open('touched', 'w').close()",)


def anywhere() -> dict[str, bytes]:
    """Return files that hold neither latents nor directions."""
    w = np.zeros((1, 6, 16), np.float32)
    objects = np.array([Payload()], dtype=object)
    huge = npy(w).replace(b"(1, 6, 16)", b"(9999999999, 6, 16)")
    return {
        "empty": b"",
        "text": b"not a file of arrays",
        "pickle": pickle.dumps(Payload()),
        "pickled .npy": npy(objects),
        "pickled .npz": npz(w=objects, directions=objects),
        "truncated": npz(w=w)[:-40],
        "damaged": npz(w=w).replace(b"\x93NUMPY", b"\x93NUMPX"),
        "shape of a terabyte": huge,
        "empty zip": b"PK\x05\x06" + bytes(18),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "other arrays": npz(x=w),
    }


def latent_files() -> dict[str, bytes]:
    """Return files that hold no latents of the network "plain", by what is wrong."""
    w = np.zeros((1, 6, 16), np.float32)
    return {
        **anywhere(),
        "nan": npz(w=np.full_like(w, np.nan)),
        "infinite": npz(w=np.full_like(w, np.inf)),
        "text array": npz(w=np.array(["a"])),
        "complex": npz(w=w.astype(complex)),
        "no latents": npz(w=w[:0]),
        "other width": npz(w=np.zeros((1, 6, 17), np.float32)),
        "other layers": npz(w=np.zeros((1, 5, 16), np.float32)),
        "four axes": npz(w=w[None]),
        "scalar": npz(w=np.float32(1)),
        "65 latents": npz(w=np.zeros((65, 1, 16), np.float32)),
        "other space": npz(w=w, space=np.array("0" * 16)),
        "unknown layer": npz(w=w, offset__b99=np.zeros(4, np.float32)),
        "path as layer": npz(w=w, **{"offset__../../x": np.zeros(4, np.float32)}),
        "offset of another shape": npz(w=w, **{"offset__b8.conv1": np.zeros((3, 5, 7), np.float32)}),
        "offset that overflows": npz(w=w, **{"offset__b8.conv1": np.full((1, 1, 1), 3e38, np.float32)}),
        "offset that is nan": npz(w=w, **{"offset__b8.conv1": np.full((1, 1, 1), np.nan, np.float32)}),
        "unknown noise": npz(w=w, noise__x=np.zeros((4, 4), np.float32)),
        "weights as noise": npz(w=w, **{"noise__b8.conv1.weight": np.zeros((16, 16, 3, 3), np.float32)}),
        "noise of another size": npz(w=w, **{"noise__b8.conv1.noise_const": np.zeros((9, 9), np.float32)}),
    }


def direction_files(space: str) -> dict[str, bytes]:
    """Return files that hold no directions of the network "plain", whose latent space is given, by what is wrong."""
    entry = {"name": "a", "deviation": 1.0, "center": 0.0, "layers": None, "space": space, "method": "x", "note": ""}
    vector = np.ones(16, np.float32)

    def made(vector: Any = vector, **changes: Any) -> bytes:
        text = json.dumps({"format": 1, "directions": [{**entry, **changes}]})
        return npz(directions=np.array(text), **({} if vector is None else {"0/vector": vector}))

    return {
        **anywhere(),
        "no index": npz(**{"0/vector": vector}),
        "no vector": made(None),
        "no json": npz(directions=np.array("{"), **{"0/vector": vector}),
        "deep json": npz(directions=np.array("[" * 100_000)),
        "format 2": npz(directions=np.array(json.dumps({"format": 2, "directions": [entry]}))),
        "no entries": npz(directions=np.array(json.dumps({"format": 1, "directions": []}))),
        "list": npz(directions=np.array("[1]")),
        "other space": made(space="0" * 16),
        "path as name": made(name="../a"),
        "number as name": made(name=3),
        "deviation 0": made(deviation=0),
        "deviation nan": made(deviation=float("nan")),
        "center infinite": made(center=float("inf")),
        "layer beyond": made(layers=[6]),
        "layer below": made(layers=[-1]),
        "vector nan": made(np.full(16, np.nan, np.float32)),
        "vector of doubles": made(vector.astype(float)),
        "other width": made(np.ones(17, np.float32)),
        "unknown style": npz(
            directions=np.array(json.dumps({"format": 1, "directions": [entry]})), **{"0/style__b99.affine": vector}
        ),
    }
