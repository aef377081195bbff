"""Hinge loss. Lim and Ye 2017."""

import torch

from stylegan.losses import hinge


def test_values():
    logits = torch.tensor([[-2.0], [-1.0], [0.0], [0.5], [3.0]])
    assert hinge.generator_loss(logits).flatten().tolist() == [2, 1, 0, -0.5, -3]
    assert hinge.discriminator_loss_fake(logits).flatten().tolist() == [0, 0, 1, 1.5, 4]
    assert hinge.discriminator_loss_real(logits).flatten().tolist() == [3, 2, 1, 0.5, 0]
