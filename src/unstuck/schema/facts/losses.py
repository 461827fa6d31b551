"""Losses and the backward passes that they start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Loss(Fact):
    """One place where the program computes a loss that reaches `backward`.

    Shapes are those of the first call. `function` is a name of `torch.nn.functional`, or the name
    of the recognised formula ("mean squared error") for a hand-written one.
    `input_operations` are the autograd operations that produced the loss's input, nearest first,
    reshapes left out, e.g. ("SoftmaxBackward0", "AddmmBackward0").
    `broadcast_shape` is set if input and target were stretched to a shape larger than both.
    """

    name: str
    function: str
    hand_written: bool
    location: SourceLocation | None
    input_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    target_dtype: str
    reduction: str
    input_operations: tuple[str, ...] = ()
    broadcast_shape: tuple[int, ...] | None = None
    softmax_dimension: int | None = None  # of the nearest softmax in `input_operations`
    input_layer: str | None = None  # the activation module that made the loss's input
    input_location: SourceLocation | None = None  # the operation that did, where no module did
    call_location: SourceLocation | None = None  # where a function of the program's own is called
    built: SourceLocation | None = None  # where the loss module was constructed
    input_first: bool | None = None  # whether the input stands left of a hand-written operator
    log_input: bool | None = None  # whether a loss of counts takes logarithms, None for others
    reversed: bool = False  # what the model made is given as the target, and data as the input


@dataclass(frozen=True, slots=True)
class Backward(Fact):
    """A line of the program that starts a backward pass.

    `function` is "grad" for `torch.autograd.grad` whose gradients an optimizer's step used.
    """

    location: SourceLocation | None
    function: str = "backward"


@dataclass(frozen=True, slots=True)
class RetainedGraph(Fact):
    """A place that makes tensors whose graphs stay in memory; `alive` is the highest count so far.

    `trained` says whether backward passes went through them, which frees most of their memory.
    """

    name: str
    location: SourceLocation | None
    trained: bool
    alive: int
    output: bool = False  # of a model, not a loss


@dataclass(frozen=True, slots=True)
class GraphOfEarlierSteps(Fact):
    """A backward pass that goes through what `steps` earlier steps computed, the most so far.

    `name` is what holds that from one step to the next, as the frame of the backward pass writes
    it, where it is known: a tensor, or `several` in a tuple. `carried` is the expression that a
    step leaves there, or, with `once`, that was computed in front of all steps.
    """

    location: SourceLocation | None
    steps: int
    name: str = ""
    several: bool = False
    carried: SourceLocation | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Ascent(Fact):
    """A loss whose minimisation makes an error larger, judged by the signs along its graph.

    `name` is the loss's. `of` names the operation that measures the error.
    """

    name: str
    location: SourceLocation | None
    of: str


@dataclass(frozen=True, slots=True)
class UnboundedTerm(Fact):
    """A loss that holds an error and, with a minus sign, what grows without bound: its square, its
    modulus, an exponential. `location` is the sum of the two.

    `alone`: it holds no error, but the logarithm of a likelihood.
    """

    name: str  # of the loss
    location: SourceLocation | None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Descent(Fact):
    """A loss whose minimisation makes an error smaller, judged in the same way as an `Ascent`."""

    name: str
    of: str


class Yardstick(StrEnum):
    """By what a loss is no measure of learning."""

    RIVAL = "rival"  # it runs through parameters that another loss moves in turn
    ESTIMATE = "estimate"  # its targets hold values that the network estimates itself
    SCORE = "score"  # log-probabilities, weighted by factors of both signs


@dataclass(frozen=True, slots=True)
class PolicySign(Fact):
    """What minimising a policy's loss does to the actions that gain more, by the variable `gains`.

    With `wrong` they become less likely. `looks` graphs agree.
    """

    location: SourceLocation | None
    gains: str
    wrong: bool
    looks: int


@dataclass(frozen=True, slots=True)
class Moving(Fact):
    """A loss whose level says nothing of what was learned, and the backward pass that shows it."""

    why: Yardstick
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class RowsApart(Fact):
    """A loss compares the rows of the outputs with targets in another order.

    Outputs and targets have rows for several places of each of the `samples` of a batch. In the
    outputs those of one sample follow each other (`whole`), or those of one place do; in the
    targets it is the other way round. `given` is the shape that `location`, a view, made rows of.
    """

    samples: int
    whole: bool
    given: tuple[int, ...]
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Numbering(Fact):
    """What a classifier's answers tell of the labels, as a share of what there is to tell.

    `each` is that within a batch, the mean of the first `batches`, and `all` that over all of them:
    the numbers of the classes must be the same then.
    """

    batches: int
    each: float
    all: float


@dataclass(frozen=True, slots=True)
class WithinBatch(Fact):
    """A loss whose classes are the samples of its own batch, each of them right for one.

    How low it can get depends on how alike the samples are, and on what divides their scores.
    """
