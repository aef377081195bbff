"""StyleGAN2 and 3 as state dicts in the names of the official PyTorch releases, which are those of this library."""

from __future__ import annotations

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.layout import CONFIG
from stylegan.checkpoints.native import contents
from stylegan.checkpoints.portable import Account, Portable
from stylegan.errors import CheckpointError
from stylegan.networks import stylegan2, stylegan3
from stylegan.networks.family import architecture_of

SETTINGS = "config"  # beside the networks: the text of the config.json of a native checkpoint
_GENERATORS = (stylegan2.GeneratorSettings, stylegan3.GeneratorSettings)


def to_official(checkpoint: Checkpoint) -> Portable:
    """Return G_ema, G and D as state dicts for `load_state_dict` of the official classes.

    A discriminator without an official class is left out.

    Raises: CheckpointError for a generator without an official PyTorch class.
    """
    generator = checkpoint.G_ema or checkpoint.G
    if generator is None or not isinstance(generator.settings, _GENERATORS):
        kind = "a discriminator alone" if generator is None else architecture_of(generator)
        raise CheckpointError(
            f"the official PyTorch releases have the generators of stylegan2 and stylegan3, got {kind}; write a native "
            "folder."
        )
    networks, left_out = checkpoint.networks, {}
    if "D" in networks and not isinstance(networks["D"].settings, stylegan2.DiscriminatorSettings):
        del networks["D"]
        left_out["D"] = "the official PyTorch releases have no such discriminator"
    return Portable(
        networks={name: network.state_dict() for name, network in networks.items()},
        others={SETTINGS: contents(checkpoint).texts[CONFIG]},
        accounts={name: Account(kept=list(network.state_dict())) for name, network in networks.items()},
        left_out=left_out,
    )
