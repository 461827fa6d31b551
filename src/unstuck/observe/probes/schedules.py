"""Learning rate schedules: where they are made and stepped, and the values that they watch."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import torch

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.optimizers import Scheduler
from unstuck.schema.signals.losses import SCHEDULER_CALLS, WATCHED_BY_SCHEDULE

MOST_NAMED = 100  # schedulers of a kind that are written
MOST_WATCHED = 256  # values of a scheduler that are all written; then the powers of two


class ScheduleProbe(Probe):
    """Looks at learning rate schedules."""

    signals = (SCHEDULER_CALLS, WATCHED_BY_SCHEDULE)
    facts = (Scheduler,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._schedulers: ByIdentity[Any, str] = ByIdentity()
        self._built: ByIdentity[Any, tuple[Site | None]] = ByIdentity()
        self._kinds: dict[str, int] = {}
        self._watched: dict[str, int] = {}  # values that each was given

    def follow(self, before: Self) -> None:
        """Schedules may have been built before."""
        self._built = before._built

    def scheduler_built(self, scheduler: Any) -> None:
        """Notes where a scheduler is constructed."""
        self._built[scheduler] = (self._sites.here(scheduler),)

    def scheduler_steps(self, scheduler: Any) -> None:
        """Writes the scheduler when the program calls its `step` for the first time."""
        if scheduler in self._schedulers:
            return
        kind = type(scheduler).__name__
        if self._kinds.get(kind, 0) >= MOST_NAMED:
            self._schedulers[scheduler] = f"{kind}-{MOST_NAMED}"
            return
        name = self._schedulers[scheduler] = numbered(self._kinds, kind)
        mode = getattr(scheduler, "mode", None)
        self._writer.fact(Scheduler(
            name, kind, self._parameters.name_of(getattr(scheduler, "optimizer", None)),
            self._sites.location((self._built.get(scheduler) or (None,))[0]),
            self._sites.location(self._sites.here()),
            _length(scheduler), _target(scheduler), mode if mode in ("min", "max") else None,
        ), self._moment.step)

    def scheduler_watches(self, scheduler: Any, value: Any) -> None:
        """Writes a value by which a scheduler decides."""
        name = self._schedulers.get(scheduler)
        if name is None or not (isinstance(value, Real) or (  # NumPy's numbers, too
                is_plain(value) and value.numel() == 1)):
            return
        number = self._watched[name] = self._watched.get(name, 0) + 1
        if number <= MOST_WATCHED or number & (number - 1) == 0:
            given = value.detach().clone() if isinstance(value, torch.Tensor) else float(value)
            self._later.sample(WATCHED_BY_SCHEDULE, self._moment.step, {name: given})

    def look_ended(self, step: int) -> None:
        """Writes how often each has stepped."""
        calls = {}
        for scheduler, name in self._schedulers.items():
            count = getattr(scheduler, "last_epoch", None)
            if isinstance(count, int | float):
                calls[name] = float(count)
        self._writer.sample(SCHEDULER_CALLS, step, calls)


def _length(scheduler: Any) -> int | None:
    """How many of its steps a schedule is made for, or apart its changes lie."""
    for name in ("total_steps", "total_iters", "T_max", "T_0", "step_size", "patience"):
        value = getattr(scheduler, name, None)
        if isinstance(value, int) and value > 0:
            return value
    milestones = getattr(scheduler, "milestones", None)
    return max(milestones, default=None) if milestones else None


def _target(scheduler: Any) -> float | None:
    """The highest learning rate that a schedule is meant to reach, as far as it says."""
    groups = getattr(getattr(scheduler, "optimizer", None), "param_groups", None) or []
    peaks = getattr(scheduler, "max_lrs", None) or [g.get("max_lr") for g in groups]
    rates = [r for r in peaks if isinstance(r, int | float)]
    rates = rates or [
        float(r) for r in getattr(scheduler, "base_lrs", None) or [] if isinstance(r, int | float)]
    return float(max(rates)) if rates else None
