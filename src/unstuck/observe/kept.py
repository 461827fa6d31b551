"""The state of a training on disk: kept while it is watched, and put back where a trial begins.

Kept are the weights and buffers of its models, what its optimizers and schedulers have gathered,
and how far learning rates have moved from those that the program names. Generators and the place
in the data are not: a trial goes on from the state with the data from their beginning.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.folders import STATE
from unstuck.observe.events import Listener
from unstuck.observe.identity import ByIdentity
from unstuck.observe.limits import Limits
from unstuck.observe.tensors import all_finite, held_by, observable

MOST_MODELS = 16
FILES = 2  # that are there at a time: the last state may be one that is failing already
EVERY = 100  # steps, at least, from one state to the next,
GROWTH = 8  # and this part of those so far,
SHARE = 0.03  # and so many that keeping takes no larger share of the time
# What a scheduler counts; all else of it is what the program has asked for.
_COUNTED = ("last_epoch", "_step_count", "T_cur", "best", "num_bad_epochs", "cooldown_counter")


class CannotKeep(Exception):
    """The state is nothing that can be kept; the message is a clause after "because"."""


class _Held(Listener):
    """Whatever has a state, numbered in the order in which the training uses it first."""

    def __init__(self) -> None:
        self._models: ByIdentity[nn.Module, int] = ByIdentity()
        self._optimizers: ByIdentity[Optimizer, int] = ByIdentity()
        self._schedulers: ByIdentity[Any, int] = ByIdentity()
        self._named: ByIdentity[Optimizer, list[float]] = ByIdentity()  # rates as they were built
        self._counts = [0, 0, 0]

    def _number(self, known: ByIdentity[Any, int], which: int, thing: Any) -> int | None:
        """The number of what is used for the first time, else None."""
        if thing is None or thing in known:
            return None
        known[thing] = self._counts[which]
        self._counts[which] += 1
        return self._counts[which] - 1

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """See `Events`."""
        self._named[optimizer] = _rates(optimizer)

    def before_call(self, module: nn.Module) -> None:
        """See `Events`."""
        number = self._number(self._models, 0, module)
        if number is not None:
            self._model_used(module, number)

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """See `Events`."""
        number = self._number(self._optimizers, 1, optimizer)
        if number is not None and optimizer is not None:
            self._optimizer_used(optimizer, number)

    def scheduler_steps(self, scheduler: Any) -> None:
        """See `Events`."""
        number = self._number(self._schedulers, 2, scheduler)
        if number is not None:
            self._scheduler_used(scheduler, number)

    def _model_used(self, model: nn.Module, number: int) -> None:
        """A module is called for the first time."""

    def _optimizer_used(self, optimizer: Optimizer, number: int) -> None:
        """An optimizer steps for the first time."""

    def _scheduler_used(self, scheduler: Any, number: int) -> None:
        """A scheduler steps for the first time."""


class Keeper(_Held):
    """Keeps the state now and then, in files of the record's folder, the last two of them.

    A state with a number that is not finite is none to go back to. `timed` says whether a clock may
    be asked.
    """

    def __init__(self, folder: Path, limits: Limits, timed: bool) -> None:
        super().__init__()
        self._folder, self._limits, self._timed = folder, limits, timed
        self._due: float = EVERY
        self._files: list[Path] = []
        self._last = (0, time.monotonic() if timed else 0.0)  # the step at which it was looked at

    def quiet_until(self, step: int) -> float:
        """See `Listener`."""
        return max(self._due, step)

    def step_ended(self, step: int) -> None:
        """See `Events`."""
        if step < self._due:
            return
        began = time.monotonic() if self._timed else 0.0
        try:
            state = self._state()
            if state is not None:
                self._write(state, step + 1)
        except (CannotKeep, OSError) as error:
            says = error.strerror if isinstance(error, OSError) else str(error)
            self._limits.note(f"the state of the training was not kept, because {says}")
            self._due = math.inf
            return
        self._due = step + max(EVERY, step // GROWTH, self._for_time(step, began))

    def _for_time(self, step: int, began: float) -> int:
        """So many steps that what has just been kept takes a small share of their time."""
        if not self._timed:
            return 0
        before, since = self._last
        now = time.monotonic()
        each = max((began - since) / max(step - before, 1), 1e-6)
        self._last = step, now
        return math.ceil((now - began) / SHARE / each)

    def _state(self) -> dict[str, Any] | None:
        """What is to be kept; None if not all of it is finite."""
        models = {number: _tensors(model) for model, number in self._models.items()}
        models = {number: found for number, found in models.items() if found}
        if not models or len(models) > MOST_MODELS:
            raise CannotKeep("no module is trained" if not models else "it has too many models")
        optimizers = {
            number: [_plain(optimizer.state.get(p, {})) for p in held_by(optimizer)]
            for optimizer, number in self._optimizers.items()}
        tensors = [*_tensors_in(models), *_tensors_in(optimizers)]
        if not all(map(all_finite, (each for each in tensors if each.is_floating_point()))):
            return None
        factors = {
            number: [_quotient(now, named) for now, named in zip(
                _rates(optimizer), self._named.get(optimizer) or _rates(optimizer), strict=False)]
            for optimizer, number in self._optimizers.items()}
        schedulers = {number: _counted(each) for each, number in self._schedulers.items()}
        return {"models": models, "optimizers": optimizers, "factors": factors,
                "schedulers": schedulers}

    def _write(self, state: dict[str, Any], step: int) -> None:
        file = self._folder / STATE.format(step)
        beside = file.with_suffix(".tmp")
        try:
            with open(beside, "xb", opener=_for_its_owner) as opened:
                torch.save(state, opened)
            beside.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        self._files.append(file)
        while len(self._files) > FILES:
            self._files.pop(0).unlink()


class Restorer(_Held):
    """Puts a state back before anything of it is used for the first time.

    Settings of optimizers and schedulers stay those of the program, which a change may have made
    others; only what they count and gather is put back.

    Raises:
        SystemExit: at a first use, where the program has other models or optimizers than the one
            whose state it is.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._state = torch.load(file, map_location="cpu", weights_only=True)

    def _model_used(self, model: nn.Module, number: int) -> None:
        known, here = self._state["models"].get(number), _tensors(model)
        if known is None and not here:
            return
        if known is None or {n: t.shape for n, t in known.items()} != {
                n: t.shape for n, t in here.items()}:
            raise SystemExit("the kept state is that of another model")
        with torch.no_grad():
            for name, tensor in here.items():
                tensor.copy_(known[name])

    def _optimizer_used(self, optimizer: Optimizer, number: int) -> None:
        known = self._state["optimizers"].get(number)
        parameters = held_by(optimizer)
        if known is None or len(known) != len(parameters):
            raise SystemExit("the kept state is that of another optimizer")
        if not any(optimizer.state.get(p) for p in parameters):
            for parameter, state in zip(parameters, known, strict=True):
                if state:
                    optimizer.state[parameter] = _moved(state, parameter)
        for group, factor in zip(optimizer.param_groups, self._state["factors"][number],
                                 strict=False):
            group["lr"] = group["lr"] * factor

    def _scheduler_used(self, scheduler: Any, number: int) -> None:
        for name, value in self._state["schedulers"].get(number, {}).items():
            setattr(scheduler, name, value)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# What a state is made of -------------------------------------------------------------------------
def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a model by name."""
    named = [*nn.Module.named_parameters(model, remove_duplicate=False),
             *nn.Module.named_buffers(model, remove_duplicate=False)]
    if not all(observable(each) for _, each in named if each.numel()):
        raise CannotKeep("the weights of a model are not all plain tensors")
    return {name: each.detach() for name, each in named}


def _plain(value: Any) -> Any:
    """What an optimizer has gathered for a parameter, as a file can hold it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        if value.numel() and not observable(value):
            raise CannotKeep("an optimizer gathers tensors that are not plain")
        return value.detach()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if isinstance(key, str)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    raise CannotKeep(f"an optimizer gathers an object of {type(value).__name__}")


def _moved(value: Any, parameter: torch.Tensor) -> Any:
    """The same on the device of a parameter; a count stays where torch has it."""
    if isinstance(value, torch.Tensor):
        return value.clone() if value.dim() == 0 else value.to(parameter.device, copy=True)
    if isinstance(value, dict):
        return {key: _moved(each, parameter) for key, each in value.items()}
    return [_moved(each, parameter) for each in value] if isinstance(value, list) else value


def _tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        if value.numel():
            yield value
    elif isinstance(value, dict | list):
        inside: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for each in inside:
            yield from _tensors_in(each)


def _rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) if isinstance(group.get("lr"), int | float) else math.nan
            for group in optimizer.param_groups]


def _quotient(now: float, named: float) -> float:
    found = now / named if named else math.nan
    return found if math.isfinite(found) else 1.0


def _counted(scheduler: Any) -> dict[str, int | float]:
    known = getattr(scheduler, "__dict__", {})
    return {name: known[name] for name in _COUNTED
            if isinstance(known.get(name), int | float) and not isinstance(known[name], bool)}
