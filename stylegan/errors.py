"""Every error that this library raises on purpose.

The message is one sentence that a user can act on: what was expected, what came, what to do. The command
line prints it without a traceback and exits with 1; anything that is not a `StyleGANError` is a bug.
"""


class StyleGANError(Exception):
    """Base of the tree: catch this to catch them all."""


class ShapeError(StyleGANError, ValueError):
    """A tensor of the wrong shape or layout."""


class ConfigError(StyleGANError, ValueError):
    """A setting, seed list or combination of settings that makes no sense."""


class DataError(StyleGANError):
    """A data set that is missing, empty, mixed or damaged."""


class CheckpointError(StyleGANError):
    """A file or folder that is not a checkpoint, or is a damaged one."""


class OutputError(StyleGANError, OSError):
    """A place that cannot be written."""


class DistributedError(StyleGANError):
    """Another process of the same run that is lost, or that computes something else."""


class MissingExtra(StyleGANError, ImportError):
    """An optional package that is not installed."""


class NonFiniteError(StyleGANError, ArithmeticError):
    """Training that met NaN or infinity and may not go on."""
