"""Each seed at several psi."""

import torch
from tiny_generator import tiny_generator

from stylegan.sampling.generate import generate_images
from stylegan.sampling.truncation import truncation_sweep


def test_row_and_column_are_the_seed_at_that_psi():
    G = tiny_generator()
    psis = [-0.7, 0, 0.5, 1, 1.5]
    for cutoff in (None, 2):
        sweep = torch.stack(list(truncation_sweep(G, [4, 9], psis, cutoff=cutoff))).reshape(2, 5, 3, 16, 16)
        for column, psi in enumerate(psis):
            expected = torch.stack(list(generate_images(G, [4, 9], psi=psi, cutoff=cutoff)))
            assert (sweep[:, column].int() - expected.int()).abs().max() <= 1


def test_conditional_networks_are_swept_within_their_class():
    G = tiny_generator(c_dim=2)
    sweep = list(truncation_sweep(G, [4], [1], label=1))
    assert torch.equal(sweep[0], next(generate_images(G, [4], label=1)))
