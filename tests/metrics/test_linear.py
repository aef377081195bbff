"""Logistic regressions reach the minimum of their losses."""

import numpy as np
import torch
import torch.nn.functional as F
from fixed_features import gaussian
from scipy.optimize import minimize

from stylegan.metrics.linear import fit_lasso, fit_ridge

X = gaussian(80, 3) * torch.tensor([1.0, 3, 0.1]) + 2
SCORE = X @ torch.tensor([[1.0], [0.2], [4.0]]) + gaussian(80, 1, seed=2)
Y = (SCORE.median() < SCORE).float()


def standardized():
    x = X.double()
    return (x - x.mean(0)) / x.std(0, correction=0)


def loss(parameters, penalty):
    weight = torch.tensor(parameters, dtype=torch.float64)
    value = F.binary_cross_entropy_with_logits(standardized() @ weight[:3] + weight[3], Y[:, 0].double())
    return float(value) + penalty(np.asarray(parameters[:3]))


def test_ridge_is_the_minimum_that_scipy_finds():
    model = fit_ridge(X, Y, strength=1.0)
    best = minimize(loss, np.zeros(4), (lambda w: (w**2).sum() / 160,), method="BFGS", tol=1e-10)
    assert np.allclose([*model.weight[:, 0], *model.bias], best.x, atol=1e-4)


def test_lasso_is_the_minimum_that_scipy_finds_and_drops_what_does_not_matter():
    model = fit_lasso(X, Y, strength=0.1)
    best = minimize(loss, np.zeros(4), (lambda w: 0.1 * np.abs(w).sum(),), method="Powell", tol=1e-10)
    found = [*model.weight[:, 0].tolist(), *model.bias.tolist()]
    assert loss(found, lambda w: 0.1 * np.abs(w).sum()) <= best.fun + 1e-6
    noise = fit_lasso(gaussian(500, 4), (gaussian(500, 1, seed=3) > 0).float(), strength=0.1)
    assert (noise.weight == 0).all()


def test_attributes_are_fitted_independently():
    both = fit_ridge(X, torch.cat([Y, 1 - Y], 1))
    alone = fit_ridge(X, Y)
    assert torch.allclose(both.weight[:, :1], alone.weight, atol=1e-4)
    assert torch.allclose(both.weight[:, 0], -both.weight[:, 1], atol=1e-4)
