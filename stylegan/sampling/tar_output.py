"""Many images as tar files, written by one process or several, and continued after an interruption."""

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
    """Write the shards of this process, such as `00003-of-00100.tar` with members `seed0030000.png` and so on.

    The content of a shard depends on the seeds alone and not on the number of processes: of `size` processes, `rank`
    writes every size-th shard. Existing shards are kept.

    Args:
        draw: seeds -> images [C, H, W] uint8 in their order.
        settings: everything besides the seed that determines an image; shards.json records it.
    Yields: the path of each new shard and its number of images, once it is complete.
    Raises: ConfigError if the folder has shards with other settings; OutputError.
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
    """Write the settings, or check that they equal those of the existing shards."""
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.exists():
        write_text(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{path} was written with other seeds, another network or other settings; choose another `outdir`, or "
            "remove the shards."
        )
