"""Stand-in for open_clip and huggingface_hub: a tiny text-image model that knows colors, opened as theirs are.

Its functions take and return what those of open_clip 3.3 do, from folders of the same form. Where open_clip can be
imported, `tests/editing/test_text_model.py` also runs the code on the package itself.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stylegan.editing.text_model import TextModel

WORDS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1), "bright": (1, 1, 1), "dark": (-1, -1, -1)}
VOCABULARY = ["", *WORDS]  # number 0 is any other word
CONTEXT, SIDE, WIDTH = 8, 16, 4


class ColorModel(nn.Module):
    """Features of an image: its mean color and a constant. Those of a text: the sum of the colors that it names."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(len(VOCABULARY), 3)
        self.bias = nn.Parameter(torch.tensor([0.5]))
        self.visual = types.SimpleNamespace()

    def encode_image(self, image: Tensor) -> Tensor:
        assert image.shape[1:] == (3, SIDE, SIDE)
        return torch.cat([image.mean((2, 3)), self.bias.expand(len(image), 1)], 1)

    def encode_text(self, text: Tensor) -> Tensor:
        assert text.shape[1:] == (CONTEXT,)
        return torch.cat([self.words(text).sum(1), self.bias.expand(len(text), 1)], 1)


def write_model(folder: Path, bias: float = 0.5) -> Path:
    """Write a model in the form of open_clip; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    colors = torch.tensor([(0, 0, 0), *WORDS.values()], dtype=torch.float32)
    state = {"words.weight": colors, "bias": torch.tensor([bias])}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": {"embed_dim": WIDTH, "vision_cfg": {"image_size": SIDE}, "text_cfg": {}}}
    config["preprocess_cfg"] = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def create_model(model_name, pretrained=None, device="cpu", require_pretrained=False):
    assert require_pretrained
    model = ColorModel()
    if model_name.startswith("local-dir:"):
        folder = Path(model_name.removeprefix("local-dir:"))
        config = json.loads((folder / "open_clip_config.json").read_text())
        if "model_cfg" not in config:
            raise ValueError(f"Local config {folder} missing 'model_cfg'.")
        pretrained = folder / "open_clip_model.safetensors"
        model.visual.preprocess_cfg = {"size": config["model_cfg"]["vision_cfg"]["image_size"]}
        model.visual.preprocess_cfg |= config["preprocess_cfg"]
    elif model_name == "Colors-16":
        model.visual.preprocess_cfg = {"size": (SIDE, SIDE), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    else:
        raise RuntimeError(f"Model config for '{model_name}' not found in built-ins.")
    model.load_state_dict(load_file(pretrained))
    return model.to(device)


def color_model() -> TextModel:
    """The model of `write_model`, made in memory."""
    model = ColorModel()
    model.words.weight.data.copy_(torch.tensor([(0, 0, 0), *WORDS.values()]))
    model.requires_grad_(False)
    return TextModel(model, tokenize, side=SIDE, mean=[0.5] * 3, std=[0.5] * 3)


def tokenize(texts: list[str]) -> Tensor:
    numbers = [[VOCABULARY.index(w) if w in VOCABULARY else 0 for w in text.split()][:CONTEXT] for text in texts]
    return torch.tensor([row + [0] * (CONTEXT - len(row)) for row in numbers])


def install(monkeypatch: pytest.MonkeyPatch, hub: Path) -> list[dict]:
    """Take the places of both packages; return the calls of the hub, which has the models of the folder `hub`."""
    calls: list[dict] = []

    def snapshot_download(repo_id, *, allow_patterns, local_files_only):
        calls.append({"repo_id": repo_id, "local_files_only": local_files_only})
        folder = hub / repo_id
        if local_files_only and not folder.is_dir():
            raise FileNotFoundError("LocalEntryNotFoundError")
        if not folder.is_dir():
            raise ConnectionError("Name or service not known")
        return str(folder)

    open_clip = types.ModuleType("open_clip")
    open_clip.create_model = create_model
    open_clip.get_tokenizer = lambda name: tokenize
    open_clip.get_model_preprocess_cfg = lambda model: model.visual.preprocess_cfg
    huggingface_hub = types.ModuleType("huggingface_hub")
    huggingface_hub.snapshot_download = snapshot_download
    constants = types.ModuleType("huggingface_hub.constants")
    constants.HF_HUB_OFFLINE = False
    huggingface_hub.constants = constants
    for module in (open_clip, huggingface_hub, constants):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls
