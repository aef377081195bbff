"""The sheet of an encoder at a snapshot: the same inputs every time, the images that belong to them, and its images."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float, to_uint8
from stylegan.images.png import save_png
from stylegan.inversion.encoder import Encoder, encode
from stylegan.inversion.tasks import Task
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.training.encoder.batches import EncoderData, own_ws, positions
from stylegan.training.encoder.config import EncoderConfig
from stylegan.training.seeding import seed_torch

COLUMNS = 8
_SHEET = 3  # key of its random numbers


class Sheet:
    """Rows of inputs, of the images that belong to them, and of the images that the encoder finds.

    From the data set if there is one, else from the network. Seeds torch's global generator.
    """

    @torch.no_grad()
    def __init__(self, G: FamilyGenerator, task: Task, config: EncoderConfig, data: EncoderData | None):
        seed_torch(config.seed, _SHEET)
        if data is None:
            plain = config.model_copy(update={"mixing_prob": 0.0})
            self.images = G.synthesis(own_ws(G, plain, COLUMNS), noise_mode="const")
        else:
            chosen = positions(data.images, COLUMNS)
            self.images = to_float(data.images.images(chosen).to(device_of(G)))
        if data is not None and data.inputs is not None:
            self.inputs = task.of_files(data.inputs.images(chosen).to(device_of(G)), G.img_resolution)
        else:
            self.inputs = task.of_images(self.images)

    def write(self, file: Path, G: FamilyGenerator, encoder: Encoder) -> Path:
        """Draw the sheet into a PNG."""
        with torch.no_grad():
            found = G.synthesis(encode(G, encoder, self.inputs), noise_mode="const")
        rows = [shown(self.inputs, G.img_channels), self.images, found]
        cells = to_uint8(torch.cat(rows)).cpu()
        save_png(make_grid(cells, COLUMNS, len(rows)), file)
        return file


def shown(inputs: Tensor, img_channels: int) -> Tensor:
    """Return inputs [N, channels, R, R] as images of `img_channels`: one-hot classes as gray levels, without masks."""
    channels = inputs.shape[1]
    if channels == img_channels + 1:
        return inputs[:, :-1]
    if channels not in (1, img_channels):
        inputs = inputs.argmax(1, keepdim=True) * (2 / max(channels - 1, 1)) - 1
    return inputs.expand(-1, img_channels, -1, -1)
