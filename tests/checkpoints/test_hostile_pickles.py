"""Hostile, damaged and mutated files: each is refused or loads as data, quickly, and nothing in it is run.

`hostile_pickles.py` makes the files, `hostile_child.py` opens them in a process of its own.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile_child import outcome
from hostile_pickles import Case, hostile

from stylegan.checkpoints import pickle_guards as guards

HERE = Path(__file__).parent
GUARDS = [
    name
    for name, value in vars(guards).items()
    if inspect.isfunction(value) and value.__module__ == guards.__name__ and not name.startswith("_")
]
SECONDS, MEGABYTES = 1.0, 200


def child(mode: str, folder: Path) -> dict[str, Any]:
    """Return the result of the other process, which has few environment variables."""
    paths = os.pathsep.join(map(str, (HERE, HERE.parent, HERE.parents[1])))
    result = subprocess.run(
        [sys.executable, str(HERE / "hostile_child.py"), mode],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        start_new_session=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def corpus() -> list[Case]:
    return hostile()


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("opened")
    result = child("ours", folder)
    assert list(folder.iterdir()) == []  # nothing was written
    return result


def test_the_corpus_is_large_and_its_files_have_names_of_their_own(corpus, opened, capsys):
    names = [case.name for case in corpus]
    assert len(names) == len(set(names))
    refused = sum(kind == "refused" for _, kind, _, _ in opened["results"])
    with capsys.disabled():
        print(
            f"\n{len(corpus)} hostile files, {len(opened['results'])} with the truncated and mutated ones: "
            f"{refused} refused, {len(opened['results']) - refused} loaded, "
            f"{sum(result[3] for result in opened['results']):.1f} s, "
            f"{opened['mb']:.0f} MB, {len(opened['events'])} events, {len(GUARDS)} guards"
        )
    assert len(corpus) >= 900
    assert refused >= 1900


def test_each_hostile_file_is_refused_by_its_guard_or_is_plain_data(corpus, opened):
    found = {name: (kind, detail) for name, kind, detail, _ in opened["results"]}
    wrong = {
        case.name: found[case.name]
        for case in corpus
        if found[case.name][0] != ("loaded" if case.guard is None else "refused")
        or found[case.name][1] != (case.guard or "") != "any"
    }
    assert wrong == {}


def test_every_truncated_file_is_refused(opened):
    found = [kind for name, kind, _, _ in opened["results"] if name.split(" ")[1:3] == ["bytes", "of"]]
    assert found == ["refused"] * 200


def test_every_mutated_file_is_refused_or_loads(opened):
    found = [(name, kind, detail) for name, kind, detail, _ in opened["results"] if name.startswith("mutation ")]
    assert len(found) == 1000
    assert [result for result in found if result[1] not in ("refused", "loaded")] == []


def test_no_file_takes_long_or_much_memory(opened):
    assert [(name, seconds) for name, _, _, seconds in opened["results"] if seconds > SECONDS] == []
    assert opened["mb"] < MEGABYTES


def test_no_file_imports_runs_connects_or_writes_anything(opened):
    assert opened["events"] == []
    assert opened["modules"] == []
    assert [event for _, event, _ in opened["control"]] == ["compile"]  # the hook notices what was done on purpose


def test_the_live_files_run_code_under_stock_pickle(corpus, tmp_path):
    """The corpus is real: what our reader refuses would have touched a file."""
    touched = child("stock", tmp_path)
    assert list(touched) == [case.name for case in corpus if case.live]
    assert [name for name, live in touched.items() if not live] == []
    assert len(touched) >= 100


def test_each_guard_left_out_is_noticed(corpus, monkeypatch, capsys):
    alone = []
    for name in GUARDS:
        files = [case for case in corpus if case.guard == name]
        assert files, name
        with monkeypatch.context() as patch:
            patch.setattr(guards, name, lambda *args: None)
            results = (outcome(case) for case in files)
            if any(result[0] != "refused" for result in results):
                alone.append(name)
            assert all(outcome(case) != ("refused", name) for case in files[:1])
    with capsys.disabled():
        print(f"\n{len(alone)} of {len(GUARDS)} guards are the only defence against a file of the corpus")
    assert len(GUARDS) >= 46
    assert len(alone) >= 40
