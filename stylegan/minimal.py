"""The five modules of the minimal StyleGAN2, under a short name; see `stylegan.networks.minimal`."""

from stylegan.networks.minimal import Discriminator, Generator, GradientPenalty, MappingNetwork, PathLengthPenalty

__all__ = ["Discriminator", "Generator", "GradientPenalty", "MappingNetwork", "PathLengthPenalty"]
