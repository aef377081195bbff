"""Streams of images to GIF, WebP and folders."""

import gc
import io

import pytest
import torch
from PIL import Image, ImageSequence

from stylegan.errors import ConfigError, OutputError
from stylegan.images.pixels import to_pil
from stylegan.images.video import check_video, save_video


def moving(n: int, channels: int = 3) -> torch.Tensor:
    """A bright square that moves over a smooth ground."""
    images = torch.zeros(n, channels, 24, 24, dtype=torch.uint8)
    images[:, :, :, :] = torch.arange(24, dtype=torch.uint8) * 5
    for k in range(n):
        images[k, 0, k : k + 6, 4:10] = 250
    if channels == 4:
        images[:, 3] = 255
    return images


def frames_of(path):
    with Image.open(path) as image:
        return [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(image)], image.info


@pytest.mark.parametrize("name", ["loop.gif", "loop.webp", "LOOP.GIF"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_image_is_shown_and_the_loop_is_endless(tmp_path, name, channels):
    images = moving(9, channels)
    assert save_video(iter(images), tmp_path / "new" / name, fps=30) == 9
    frames, info = frames_of(tmp_path / "new" / name)
    assert len(frames) == 9
    assert info["loop"] == 0
    for (frame, _), image in zip(frames, images, strict=True):
        shown = torch.tensor(list(frame.tobytes())).reshape(24, 24, 3).permute(2, 0, 1)
        assert (shown - image[:3].expand(3, 24, 24).int()).abs().float().mean() < 5


@pytest.mark.parametrize("name", ["loop.gif", "loop.webp"])
@pytest.mark.parametrize("fps", [12, 30, 48])
def test_the_whole_loop_lasts_as_long_as_asked(tmp_path, name, fps):
    save_video(moving(16), tmp_path / name, fps=fps)
    frames, _ = frames_of(tmp_path / name)
    assert sum(duration for _, duration in frames) == pytest.approx(16000 / fps, abs=6)


def test_gray_images_stay_exact_in_a_gif(tmp_path):
    images = moving(3, channels=1)
    save_video(images, tmp_path / "a.gif")
    for (frame, _), image in zip(frames_of(tmp_path / "a.gif")[0], images, strict=True):
        assert list(frame.convert("L").tobytes()) == image.flatten().tolist()


def test_a_name_without_ending_is_a_folder_of_numbered_frames(tmp_path):
    images = moving(3)
    assert save_video(images, tmp_path / "frames") == 3
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == [f"frame{k:04d}.png" for k in range(3)]
    with Image.open(tmp_path / "frames" / "frame0002.png") as image:
        shown = torch.tensor(list(image.tobytes()), dtype=torch.uint8).reshape(24, 24, 3).permute(2, 0, 1)
    assert torch.equal(shown, images[2])


def test_a_folder_with_frames_of_another_loop_is_left_alone(tmp_path):
    save_video(moving(3), tmp_path / "frames")
    with pytest.raises(OutputError, match="already holds frames; empty it or name another one"):
        save_video(moving(2), tmp_path / "frames")


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("loop.avi", 30, "the loop can be a .gif, a .webp, an .mp4 or a folder of PNG frames, got"),
        ("loop.gif", 60, "a GIF shows at most 50 images a second, got fps 60; write a .webp."),
        ("loop.webp", 0, "fps must be above 0 and at most 1000 images a second, got 0."),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_drawn(name, fps, message):
    with pytest.raises(ConfigError) as error:
        check_video(name, fps)
    assert message in str(error.value)


def test_no_images_leave_no_file(tmp_path):
    with pytest.raises(ConfigError, match="needs at least one image"):
        save_video([], tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_drawing_leaves_the_older_loop_whole(tmp_path):
    save_video(moving(3), tmp_path / "a.gif")
    before = (tmp_path / "a.gif").read_bytes()

    def broken():
        yield from moving(2)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        save_video(broken(), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("size", [64, 200])
def test_a_gif_comes_close_to_smooth_colors_and_does_not_flicker(tmp_path, size):
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    still = torch.stack([60 + 120 * x, 200 - 100 * y, 90 + 80 * x * y])
    images = [(still + 0.5 * k).to(torch.uint8) for k in range(4)]  # slowly brighter
    save_video(images, tmp_path / "a.gif")
    shown = [torch.tensor(list(f.tobytes())).reshape(size, size, 3) for f, _ in frames_of(tmp_path / "a.gif")[0]]
    for frame, image in zip(shown, images, strict=True):
        assert (frame - image.permute(1, 2, 0).int()).float().square().mean().sqrt() < 6
    assert (shown[1] - shown[0]).float().square().mean().sqrt() < 6


def test_a_webp_is_written_frame_by_frame_and_holds_none_of_them(tmp_path):
    sizes, alive = [], []

    def frames():
        for _ in range(12):
            (temporary,) = tmp_path.iterdir() if sizes else [None]
            sizes.append(temporary.stat().st_size if temporary else 0)
            alive.append(sum(issubclass(type(kept), Image.Image) for kept in gc.get_objects()))
            yield torch.randint(0, 256, [3, 64, 64], dtype=torch.uint8)

    save_video(frames(), tmp_path / "a.webp")
    assert sizes[-1] > 8 * 64 * 64 / 2  # random pixels hardly compress
    assert max(alive) <= alive[0] + 2
    assert (tmp_path / "a.webp").read_bytes()[4:8] == ((tmp_path / "a.webp").stat().st_size - 8).to_bytes(4, "little")


def test_frames_of_a_webp_are_those_of_still_images(tmp_path):
    images = moving(3, channels=4)
    images[1, 3, 2:9] = 100  # half transparent
    save_video(images, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as loop:
        for frame, image in zip(ImageSequence.Iterator(loop), images, strict=True):
            still = io.BytesIO()
            to_pil(image).save(still, "WEBP", quality=90, method=4)
            assert frame.convert("RGBA").tobytes() == Image.open(still).convert("RGBA").tobytes()


def test_what_rests_does_not_flicker_in_a_gif_and_a_change_of_colors_gets_new_ones(tmp_path):
    y, x = torch.meshgrid(torch.linspace(0, 1, 96), torch.linspace(0, 1, 96), indexing="ij")
    ground = torch.stack([60 + 120 * x, 200 - 100 * y, 90 + 80 * x * y]).to(torch.uint8)
    images = ground.repeat(8, 1, 1, 1)
    images[4:] = 255 - ground[[1, 2, 0]]
    for k in range(8):
        images[k, :, 10 + 4 * k : 20 + 4 * k, 10:20] = torch.tensor([180, 90, 120])[:, None, None]
    save_video(images, tmp_path / "a.gif")
    shown = [torch.tensor(list(f.tobytes())).reshape(96, 96, 3) for f, _ in frames_of(tmp_path / "a.gif")[0]]
    for k in range(1, 4):
        assert torch.equal(shown[k][50:], shown[0][50:])
    for frame, image in zip(shown, images, strict=True):
        assert (frame - image.permute(1, 2, 0).int()).float().square().mean().sqrt() < 6


def test_colors_are_chosen_for_few_frames_of_a_gif_since_that_takes_most_of_its_time(tmp_path, monkeypatch):
    chosen, quantize = [], Image.Image.quantize

    def counted(image, *arguments, **options):
        chosen.append(options.get("palette") is None)
        return quantize(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "quantize", counted)
    save_video(moving(30) + torch.arange(30, dtype=torch.uint8)[:, None, None, None] // 3, tmp_path / "a.gif")
    assert sum(chosen) <= 10
