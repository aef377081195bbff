"""A text-image model: a network for images and one for texts, whose features can be compared. Radford et al. 2021.

Models are opened by the package open_clip (extra `text`). Nothing is downloaded unless that is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import CheckpointError, ConfigError, DownloadError, MissingExtra
from stylegan.files.digest import digest
from stylegan.files.paths import local_path

DEFAULT_MODEL = "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
HUB = "hf-hub:"  # before the name of a repository at huggingface.co
CONFIG = "open_clip_config.json"  # in the folder of a model
NEUTRAL = "an image"  # the text from which a direction begins if none is given
FILES = (CONFIG, "open_clip*.safetensors", "*.json", "*.txt")  # of a repository that are needed
# Differences of texts are averaged over these sentences, since a single wording has a direction of its own.
TEMPLATES = ("{}", "a photo of {}", "an image of {}", "a painting of {}", "a close-up of {}", "a drawing of {}")


class TextModel:
    """Features of images and of texts, of length 1, whose scalar product says how well the two fit.

    Args:
        model: has `encode_image` and `encode_text`, as the models of open_clip.
        tokenize: texts -> token numbers [N, context].
        side: pixels per side of the images that the model takes.
        mean, std: of each color in [0, 1], with which the model expects images to be normalized.
    """

    def __init__(
        self,
        model: Any,
        tokenize: Callable[[list[str]], Tensor],
        *,
        side: int,
        mean: Sequence[float],
        std: Sequence[float],
    ):
        self.model, self.tokenize, self.side = model, tokenize, side
        self.device = next(model.parameters()).device
        self.mean, self.std = (torch.tensor(v, device=self.device).view(1, 3, 1, 1) for v in (mean, std))

    @property
    def identity(self) -> str:
        """Identity of the model for files that depend on it: 16 hexadecimal digits from its biases."""
        return digest([p.detach().cpu() for p in self.model.parameters() if p.ndim == 1])[:16]

    def encode_images(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] in [-1, 1] -> [N, D]; differentiable."""
        x = F.interpolate(images, (self.side, self.side), mode="bicubic", antialias=True)
        x = ((x + 1) / 2 - self.mean) / self.std
        return F.normalize(self.model.encode_image(x.expand(-1, 3, -1, -1)), dim=1)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """N texts -> [N, D]. Raises: ConfigError for an empty text."""
        _check_words(*texts)
        return F.normalize(self.model.encode_text(self.tokenize(list(texts)).to(self.device)), dim=1)


def text_direction(model: TextModel, text: str, source: str = NEUTRAL) -> Tensor:
    """Return the direction of features from one text to another, [D], of length 1.

    Raises: ConfigError for an empty text, or two texts that the model does not distinguish.
    """
    _check_words(text, source)
    target, start = (
        F.normalize(model.encode_texts([template.format(words) for template in TEMPLATES]).mean(0), dim=0)
        for words in (text, source)
    )
    if (target - start).norm() < 1e-4:
        raise ConfigError(f"the texts {text!r} and {source!r} mean the same to the text model; choose different ones.")
    return F.normalize(target - start, dim=0)


def _check_words(*texts: str) -> None:
    if not all(text.strip() for text in texts):
        raise ConfigError("a text that describes images has at least one word, got an empty one.")


def load_text_model(
    source: Path | str = DEFAULT_MODEL, *, download: bool = False, device: torch.device | str = "cpu"
) -> TextModel:
    """Open a text-image model in the form of open_clip.

    Args:
        source: a folder with `open_clip_config.json` and weights; ARCHITECTURE:FILE, such as
            "ViT-B-32:weights.safetensors", for a file of weights; or hf-hub:OWNER/NAME for a model at huggingface.co.
        download: get a hub model that is not in the cache of this machine. Otherwise nothing uses the network.
    Raises: MissingExtra without open_clip; CheckpointError for a model that is not on this machine, or that cannot be
        opened; DownloadError for one that cannot be downloaded.
    """
    open_clip = _package("open_clip")
    text = str(source)
    with _offline(not download):
        folder = _hub_folder(text, download) if text.startswith(HUB) else local_path(text)
        architecture, colon, file = text.rpartition(":")
        if folder.is_dir():
            if not (folder / CONFIG).is_file():
                raise CheckpointError(
                    f"{folder} has no {CONFIG}, so it is not a model of open_clip; choose its folder."
                )
            name, weights = f"local-dir:{folder}", None
        elif colon and local_path(file).is_file():
            name, weights = architecture, str(local_path(file))
        else:
            raise CheckpointError(
                f"the text model {text} does not exist; choose a folder with {CONFIG}, ARCHITECTURE:FILE, or "
                f"{HUB}OWNER/NAME with `text_model`."
            )
        try:
            model = open_clip.create_model(name, pretrained=weights, device=device, require_pretrained=True)
            tokenize = open_clip.get_tokenizer(name)
            expected = open_clip.get_model_preprocess_cfg(model)
        except Exception as error:  # of any kind, since open_clip checks little
            raise CheckpointError(f"the text model {text} cannot be opened: {_first_line(error)}.") from error
    side = expected["size"]
    return TextModel(
        model.eval().requires_grad_(False),
        tokenize,
        side=side if isinstance(side, int) else side[0],
        mean=expected["mean"],
        std=expected["std"],
    )


def _hub_folder(source: str, download: bool) -> Path:
    """Return the folder of a model of the hub in the cache of this machine, after downloading it if asked to."""
    hub = _package("huggingface_hub")
    try:
        return Path(
            hub.snapshot_download(source.removeprefix(HUB), allow_patterns=list(FILES), local_files_only=not download)
        )
    except Exception as error:
        if not download:
            raise CheckpointError(
                f"the text model {source} is not on this machine; get it with `download`, or choose a folder with "
                "`text_model`."
            ) from error
        raise DownloadError(f"the text model {source} cannot be downloaded: {_first_line(error)}.") from error


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Keep open_clip and the libraries that it uses from the network while the block runs."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    before = {name: os.environ.get(name) for name in names}
    constants: Any = import_module("huggingface_hub.constants")  # read when it was imported
    flag = constants.HF_HUB_OFFLINE
    if offline:
        os.environ.update(dict.fromkeys(names, "1"))
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = flag
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra("texts need the package open_clip. Install it with: pip install 'stylegan[text]'") from error
    except RuntimeError as error:  # of a torchvision that was built for another torch
        raise MissingExtra(
            f"open_clip cannot be imported ({_first_line(error)}); install builds of torch and torchvision that fit "
            "each other."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
