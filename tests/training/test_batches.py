"""Images and labels of each step, on a data set whose pixels hold the index, the label and the mirroring."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import tiny_config

from stylegan.data import Dataset, prepare
from stylegan.images.pixels import to_float
from stylegan.machine.processes import World
from stylegan.training.assemble import Images, from_preset
from stylegan.training.batches import Batches, open_training_set
from stylegan.training.config import TrainConfig
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import TrainingState, create_state

CLASSES = np.random.RandomState(0).permutation([0] * 4 + [1] * 8 + [2] * 20)  # of image 0, 1, 2, ...: unequal shares
COUNT = len(CLASSES)


def pixels(index: int) -> np.ndarray:
    """Image `index`, uint8 [16, 16, 3]: red is the index, green the class, blue is bright in the left half."""
    img = np.zeros([16, 16, 3], np.uint8)
    img[..., 0], img[..., 1], img[:, :8, 2] = 4 * index, 50 * CLASSES[index], 255
    return img


def read(img: torch.Tensor) -> list[tuple[int, int, bool]]:
    """(index, class, mirrored) of each of the images [N, 3, 16, 16] in [-1, 1]."""
    red, green, left = ((img[:, i, 0, 0] + 1) * 127.5 for i in range(3))
    return [(round(r / 4), round(g / 50), b < 128) for r, g, b in torch.stack([red, green, left], 1).tolist()]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["folder", "shards"])
def coded(request, tmp_path) -> Path:
    for index in range(COUNT):
        path = tmp_path / f"coded/{index:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(index)).save(path)
    labels = [[f"{index:02d}.png", int(label)] for index, label in enumerate(CLASSES)]
    (tmp_path / "coded/dataset.json").write_text(json.dumps({"labels": labels}))
    if request.param == "folder":
        return tmp_path / "coded"
    prepare(tmp_path / "coded", tmp_path / "shards", shards=5)
    return tmp_path / "shards"


def begin(data: Path, world: World | None = None, **changes):
    config = tiny_config(data, label_dim=3, **{"data.labels": True, **changes})
    state = create_state(config, torch.device("cpu"))
    state.world = world or World()
    return config, state, open_training_set(config.data, config.seed)


def next_micro_batches(config: TrainConfig, state: TrainingState, dataset: Dataset) -> list[MicroBatch]:
    """Return the batch of a step, without reading ahead."""
    return Batches(config, dataset, state.world, end=0).next(config, state)


def epoch(data: Path, **changes) -> list:
    """The micro-batches of the steps in which every image comes once."""
    config, state, dataset = begin(data, **changes)
    batches = []
    while state.nimg < len(dataset):
        batches += next_micro_batches(config, state, dataset)
        state.nimg += config.batch
    return batches


def test_every_real_image_comes_once_an_epoch_with_its_own_label(coded):
    batches = epoch(coded, micro_batch=4)
    assert {len(batch.real_img) for batch in batches} == {4}
    seen = [image for batch in batches for image in read(batch.real_img)]
    assert sorted(seen) == [(i, CLASSES[i], False) for i in range(COUNT)]
    assert [index for index, *_ in seen] != list(range(COUNT))
    labels = torch.cat([batch.real_c for batch in batches])
    assert torch.equal(labels, torch.eye(3)[[label for _, label, _ in seen]])


def test_with_mirror_every_image_comes_as_it_is_and_flipped_both_with_its_label(coded):
    batches = epoch(coded, **{"data.mirror": True})
    seen = [image for batch in batches for image in read(batch.real_img)]
    assert sorted(seen) == [(i, CLASSES[i], mirrored) for i in range(COUNT) for mirrored in (False, True)]
    assert torch.cat([batch.real_c for batch in batches]).argmax(1).tolist() == [label for _, label, _ in seen]


@pytest.mark.parametrize(("balanced", "shares"), [(False, [4 / 32, 8 / 32, 20 / 32]), (True, [1 / 3] * 3)])
def test_labels_of_generated_images_are_distributed_like_the_real_ones_and_drawn_apart(coded, balanced, shares):
    config, state, dataset = begin(coded, **{"data.balanced": balanced})
    real, fake = [], []
    for state.nimg in range(0, 8 * 100, 8):
        (batch,) = next_micro_batches(config, state, dataset)
        assert [label for _, label, _ in read(batch.real_img)] == batch.real_c.argmax(1).tolist()
        real += batch.real_c.argmax(1).tolist()
        fake += batch.fake_c.argmax(1).tolist()
    n = len(fake)
    for label, share in enumerate(shares):
        assert abs(fake.count(label) / n - share) < 4 * (share * (1 - share) / n) ** 0.5
        assert abs(real.count(label) / n - share) < 0.02
    by_chance = sum(share**2 for share in shares)
    equal = sum(a == b for a, b in zip(real, fake, strict=True)) / n
    assert abs(equal - by_chance) < 4 * (by_chance * (1 - by_chance) / n) ** 0.5
    steps = range(0, n, 8)
    assert any(Counter(real[i : i + 8]) != Counter(fake[i : i + 8]) for i in steps)  # nor the real ones shuffled


@pytest.mark.parametrize("coded", ["folder"], indirect=True)  # of shards, every process has its own
def test_processes_share_a_batch_without_a_gap_or_an_overlap(coded):
    seen = []
    for rank in range(2):
        config, state, dataset = begin(coded, World(rank=rank, size=2))
        for state.nimg in range(0, COUNT, config.batch):
            (batch,) = next_micro_batches(config, state, dataset)
            assert len(batch.real_img) == config.batch // 2
            assert batch.real_c.argmax(1).tolist() == [label for _, label, _ in read(batch.real_img)]
            seen += [index for index, *_ in read(batch.real_img)]
    assert sorted(seen) == list(range(COUNT))


def judged(state: TrainingState, config, batches) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The images and labels that D gets in a step."""
    inputs = []
    handle = state.D.register_forward_pre_hook(
        lambda module, args: inputs.append((args[0].detach().clone(), args[1].clone()))
    )
    train_step(state, config, batches)
    handle.remove()
    return inputs


@pytest.mark.parametrize("mirror", [False, True])
def test_discriminator_judges_real_images_with_their_own_labels_and_generated_ones_with_those_they_were_drawn_with(
    coded, mirror
):
    config, state, dataset = begin(coded, **{"data.mirror": mirror})
    drawn = []
    state.G.mapping.register_forward_pre_hook(lambda module, args: drawn.append(args[1].clone()))
    batches = next_micro_batches(config, state, dataset)
    known = {to_float(dataset.image(i)).numpy().tobytes() for i in range(len(dataset))}
    reals = 0
    for img, c in judged(state, config, batches):
        real = [x.contiguous().numpy().tobytes() in known for x in img]
        assert len(set(real)) == 1
        if real[0]:
            reals += 1
            assert c.argmax(1).tolist() == [label for _, label, _ in read(img)]
        else:
            assert torch.equal(c, batches[0].fake_c)
    assert reals == 2  # in the main step and for R1
    assert not torch.equal(batches[0].real_c, batches[0].fake_c)
    assert all(torch.equal(c, batches[0].fake_c[: len(c)]) for c in drawn)


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_real_images_have_the_level_of_detail_of_the_growing_networks(tmp_path, lod):
    Image.fromarray(np.random.RandomState(0).randint(0, 256, [16, 16, 3], dtype=np.uint8)).save(tmp_path / "0.png")
    config = from_preset("progan-tiny16", Images(tmp_path, 16), {"device": "cpu"})
    state = create_state(config, torch.device("cpu"))
    state.lod = lod
    dataset = open_training_set(config.data, config.seed)
    (batch, *_) = next_micro_batches(config, state, dataset)
    full = dataset.image(0).double() / 127.5 - 1

    def reduced(level: int) -> torch.Tensor:
        """Every box of 2**level pixels replaced by its mean."""
        side, n = 2**level, 16 // 2**level
        means = full.view(3, n, side, n, side).mean((2, 4))
        return means.repeat_interleave(side, 1).repeat_interleave(side, 2)

    level, share = int(lod), lod % 1
    expected = reduced(level) * (1 - share) + reduced(level + 1) * share
    torch.testing.assert_close(batch.real_img[0].double(), expected, rtol=0, atol=1e-6)
