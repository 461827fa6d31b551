"""Where the program calls what trains: models, losses, optimizers, and what sets a model's mode.

A call place is an expression of the program's own. A fact each, numbered: the `name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


class CallRole(StrEnum):
    """What a call is for, by what becomes of its result."""

    TRAIN = "train"  # it led to a loss that reached `backward`
    HELD_OUT = "held-out"  # on data that training has not met
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the program that holds data.

    `name` is an expression: "x_train", "self.x", 'data["x"]'. `function` is the qualified name of
    the function whose variable it is, "" at the top level of a file.
    """

    name: str
    file: str
    function: str
    rows: int  # along its first axis
    whole: bool  # the call received all of them, and not some


class StepKind(StrEnum):
    """What a part of the program's text does to data on their way to a model or a loss."""

    ORDERED = "ordered"  # puts rows in another order, or splits them at random
    CHANGED = "changed"  # overwrites values in place
    SHAPED = "shaped"
    CONVERTED = "converted"  # makes a tensor or an array of them
    COMPUTED = "computed"  # makes other numbers of them,
    RISKY = "risky"  # in a way that may make NaN or Inf of finite ones
    CALLED = "called"  # passes them through a function of the program
    WRAPPED = "wrapped"  # makes a data set of them
    MADE = "made"  # reads or makes them; nothing is known of what is before


@dataclass(frozen=True, slots=True)
class DataStep:
    """A part of the program's text that data pass through."""

    kind: StepKind
    location: SourceLocation


@dataclass(frozen=True, slots=True)
class ModelCall(Fact):
    """A place at which the program calls a model, or a part of one, from outside any module.

    `model` is the name of what is called: that of one of the layers of a `Model`, which lists
    itself among them. Of the calls of one step `first` takes data and nothing that another call
    made, and `last` makes what a loss receives; a step with one call has both in one.
    """

    name: str
    model: str
    role: CallRole
    location: SourceLocation | None
    first: bool = False
    last: bool = False
    shape: tuple[int, ...] = ()  # of the first tensor that it received, the first time
    gradients: bool = True  # whether they were on
    variable: Variable | None = None  # whose rows the model received
    steps: tuple[DataStep, ...] = ()  # what they went through before, the last first
    looked_at: tuple[DataStep, ...] = ()  # the same of data that come here without gradients


@dataclass(frozen=True, slots=True)
class LossCall(Fact):
    """A place at which the program computes a loss by a function of torch.

    `loss` is the name of the `Loss` at this place, None for one that never reached `backward`.
    `built` is where the loss module was constructed. `call_location` is where the program calls its
    own function, or its own loss module, that computes the loss; None if it has none. Shapes are
    those of the first call.
    """

    name: str
    loss: str | None
    function: str
    role: CallRole
    location: SourceLocation | None
    input_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    built: SourceLocation | None = None
    call_location: SourceLocation | None = None
    variable: Variable | None = None  # whose rows the loss received as targets
    made: SourceLocation | None = None  # what was assigned to that variable, of held-out targets
    steps: tuple[DataStep, ...] = ()  # what targets went through before, the last first


@dataclass(frozen=True, slots=True)
class OptimizerCall(Fact):
    """A place at which the program calls a method of an optimizer: "step" or "zero_grad".

    `zero_grad` of a model has no `optimizer`, and the name of the `model`.
    """

    name: str
    optimizer: str | None
    method: str
    location: SourceLocation | None
    model: str | None = None


SHUFFLES = frozenset({"permutation", "randperm", "sample"})  # they return what they shuffled
REBOUND = "="  # what an assignment to a loop variable is called
USED_UP = "iterator"  # what one is called that is kept, and looped over again and again


@dataclass(frozen=True, slots=True)
class Idle(Fact):
    """A statement of the program's own files that does nothing.

    An activation or a shuffle is `called` and its result is not kept, or a method is named and not
    called: `function` is the name of either. It is REBOUND where a loop variable, over parameters,
    is given a new value or makes one that is not kept, and USED_UP for an iterator that an
    attribute holds: only the first loop over it does anything.
    """

    location: SourceLocation
    function: str
    called: bool


@dataclass(frozen=True, slots=True)
class Guarded(Fact):
    """A call of `method` in the program's own files that stands under a condition.

    The method is an optimizer's "step" or "zero_grad", or "load_state_dict". The `condition` is a
    test around the call, or one that returns before it.
    """

    location: SourceLocation
    method: str
    condition: SourceLocation


@dataclass(frozen=True, slots=True)
class WrittenUpdate(Fact):
    """An expression of the program's own files that changes what it takes the `.grad` of."""

    location: SourceLocation


@dataclass(frozen=True, slots=True)
class ModeCall(Fact):
    """A place at which the program puts a model, or a part of one, into a mode.

    `method` is "train" or "eval", as a mode: `train(False)` is "eval".
    """

    name: str
    model: str
    method: str
    location: SourceLocation | None
