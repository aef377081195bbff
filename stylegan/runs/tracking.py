"""What a run leaves for its reader after every tick: lines of statistics, alarms, and the page."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from stylegan.runs.alarms import alarms
from stylegan.runs.folder import append_line
from stylegan.runs.info import RunInfo
from stylegan.runs.page import write_run_page
from stylegan.runs.report import read_stats


class Tracking:
    """The statistics of a run so far, in memory and on the disk."""

    def __init__(self, run: Path, info: RunInfo):
        self.run, self.info = run, info
        path = run / "stats.jsonl"
        self.records: list[dict[str, Any]] = read_stats(run) if path.exists() and path.stat().st_size else []

    def add(self, record: dict[str, Any]) -> None:
        """Append a tick's record to stats.jsonl with the alarms that it gives, and warn of these."""
        self.records.append(record)
        worries = alarms(self.records)
        if worries:
            record["alarms"] = worries
        for worry in worries:
            warnings.warn(worry, RuntimeWarning, stacklevel=3)
        append_line(self.run / "stats.jsonl", record)  # last: a full disk raises, and the warnings matter more

    def write_page(self, *, finished: bool) -> None:
        """Show the run in its index.html."""
        write_run_page(self.run, self.info, self.records, finished=finished)
