"""Sequences: their lengths, their padding, and what is masked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Shortening(Fact):
    """A layer that makes a sequence shorter: of `before` frames it leaves `after`.

    `stride` has a number for each axis of the layer's own, and the sequence runs along `axis`.
    """

    layer: str
    before: int
    after: int
    stride: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Alignment(Fact):
    """The sample of a CTC loss that lacks most frames for its target. `name` is the loss's.

    `given` is how many frames it has by the program's own count, of `made` that the model made. It
    needs one for each of the `symbols` of its target, and one more between each two equal ones:
    `needed`. `zero_infinity` says whether the loss leaves out what it cannot align. `shortened` are
    the layers that made the sequence shorter, the last first.
    """

    name: str
    given: int
    made: int
    symbols: int
    needed: int
    zero_infinity: bool
    shortened: tuple[Shortening, ...] = ()


@dataclass(frozen=True, slots=True)
class Padding(Fact):
    """The sequences that the model is trained with end in `value`, or begin with it (`left`).

    Their samples lie along `axis`. With `features` each step has several numbers. `argument` counts
    the tensors that the model is called with, and so does `lengths` for the one that holds their
    lengths.
    """

    name: str
    value: float
    left: bool
    axis: int = 0
    features: bool = False
    argument: int = 0
    lengths: int | None = None


class Reading(StrEnum):
    """How many time steps become one."""

    LAST = "last"  # the step at the end is taken
    STATE = "state"  # the last state of a recurrent layer is taken
    MEAN = "mean"
    OTHER = "other"
    EACH = "each"  # none does: the loss is about each step


@dataclass(frozen=True, slots=True)
class Read(Fact):
    """Where the time steps of a layer become one vector. `name` is the layer's.

    `location` is the expression that does it. `time` is the axis of the time steps.
    """

    name: str
    how: Reading
    location: SourceLocation | None
    time: int = 1


@dataclass(frozen=True, slots=True)
class PaddedTargets(Fact):
    """The targets of a loss are `value` wherever its inputs are padded. `name` is the loss's.

    Without `own`, real steps have this value too.
    `ignored` is the class that the loss leaves out, None for a loss that leaves out none. `meant`
    says that the program itself takes them for padding: it pads sequences, or holds their lengths.
    """

    name: str
    value: float
    ignored: int | None
    meant: bool = False
    own: bool = True


@dataclass(frozen=True, slots=True)
class StepRead(Fact):
    """Of all `steps` that a recurrent layer outputs, the loss reads the one at `index` alone.

    The layer runs forwards, so nothing that comes later in a sequence has a part in the loss.
    `location` is the expression that reads the step; `axis` is that of the time steps there.
    """

    name: str
    index: int
    steps: int
    axis: int
    location: SourceLocation | None


class Ones(StrEnum):
    """Where the ones lie in a mask of zeros and ones that is added to the scores of attention."""

    ABOVE = "above the diagonal"
    BELOW = "on the diagonal and below"
    OTHER = "elsewhere"


@dataclass(frozen=True, slots=True)
class Mask(Fact):
    """Attention over padded sequences, or with rows that are closed. `name` counts them.

    `location` is the expression that masks it, if it is `masked`, else that of its softmax. `ones`
    are those of a mask that is added.
    """

    name: str
    location: SourceLocation | None
    masked: bool
    ones: Ones | None = None


@dataclass(frozen=True, slots=True)
class LooksAhead(Fact):
    """The targets of a loss are the inputs of the next step, and the model sees those.

    `name` is the loss's. `location` is the call of a layer of this `kind`, or the softmax of
    attention that is written out ("softmax"), over `steps` time steps.
    """

    name: str
    kind: str
    location: SourceLocation | None
    steps: int


@dataclass(frozen=True, slots=True)
class TargetInPlace(Fact):
    """A model that sees no later step gets as its inputs what it has to predict in place.

    `name` is the loss's; `time` is the axis of the steps of inputs and targets; `layer` is the kind
    of the recurrent layer that runs forwards over them, None where attention has a causal mask.
    With `begins` the first step is given something else, as the inputs of a decoder begin, by what
    is assigned at `location` if that is known.
    """

    name: str
    steps: int
    time: int
    layer: str | None = None
    begins: bool = False
    location: SourceLocation | None = None


@dataclass(frozen=True, slots=True)
class TargetFeature(Fact):
    """A feature of the inputs that is the target of a loss. `name` is the loss's.

    `row` is the one of a sample that the feature is in, if a sample has several: of a series one of
    its steps.
    """

    name: str
    feature: int
    samples: int  # that were compared at first
    row: int | None = None
