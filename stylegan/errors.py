"""Every error that the library raises on purpose.

The message is one sentence that a user can act on: what was expected, what came, and what to do. It names settings,
in backticks, and no flags of the command line. The command line translates them, prints the message without a traceback
and exits with 1. An exception that is not a `StyleGANError` is a bug.
"""


class StyleGANError(Exception):
    """Base class of all errors of the library."""


class ShapeError(StyleGANError, ValueError):
    """Raised for a tensor of the wrong shape or layout."""


class ConfigError(StyleGANError, ValueError):
    """Raised for an invalid setting, seed or label, and for settings that contradict each other."""


class DataError(StyleGANError):
    """Raised for a data set that is missing, empty or damaged, or whose images differ in size or format."""


class CheckpointError(StyleGANError):
    """Raised for a file or folder that is not a checkpoint, or is a damaged one."""


class DownloadError(StyleGANError):
    """Raised for a file that cannot be downloaded, or that is another one than expected."""


class OutputError(StyleGANError, OSError):
    """Raised for a file or folder that cannot be written."""


class DistributedError(StyleGANError):
    """Raised when another process of the run cannot be reached, has died, or holds other values than this one."""


class MissingExtra(StyleGANError, ImportError):
    """Raised when an optional package is needed that is not installed."""


class NonFiniteError(StyleGANError, ArithmeticError):
    """Raised when training has produced NaN or infinity and cannot continue."""
