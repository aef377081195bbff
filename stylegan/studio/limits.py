"""Limits of a session. Each is checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one request, and of all of them together.

    Attributes:
        pixels: of all images of one call; 64 images of 1024 px.
        loop_pixels: of all frames of one loop; a GIF holds a byte for each until it is complete.
        upload_bytes, upload_pixels: of one uploaded image.
        song_bytes, song_s, song_pixels: of one uploaded song, and of all frames of its video, which are not kept.
        data_bytes: of one uploaded archive of images.
        all_data_bytes: of all data sets that were made from uploads, on the disk.
        checkpoint_bytes: of one uploaded checkpoint.
        added, added_bytes: networks that were uploaded or blended, and the size of their files together.
        body_bytes: of one request without an upload.
        waiting: calls that wait for the device.
        jobs: long jobs that wait.
        streams: connections that show the live image.
        kept_jobs: finished jobs whose results can be downloaded.
        kept_bytes, kept_s: size of their files together, and the seconds after which they are removed.
        latents, latent_bytes: latents that are kept, and their size; they go when they were not used for `kept_s`.
        directions, direction_bytes: files of directions that are kept in the same way.
        unpacked_bytes: of one uploaded file of latents or directions once it is unpacked.
        networks: networks in memory.
        image_cache_bytes, w_cache_bytes: of images and of w that are kept.
        together: images of several calls that are drawn in one batch.
    """

    pixels: int = 1 << 26
    loop_pixels: int = 1 << 29
    upload_bytes: int = 32 << 20
    upload_pixels: int = 1 << 25
    song_bytes: int = 32 << 20
    song_s: float = 300
    song_pixels: int = 1 << 30
    data_bytes: int = 512 << 20
    all_data_bytes: int = 4 << 30
    checkpoint_bytes: int = 512 << 20
    added: int = 8
    added_bytes: int = 1 << 30
    body_bytes: int = 1 << 16
    waiting: int = 16
    jobs: int = 4
    streams: int = 8
    kept_jobs: int = 16
    kept_bytes: int = 512 << 20
    kept_s: float = 3600
    latents: int = 64
    latent_bytes: int = 256 << 20
    directions: int = 32
    direction_bytes: int = 64 << 20
    unpacked_bytes: int = 128 << 20
    networks: int = 4
    image_cache_bytes: int = 64 << 20
    w_cache_bytes: int = 32 << 20
    together: int = 16
