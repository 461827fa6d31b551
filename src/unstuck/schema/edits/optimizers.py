"""Changes of optimizers: their arguments and parameters, gradients, schedules."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import BY_HAND
from unstuck.words import count, number

_ARGUMENTS = {"lr": "learning rate", "weight_decay": "weight decay"}


def _class(optimizer: str) -> str:
    """The class of an optimizer of the record: SGD of SGD-2."""
    return optimizer.partition("-")[0]


@dataclass(frozen=True, slots=True)
class OptimizerArgument(Edit):
    """Another value for one argument of an optimizer, e.g. its learning rate."""

    optimizer: str
    argument: str
    value: float

    def words(self) -> str:
        argument = _ARGUMENTS.get(self.argument, self.argument)
        return f"set the {argument} of {self.optimizer} to {number(self.value)}"

    def code(self) -> str:
        return f"{_class(self.optimizer)}(..., {self.argument}={literal(self.value)})"


@dataclass(frozen=True, slots=True)
class GroupRate(Edit):
    """Another learning rate for one parameter group of an optimizer, counted from 0."""

    optimizer: str
    group: int
    value: float

    def words(self) -> str:
        return (f"set the learning rate of parameter group {self.group} of {self.optimizer} to "
                f"{number(self.value)}")

    def code(self) -> str:
        return f"optimizer.param_groups[{self.group}]['lr'] = {literal(self.value)}"


@dataclass(frozen=True, slots=True)
class ParametersToOptimizer(Edit):
    """Register parameters with an optimizer."""

    optimizer: str
    parameters: tuple[str, ...]
    expression: str  # what the user would add, e.g. "decoder.parameters()"
    instead: bool = False  # in the place of those that it has
    unit: str = ""  # the layer that was put in the place of another later on, if one was

    def words(self) -> str:
        return f"register {self.expression} with {self.optimizer}"

    def code(self) -> str:
        return f"optimizer.add_param_group({{'params': {self.expression}}})"


@dataclass(frozen=True, slots=True)
class ZeroGrad(Edit):
    """Clear the gradients before each backward pass: an optimizer's, or those used by hand.

    `early` says that something clears them before the step has used them: that is moved.
    """

    optimizer: str
    early: bool = False

    def words(self) -> str:
        whose = "" if self.optimizer == BY_HAND else f" of {self.optimizer}'s parameters"
        return f"clear the gradients{whose} before each backward pass" + (
            ", not after it" * self.early)

    def code(self) -> str:
        holder = "model" if self.optimizer == BY_HAND else "optimizer"
        return f"{holder}.zero_grad()  # before loss.backward()" + ", not after it" * self.early


@dataclass(frozen=True, slots=True)
class Clip(Edit):
    """Clip the gradient's total norm before each step; what clips already gets this limit."""

    limit: float

    def words(self) -> str:
        return f"clip the norm of the gradient at {number(self.limit)}"

    def code(self) -> str:
        return f"torch.nn.utils.clip_grad_norm_(model.parameters(), {literal(self.limit)})"


@dataclass(frozen=True, slots=True)
class Schedule(Edit):
    """A learning rate that changes over the steps."""

    name: str
    steps: int

    def words(self) -> str:
        return f"schedule the learning rate with {self.name} over {count(self.steps, 'step')}"

    def code(self) -> str:
        return f"# schedule the learning rate: {self.name} over {self.steps} steps"


@dataclass(frozen=True, slots=True)
class RemoveClip(Edit):
    """Leave out a call that clips gradients."""

    at: SourceLocation | None

    def words(self) -> str:
        return "leave out the clipping of the gradient"

    def code(self) -> str:
        return "# without clipping"


@dataclass(frozen=True, slots=True)
class SwapOptimizer(Edit):
    """Another class of optimizer over the same parameters, with a learning rate of its own."""

    optimizer: str
    by: str  # a class of torch.optim
    rate: float

    def words(self) -> str:
        return f"use {self.by} with a learning rate of {number(self.rate)}"

    def code(self) -> str:
        return f"torch.optim.{self.by}(model.parameters(), lr={literal(self.rate)})"


@dataclass(frozen=True, slots=True)
class MoveSchedulerStep(Edit):
    """Call a scheduler's `step` once per epoch, or once per batch."""

    scheduler: str  # its name in the record
    per: str  # "epoch" or "batch"

    def words(self) -> str:
        return f"call scheduler.step() once per {self.per}"

    def code(self) -> str:
        place = ("after the loop over batches" if self.per == "epoch"
                 else "after each optimizer.step()")
        return f"scheduler.step()  # {place}"


@dataclass(frozen=True, slots=True)
class RemoveSchedule(Edit):
    """Leave out a scheduler's step, so that the learning rate stays."""

    scheduler: str  # its name in the record

    def words(self) -> str:
        return "keep the learning rate as it is at the start"

    def code(self) -> str:
        return "# without scheduler.step()"


@dataclass(frozen=True, slots=True)
class KeepRate(Edit):
    """Leave out a statement that sets the learning rate by hand. `at` is that statement."""

    at: SourceLocation | None

    def words(self) -> str:
        return "keep the learning rate as it is at the start"

    def code(self) -> str:
        return "# without the statement that sets the learning rate"


@dataclass(frozen=True, slots=True)
class DivideSchedule(Edit):
    """Divide the factors that a schedule's own function returns."""

    scheduler: str  # its name in the record
    by: float  # the largest factor, so that the learning rate reaches the optimizer's

    def words(self) -> str:
        return (f"divide the schedule's factors by {literal(self.by)}, so that they reach 1 and "
                "the learning rate the optimizer's")

    def code(self) -> str:
        return f"LambdaLR(optimizer, lambda step: factor(step) / {literal(self.by)})"


@dataclass(frozen=True, slots=True)
class CapSchedule(Edit):
    """Let the factors that a schedule's own function returns end at 1."""

    scheduler: str  # its name in the record

    def words(self) -> str:
        return "let the schedule's factors end at 1"

    def code(self) -> str:
        return "LambdaLR(optimizer, lambda step: min(1.0, factor(step)))"


@dataclass(frozen=True, slots=True)
class KeepBuffer(Edit):
    """Let a hand-written optimizer keep its running mean from step to step.

    `at` is the statement that updates a weight.
    """

    at: SourceLocation | None

    def words(self) -> str:
        return "keep the running mean of the gradients from step to step"

    def code(self) -> str:
        return 'v = self.state[p].setdefault("v", torch.zeros_like(p))'


@dataclass(frozen=True, slots=True)
class ScheduleArgument(Edit):
    """Another argument of a scheduler."""

    scheduler: str  # its name in the record
    argument: str
    value: str  # as Python code

    def words(self) -> str:
        return f"set the {self.argument} of {self.scheduler} to {self.value}"

    def code(self) -> str:
        return f"{self.argument}={self.value}"


@dataclass(frozen=True, slots=True)
class WidenWeights(Edit):
    """Keep weights and data of a type of 16 bits ("bfloat16") in float32; autocast stays."""

    dtype: str

    def words(self) -> str:
        return f"use float32 in the place of {self.dtype}"

    def code(self) -> str:
        return "model = model.float()"
