"""`stylegan.networks.minimal` under a short name."""

from stylegan.networks.minimal import Discriminator, Generator, GradientPenalty, MappingNetwork, PathLengthPenalty

__all__ = ["Discriminator", "Generator", "GradientPenalty", "MappingNetwork", "PathLengthPenalty"]
