"""The network's numbers to pixels and files."""

import pytest
import torch
from PIL import Image

from stylegan.errors import OutputError, ShapeError
from stylegan.images.pixels import to_pil, to_uint8
from stylegan.images.png import make_folder, save_png


def test_pixels_are_rounded_as_the_official_tools_do():
    img = torch.tensor([-2.0, -1.0, -1 + 0.6 / 127.5, 0.0, 0.004, 1.0, 2.0]).reshape(1, 1, 1, 7)
    assert to_uint8(img).flatten().tolist() == [0, 0, 1, 128, 128, 255, 255]
    assert to_uint8(img).dtype == torch.uint8


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_survive_a_file(tmp_path, channels, mode):
    image = torch.randint(256, [channels, 5, 7], dtype=torch.uint8)
    save_png(image, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as stored:
        assert (stored.mode, stored.size) == (mode, (7, 5))
        pixels = torch.tensor(list(stored.tobytes()), dtype=torch.uint8).reshape(5, 7, channels)
    assert torch.equal(pixels.permute(2, 0, 1), image)


@pytest.mark.parametrize("shape", [(2, 5, 7), (5, 7), (1, 3, 5, 7)])
def test_what_is_not_a_image_is_refused(shape):
    with pytest.raises(ShapeError, match=r"1, 3 or 4 channels, got \["):
        to_pil(torch.zeros(shape, dtype=torch.uint8))


def test_an_interrupted_write_leaves_the_older_image_whole(tmp_path, monkeypatch):
    save_png(torch.zeros(1, 4, 4, dtype=torch.uint8), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()

    def half(self, file, **options):
        file.write_bytes(b"\x89PNG")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OutputError, match="No space left on device"):
        save_png(torch.ones(1, 4, 4, dtype=torch.uint8), tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError) as error:
            make_folder(place)
        assert str(error.value).startswith(f"cannot write to {place}: ")
        assert str(error.value).endswith("; choose another folder.")


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # as root, the mode of a folder forbids nothing
    with pytest.raises(OutputError, match="no permission; choose another folder"):
        make_folder(tmp_path)
