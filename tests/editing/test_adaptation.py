"""Domain adaptation: a copy of a network that draws the domain of a text or of a few images."""

import pytest
import torch
from text_stand_in import color_model
from tiny_generator import tiny_generator

from stylegan.editing.adaptation import (
    AdaptSettings,
    Domain,
    adapt,
    domain_of_images,
    domain_of_text,
    responsive_rows,
    trainable_rows,
)
from stylegan.errors import ConfigError, ShapeError
from stylegan.inversion.pivotal import load_delta, save_delta
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks import progan
from stylegan.sampling.generate import generate
from stylegan.sampling.latent import space_of

SHORT = AdaptSettings(steps=25)


@pytest.fixture(scope="module")
def G():
    return tiny_generator()


@pytest.fixture(scope="module")
def model():
    return color_model()


def redness(G):
    images = generate(G, range(16)).float()
    return float(images[:, 0].mean() - images[:, 1:].mean())


def blue_images(count):
    images = torch.zeros(count, 3, 16, 16, dtype=torch.uint8)
    images[:, 2] = 200
    return images


def test_a_text_adapts_a_copy_and_leaves_the_network_and_its_latent_space(G, model):
    before, seen = redness(G), []
    adapted = adapt(
        G, domain_of_text(model, "red", "blue"), settings=SHORT, watch=lambda step, loss: seen.append((step, loss))
    )
    assert redness(adapted) > before + 20
    assert redness(G) == before
    assert space_of(adapted) == space_of(G)
    assert not any(p.requires_grad for p in [*adapted.parameters(), *G.parameters()])
    assert [step for step, _ in seen] == list(range(25))
    assert seen[-1][1] < 0.5 < seen[0][1]
    again = adapt(G, domain_of_text(model, "red", "blue"), settings=SHORT)
    assert all(torch.equal(a, b) for a, b in zip(adapted.parameters(), again.parameters(), strict=True))


def test_a_few_images_adapt_without_text(G, model):
    adapted = adapt(G, domain_of_images(G, model.encode_images, blue_images(3)), settings=SHORT)
    blue = [float(generate(network, range(16)).float()[:, 2].mean()) for network in (G, adapted)]
    assert blue[1] > blue[0] + 7


def test_the_direction_of_images_begins_at_the_mean_features_of_the_network(G, model):
    domain = domain_of_images(G, model.encode_images, blue_images(4))
    own = torch.cat([model.encode_images(G.synthesis(random_ws(G, None, 256), noise_mode="const"))]).mean(0)
    target = model.encode_images(blue_images(1).float() / 127.5 - 1)[0]
    assert torch.allclose(domain.direction, torch.nn.functional.normalize(target - own, dim=0), atol=1e-4)
    assert torch.allclose(domain.target, target, atol=1e-5)


def test_layers_that_would_move_images_most_are_trained_and_colors_are_read_as_before(G, model):
    rows = trainable_rows(G)
    named = {id(p): name for name, p in G.synthesis.named_parameters()}
    assert not any("torgb" in named[id(p)] for part in rows.values() for p in part)
    domain = domain_of_text(model, "red", "blue")
    ws = random_ws(G, None, 8)
    ranked = responsive_rows(G, domain, ws, list(rows))
    moved = ws.clone().requires_grad_()
    sgd = torch.optim.SGD([moved], lr=0.01)  # the step of the paper
    (1 - model.encode_images(G.synthesis(moved, noise_mode="const")) @ domain.target).mean().backward()
    sgd.step()
    change = (moved - ws).abs().mean((0, 2)).detach()
    assert ranked == sorted(rows, key=lambda row: -float(change[row]))
    adapted = adapt(G, domain, settings=AdaptSettings(steps=1, layers_per_step=2))
    old = dict(G.synthesis.named_parameters())
    changed = {name for name, p in adapted.synthesis.named_parameters() if not torch.equal(p, old[name])}
    assert changed <= {named[id(p)] for row in rows for p in rows[row]}
    touched = {row for row in rows if any(named[id(p)] in changed for p in rows[row])}
    assert len(touched) == 2


def test_a_delta_gives_the_adapted_network_back(G, model, tmp_path):
    adapted = adapt(G, domain_of_text(model, "red"), settings=AdaptSettings(steps=3))
    save_delta(adapted, G, tmp_path / "adapted.safetensors")
    again = load_delta(G, tmp_path / "adapted.safetensors")
    difference = generate(again, range(4)).int() - generate(adapted, range(4)).int()
    assert difference.abs().max() <= 2


def test_what_cannot_be_adapted_gets_one_sentence(G, model):
    with pytest.raises(ConfigError, match="adaptation needs 3 images or more, .* got 2"):
        domain_of_images(G, model.encode_images, blue_images(2))
    with pytest.raises(ShapeError, match="targets are uint8"):
        domain_of_images(G, model.encode_images, blue_images(3)[:, :, :8])
    with pytest.raises(ConfigError, match="at least one word"):
        domain_of_text(model, "")
    domain = Domain(model.encode_images, torch.zeros(4), torch.zeros(4))
    with pytest.raises(ConfigError, match="`layers_per_step` is from 1 to that, got 9"):
        adapt(G, domain, settings=AdaptSettings(layers_per_step=9))
    with pytest.raises(ConfigError, match="no affine layers"):
        adapt(progan.Generator(16, 0, 16, 3, channel_base=64, channel_max=16), domain)
