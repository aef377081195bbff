"""Two processes compute what one would, and stay equal."""

from pathlib import Path

import pytest
import torch
from launch import Launch
from tiny_run import tiny_config

from stylegan.errors import ConfigError
from stylegan.machine.processes import World, join
from stylegan.training import phases
from stylegan.training.config import TrainConfig
from stylegan.training.phases import MicroBatch
from stylegan.training.replicas import micro_batch_size
from stylegan.training.state import create_state

OBJECTIVES = {
    "logistic": {},
    "relativistic": {"objective": "relativistic", "r2_gamma": 2.0},
    "one stage": {"one_stage": True},
    "approximate": {"r2_gamma": 2.0, "penalty": "approximate"},
}


class Kept:
    """Replaces an optimizer: keeps the gradients that it is given."""

    def __init__(self, network: torch.nn.Module):
        self.network = network

    def step(self) -> None:
        self.grads = [p.grad for p in self.network.parameters() if p.grad is not None]

    def zero_grad(self, set_to_none: bool) -> None:
        for p in self.network.parameters():
            p.grad = None


def averaged_gradients(config: TrainConfig, world: World, parts: list[int]) -> dict[str, list[torch.Tensor]]:
    """Return the gradients of each phase, from the parts of a batch of 16 that this process computes.

    Images, latents, noise and mixing of a part are functions of its number.
    """
    state = create_state(config, torch.device("cpu"))
    state.world = world
    img = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    grads = {}
    for phase in phases.due_phases(state, config):
        players = tuple(player._replace(optimizer=Kept(player.network)) for player in phase.players)
        phase = phase._replace(players=players)
        for player in players:
            player.network.requires_grad_(True)
        for part in parts:
            torch.manual_seed(part)
            batch = MicroBatch(img[part * 8 : part * 8 + 8], torch.zeros(8, 0), torch.zeros(8, 0))
            for loss in phase.losses:
                loss(state, config, batch)
        for player in players:
            player.network.requires_grad_(False)
        phases.apply_gradients(state, config, phase, len(parts))
        grads[phase.name] = [grad for player in players for grad in player.optimizer.grads]
    grads["running means"] = [m.clone() for m in state.running_means()]
    return grads


def save_gradients(rank: int, config: TrainConfig, folder: Path) -> None:
    with join() as world:
        torch.save(averaged_gradients(config, world, [rank]), folder / f"{rank}.pt")


@pytest.mark.parametrize("changes", OBJECTIVES.values(), ids=OBJECTIVES)
def test_two_processes_give_the_gradients_of_one(tmp_path, changes):
    """2 ranks x batch 8 against 1 rank x batch 16, which computes it in two halves as well: minibatch statistics and
    style mixing act on what is computed at once."""
    config = tiny_config(Path("unused"), batch=16, micro_batch=8, pl_decay=0.5, **changes)
    launch = Launch(2, tmp_path, save_gradients, config, tmp_path)
    expected = averaged_gradients(config, World(), [0, 1])
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for name in expected.keys() - {"running means"}:
        assert len(first[name]) == len(expected[name]) > 0
        largest = max(g.abs().max() for g in expected[name])
        error = max((a - b).abs().max() for a, b in zip(first[name], expected[name], strict=True))
        print(f"{name}: largest gradient {largest:.3g}, largest difference {error:.3g}")
        assert error <= 1e-6 * max(largest, 1)
    for name in first:
        assert all(torch.equal(a, b) for a, b in zip(first[name], second[name], strict=True)), name
    torch.testing.assert_close(first["running means"][0], expected["running means"][0], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("processes", "size"), [(1, 8), (2, 8), (4, 4)])
def test_micro_batches_shrink_to_the_share_of_a_process(processes, size):
    assert micro_batch_size(tiny_config(Path("unused"), batch=16, micro_batch=8), processes) == size


@pytest.mark.parametrize("processes", [3, 32])
def test_a_batch_that_cannot_be_shared_is_refused(processes):
    with pytest.raises(
        ConfigError, match=f"`batch` 16 cannot be split over {processes} processes .*; change `micro_batch` or"
    ):
        micro_batch_size(tiny_config(Path("unused"), batch=16, micro_batch=8), processes)
