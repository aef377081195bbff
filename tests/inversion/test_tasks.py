"""Inputs of encoders, made from images and from files."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.errors import ConfigError, DataError
from stylegan.inversion.tasks import TASKS, Task, colors_of, gray, masked, one_hot, random_masks, sketch


def images(n=2, channels=3, side=16):
    return torch.rand(n, channels, side, side) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", TASKS)
def test_inputs_have_the_channels_that_the_task_says_and_the_size_of_the_network(name, channels):
    colors = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
    task = Task(name=name, colors=colors if name == "labels" else ())
    shape = (2, task.channels(channels), 16, 16)
    files = torch.randint(0, 256, (2, task.file_channels or channels, 8, 8), dtype=torch.uint8)
    made = task.of_files(files, 16, torch.ones(1, 1, 16, 16) if name == "inpaint" else None)
    assert made.shape == shape
    if task.paired:
        with pytest.raises(ConfigError, match="are files; give them as `inputs`"):
            task.of_images(images(channels=channels))
    else:
        made = torch.cat([made, task.of_images(images(channels=channels))])
        assert made.shape == (4, *shape[1:])
    assert made.min() >= -1
    assert made.max() <= 1


def test_an_image_of_one_color_has_no_edges_and_a_step_has_one_line():
    flat = torch.full((1, 3, 8, 8), 0.3)
    assert (sketch(flat) == 1).all()
    flat[:, 2, :, 4:] = -0.3
    lines = sketch(flat)
    assert (lines[..., 3] == -1).all()
    assert (lines == -1).sum() == 8


def test_gray_is_the_weighted_sum_of_the_channels():
    x = images()
    expected = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
    assert_close(gray(x)[:, 0], expected)
    assert gray(x[:, :1]) is not x
    assert_close(gray(x[:, :1]), x[:, :1])


def test_superres_sees_only_the_small_image():
    task, x = Task(name="superres", input_px=4), images()
    small = torch.nn.functional.interpolate(x, 4, mode="bicubic", antialias=True)
    pixels = ((small.clamp(-1, 1) + 1) * 127.5).round().byte()
    assert_close(task.of_images(x), task.of_files(pixels, 16), atol=0.02, rtol=0)


def test_holes_hide_the_image_and_the_mask_says_where():
    masks = random_masks(4, 16, torch.Generator().manual_seed(1))
    assert all(0.02 < float(1 - mask.mean()) < 0.8 for mask in masks)
    x = images(4)
    made, other = masked(x, masks), masked(torch.where(masks > 0, x, torch.zeros(())), masks)
    assert torch.equal(made, other)
    assert torch.equal(made[:, 3:], 2 * masks - 1)
    again = random_masks(4, 16, torch.Generator().manual_seed(1))
    assert torch.equal(masks, again)
    with pytest.raises(ConfigError, match="needs to know what is missing; give a `mask`"):
        Task(name="inpaint").of_files(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), 16)


def test_each_color_of_a_label_map_is_a_class_and_an_unknown_one_counts_as_the_nearest():
    maps = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    maps[0, :, 0, 1] = torch.tensor([255, 0, 0])
    colors = colors_of(maps)
    assert colors == ((0, 0, 0), (255, 0, 0))
    maps[0, :, 1, 1] = torch.tensor([200, 30, 0])
    classes = one_hot(maps, colors)
    assert classes.argmax(1).tolist() == [[[0, 1], [0, 1]]]
    assert sorted(classes.unique().tolist()) == [-1, 1]


def test_a_photo_is_no_label_map():
    photo = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    with pytest.raises(DataError, match=r"at most 64 colors, got \d+; save them as PNG, without smoothing"):
        colors_of(photo)


def test_an_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="`task` is one of image, sketch, gray, .*, got 'sketchy'"):
        Task(name="sketchy")


@pytest.mark.parametrize("name", ["image", "gray", "superres", "inpaint"])
def test_an_image_differs_from_its_own_input_by_nothing_and_from_that_of_another_by_the_mean_square(name):
    task, x, holes = Task(name=name, input_px=4), images(4), torch.Generator().manual_seed(0)
    inputs = task.of_images(x, holes)
    assert_close(task.difference(x, inputs), torch.zeros(4))
    y = x.flip(0)
    if name == "inpaint":
        known = inputs[:, 3:] > 0
        expected = torch.stack([(a - b)[k.expand_as(a)].square().mean() for a, b, k in zip(x, y, known, strict=True)])
    else:
        expected = (task.of_images(y) - inputs).square().mean([1, 2, 3])
    assert_close(task.difference(y, inputs), expected)


def test_nothing_known_is_no_difference():
    task = Task(name="inpaint")
    assert_close(task.difference(images(), masked(images(), torch.zeros(2, 1, 16, 16))), torch.zeros(2))


def test_sketches_differ_by_the_part_of_the_edges_that_is_not_shared():
    task, halves = Task(name="sketch"), -torch.ones(1, 3, 16, 16)
    halves[..., 8:] = 1  # one line from top to bottom
    shifted = halves.roll(1, -1)
    shifted[..., 0] = -1
    assert float(task.difference(halves, sketch(halves))) < 0.25  # flat parts have a little of an edge
    assert float(task.difference(shifted, sketch(halves))) > 0.95


@pytest.mark.parametrize("name", ["image", "sketch", "gray", "superres", "inpaint"])
def test_a_difference_has_the_gradient_of_its_numbers(name):
    task = Task(name=name, input_px=4)
    x = (0.4 * images(1, side=8)).double().requires_grad_()
    inputs = task.of_images(0.4 * images(1, side=8), torch.Generator().manual_seed(0)).double()
    assert torch.autograd.gradcheck(lambda x: task.difference(x, inputs), x)
