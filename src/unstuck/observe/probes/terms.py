"""How much each term of a loss moves what it shares with the others, and how well it does."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.constant import ConstantLoss, mean_error
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.formula import Output, read_formula
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.summands import (
    Joint,
    Summand,
    is_penalty,
    joints,
    reaching,
    square_of,
    summands,
    sums,
)
from unstuck.observe.source.addition import addition, written
from unstuck.observe.source.sites import Site, expression_at
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.signals.sums import TERM_LOSS, TERM_SHARE, TERM_SKILL
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, target_among

MOST_OUTPUTS = 8  # of models in one step
MOST_SUMS = 8  # that a program may have
MOST_NODES = 5_000  # of a graph that is searched
MOST_JOINTS = 256
ELEMENT_LIMIT = 2_000_000  # of gradients that are kept to be added up, and of targets


@dataclass(slots=True)
class _Term:
    """What is known of a term over the steps."""

    fact: LossTerm
    constant: ConstantLoss | None = None  # of a hand-written one
    first: torch.Tensor | None = None  # value of the squares of an equation's residuals


@dataclass(slots=True)
class _Look:
    """The gradients of a backward pass where they join, by the terms that they come from."""

    terms: list[_Term]
    sizes: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict)
    sums: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict)


class TermProbe(Probe):
    """Follows the gradient of each term to where it is added to that of others.

    There backward itself has each apart: nothing is computed that the program would not compute.
    """

    signals = (TERM_LOSS, TERM_SHARE, TERM_SKILL)
    facts = (LossTerm,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._finite = context.probe(FiniteProbe)
        self._known: dict[tuple[Site | None, tuple[str, ...]], list[_Term]] = {}
        self._floors: dict[int, torch.Tensor] = {}  # by the number of the loss's node
        self._looks: list[_Look] = []
        self._values: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}  # of terms, with floors
        self._constants: dict[str, float] = {}  # what the best constant would cost
        self._derives = False  # whether the program asked for derivatives to be differentiated
        self._outputs: list[Output] = []  # of models in this step

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps what models return: each term may be about another call."""
        made = next(iter(tensors_in(output)), None)
        if self._moment.sampled and made is not None and made.grad_fn is not None:
            self._outputs = [*self._outputs, Output(
                made.detach(), graph.sequence(made.grad_fn))][-MOST_OUTPUTS:]

    def loss_called(
        self, function: str, original: Any, args: Any, kwargs: Any, result: Any
    ) -> None:
        """Notes what soft targets cost at least."""
        target = target_among(function, args)
        if not self._moment.sampled or not is_plain(result) or result.grad_fn is None or not (
            is_plain(target) and target.is_floating_point() and observable(target)
            and target.numel() <= ELEMENT_LIMIT
        ):
            return
        with torch.no_grad():
            entropy = -torch.special.xlogy(target, target)
            if function in BINARY:
                self._floors[graph.sequence(result.grad_fn)] = (
                    entropy - torch.special.xlogy(1 - target, 1 - target)).mean()
            elif function in CLASS_LIKELIHOODS and target.ndim > 1:
                self._floors[graph.sequence(result.grad_fn)] = entropy.sum(1).mean()

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """Notes that the loss is about the derivatives of what a network computes."""
        self._derives = self._derives or any(
            each.requires_grad for each in tensors_in(gradients))

    # Backward -----------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Takes the loss apart, and asks for the gradients where the ways of its terms join."""
        terms = summands(nodes[0], self._losses.pending)
        key = self._sites.here(), tuple(term.node.name() for term in terms)
        known = self._known.get(key)
        if len(terms) < 2 or (known is None and len(self._known) >= MOST_SUMS) or any(
            look.terms is known for look in self._looks  # only the first of a step
        ):
            return
        if known is None:
            before = sum(map(len, self._known.values()))
            known = self._known[key] = [
                _Term(LossTerm(f"term {before + n}", f"sum {len(self._known) + 1}",
                               None, None, None, None, is_penalty(term.node)))
                for n, term in enumerate(terms, 1)]
        reached = reaching(nodes, terms) if len(nodes) <= MOST_NODES else {}
        for bit, (term, each) in enumerate(zip(terms, known, strict=True)):
            # A function of the program's own scales gradients as it likes, or turns them round.
            if any(of == 1 << bit and graph.is_own(node) for node, of in reached.items()
                   if graph.variable(node) is None):
                term = replace(term, factor=None)
            self._know(each, term, self._value(each, term, reached, 1 << bit))
        self._place(nodes[0], terms, known)
        self._ask(joints(reached), known)

    def _know(self, each: _Term, term: Summand, loss: str | None) -> None:
        fact = replace(each.fact, factor=term.factor, loss=loss or each.fact.loss)
        if fact.loss != each.fact.loss or not each.fact.factor:
            each.fact = fact
            self._writer.fact(fact, self._moment.step)

    def _value(self, each: _Term, term: Summand, reached: dict[Any, int], bit: int) -> str | None:
        """Notes the value of a term, and what a constant and a perfect prediction would cost.

        Returns the name of the loss that it is; None where it has no targets.
        """
        waiting = self._losses.pending
        inside = {number for node, terms in reached.items()
                  if terms == bit and (number := graph.sequence(node)) in waiting}
        if len(inside) == 1:
            number = next(iter(inside))
            pending = waiting[number]
            value = torch.as_tensor(pending.value).detach().double().mean()
            floor = self._floors.get(number, torch.zeros(()))
            self._cost(each, pending.known.constant, value, floor / pending.share)
            return pending.known.fact.function
        output = self._output(reached, bit)
        if inside or output is None or output.value.numel() > ELEMENT_LIMIT:
            return None
        formula = read_formula(term.node, output)
        if formula.target is None or formula.prediction is None or (
            formula.function not in ("mse_loss", "l1_loss")
        ):
            return self._residual(each, term.node, output.value) if self._derives else None
        if each.constant is None:
            each.constant = ConstantLoss(formula.function, getattr(
                torch.nn.functional, formula.function))
        each.constant.add((formula.prediction, formula.target), self._later)
        with torch.no_grad():
            value = mean_error(formula.function, formula.prediction, formula.target)
        self._cost(each, each.constant, value, torch.zeros(()))
        return formula.function

    def _output(self, reached: dict[Any, int], bit: int) -> Output | None:
        """The last output that this term alone is about, else the last one of all."""
        own = {graph.sequence(node) for node, terms in reached.items()
               if terms == bit and graph.variable(node) is None}
        return next((each for each in reversed(self._outputs) if each.sequence in own),
                    self._losses.output)

    def _residual(self, each: _Term, root: Any, output: torch.Tensor) -> str | None:
        """Notes the mean square of an equation's residuals, and what it would cost to stay.

        That is what it was at first, or the square of what the network puts out, if that is more:
        a condition that is nearly met from the start has nothing to learn. Returns the name of the
        loss if the residuals compare something with a constant.
        """
        squares = square_of(root)
        if squares is None:
            return None
        residuals, compares = squares
        with torch.no_grad():
            value = residuals.double().square().mean()
            if each.first is None:
                each.first = value
            stays = torch.maximum(each.first, output.double().square().mean())
        name, constants = each.fact.name, self._constants
        self._values[name] = value, torch.zeros(())
        self._later.read([stays], lambda found: constants.update({name: float(found[0])}))
        return "mse_loss" if compares else None

    def _cost(
        self, each: _Term, constant: ConstantLoss, value: torch.Tensor, floor: torch.Tensor
    ) -> None:
        name, constants = each.fact.name, self._constants
        self._values[name] = value, floor
        constant.ask(self._later, lambda cost: constants.update({name: cost}))

    def _place(self, root: Any, terms: list[Summand], known: list[_Term]) -> None:
        """Finds the terms in the source, at a step at which torch noted the lines."""
        if not self._moment.traced or known[0].fact.sum_location is not None:
            return
        line_of, keeps = self._finite.line_of, self._sites.keeps_text
        whole = next((found for node in sums(root)
                      if (found := addition(node, line_of)) is not None), None)
        if whole is None:
            return
        parts = written(root, line_of)
        for term, each in zip(terms, known, strict=True):
            part, line = parts.get(term.node), line_of(term.node)
            each.fact = replace(
                each.fact, sum_location=expression_at(*whole, keeps),
                location=expression_at(*part, keeps) if part is not None else
                self._sites.operation(*line, term.node.name()) if line is not None else None)
            self._writer.fact(each.fact, self._moment.step)

    def _ask(self, found: list[tuple[Any, Joint]], known: list[_Term]) -> None:
        look = _Look(known)
        self._looks.append(look)
        counts = Counter([(joint.terms, joint.into) for _, joint in found])
        several = [joint for _, joint in found if counts[joint.terms, joint.into] > 1]
        elements = sum([math.prod(joint.shape) for joint in several])
        if len(found) > MOST_JOINTS or elements > ELEMENT_LIMIT:
            return
        for node, joint in found:
            alone = counts[joint.terms, joint.into] == 1
            node.register_hook(self._guard.guarded(_noting(look, joint, alone)))

    # The end of a step --------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        shares = [share for look in self._looks for share in _shares(look)]
        values = [number for pair in self._values.values() for number in pair]
        names, terms, constants = [name for name, _ in shares], list(self._values), self._constants
        self._later.numbers([*(share for _, share in shares), *values], lambda numbers: (
            self._write(names, terms, constants, numbers, step)))
        self.left_halfway()

    def _write(
        self, names: list[str], terms: list[str], constants: dict[str, float],
        numbers: list[float], step: int,
    ) -> None:
        self._writer.sample(TERM_SHARE, step, {
            name: number for name, number in zip(names, numbers, strict=False)
            if math.isfinite(number)})
        rest = iter(numbers[len(names):])
        losses, skills = {}, {}
        for name in terms:
            value, floor, constant = next(rest), next(rest), constants.get(name)
            if constant is not None and math.isfinite(value):
                losses[name] = value
                if constant > floor:
                    skills[name] = (constant - value) / (constant - floor)
        self._writer.sample(TERM_LOSS, step, losses)
        self._writer.sample(TERM_SKILL, step, skills)

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._looks, self._values, self._floors, self._constants = [], {}, {}, {}
        self._derives, self._outputs = False, []


def _noting(look: _Look, joint: Joint, alone: bool) -> Any:
    """A hook that notes the gradient along an edge: its size if it comes `alone`, else to be added.
    """

    def note(given: Any, received: Any) -> None:
        gradient = given[joint.edge] if joint.edge < len(given) else None
        if not is_plain(gradient) or gradient.layout is not torch.strided:
            return
        with torch.no_grad():
            gradient = gradient.detach()
            if gradient.shape != joint.shape:
                gradient = gradient.sum_to_size(joint.shape)  # as backward will
            if alone:
                look.sizes[joint.terms, joint.into] = torch.linalg.vector_norm(gradient.float())
                return
            before = look.sums.get((joint.terms, joint.into))
            look.sums[joint.terms, joint.into] = (
                gradient.float().clone() if before is None else before + gradient)

    return note


def _shares(look: _Look) -> list[tuple[str, torch.Tensor]]:
    """For each term its share of the gradient where it joins others."""
    squares = {key: size.square() for key, size in look.sizes.items()}
    for key, total in look.sums.items():
        squares[key] = torch.linalg.vector_norm(total).square()
    found = []
    for bit, term in enumerate(look.terms):
        places = {into for terms, into in squares if terms >> bit & 1}
        sizes: dict[int, torch.Tensor] = {}
        for (terms, into), square in squares.items():
            if into in places:
                group = 0 if terms >> bit & 1 else terms
                sizes[group] = sizes[group] + square if group in sizes else square
        if len(sizes) > 1:
            own = sizes[0].sqrt()
            found.append((term.fact.name, own / sum(size.sqrt() for size in sizes.values())))
    return found
