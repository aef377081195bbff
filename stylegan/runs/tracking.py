"""The record of a run, extended after every tick: statistics, alarms and the page."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from stylegan.runs.alarms import alarms
from stylegan.runs.folder import append_line
from stylegan.runs.info import Shown
from stylegan.runs.page import write_run_page
from stylegan.runs.report import read_stats


class Tracking:
    """The statistics of a run so far, in memory and on disk."""

    def __init__(self, run: Path, info: Shown):
        self.run, self.info = run, info
        path = run / "stats.jsonl"
        self.records: list[dict[str, Any]] = read_stats(run) if path.exists() and path.stat().st_size else []

    def add(self, record: dict[str, Any]) -> None:
        """Append a tick's record, with its alarms, to stats.jsonl; each alarm is a warning too. Raises: OutputError."""
        self.records.append(record)
        raised = alarms(self.records)
        if raised:
            record["alarms"] = raised
        for alarm in raised:
            warnings.warn(alarm, RuntimeWarning, stacklevel=3)
        append_line(self.run / "stats.jsonl", record)  # last: a full disk raises, and the warnings matter more

    def write_page(self, *, finished: bool) -> None:
        """Write index.html. Raises: OutputError."""
        write_run_page(self.run, self.info, self.records, finished=finished)
