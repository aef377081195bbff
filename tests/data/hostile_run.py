"""A process of its own that prepares sources, so that its memory can be measured: SOURCE ... -> JSON on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stylegan.data import prepare
from stylegan.errors import StyleGANError


def peak_mb() -> float:
    """Peak resident memory of this process; getrusage would count that of the parent before exec as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def outcome(source: Path, dest: Path) -> dict[str, object]:
    try:
        report = prepare(source, dest, resolution=16, transform="center-crop")
    except StyleGANError as error:
        return {"used": 0, "left_out": [], "error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # a bug, reported as such
        return {"used": 0, "left_out": [], "error": f"unexpected {type(error).__name__}: {error}"}
    return {"used": report.used, "left_out": report.left_out, "error": None}


if __name__ == "__main__":
    outcomes = {}
    for source in map(Path, sys.argv[1:]):
        outcomes[source.name] = outcome(source, Path("out") / f"{source.name}.made.zip") | {"peak_mb": peak_mb()}
    json.dump(outcomes, sys.stdout)
