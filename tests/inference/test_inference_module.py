"""The form for inference is a proper module: copies, pickles, replicas, empty batches, and a state that is refused."""

import copy
import pickle

import pytest
import torch
from golden import R
from tiny_generations import EVERY_GENERATION, generator, shared_generator

from stylegan.errors import CheckpointError

Z = R(1, [3, 8])
EVERY_FORM = pytest.mark.parametrize("compile", [False, True])


def drawn(G, z=Z):
    return G(z, truncation_psi=0.7, noise_mode="const")


@pytest.fixture
def traced(monkeypatch):
    """Compile for real, but to a graph that is interpreted, which takes no minute."""
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **_: compile(function, backend="eager", dynamic=False))
    yield
    torch._dynamo.reset()


def doubled(form):
    for buffer in form.synthesis.buffers():
        buffer.mul_(2)
    return form


@pytest.mark.parametrize(
    ("name", "compile"),
    [(name, False) for name in ("progan", "stylegan1", "stylegan2", "stylegan3", "r3gan")]
    + [("progan", True), ("stylegan2", True)],
)
def test_a_copy_draws_with_its_own_weights_also_when_it_is_compiled(name, compile, traced):
    form = shared_generator(name).for_inference(compile=compile)
    img = drawn(form)
    for other in (copy.deepcopy(form), pickle.loads(pickle.dumps(form))):
        assert torch.equal(drawn(other), img)
        assert not torch.equal(drawn(doubled(other)), img)
    assert torch.equal(drawn(form), img)


@EVERY_GENERATION
def test_replicas_draw_with_the_tensors_that_they_are_given(name):
    """Build a replica in the way of DataParallel: its tensors are replaced one by one."""
    form = shared_generator(name).for_inference()
    replica = form.synthesis._replicate_for_data_parallel()
    ws = form.mapping(Z)
    assert torch.equal(replica(ws, noise_mode="const"), form.synthesis(ws, noise_mode="const"))
    if replica._buffers.get("basis") is not None:
        replica.basis = replica.basis * 2
        assert not torch.equal(replica(ws, noise_mode="const"), form.synthesis(ws, noise_mode="const"))


@EVERY_GENERATION
@EVERY_FORM
def test_an_empty_batch_gives_an_empty_batch(name, compile, traced):
    G = shared_generator(name)
    for network in (G, G.for_inference(compile=compile)):
        assert drawn(network, Z[:0]).shape == (0, 3, 16, 16)


@EVERY_GENERATION
def test_loading_weights_is_refused_with_the_remedy(name):
    form = shared_generator(name).for_inference()
    for module in (form, form.synthesis):
        with pytest.raises(CheckpointError, match="load them into the network that it was made from"):
            module.load_state_dict(module.state_dict())


@pytest.mark.parametrize(("name", "learned"), [("stylegan2", "noise_strength"), ("stylegan3", "magnitude_ema")])
def test_everything_that_was_learned_is_a_tensor_of_the_form(name, learned):
    G = generator(name)
    before = list(G.for_inference().state_dict().values())
    next(value for key, value in G.state_dict().items() if key.endswith(learned)).mul_(2)
    after = G.for_inference().state_dict().values()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_rest_of_the_images_is_filled_up_so_that_nothing_compiles_again(monkeypatch):
    sizes = []

    def compile(function, **_):
        def call(form, *inputs, **options):
            sizes.append(inputs[0].shape[0])
            return function(form, *inputs, **options)

        return call

    monkeypatch.setattr(torch, "compile", compile)
    G = shared_generator("r3gan")
    form = G.for_inference(compile=True)
    for z in (Z, Z[:1], Z[:2]):
        torch.testing.assert_close(drawn(form, z), drawn(G, z), rtol=1e-4, atol=1e-4)
    assert sizes == [3, 3, 3]


@pytest.mark.parametrize("name", ["minimal", "r3gan"])
def test_a_form_is_exported_with_a_free_batch(name):
    class Draw(torch.nn.Module):
        def __init__(self, G):
            super().__init__()
            self.G = G

        def forward(self, z):
            return self.G(z, noise_mode="const")

    form = shared_generator(name).for_inference()
    program = torch.export.export(Draw(form), (Z,), dynamic_shapes={"z": {0: torch.export.Dim("N", min=1, max=64)}})
    torch.testing.assert_close(program.module()(Z[:2]), form(Z[:2], noise_mode="const"))
