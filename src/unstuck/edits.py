"""The closed set of changes to a training program, as pure data with their words and code.

Nothing here touches a program: a trial applies an edit, a patch writes it. What no edit can
express is advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from unstuck.words import number


class Safety(StrEnum):
    """What applying a remedy risks."""

    SAFE = "safe"  # repairs the program; what it means to compute stays the same
    CHANGES_EXPERIMENT = "changes the experiment"
    ADVICE = "advice"  # no program can try it


def literal(value: float) -> str:
    """A number as one would type it in code: 0.001, 3e-05, 256."""
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to the training program."""

    kind: ClassVar[str]

    def words(self) -> str:
        """The change in plain words, an imperative without full stop."""
        raise NotImplementedError

    def code(self) -> str:
        """The change as code that a user could write."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class OptimizerArgument(Edit):
    """Another value for one argument of an optimizer, e.g. its rate."""

    kind: ClassVar[str] = "optimizer-argument"
    optimizer: str
    argument: str
    value: float

    def words(self) -> str:
        return f"set {self.argument} of {self.optimizer} to {number(self.value)}"

    def code(self) -> str:
        return f"{self.optimizer}(..., {self.argument}={literal(self.value)})"


@dataclass(frozen=True, slots=True)
class SwapOptimizer(Edit):
    """Another optimizer in place of one."""

    kind: ClassVar[str] = "swap-optimizer"
    optimizer: str
    by: str
    learning_rate: float

    def words(self) -> str:
        return f"use {self.by} in place of {self.optimizer}"

    def code(self) -> str:
        return f"{self.by}(model.parameters(), lr={literal(self.learning_rate)})"


@dataclass(frozen=True, slots=True)
class ParametersToOptimizer(Edit):
    """Give parameters to an optimizer that does not hold them."""

    kind: ClassVar[str] = "parameters-to-optimizer"
    optimizer: str
    parameters: tuple[str, ...]
    expression: str  # what the user would add, e.g. "decoder.parameters()"

    def words(self) -> str:
        return f"pass {self.expression} to {self.optimizer}"

    def code(self) -> str:
        return f"optimizer.add_param_group({{'params': {self.expression}}})"


@dataclass(frozen=True, slots=True)
class ReplaceLayer(Edit):
    """Another layer in place of each layer of a kind, or of one named layer."""

    kind: ClassVar[str] = "replace-layer"
    layer: str
    by: str

    def words(self) -> str:
        return f"replace {self.layer} by {self.by}"

    def code(self) -> str:
        return f"nn.{self.by}"


@dataclass(frozen=True, slots=True)
class InsertLayer(Edit):
    """A new layer after a named one."""

    kind: ClassVar[str] = "insert-layer"
    after: str
    layer: str

    def words(self) -> str:
        return f"insert {self.layer} after {self.after}"

    def code(self) -> str:
        return f"nn.{self.layer}"


@dataclass(frozen=True, slots=True)
class RemoveLayer(Edit):
    """Leave out a layer, or a function applied in the forward pass."""

    kind: ClassVar[str] = "remove-layer"
    layer: str

    def words(self) -> str:
        return f"remove {self.layer}"

    def code(self) -> str:
        return f"# without {self.layer}"


@dataclass(frozen=True, slots=True)
class InitialiseLayer(Edit):
    """Initialise the weights of layers anew; biases become 0."""

    kind: ClassVar[str] = "initialise-layer"
    layer: str
    scheme: str  # "kaiming_normal_", "xavier_uniform_", ...

    def words(self) -> str:
        return f"initialise {self.layer} with {self.scheme}, biases with 0"

    def code(self) -> str:
        return f"nn.init.{self.scheme}({self.layer}.weight); nn.init.zeros_({self.layer}.bias)"


@dataclass(frozen=True, slots=True)
class NormaliseInputs(Edit):
    """Standardise what the model's first layer receives, by statistics of the training data."""

    kind: ClassVar[str] = "normalise-inputs"

    def words(self) -> str:
        return "subtract the training data's mean from each feature and divide by its deviation"

    def code(self) -> str:
        return "x = (x - x_train.mean(0)) / x_train.std(0).clamp_min(1e-8)"


@dataclass(frozen=True, slots=True)
class NormaliseTargets(Edit):
    """Standardise the targets of a regression, by statistics of the training data."""

    kind: ClassVar[str] = "normalise-targets"

    def words(self) -> str:
        return "subtract the training targets' mean and divide by their deviation"

    def code(self) -> str:
        return "y = (y - y_train.mean(0)) / y_train.std(0)  # undo it for predictions"


@dataclass(frozen=True, slots=True)
class LossForm(Edit):
    """Another form of the loss: another function, or the same in a stable or fitting form."""

    kind: ClassVar[str] = "loss-form"
    by: str
    reason: str

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return self.by


@dataclass(frozen=True, slots=True)
class Clip(Edit):
    """Clip the gradient's total norm before each step."""

    kind: ClassVar[str] = "clip"
    limit: float

    def words(self) -> str:
        return f"clip the gradient's norm at {number(self.limit)}"

    def code(self) -> str:
        return f"torch.nn.utils.clip_grad_norm_(model.parameters(), {literal(self.limit)})"


@dataclass(frozen=True, slots=True)
class ZeroGrad(Edit):
    """Clear the gradients before each backward."""

    kind: ClassVar[str] = "zero-grad"
    optimizer: str

    def words(self) -> str:
        return f"clear the gradients that {self.optimizer} holds before each backward"

    def code(self) -> str:
        return "optimizer.zero_grad()"


@dataclass(frozen=True, slots=True)
class Schedule(Edit):
    """Another course of the rate over the steps."""

    kind: ClassVar[str] = "schedule"
    name: str
    steps: int

    def words(self) -> str:
        return f"let the rate follow {self.name} over {self.steps} steps"

    def code(self) -> str:
        return f"scheduler = {self.name}  # over {self.steps} steps"


@dataclass(frozen=True, slots=True)
class MoreSteps(Edit):
    """Train longer."""

    kind: ClassVar[str] = "more-steps"
    factor: float

    def words(self) -> str:
        return f"train {number(self.factor)} times as long"

    def code(self) -> str:
        return f"# {literal(self.factor)} times as many epochs"


@dataclass(frozen=True, slots=True)
class BatchSize(Edit):
    """Another number of samples a step."""

    kind: ClassVar[str] = "batch-size"
    size: int

    def words(self) -> str:
        return f"train on batches of {self.size}"

    def code(self) -> str:
        return f"DataLoader(train_set, batch_size={self.size}, shuffle=True)"


@dataclass(frozen=True, slots=True)
class ResizeLayer(Edit):
    """More or fewer units in the hidden layers."""

    kind: ClassVar[str] = "resize-layer"
    factor: float

    def words(self) -> str:
        return f"give the hidden layers {number(self.factor)} times their units"

    def code(self) -> str:
        return f"# hidden layers {literal(self.factor)} times as wide"


@dataclass(frozen=True, slots=True)
class Dropout(Edit):
    """Another share that the dropout layers zero, or dropout where there is none."""

    kind: ClassVar[str] = "dropout"
    share: float

    def words(self) -> str:
        return f"zero {number(100 * self.share)} % of the hidden units in training"

    def code(self) -> str:
        return f"nn.Dropout(p={literal(self.share)})"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A treatment: a ladder of doses of one kind of edit, the most promising first.

    An advice has no edits and says in `advice` what a person must do.
    """

    name: str
    safety: Safety
    ladder: tuple[Edit, ...] = ()
    advice: str | None = None
    code_text: str | None = None  # overrides the first edit's code where the cause knows better

    def code(self) -> str:
        """The first dose as code, or the advice in words."""
        if self.code_text is not None:
            return self.code_text
        return self.ladder[0].code() if self.ladder else (self.advice or "")
