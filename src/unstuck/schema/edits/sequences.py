"""Changes of how sequences are read and masked."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.facts.sequences import Ones, Padding, Reading
from unstuck.schema.places import SourceLocation
from unstuck.words import number

_WORDS = {
    Reading.LAST: "read each sequence at its last real step",
    Reading.STATE: "pack the sequences, so that the state ends with the last real step",
    Reading.MEAN: "take the mean over the real steps only",
}


@dataclass(frozen=True, slots=True)
class ReadRealSteps(Edit):
    """Read the time steps of a padded batch without its padding.

    `at` is the expression that reads them in the `forward` of the model that gets the batch: an
    index, a mean, or the call of a recurrent layer. `time` is the axis of the steps there.
    """

    at: SourceLocation | None
    how: Reading
    padding: Padding
    time: int = 1

    def words(self) -> str:
        return _WORDS.get(self.how, "leave out the padding")

    def code(self) -> str:
        return {
            Reading.LAST: "states[torch.arange(len(lengths)), lengths - 1]",
            Reading.STATE: "pack_padded_sequence(x, lengths, batch_first=True, "
            "enforce_sorted=False)",
        }.get(self.how, "(x * real.unsqueeze(-1)).sum(1) / real.sum(1, keepdim=True)")


@dataclass(frozen=True, slots=True)
class ReadLastStep(Edit):
    """Read the last time step, in place of the one that the index at `at` selects on this axis."""

    at: SourceLocation | None
    axis: int

    def words(self) -> str:
        return "read the last time step"

    def code(self) -> str:
        return "states[:, -1]" if self.axis else "states[-1]"


@dataclass(frozen=True, slots=True)
class InvertMask(Edit):
    """The other way round for the mask of attention; `at` is the call that is given it."""

    at: SourceLocation | None

    def words(self) -> str:
        return "invert the mask"

    def code(self) -> str:
        return "~mask"


@dataclass(frozen=True, slots=True)
class BooleanMask(Edit):
    """Booleans for a mask of zeros and ones of attention; `at` is the call that is given it."""

    at: SourceLocation | None
    ones: Ones

    def words(self) -> str:
        return "give the mask as booleans"

    def code(self) -> str:
        return "mask.bool()"


@dataclass(frozen=True, slots=True)
class InvertLossMask(Edit):
    """The other way round for the mask of padding in a loss; `at` is the call of the loss."""

    at: SourceLocation | None

    def words(self) -> str:
        return "turn the mask round"

    def code(self) -> str:
        return "mask = steps < lengths.unsqueeze(1)  # true at real time steps"


@dataclass(frozen=True, slots=True)
class ShiftInputs(Edit):
    """Give each step of a decoder the target before it; `at` is where the first step is set."""

    at: SourceLocation | None

    def words(self) -> str:
        return "give each step what comes before it"

    def code(self) -> str:
        return "inputs[:, 1:] = targets[:, :-1]"


@dataclass(frozen=True, slots=True)
class OneDirection(Edit):
    """Let a recurrent layer run forwards only, and what reads it be half as wide."""

    layer: str

    def words(self) -> str:
        return f"let {self.layer} run in one direction"

    def code(self) -> str:
        return "nn.GRU(inputs, units, bidirectional=False)"


@dataclass(frozen=True, slots=True)
class AttendBackwards(Edit):
    """A causal mask for the call of attention at `at`, by this argument; over `steps` steps."""

    at: SourceLocation | None
    argument: str
    steps: int

    def words(self) -> str:
        return "let each step attend to itself and to earlier steps only"

    def code(self) -> str:
        if self.argument == "is_causal":
            return "is_causal=True"
        return f"{self.argument}=nn.Transformer.generate_square_subsequent_mask({self.steps})"


@dataclass(frozen=True, slots=True)
class LeaveOutPadding(Edit):
    """Only targets that are not `value` for the loss at `at`, which compares one by one."""

    at: SourceLocation | None
    value: float

    def words(self) -> str:
        return f"leave out the padding, whose target is {number(self.value)}"

    def code(self) -> str:
        value = literal(self.value)
        return f"loss(output[target != {value}], target[target != {value}])"


@dataclass(frozen=True, slots=True)
class IgnorePaddedSteps(Edit):
    """A class that the loss at `at` ignores as the target of each step whose input is padding.

    The model that `call` calls is given `value` there, in its tensor of number `argument`.
    """

    at: SourceLocation | None
    call: SourceLocation | None
    argument: int
    value: float

    def words(self) -> str:
        return "leave out the steps whose input is padding"

    def code(self) -> str:
        return f"loss(output, target.masked_fill(inputs == {literal(self.value)}, -100))"


@dataclass(frozen=True, slots=True)
class ShiftTargets(Edit):
    """The next token as the target of each step.

    `call` calls the model and `at` the loss, with the same tokens, whose steps are on axis `time`.
    """

    at: SourceLocation | None
    call: SourceLocation | None
    time: int

    def words(self) -> str:
        return "give the model all tokens but the last, and let it predict all but the first"

    def code(self) -> str:
        return ("loss(model(tokens[:, :-1]), tokens[:, 1:])" if self.time else
                "loss(model(tokens[:-1]), tokens[1:])")
