"""Processes that train one network: each holds a copy of the state, and all copies stay equal bit for bit.

All start with the weights of rank 0, and every step changes them by the same averaged gradients.
"""

from __future__ import annotations

from torch import Tensor

from stylegan.errors import ConfigError, DistributedError
from stylegan.files.digest import digest
from stylegan.training.config import TrainConfig
from stylegan.training.growing import stage_configs
from stylegan.training.state import TrainingState


def micro_batch_size(config: TrainConfig, processes: int) -> int:
    """Return the images that each of `processes` computes at once: at most `config.micro_batch` and its share.

    Raises: ConfigError if the batch cannot be split evenly.
    """
    share, rest = divmod(config.batch, processes)
    size = min(config.micro_batch, share)
    group = config.group_size
    if rest or share % size or (group and size % min(group, size)):
        raise ConfigError(
            f"`batch` {config.batch} cannot be split over {processes} processes into equal micro-batches of at most "
            f"{config.micro_batch}, each a multiple of `mbstd_group_size` {group}; change `micro_batch` or the "
            "number of processes, or start a new run with another `batch`."
        )
    return size


def require_even_split(config: TrainConfig, processes: int) -> None:
    """Raise ConfigError unless `processes` can share the batch of every stage of the run."""
    for resolution, step in stage_configs(config).items():
        try:
            micro_batch_size(step, processes)
        except ConfigError as error:
            if step.batch == config.batch:
                raise
            raise ConfigError(f"`growing.batch` at {resolution} px: {error}") from error


def share_weights(state: TrainingState) -> None:
    """Give the weights of rank 0 to all processes, and check that the rest is equal too. Raises: DistributedError."""
    for network in (state.G, state.D, state.G_ema):
        state.world.broadcast_(list(network.state_dict().values()))
    check_equal(state)


def check_equal(state: TrainingState) -> None:
    """Raise DistributedError, with the rank and what differs, unless all processes hold the state of rank 0."""
    if state.world.size == 1:
        return
    digests = {name: digest(tensors) for name, tensors in _parts(state).items()}
    first, *others = state.world.gather({"number of images": state.nimg, **digests})
    for rank, other in enumerate(others, 1):
        for name in first:
            if other[name] != first[name]:
                raise DistributedError(
                    f"the {name} of rank {rank} differs from that of rank 0 after {state.nimg / 1000:g} kimg: its "
                    "machine, software or snapshot is another one. Resume from the newest snapshot."
                )


def _parts(state: TrainingState) -> dict[str, list[Tensor]]:
    """Return all tensors that training changes, in named groups."""
    augment = [state.augment_p] if state.augment_p is not None else []
    return {
        "generator": list(state.G.state_dict().values()),
        "discriminator": list(state.D.state_dict().values()),
        "averaged generator": list(state.G_ema.state_dict().values()),
        "optimizer": [
            value for opt in (state.G_opt, state.D_opt) for moments in opt.state.values() for value in moments.values()
        ],
        "running mean": [*state.running_means(), *augment],
    }
