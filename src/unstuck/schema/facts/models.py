"""Models, their layers and parameters, and what the program does to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


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


# Kinds of what stands for weights in plain tensors: a network of them, and a layer whose matrix has
# one column a unit (`x @ w`), where torch's own layers have one row.
STAND_IN = "StandIn"
MATMUL = "MatMul"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tensor that may be trained. `name` is qualified by its model where there are several.

    `made` is the expression that a class of the program's own assigns to it.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    trainable: bool
    loaded: bool = False  # its values came from a checkpoint
    made: SourceLocation | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One module of a model's tree. `dropped` is the share of its input that a dropout zeroes.

    `momentum` is the weight of the last batch in the running statistics of a batch normalisation.
    `location` of a copy is where its original was constructed, `copied` where the copy was made.
    """

    name: str
    kind: str
    role: LayerRole
    location: SourceLocation | None
    parameters: tuple[str, ...] = ()
    dropped: float | None = None
    copied: SourceLocation | None = None
    momentum: float | None = None


@dataclass(frozen=True, slots=True)
class Model(Fact):
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
class Activation(Fact):
    """Where the program applies an activation as a function rather than as a layer.

    `location` is the expression that applies it, or the whole line where that is not found.
    """

    name: str  # its place in the record: "fc1 > relu", numbered from the second on
    location: SourceLocation | None
    function: str = ""  # "relu", "clamp", "exp", ...
    layer: str = ""  # the layer before it
    exact: bool = True  # the expression was found


@dataclass(frozen=True, slots=True)
class CalledDropout(Fact):
    """A line that drops units in training by a call of torch's functions, or of its layers.

    `share` is that of the units which are dropped; older records lack it.
    """

    name: str
    location: SourceLocation | None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Initialisation(Fact):
    """The program's last call to a function of `torch.nn.init` for a parameter.

    Where the program sets the values in another way, `function` is the method ("uniform_", "copy_")
    or "data" for an assignment to it, if it is known, and else "".
    """

    name: str  # of the parameter
    function: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Unregistered(Fact):
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
class Replacement(Fact):
    """Another tensor has taken the place of the parameter `name`, before the step `since`."""

    name: str
    since: int


@dataclass(frozen=True, slots=True)
class LooseParameter(Fact):
    """A parameter of no module that losses reach, no optimizer has, and nothing ever changes.

    `name` is a variable of the program.
    """

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Freezing(Fact):
    """A line that freezes parts of a model; `name` is the model's."""

    name: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Thaw(Fact):
    """An `attribute` was set to True that was meant to unfreeze parameters, and does not.

    It is `requires_grad` of a module, or a misspelt one of parameters. `name` is the model's, and
    `parameters` are the names of those that stay frozen.
    """

    name: str
    location: SourceLocation | None
    parameters: tuple[str, ...]
    attribute: str = "requires_grad"


@dataclass(frozen=True, slots=True)
class Cut(Fact):
    """A place where the graph is cut: the layers `before` it are called, but no loss reaches them.

    `name` is the first layer behind the cut, "loss" (with nothing before it) for a loss without a
    graph. `location` is the expression that cuts, or the first call behind it. `seen` says whether
    the source between the two layers holds an expression that can cut.

    A place may be cut for one loss and not for another. `name` is numbered where one layer has
    several cuts, and `layer` is it without the number.

    With `unread` nothing is cut: the last layer before has a result that nothing reads. These are
    the names that keep it, if any. With `turns` a loop keeps the result of its last turn.
    """

    name: str
    before: tuple[str, ...]
    location: SourceLocation | None
    seen: bool = True
    layer: str = ""
    loss: str | None = None  # the name of the loss that does not reach them
    optimizer: str | None = None  # that stepped after its backward pass
    unread: tuple[str, ...] | None = None
    turns: bool = False


@dataclass(frozen=True, slots=True)
class Chosen(Fact):
    """A loss of labels, by its `name`, that gets the data only as rows of a table.

    At `location` they are looked up, by numbers that the network has made.
    """

    name: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Straight(Fact):
    """An activation between two layers that bends nothing: a leaky ReLU with a slope of 1."""

    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Ungiven(Fact):
    """A network that an optimizer steps for, and to whose weights no gradient has ever come.

    `name` is the optimizer. `location` cuts the graph at the last call of the network before a
    step, which `seen` says, or is that call.
    """

    name: str
    location: SourceLocation | None
    seen: bool


@dataclass(frozen=True, slots=True)
class Draw(Fact):
    """A number drawn from a distribution without a graph, which a layer is given.

    The distribution, of a `kind` that draws with a graph as well, has parameters with a graph, and
    the loss uses what the layer makes. `location` is the call that draws.
    """

    kind: str
    layer: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Flat(Fact):
    """An operation whose derivative is zero wherever it has one, such as rounding.

    `name` says what it does; `parameters` are those that the loss reaches through it alone.
    """

    name: str
    location: SourceLocation | None
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutState(Fact):
    """A layer that is called `calls` times in a row, and gets its own last output without a graph.

    Of all these calls the loss uses the last one only. `looks` counts the steps at which this was
    so, `location` is the only expression around the calls that can cut.
    """

    name: str
    location: SourceLocation | None
    calls: int
    looks: int


@dataclass(frozen=True, slots=True)
class Pasted(Fact):
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
    order: tuple[int, ...] = ()  # of the axes, for a view that keeps the samples apart


@dataclass(frozen=True, slots=True)
class Swapped(Fact):
    """A view within a model that has the shape of its axes in another `order`, but not their order.

    `cuts_in_order` says whether the shape could also be meant as it is: an axis split into parts.
    With `classes` the view cuts up the axis that has a number for each of so many classes, which a
    loss takes for whole. `in_data` says that it stands between where the data are kept and the
    model, which is told by the numbers of a sample.
    """

    given: tuple[int, ...]
    taken: tuple[int, ...]
    order: tuple[int, ...]
    cuts_in_order: bool
    location: SourceLocation | None
    classes: int | None = None
    in_data: bool = False


COMBINED = "a constant matrix"  # with a row for each sample, by which a program combines them


@dataclass(frozen=True, slots=True)
class BatchAxis(Fact):
    """How far a batch's samples were followed through the axes of a model's operations.

    `whole`: to an output in which each sample has rows of its own. Else they were `lost` at an
    operation ("Index"), or by COMBINED, or "" where no output has rows for them.
    """

    name: str  # of the model
    whole: bool
    lost: str = ""


@dataclass(frozen=True, slots=True)
class ModeSwitch(Fact):
    """The line that put a layer in eval mode before it was first trained in that mode."""

    name: str  # of the layer
    location: SourceLocation | None
    whole: bool  # all of the model that is trained was switched, not some layers only
    chosen: bool = False  # nothing was evaluated between that and the training


@dataclass(frozen=True, slots=True)
class Restored(Fact):
    """After the last step, the program loaded other weights into a model that it had trained."""
