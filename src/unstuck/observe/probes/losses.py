"""Losses by the role that data flow gives them, what they receive and what a constant costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.later import Number, value_of
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes import left_out, received, targets
from unstuck.observe.probes.ascent import Ascents
from unstuck.observe.probes.constant import ConstantLoss, mean_error
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.formula import Output, read_formula
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.probes.lifetimes import FIRST_STEPS, Lifetimes, Place
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.probes.pending import Known, Pending
from unstuck.observe.probes.rows import LossRows, is_many, mean_of
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.probes.targets import Targets, is_reversed, stretched, target_of
from unstuck.observe.samples.batch import Role, samples_of
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain, tensors_in
from unstuck.schema.facts.losses import Ascent, Descent, Loss, RetainedGraph, UnboundedTerm
from unstuck.schema.signals.losses import (
    CONSTANT_LOSS,
    HELD_OUT_LOSS,
    LOSS_FACTOR,
    SEEN_LOSS,
    TRAIN_LOSS,
)
from unstuck.schema.signals.parameters import LIVE_GRAPHS
from unstuck.torch_api import WEIGHTED, target_among

PATIENCE = 4  # backward passes after which a loss that none of them reached is not trained on
MOST_LOOKS = 256  # at the calls of a loss in one step
MOST_PENDING = 512  # losses that wait for a backward pass
OUTPUT = "output"  # of a model; several places are numbered
BY_ROLE = {Role.HELD_OUT: HELD_OUT_LOSS, Role.SEEN: SEEN_LOSS}
COMBINED = "combined loss"  # the track of a sum of losses
HOOK_FRAMES = 6  # from where a loss is looked at out to the loss function's caller


class LossProbe(Probe):
    """Follows every loss from its computation to backward, or to where it is only looked at."""

    signals = (CONSTANT_LOSS, HELD_OUT_LOSS, LIVE_GRAPHS, LOSS_FACTOR, SEEN_LOSS, TRAIN_LOSS,
               *left_out.SIGNALS, *received.SIGNALS, *targets.SIGNALS)
    facts = (Ascent, Descent, Loss, RetainedGraph, UnboundedTerm)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._samples = context.probe(SampleProbe)
        self._finite = context.probe(FiniteProbe)
        self._parameters = context.probe(ParameterProbe)
        self._lifetimes = Lifetimes(self._writer, self._sites)
        self.targets = Targets(
            self._writer, self._later, self._sites, self._finite, context.probe(LayerProbe))
        self._ascents = Ascents(self._writer, self._sites, self._finite)
        self.known: dict[tuple[str, Site | None], Known] = {}
        self._counts: dict[str, int] = {}  # of the names of each kind
        self._unit: ConstantLoss | None = None  # the loss that is trained, in its own reduction
        self.pending: dict[int, Pending] = {}
        self._scaled: dict[int, Number] = {}
        self._passes: dict[Role, tuple[Number, int]] = {}  # weighted sum and weight, by role
        self.rows = LossRows(self._writer, self._finite)
        self.output: Output | None = None
        # The last steps of which a loss factor was written, and with a call in evaluation mode.
        self._factored = self._evaluated = -1
        self._outputs: dict[Site | None, str] = {}  # names of model calls with gradients on

    # Forward ------------------------------------------------------------------------------------
    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Remembers, until backward, what the model returned: a hand-written loss may be about it.

        A function that computes the loss may hold the only reference to it.
        """
        tensor = self._follow(output)
        self.output = None if tensor is None else Output(
            tensor.detach(), graph.sequence(tensor.grad_fn))

    def model_evaluated(self, output: Any) -> None:
        """Follows an output that no backward pass may come to, and counts those before."""
        before, self._evaluated = self._evaluated, self._moment.step
        if self._evaluated > before + 1:  # a program that trains in this mode comes at each step
            self._lifetimes.count(self.places(), self._evaluated)
        self._follow(output)

    def _follow(self, output: Any) -> torch.Tensor | None:
        tensor = next(iter(tensors_in(output)), None)
        if tensor is None or tensor.grad_fn is None:
            return None
        site = self._sites.here()
        if site not in self._outputs:
            self._outputs[site] = numbered(self._counts, OUTPUT)
        self._lifetimes.follow(tensor.grad_fn, self._outputs[site], self._moment.step)
        return tensor

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Notes which outputs are trained on."""
        self._lifetimes.reached(nodes)

    def loss_called(
        self, function: str, original: Callable[..., Any], args: Any, kwargs: Any, result: Any
    ) -> None:
        """Keeps the value until a backward comes, or until it is clear that none does."""
        step, sampled = self._moment.step, self._moment.sampled
        if not args or not is_plain(args[0]) or is_functorch_wrapped_tensor(args[0]):
            return
        site = self._sites.called_from(HOOK_FRAMES)
        known = self.known.get((function, site))
        if known is None:
            known = self._know(function, original, site, args, kwargs)
        if result is None and args[0].requires_grad:
            self._write(known, step)
            self._measure(known, args, kwargs, step)
        if not is_plain(result):
            return
        node = result.grad_fn
        if node is None:
            mean = known.constant.per_term(mean_of(value_of(result)), args)
            role = self._samples.role_of(args[0], target_among(function, args))
            self.looked_at(mean, samples_of(args), role)
            return
        if sampled and self._looks(known, step):
            self._measure(known, args, kwargs, step)
            known.constant.add(args, self._later)
        if sampled or step < FIRST_STEPS or not known.reached:
            self._lifetimes.follow(node, known.name, step)
        # Only the number is kept: the graph must be able to go.
        if len(self.pending) >= MOST_PENDING:  # a program that only looks at them
            self._only_looked_at(self.pending.pop(next(iter(self.pending))))
        self.pending[node._sequence_nr()] = Pending(
            value_of(result), known, self._samples.batch, samples_of(args),
            known.constant.per_term(1.0, args))

    def _looks(self, known: Known, step: int) -> bool:
        """Whether a call is looked at: a sampled step may hold very many, or never end."""
        count = known.looks[1] + 1 if known.looks[0] == step else 1
        known.looks = step, count
        return count <= MOST_LOOKS

    def waits(self, number: int, value: Number, known: Known, weight: int) -> None:
        """A loss of a model call whose batch was not hashed waits for its backward."""
        self.pending[number] = Pending(value, known, None, weight)

    def is_at_rest(self) -> bool:
        """Whether no loss waits for anything."""
        return not self.pending and not self._passes

    def loss_scaled(self, unscaled: Any, scaled: Any) -> None:
        """The record holds the loss itself."""
        if is_plain(unscaled) and is_plain(scaled) and scaled.grad_fn is not None:
            self._scaled = {graph.sequence(scaled.grad_fn): value_of(unscaled)}

    def looked_at(self, value: Number, weight: int, role: Role) -> None:
        """A loss of so many samples teaches nothing."""
        total, count = self._passes.get(role, (0.0, 0))
        weight = max(1, weight)
        with torch.no_grad():
            self._passes[role] = total + weight * value, count + weight

    def _end_pass(self, step: int) -> None:
        """Training goes on: what was only looked at since the last backward is one pass."""
        passes, self._passes = self._passes, {}
        for role, (total, weight) in passes.items():
            mean = self._unit.of_a_step(total / weight) if self._unit else total / weight
            self._later.row(BY_ROLE[role], step, mean)

    # Backward -----------------------------------------------------------------------------------
    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Writes the loss that this is, if it is known."""
        step, sampled = self._moment.step, self._moment.sampled
        self._end_pass(step)
        if self._plain_backward(loss, step, sampled):
            return
        root = loss.grad_fn
        if root is None:
            return
        known = None
        value = value_of(loss)
        if self._scaled:
            value = self._scaled.pop(graph.sequence(root), value)
        if (climbs := self._parameters.climbs()) and root.name() == "NegBackward0":
            value = -value  # maximised: what falls is the loss behind the sign
        found: set[int] = set()
        if self.pending:
            found, way = graph.find(root, set(self.pending))
            for number in sorted(found):
                self._write(self.pending[number].known, step)
                self._samples.trained(self.pending[number].batch)
            if len(found) == 1:
                pending = self.pending[next(iter(found))]
                if way.plain:
                    known = pending.known
                    if not is_many(pending.value):
                        own = -pending.value if way.negated and not climbs else pending.value
                        if sampled and not way.shifted:
                            self._write_factor(known, value, own, step)
                        value = own
            self._forget(found)
            self._end_pass(step)
        if not found:
            known = self._hand_written(root, value, sampled, step)
        self.output = None  # nothing of the program's is kept beyond its backward
        if sampled:
            self._ascents.note(root, climbs, known.name if known else COMBINED, step)
        self._emit(value, known, root, step, sampled)

    def value_differentiated(self, value: torch.Tensor) -> None:
        """Writes the loss of a program that has no graph to be looked at."""
        self._end_pass(self._moment.step)
        self._emit(value_of(value), None, None, self._moment.step, self._moment.sampled)

    def _plain_backward(self, loss: torch.Tensor, step: int, sampled: bool) -> bool:
        """Does it all if this very loss and nothing else waits for it; else False."""
        root = loss.grad_fn
        if root is None or len(self.pending) != 1 or (sampled and self._parameters.climbs()):
            return False
        direct = self.pending.get(root._sequence_nr())
        if direct is None or not direct.known.written:
            return False
        known = direct.known
        known.reached += 1
        self.pending.clear()
        self._samples.trained(direct.batch)
        self._emit(direct.value, known, root, step, sampled)
        self.output = None
        if sampled:
            self._write_factor(known, 1.0, 1.0, step)
        return True

    def _write_factor(self, known: Known, passed: Number, computed: Number, step: int) -> None:
        if self._moment.within_step and self._factored == step:
            return  # a closure is evaluated anew: nothing adds up
        self._factored = step
        if not is_many(passed):
            self._later.values([computed, passed], lambda found: (
                self._writer.sample(LOSS_FACTOR, step, {known.name: found[1] / found[0]})
                if found[0] else None))

    def places(self) -> dict[str, Place]:
        """Where each loss and each model's output is computed."""
        return {
            **{n: Place(s, n in self._lifetimes.trained, True) for s, n in self._outputs.items()},
            **{k.name: Place(site, k.reached > 0) for (_, site), k in self.known.items()},
        }

    def _forget(self, found: set[int]) -> None:
        reached = [self.pending.pop(number) for number in found]
        left_out.write(
            self.pending.values(), reached, self._later, self._writer, self._moment.step)
        lines = [each.known for each in reached]
        new = {id(known) for known in lines if not known.reached}  # a step by hand shows late
        self.pending = {n: p for n, p in self.pending.items() if id(p.known) not in new}
        for known in lines:
            known.reached += 1
        usual = any(known.reached > 2 for known in lines)
        for number, pending in list(self.pending.items()):
            pending.age += 1
            # A line that training has passed by so far is a validation with gradients on.
            if (usual and not pending.known.reached) or pending.age >= PATIENCE:
                self.pending.pop(number, None)
                self._only_looked_at(pending)

    def _only_looked_at(self, pending: Pending) -> None:
        role = pending.batch.role if pending.batch is not None else Role.HELD_OUT
        self.looked_at(mean_of(pending.value) * pending.share, pending.weight, role)
        self._samples.only_looked_at(pending.batch, role)

    def after_step(self, optimizer: Optimizer | None) -> None:
        """Without a backward, `torch.autograd.grad` has computed the gradients: the last loss's."""
        moment = self._moment
        if optimizer is not None and self.pending and not (
            moment.backwards or moment.backwards_in_step
        ):
            self._end_pass(moment.step)
            pending = self.pending.pop(max(self.pending))
            self._write(pending.known, moment.step)
            self._samples.trained(pending.batch)
            self._emit(pending.value, pending.known, None, moment.step, moment.sampled)
            self._forget(set())

    def _emit(
        self, value: Number, known: Known | None, root: Any, step: int, sampled: bool
    ) -> None:
        track = known.name if known else COMBINED
        self.rows.add(track, value, root, step, sampled)
        if sampled and known is not None:
            self._unit = known.constant
            known.constant.ask(self._later, lambda constant: self._writer.row(
                CONSTANT_LOSS, step, constant, track))

    def look_ended(self, step: int) -> None:
        """Counts the graphs that live on, and has losses read."""
        self.rows.bring(self._later)
        self._lifetimes.count(self.places(), step)

    def stopping(self) -> None:
        """Counts them for the last time."""
        self._lifetimes.count(self.places(), self._moment.step)

    def training_ended(self, whole: bool) -> None:
        """Writes all; a loss that waits for backward counts if the run came to its `whole` end."""
        for pending in self.pending.values():
            if pending.age or whole:
                self._only_looked_at(pending)
        self.pending.clear()
        self._end_pass(self._moment.step)
        self.rows.drain(None)

    # Facts --------------------------------------------------------------------------------------
    def _know(
        self, function: str, original: Callable[..., Any], site: Site | None, args: Any,
        kwargs: Any,
    ) -> Known:
        given, wanted = args[0], target_among(function, args)
        target = wanted if is_plain(wanted) else None
        constant = ConstantLoss(function, original, args, kwargs)
        chain = graph.producers(given.grad_fn) if given.grad_fn is not None else []
        softmax = next((n for n in chain if "oftmax" in n.name()), None)
        fact = Loss(
            numbered(self._counts, function), function, False, self._sites.location(site),
            tuple(given.shape), tuple(target.shape) if target is not None else (),
            str(getattr(target, "dtype", "")).removeprefix("torch."), constant.reduction,
            tuple(n.name() for n in chain), stretched(function, given, target),
            graph.dimension_in(given.grad_fn, softmax), log_input=constant.log_input,
            reversed=is_reversed(function, given, target),
        )
        rows = self._writer.rows(TRAIN_LOSS, fact.name)
        return self.known.setdefault((function, site), Known(fact.name, fact, constant, rows))

    def _write(self, known: Known, step: int) -> None:
        if not known.written:
            known.written = True
            self._writer.fact(known.fact, step)

    def _hand_written(self, root: Any, value: Number, sampled: bool, step: int) -> Known | None:
        """The loss of a program that uses no loss function, by its graph."""
        formula = self._samples.trained_by_hand(root)
        key = ("", self._sites.here())
        known = self.known.get(key)
        if not sampled:
            return known
        if known is not None:
            self._lifetimes.follow(root, known.name, step)
        formula = formula or read_formula(root, self.output)
        if known is None:
            name = numbered(self._counts, "hand-written loss")
            fact = formula.fact(name, None)
            known = self.known[key] = Known(
                name, fact, ConstantLoss(formula.function), self._writer.rows(TRAIN_LOSS, name))
        if known.fact.location is None and formula.root is not None:
            line = self._finite.line_of(formula.root)
            location = self._sites.operation(
                *line, formula.root.name(), formula.last) if line else None
            fact = replace(formula.fact(known.name, location),
                           input_layer=known.fact.input_layer,
                           input_location=known.fact.input_location,
                           call_location=self._finite.call_of(formula.root, formula.made_by))
            if location is not None or not known.written:
                known.fact, known.written = fact, False
        self._write(known, step)
        if formula.target is not None and formula.prediction is not None:
            known.by_hand = formula
            pair, own = (formula.prediction, formula.target), formula.of(value)
            known.constant.add(pair, self._later, own)
            if known.fact.function == "mse_loss":
                self._write_factor(known, own, mean_error("mse_loss", *pair), step)
            self._look(known, formula.prediction, formula.made_by, formula.target, step)
            self._write(known, step)
            received.write_target(self._later, known.name, formula.target, step)
        return known

    # What a loss receives -----------------------------------------------------------------------
    def _measure(self, known: Known, args: Any, kwargs: Any, step: int) -> None:
        function = known.fact.function
        weight = kwargs.get("weight", args[2] if len(args) > 2 and function in WEIGHTED else None)
        self._look(known, args[0], args[0].grad_fn, target_of(function, args), step, weight)
        received.write_input(self._later, known.name, function, args[0], step)
        received.write_target(self._later, known.name, target_among(function, args), step)

    def _look(
        self, known: Known, given: torch.Tensor, node: Any, target: torch.Tensor | None,
        step: int, weight: Any = None,
    ) -> None:
        fact = self.targets.look(
            known.fact, given, node, target, step, known.constant.options, weight)
        if fact != known.fact:
            known.fact, known.written = fact, False
