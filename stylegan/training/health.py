"""Whether a run is fit to go on: once a tick, what was not finite in gradients, and what is in the state."""

from __future__ import annotations

import warnings

import torch

from stylegan.errors import NonFiniteError
from stylegan.training.gradient_watch import HealthReport
from stylegan.training.state import TrainingState

MAX_ROLLBACKS = 3  # from one snapshot: what comes back with other random numbers has another cause than chance


def examine(state: TrainingState) -> HealthReport:
    """What was not finite since the last tick, in gradients and now in the state; warns of what was replaced."""
    seen = state.gradients.collect()
    report = HealthReport(seen.gradients, seen.first_steps, seen.lasting, tuple(nonfinite_tensors(state)))
    if state.world.is_main and report.gradients and not report.state:  # else that is told, with more
        warnings.warn(f"not finite, and replaced: {seen}.", RuntimeWarning, stacklevel=3)
    return report


def nonfinite_tensors(state: TrainingState) -> list[str]:
    """Names of all tensors of a snapshot that hold NaN or infinity. Waits for the device."""
    tensors = {"pl_mean": state.pl_mean}
    for label, network, optimizer in (("G", state.G, state.G_opt), ("D", state.D, state.D_opt)):
        tensors |= {f"{label}.{name}": tensor for name, tensor in network.state_dict().items()}
        for name, parameter in network.named_parameters():
            moments = optimizer.state.get(parameter, {})
            tensors |= {f"{label}_opt.{name}.{key}": moment for key, moment in moments.items()}
    tensors |= {f"G_ema.{name}": tensor for name, tensor in state.G_ema.state_dict().items()}
    # the sum of a tensor is finite only if all of it is
    finite = torch.stack([tensor.sum().to(state.device, torch.float32) for tensor in tensors.values()]).isfinite()
    return [name for name, fine in zip(tensors, finite.tolist(), strict=True) if not fine]


def must_leave(report: HealthReport, on_nan: str) -> bool:
    """Whether training has to go back to a snapshot; raises NonFiniteError where it has to end.

    Bad values in gradients alone are replaced, and end a run under "stop" only; "rollback" goes back when they last.
    No policy goes on with a state that is not finite.
    """
    if on_nan == "rollback":
        return bool(report.state or report.lasting)
    if report.state or (on_nan == "stop" and report.gradients):
        raise NonFiniteError(
            f"not finite: {report}; the newest snapshot is from before. Resume with `on_nan` rollback, or start a "
            "new run with a lower learning rate or with `precision` fp32."
        )
    return False


def count_rollback(state: TrainingState, rollbacks: int, report: HealthReport) -> None:
    """Give `state`, which is again that of the newest snapshot, other random numbers than before.

    Args:
        rollbacks: that there were so far.
    Raises: NonFiniteError if the same snapshot was tried often enough.
    """
    if rollbacks - state.rollbacks >= MAX_ROLLBACKS:
        raise NonFiniteError(
            f"not finite: {report}; {MAX_ROLLBACKS} new beginnings at {state.nimg / 1000:g} kimg ended alike. "
            "Lower the learning rates `g_lr` and `d_lr`, or set `precision` to fp32."
        )
    state.rollbacks = rollbacks + 1
    if state.world.is_main:
        message = f"not finite: {report}; going on from {state.nimg / 1000:g} kimg with other random numbers."
        warnings.warn(message, RuntimeWarning, stacklevel=3)
