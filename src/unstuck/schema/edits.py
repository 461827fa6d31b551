"""The closed set of changes to a training program, as pure data with their words and code.

Nothing here touches a program: a trial applies an edit, a patch writes it. What no edit can
express is advice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from unstuck.words import called, count, number, percent, times


class Safety(StrEnum):
    """What applying a remedy risks."""

    SAFE = "safe"  # repairs the program; what it means to compute stays the same
    CHANGES_EXPERIMENT = "changes the experiment"
    ADVICE = "advice"  # no program can try it


def literal(value: float) -> str:
    """A number as one would type it in code: 0.001, 3e-05, 256, 1797, 1e12."""
    if not math.isfinite(value):
        return f"float('{value}')"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text.replace("e+", "e")


_ARGUMENTS = {"lr": "learning rate", "weight_decay": "weight decay"}


def _class(optimizer: str) -> str:
    """The class of an optimizer of the record: SGD of SGD-2."""
    return optimizer.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to the training program."""

    def words(self) -> str:
        """The change in plain words, an imperative without full stop."""
        raise NotImplementedError

    def code(self) -> str:
        """The change as code that a user could write."""
        raise NotImplementedError


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
class ParametersToOptimizer(Edit):
    """Register parameters with an optimizer."""

    optimizer: str
    parameters: tuple[str, ...]
    expression: str  # what the user would add, e.g. "decoder.parameters()"

    def words(self) -> str:
        return f"register {self.expression} with {self.optimizer}"

    def code(self) -> str:
        return f"optimizer.add_param_group({{'params': {self.expression}}})"


@dataclass(frozen=True, slots=True)
class ReplaceLayer(Edit):
    """Another layer instead of each layer of a kind, or of one named layer."""

    layer: str
    by: str

    def words(self) -> str:
        return f"replace {called(self.layer)} with {self.by}"

    def code(self) -> str:
        return f"nn.{self.by}"


@dataclass(frozen=True, slots=True)
class InsertLayer(Edit):
    """A new layer after a named one."""

    after: str
    layer: str

    def words(self) -> str:
        return f"insert {self.layer} after {called(self.after)}"

    def code(self) -> str:
        return f"nn.{self.layer}"


@dataclass(frozen=True, slots=True)
class RemoveLayer(Edit):
    """Leave out a layer, or a function applied in the forward pass."""

    layer: str

    def words(self) -> str:
        return f"remove {called(self.layer)}"

    def code(self) -> str:
        return f"# without {called(self.layer)}"


@dataclass(frozen=True, slots=True)
class InitialiseLayer(Edit):
    """Initialise the weights of a layer again, and its biases with 0."""

    layer: str
    scheme: str  # "kaiming_normal_", "xavier_uniform_", ...

    def words(self) -> str:
        return (f"initialise the weights of {called(self.layer)} with {self.scheme} and its biases "
                "with 0")

    def code(self) -> str:
        layer = f"model.{self.layer}" if self.layer[:1].isdigit() else self.layer
        layer = re.sub(r"\.(\d+)", r"[\1]", layer)  # as a Sequential is indexed
        return f"nn.init.{self.scheme}({layer}.weight); nn.init.zeros_({layer}.bias)"


@dataclass(frozen=True, slots=True)
class NormaliseInputs(Edit):
    """Standardise what the model's first layer receives, by statistics of the training data."""

    def words(self) -> str:
        return ("standardise each input feature with the mean and standard deviation of the "
                "training data")

    def code(self) -> str:
        return "x = (x - x_train.mean(0)) / x_train.std(0).clamp_min(1e-8)"


@dataclass(frozen=True, slots=True)
class NormaliseTargets(Edit):
    """Standardise the targets of a regression, by statistics of the training data."""

    def words(self) -> str:
        return ("standardise the targets with the mean and standard deviation of the training "
                "targets")

    def code(self) -> str:
        return "y = (y - y_train.mean(0)) / y_train.std(0)  # undo it for predictions"


@dataclass(frozen=True, slots=True)
class LossForm(Edit):
    """Another form of the loss: another function, or the same in a stable or fitting form."""

    by: str
    reason: str

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return self.by


@dataclass(frozen=True, slots=True)
class Clip(Edit):
    """Clip the gradient's total norm before each step."""

    limit: float

    def words(self) -> str:
        return f"clip the norm of the gradient at {number(self.limit)}"

    def code(self) -> str:
        return f"torch.nn.utils.clip_grad_norm_(model.parameters(), {literal(self.limit)})"


@dataclass(frozen=True, slots=True)
class ZeroGrad(Edit):
    """Clear the gradients before each backward pass."""

    optimizer: str

    def words(self) -> str:
        return f"clear the gradients of {self.optimizer}'s parameters before each backward pass"

    def code(self) -> str:
        return "optimizer.zero_grad()"


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
class MoreSteps(Edit):
    """Train longer."""

    factor: float

    def words(self) -> str:
        return f"train {times(self.factor)} as long"

    def code(self) -> str:
        return f"# {literal(self.factor)} times as many epochs"


@dataclass(frozen=True, slots=True)
class BatchSize(Edit):
    """Another number of samples per step."""

    size: int

    def words(self) -> str:
        return f"train on batches of {count(self.size, 'sample')}"

    def code(self) -> str:
        return f"DataLoader(train_set, batch_size={self.size}, shuffle=True)"


@dataclass(frozen=True, slots=True)
class ResizeLayer(Edit):
    """More or fewer units in the hidden layers."""

    factor: float

    def words(self) -> str:
        if self.factor < 1:
            return f"shrink the hidden layers to {percent(self.factor)} of their width"
        return f"make the hidden layers {times(self.factor)} as wide"

    def code(self) -> str:
        return f"# hidden layers {literal(self.factor)} times as wide"


@dataclass(frozen=True, slots=True)
class Dropout(Edit):
    """Another dropout probability, or dropout where there is none."""

    share: float

    def words(self) -> str:
        return (f"use dropout with p = {literal(self.share)}, which drops {percent(self.share)} of "
                f"the hidden units and keeps {percent(1 - self.share)}")

    def code(self) -> str:
        return f"nn.Dropout(p={literal(self.share)})"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A treatment: a ladder of doses of one kind of edit, the most promising first.

    Advice has no edits; `advice` says what a person must do.
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

    def words(self) -> str:
        """The first dose in words, or the advice."""
        return self.ladder[0].words() if self.ladder else self.advice or self.name


def loss_form(code: str, reason: str) -> Remedy:
    """The remedy that writes a loss, or what it receives, in another way."""
    return Remedy(reason, Safety.SAFE, (LossForm(code, reason),))
