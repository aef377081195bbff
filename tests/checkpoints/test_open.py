"""Files of other programs, opened by their content: the same tensors and images, or one sentence on what they are."""

import argparse
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_files as files
import numpy as np
import pytest
import torch
from foreign_pickles import Network, Persistent, dumps, module_state, torch_save
from golden import R, assert_matches, fill
from run_cli import run_cli
from safetensors.torch import save_file
from tiny_generator import tiny_generator
from torch import nn

import stylegan
from stylegan.checkpoints import rosinality, tensorflow_variables
from stylegan.checkpoints.pickle_vm import Record
from stylegan.errors import CheckpointError
from stylegan.networks import minimal_gan, progan, stylegan1, stylegan2, stylegan3

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 16}
STYLEGAN3 = {"img_resolution": 16, "channel_base": 64, "channel_max": 8, "num_layers": 4}
KINDS = {"t": {}, "r": {"conv_kernel": 1, "use_radial_filters": True}}


def generator2(c_dim: int = 0, **options: Any) -> stylegan2.Generator:
    return fill(stylegan2.Generator(8, c_dim, 8, **{"mapping_layers": 2, **SMALL, **options})).requires_grad_(False)


def discriminator2(c_dim: int = 0, **options: Any) -> stylegan2.Discriminator:
    return fill(stylegan2.Discriminator(c_dim, **{"mapping_layers": 2, **SMALL, **options})).requires_grad_(False)


def require_same(network: nn.Module, read: nn.Module | None, *, except_for: tuple[str, ...] = ()) -> None:
    """Assert equal tensors and, for a generator, equal images, or logits for a discriminator."""
    assert type(read) is type(network)
    own, found = network.state_dict(), read.state_dict()
    assert own.keys() == found.keys()
    assert [name for name in own if not torch.equal(own[name], found[name])] == list(except_for)
    assert all(value.dtype == torch.float32 and value.is_contiguous() for value in found.values())
    c = torch.eye(network.c_dim)[:2] if network.c_dim else None
    with torch.no_grad():
        if hasattr(network, "synthesis"):
            z = R(1, [2, network.z_dim])
            mode = "none" if except_for else "const"
            assert torch.equal(network(z, c, noise_mode=mode), read(z, c, noise_mode=mode))
        else:
            img = R(2, [4, network.img_channels, network.img_resolution, network.img_resolution])
            c = torch.eye(network.c_dim)[[0, 1, 0, 1]] if network.c_dim else None
            assert torch.equal(network(img, c), read(img, c))


@pytest.fixture
def read(tmp_path) -> Callable[[bytes], stylegan.Checkpoint]:
    """Return a function that opens bytes as a checkpoint, under a name that says nothing."""

    def open_bytes(data: bytes) -> stylegan.Checkpoint:
        (tmp_path / "net").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return stylegan.load_checkpoint(tmp_path / "net")

    return open_bytes


# ---- NVIDIA's PyTorch code


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_stylegan2_ada_file_gives_its_three_networks(read, protocol):
    G_ema, G, D = generator2(3, conv_clamp=256), generator2(3, num_fp16_res=2), discriminator2(3, conv_clamp=256)
    G.synthesis.b4.const.data.mul_(2)
    content = {
        "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset", "resolution": 16},
        "G": files.official_generator(G),
        "D": files.official_discriminator(D),
        "G_ema": files.official_generator(G_ema),
        "augment_pipe": files.augment_pipe(0.25),
    }
    data = dumps(content, protocol)
    checkpoint = read(files.old_numpy(data) if protocol < 4 else data)
    for name, network in (("G_ema", G_ema), ("G", G), ("D", D)):
        require_same(network, getattr(checkpoint, name))
        assert getattr(checkpoint, name).settings == network.settings
    assert checkpoint.augment_p == 0.25
    assert checkpoint.licence == "NVIDIA Source Code License (non-commercial)"
    assert checkpoint.origin == "net, a file of NVIDIA's StyleGAN2-ADA-PyTorch"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c_dim", [0, 3])
def test_stylegan3_file_gives_its_networks(read, kind, c_dim):
    G = fill(stylegan3.Generator(8, c_dim, 8, **STYLEGAN3, **KINDS[kind])).requires_grad_(False)
    D = discriminator2(c_dim, num_fp16_res=4, conv_clamp=256)
    found = read(dumps({"G": files.official_generator(G), "D": files.official_discriminator(D), "G_ema": None}))
    require_same(G, found.G)
    require_same(D, found.D)
    assert (found.G.settings, found.G_ema) == (G.settings, None)
    assert found.origin == "net, a file of NVIDIA's StyleGAN3"


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_flat_arguments_have_the_defaults_of_stylegan3(read, architecture):
    G, D = generator2(architecture=architecture), discriminator2(architecture=architecture)
    record = files.official_generator(G, nested=False)
    for name in ("num_fp16_res", "conv_clamp"):
        del record.meta["state"]["_init_kwargs"][name]
    found = read(dumps({"G_ema": record, "D": files.official_discriminator(D)}))
    assert (found.G_ema.settings.num_fp16_res, found.G_ema.settings.conv_clamp) == (4, 256)
    assert found.G_ema.settings.w_avg_beta == 0.998
    require_same(D, found.D)
    G.load_state_dict(found.G_ema.state_dict())


def test_recorded_images_come_out_of_a_file(read):
    G = fill(stylegan2.Generator(8, 3, 8, mapping_layers=2, **SMALL))
    found = read(dumps({"G_ema": files.official_generator(G)})).G_ema
    assert_matches("sg2_G_skip_c3", found(R(1, [3, 8]), torch.eye(3), noise_mode="const"))
    for kind in KINDS:
        G = fill(stylegan3.Generator(8, 0, 8, **STYLEGAN3, **KINDS[kind]))
        found = read(dumps({"G_ema": files.official_generator(G)})).G_ema
        assert_matches(f"sg3_G_{kind}", found(R(1, [3, 8])))


def test_half_precision_and_channels_last_are_loaded_as_float32(read):
    G = generator2()
    half = generator2().half().to(memory_format=torch.channels_last)
    found = read(dumps({"G_ema": files.official_generator(half)})).G_ema
    G.load_state_dict(half.state_dict())
    require_same(G, found)


def test_frozen_layers_and_arguments_of_forks_are_accepted(tmp_path):
    D, G = discriminator2(freeze_layers=3), generator2()
    record = files.official_generator(G, fork_flag=True, init_res=[4, 4])
    record.meta["state"]["_init_kwargs"]["mapping_kwargs"]["freeze_embed"] = True
    (tmp_path / "net").write_bytes(dumps({"G_ema": record, "D": files.official_discriminator(D)}))
    with pytest.warns(RuntimeWarning, match="arguments that this library does not know, and ignores: fork_flag;"):
        found = stylegan.load_checkpoint(tmp_path / "net")
    require_same(G, found.G_ema)
    require_same(D, found.D)
    assert found.D.settings.freeze_layers == 3


def test_conditional_discriminator_has_the_label_layers_that_the_file_holds(read):
    D = discriminator2(3, mapping_layers=0, cmap_dim=7)
    record = files.official_discriminator(D, cmap_dim=7)
    record.meta["state"]["_init_kwargs"]["mapping_kwargs"].clear()
    require_same(D, read(dumps({"D": record, "G_ema": files.official_generator(generator2())})).D)


def test_network_saved_alone_is_the_generator_to_draw_with(read):
    G = generator2()
    require_same(G, read(torch_save(files.official_generator(G))).G_ema)


@pytest.mark.parametrize("container", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dicts_need_no_arguments(read, tmp_path, container, prefix):
    mixed = {"num_fp16_res": 4, "conv_clamp": 256}
    generators = [generator2(3, embed_features=5, **mixed), generator2(architecture="resnet", **mixed)]
    generators += [fill(stylegan3.Generator(8, 0, 8, **STYLEGAN3, **KINDS[kind])) for kind in KINDS]
    for network in [*generators, discriminator2(3, **mixed), discriminator2(architecture="orig", **mixed)]:
        tensors = {f"{prefix}{name}": value for name, value in network.state_dict().items()}
        if container == "safetensors":
            save_file(tensors, tmp_path / "tensors")
            found = read((tmp_path / "tensors").read_bytes())
        else:
            found = read(torch_save(tensors, zipped=container == "zip"))
        require_same(network, found.G_ema or found.D)


def test_state_dicts_without_buffers_get_substitutes(read):
    G = generator2(conv_clamp=256, num_fp16_res=4)
    buffers = {name for name, _ in G.named_buffers()}
    found = read(torch_save({name: value for name, value in G.state_dict().items() if name not in buffers})).G_ema
    noise = tuple(name for name in G.state_dict() if name.endswith(("noise_const", "w_avg")))
    require_same(G, found, except_for=noise)


# ---- NVIDIA's TensorFlow code


@pytest.mark.parametrize(("version", "c_dim"), [(2, 0), (2, 3), (3, 0)])
def test_progan_file_gives_its_networks(read, version, c_dim):
    G, D = fill(progan.Generator(8, c_dim, **SMALL)), fill(progan.Discriminator(c_dim, **SMALL))
    for lod in (G.lod, D.lod):
        lod.fill_(1.25)
    found = read(files.tensorflow_file(G, D, version=version, protocol=3, kwargs={"label_size": c_dim}))
    for name, network in (("G", G), ("D", D), ("G_ema", G)):
        require_same(network, getattr(found, name))
    assert found.licence == "CC BY-NC 4.0 (non-commercial)"


@pytest.mark.parametrize(("version", "c_dim"), [(3, 0), (3, 3), (4, 0)])
def test_stylegan1_file_gives_its_networks(read, version, c_dim):
    G = fill(stylegan1.Generator(8, c_dim, 8, mapping_layers=2, **SMALL))
    D = fill(stylegan1.Discriminator(c_dim, **SMALL))
    for lod in (G.lod, D.lod):
        lod.fill_(0.5)
    found = read(files.tensorflow_file(G, D, version=version, kwargs={"label_size": c_dim}))
    for name, network in (("G", G), ("D", D), ("G_ema", G)):
        require_same(network, getattr(found, name))
    assert found.licence.startswith("CC BY-NC" if version == 3 else "NVIDIA")


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_stylegan2_tensorflow_file_gives_its_networks(read, architecture):
    G, D = generator2(architecture=architecture), discriminator2(architecture=architecture)
    found = read(files.tensorflow_file(G, D, version=4, protocol=2))
    for name, network in (("G", G), ("D", D), ("G_ema", G)):
        require_same(network, getattr(found, name))


@pytest.mark.parametrize("layers", [0, 2])
def test_conditional_ada_tensorflow_file_gives_its_networks(read, layers):
    G = generator2(3, num_fp16_res=4, conv_clamp=256)
    D = discriminator2(3, mapping_layers=layers, lr_multiplier=0.1, mbstd_group_size=None, conv_clamp=256)
    kwargs = {"label_size": 3, "conv_clamp": 256}
    judged = dict(kwargs)
    found = read(files.tensorflow_file(G, D, version=5, kwargs=kwargs | {"num_fp16_res": 4}, judged=judged))
    require_same(G, found.G_ema)
    require_same(D, found.D)
    assert (found.D.settings.mapping_layers, found.D.settings.lr_multiplier) == (layers, 0.1)
    assert found.D.settings.mbstd_group_size is None


def test_level_of_detail_that_is_no_number_is_refused(read):
    G, D = fill(progan.Generator(8, 0, **SMALL)), fill(progan.Discriminator(0, **SMALL))
    G.lod.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="level of detail synthesis.lod is nan, a finite number is expected"):
        read(files.tensorflow_file(G, D, version=3))


def test_growing_stylegan2_is_read_once_it_is_grown(read, tmp_path):
    G, D = generator2(architecture="orig"), discriminator2(architecture="orig")
    found = read(files.tensorflow_file(G, D, version=4, grown_from=0))
    require_same(G, found.G_ema)
    require_same(D, found.D)
    with pytest.raises(CheckpointError, match="growing StyleGAN2 at level of detail 1.5; this library has it fully"):
        read(files.tensorflow_file(G, D, version=4, grown_from=1.5))


def test_discriminator_of_a_comparison_is_left_out_by_name(tmp_path):
    G, D = generator2(), discriminator2()
    file = tmp_path / "net.pkl"
    file.write_bytes(files.tensorflow_file(G, D, version=5, judged={"use_spectral_norm": True}))
    with pytest.warns(RuntimeWarning, match="discriminator .* is left out: it was trained with use_spectral_norm"):
        checkpoint = stylegan.load_checkpoint(file)
    assert checkpoint.D is None
    require_same(G, checkpoint.G_ema)
    require_same(G, stylegan.load(file, device="cpu"))


# ---- Other libraries


@pytest.mark.parametrize("zipped", [True, False])
def test_converted_rosinality_file_gives_its_networks(read, zipped):
    G, D = generator2(), discriminator2()
    content = {"g_ema": files.rosinality_generator(G), "latent_avg": G.mapping.w_avg}
    content |= {"g": files.rosinality_generator(G), "d": files.rosinality_discriminator(D)}
    found = read(torch_save(content, zipped))
    for name, network in (("G", G), ("D", D), ("G_ema", G)):
        require_same(network, getattr(found, name))


def test_trained_rosinality_file_gets_an_average_of_w(read):
    G = generator2()
    tensors = {f"module.{name}": nn.Parameter(value) for name, value in files.rosinality_generator(G).items()}
    tensors = {name: value for name, value in tensors.items() if "noises" not in name}
    content = {"g_ema": tensors, "args": argparse.Namespace(size=16), "ada_aug_p": 0.5, "g_optim": {"state": {0: {}}}}
    found = read(torch_save(content))
    changed = tuple(name for name in G.state_dict() if name.endswith(("noise_const", "w_avg")))
    require_same(G, found.G_ema, except_for=changed)
    w = G.mapping.w(torch.randn([100_000, 8], generator=torch.Generator().manual_seed(7)), None)
    assert ((found.G_ema.mapping.w_avg - w.mean(0)).abs() < 0.1 * w.std(0)).all()
    again = read(torch_save(content)).G_ema
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in found.G_ema.state_dict().items())
    assert (found.augment_p, found.licence) == (0.5, None)


def test_rosinality_file_that_was_written_has_the_names_and_shapes_of_its_code(tmp_path):
    G, D = generator2(), discriminator2()
    checkpoint = stylegan.Checkpoint(G_ema=G, D=D, augment_p=0.5, origin="a test", licence="CC0-1.0")
    rosinality.write(checkpoint, tmp_path / "net.pt")
    written = torch.load(tmp_path / "net.pt", weights_only=True)
    for name, expected in (("g_ema", files.rosinality_generator(G)), ("d", files.rosinality_discriminator(D))):
        assert {key: value.shape for key, value in written[name].items()} == {k: v.shape for k, v in expected.items()}
        assert all(torch.equal(value, written[name][key]) for key, value in expected.items())
    found = stylegan.load_checkpoint(tmp_path / "net.pt")
    require_same(G, found.G_ema)
    require_same(D, found.D)
    assert (found.origin, found.licence, found.augment_p, found.G) == ("a test", "CC0-1.0", 0.5, None)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"G_ema": generator2(architecture="orig")}, "has the skip generator and the resnet .*, got orig"),
        ({"G_ema": generator2(3)}, "has c_dim 0, got 3"),
        ({"D": discriminator2()}, "needs a generator, got none"),
        ({"G": fill(stylegan3.Generator(8, 0, 8, **STYLEGAN3))}, "has the skip generator .*, got stylegan.*stylegan3"),
    ],
)
def test_networks_that_rosinality_does_not_have_are_refused(tmp_path, networks, message):
    with pytest.raises(CheckpointError, match=message):
        rosinality.write(stylegan.Checkpoint(**networks), tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists()


@pytest.mark.parametrize(("short", "size"), [(False, 16), (True, 128)])
def test_lernapparat_state_dict_gives_the_generator(read, short, size):
    options = {"mapping_layers": 2, "channel_base": 256, "channel_max": 16}
    G = fill(stylegan1.Generator(8, 0, 8, size, **options)).requires_grad_(False)
    found = read(torch_save(files.lernapparat(G, short=short))).G_ema
    changed = [name for name in G.state_dict() if name.endswith(("noise_const", "w_avg"))]
    changed += [name for name in G.state_dict() if "torgb" in name and "filter" not in name and f"b{size}." not in name]
    G.lod.fill_(0)
    require_same(G, found, except_for=tuple(name for name in G.state_dict() if name in changed))


@pytest.mark.parametrize("nested", [True, False])
def test_minimal_modules_give_the_networks_of_their_size(read, nested):
    G = fill(minimal_gan.Generator(8, 0, 8, 16, mapping_layers=3, n_features=4, max_features=8)).requires_grad_(False)
    D = fill(minimal_gan.Discriminator(0, 16, n_features=4, max_features=8)).requires_grad_(False)
    parts = {"mapping_network": G.mapping, "generator": G.synthesis, "discriminator": D.net}
    own = {name: {k: v for k, v in m.state_dict().items() if "w_avg" not in k} for name, m in parts.items()}
    own["generator"] = {k: v for k, v in own["generator"].items() if "noise_const" not in k}
    flat = {f"{part}.{name}": value for part, tensors in own.items() for name, value in tensors.items()}
    found = read(torch_save(own if nested else flat))
    changed = tuple(name for name in G.state_dict() if "noise_const" in name or "w_avg" in name)
    require_same(G, found.G_ema, except_for=changed)
    require_same(D, found.D)
    with pytest.raises(
        CheckpointError, match="generator of a minimal StyleGAN2 without its mapping network; save both"
    ):
        read(torch_save(own["generator"]))


# ---- What is no checkpoint, and what no network


def relative(class_name: str) -> bytes:
    return dumps({"G_ema": Persistent(class_name, module_state(nn.Linear(2, 2)))})


def with_argument(name: str, value: Any, part: str = "synthesis_kwargs") -> bytes:
    record = files.official_generator(generator2())
    kwargs = record.meta["state"]["_init_kwargs"]
    (kwargs[part] if part else kwargs)[name] = value
    return dumps({"G_ema": record})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of git-lfs .* `git lfs pull`"),
        (b"\n<!DOCTYPE html><html>404</html>", "is an HTML page, such as the message of a server; download it again"),
        (b"\x1f\x8b\x08" + bytes(99), "is compressed with gzip; unpack it"),
        (b"PK\x03\x04" + bytes(26) + b"ffhq.pkl", "is a zip; unpack it and choose the checkpoint in it"),
        (b"\x89PNG\r\n", "is an image, not a checkpoint"),
        (b"hello", "is not a checkpoint: it is neither a pickle nor"),
        (dumps({"G_ema": files.official_generator(tiny_generator())})[:-99], "cannot be read: .*truncated"),
        (torch_save({"g_ema": files.rosinality_generator(generator2())})[:-99], "cannot be read: .*"),
        (torch_save({"a": 1, "b": 2}), "holds a dict of a, b, which is not the checkpoint of a StyleGAN"),
        (
            torch_save([{"G_synthesis/lod": torch.zeros(1)}] * 3),
            "holds a list of variables of TensorFlow, from which lern",
        ),
        (dumps([1, 2, 3]), "holds a list, which is not the checkpoint of a StyleGAN"),
        (relative("SuperresGenerator"), "holds a network of StyleGAN-XL, which is a relative of StyleGAN"),
        (relative("TriPlaneGenerator"), "holds a network of EG3D, which draws 3D scenes, which is a relative"),
        (relative("SomeGenerator"), "holds a network of SomeGenerator, which is a relative"),
        (dumps({"G_ema": files.official_generator(generator2()), "progress": {"cur_nimg": 0}}), "of StyleGAN-XL"),
        (b"\x80\x03}X\x01\x00\x00\x00Gctraining.networks\nGenerator\n)\x81s.", "holds a network of R3GAN"),
        (b"\x80\x03}X\x01\x00\x00\x00Dctimm.models.vit\nBlock\n)\x81s.", "holds a network of Projected GAN or StyleG"),
        (with_argument("init_res", [4, 6], ""), "images that are not square, from \\[4, 6\\] pixels on"),
        (
            with_argument("num_layers", 3_000_000, "mapping_kwargs"),
            "mapping_layers must be a whole number from 1 to 100",
        ),
        (with_argument("img_resolution", 2**30, ""), "img_resolution must be a power of two"),
        (with_argument("channel_base", 10**12), "channel_base must be a whole number"),
        (with_argument("conv_clamp", "x"), "conv_clamp must be a number"),
        (with_argument("conv_clamp", float("nan")), "conv_clamp must be a number"),
        (with_argument("num_fp16_res", True), "num_fp16_res must be a whole number"),
        (with_argument("resample_filter", [1] * 1000), "resample_filter must be 1 to 64 numbers"),
        (with_argument("channel_max", 8), "generator that does not fit its arguments: tensor .* has shape"),
        (with_argument("z_dim", np.empty([2**39, 0], np.float32), ""), "z_dim must be a whole .* got ndarray of shape"),
        (
            with_argument("z_dim", torch.zeros([], dtype=torch.uint8).expand([2] * 24), ""),
            "z_dim must be a whole number .* got Tensor of shape \\[2, 2",
        ),
        (with_argument("activation", "relu", "mapping_kwargs"), "mapping_kwargs ask for the activation 'relu'"),
    ],
)
def test_anything_else_gets_one_sentence(read, data, message):
    with pytest.raises(CheckpointError, match=message) as error:
        read(data)
    text = str(error.value)
    assert "\n" not in text
    assert text.count(f"{os.sep}net") == 1  # the name of the file is said once
    assert text.endswith(".")
    assert not text.endswith("..")
    assert len(text) < 700


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "net")
    with pytest.raises(CheckpointError, match="is neither a file nor a folder; choose a checkpoint"):
        stylegan.load(tmp_path / "net")


def test_tensorflow_file_may_hold_the_averaged_generator_alone(read):
    G, D = generator2(), discriminator2()
    network = files.tensorflow_networks(G, D, version=4)[2]
    found = read(dumps((None, None, network)))
    require_same(G, found.G_ema)
    assert found.G is found.D is None


@pytest.mark.parametrize(
    "pair", [(np.zeros([2] * 9, np.float32), np.float32(0)), ("a", [[1.0], [1.0, 2.0]]), ("a", torch.zeros(2))]
)
def test_tensorflow_variables_are_names_and_arrays(read, pair):
    network = files.tensorflow_networks(generator2(), discriminator2(), version=4)[2]
    network.__dict__["variables"].append(pair)
    with pytest.raises(CheckpointError, match="whose variables are not pairs of name and value"):
        read(dumps((None, None, network)))


def test_one_array_under_many_names_takes_memory_once():
    array = np.zeros(10, np.float16)
    state = {"version": 4, "variables": [(str(i), array) for i in range(5)], "build_func_name": [array]}
    network = tensorflow_variables.Network(Record("dnnlib.tflib.network.Network", state=state))
    assert len({value.data_ptr() for value in network.variables.values()}) == 1
    assert (len(network.variables), network.build) == (5, "")


def test_copies_of_one_value_do_not_fill_the_memory(read):
    with torch.device("meta"):
        shapes = {
            name: value.shape
            for name, value in stylegan2.Generator(1024, 0, 1024, mapping_layers=30, **SMALL).state_dict().items()
        }
    one_of = {shape: torch.ones([]).expand(shape) for shape in set(shapes.values())}
    tensors = {name: one_of[shape] for name, shape in shapes.items()}
    with pytest.raises(CheckpointError, match="its tensors have 1[0-9]{2},.* bytes, but its storages have"):
        read(torch_save(tensors))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("mapping.dense0.weight", "blocks.4x4.const", "torgb.weight"), "has no blocks"),
        (("synthesis.input.weight", "synthesis.L0_0_2.weight", "synthesis.L1_0_1.weight"), "no pixels"),
    ],
)
def test_state_dict_without_layers_is_refused(read, names, message):
    with pytest.raises(CheckpointError, match=message):
        read(torch_save({name: torch.ones(1, 1, 1, 1) for name in names}))


def test_safetensors_of_very_many_tensors_are_not_loaded(tmp_path):
    save_file({str(i): torch.zeros(0) for i in range(10_001)}, tmp_path / "net")
    with pytest.raises(CheckpointError, match="has 10,001 tensors, more than any checkpoint"):
        stylegan.load_checkpoint(tmp_path / "net")


def test_optimizer_of_an_older_pytorch_is_skipped(read):
    G = generator2()
    moments = {"state": {140_223_116_984_960: {"step": 1}}, "param_groups": [{"params": [140_223_116_984_960]}]}
    content = {"g_ema": files.rosinality_generator(G), "latent_avg": G.mapping.w_avg, "g_optim": moments}
    require_same(G, read(torch_save(content, zipped=False)).G_ema)


def test_theano_file_says_what_to_use_instead(read):
    network = Network()
    network.__dict__.update(build_func_spec={}, param_values=[], toplevel_params=[])
    data = dumps((network, network, network), 2).replace(b"cdnnlib.tflib.network\n", b"cnetwork\n")
    with pytest.raises(CheckpointError, match="is a ProGAN of the Theano version.*use the .pkl of its TensorFlow"):
        read(data)


def test_a_file_that_claims_gigabytes_is_refused_at_once(tmp_path):
    shapes = {"synthesis.b4.const": [512, 4, 4], "mapping.fc0.weight": [40_000, 40_000]}
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file = tmp_path / "net"
    with open(file, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + end)
    with pytest.raises(CheckpointError, match="tensor .* is missing"):
        stylegan.load_checkpoint(file)
    with open(file, "ab") as stream:
        stream.truncate(2**40)
    with pytest.raises(CheckpointError, match="has 1,100 GB, more than any checkpoint"):
        stylegan.load_checkpoint(file)


def test_one_network_of_a_native_checkpoint_points_to_its_folder(tmp_path):
    stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), tmp_path / "net")
    with pytest.raises(CheckpointError, match="is one network of the checkpoint .*net; choose that folder"):
        stylegan.load(tmp_path / "net" / "generator_ema.safetensors")


# ---- Licences


def test_licence_and_origin_are_shown_and_kept(tmp_path):
    file: Path = tmp_path / "ffhq.pkl"
    file.write_bytes(dumps({"G_ema": files.official_generator(tiny_generator())}))
    draw = ("generate", "--network", file, "--seeds", 0, "--outdir", tmp_path / "out", "--device", "cpu")
    result = run_cli(*draw)
    assert result.code == 0, result.err
    assert "Licence of the weights: NVIDIA Source Code License (non-commercial). Origin: ffhq.pkl, a" in result.err
    stylegan.save(stylegan.load_checkpoint(file), tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    assert config["licence"] == "NVIDIA Source Code License (non-commercial)"
    assert config["origin"] == "ffhq.pkl, a file of NVIDIA's StyleGAN2-ADA-PyTorch"
    assert stylegan.load_checkpoint(tmp_path / "net").licence == config["licence"]
