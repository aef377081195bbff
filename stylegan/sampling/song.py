"""A song that drives a walk: the loudness of its bass, middle and treble, its onsets, and latents that follow them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from stylegan.errors import ConfigError, DataError
from stylegan.images.mp4 import require_av
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import map_latents
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latent import Latent
from stylegan.sampling.latents import latents

RATE = 22050  # samples a second that are analyzed
WINDOW = 2048  # samples of one spectrum, 93 ms
BANDS = {"bass": (20, 250), "middle": (250, 2000), "treble": (2000, 10000)}  # Hz
FALL_S = 0.25  # time in which a level falls to a third after a beat
LONGEST_S = 600


@dataclass(frozen=True)
class Song:
    """Levels of a sound at the frames of a video.

    Attributes:
        fps: frames per second.
        bass, middle, treble: loudness of each band at each frame, [frames] from 0 to 1; the loudest parts are 1.
        onset: how much louder each frame is than the one before, [frames] from 0 to 1; it falls within `FALL_S`.
    """

    fps: float
    bass: np.ndarray
    middle: np.ndarray
    treble: np.ndarray
    onset: np.ndarray

    def __len__(self) -> int:
        return len(self.onset)


def read_sound(file: Path, longest_s: float = LONGEST_S) -> np.ndarray:
    """Return the sound of an audio or video file as mono samples at `RATE`, float32 from -1 to 1.

    Raises: MissingExtra without PyAV; DataError for a file without sound that can be read, or longer than `longest_s`.
    """
    av = require_av()
    parts: list[np.ndarray] = []
    try:
        # Of playlists and other files that name files or addresses, nothing but the file itself is opened.
        with av.open(str(file), options={"protocol_whitelist": "file"}) as source:
            if source.format.name.split(",")[0] in ("hls", "concat", "dash", "sdp", "rtsp"):
                raise DataError(f"{file.name} is a list of other files; give a file with sound.")
            if not source.streams.audio:
                raise DataError(f"{file.name} has no sound; give an audio file.")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            decoded = chain(source.decode(audio=0), [None])
            samples = 0
            for frame in chain.from_iterable(resampler.resample(one) for one in decoded):
                parts.append(frame.to_ndarray()[0])
                samples += len(parts[-1])
                if samples > longest_s * RATE:
                    raise DataError(f"{file.name} is longer than {longest_s:g} seconds; give a shorter one.")
    except (OSError, av.FFmpegError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{file.name} holds no sound that can be read: {reason}; give an audio file.") from error
    if not parts:
        raise DataError(f"{file.name} holds no sound that can be read; give an audio file.")
    return np.nan_to_num(np.concatenate(parts)).astype(np.float32).clip(-1, 1)


def hear(samples: np.ndarray, fps: float) -> Song:
    """Return the levels of a sound at each frame of a video.

    Args:
        samples: mono at `RATE`, from -1 to 1.
        fps: frames per second.
    """
    frames = max(1, int(len(samples) / RATE * fps))
    padded = np.pad(samples, (WINDOW // 2, WINDOW))
    starts = (np.arange(frames) * RATE / fps).astype(int)  # windows are centered on their frames
    window = np.hanning(WINDOW).astype(np.float32)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)
    spectra = np.empty((frames, len(frequencies)), np.float32)
    for k, start in enumerate(starts):
        spectra[k] = np.abs(np.fft.rfft(padded[start : start + WINDOW] * window))
    bands = {
        name: np.sqrt((spectra[:, (frequencies >= low) & (frequencies < high)] ** 2).mean(1))
        for name, (low, high) in BANDS.items()
    }
    # Spectral flux (Bello et al. 2005): only what becomes louder counts, on a logarithmic scale as ears hear it.
    loudness = np.log1p(spectra)
    flux = np.maximum(np.diff(loudness, axis=0, prepend=loudness[:1]), 0).sum(1)
    flux = np.maximum(flux - np.median(flux), 0)
    fall = np.exp(-1 / (FALL_S * fps))
    return Song(
        fps=fps,
        onset=_falling(_relative(flux), fall),
        **{name: _falling(_relative(level), fall) for name, level in bands.items()},
    )


def dance(
    G: GeneratorLike,
    seeds: Sequence[int],
    song: Song,
    *,
    speed: float = 0.5,
    drive: float = 2.0,
    pulse: float = 0.4,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
) -> Iterator[Latent]:
    """Return a latent for each frame of a song: a walk through the seeds that bass drives and onsets pulse.

    Args:
        seeds: two or more; the walk passes through them in this order again and again, and ends on one of them.
        speed: seeds per second in silence.
        drive: seeds per second that the loudest bass adds.
        pulse: how far an onset moves the latent away from the average, as a share of its distance.
        label, psi, cutoff: as in `generate_images`.
    Raises: ConfigError for fewer than two seeds, or a speed, drive or pulse that is negative.
    """
    if len(seeds) < 2:
        raise ConfigError(f"a song needs at least two seeds to walk through, such as 0-3, got {len(seeds)}.")
    if min(speed, drive, pulse) < 0:
        raise ConfigError(f"speed, drive and pulse must be at least 0, got {speed:g}, {drive:g} and {pulse:g}.")
    c = class_labels(G, label, len(seeds))
    z = latents(list(seeds), G.z_dim)
    ws = torch.stack(list(map_latents(G, z, c, psi=psi, cutoff=cutoff)))
    center = torch.stack(list(map_latents(G, z, c, psi=0.0, cutoff=cutoff)))
    steps = (speed + drive * song.bass) / song.fps
    places = np.concatenate([[0.0], np.cumsum(steps)])
    whole = max(1.0, round(places[-1]))
    places = places[:-1] * (whole / places[-1] if places[-1] > 0 else 0.0)
    for place, onset in zip(places, song.onset, strict=True):
        first, t = int(place) % len(seeds), float(place % 1)
        second, t = (first + 1) % len(seeds), t * t * (3 - 2 * t)
        w = torch.lerp(ws[first], ws[second], t)
        middle = torch.lerp(center[first], center[second], t)
        yield Latent(ws=middle + (w - middle) * (1 + pulse * float(onset)))


def _relative(level: np.ndarray) -> np.ndarray:
    """Return a level from 0 to 1, where 1 is what only two hundredths of the frames exceed."""
    most = float(np.quantile(level, 0.98))
    return np.clip(level / most, 0, 1) if most > 1e-6 else np.zeros_like(level)


def _falling(level: np.ndarray, fall: float) -> np.ndarray:
    """Return a level that rises at once and falls slowly, so that images do not flicker."""
    held, out = 0.0, np.empty(len(level), np.float32)
    for k, value in enumerate(level):
        held = out[k] = max(float(value), held * fall)
    return out
