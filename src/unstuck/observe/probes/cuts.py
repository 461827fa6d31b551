"""Where the graph is cut between layers that are called one after the other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.cutting import cutting, is_cutting
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Site, call_at, expression_at, syntax_tree
from unstuck.observe.source.unread import Unread, returned, unread
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.models import Cut
from unstuck.schema.places import SourceLocation

LEAFLESS = 3  # losses without a parameter that are no accident
CALLS = 1_000  # layer calls of a step that are kept
MOST_LOSSES = 3  # that may leave out a call before it is forgotten
MOST_CUTS = 64


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    own: tuple[int, ...]  # identities of the layer's trainable parameters
    graphless: bool  # its input has no graph
    address: int  # of its input: the raw input of two branches is the same
    recorded: bool  # the call itself was recorded by autograd
    stack: tuple[Site, ...]  # the user's call sites, outermost first
    losses: int = 0  # that were differentiated since and left it out
    ends: CodeType | None = None  # of a layer without weights whose output has lost the graph


@dataclass(frozen=True, slots=True)
class _Cut:
    before: tuple[_Call, ...]
    after: _Call
    loss: str | None
    unread: tuple[Site, Unread] | None = None  # the last call before, if nothing reads its result


class CutProbe(Probe):
    """Follows layer calls once a loss was seen that misses parameters which an optimizer holds.

    A cut lies between two layers if none of those called before it is reached by the loss and the
    first that is reached gets an input without a graph. Layers whose output the text does not use
    have one of their own.
    """

    facts = (Cut,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._calls: list[_Call] = []
        self._written: set[tuple[str, str | None]] = set()
        self._names_used: dict[str, int] = {}
        self._found: list[_Cut] = []  # by backward passes since the last step
        self._places: dict[SourceLocation, str | None] = {}  # that cut, with the optimizers
        self.loss_of: Callable[[list[Any]], str | None] = lambda nodes: None
        self._site: Site | None = None  # where a model was last called from outside
        self._leafless = 0  # losses in a row that reach no parameter of any kind
        self._learning = False  # the model under way was called with gradients on
        self._suspects = False  # the last loss missed a parameter
        self._results: dict[Site, tuple[Unread | None, bool]] = {}

    def before_call(self, module: nn.Module) -> None:
        """Notes from where a model is called, with gradients on or off."""
        self._learning = self._moment.learns
        self._site = self._sites.here()

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the call, if anything is suspected."""
        if not (self._suspects and self._learning) or len(self._calls) >= CALLS:
            return
        known = self._names.layer(module)
        own = tuple(id(p) for p in module.parameters(recurse=False) if p.requires_grad)
        given = next((a for a in args if is_plain(a)), None)
        if known is None or given is None:
            return
        ends = None if own else self._ending(module, given, output)
        if own or ends is not None:
            self._calls.append(_Call(
                known[0], own, not given.requires_grad, _address(given), torch.is_grad_enabled(),
                tuple(reversed(self._sites.stack())), ends=ends))

    def _ending(self, module: nn.Module, given: torch.Tensor, output: Any) -> CodeType | None:
        """The code of a layer of the user's own that gets a graph and gives none."""
        code = getattr(type(module).forward, "__code__", None)
        lost = given.requires_grad and is_plain(output) and not output.requires_grad
        return code if lost and code is not None and self._sites.is_user(
            code.co_filename) else None

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks for a cut in the layers that were called, if the loss misses a parameter."""
        step = self._moment.step
        calls, self._calls = self._calls, []
        held = self._parameters.held_now()
        # Without an optimizer the program may train tensors of its own by hand.
        fresh = any(not call.losses for call in calls)
        if held and held.isdisjoint(leaves) and not fresh and not any(
            isinstance(graph.variable(node), nn.Parameter) for node in nodes
        ):
            self._leafless += 1
            if self._leafless >= LEAFLESS:
                self._whole(step)
            return
        self._leafless = 0
        missed = {
            id(p) for _, p in self._names.parameters()
            if p.requires_grad and id(p) in held and id(p) not in leaves
        }
        self._suspects = bool(missed)
        calls = self._without_unread(calls, missed, self.loss_of(nodes))
        # What this loss leaves out another may be meant to reach, a generator's for instance.
        self._calls = [replace(call, losses=call.losses + 1) for call in calls
                       if missed.issuperset(call.own) and call.losses < MOST_LOSSES]
        before: list[_Call] = []
        for call in calls:
            if missed.issuperset(call.own):
                before.append(call)
                continue
            raw = {earlier.address for earlier in before}
            if any(earlier.own for earlier in before) and call.graphless and (
                call.address not in raw and any(p in leaves for p in call.own)
            ):
                self._found.append(_Cut(tuple(before), call, self.loss_of(nodes)))
            return

    def _without_unread(
        self, calls: list[_Call], missed: set[int], loss: str | None
    ) -> list[_Call]:
        """The calls but those whose result nothing reads, which are noted."""
        run: list[_Call] = []
        left: list[_Call] = []
        found: list[_Cut] = []
        for call in calls:
            lost = bool(call.own) and missed.issuperset(call.own)
            run = [*run, call] if lost else run if not call.own else []
            result = self._result(call) if lost and call.recorded and not call.losses else None
            if result is None:
                left.append(call)
                continue
            # The calls of one statement, or of its turns, have one result.
            if found and found[-1].unread is not None and found[-1].unread[1] == result[1]:
                found.pop()
            found.append(_Cut(tuple(run), call, loss, result))
        self._found += found
        return left

    def _result(self, call: _Call) -> tuple[Site, Unread] | None:
        """The call of a layer, or of what returns its result, whose result nothing reads."""
        for site in reversed(call.stack):
            if site not in self._results:
                self._results[site] = self._read(site)
            result, handed_on = self._results[site]
            if result is not None:
                return site, result
            if not handed_on:
                break
        return None

    def _read(self, site: Site) -> tuple[Unread | None, bool]:
        """How the result of a call is left unread, and whether its function returns it."""
        place, file = self._sites.location(site), self._sites.code(site).co_filename
        tree = syntax_tree(file)
        call = call_at(place, nodes_of(tree)) if place is not None and tree is not None else None
        if tree is None or call is None:
            return None, False
        return unread(tree, call), returned(tree, call)

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """An optimizer uses the gradients of the losses so far."""
        if self._found and optimizer is not None:
            self._use(self._parameters.name(optimizer), self._moment.step)

    def look_ended(self, step: int) -> None:
        """Writes cuts that no optimizer's step has followed."""
        self._use(None, step)

    def _use(self, optimizer: str | None, step: int) -> None:
        found, self._found = self._found, []
        for cut in found:
            self._write(cut, optimizer, step)

    def no_graph(self) -> None:
        """The loss leads to no parameter."""
        self._calls = []
        self._whole(self._moment.step)

    def _whole(self, step: int) -> None:
        """The loss that is differentiated leads to no parameter at all."""
        if ("loss", None) in self._written:
            return
        if any(p.requires_grad for _, p in self._names.parameters()) or any(
            p.requires_grad for p in self._parameters.held()
        ):
            self._written.add(("loss", None))
            self._writer.fact(Cut("loss", (), self._lost(), True), step)

    def _lost(self) -> SourceLocation | None:
        """The only expression between model and backward that can cut, else one of the two."""
        site, here = self._site, self._sites.here()
        if site is not None and here is not None and site[0] == here[0]:
            between = self._between(site, self._line(site), self._line(here), self._learning)
            found = self._only(list(between))
            if found is not None:
                return found
        return self._sites.location(here if self._learning else site)

    def _write(self, cut: _Cut, optimizer: str | None, step: int) -> None:
        last, first = [call for call in cut.before if call.own][-1], cut.after
        if (first.name, optimizer) in self._written or len(self._written) >= MOST_CUTS:
            return
        self._written.add((first.name, optimizer))
        ends = next((call.ends for call in cut.before if call.ends is not None), None)
        location, seen = self._inside(ends) if ends is not None else (None, False)
        if cut.unread is not None:
            location, seen = self._sites.location(cut.unread[0]), True
        elif not seen:
            location, seen = self._cutting(last, first, optimizer)
        if location is None and first.stack:
            location = self._sites.location(first.stack[-1])
        if location is not None:
            self._places.setdefault(location, optimizer)
        names = tuple(dict.fromkeys(call.name for call in cut.before if call.own))
        result = (cut.unread[1].names, cut.unread[1].turns) if cut.unread is not None else ()
        self._writer.fact(Cut(
            numbered(self._names_used, first.name), names, location, seen, first.name, cut.loss,
            optimizer, *result), step)

    # The expression that cuts -------------------------------------------------------------------
    def _cutting(
        self, last: _Call, first: _Call, optimizer: str | None
    ) -> tuple[SourceLocation | None, bool]:
        """The only expression that can cut and runs between two calls; whether there is any.

        What cuts the graph of another optimizer's loss is left out.
        """
        found: list[tuple[str, ast.expr]] = []
        common = True
        for depth in range(max(len(last.stack), len(first.stack))):
            a = last.stack[depth] if depth < len(last.stack) else None
            b = first.stack[depth] if depth < len(first.stack) else None
            same = common and a is not None and b is not None and a[0] == b[0]
            if common and a is not None and a == b:
                continue
            common = False
            if same and a is not None and b is not None:
                found += self._between(a, self._line(a), self._line(b), last.recorded)
                continue
            if a is not None:
                found += self._between(a, self._line(a), None, last.recorded)
            if b is not None:
                found += self._between(b, None, self._line(b), last.recorded)
        own = [(file, node) for file, node in found if self._places.get(
            expression_at(file, node, self._sites.keeps_text), optimizer) == optimizer]
        if not found and last.stack and first.stack:
            return self._in_called(last.stack, first.stack)
        # One expression may cut for both.
        return self._only(own or found), bool(found)

    def _in_called(
        self, last: tuple[Site, ...], first: tuple[Site, ...]
    ) -> tuple[SourceLocation | None, bool]:
        """The same in functions of the file that are called by name in between."""
        pair = next(((a, b) for a, b in zip(last, first, strict=False) if a != b), None)
        if pair is None or pair[0][0] != pair[1][0]:
            return None, False
        lines = range(self._line(pair[0]), self._line(pair[1]) + 1)
        calls: dict[ast.Call, list[tuple[str, ast.expr]]] = {}
        for call, file, node in self._in_helpers(pair[0]):
            if call.lineno in lines:
                calls.setdefault(call, []).append((file, node))
        if len(calls) != 1:
            return None, bool(calls)
        (call, found), = calls.items()
        return self._only(found) or expression_at(
            found[0][0], call, self._sites.keeps_text), True

    def _inside(self, code: CodeType) -> tuple[SourceLocation | None, bool]:
        """What can cut in a layer: the only expression, else the one that holds all of them."""
        found = list(cutting(code, None, None, True))
        tree = syntax_tree(code.co_filename)
        if not found or tree is None:
            return None, False
        only = self._only(found)
        if only is not None:
            return only, True
        parts = {node for _, node in found}
        whole = [node for node in ast.walk(tree) if isinstance(node, ast.expr)
                 and parts <= set(ast.walk(node))]
        # The smallest comes last: what is walked later lies deeper.
        return (expression_at(code.co_filename, whole[-1], self._sites.keeps_text)
                if whole else None), True

    def within(self, stack: Iterable[Site]) -> SourceLocation | None:
        """The only expression that can cut in the innermost function of a call that has any, or
        calls one of the same file that has."""
        for site in stack:
            found = list(self._between(site, None, None, True)) or list(dict.fromkeys(
                (file, node) for _, file, node in self._in_helpers(site)))
            if found:
                return self._only(found)
        return None

    def _in_helpers(self, site: Site) -> Iterator[tuple[ast.Call, str, ast.expr]]:
        """Cutting expressions of the functions that a call site's function calls by name, each with
        the call."""
        code = self._sites.code(site)
        tree = syntax_tree(code.co_filename)
        functions = [node for node in nodes_of(tree) if isinstance(node, ast.FunctionDef)
                     ] if tree is not None else []
        calls = [node for function in functions if function.name == code.co_name
                 for node in ast.walk(function) if isinstance(node, ast.Call)]
        for function in functions:
            if function.name == code.co_name:
                continue
            parts = [node for node in ast.walk(function)
                     if isinstance(node, ast.expr) and is_cutting(node)]
            for call in calls if parts else ():
                if last_name(call.func) == function.name:
                    yield from ((call, code.co_filename, node) for node in parts)

    def _only(self, found: list[tuple[str, ast.expr]]) -> SourceLocation | None:
        """The only one of some expressions that has none of the others within."""
        inner = [
            (file, node) for file, node in found
            if not any(other is not node and file == place and other in ast.walk(node)
                       for place, other in found)
        ]
        if len({(file, node.lineno, node.col_offset, node.end_col_offset)
                for file, node in inner}) != 1:
            return None
        return expression_at(*inner[0], self._sites.keeps_text)

    def _line(self, site: Site) -> int:
        location = self._sites.location(site)
        return location.line if location is not None else 0

    def _between(
        self, site: Site, start: int | None, end: int | None, recorded: bool
    ) -> Iterator[tuple[str, ast.expr]]:
        """Cutting expressions of a call site's function between two lines, both included."""
        return cutting(self._sites.code(site), start, end, recorded)


def _address(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.data_ptr())
    except RuntimeError:  # a tensor without storage
        return 0
