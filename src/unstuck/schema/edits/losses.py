"""Changes of the loss, and of what it receives."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.facts.pairs import TwoValues
from unstuck.schema.places import SourceLocation
from unstuck.words import count


@dataclass(frozen=True, slots=True)
class LossForm(Edit):
    """Another form of the loss: another function, or the same in a stable or fitting form.

    `at` is the operation to write in another form, a logarithm or an exponential, None where it
    takes more than one operation.
    """

    by: str
    reason: str
    at: SourceLocation | None = None

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return self.by


@dataclass(frozen=True, slots=True)
class LossArgument(Edit):
    """Something done to the outputs or the targets that a loss receives.

    `by` is an expression in which {} is what it receives now: "{}.squeeze(-1)", "{}.long()".
    `everywhere` says that held-out losses receive the same mistake.
    """

    at: SourceLocation | None
    argument: str  # "input" or "target"
    by: str
    reason: str
    everywhere: bool = True

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return self.by.format("outputs" if self.argument == "input" else "targets")


@dataclass(frozen=True, slots=True)
class SwapLoss(Edit):
    """Another loss function, of the same outputs and targets."""

    at: SourceLocation | None
    by: str  # a function of torch.nn.functional
    reason: str

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return f"F.{self.by}(outputs, targets)"


@dataclass(frozen=True, slots=True)
class LossOption(Edit):
    """Another value for an option of a loss: its reduction, ignore_index."""

    at: SourceLocation | None
    option: str
    value: str  # as Python code
    reason: str

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return f"{self.option}={self.value}"


@dataclass(frozen=True, slots=True)
class ClassWeights(Edit):
    """A weight for each class in the loss.

    `everywhere` says that the weights that are there are wrong, also for held-out data.
    """

    at: SourceLocation | None
    weights: tuple[float, ...]
    everywhere: bool = False

    def words(self) -> str:
        return "weight each class by the inverse of its frequency"

    def code(self) -> str:
        return f"weight=torch.tensor([{', '.join(map(literal, self.weights))}])"


@dataclass(frozen=True, slots=True)
class FlipSign(Edit):
    """The other sign of a loss. `at` is the call of `backward`, or the loss."""

    at: SourceLocation | None

    def words(self) -> str:
        return "flip the sign of the loss"

    def code(self) -> str:
        return "loss = -loss"


@dataclass(frozen=True, slots=True)
class SwapPairs(Edit):
    """The two kinds of pairs in a loss change places.

    `at` is the loss, `labels` the variable with two `values` that tells which kind a pair is. Of
    `triplets` the arguments do.
    """

    at: SourceLocation | None
    labels: str | None
    values: TwoValues | None
    triplets: bool = False

    def words(self) -> str:
        return "swap the two kinds of pairs"

    def code(self) -> str:
        if self.triplets:
            return "loss = criterion(anchor, positive, negative)"
        return f"loss = criterion(first, second, {self.turned(self.labels or 'labels')})"

    def turned(self, labels: str) -> str:
        """The opposite of labels."""
        before = {TwoValues.SIGNS: "-", TwoValues.BOOL: "~", TwoValues.BITS: "1 - "}
        return before[self.values or TwoValues.BITS] + labels


@dataclass(frozen=True, slots=True)
class StepDown(Edit):
    """The other sign of what a statement adds to a weight."""

    at: SourceLocation | None

    def words(self) -> str:
        return "go down the gradient"

    def code(self) -> str:
        return "w -= learning_rate * w.grad"


@dataclass(frozen=True, slots=True)
class FlipTerm(Edit):
    """Add a term of the loss that is subtracted now, or the other way round. `at` is the sum."""

    at: SourceLocation | None

    def words(self) -> str:
        return "flip the sign of this term of the loss"

    def code(self) -> str:
        return "loss = error + penalty"


@dataclass(frozen=True, slots=True)
class DivideLoss(Edit):
    """The loss as its share of the mean over the backward passes of a step."""

    passes: int
    at: SourceLocation | None  # the call of `backward`

    def words(self) -> str:
        return f"divide the loss by the {count(self.passes, 'backward pass')} of a step"

    def code(self) -> str:
        return f"(loss / {self.passes}).backward()"


@dataclass(frozen=True, slots=True)
class WeighTerm(Edit):
    """A constant factor at a term of the loss; `at` is the term."""

    at: SourceLocation | None
    factor: float

    def words(self) -> str:
        return f"multiply the term by {literal(self.factor)}"

    def code(self) -> str:
        return f"{literal(self.factor)} * term"


@dataclass(frozen=True, slots=True)
class Guard(Edit):
    """A bound on what a risky operation receives; `at` is the operation.

    `by` is an expression in which {} is what it receives now: "{}.clamp_min(1e-8)". `operation` is
    the name of a function, where `at` may be a larger expression that calls it.
    """

    at: SourceLocation | None
    by: str
    reason: str
    operation: str = ""

    def words(self) -> str:
        return self.reason

    def code(self) -> str:
        return self.by.format("x")
