"""Run the command line in this process, and capture its output and exit code."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from stylegan.cli.main import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


def run_cli(*arguments: object) -> Result:
    """Return the exit code, standard output and standard error of `stylegan ARGUMENTS`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["stylegan", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit:
            code = exit.code
    return Result(code or 0, out.getvalue(), err.getvalue())


def run(*arguments: object) -> str:
    """Return the standard output of `stylegan ARGUMENTS`, which must succeed."""
    result = run_cli(*arguments)
    assert result.code == 0, result.err
    return result.out
