"""A song drives a walk: bands and onsets are heard where they are, and files without sound get a sentence."""

import wave

import numpy as np
import pytest
import torch
from tiny_generator import tiny_generator

pytest.importorskip("av", reason="pip install 'stylegan[song]'")

import av

from stylegan.errors import ConfigError, DataError
from stylegan.images.video import save_video
from stylegan.sampling.generate import seeds_to_ws
from stylegan.sampling.song import RATE, dance, hear, read_sound

SECONDS = 2


def sound(frequency, seconds=SECONDS):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def beats(seconds=SECONDS, period=0.5):
    t = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 60 * t) * np.exp(-12 * (t % period))).astype(np.float32)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("song") / "beat.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((beats() * 32000).astype("<i2").tobytes())
    return path


def test_a_file_is_read_as_it_was_written(file):
    samples = read_sound(file)
    assert abs(len(samples) - SECONDS * RATE) <= 1
    assert np.abs(samples - beats()[: len(samples)] * 32000 / 32768).max() < 1e-3


@pytest.mark.parametrize(("frequency", "band"), [(60, "bass"), (800, "middle"), (5000, "treble")])
def test_each_band_hears_its_own_tones(frequency, band):
    samples = np.concatenate([sound(frequency), 0.01 * sound(60), 0.01 * sound(800), 0.01 * sound(5000)])
    song = hear(samples, 30)
    assert getattr(song, band)[5:55].min() > 0.8
    assert getattr(song, band)[80:].max() < 0.2


def test_onsets_are_heard_at_beats_and_silence_is_silent():
    song = hear(beats(4), 30)
    rises = {round(k / 15) for k in range(1, 120) if song.onset[k] - song.onset[k - 1] > 0.3}
    assert rises == set(range(1, 8))
    silent = hear(np.zeros(RATE, np.float32), 30)
    assert not any(level.any() for level in (silent.bass, silent.middle, silent.treble, silent.onset))
    assert len(hear(np.zeros(10, np.float32), 30)) == 1


def test_a_walk_begins_at_the_first_seed_and_bass_moves_it_faster():
    G = tiny_generator()
    loud, quiet = hear(sound(60), 30), hear(np.zeros(SECONDS * RATE, np.float32), 30)
    ws = seeds_to_ws(G, [3, 4, 5])
    for song, seeds_passed in ((quiet, 1), (loud, 5)):
        latents = list(dance(G, [3, 4, 5], song, pulse=0, speed=0.5, drive=2))
        assert len(latents) == len(song)
        assert torch.allclose(latents[0].ws, ws[0])
        middle = round(len(song) / seeds_passed / 2)  # half of the way to the next seed
        assert torch.allclose(latents[middle].ws, (ws[0] + ws[1]) / 2, atol=0.1)


def test_an_onset_moves_the_latent_from_the_average():
    G = tiny_generator()
    song = hear(beats(), 30)
    still, pulsing = (torch.stack([one.ws for one in dance(G, [1, 2], song, pulse=pulse)]) for pulse in (0, 0.5))
    moved = (pulsing - still).flatten(1).norm(dim=1).numpy()
    assert np.allclose(moved[song.onset == 0], 0)
    assert moved[song.onset > 0.5].min() > 0


def test_impossible_dances_are_refused():
    song = hear(beats(), 30)
    with pytest.raises(ConfigError, match="at least two seeds"):
        next(dance(tiny_generator(), [1], song))
    with pytest.raises(ConfigError, match="must be at least 0"):
        next(dance(tiny_generator(), [1, 2], song, drive=-1))


def test_a_video_has_all_images_and_the_sound(file, tmp_path):
    images = [torch.full([3, 16, 16], 8 * k, dtype=torch.uint8) for k in range(20)]
    save_video(images, tmp_path / "x.mp4", fps=10, sound=file)
    with av.open(str(tmp_path / "x.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert [frame.shape for frame in frames] == [(512, 512, 3)] * 20
        assert all(abs(frame.mean() - 8 * k) < 4 for k, frame in enumerate(frames))
    assert np.abs(read_sound(tmp_path / "x.mp4")[: len(beats())] - beats()).mean() < 0.05


PLAYLIST = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "content",
    [b"", b"text", bytes(5000), b"RIFF\xff\xff\xff\xffWAVEfmt ", PLAYLIST, b"ffconcat version 1.0\nfile /etc/passwd\n"],
)
def test_files_without_sound_get_a_sentence(tmp_path, content):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"\.$"):
        read_sound(path)


def test_longer_songs_than_allowed_are_refused(file):
    with pytest.raises(DataError, match="longer than 1 seconds"):
        read_sound(file, longest_s=1)
