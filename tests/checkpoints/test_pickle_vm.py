"""The pickle reader on files that a checkpoint may have: the values of stock pickle, without its calls."""

from __future__ import annotations

import argparse
import mmap
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from foreign_pickles import EasyDict, Network, Persistent, dumps, module_state, torch_save
from hostile_pickles import DTYPE, ORDERED, P2, P3, body, call, called, named, tensor
from torch import nn

from stylegan.checkpoints.pickle_vm import PickleError, Record, read_pickle, read_torch, unpickle
from stylegan.errors import CheckpointError

PROTOCOLS = [2, 3, 4, 5]
SCALARS = [np.dtype(code).type(1) for code in ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")]
PLAIN = {
    "none": None,
    "flags": [True, False],
    "integers": [0, 255, 256, 65535, 65536, -1, 2**31, -(2**40), 2**100],
    "floats": (0.5, -1e300, float("inf")),
    "text": ["", "é", "日本", "x" * 300],
    "bytes": [b"", b"abc", b"\x00\xff" * 200],
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "sets": [set(), {"a", "b"}, {1}],
    3: {"a": {}, "shared": [[1]] * 3},
}


def equal(a: Any, b: Any) -> bool:
    """Compare trees, with types, and arrays and tensors with their dtypes."""
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(equal(a[k], b[k]) for k in b)
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(b, torch.Tensor):
        return type(a) is torch.Tensor and (a.dtype, a.stride()) == (b.dtype, b.stride()) and torch.equal(a, b)
    if isinstance(b, (np.ndarray, np.generic)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_are_those_of_stock_pickle(protocol):
    assert equal(unpickle(dumps(PLAIN, protocol)), PLAIN)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_scalars_are_those_of_stock_pickle(protocol):
    arrays = [np.arange(24, dtype=s.dtype.char if s.dtype != bool else np.int8).reshape(2, 3, 4) for s in SCALARS]
    arrays += [np.array([True, False]), np.zeros((0, 3)), np.array(3.5), np.asfortranarray(np.ones((3, 4)))]
    arrays += [np.arange(70_000, dtype=np.float32)]
    value = {"scalars": SCALARS * 2, "arrays": arrays, "again": arrays[0]}
    read = unpickle(dumps(value, protocol))
    assert equal(read, value)
    assert read["again"] is read["arrays"][0]
    assert read["arrays"][-2].flags.f_contiguous
    assert all(array.flags.writeable for array in read["arrays"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_keep_their_type_layout_and_sharing(protocol):
    dtypes = [torch.float32, torch.float16, torch.float64, torch.bfloat16, torch.bool]
    dtypes += [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
    value: dict[str, Any] = {str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in dtypes}
    value["last"] = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    value["expanded"] = torch.randn(3, 1).expand(3, 7)
    value["slice"] = torch.randn(100)[10:20:3]
    value["empty"], value["scalar"] = torch.zeros(0, 3), torch.tensor(2.5)
    read = unpickle(dumps(value, protocol))
    assert equal(read, value)
    value["parameter"] = nn.Parameter(torch.randn(3))
    value["frozen"] = nn.Parameter(torch.randn(3), requires_grad=False)
    read = unpickle(dumps(value, protocol))
    for name in ("parameter", "frozen"):
        assert equal(read[name], value[name].detach())
        assert not read[name].requires_grad


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_official_network_becomes_inert_records(protocol):
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    attributes = {"gain": np.float64(0.5), "use_fp16": np.bool_(True), "size": np.array([4, 4])}
    state = module_state(network, attributes, {"z_dim": 8, "synthesis_kwargs": EasyDict(channel_base=64)})
    read = unpickle(dumps({"G_ema": Persistent("Generator", state), "augment_pipe": None}, protocol))
    G = read["G_ema"]
    assert (type(G), G.name, G.state) == (Record, "torch_utils.persistence._reconstruct_persistent_obj", None)
    (meta,) = G.args
    assert meta.keys() == {"type", "version", "class_name", "state"}
    assert meta["state"]["_init_kwargs"] == {"z_dim": 8, "synthesis_kwargs": {"channel_base": 64}}
    assert equal(meta["state"]["gain"], np.float64(0.5))
    linear = meta["state"]["_modules"]["0"].args[0]
    assert linear["class_name"] == "Linear"
    assert equal(linear["state"]["_parameters"]["weight"], network[0].weight.detach())
    assert meta["state"]["_modules"]["1"].args[0]["state"]["_buffers"]["num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensorflow_network_becomes_inert_records(protocol):
    G, mapping = Network(), Network()
    mapping.__dict__.update(name="G_mapping", variables=[("Dense0/weight", np.ones((2, 2), np.float32))])
    G.__dict__.update(version=4, build_module_src="import os", static_kwargs=EasyDict(resolution=32))
    G.__dict__.update(components={"mapping": mapping}, variables=[("lod", np.float32(0)), ("x", np.zeros(3))])
    read = unpickle(dumps((G, None, G), protocol))
    assert read[0] is read[2]
    assert (read[0].name, read[0].args) == ("dnnlib.tflib.network.Network", ())
    assert read[0].state.keys() == {"version", "static_kwargs", "components", "variables"}
    assert equal(read[0].state["components"]["mapping"].state, mapping.__dict__)
    assert equal(read[0].state["variables"], G.variables)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_containers_of_torch_save_are_read(tmp_path, zipped):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    shared = torch.randn(8)
    value = {
        "g_ema": network.state_dict(),
        "latent_avg": shared[2:5],
        "all": shared,
        "args": argparse.Namespace(size=32, path="x", lr=0.5),
        "ada_aug_p": 0.5,
        "g_optim": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"betas": (0.0, 0.99)}]},
        "parameter": nn.Parameter(torch.ones(3)),
    }
    file = tmp_path / "net.pt"
    file.write_bytes(torch_save(value, zipped))
    read = read_torch(file)
    assert equal(read["g_ema"], dict(network.state_dict()))
    assert (read["args"].name, read["args"].state) == ("argparse.Namespace", {"size": 32, "path": "x", "lr": 0.5})
    assert equal(read["g_optim"], value["g_optim"])
    read["all"].zero_()
    assert not read["latent_avg"].any()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_saved_by_torch_becomes_a_record(tmp_path, zipped):
    file = tmp_path / "pivot.pt"
    file.write_bytes(torch_save(Persistent("Generator", module_state(nn.Linear(2, 3))), zipped))
    read = read_torch(file)
    assert read.args[0]["state"]["_parameters"]["weight"].shape == (3, 2)


def test_files_are_closed_whether_they_are_read_or_refused(tmp_path):
    good, bad = tmp_path / "good.pkl", tmp_path / "bad.pkl"
    good.write_bytes(dumps({"x": np.ones(100_000), "y": torch.ones(100_000)}))
    bad.write_bytes(good.read_bytes()[:-1] + b"R.")
    assert read_pickle(good)["x"].sum() == 100_000
    for file in (good, bad):
        with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                unpickle(data)
            except PickleError as error:
                kept = error  # with its traceback, as a caller may
        assert data.closed
    assert "nothing was run" not in kept.reason
    assert "nothing was run" in str(kept)


def test_missing_or_empty_files_are_checkpoint_errors(tmp_path):
    with pytest.raises(CheckpointError, match="nothing.pkl cannot be read"):
        read_pickle(tmp_path / "nothing.pkl")
    (tmp_path / "empty.pkl").touch()
    with pytest.raises(PickleError, match="the file is empty"):
        read_torch(tmp_path / "empty.pkl")


def test_an_error_names_its_place_and_the_class():
    with pytest.raises(PickleError) as caught:
        unpickle(pickle.dumps([1, OrderedDict.fromkeys, print]))
    error = caught.value
    assert (error.opcode, error.name, type(error.offset)) == ("STACK_GLOBAL", "builtins.getattr", int)
    assert str(error).startswith(f"STACK_GLOBAL at byte {error.offset}: 'builtins.getattr' is none of the classes")


def test_rarer_forms_are_read():
    """Arrays of dill, copyreg of protocol 1, layers of PyTorch, parameters with attributes, sizes, devices."""
    reconstruct, ndarray = named("numpy.core.multiarray", "_reconstruct"), named("numpy", "ndarray")
    made = b"(" + ndarray + body((0,)) + body(b"b") + b"t"
    state = b"(" + body(1) + body((2,)) + DTYPE + b"\x89" + body(np.float32([1, 2]).tobytes()) + b"t"
    array = called(named("dill._dill", "_create_array"), reconstruct, made, state, b"N")
    assert equal(unpickle(P3 + array + b"."), np.array([1, 2], np.float32))
    old = [named("dnnlib", "EasyDict"), named("builtins", "dict"), b"N"]
    assert unpickle(P2 + called(named("copyreg", "_reconstructor"), *old) + b".") == {}
    layer = unpickle(P2 + named("torch.nn.modules.sparse", "Embedding") + b")\x81" + body({"padding_idx": 0}) + b"b.")
    assert (layer.name, layer.state) == ("torch.nn.modules.sparse.Embedding", {"padding_idx": 0})
    attributes = [tensor(), b"\x88", ORDERED, ORDERED]
    parameter = called(named("torch._utils", "_rebuild_parameter_with_state"), *attributes)
    assert equal(unpickle(P3 + parameter + b"."), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert unpickle(P2 + call("torch.Size", (2, 3)) + b".") == (2, 3)
    assert unpickle(P2 + call("torch.device", "cuda", 1) + b".") == "cuda"


def test_an_error_names_its_file(tmp_path):
    file = tmp_path / "x.pkl"
    file.write_bytes(b"PK")
    with pytest.raises(PickleError, match=f"^{file}: a pickle starts .*, got 50 4b; nothing was run.$"):
        read_pickle(file)


def test_errors_survive_being_sent_to_another_process():
    with pytest.raises(PickleError) as caught:
        unpickle(b"\x80\x02cos\nsystem\n.")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
