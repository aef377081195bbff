"""Devices by name, and the GPU of each process."""

import pytest
import torch

from stylegan.errors import StyleGANError
from stylegan.machine.devices import resolve_device
from stylegan.machine.processes import World


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_prefers_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == torch.device(expected)


@pytest.mark.parametrize("name", ["banana", "meta", "cuda:99"])
def test_a_device_that_this_machine_lacks_gets_a_sentence_with_a_setting(name):
    with pytest.raises(StyleGANError, match=f"`device` '{name}' is not available here; set `device` to cpu or auto."):
        resolve_device(name)


def test_each_process_of_a_machine_takes_its_own_gpu(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    cuda = torch.device("cuda")
    assert World(rank=5, size=8, local_rank=1).device_for(cuda) == torch.device("cuda", 1)
    assert chosen == [1]
    assert World(rank=5, size=8, local_rank=1).device_for(torch.device("cpu")) == torch.device("cpu")
    assert World().device_for(cuda) == cuda
    with pytest.raises(StyleGANError, match="has 2 for process 2; start at most one process per GPU, or set `device`"):
        World(rank=2, size=8, local_rank=2).device_for(cuda)
