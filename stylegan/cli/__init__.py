"""The command line: one verb a file. Each parses its options, calls the library and prints the result."""

from stylegan.cli.main import main

__all__ = ["main"]
