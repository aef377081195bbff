"""Winograd's convolution is the convolution, in a quarter of the products."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.inference import winograd
from stylegan.inference.winograd import _compiled_maps as compiled_maps
from stylegan.inference.winograd import compiled_winograd_conv2d, winograd_conv2d, winograd_weight

CHECKS = ["test_schema", "test_faketensor"]
EVERY_FORM = pytest.mark.parametrize("convolve", [winograd_conv2d, compiled_winograd_conv2d])


@pytest.fixture(autouse=True)
def eager_maps(monkeypatch):
    """The maps of the form for a compiler, without waiting for one."""
    monkeypatch.setattr(winograd, "_compiled_maps", lambda: (winograd._factors, winograd._pixels))


@pytest.fixture
def graphs(monkeypatch):
    """Compile for real, but to graphs that are interpreted, which takes no minute; returns the graphs."""
    made: list = []

    def backend(graph, _):
        made.append(graph)
        return graph

    def compile(function, *, dynamic, **_):
        return compiler(function, backend=backend, dynamic=dynamic)

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", compile)
    maps = compiled_maps.__wrapped__()
    monkeypatch.setattr(winograd, "_compiled_maps", lambda: maps)
    yield made
    torch._dynamo.reset()


def example(n: int = 2, in_channels: int = 3, out_channels: int = 5, size: tuple[int, int] = (7, 10)):
    torch.manual_seed(0)
    return torch.randn(n, in_channels, *size), torch.randn(out_channels, in_channels, 3, 3)


@EVERY_FORM
@pytest.mark.parametrize("padding", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 8), (7, 10), (16, 3)])
def test_every_size_gives_the_direct_convolution(size, padding, convolve):
    x, weight = example(size=size)
    y = convolve(x, winograd_weight(weight), padding)
    assert_close(y, F.conv2d(x, weight, padding=padding), rtol=1e-4, atol=1e-4)


def test_only_rounding_differs():
    x, weight = (t.double() for t in example())
    assert_close(winograd_conv2d(x, winograd_weight(weight)), F.conv2d(x, weight, padding=1), rtol=1e-12, atol=1e-12)


def test_many_channels_round_to_a_small_part_of_the_range():
    x, weight = example(1, 256, 64, (16, 16))
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    assert (winograd_conv2d(x, winograd_weight(weight)) - exact).abs().max() < 1e-4 * exact.std()


@EVERY_FORM
def test_results_are_in_channels_last(convolve):
    x, weight = example(size=(8, 8))
    assert convolve(x, winograd_weight(weight)).is_contiguous(memory_format=torch.channels_last)


def test_the_operation_keeps_what_it_promises_to_a_compiler():
    tiles = torch.randn(2, 3, 4, 2, 4, 3)
    torch.library.opcheck(torch.ops.stylegan.winograd.default, (tiles, torch.randn(36, 5, 3)), test_utils=CHECKS)


def test_an_outer_compiler_sees_one_operation_and_draws_the_same(graphs):
    x, weight = example(size=(8, 8))
    factors = winograd_weight(weight)

    def layer(x):
        return F.leaky_relu(compiled_winograd_conv2d(2 * x, factors))

    assert_close(
        torch.compile(layer, dynamic=False)(x), F.leaky_relu(F.conv2d(2 * x, weight, padding=1)), rtol=1e-4, atol=1e-4
    )
    operations = [str(node.target) for node in graphs[0].graph.nodes]
    assert operations.count("stylegan.winograd.default") == 1
    assert not any("stack" in name for name in operations)


def test_the_maps_are_compiled_once_for_all_sizes_and_once_for_batches(graphs):
    for n, channels, size in [(1, 8, 16), (1, 12, 7), (3, 8, 16), (4, 12, 20)]:
        x, weight = example(n, channels, channels, (size, size))
        compiled_winograd_conv2d(x, winograd_weight(weight))
    assert len(graphs) == 4
