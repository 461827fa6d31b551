"""Changes of the training loop: how long it is, what it calls and when."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.places import SourceLocation
from unstuck.words import count, times


@dataclass(frozen=True, slots=True)
class MoreSteps(Edit):
    """Train longer."""

    factor: float

    def words(self) -> str:
        return f"train {times(self.factor)} as long"

    def code(self) -> str:
        return f"# {literal(self.factor)} times as many epochs"


@dataclass(frozen=True, slots=True)
class CallStep(Edit):
    """Call an optimizer's `step` after each backward pass."""

    optimizer: str

    def words(self) -> str:
        return f"call the step of {self.optimizer} after each backward pass"

    def code(self) -> str:
        return "optimizer.step()  # after loss.backward()"


@dataclass(frozen=True, slots=True)
class StepEachBatch(Edit):
    """Let each batch's gradient reach a step: what stands behind the loop over batches moves into
    it, or what clears the gradients moves behind a step that comes at every so many batches."""

    optimizer: str

    def words(self) -> str:
        return f"let the gradient of each batch reach a step of {self.optimizer}"

    def code(self) -> str:
        return "loss.backward(); optimizer.step()  # indented as the loss is"


@dataclass(frozen=True, slots=True)
class AlsoAtEnd(Edit):
    """Reach a call that is made at every so many batches at the last batch of a loop as well."""

    at: SourceLocation

    def words(self) -> str:
        return "reach it at the last batch, too"

    def code(self) -> str:
        return "if (i + 1) % every == 0 or i + 1 == len(loader): optimizer.step()"


@dataclass(frozen=True, slots=True)
class WriteInto(Edit):
    """Write a value into a parameter, where a variable was given it instead."""

    at: SourceLocation

    def words(self) -> str:
        return "write the values into the weights"

    def code(self) -> str:
        return "p.data.copy_(value)  # in the place of p = value"


@dataclass(frozen=True, slots=True)
class CallIt(Edit):
    """Add the parentheses to a method that is named and not called."""

    at: SourceLocation
    method: str

    def words(self) -> str:
        return f"call {self.method}: the parentheses are missing"

    def code(self) -> str:
        return f"optimizer.{self.method}()"


@dataclass(frozen=True, slots=True)
class SwitchMode(Edit):
    """Put the model into train mode before training, or into eval mode for validation only.

    `at` is the call of the model in training, or on held-out data; or that of a function, which
    calls the model at `call`. `left` is where train mode was left.
    """

    mode: str  # "train" or "eval"
    at: SourceLocation | None
    call: SourceLocation | None = None
    left: SourceLocation | None = None

    def words(self) -> str:
        if self.mode == "train":
            return "switch to train mode before training"
        return "switch to eval mode for the validation, and back"

    def code(self) -> str:
        if self.mode == "train":
            return "model.train()  # before the loop over the training batches"
        return "model.eval()  # before the validation; model.train() after it"


@dataclass(frozen=True, slots=True)
class FollowMode(Edit):
    """Let dropout that is made or called in the forward pass, at `places`, follow its mode."""

    places: tuple[SourceLocation, ...]

    def words(self) -> str:
        return "let the dropout follow the mode of the model"

    def code(self) -> str:
        return "F.dropout(x, p, training=self.training)"


@dataclass(frozen=True, slots=True)
class KeepGraph(Edit):
    """Leave out what cuts a tensor off from its graph: `.detach()`, `.data`, `no_grad`."""

    at: SourceLocation | None

    def words(self) -> str:
        return "leave out what cuts the graph"

    def code(self) -> str:
        return "y = f(x)  # in torch all the way: no detach(), .data, item() or numpy()"


@dataclass(frozen=True, slots=True)
class StepEvery(Edit):
    """Let the optimizer step after so many backward passes. `at` is the condition of its step."""

    passes: int
    at: SourceLocation | None

    def words(self) -> str:
        return f"step after every {count(self.passes, 'backward pass', 'backward passes')}" if (
            self.passes > 1) else "step after every backward pass"

    def code(self) -> str:
        return f"if (step + 1) % {self.passes} == 0: optimizer.step()"


@dataclass(frozen=True, slots=True)
class UseResult(Edit):
    """Let what comes next be given what a layer returns. `at` calls the layer."""

    at: SourceLocation | None

    def words(self) -> str:
        return "use what the layer returns"

    def code(self) -> str:
        return "x = layer(x)  # and what comes next gets x"


@dataclass(frozen=True, slots=True)
class CreateGraph(Edit):
    """Let a derivative that `torch.autograd.grad` computes have a graph."""

    at: SourceLocation | None

    def words(self) -> str:
        return "compute the derivative with a graph"

    def code(self) -> str:
        return "torch.autograd.grad(y, x, create_graph=True)"


@dataclass(frozen=True, slots=True)
class KeepNumber(Edit):
    """Keep a number or a detached tensor in place of a tensor with its graph.

    `at` makes the tensor that is kept.
    """

    at: SourceLocation | None
    output: bool  # of a model: its values are kept; a loss becomes a number

    def words(self) -> str:
        return "keep only the values" if self.output else "keep only the number"

    def code(self) -> str:
        return "outputs.append(output.detach())" if self.output else "total += loss.item()"


@dataclass(frozen=True, slots=True)
class DetachState(Edit):
    """What a loop carries into its next step, without its graph; `at` is the backward pass.

    `name` is what holds it there, a tensor or `several` in a tuple, where that is known.
    """

    at: SourceLocation | None
    name: str = ""
    several: bool = False

    def words(self) -> str:
        return "detach what is carried into the next step"

    def code(self) -> str:
        name = self.name or "state"
        if self.several:
            return f"{name} = tuple(each.detach() for each in {name})"
        return f"{name} = {name}.detach()"


@dataclass(frozen=True, slots=True)
class ComputeEachStep(Edit):
    """What is computed in front of the loop, in each of its steps. `at` is the backward pass."""

    made: SourceLocation | None
    at: SourceLocation | None

    def words(self) -> str:
        return "compute it in each step"

    def code(self) -> str:
        return "for x, y in loader: features = encoder(x)"


@dataclass(frozen=True, slots=True)
class DifferentiateOnce(Edit):
    """Losses that share a graph are added, or the first no longer trains what they share, if an
    optimizer steps in between. `at` is the second of their backward passes.
    """

    at: SourceLocation | None

    def words(self) -> str:
        return "differentiate each graph once"

    def code(self) -> str:
        return "(loss_a + loss_b).backward()  # or detach what the first loss must not train"


@dataclass(frozen=True, slots=True)
class Unfreeze(Edit):
    """Leave out the statement that freezes weights."""

    at: SourceLocation | None

    def words(self) -> str:
        return "leave out the freezing"

    def code(self) -> str:
        return "# without requires_grad = False"


@dataclass(frozen=True, slots=True)
class CallRequiresGrad(Edit):
    """Unfreeze the parameters of a module, whose own attribute was set in their place."""

    at: SourceLocation | None

    def words(self) -> str:
        return "set requires_grad of the parameters, by calling requires_grad_"

    def code(self) -> str:
        return "module.requires_grad_(True)"


@dataclass(frozen=True, slots=True)
class PassThrough(Edit):
    """Let the gradient pass an operation as if it were not there; `at` is its call."""

    at: SourceLocation | None

    def words(self) -> str:
        return "let the gradient pass straight through (a straight-through estimator)"

    def code(self) -> str:
        return "x + (torch.round(x) - x).detach()"


@dataclass(frozen=True, slots=True)
class KeepList(Edit):
    """A list in the place of an iterator, which can be gone over only once."""

    at: SourceLocation | None

    def words(self) -> str:
        return "keep a list, which every loop can go over, in place of an iterator"

    def code(self) -> str:
        return "pairs = list(zip(old, new))"
