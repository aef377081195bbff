"""`torch.func` on the networks of every generation, to second derivatives."""

import torch
from golden import R
from tiny_generations import EVERY_GENERATION, discriminator, generator
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp
from torch.testing import assert_close


def drawer(name):
    """Return the synthesis of a float64 network as a function of ws, and some ws."""
    G = generator(name).double()
    return G, lambda ws: G.synthesis(ws, noise_mode="const"), G.mapping(R(1, [2, 8]))


@EVERY_GENERATION
def test_first_derivatives_are_those_of_autograd(name):
    _, draw, ws = drawer(name)
    along, img = torch.randn_like(ws), draw(ws)
    assert_close(jvp(draw, (ws,), (along,))[1], torch.autograd.functional.jvp(draw, ws, along)[1])
    back = torch.randn_like(img)
    assert_close(vjp(draw, ws)[1](back)[0], torch.autograd.functional.vjp(draw, ws, back)[1])
    colors = lambda w: draw(w[None])[0].mean((1, 2))  # noqa: E731
    expected = torch.autograd.functional.jacobian(colors, ws[0])
    assert_close(jacrev(colors)(ws[0]), expected)
    assert_close(jacfwd(colors)(ws[0]), expected)


@EVERY_GENERATION
def test_second_derivatives_are_those_of_autograd(name):
    G, _, ws = drawer(name)

    def energy(v):
        return G.synthesis(torch.cat([v, ws[0, 0, 2:]]).expand(1, G.num_ws, -1), noise_mode="const").square().mean()

    v = ws[0, 0, :2]
    expected = torch.autograd.functional.hessian(energy, v)
    assert_close(hessian(energy)(v), expected)
    assert_close(jacrev(jacrev(energy))(v), expected)
    assert_close(grad(lambda v: grad(energy)(v).sum())(v), expected.sum(0))


@EVERY_GENERATION
def test_a_batch_by_vmap_is_an_ordinary_batch(name):
    G, draw, ws = drawer(name)
    assert_close(torch.vmap(lambda w: draw(w[None])[0])(ws), draw(ws))
    stacked = {key: torch.stack([p, 2 * p]) for key, p in G.synthesis.named_parameters()}
    options = {"noise_mode": "const"}
    networks = torch.vmap(lambda p: functional_call(G.synthesis, p, (ws,), options))(stacked)
    assert_close(networks[0], draw(ws))


@EVERY_GENERATION
def test_gradients_for_the_weights_can_be_taken_image_by_image(name):
    G, _, ws = drawer(name)
    parameters = dict(G.synthesis.named_parameters())

    def energy(parameters, w):
        return functional_call(G.synthesis, parameters, (w[None],), {"noise_mode": "const"}).square().mean()

    each = torch.vmap(grad(energy), in_dims=(None, 0))(parameters, ws)
    for i, w in enumerate(ws):
        for key, expected in grad(energy)(parameters, w).items():
            assert_close(each[key][i], expected)


@EVERY_GENERATION
def test_the_mapping_has_a_jacobian_and_a_hessian(name):
    G, _, _ = drawer(name)
    z, first = R(1, [1, 8]).double(), lambda z: G.mapping(z)[:, 0]
    assert_close(jacrev(first)(z), torch.autograd.functional.jacobian(first, z))
    length = lambda z: first(z)[:, :2].pow(3).sum()  # noqa: E731
    assert_close(hessian(length)(z), torch.autograd.functional.hessian(length, z))


@EVERY_GENERATION
def test_the_discriminator_has_the_gradients_of_r1(name):
    D, img = discriminator(name).double(), R(3, [4, 3, 16, 16]).double()

    def score(img):
        return D(img).sum()

    def penalty(img):
        return grad(score)(img).square().sum()

    x = img.clone().requires_grad_()
    (slope,) = torch.autograd.grad(score(x), x, create_graph=True)
    assert_close(grad(score)(img), slope)
    (expected,) = torch.autograd.grad(slope.square().sum(), x, retain_graph=True)
    assert_close(grad(penalty)(img), expected)
    (along,) = torch.autograd.grad((slope * 1.5).sum(), x)
    assert_close(jvp(grad(score), (img,), (torch.full_like(img, 1.5),))[1], along)
    assert_close(torch.vmap(D)(torch.stack([img, img / 2])), torch.stack([D(img), D(img / 2)]))
