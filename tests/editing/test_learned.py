"""Learned directions: styles that turn an attribute on and off and leave the others."""

from functools import partial

import pytest
import torch
from tiny_generator import tiny_generator

from stylegan.editing import find
from stylegan.editing.learned import LearnSettings, learned_direction
from stylegan.editing.styles import affine_layers, style_channels
from stylegan.errors import ConfigError
from stylegan.images.pixels import to_float
from stylegan.inversion.w_statistics import random_ws
from stylegan.sampling.latent import Latent, space_of, synthesize


class Redness:
    """Scores of the mean red and the mean blue of an image, which are 0 and 1 at two quantiles of random images."""

    names = ("red", "blue")
    accuracy = {"red": 1.0, "blue": 1.0}  # noqa: RUF012

    def __init__(self, images):
        colors = self._colors(images)
        self.low = colors.quantile(0.3, 0)
        self.scale = colors.quantile(0.7, 0) - self.low

    def _colors(self, images):
        return images[:, [0, 2]].mean((2, 3)).double()

    def __call__(self, images):
        return self.scores(to_float(images))

    def scores(self, images):
        return (self._colors(images) - self.low) / self.scale


@pytest.fixture(scope="module")
def case():
    G = tiny_generator()
    w = random_ws(G, None, 200)[:, 0]
    with torch.no_grad():
        images = drawn(G, [Latent(ws=row.expand(G.num_ws, -1)) for row in w])
    classify = Redness(images)
    return G, w, classify, classify.scores(images)


@torch.no_grad()
def drawn(G, latents):
    return torch.cat(
        [synthesize(G.synthesis, x.ws[None], {k: v[None] for k, v in x.offsets.items()}, {}) for x in latents]
    )


def test_a_direction_turns_its_attribute_on_and_off_and_changes_the_other_less_than_the_best_channel_does(case):
    G, w, classify, scores = case
    learned = learned_direction(G, w, classify, scores, 0, settings=LearnSettings(steps=60, noise=0, psi=1))
    assert (learned.name, learned.method, learned.space) == ("red", "learned", space_of(G))
    latents = [Latent(ws=row.expand(G.num_ws, -1)) for row in w[:40]]
    before = classify.scores(drawn(G, latents))

    def change(direction, strength):
        signs = [-1 if red > 0.5 else 1 for red in before[:, 0]]
        moved = [direction.moved(x, sign * strength) for x, sign in zip(latents, signs, strict=True)]
        after = classify.scores(drawn(G, moved))
        flips = ((after > 0.5) != (before > 0.5)).double().mean(0)[0]
        return float(flips), float((after - before)[:, 1].abs().mean())

    flips, side_effect = change(learned, 2)
    assert flips > 0.8
    channel = style_channels(G, w, count=1, values=scores[:, 0])[0]
    others = [change(channel, strength) for strength in (1, 2, 3, 4, 6, 8)]
    assert side_effect < min([effect for flip, effect in others if flip >= flips - 0.05], default=float("inf"))


def test_only_the_styles_of_the_given_layers_move(case):
    G, w, classify, scores = case
    direction = learned_direction(G, w, classify, scores, 1, layers=[1], settings=LearnSettings(steps=2))
    assert set(direction.vector) == set(affine_layers(G, [1]))
    assert float(sum(part.square().sum() for part in direction.vector.values())) == pytest.approx(1, abs=1e-5)


def test_the_same_seed_gives_the_same_direction(case):
    G, w, classify, scores = case
    a, b = (learned_direction(G, w, classify, scores, 0, settings=LearnSettings(steps=3)) for _ in range(2))
    assert all(torch.equal(a.vector[name], b.vector[name]) for name in a.vector)


def test_a_data_set_gives_a_direction_for_each_label_that_enough_images_have(case, monkeypatch):
    G, w, classify, _ = case
    monkeypatch.setattr(find, "open_dataset", lambda file, use_labels: file)
    monkeypatch.setattr(find, "classifier_of", lambda dataset, device: classify)
    monkeypatch.setattr(find, "learned_direction", partial(learned_direction, settings=LearnSettings(steps=2)))
    found = find.find_directions(G, w, "learned", data="faces.zip")
    assert [direction.name for direction in found] == ["red", "blue"]
    monkeypatch.setattr(classify, "low", classify.low + torch.tensor([100, 0]))  # no image is red
    assert [direction.name for direction in find.find_directions(G, w, "learned", data="faces.zip")] == ["blue"]
    monkeypatch.setattr(classify, "low", classify.low + 100)
    with pytest.raises(ConfigError, match="no label of faces.zip is in some images of this network"):
        find.find_directions(G, w, "learned", data="faces.zip")
    with pytest.raises(ConfigError, match="takes no marked seeds"):
        find.find_directions(G, w, "learned", csv="marks.csv", data="faces.zip")


def test_an_attribute_that_hardly_any_image_has_is_refused(case):
    G, w, classify, scores = case
    with pytest.raises(ConfigError, match="red is learned from images with and without it, at least 4 of each, got 0"):
        learned_direction(G, w, classify, scores * 0, 0)
