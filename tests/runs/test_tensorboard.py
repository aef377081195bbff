"""Event files of a run, read by TensorBoard's own reader."""

import sys

import pytest
from tiny_run import tiny_config, tiny_images

from stylegan.errors import MissingExtra
from stylegan.runs.tensorboard import with_tensorboard
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder


@pytest.fixture
def ticks(tmp_path):
    config = tiny_config(tiny_images(tmp_path / "images"))
    folder = new_run_folder(tmp_path, config, "board")
    return train(config, folder), folder


def test_every_mean_and_every_grid_is_read_back(ticks):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ticks, folder = ticks
    shown = list(with_tensorboard(ticks, folder))
    events = EventAccumulator(str(folder)).Reload()
    for name in (*shown[0].stats, *shown[1].stats):
        values = {tick.nimg: pytest.approx(tick.stats[name]["mean"]) for tick in shown if name in tick.stats}
        assert {event.step: event.value for event in events.Scalars(name)} == values
    assert [event.step for event in events.Scalars("Timing/sec_per_kimg")] == [32, 64]
    assert [(image.step, image.width, image.height) for image in events.Images("fakes")] == [
        (32, 256, 128),
        (64, 256, 128),
    ]


def test_full_disk_is_a_warning_and_training_continues(ticks, monkeypatch):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter

    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "flush", full)
    with pytest.warns(RuntimeWarning, match="the file for TensorBoard could not be written .No space left"):
        assert [tick.nimg for tick in with_tensorboard(*ticks)] == [32, 64]


def test_missing_tensorboard_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stylegan\[tracking\]'"):
        next(with_tensorboard(iter([]), "unused"))
