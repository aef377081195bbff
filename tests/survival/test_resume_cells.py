"""Every kind of training, stopped at any step and resumed, ends with exactly the numbers of an uninterrupted run."""

import shutil
from itertools import cycle
from pathlib import Path

import pytest
from small_run import digests, folder_digest, small_config, small_images, train_small

from stylegan.data.prepare import prepare
from stylegan.files.cache import default_cache

STEPS = 18  # R1 comes every 16 steps, path length and adaptation every 4
KINDS = {
    "plain": {},
    "ada": {"augment.mode": "ada", "augment.target": -0.5, "augment.ada_kimg": 0.05},
    "conditional": {"label_dim": 3},
    "bf16": {"precision": "bf16", "generator.num_fp16_res": 1, "discriminator.num_fp16_res": 1},
}
STOPS = {None: (1, 4, 15, 17), 4: (2, 3, 8, 16)}  # images per shard, or no shards -> steps to stop after


@pytest.mark.parametrize("shards", STOPS, ids=["whole", "sharded"])
@pytest.mark.parametrize("kind", KINDS)
def test_run_stopped_at_any_step_equals_an_uninterrupted_run(kind, shards, tmp_path, monkeypatch):
    """Decode the images of each part of a run separately, one with one worker and the other with three."""
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    images = small_images(tmp_path / "images", classes=KINDS[kind].get("label_dim", 0))
    data = tmp_path / ("shards" if shards else "data.zip")
    prepare(images, data, shards=shards)
    workers = cycle((1, 3))

    def part(run: str, *, stop_after: int | None = None):
        shutil.rmtree(default_cache(), ignore_errors=True)
        config = small_config(data, steps=STEPS, tick=5, **KINDS[kind], **{"data.workers": next(workers)})
        return train_small(config, tmp_path / run, stop_after=stop_after)

    whole = digests(part("whole"))
    equal = 0
    for stop in STOPS[shards]:
        run = f"stopped{stop}"
        assert part(run, stop_after=stop).step == stop
        assert digests(part(run)) == whole, f"{kind}, stopped after step {stop}"
        assert folder_digest(_last(tmp_path / run)) == folder_digest(_last(tmp_path / "whole"))
        equal += 1
    print(f"{kind}: {equal} of {len(STOPS[shards])} stopped and resumed runs equal the uninterrupted one")
    assert equal >= 4


def _last(run: Path) -> Path:
    return max((run / "snapshots").iterdir())
