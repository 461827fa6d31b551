"""Facts of a training program: what exists, not how it behaves. Numbers over time are signals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """An expression of the user's program. Lines and columns are 1-based, in code points.

    `end_column` is one past the last character. `text` is its first line, None if unwanted.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str | None = None


class LayerRole(StrEnum):
    """What a layer is, so that it is judged by what it is."""

    LINEAR = "linear"
    CONVOLUTION = "convolution"
    RECURRENT = "recurrent"
    ATTENTION = "attention"
    EMBEDDING = "embedding"
    NORMALISATION = "normalisation"
    ACTIVATION = "activation"
    DROPOUT = "dropout"
    POOLING = "pooling"
    LOSS = "loss"
    CONTAINER = "container"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tensor that may be trained. `name` is qualified by its model where there are several."""

    name: str
    layer: str
    shape: tuple[int, ...]
    trainable: bool
    loaded: bool = False  # its values came from a checkpoint


@dataclass(frozen=True, slots=True)
class Layer:
    """One module of a model's tree. `dropped` is the share of its input that a dropout zeroes."""

    name: str
    kind: str
    role: LayerRole
    location: SourceLocation | None
    parameters: tuple[str, ...] = ()
    dropped: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A module that the program calls from outside any other module.

    `location` is where it is constructed, `call_location` where it is first called in training.
    """

    name: str
    kind: str
    location: SourceLocation | None
    call_location: SourceLocation | None
    layers: tuple[Layer, ...]
    parameters: tuple[Parameter, ...]
    compiled: bool = False
    first_layer: str | None = None  # the first layer with parameters that a forward reaches
    input_shape: tuple[int, ...] = ()
    input_dtype: str = ""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer and the names of the parameters registered with it ("?" if no model has one)."""

    name: str
    kind: str
    location: SourceLocation | None
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loss:
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


@dataclass(frozen=True, slots=True)
class Backward:
    """A line of the program that starts a backward pass."""

    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Clipping:
    """A line of the program that clips gradients."""

    function: str
    location: SourceLocation | None
    limit: float


@dataclass(frozen=True, slots=True)
class Initialisation:
    """The program's last call to a function of `torch.nn.init` for a parameter."""

    name: str  # of the parameter
    function: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Activation:
    """Where the program applies an activation as a function rather than as a layer."""

    name: str  # its place in the record
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A learning rate scheduler, and the line of the program that calls its `step`.

    `length` is the number of its own steps that it is made for, or after which it changes the
    learning rate. `target` is the highest learning rate that it is meant to reach, as far as known.
    """

    name: str
    kind: str
    optimizer: str | None
    location: SourceLocation | None
    call_location: SourceLocation | None
    length: int | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Clearing:
    """A line that clears gradients after their backward pass and before the step that uses them."""

    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class RetainedGraph:
    """A place that makes tensors whose graphs stay in memory; `alive` is the highest count so far.

    `trained` says whether backward passes went through them, which frees most of their memory.
    """

    name: str
    location: SourceLocation | None
    trained: bool
    alive: int
    output: bool = False  # of a model, not a loss


@dataclass(frozen=True, slots=True)
class Ascent:
    """A loss whose minimisation makes an error larger, judged by the signs along its graph.

    `name` is the loss's. `of` names the operation that measures the error.
    """

    name: str
    location: SourceLocation | None
    of: str


@dataclass(frozen=True, slots=True)
class Loader:
    """A data loader of the program.

    `generators` names the random generators that its workers each get the same copy of.
    """

    name: str
    location: SourceLocation | None
    batch_size: int | None
    sampler: str
    samples: int | None
    workers: int
    generators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """Samples of one role that are kept for the checks of data and labels at the end of the run."""

    name: str  # "train" or "held-out"
    location: SourceLocation | None  # of held-out data: the first call on those that are judged
    samples: int  # held-out ones count only if they are judged
    discrete: bool  # integers (tokens, identifiers) or booleans
    indexed: bool  # matched to their indices in a data set
    targets: str = ""  # "classes" or "numbers"; "" where no loss received one a sample
    composed: bool = False  # a model receives more at a time than was kept


@dataclass(frozen=True, slots=True)
class ModeSwitch:
    """The line that put a layer in eval mode before it was first trained in that mode."""

    name: str  # of the layer
    location: SourceLocation | None
    whole: bool  # all of the model that is trained was switched, not some layers only


@dataclass(frozen=True, slots=True)
class HeldOutPass:
    """A line that calls a model on held-out data with layers in train mode."""

    name: str
    location: SourceLocation | None
    layers: tuple[str, ...]
    scored: bool  # a loss was computed of what came out


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A layer that the loss reaches but no model has registered: only a plain attribute holds it.

    `owner` is that module, `attribute` its attribute, `elements` the number of trainable weights.
    """

    name: str
    kind: str
    location: SourceLocation | None
    owner: str
    attribute: str
    elements: int


@dataclass(frozen=True, slots=True)
class Freezing:
    """A line that freezes parts of a model; `name` is the model's."""

    name: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Pasted:
    """A place where values of several input samples are mixed; `mixed` says how many samples.

    `how` is "memory" (the layer's input is a view of the model's), "order" (the layer takes
    samples for steps in time), or the "view" or "softmax" that runs over the samples.
    """

    name: str
    samples: int
    mixed: int
    given: tuple[int, ...]  # the shape of the model's input
    taken: tuple[int, ...]  # and of the layer's
    location: SourceLocation | None
    how: str = "memory"


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where the graph is cut: the layers `before` it are called, but no loss reaches them.

    `name` is the first layer behind the cut, "loss" (with nothing before it) for a loss without a
    graph. `location` is the expression that cuts, or the first call behind it. `seen` says whether
    the source between the two layers holds an expression that can cut.
    """

    name: str
    before: tuple[str, ...]
    location: SourceLocation | None
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Fetch:
    """A line at which training takes data from a loader. `name` is its number."""

    name: str
    location: SourceLocation | None
    samples: int
    batch_size: int


class NonFiniteStage(StrEnum):
    """Where the first non-finite number of a run was found."""

    PARAMETER = "parameter"  # the last update made a weight non-finite
    INPUT = "input"  # the data held it
    TARGET = "target"  # the targets held it
    OPERATION = "operation"  # an operation of the forward made it
    GRADIENT = "gradient"  # a finite loss had a non-finite gradient
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NonFinite:
    """The first NaN or infinity of a run: the step, the place, and the operation that made it."""

    step: int
    stage: NonFiniteStage
    operation: str | None
    layer: str | None
    location: SourceLocation | None
    detail: str
    model_input_finite: bool | None = None  # None if it was not at hand


@dataclass(frozen=True, slots=True)
class Program:
    """The watched program and its environment: arguments, versions, platform, devices."""

    argv: tuple[str, ...]
    python: str
    torch: str
    platform: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """Curves that another tool wrote: all that is known about a run that was not watched.

    `unit` is what a step of its series counts: "step", "epoch", or "row" of the file.
    """

    file: str
    format: str
    train: str  # columns, as they were named
    held_out: str | None
    axis: str
    unit: str
    rows: int
    higher_is_better: bool = False  # the series then hold what is missing to the best
    metrics_higher: tuple[str, ...] = ()  # columns of other metrics of which more is better


class EndKind(StrEnum):
    """How the watching ended."""

    FINISHED = "finished"  # the program ran to its end, or sys.exit(0)
    EXCEPTION = "exception"  # an uncaught exception
    EXIT = "exit"  # a status other than 0
    INTERRUPTED = "interrupted"  # Ctrl-C
    STOPPED = "stopped"  # by --max-steps
    KILLED = "killed"  # the program could not record its end: a signal, os._exit, out of memory


@dataclass(frozen=True, slots=True)
class End:
    """How the run ended. `message` is the exception's first line, `location` its place."""

    kind: EndKind
    status: int = 0
    exception: str | None = None
    message: str | None = None
    location: SourceLocation | None = None
    max_steps: int | None = None


# A kind of fact is written and read by its name in lower case; `Record` has an attribute for it.
Fact = (
    Program | Model | Optimizer | Loss | Backward | Clipping | Clearing | RetainedGraph | Ascent
    | Loader | ModeSwitch | HeldOutPass | Initialisation | Activation | Scheduler | Unregistered
    | Freezing | Pasted | Cut | Fetch | Kept | NonFinite | End
)
