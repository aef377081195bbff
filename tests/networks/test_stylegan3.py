"""StyleGAN3: the recorded outputs of the references, and what its docstrings promise."""

import math
from pathlib import Path

import pytest
import reference
import torch
from golden import RECORDS, R, assert_matches, fill

from stylegan.errors import ConfigError, ShapeError
from stylegan.losses.path_length import path_length_penalty, path_lengths
from stylegan.networks import stylegan3
from stylegan.networks.stylegan3 import Generator, GeneratorSettings, SynthesisInput
from stylegan.networks.stylegan3_schedule import Signal, schedule

SMALL = {"img_resolution": 16, "channel_base": 64, "channel_max": 8, "num_layers": 4}
KINDS = {"t": {}, "r": {"conv_kernel": 1, "use_radial_filters": True}}


def small_generator(kind: str = "t", c_dim: int = 0, **options) -> Generator:
    return fill(Generator(8, c_dim, 8, **{**SMALL, **KINDS[kind], **options}))


@pytest.mark.parametrize("kind", KINDS)
def test_generator_gives_the_recorded_images(kind):
    G, z = small_generator(kind), R(1, [3, 8])
    assert G.synthesis.layer_names == RECORDS[f"sg3_G_{kind}_names"]
    assert_matches(f"sg3_G_{kind}", G(z))
    w = G.mapping(z)[:, 0]
    x = G.synthesis.input(w)
    assert_matches(f"sg3_input_{kind}", x)
    first = getattr(G.synthesis, G.synthesis.layer_names[0])
    assert_matches(f"sg3_L0_{kind}", first(x, w, torch.float32, False))
    c, s = math.cos(0.3), math.sin(0.3)
    G.synthesis.input.transform.copy_(torch.tensor([[c, -s, 0.1], [s, c, -0.2], [0, 0, 1]]))
    assert_matches(f"sg3_G_{kind}_transform", G(z))


def layer_tables() -> dict[tuple[int, int], list[list[float]]]:
    """(resolution, channel_base) -> the published numbers of every layer."""
    tables: dict[tuple[int, int], list[list[float]]] = {}
    for line in (Path(__file__).parent / "stylegan3_layers.txt").read_text().splitlines():
        words = line.split()
        if words[0] == "resolution":
            rows = tables.setdefault((int(words[1]), int(words[3])), [])
        elif words[0] != "#":
            rows.append([float(word) for word in words])
    return tables


TABLES = layer_tables()


def full_size(kind: str, resolution: int, channel_base: int) -> Generator:
    scale = 2 if kind == "r" else 1
    with torch.device("meta"):
        return Generator(
            img_resolution=resolution, channel_base=scale * channel_base, channel_max=scale * 512, **KINDS[kind]
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("resolution", "channel_base"), TABLES)
def test_layers_are_the_published_ones(kind, resolution, channel_base):
    G = full_size(kind, resolution, channel_base)
    is_r = kind == "r"
    assert G.synthesis.input.size == 36
    assert (G.synthesis.input.rate, G.synthesis.input.bandwidth) == (16, 2)
    channels = 1024 if is_r else 512
    for row, name in zip(TABLES[resolution, channel_base], G.synthesis.layer_names, strict=True):
        i, t, r, size, out_size, rate, out_rate, high = row[:8]
        up, up_taps, down, down_taps = row[10:14]
        pad, low_precision, critical = row[16:18] if is_r else row[14:16], row[18], row[19]
        layer = getattr(G.synthesis, name)
        out_channels = int(r if is_r else t)
        assert name == f"L{int(i)}_{int(out_size)}_{out_channels}"
        is_last = i == 14
        kernel = 1 if is_last or is_r else 3
        assert layer.weight.shape == (out_channels, channels, kernel, kernel)
        assert (layer.up, layer.down) == (up, down) == (high / rate, high / out_rate)
        assert layer.padding == (*pad, *pad)
        assert layer.low_precision == bool(low_precision)
        assert (layer.up_filter is None) == (layer.down_filter is None) == is_last
        if not is_last:
            assert layer.up_filter.shape == (up_taps,)
            assert layer.down_filter.shape == ((down_taps, down_taps) if is_r and not critical else (down_taps,))
        samples = (size + kernel - 1) * up + sum(pad) - (up_taps - 1) - (down_taps - 1)
        assert (samples + down - 1) // down == out_size
        channels = out_channels


def test_cutoffs_are_the_published_ones():
    for (resolution, channel_base), rows in TABLES.items():
        signals = schedule(GeneratorSettings(img_resolution=resolution, channel_base=channel_base))
        for row, signal in zip(rows, signals, strict=True):
            assert (signal.cutoff, signal.half_width) == pytest.approx((row[8], row[9]), abs=6e-5)
            assert signal.critical == bool(row[19])


@pytest.mark.parametrize(
    ("resolution", "channel_base", "t", "t_buffers", "r", "r_buffers"),
    [
        (1024, 32768, 22_313_167, 2_480, 15_093_151, 5_600),
        (512, 32768, 24_873_519, 2_468, 16_665_594, 5_588),
        (256, 32768, 28_472_133, 2_456, 18_816_387, 5_576),
        (256, 16384, 23_320_443, 2_456, 15_779_565, 5_576),
        (128, 16384, 27_034_685, 2_444, 18_019_940, 5_564),
    ],
)
def test_totals_are_the_published_ones(resolution, channel_base, t, t_buffers, r, r_buffers):
    for kind, parameters, buffers in (("t", t, t_buffers), ("r", r, r_buffers)):
        G = full_size(kind, resolution, channel_base)
        assert sum(p.numel() for p in G.parameters()) == parameters
        assert sum(b.numel() for b in G.buffers()) == buffers


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_dict_has_the_names_and_shapes_of_official_files(kind):
    shapes = {name: tuple(v.shape) for name, v in full_size(kind, 256, 16384).state_dict().items()}
    c, k = (1024, 1) if kind == "r" else (512, 3)
    expected = {
        "synthesis.input.weight": (c, c),
        "synthesis.input.transform": (3, 3),
        "synthesis.input.freqs": (c, 2),
        "synthesis.input.phases": (c,),
        "synthesis.input.affine.weight": (4, 512),
        "synthesis.input.affine.bias": (4,),
        f"synthesis.L0_36_{c}.weight": (c, c, k, k),
        f"synthesis.L0_36_{c}.bias": (c,),
        f"synthesis.L0_36_{c}.magnitude_ema": (),
        f"synthesis.L0_36_{c}.up_filter": (12,),
        f"synthesis.L0_36_{c}.down_filter": (12, 12) if kind == "r" else (12,),
        f"synthesis.L0_36_{c}.affine.weight": (c, 512),
        f"synthesis.L0_36_{c}.affine.bias": (c,),
        "mapping.w_avg": (512,),
        "mapping.fc0.weight": (512, 512),
        "mapping.fc1.bias": (512,),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    last = {name.rsplit(".", 1)[1] for name in shapes if ".L14_" in name and "affine" not in name}
    assert last == {"weight", "bias", "magnitude_ema"}
    assert len(shapes) == 6 + 14 * 7 + 5 + 5  # input, layers, toRGB, mapping


def test_the_wave_field_moves_as_the_user_says():
    """The transform is the inverse of what happens to the image: -x moves features to the right."""
    G = small_generator()
    w = G.mapping(R(1, [2, 8]))[:, 0]
    here = G.synthesis.input(w)
    G.synthesis.input.transform[0, 2] = -3 / 16  # three samples at the input's rate
    torch.testing.assert_close(G.synthesis.input(w)[..., 3:], here[..., :-3], rtol=1e-4, atol=1e-4)


def test_waves_beyond_the_sampling_rate_fade_out():
    G = small_generator()
    G.synthesis.input.transform[:2, :2] *= 100
    assert G.synthesis.input(torch.zeros(1, 8)).abs().max() == 0


def test_a_fresh_input_does_not_depend_on_w_and_stays_in_its_band():
    G = Generator(8, 0, 8, **SMALL)
    x = G.synthesis.input(torch.randn(2, 8))
    assert torch.equal(x[0], x[1])
    radii = G.synthesis.input.freqs.norm(dim=1)
    assert radii.max() <= G.synthesis.input.bandwidth


def test_freshly_drawn_frequencies_are_uniform_on_the_disc():
    signal = Signal(cutoff=2.0, half_width=6.0, rate=16, size=4, channels=4096, critical=False)
    radii = SynthesisInput(8, signal).freqs.norm(dim=1) / 2
    quartiles = torch.quantile(radii.square(), torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([0.25, 0.5, 0.75]), rtol=0, atol=0.03)


def test_moving_averages_follow_only_when_asked_and_never_take_a_nan():
    G = small_generator(w_avg_beta=0.9, magnitude_ema_beta=0.9)
    first = getattr(G.synthesis, G.synthesis.layer_names[0])
    G(R(1, [2, 8]))
    assert first.magnitude_ema == 1.5
    ws = G.mapping(R(1, [2, 8]), update_emas=True)
    G.synthesis(ws, update_emas=True)
    expected = 0.9 * 1.5 + 0.1 * G.synthesis.input(ws[:, 0]).square().mean()
    torch.testing.assert_close(first.magnitude_ema, expected)
    before = {name: v.clone() for name, v in G.named_buffers()}
    G.synthesis(G.mapping(torch.full([2, 8], math.nan), update_emas=True), update_emas=True)
    assert all(torch.equal(v, before[name]) for name, v in G.named_buffers())


def test_a_batch_with_updated_averages_has_unit_magnitude_inside():
    G = small_generator(magnitude_ema_beta=0.0)
    ws = G.mapping(R(1, [4, 8]))
    x = G.synthesis.input(ws[:, 0])
    layer = getattr(G.synthesis, G.synthesis.layer_names[0])
    gain = layer.input_gain(x, True)
    torch.testing.assert_close((x * gain).square().mean(), torch.tensor(1.0))


def test_there_is_no_noise():
    G = small_generator()
    z = R(1, [2, 8])
    assert torch.equal(G(z, noise_mode="random"), G(z, noise_mode="none"))
    assert torch.equal(G(z, noise_mode="random"), G(z, noise_mode="const"))


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_policy_are_float32_and_close(kind, precision):
    G = small_generator(kind, 3)
    z, c = R(1, [3, 8]), torch.eye(3)
    G.precision = "fp32"
    exact = G(z, c)
    G.precision = precision
    img = G(z, c)
    assert img.dtype == torch.float32
    assert torch.equal(img, exact) == (precision in ("auto", "fp32"))
    psnr = 10 * (4 / (img - exact).square().mean().clamp_min(1e-20)).log10()
    assert psnr > 40


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind, precision):
    G = Generator(8, 3, 8, **{**SMALL, **KINDS[kind]})
    G.precision = precision
    G(R(1, [3, 8]), torch.eye(3)).square().mean().backward()
    for name, p in G.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_are_those_of_the_slow_twins(kind, monkeypatch):
    def path_length_gradients() -> list[torch.Tensor]:
        G = small_generator(kind)
        ws = G.mapping(R(1, [2, 8]))
        img = G.synthesis(ws)
        penalty, _ = path_length_penalty(path_lengths(img, ws, R(3, list(img.shape))), torch.tensor(1.0))
        return torch.autograd.grad(penalty.mean(), list(G.parameters()), allow_unused=True)

    fast = path_length_gradients()
    for name in ("bias_act", "filtered_lrelu", "modulated_conv2d"):
        monkeypatch.setattr(stylegan3, name, getattr(reference, name))
    for actual, expected in zip(fast, path_length_gradients(), strict=True):
        if expected is not None:
            scale = expected.abs().max().item()
            torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3 * scale + 1e-6)


def test_mistakes_get_one_sentence():
    G = small_generator()
    with pytest.raises(ShapeError, match=r"synthesis at 16x16 takes ws \[N, 6, 8\], got \[2, 8\]; repeat a single w"):
        G.synthesis(torch.zeros(2, 8))
    with pytest.raises(ConfigError, match=r"noise_mode must be one of random, const, none, got 'loud'\."):
        G.synthesis(torch.zeros(1, 6, 8), noise_mode="loud")
    with pytest.raises(ConfigError, match=r"precision must be one of auto, fp32, bf16, fp16, got 'int8'\."):
        G.precision = "int8"
    for resolution in (8, 24):
        with pytest.raises(
            ConfigError, match=f"img_resolution must be a power of two from 16 to 8192, got {resolution}"
        ):
            small_generator(img_resolution=resolution)
    with pytest.raises(ConfigError, match=r"num_layers must be above num_critical, and that above 0, got 2, 2\."):
        small_generator(num_layers=2)
    with pytest.raises(ConfigError, match="channel_base 8 and channel_max 8 leave no channel in layer 2; enlarge them"):
        small_generator(channel_base=8)
