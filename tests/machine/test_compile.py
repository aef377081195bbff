"""Compiled functions: only the compiler's own failures turn compiling off."""

import warnings

import pytest
import torch

from stylegan.errors import ShapeError
from stylegan.machine.compile import compile_or_eager


@pytest.fixture
def compiler(monkeypatch) -> dict:
    """A compiler whose functions draw a random number and then raise what `error` holds; `calls` counts them."""
    state: dict = {"error": None, "calls": 0}

    def compile(function, **_):
        def call(*args, **options):
            state["calls"] += 1
            if state["error"] is not None:
                torch.rand(3)
                raise state["error"]
            return function(*args, **options)

        return call

    monkeypatch.setattr(torch, "compile", compile)
    return state


def noisy(x):
    return x + torch.randn(len(x))


def test_a_failure_of_the_compiler_is_repeated_with_the_same_random_numbers_and_warned_of_once(compiler):
    compiler["error"] = RuntimeError("no C++ compiler\nand a long story")
    call, x = compile_or_eager(noisy), torch.zeros(4)
    torch.manual_seed(3)
    expected = [noisy(x), noisy(x)]
    torch.manual_seed(3)
    with pytest.warns(RuntimeWarning, match=r"torch.compile failed \(no C\+\+ compiler\); continuing without it\."):
        first = call(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = call(x)
    assert torch.equal(first, expected[0])
    assert torch.equal(second, expected[1])
    assert compiler["calls"] == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
        ShapeError("synthesis takes ws [N, 2, 3]."),
    ],
    ids=["gpu", "cpu", "python", "own"],
)
def test_running_out_of_memory_and_wrong_arguments_leave_compiling_on(compiler, error):
    compiler["error"] = error
    call = compile_or_eager(noisy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(type(error)) as caught:
            call(torch.zeros(4))
    assert caught.value is error
    compiler["error"] = None
    call(torch.zeros(4))
    assert compiler["calls"] == 2


def test_an_out_of_memory_error_that_the_compiler_wraps_is_seen(compiler):
    error = RuntimeError("backend='inductor' raised:")
    error.__cause__ = torch.OutOfMemoryError("Tried to allocate 2 GiB")
    compiler["error"] = error
    with pytest.raises(RuntimeError, match="backend"):
        compile_or_eager(noisy)(torch.zeros(4))


def test_a_call_that_fails_uncompiled_too_raises_its_own_error_and_leaves_compiling_on(compiler):
    def failing(x):
        raise ValueError("the call's own")

    compiler["error"] = RuntimeError("what the compiler made of it")
    call = compile_or_eager(failing)
    for n in (1, 2):
        with pytest.raises(ValueError, match="the call's own"):
            call(torch.zeros(4))
        assert compiler["calls"] == n
