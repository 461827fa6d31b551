"""Whether a policy's loss makes the actions likelier that gain more, or those that gain less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.ascent import likelihood, terms
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.vectors import Vector, vectors, words_of
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.losses import PolicySign

LOOKS = 12  # at graphs with weighted log-probabilities
TRIES = 24  # at any
VOTES = 2  # that agree before it is said
NODE_LIMIT = 2_000
MOST_FACTORS = 4_096
FEWEST = 4  # factors, of which some differ
EXACT = 0.999  # correlation of factors with what differs from them by a scale and a shift alone
PRECISION = 1e-4  # relative

_GAINS = frozenset({"return", "returns", "ret", "rets", "g", "r", "gain", "gains", "utility",
                    "reward", "rewards", "rew", "rews", "payoff", "payoffs"})
_ADVANTAGES = frozenset({"adv", "advs", "advantage", "advantages"})
_COSTS = frozenset({"cost", "costs", "loss", "losses", "penalty", "penalties", "regret", "neg",
                    "negative", "error", "errors"})
# Larger values in, larger values out: a clipped surrogate is the smaller of two.
_RISING = frozenset({"MinimumBackward0", "MaximumBackward0", "ClampBackward1"})


@dataclass(frozen=True, slots=True)
class _Weighted:
    """Log-probabilities with factors in a loss: `sign` is that of their product in it."""

    sign: float
    factor: torch.Tensor
    node: Any


class PolicyProbe(Probe):
    """Compares the factors on log-probabilities with what the program calls its returns.

    Only their names say that these are gains and no costs. That the factors rise with them is
    measured.
    """

    facts = (PolicySign,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._finite = context.probe(FiniteProbe)
        self._looks = self._tries = 0
        self._votes: list[float] = []
        self._line: tuple[str, int] | None = None  # of such a product, if torch noted it
        self._operation = ""

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at the graph of a loss before it is differentiated."""
        if self._looks >= LOOKS or self._tries >= TRIES:
            return
        self._tries += 1
        with torch.no_grad():
            found = list(_weighted(nodes[0], -1.0 if self._parameters.climbs() else 1.0))
            if not found:
                return
            self._looks += 1
            for each in _groups(found):
                gains = self._gains(each.factor)
                if gains is not None:
                    name, rises = gains
                    self._votes.append(each.sign * rises)
                    for node in (each.node, nodes[0]):
                        if self._line is None and (line := self._finite.line_of(node)) is not None:
                            self._line, self._operation = line, node.name()
                    if len(self._votes) >= VOTES and len(set(self._votes)) == 1:
                        self._write(name, self._votes[0] > 0)
                    return

    def _gains(self, factors: torch.Tensor) -> tuple[str, float] | None:
        """A variable with gains that the factors follow, and the sign with which they do so."""
        held = vectors(self._sites, len(factors))
        for wanted in (_GAINS, _ADVANTAGES):
            for vector in held:
                words = words_of(vector.name)
                if words & wanted and not words & _COSTS:
                    rises = _difference(factors, vector, held) or _follows(
                        factors, vector.values)
                    if rises:
                        return vector.name, rises
        return None

    def _write(self, name: str, wrong: bool) -> None:
        location = self._sites.operation(*self._line, self._operation) if self._line else None
        self._writer.fact(
            PolicySign(location, name, wrong, len(self._votes)), self._moment.step)


def _weighted(root: Any, sign: float) -> Iterator[_Weighted]:
    """The products of log-probabilities and factors that a loss is a sum of."""
    open_ = [(root, sign)]
    seen: set[tuple[Any, float]] = set()
    while open_ and len(seen) < NODE_LIMIT:
        node, now = open_.pop()
        if (node, now) in seen:
            continue
        seen.add((node, now))
        name = node.name()
        behind = [p for p in graph.parents(node) if graph.variable(p) is None]
        factor = _factor(node) if name == "MulBackward0" and len(behind) == 1 else None
        if factor is not None and (grows := likelihood(_inside(behind[0]))):
            yield _Weighted(now * grows, factor, node)
        elif name in _RISING:
            open_ += [(parent, now) for parent in behind]
        else:
            open_ += [(parent, now * of) for of, parent in terms(node, name, behind)]


def _inside(node: Any) -> Any:
    """The logarithm of a ratio of probabilities that is given as its exponential."""
    while node.name() in ("ExpBackward0", *_RISING) and graph.parents(node):
        node = graph.parents(node)[0]
    return node


def _factor(node: Any) -> torch.Tensor | None:
    """The constant of a product."""
    factor = graph.factor(node)
    if not is_plain(factor) or not observable(factor) or not 0 < factor.numel() <= MOST_FACTORS:
        return None
    return factor.reshape(-1).to("cpu", torch.float64)


def _groups(found: list[_Weighted]) -> Iterator[_Weighted]:
    """Factors that belong together: those of one product, or one of each of many.

    The latest first: of several episodes the program's variables hold the last.
    """
    for each in sorted(found, key=lambda each: graph.sequence(each.node), reverse=True):
        if _differ(each.factor):
            yield each
    single = sorted((each for each in found if len(each.factor) == 1),
                    key=lambda each: graph.sequence(each.node))
    if len({each.sign for each in single}) == 1:
        factors = torch.cat([each.factor for each in single])
        if _differ(factors):
            yield replace(single[0], factor=factors)


def _differ(factors: torch.Tensor) -> bool:
    return len(factors) >= FEWEST and len(factors.unique()) > 1


def _difference(factors: torch.Tensor, gains: Vector, held: list[Vector]) -> float:
    """1 if the factors are gains less another variable, -1 if they are that less gains, else 0."""
    near = PRECISION * float(gains.values.abs().max() + factors.abs().max()) + 1e-9
    for other in held:
        if other is not gains:
            difference = gains.values - other.values
            for sign in (1.0, -1.0):
                if bool(((sign * difference - factors).abs() <= near).all()):
                    return sign
    return 0.0


def _follows(factors: torch.Tensor, gains: torch.Tensor) -> float:
    """The sign of the factor, if factors are gains but for one and a shift, else 0."""
    pair = torch.stack([factors, gains])
    if not bool(torch.isfinite(pair).all()) or not bool((pair.std(1) > 0).all()):
        return 0.0
    found = float(torch.corrcoef(pair)[0, 1])
    return 0.0 if abs(found) < EXACT else 1.0 if found > 0 else -1.0
