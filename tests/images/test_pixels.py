"""The network's numbers to pixels and files."""

import pytest
import torch
from PIL import Image

from stylegan.errors import NonFiniteError, OutputError, ShapeError
from stylegan.images.grid import grid
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


def pixels_of(path):
    with Image.open(path) as stored:
        return torch.tensor(list(stored.tobytes()), dtype=torch.uint8).reshape(*stored.size[::-1], -1).permute(2, 0, 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floats_are_saved_as_networks_return_them(tmp_path, dtype):
    image = (torch.rand(3, 4, 6) * 2 - 1).to(dtype).requires_grad_()
    save_png(image, tmp_path / "a.png")
    assert torch.equal(
        pixels_of(tmp_path / "a.png"), to_uint8(image.detach().to(torch.promote_types(dtype, torch.float32)))
    )


def test_several_images_are_saved_side_by_side(tmp_path):
    images = torch.rand(5, 3, 4, 6) * 2 - 1
    for several in (images, list(images), to_uint8(images)):
        save_png(several, tmp_path / "a.png")
        assert torch.equal(pixels_of(tmp_path / "a.png"), grid(to_uint8(images)))
    assert torch.equal(grid(images), grid(to_uint8(images)))
    save_png(images[:1], tmp_path / "b.png")
    assert torch.equal(pixels_of(tmp_path / "b.png"), to_uint8(images[0]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(8, 8, 3), r"got \[8, 8, 3\]; move the channels to the front with image\.permute\(2, 0, 1\)"),
        (torch.zeros(8, 8), r"got \[8, 8\]; add the channel with image\[None\]"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), r"1, 3 or 4 channels, got \[2, 8, 8\]"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), r"floats in \[-1, 1\] or uint8, got torch\.int64; convert 0\.\.255"),
        (
            torch.zeros(3, 8, 8).numpy(),
            r"as a tensor, got ndarray; convert an array \[H, W, C\] with torch\.from_numpy",
        ),
        ([torch.zeros(3, 8, 8), torch.zeros(3, 4, 4)], r"images of one shape \[3, 8, 8\], got \[3, 4, 4\]"),
    ],
)
def test_other_images_are_refused_with_the_way(tmp_path, image, message):
    with pytest.raises(ShapeError, match=message):
        save_png(image, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_nan_is_no_color(tmp_path):
    with pytest.raises(NonFiniteError, match="holds NaN or infinity, which has no color"):
        save_png(torch.full([3, 4, 4], float("nan")), tmp_path / "a.png")


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
