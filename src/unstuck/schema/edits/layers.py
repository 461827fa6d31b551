"""Changes of the network: its layers, functions, initialisation and size."""

from __future__ import annotations

import re
from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.places import SourceLocation
from unstuck.words import called, count, percent, times


@dataclass(frozen=True, slots=True)
class ReplaceLayer(Edit):
    """Another layer instead of each layer of a kind, or of one named layer.

    A function that does the same is meant too: of a kind, or by its name in the record.
    """

    layer: str
    by: str

    def words(self) -> str:
        return f"replace {called(self.layer)} with {self.by}"

    def code(self) -> str:
        return f"nn.{self.by}"


@dataclass(frozen=True, slots=True)
class LayerArgument(Edit):
    """Another value, as Python code, for an argument with which a named layer is constructed."""

    layer: str
    argument: str
    value: str

    def words(self) -> str:
        return f"construct {called(self.layer)} with {self.code()}"

    def code(self) -> str:
        return f"{self.argument}={self.value}"


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
class SkipConnections(Edit):
    """Let what goes into each of these layers, or of the blocks around them, go past it too."""

    layers: tuple[str, ...]

    def words(self) -> str:
        return "add what goes into each block to what comes out of it"

    def code(self) -> str:
        return "x = x + block(x)"


@dataclass(frozen=True, slots=True)
class RemoveLayer(Edit):
    """Leave out a layer, or a function applied in the forward pass, which stands at `at`."""

    layer: str
    at: SourceLocation | None = None

    def words(self) -> str:
        return f"remove {called(self.layer)}"

    def code(self) -> str:
        return f"# without {called(self.layer)}"


@dataclass(frozen=True, slots=True)
class FewerLayers(Edit):
    """Leave out layers of a row in which each gives as much as it receives.

    `layers` have weights, `behind` is applied to what they give; `left` of the `of` layers with
    weights stay.
    """

    layers: tuple[str, ...]
    behind: tuple[str, ...]
    left: int
    of: int

    def words(self) -> str:
        return f"keep only {self.left} of the {count(self.of, 'layer')} with weights"

    def code(self) -> str:
        return f"# {count(self.left, 'layer')} with weights"


@dataclass(frozen=True, slots=True)
class RemoveFactors(Edit):
    """Leave out constant factors that scale up what activations receive: tanh, sigmoids."""

    def words(self) -> str:
        return "remove the factors that scale up the input of the activation"

    def code(self) -> str:
        return "torch.tanh(x)  # in place of torch.tanh(20 * x)"


@dataclass(frozen=True, slots=True)
class InitialiseLayer(Edit):
    """Initialise the weights of a layer, or of all of them (""), again, and the biases with 0."""

    layer: str
    scheme: str  # "kaiming_normal_", "xavier_uniform_", ...

    def words(self) -> str:
        if not self.layer:
            return f"initialise the weights of all layers with {self.scheme} and the biases with 0"
        return (f"initialise the weights of {called(self.layer)} with {self.scheme} and its biases "
                "with 0")

    def code(self) -> str:
        layer = f"model.{self.layer}" if self.layer[:1].isdigit() else self.layer or "layer"
        layer = re.sub(r"\.(\d+)", r"[\1]", layer)  # as a Sequential is indexed
        return f"nn.init.{self.scheme}({layer}.weight); nn.init.zeros_({layer}.bias)"


@dataclass(frozen=True, slots=True)
class DefaultInitialisation(Edit):
    """Leave out what the program does to the weights of a layer, of a kind or of all ("") at first.

    PyTorch's own initialisation then stays.
    """

    layer: str

    def words(self) -> str:
        which = called(self.layer) if self.layer else "the weights"
        return f"leave out the initialisation of {which}; PyTorch has its own"

    def code(self) -> str:
        return "# without nn.init"


@dataclass(frozen=True, slots=True)
class ResizeLayer(Edit):
    """More or fewer units in a layer, by its name, or in all hidden layers."""

    factor: float
    layer: str = ""

    def words(self) -> str:
        which, own = (called(self.layer), "its") if self.layer else ("the hidden layers", "their")
        if self.factor < 1:
            return f"shrink {which} to {percent(self.factor)} of {own} width"
        return f"make {which} {times(self.factor)} as wide"

    def code(self) -> str:
        which = called(self.layer) if self.layer else "hidden layers"
        return f"# {which} {literal(self.factor)} times as wide"


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
class SoftmaxAxis(Edit):
    """Another axis for a softmax."""

    at: SourceLocation | None
    dim: int

    def words(self) -> str:
        return f"take the softmax over dimension {self.dim}"

    def code(self) -> str:
        return f"dim={self.dim}"


@dataclass(frozen=True, slots=True)
class KeepSamples(Edit):
    """Let an einsum keep the axis of the batch, and those that read its result."""

    at: SourceLocation | None

    def words(self) -> str:
        return "keep the samples apart"

    def code(self) -> str:
        return 'torch.einsum("nqhd,nkhd->nhqk", q, k)  # n stays'


@dataclass(frozen=True, slots=True)
class KeepResult(Edit):
    """Assign the result of calls that nobody keeps to what they were given."""

    places: tuple[SourceLocation, ...]
    function: str

    def words(self) -> str:
        return f"keep the result of {self.function}"

    def code(self) -> str:
        return f"x = {self.function}(x)"


@dataclass(frozen=True, slots=True)
class BatchFirst(Edit):
    """Let a recurrent or an attention layer take samples along the first axis."""

    layer: str

    def words(self) -> str:
        return f"create {called(self.layer)} with batch_first=True"

    def code(self) -> str:
        return "batch_first=True"


@dataclass(frozen=True, slots=True)
class RegisterLayers(Edit):
    """Hold layers in a container that the model registers, in place of a list or a dict; or make a
    tensor a Parameter.
    """

    owner: str  # the module that holds them: its class, or its name in the record
    attribute: str
    container: str = "ModuleList"  # or "ModuleDict"; "Parameter" for a tensor

    def words(self) -> str:
        return f"make {self.attribute} an nn.{self.container}"

    def code(self) -> str:
        brackets = {"ModuleDict": "{...}", "Parameter": "..."}.get(self.container, "[...]")
        return f"self.{self.attribute} = nn.{self.container}({brackets})"
