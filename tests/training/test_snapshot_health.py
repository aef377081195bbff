"""Measurements of a snapshot: the diversity of images, and the scores of images that D never saw."""

import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.training.batches import open_training_set
from stylegan.training.snapshot_health import SnapshotHealth
from stylegan.training.state import create_state


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("images"), count=40)


class KnowsByHeart(torch.nn.Module):
    """Scores training images 2, held-out ones `held_out`, all others -2."""

    def __init__(self, dataset, held_out):
        super().__init__()
        self.train_set, self.held_out_set = (
            {img.numpy().tobytes() for img in d.images(range(len(d)))} for d in (dataset, dataset.held_out)
        )
        self.held_out = held_out

    def forward(self, img, c):
        keys = [x.numpy().tobytes() for x in ((img + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)]
        scores = [2.0 if k in self.train_set else self.held_out if k in self.held_out_set else -2.0 for k in keys]
        return torch.tensor(scores)[:, None]


@pytest.mark.parametrize(("held_out", "gap"), [(2.0, 0.0), (-2.0, 1.0), (0.0, 0.5)])
def test_gap_is_where_held_out_images_are_between_training_and_generated_ones(images, held_out, gap):
    config = tiny_config(images, **{"data.held_out": 8})
    state = create_state(config, torch.device("cpu"))
    dataset = open_training_set(config.data, config.seed)
    state.D = KnowsByHeart(dataset, held_out)
    health = SnapshotHealth(dataset, state.G.z_dim, config.micro_batch)(state)
    assert health["Health/held_out_gap"]["mean"] == pytest.approx(gap)
    assert health["Health/scores/held_out"]["mean"] == pytest.approx(held_out)
    assert 0.3 < health["Health/diversity"]["mean"] < 2


def test_generator_that_draws_one_image_has_no_diversity(images):
    config = tiny_config(images)
    state = create_state(config, torch.device("cpu"))
    for p in state.G_ema.mapping.parameters():
        p.data.zero_()
    dataset = open_training_set(config.data, config.seed)
    health = SnapshotHealth(dataset, state.G.z_dim, config.micro_batch)(state)
    assert health == {"Health/diversity": {"num": 1, "mean": pytest.approx(0, abs=1e-5), "std": 0.0}}


def test_the_discriminator_is_in_evaluation_while_it_is_measured_and_trains_again_afterwards(images):
    config = tiny_config(images, **{"data.held_out": 8})
    state = create_state(config, torch.device("cpu"))
    modes = []
    state.D.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    SnapshotHealth(open_training_set(config.data, config.seed), state.G.z_dim, config.micro_batch)(state)
    assert set(modes) == {False}
    assert state.D.training


@pytest.mark.parametrize(("batch", "group"), [(48, 48), (6, 3), (128, 4), (1, None)])
def test_the_discriminator_gets_whole_batches_whatever_their_size(images, batch, group):
    sizes = {"batch": batch, "micro_batch": batch, "discriminator.mbstd_group_size": group, "data.held_out": 3}
    config = tiny_config(images, **sizes)
    state = create_state(config, torch.device("cpu"))
    seen = []
    state.D.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    health = SnapshotHealth(open_training_set(config.data, config.seed), state.G.z_dim, batch)(state)
    assert set(seen) == {batch}
    assert "Health/scores/held_out" in health
