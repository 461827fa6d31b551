"""Whether all that is read of a recurrent layer is an early time step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.operations import indexings
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.sequences import StepRead
from unstuck.schema.places import SourceLocation

LOOKS = 3  # first steps that are looked at
MOST_CALLS = 64  # of recurrent layers in a step
FEWEST = 3  # time steps


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    steps: int
    axis: int  # of the time steps


class OneStepProbe(Probe):
    """Looks at every operation of the loss's graph that takes the output of a recurrent layer.

    If each selects one and the same step, what comes after it is computed in vain.
    """

    facts = (StepRead,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._calls: dict[int, _Call] = {}  # by the node of the output
        self._reads: dict[str, set[StepRead | None]] = {}  # of the losses in this step
        self._known: dict[str, StepRead] = {}
        self._whole: set[str] = set()  # layers of which a loss reads more

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes a recurrent layer that runs forwards over several steps."""
        if not self._moment.learns or self._moment.step >= LOOKS or not isinstance(
            module, nn.RNNBase
        ) or module.bidirectional or len(self._calls) >= MOST_CALLS:
            return
        made = output[0] if isinstance(output, tuple) and output else None
        known = self._names.layer(module)
        if known is None or not is_plain(made) or made.grad_fn is None or made.ndim != 3:
            return
        axis = 1 if module.batch_first else 0
        if made.shape[axis] >= FEWEST:
            self._calls[graph.sequence(made.grad_fn)] = _Call(known[0], int(made.shape[axis]), axis)

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at what takes the outputs."""
        for node in nodes if self._calls else ():
            for parent in graph.parents(node):
                call = self._calls.get(graph.sequence(parent))
                if call is not None and graph.variable(parent) is None:
                    self._reads.setdefault(call.name, set()).add(self._selected(node, call))

    def _selected(self, node: Any, call: _Call) -> StepRead | None:
        """The step that an operation selects; None if it takes more, or one of the later half."""
        index, axis = graph.saved(node, "index"), graph.saved(node, "dim")
        if node.name() != "SelectBackward0" or axis != call.axis or not isinstance(index, int) or (
            not 2 * index < call.steps
        ):
            return None
        before = self._known.get(call.name)
        known = before.location if before is not None and before.index == index else None
        return StepRead(call.name, index, call.steps, call.axis, known or self._place(node))

    def _place(self, node: Any) -> SourceLocation | None:
        line = self._finite.line_of(node)
        tree = syntax_tree(line[0]) if line is not None else None
        found = list(indexings(tree, line[1])) if tree is not None and line is not None else []
        return expression_at(line[0], found[0], self._sites.keeps_text) if (
            line is not None and len(found) == 1) else None

    def look_ended(self, step: int) -> None:
        """Writes what all losses of the step read."""
        for name, (first, *others) in self._reads.items():
            if first is None or others:
                self._whole.add(name)
            elif name not in self._whole and self._known.get(name) != first:
                self._known[name] = first
                self._writer.fact(first, step)
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._calls, self._reads = {}, {}
