"""MP4 videos, with the sound of a file if there is one, through PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from stylegan.errors import ConfigError, MissingExtra, OutputError
from stylegan.images.pixels import to_pil

LEAST_PX = 512  # smaller images are enlarged by a whole factor, since players blur them
QUALITY = {"crf": "16", "preset": "medium"}  # of x264: hardly visible loss


def require_av() -> Any:
    """Return the package PyAV. Raises: MissingExtra without it."""
    try:
        import av
    except ImportError as error:
        raise MissingExtra("videos with sound need PyAV. Install it with: pip install 'stylegan[song]'") from error
    return av


def write_mp4(images: Iterable[Tensor], path: Path, fps: float, sound: Path | None = None) -> None:
    """Write images [C, H, W] uint8, which are encoded as they come, as H.264 with 8-bit color.

    Args:
        sound: a file whose sound is added, for as long as there are images.
    Raises: MissingExtra, ConfigError without images, OutputError where the place cannot be written.
    """
    av = require_av()
    rate = Fraction(fps).limit_denominator(1001)
    images = iter(images)
    first = next(images, None)
    if first is None:
        raise ConfigError("a video needs at least one image, got none.")
    factor = max(1, -(-LEAST_PX // max(first.shape[1:])))
    try:
        with av.open(str(path), "w", format="mp4") as file:
            video = file.add_stream("libx264", rate=rate, options=QUALITY)
            video.height, video.width = (side * factor // 2 * 2 for side in first.shape[1:])
            video.pix_fmt = "yuv420p"
            audio = file.add_stream("aac", rate=48000, layout="stereo") if sound is not None else None
            count = 0
            for image in chain([first], images):
                frame = av.VideoFrame.from_ndarray(_enlarged(image, factor, video.height, video.width), format="rgb24")
                file.mux(video.encode(frame))
                count += 1
            file.mux(video.encode(None))
            if audio is not None and sound is not None:
                _add_sound(av, file, audio, sound, count / fps)
    except (OSError, av.FFmpegError) as error:
        raise OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error


def _enlarged(image: Tensor, factor: int, height: int, width: int) -> np.ndarray:
    pixels = np.asarray(to_pil(image).convert("RGB"))
    return np.ascontiguousarray(pixels.repeat(factor, 0).repeat(factor, 1)[:height, :width])


def _add_sound(av: Any, file: Any, audio: Any, sound: Path, seconds: float) -> None:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48000, frame_size=1024)
    samples, wanted = 0, round(seconds * 48000)
    with av.open(str(sound), options={"protocol_whitelist": "file"}) as source:
        decoded = chain(source.decode(audio=0), [None])
        for frame in chain.from_iterable(resampler.resample(one) for one in decoded):
            if samples >= wanted:
                break
            frame.pts, frame.time_base = (
                samples,
                Fraction(1, 48000),
            )  # else what the encoder delays would not be cut off
            samples += frame.samples
            file.mux(audio.encode(frame))
    file.mux(audio.encode(None))
