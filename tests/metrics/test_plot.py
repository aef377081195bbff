"""The chart of scores."""

import pytest
from PIL import Image

from stylegan.metrics.plot import score_plot
from stylegan.metrics.protocol import Score


def test_scores_of_two_networks_are_bars_and_those_through_the_discriminator_look_different(tmp_path):
    pytest.importorskip("matplotlib")
    images = []
    for same in (False, True):
        scores = {
            name: [Score(name="fid8_efflite0", value=value, fakes=8, seed=0, same_as_discriminator=same and value > 1)]
            for name, value in (("first", 1.0), ("second", 2.0))
        }
        score_plot(scores, tmp_path / "plot.png")
        with Image.open(tmp_path / "plot.png") as image:
            images.append(image.convert("RGB").tobytes())
    assert images[0] != images[1]
