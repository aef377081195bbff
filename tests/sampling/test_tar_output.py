"""Images in tar files, which several processes share."""

import json
import tarfile

import pytest
import torch

from stylegan.errors import ConfigError
from stylegan.sampling.tar_output import write_shards


def draw(seeds):
    return [torch.full([3, 4, 4], seed, dtype=torch.uint8) for seed in seeds]


def write(folder, *, seeds=range(10), settings=None, draw=draw, **world):
    folder.mkdir(exist_ok=True)
    return [(path.name, n) for path, n in write_shards(folder, seeds, 4, draw, settings or {"psi": 1.0}, **world)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.tar")}


def test_shards_hold_one_png_a_seed_in_order(tmp_path):
    assert write(tmp_path) == [("00000-of-00003.tar", 4), ("00001-of-00003.tar", 4), ("00002-of-00003.tar", 2)]
    with tarfile.open(tmp_path / "00001-of-00003.tar") as tar:
        assert tar.getnames() == [f"seed000000{i}.png" for i in (4, 5, 6, 7)]
        assert tar.extractfile("seed0000005.png").read().startswith(b"\x89PNG")


def test_processes_share_the_shards_and_write_what_one_would(tmp_path):
    write(tmp_path / "one")
    first, second = (write(tmp_path / "two", rank=rank, size=2) for rank in range(2))
    assert [name[:5] for name, _ in first] == ["00000", "00002"]
    assert [name[:5] for name, _ in second] == ["00001"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_existing_shards_are_not_drawn_again(tmp_path):
    def stop_at_six(seeds):
        for seed, image in zip(seeds, draw(seeds), strict=True):
            if seed == 6:
                raise KeyboardInterrupt
            yield image

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, draw=stop_at_six)
    assert list(contents(tmp_path)) == ["00000-of-00003.tar"]
    assert [name[:5] for name, _ in write(tmp_path)] == ["00001", "00002"]


@pytest.mark.parametrize("other", [{"settings": {"psi": 0.5}}, {"seeds": range(1, 11)}])
def test_shards_of_other_images_are_not_mixed(tmp_path, other):
    write(tmp_path)
    with pytest.raises(
        ConfigError, match="shards.json was written with other seeds, another network or other settings; choose another"
    ):
        write(tmp_path, **other)
    assert json.loads((tmp_path / "shards.json").read_text())["psi"] == 1
