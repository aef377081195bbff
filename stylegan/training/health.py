"""Health of a run, once per tick: non-finite values in its gradients and in its state."""

from __future__ import annotations

import warnings

import torch

from stylegan.errors import NonFiniteError
from stylegan.training.gradient_watch import HealthReport
from stylegan.training.state import TrainingState

MAX_ROLLBACKS = 3  # to one snapshot: what recurs with other random numbers is not chance


def check_health(state: TrainingState) -> HealthReport:
    """Report the non-finite gradients since the last tick and the non-finite state; warn of what was replaced."""
    seen = state.gradients.collect()
    report = HealthReport(seen.gradients, seen.first_steps, seen.lasting, tuple(nonfinite_tensors(state)))
    if state.world.is_main and report.gradients and not report.state:  # else the caller reports both
        warnings.warn(f"not finite, and replaced: {seen}.", RuntimeWarning, stacklevel=3)
    return report


def nonfinite_tensors(state: TrainingState) -> list[str]:
    """Return the names of all tensors of a snapshot that hold NaN or infinity. Waits for the device."""
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


def must_roll_back(report: HealthReport, on_nan: str) -> bool:
    """Return whether training must return to a snapshot.

    Non-finite gradients alone have been replaced. They end a run under "stop" only, and "rollback" returns to a
    snapshot when they last. No policy continues from a non-finite state.

    Raises: NonFiniteError if the run must end.
    """
    if on_nan == "rollback":
        return bool(report.state or report.lasting)
    if report.state or (on_nan == "stop" and report.gradients):
        raise NonFiniteError(
            f"not finite: {report}; the newest snapshot is from before. Resume with `on_nan` rollback, or start a new "
            "run with lower learning rates or `precision` fp32."
        )
    return False


def count_rollback(state: TrainingState, rollbacks: int, report: HealthReport) -> None:
    """Give `state`, which was just loaded from the newest snapshot, random numbers that were not tried before.

    Args:
        rollbacks: number of rollbacks so far.
    Raises: NonFiniteError after `MAX_ROLLBACKS` from the same snapshot.
    """
    if rollbacks - state.rollbacks >= MAX_ROLLBACKS:
        raise NonFiniteError(
            f"not finite: {report}; {MAX_ROLLBACKS} attempts from {state.nimg / 1000:g} kimg ended alike. Start a "
            "new run with lower learning rates or `precision` fp32."
        )
    state.rollbacks = rollbacks + 1
    if state.world.is_main:
        message = f"not finite: {report}; resuming from {state.nimg / 1000:g} kimg with other random numbers."
        warnings.warn(message, RuntimeWarning, stacklevel=3)
