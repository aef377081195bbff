"""Stopped at any step and resumed, every kind of training ends with the very numbers of one that never stopped."""

from pathlib import Path

import pytest
from small_run import digests, folder_digest, small_config, small_pictures, train_small

from stylegan.data.prepare import prepare

STEPS = 18  # R1 comes every 16 steps, path length and adaptation every 4
STOPS = (1, 2, 3, 4, 8, 15, 16, 17)
KINDS = {
    "plain": {},
    "ada": {"augment.mode": "ada", "augment.target": -0.5, "augment.ada_kimg": 0.05},
    "conditional": {"label_dim": 3},
    "bf16": {"precision": "bf16", "generator.num_fp16_res": 1, "discriminator.num_fp16_res": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_run_stopped_at_any_step_equals_an_uninterrupted_run(kind, tmp_path):
    classes = KINDS[kind].get("label_dim", 0)
    data = small_pictures(tmp_path / "pictures", classes=classes)
    if classes:
        prepare(data, tmp_path / "data.zip")
        data = tmp_path / "data.zip"
    config = small_config(data, steps=STEPS, tick=5, **KINDS[kind])
    whole = digests(train_small(config, tmp_path / "whole"))
    equal = 0
    for stop in STOPS:
        run = tmp_path / f"stopped{stop}"
        assert train_small(config, run, stop_after=stop).step == stop
        assert digests(train_small(config, run)) == whole, f"{kind}, stopped after step {stop}"
        assert folder_digest(_last(run)) == folder_digest(_last(tmp_path / "whole"))
        equal += 1
    print(f"{kind}: {equal} of {len(STOPS)} stopped and resumed runs equal the uninterrupted one")
    assert equal >= 8


def _last(run: Path) -> Path:
    return max((run / "snapshots").iterdir())
