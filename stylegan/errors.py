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


class PickleError(CheckpointError):
    """Raised for a pickle that is damaged or contains more than the data of a checkpoint. Nothing in it was run.

    Attributes:
        reason: what was expected and what came.
        offset: bytes from the start of the pickle to the refused instruction; None outside an instruction.
        opcode: the name of that instruction, such as "REDUCE"; None outside an instruction.
        name: the class or function that the instruction names, such as "os.system"; None if it names none.
        file: the path of the file; None for data in memory.
    """

    def __init__(
        self, reason: str, *, offset: int | None = None, opcode: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.offset, self.opcode, self.name = reason, offset, opcode, name
        self.file: object = None

    def __str__(self) -> str:
        file = f"{self.file}: " if self.file else ""
        place = f"{self.opcode} at byte {self.offset:,}: " if self.opcode else ""
        return f"{file}{place}{self.reason}; nothing was run."


class DownloadError(StyleGANError):
    """Raised for a file that cannot be downloaded, or that is another one than expected."""


class OutputError(StyleGANError, OSError):
    """Raised for a file or folder that cannot be written."""


class OutOfMemoryError(StyleGANError, MemoryError):
    """Raised when the memory of the device or of the system is too small."""


class DistributedError(StyleGANError):
    """Raised when another process of the run cannot be reached, has died, or holds other values than this one."""


class BusyError(StyleGANError):
    """Raised when the queue of the studio is full, or the studio is shutting down."""


class MissingExtra(StyleGANError, ImportError):
    """Raised when an optional package is needed that is not installed."""


class NonFiniteError(StyleGANError, ArithmeticError):
    """Raised when training has produced NaN or infinity and cannot continue, and for images that hold them."""
