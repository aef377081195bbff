"""Many images as tar files, which one process or several can write, and go on writing after a stop."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.files.archives import add_to_tar
from stylegan.files.atomic import atomic_file, write_text
from stylegan.images.pixels import to_pil


def write_shards(
    folder: Path,
    seeds: Sequence[int],
    per_shard: int,
    draw: Callable[[Sequence[int]], Iterable[Tensor]],
    settings: dict,
    *,
    rank: int = 0,
    size: int = 1,
) -> Iterator[tuple[Path, int]]:
    """Write the shards of this process, `00003-of-00100.tar` with members `seed0030000.png` and so on.

    What a shard holds depends on the seeds alone, not on the number of processes: with `size` of them, `rank` writes
    every size-th shard. One that is there already is kept.

    Args:
        draw: seeds -> images [C, H, W] uint8 in their order.
        settings: all that images depend on besides the seed; kept in shards.json.
    Yields: each new shard and its number of images, once it is whole.
    Raises: ConfigError if the folder has shards of other settings; OutputError.
    """
    text = ",".join(map(str, seeds)).encode()
    _begin(folder / "shards.json", {**settings, "per_shard": per_shard, "seeds": hashlib.sha256(text).hexdigest()})
    total = -(-len(seeds) // per_shard)
    for i in range(rank, total, size):
        path = folder / f"{i:05d}-of-{total:05d}.tar"
        if path.exists():
            continue
        part = seeds[i * per_shard : (i + 1) * per_shard]
        with atomic_file(path) as temporary, tarfile.open(temporary, "w") as tar:
            for seed, image in zip(part, draw(part), strict=True):
                png = io.BytesIO()
                to_pil(image).save(png, format="PNG")
                add_to_tar(tar, f"seed{seed:07d}.png", png.getvalue())
        yield path, len(part)


def _begin(path: Path, settings: dict) -> None:
    """Keep the settings, or see that they are those of the shards that are there."""
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.exists():
        write_text(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{path} tells of other seeds, network or settings; choose another --outdir or remove it.")
