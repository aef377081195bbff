"""Several processes train one network: each holds a copy of everything, and all copies stay equal bit for bit.

All begin with the weights of rank 0, and every step changes them by the same averaged gradients.
"""

from __future__ import annotations

from torch import Tensor

from stylegan.errors import ConfigError, DistributedError
from stylegan.files.digest import digest
from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState


def micro_batch_size(config: TrainConfig, processes: int) -> int:
    """Images that each of `processes` computes at once: its share of the batch, at most `config.micro_batch`.

    Raises: ConfigError if the batch cannot be split evenly.
    """
    share, rest = divmod(config.batch, processes)
    size = min(config.micro_batch, share)
    group = config.discriminator.get("mbstd_group_size", 4)
    if rest or share % size or (group and size % min(group, size)):
        raise ConfigError(
            f"batch {config.batch} cannot be split over {processes} processes into equal micro-batches of at most "
            f"{config.micro_batch}, each a multiple of mbstd_group_size {group}; change `batch`, `micro_batch` "
            "or the number of processes."
        )
    return size


def share_weights(state: TrainingState) -> None:
    """Give the weights of rank 0 to all, and check that the rest is equal too. Raises: DistributedError."""
    for network in (state.G, state.D, state.G_ema):
        state.world.broadcast_(list(network.state_dict().values()))
    check_equal(state)


def check_equal(state: TrainingState) -> None:
    """Raises DistributedError, with the rank and what differs, unless all processes hold the state of rank 0."""
    if state.world.size == 1:
        return
    mine = {name: digest(tensors) for name, tensors in _parts(state).items()}
    first, *others = state.world.gather({"number of images": state.nimg, **mine})
    for rank, other in enumerate(others, 1):
        for name in first:
            if other[name] != first[name]:
                raise DistributedError(
                    f"rank {rank} has another {name} than rank 0 after {state.nimg / 1000:g} kimg; its machine, its "
                    "software or its snapshot is not that of the others. Go on from the newest snapshot."
                )


def _parts(state: TrainingState) -> dict[str, list[Tensor]]:
    """All tensors that training changes, by the word for them."""
    augment = [state.augment.p] if state.augment is not None else []
    return {
        "generator": list(state.G.state_dict().values()),
        "discriminator": list(state.D.state_dict().values()),
        "averaged generator": list(state.G_ema.state_dict().values()),
        "optimizer": [
            value for opt in (state.G_opt, state.D_opt) for moments in opt.state.values() for value in moments.values()
        ],
        "running mean": [*state.running_means(), *augment],
    }
