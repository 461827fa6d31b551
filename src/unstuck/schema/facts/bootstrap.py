"""Networks that values of next states come from, and targets that are made of them."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class TargetNetwork(Fact):
    """A network of the same shape as one that is trained, which gives the values of targets.

    `location` is where it was copied or built, `call` where it is called, `online_call` where the
    trained one is. `equal` says that both had the same weights when it was first seen, before step
    `since`.
    """

    name: str
    kind: str
    location: SourceLocation | None
    call: SourceLocation | None
    online_call: SourceLocation | None
    equal: bool
    since: int = 0


@dataclass(frozen=True, slots=True)
class SelfLoad(Fact):
    """A call that loads the state dict of a module into that very module, while it is trained.

    `alias` is the expression that gave the module a second name, if there is one.
    """

    name: str
    kind: str
    location: SourceLocation | None
    alias: SourceLocation | None
    times: int
    step: int


@dataclass(frozen=True, slots=True)
class BootstrappedTarget(Fact):
    """Targets that are a reward plus `discount` times a value of the next state.

    `ends` is the variable that marks ends of episodes, None if none was found. It marks them by 0
    if it is `inverse`. `location` is the expression that makes the targets, else the loss.
    `type` is "float32" or "bool" where the variable is a tensor in the shape of the targets, "list"
    where it is a list, tuple or array with as many numbers, "column" where they are a column.
    `silent` is a variable for ends that marks none in this batch.
    """

    name: str
    location: SourceLocation | None
    discount: float
    ends: str | None
    inverse: bool = False
    type: str = ""
    silent: str = ""


@dataclass(frozen=True, slots=True)
class SummedPastEnds(Fact):
    """Returns or advantages that are summed up backwards over the steps of a trajectory.

    At `told` ends of episodes it tells whether the sum holds what comes after the end. What it
    holds there is the value of the next state, by the expression `values`, the sum of the next
    step, by `sums`, or both; None where it is masked or not found. `location` is the one to look
    at. `ends` is the variable that marks ends, by 0 if it is `inverse`, `mark` how it is written
    for one step where the sum is made, and `is_bool` says that it is a tensor of truth values.
    """

    name: str
    location: SourceLocation | None
    values: SourceLocation | None
    sums: SourceLocation | None
    ends: str
    mark: str
    is_bool: bool
    inverse: bool
    told: int
