"""The scores of a run: lines of metric-NAME.jsonl, and the link to the best snapshot."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylegan.files.atomic import atomic_file
from stylegan.metrics.fid import metric_name, parse_name
from stylegan.metrics.protocol import meaning_of
from stylegan.runs.folder import append_line, drop_lines_after

BEST = "best"  # in the run folder, a link to the snapshot with the best score in the first of the metrics
_PROTOCOL = ("detector", "resize", "fakes", "reals", "data_fingerprint", "seed")  # equal in scores that are comparable


def append_score(run: Path, score: Any, snapshot: Path, nimg: int, seconds: float, gpus: int) -> None:
    """Add a line as the official tools write it, and after it what the score was measured with. Raises: OutputError."""
    measured = asdict(score)
    name, value = measured.pop("name"), measured.pop("value")
    record = {
        "results": {name: value},
        "metric": name,
        "total_time": seconds,
        "total_time_str": f"{seconds // 60:.0f}m {seconds % 60:02.0f}s",
        "num_gpus": gpus,
        "snapshot_pkl": f"snapshots/{snapshot.name}",
        "kimg": nimg / 1000,
        "nimg": nimg,
        "timestamp": time.time(),
        **measured,
    }
    append_line(_file(run, name), record)


def read_scores(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Metric -> its lines; of those that cannot be compared, the kind that there is most of."""
    return {
        path.stem.removeprefix("metric-"): records
        for path in sorted(run.glob("metric-*.jsonl"))
        if (records := _comparable(path))
    }


def drop_scores_after(run: Path, nimg: int, metrics: Sequence[str]) -> None:
    """Remove the scores of snapshots that a resumed run is going to repeat, and the link if it leads to one of them."""
    for path in run.glob("metric-*.jsonl"):
        drop_lines_after(path, nimg)
    link_best(run, metrics)


def link_best(run: Path, metrics: Sequence[str]) -> None:
    """Let `run/best` lead to the snapshot with the best score in the first metric; remove it if none has one."""
    if not metrics:
        return
    records = _comparable(_file(run, metric_name(*parse_name(metrics[0]))))
    there = [record for record in records if _nimg(run / record["snapshot_pkl"]) == record["nimg"]]
    try:
        if not there:
            (run / BEST).unlink(missing_ok=True)
            return
        better = min if meaning_of(metrics[0]).lower_is_better else max
        best = better(there, key=lambda record: record["results"][record["metric"]])
        with atomic_file(run / BEST) as temporary:
            os.symlink(best["snapshot_pkl"], temporary)
    except OSError as error:
        message = f"{run / BEST} cannot be a link to the best snapshot: {error.strerror or error}"
        warnings.warn(f"{message}; see metric-*.jsonl.", RuntimeWarning, stacklevel=2)


def _nimg(snapshot: Path) -> int | None:
    """After how many images it was written: a stop soon after a snapshot takes its place."""
    try:
        return json.loads((snapshot / "config.json").read_text(encoding="utf-8"))["nimg"]
    except (OSError, ValueError, KeyError):
        return None


def _file(run: Path, name: str) -> Path:
    return run / f"metric-{name}.jsonl"


def _comparable(path: Path) -> list[dict[str, Any]]:
    kinds: dict[tuple, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        with suppress(ValueError):  # a line that a crash cut short
            record = json.loads(line)
            kinds.setdefault(tuple(record.get(key) for key in _PROTOCOL), []).append(record)
    return max(kinds.values(), key=len, default=[])
