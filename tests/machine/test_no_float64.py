"""Drawing, measuring and training work on a device without float64, and give the numbers of the CPU."""

import pytest
import torch
from no_float64 import DEVICE, Device, OnDevice
from tiny_generator import tiny_generator
from torch.testing import assert_close

from stylegan.metrics.equivariance import KINDS, equivariance
from stylegan.networks import stylegan3
from stylegan.sampling.interpolation import slerp
from stylegan.training.assemble import Images, from_preset
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import create_state


def small_stylegan3():
    return (
        stylegan3.Generator(8, 0, 8, 16, 3, channel_base=64, channel_max=8, num_layers=5).eval().requires_grad_(False)
    )


def test_the_device_refuses_float64():
    with Device():
        x = torch.ones(2, device=DEVICE)
        assert isinstance(x, OnDevice)
        assert (x + 1).cpu().tolist() == [2, 2]
        for forbidden in (
            x.double,
            lambda: x * torch.ones(2, dtype=torch.float64),
            lambda: torch.zeros(2).double().to(DEVICE),
        ):
            with pytest.raises(TypeError):
                forbidden()


def test_images_and_arcs_are_those_of_the_cpu():
    z, t = torch.randn(2, 16), torch.linspace(0, 1, 3)
    expected = tiny_generator()(z, truncation_psi=0.7, noise_mode="const"), slerp(z[0], z[1], t)
    with Device():
        G = tiny_generator().to(DEVICE)
        found = G(z, truncation_psi=0.7, noise_mode="const"), slerp(z[0].to(DEVICE), z[1].to(DEVICE), t.to(DEVICE))
    for there, here in zip(found, expected, strict=True):
        assert isinstance(there, OnDevice)
        assert_close(there.cpu(), here)


def test_equivariance_is_that_of_the_cpu():
    G = small_stylegan3()
    expected = [equivariance(G, kind, num=2).value for kind in KINDS]
    with Device():
        found = [equivariance(G.to(DEVICE), kind, num=2).value for kind in KINDS]
    # A shift by whole pixels leaves nothing but the rounding of float32, which each device orders in its own way.
    assert found[0] == pytest.approx(expected[0], abs=0.01)
    assert expected[0] > 90
    assert found[1:] == pytest.approx(expected[1:], abs=1e-4)


@pytest.mark.parametrize("cfg", ["tiny16", "stylegan3-r-tiny16", "progan-tiny16"])
def test_a_training_step_is_that_of_the_cpu(cfg):
    settings = {"device": "cpu", "precision": "fp32", "batch": 4, "micro_batch": 4, "augment.mode": "fixed"}
    config = from_preset(cfg, Images("unused", 16), settings)
    images = torch.rand(4, 3, 16, 16) * 2 - 1

    def trained(device):
        state = create_state(config, device)
        for group in (*state.G_opt.param_groups, *state.D_opt.param_groups):
            group["fused"] = False  # which PyTorch has for real devices alone
        torch.manual_seed(1)
        none = torch.zeros(4, 0).to(device)
        train_step(state, config, [MicroBatch(images.to(device), none, none)])
        return {name: p.detach().cpu() for name, p in state.G.named_parameters()}

    expected = trained(torch.device("cpu"))
    with Device():
        found = trained(DEVICE)
    for name, p in expected.items():
        assert_close(found[name], p, rtol=1e-4, atol=1e-5)
