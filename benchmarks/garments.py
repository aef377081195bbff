"""A small classifier of the ten garments of Fashion-MNIST, which counts the modes of stacked images (modes.py).

python benchmarks/garments.py --data fashion32.zip --test fashion32_test.zip --dest out/garments
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stylegan.data import open_dataset
from stylegan.data.dataset import Dataset
from stylegan.images.pixels import to_float

CLASSES = 10
BATCH = 100
FILE = "garments.safetensors"


class GarmentClassifier(nn.Module):
    """Three convolutions with pooling and one linear layer: [N, 1, 32, 32] in [-1, 1] -> logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv1 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.out = nn.Linear(64 * 4 * 4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv0, self.conv1, self.conv2):
            x = F.max_pool2d(conv(x), 2).relu()
        return self.out(x.flatten(1))


def trained(dataset: Dataset, *, epochs: int = 3, seed: int = 0) -> GarmentClassifier:
    """Train on gray images with class labels: cross-entropy, Adam, a learning rate of one cycle up to 0.004."""
    torch.manual_seed(seed)
    classifier = GarmentClassifier()
    optimizer = torch.optim.Adam(classifier.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.004, total_steps=epochs * -(-len(dataset) // BATCH)
    )
    for _ in range(epochs):
        for indices in torch.randperm(len(dataset)).split(BATCH):
            logits = classifier(to_float(dataset.images(indices)))
            F.cross_entropy(logits, dataset.labels(indices)).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return classifier.eval().requires_grad_(False)


@torch.inference_mode()
def garments(classifier: GarmentClassifier, images: Tensor) -> Tensor:
    """Return the class of every channel: uint8 [N, C, 32, 32] -> int64 [N, C]."""
    n, channels = images.shape[:2]
    return classifier(to_float(images).reshape(n * channels, 1, *images.shape[2:])).argmax(1).reshape(n, channels)


def accuracy(classifier: GarmentClassifier, dataset: Dataset) -> float:
    """Return the share of images of a gray data set that are classified as labeled."""
    right = 0
    for indices in torch.arange(len(dataset)).split(1000):
        right += int((garments(classifier, dataset.images(indices))[:, 0] == dataset.labels(indices).argmax(1)).sum())
    return right / len(dataset)


def load_classifier(folder: Path) -> GarmentClassifier:
    """Return the classifier that this script wrote into `folder`."""
    classifier = GarmentClassifier()
    classifier.load_state_dict(load_file(folder / FILE))
    return classifier.eval().requires_grad_(False)


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Gray images with classes.")
@click.option("--test", type=click.Path(exists=True, path_type=Path), required=True, help="Others, to be scored by.")
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="The folder to write the weights into.")
@click.option("--epochs", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(data: Path, test: Path, dest: Path, epochs: int, seed: int, threads: int) -> None:
    torch.set_num_threads(threads)
    classifier = trained(open_dataset(data, use_labels=True), epochs=epochs, seed=seed)
    dest.mkdir(parents=True, exist_ok=True)
    save_file(classifier.state_dict(), dest / FILE)
    share = accuracy(classifier, open_dataset(test, use_labels=True))
    click.echo(f"Classified {share:.2%} of {test} as labeled; wrote {dest / FILE}.")


if __name__ == "__main__":
    main()
