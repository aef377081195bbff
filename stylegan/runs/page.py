"""The page of a run, `index.html` in its folder: images and curves so far, which a browser opens without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from stylegan.files.atomic import write_text
from stylegan.runs.charts import draw_charts
from stylegan.runs.folder import grids_by_kimg
from stylegan.runs.info import Shown
from stylegan.runs.scores import read_scores

RELOAD_S = 30  # after which an open page reloads itself
MIN_SHEET_PX = 960  # smaller grids are enlarged without smoothing


def write_run_page(run: Path, info: Shown, records: Sequence[dict[str, Any]], *, finished: bool) -> None:
    """Write the page from the statistics so far and the grids in the folder, whole or not at all.

    It loads nothing from outside the folder, and an open page reloads itself until the run has finished.

    Args:
        records: the lines of stats.jsonl, at least one.
    Raises: OutputError.
    """
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    last = records[-1]
    kimg = last["nimg"] / 1000
    grids = sorted(grids_by_kimg(run).items())
    moments = [("before training" if at < 0 else f"{at:.9g} kimg", path.name) for at, path in grids]
    page = template.substitute(
        name=escape(run.resolve().name),
        state="Finished" if finished else "Training",
        kimg=f"{kimg:,.1f}",
        total=f"{info.kimg:,g}",
        percent=f"{min(100 * kimg / info.kimg, 100):.1f}",
        speed=f"{1000 / max(last['Timing/sec_per_kimg']['mean'], 1e-9):,.0f}",
        settings=escape(info.summary),
        updated=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last["timestamp"])),
        notes="".join(f'<p class="note">{escape(note)}</p>' for note in _notes(last)),
        charts=draw_charts(records, read_scores(run)),
        newest=escape(moments[-1][1]) if moments else "",
        newest_label=moments[-1][0] if moments else "",
        last_moment=max(len(moments) - 1, 0),
        moments=json.dumps(moments).replace("<", "\\u003c"),
        sheet=MIN_SHEET_PX,
        reload_ms=0 if finished else RELOAD_S * 1000,
    )
    write_text(run / "index.html", page)


def _notes(record: dict[str, Any]) -> list[str]:
    """The alarms of a tick, and the gradients with values that were replaced, as sentences."""
    replaced = ", ".join(f"{name} ({n})" for name, n in record.get("nonfinite", {}).items())
    notes = [f"Not finite and replaced in gradients: {replaced}."] if replaced else []
    return [note[0].upper() + note[1:] for note in record.get("alarms", [])] + notes
