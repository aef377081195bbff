"""The scores of a run: lines of metric-NAME.jsonl, and the link to the best snapshot."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stylegan.checkpoints.snapshots import nimg_of
from stylegan.files.atomic import atomic_file
from stylegan.files.warn_once import warn_once
from stylegan.metrics.protocol import COMPARABLE, Score
from stylegan.metrics.registry import meaning_of, parse
from stylegan.runs.folder import append_line, drop_lines_after

BEST = "best"  # in the run folder, a link to the snapshot with the best score in the first of the metrics


def append_score(run: Path, score: Score, snapshot: Path, nimg: int, seconds: float, gpus: int) -> None:
    """Add a line to metric-NAME.jsonl: what the official tools write, then what the score was measured with.

    Args:
        snapshot: its folder in the run, and `nimg` the images that its D had been shown.
        seconds: that measuring took, and `gpus` the number of GPUs that it took.
    Raises: OutputError.
    """
    record = {
        "results": {score.name: score.value},
        "metric": score.name,
        "total_time": seconds,
        "total_time_str": f"{seconds // 60:.0f}m {seconds % 60:02.0f}s",
        "num_gpus": gpus,
        "snapshot_pkl": f"snapshots/{snapshot.name}",
        "kimg": nimg / 1000,
        "nimg": nimg,
        "timestamp": time.time(),
        **score.protocol(),
    }
    append_line(_file(run, score.name), record)


def read_scores(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Read metric -> its lines. Of lines that cannot be compared with each other, the largest group is returned."""
    return {
        path.stem.removeprefix("metric-"): records
        for path in sorted(run.glob("metric-*.jsonl"))
        if (records := _comparable(path))
    }


def drop_scores_after(run: Path, nimg: int, metrics: Sequence[str]) -> None:
    """Remove the scores of the snapshots that a resumed run is going to repeat, and link the best of the others."""
    for path in run.glob("metric-*.jsonl"):
        drop_lines_after(path, nimg)
    link_best(run, metrics)


def link_best(run: Path, metrics: Sequence[str]) -> None:
    """Make `run/best` a link to the snapshot with the best score in the first metric; remove it if none has a score."""
    if not metrics:
        return
    metric = parse(metrics[0]).name
    # Another snapshot may have taken the name of the one that was scored.
    scored = [r for r in _comparable(_file(run, metric)) if nimg_of(run / r["snapshot_pkl"]) == r["nimg"]]
    try:
        if not scored:
            (run / BEST).unlink(missing_ok=True)
            return
        better = min if meaning_of(metric).lower_is_better else max
        best = better(scored, key=lambda record: record["results"][metric])
        with atomic_file(run / BEST) as temporary:
            os.symlink(best["snapshot_pkl"], temporary)
    except (OSError, AttributeError) as error:  # AttributeError: a system without links
        cause = error.__cause__ or error
        message = f"{run / BEST} cannot be a link to the best snapshot: {getattr(cause, 'strerror', None) or cause}"
        warn_once(f"{message}; see metric-*.jsonl.")


def _file(run: Path, name: str) -> Path:
    return run / f"metric-{name}.jsonl"


def _comparable(path: Path) -> list[dict[str, Any]]:
    """The largest group of lines that were measured alike."""
    kinds: dict[tuple, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        with suppress(ValueError):  # a line that a crash cut short
            record = json.loads(line)
            kinds.setdefault(tuple(record.get(key) for key in COMPARABLE), []).append(record)
    return max(kinds.values(), key=len, default=[])
