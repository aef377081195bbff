"""The engine openvino draws the same images as PyTorch, exports a network once, and says what it lacks."""

import copy
import os
import pickle
import warnings
from functools import cache
from importlib.util import find_spec

import pytest
import torch
from golden import R
from tiny_generations import EVERY_GENERATION, generator

from stylegan.errors import ConfigError, MissingExtra
from stylegan.files.cache import remove_longest_unused
from stylegan.images.pixels import to_uint8
from stylegan.inference import openvino

needs_openvino = pytest.mark.skipif(
    find_spec("openvino") is None, reason="OpenVINO is not installed: pip install 'stylegan[openvino]'"
)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLEGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def trained(name: str, **options):
    """A network whose images have the range of a trained one."""
    G = generator(name, **options)
    for key, p in G.named_parameters():
        if key.endswith(("torgb", "torgb.weight")):
            p.mul_(0.25)
    return G


def assert_same(fast, slow) -> None:
    assert fast.shape == slow.shape
    assert fast.dtype == torch.float32
    assert (to_uint8(slow).int() - to_uint8(fast).int()).abs().max() <= 1


@needs_openvino
@EVERY_GENERATION
def test_fp32_images_differ_by_at_most_one_step_in_every_mode_and_batch(name):
    c_dim = 0 if name == "minimal" else 3
    G = trained(name, c_dim=c_dim)
    fast = G.for_inference(engine="openvino")
    assert (fast.precision, fast.synthesis.engine) == ("fp32", "openvino")
    for n, noise_mode in ((3, "const"), (1, "none"), (2, "random")):
        z, c = R(1, [n, 8]), torch.eye(3)[:n] if c_dim else None
        options = {"truncation_psi": 0.7, "truncation_cutoff": 2, "noise_mode": noise_mode}
        images = []
        for network in (fast, G):
            torch.manual_seed(5)  # random noise is that of PyTorch
            images.append(network(z, c, **options))
        assert_same(*images)
    ws = G.mapping(R(2, [4, 8]), torch.eye(4, 3) if c_dim else None)
    ws = ws.roll(1, 0).where(torch.arange(G.num_ws)[:, None] % 2 == 0, ws)  # another w in every other layer
    assert_same(fast.synthesis(ws, noise_mode="const"), G.synthesis(ws, noise_mode="const"))
    assert len(fast.synthesis(ws[:0])) == 0


@needs_openvino
def test_bf16_images_stay_near():
    G = trained("stylegan2", c_dim=3)  # whose graph the test above left in the cache
    fast, ws = G.for_inference("bf16", engine="openvino"), G.mapping(R(1, [3, 8]), torch.eye(3))
    exact, reduced = G.synthesis(ws, noise_mode="const"), fast.synthesis(ws, noise_mode="const")
    assert 10 * (4 / (exact - reduced).square().mean()).log10() >= 40
    with pytest.raises(ConfigError, match="prepared for precision bf16, which `force_fp32` cannot undo"):
        fast.synthesis(ws, force_fp32=True)


@needs_openvino
def test_a_network_is_exported_once_and_a_damaged_cache_is_rebuilt(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path))
    exported, export = [], cache(lambda: openvino_exported(*arguments))
    openvino_exported = openvino._exported
    monkeypatch.setattr(openvino, "_exported", lambda *_: exported.append(1) or export())
    G, z = trained("progan"), R(1, [2, 8])
    form = G.for_inference().synthesis
    arguments, expected = (form, form.prepare_inputs(G.mapping(z))), G(z)

    def draw() -> int:
        assert_same(G.for_inference(engine="openvino")(z), expected)
        return len(exported)

    assert (draw(), draw()) == (1, 1)
    (folder,) = (tmp_path / "openvino").iterdir()
    weights = bytearray((folder / "model.bin").read_bytes())
    weights[len(weights) // 2] ^= 0xFF
    (folder / "model.bin").write_bytes(weights)
    assert (draw(), draw()) == (2, 2)
    (folder / "model.xml").unlink()
    assert (draw(), draw()) == (3, 3)
    assert [entry.name for entry in (tmp_path / "openvino").iterdir()] == [folder.name]


@needs_openvino
def test_other_weights_are_another_network_in_the_cache_and_a_copy_draws_with_its_own():
    fast = trained("progan", c_dim=3).for_inference(engine="openvino")
    ws = fast.mapping(R(1, [2, 8]), torch.eye(2, 3))
    image = fast.synthesis(ws)
    other = copy.deepcopy(fast)
    for tensor in other.synthesis.buffers():
        tensor.mul_(0.5)
    assert not torch.equal(other.synthesis(ws), image)
    assert torch.equal(fast.synthesis(ws), image)
    assert torch.equal(pickle.loads(pickle.dumps(fast)).synthesis(ws), image)


@needs_openvino
def test_a_cache_that_cannot_be_written_is_warned_of_and_the_image_is_drawn(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "file"))
    G, z = trained("progan"), R(1, [2, 8])
    with pytest.warns(RuntimeWarning, match="the network is not kept for OpenVINO: cannot write "):
        assert_same(G.for_inference(engine="openvino")(z), G(z))


@needs_openvino
def test_images_of_a_stylegan3_can_still_be_moved():
    G = trained("stylegan3", c_dim=3)
    fast, ws = G.for_inference(engine="openvino"), G.mapping(R(1, [2, 8]), torch.eye(2, 3))
    still = fast.synthesis(ws)
    for network in (G, fast):
        network.synthesis.input.transform.copy_(torch.tensor([[1.0, 0, 0.2], [0, 1, -0.1], [0, 0, 1]]))
    assert_same(fast.synthesis(ws), G.synthesis(ws))
    assert (fast.synthesis(ws) - still).abs().max() > 1e-2


@needs_openvino
def test_what_openvino_cannot_convert_gets_one_sentence(monkeypatch):
    monkeypatch.setattr(
        torch.export, "export", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no such op\nlong"))
    )
    fast = trained("progan", c_dim=2).for_inference(engine="openvino")
    fast.synthesis.torgbs[0].bias.add_(1)  # a network that is not in the cache
    with pytest.raises(ConfigError, match=r"OpenVINO cannot draw this network \(no such op\); set `engine` to torch\."):
        fast(R(1, [1, 8]), torch.eye(2)[:1])


def test_an_engine_that_is_not_installed_gets_one_sentence(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(openvino, "import_module", missing)
    text = r"the engine openvino needs OpenVINO\. Install it with: pip install 'stylegan\[openvino\]'$"
    with pytest.raises(MissingExtra, match=text):
        generator("progan").for_inference(engine="openvino")


def test_mistakes_get_one_sentence(monkeypatch):
    monkeypatch.setattr(openvino, "import_module", lambda name: None)
    G = generator("stylegan2")
    with pytest.raises(ConfigError, match="engine must be one of torch, openvino, got 'tensorrt'"):
        G.for_inference(engine="tensorrt")
    with pytest.raises(ConfigError, match="openvino compiles by itself; set `compile` to false, or `engine` to torch"):
        G.for_inference(compile=True, engine="openvino")
    with pytest.raises(ConfigError, match="openvino draws in fp32 or bf16, got 'fp16'"):
        G.for_inference("fp16", engine="openvino")
    with pytest.raises(ConfigError, match="prepared for the engine openvino, got 'torch'; call for_inference of the"):
        G.for_inference(engine="openvino").for_inference()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (fast := G.for_inference(engine="openvino")).for_inference(engine="openvino") is fast


def test_the_cache_keeps_what_was_used_last(tmp_path):
    for age, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"0" * 10)
        os.utime(tmp_path / name, (100 - age, 100 - age))
    remove_longest_unused(tmp_path, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    remove_longest_unused(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
