"""`filtered_lrelu` as sums of shifted images, which a compiler fuses into four passes.

Rows are enlarged first, while there are few of them; then columns, with the leaky ReLU; then columns shrink, then rows.
Channels are innermost, so that every pass is a vector loop over them. Sums are float32; what is stored between passes
has the dtype of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops.number_formats import wide
from stylegan.ops.upfirdn2d import phase

# For `torch.compile`: inline these long sums where they are used once, and store them where they are used more often.
COMPILER_OPTIONS = {"realize_reads_threshold": 8, "realize_opcount_threshold": 1000, "realize_acc_reads_threshold": 64}


class ShiftedFilteredLReLU:
    """x [N, C, H, W] -> [N, C, H', W'] float32 as `filtered_lrelu(x, up_filter, down_filter, ..., gain=1)`.

    Args:
        up_filter: [Tu] taps.
        down_filter: [Td] taps, or [Td, Td] symmetric ones, replaced by their separable terms above `tolerance`.
        up, down, slope, clamp: as there.
        pad: (before, after) on both axes.
        tolerance: of the separable terms, relative to the largest.
    """

    def __init__(
        self,
        up_filter: Tensor,
        down_filter: Tensor,
        *,
        up: int,
        down: int,
        pad: tuple[int, int],
        slope: float = 0.2,
        clamp: float | None = None,
        tolerance: float = 1e-6,
    ):
        self.up, self.down, self.pad, self.slope, self.clamp = up, down, pad, slope, clamp
        self.up_taps = (up_filter.flip(0) * up).tolist()
        self.terms = separable_terms(down_filter, tolerance)

    def __call__(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        # [N, H, W, 1, C]: with four dimensions, the compiler would take the second for channels and put rows innermost.
        x = x.permute(0, 2, 3, 1).unsqueeze(3)
        taps = len(self.up_taps) + len(self.terms[0][0])
        height, width = ((n * self.up + sum(self.pad) - taps + 1) // self.down + 1 for n in x.shape[1:3])
        x, rows = self._extend(x, 1)
        x, columns = self._extend(x, 2)
        x = self._enlarge(x, 1, rows)
        x = self._enlarge(x, 2, columns, activate=True)
        sums = []
        for along_columns, along_rows in self.terms:
            narrow = self._shrink(x, 2, width, along_columns).to(dtype)
            sums.append(self._shrink(narrow, 1, height, along_rows))
        return sum(sums[1:], sums[0]).squeeze(3).permute(0, 3, 1, 2)

    def _extend(self, x: Tensor, dim: int) -> tuple[Tensor, list[tuple[int, list[float]]]]:
        """Pad x with the zeros that filtering reaches; also return the first sample and the taps of each phase."""
        size, taps = x.shape[dim], len(self.up_taps)
        enlarged = size * self.up + sum(self.pad) - taps + 1
        phases = []
        for n in range(self.up):
            first, (before, _) = phase(n, self.up, self.pad[0], taps, size, enlarged)
            phases.append((-before, self.up_taps[first :: self.up]))
        start = min(s for s, _ in phases)
        end = max(s + len(t) for s, t in phases) - 1 + -(-enlarged // self.up)
        kept = x.narrow(dim, max(start, 0), min(end, size) - max(start, 0))
        parts = [_zeros(x, dim, -start), kept, _zeros(x, dim, end - size)]
        parts = [part for part in parts if part.shape[dim] > 0]
        # Concatenated, not padded: a compiler would test for the edge in every term of the sums.
        return torch.cat(parts, dim) if len(parts) > 1 else kept, [(s - start, t) for s, t in phases]

    def _enlarge(self, x: Tensor, dim: int, phases: list[tuple[int, list[float]]], activate: bool = False) -> Tensor:
        length = x.shape[dim] - max(s + len(t) for s, t in phases) + 1
        results = []
        for start, taps in phases:
            y = _weighted_sum([x.narrow(dim, start + i, length) for i in range(len(taps))], taps)
            if activate:
                y = F.leaky_relu(y, self.slope)
                y = y.clamp(-self.clamp, self.clamp) if self.clamp is not None else y
            results.append(y.to(x.dtype))
        return torch.stack(results, dim + 1).flatten(dim, dim + 1)

    def _shrink(self, x: Tensor, dim: int, size: int, taps: list[float]) -> Tensor:
        last = self.down * (size - 1) + 1
        met = [x.narrow(dim, k, last).movedim(dim, 0)[:: self.down].movedim(0, dim) for k in range(len(taps))]
        return _weighted_sum(met, taps)


def separable_terms(f: Tensor, tolerance: float) -> list[tuple[list[float], list[float]]]:
    """Return the taps (along columns, along rows) of filters whose sum is `f`: [T], or symmetric [T, T].

    Radial filters need 2 to 4 terms: they are nearly Gaussian, and a Gaussian is both radial and separable.
    """
    if f.ndim == 1:
        return [(f.flip(0).tolist(), f.flip(0).tolist())]
    values, vectors = torch.linalg.eigh(f.cpu().double())
    terms = zip(values.tolist(), vectors.t().flip(1), strict=True)
    largest = values.abs().max().item()
    return [(v.tolist(), (v * value).tolist()) for value, v in terms if abs(value) > tolerance * largest]


def _weighted_sum(xs: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    terms = [wide(x) * weight for x, weight in zip(xs, weights, strict=True)]
    return sum(terms[1:], terms[0])


def _zeros(x: Tensor, dim: int, n: int) -> Tensor:
    return x.new_zeros([max(n, 0) if i == dim else size for i, size in enumerate(x.shape)])
