"""Targets of values: which network they come from, whether it moves, and what happens at ends."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.naming import numbered, unwrapped
from unstuck.observe.source.sites import Site
from unstuck.observe.source.vectors import (
    Vector,
    as_vector,
    is_read,
    made_at,
    marks_ends,
    returned_at,
    vectors,
)
from unstuck.observe.tensors import is_plain, mark, observable, readable, tensors_in
from unstuck.schema.facts.bootstrap import BootstrappedTarget, TargetNetwork
from unstuck.schema.signals.bootstrap import (
    BEYOND_REWARDS,
    ENDS_BOOTSTRAPPED,
    ENDS_MARKED,
    TARGET_MOVED,
)

MOST_CALLS = 16  # of a step
MOST_ACTIONS = 64
MOST_TRIES = 12  # steps in which targets are looked for
MOST_FINDS = 48  # steps in which they are looked at once they are known: ends may be rare
MOST_LOOKS = 4  # within a step, which may have many losses
FEWEST = 8  # samples of a batch
MOST_SAMPLES = 4_096
LEAST_DISCOUNT = 0.3
PRECISION = 1e-4  # relative


@dataclass(slots=True)
class _Call:
    """A model's call within a sampled step.

    `output` is there, without its graph, where it may be a value of each sample or of few actions.
    """

    called: weakref.ref[nn.Module]
    site: Site | None
    given: tuple[int, ...]  # the shape of its input
    samples: int
    output: torch.Tensor | None

    @property
    def module(self) -> nn.Module:
        """What was called, which lives as long as the program holds it."""
        module = self.called()
        assert module is not None
        return module


@dataclass(slots=True)
class _Copy:
    """A network that values come from."""

    mark: float
    equal: bool  # to the trained one, when it was first called
    since: int
    copied: bool = False  # was given the weights of the trained one after that
    name: str = ""  # once its values are known to be in targets


@dataclass(frozen=True, slots=True)
class Relation:
    """Targets that are a reward plus a discount times a value, but for those that are the reward.

    `holds` are the samples with the value in their target, `bare` those without it.
    """

    target: Vector
    reward: Vector
    discount: float
    holds: torch.Tensor
    bare: torch.Tensor
    value: torch.Tensor


class BootstrapProbe(Probe):
    """Looks for targets made of a network's own output, in the first sampled steps that have one.

    Nothing is taken for such a target by its name: the numbers of the program's variables must add
    up for every sample. Only what marks an end is known by its name, or by never being read.
    """

    signals = (TARGET_MOVED, ENDS_BOOTSTRAPPED, ENDS_MARKED, BEYOND_REWARDS)
    facts = (TargetNetwork, BootstrappedTarget)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._calls: list[_Call] = []
        self._losses: list[torch.Tensor] = []  # what losses of torch took as targets
        self._tries = 0
        self._looks = 0  # within this step
        self._found = False  # in any
        self._values: ByIdentity[nn.Module, bool] = ByIdentity()  # whose output is in targets
        self._copies: ByIdentity[nn.Module, _Copy] = ByIdentity()
        self._counts: dict[str, int] = {}
        self._reward = 0.0  # the largest so far
        self._masks = False  # whether a target was ever without its value
        self._relation: tuple[Relation, list[Vector], Site | None] | None = None

    def follow(self, before: Self) -> None:
        """Which networks values come from stays so."""
        self._values = before._values

    # What the program does ----------------------------------------------------------------------
    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes calls of networks, with or without gradients."""
        if not self._moment.sampled or len(self._calls) >= MOST_CALLS:
            return
        given = next(iter(tensors_in(*args, *kwargs.values())), None)
        if given is not None and is_plain(output) and observable(output) and (
                FEWEST <= len(output) <= MOST_SAMPLES if output.ndim else False):
            small = output.ndim == 1 or (output.ndim == 2 and output.shape[1] <= MOST_ACTIONS)
            self._calls.append(_Call(
                weakref.ref(unwrapped(module)), self._sites.here(), tuple(given.shape),
                len(output), output.detach() if small else None))

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Looks where the targets are at hand."""
        if self._moment.sampled and len(args) > 1 and is_plain(args[1]):
            self._losses = [*self._losses, args[1].detach()][-MOST_CALLS:]
            self._look()

    def before_backward(self) -> None:
        """Looks again, for losses that are no function of torch."""
        if self._moment.sampled:
            self._look()
            for call, twin in self._copies_called():
                known, now = self._copies.get(call.module), _mark(call.module)
                same = now == _mark(twin.module)
                if known is None:  # before the first step
                    self._copies[call.module] = _Copy(now, same, self._moment.step)
                else:
                    known.copied = known.copied or (same and now != known.mark)

    def _look(self) -> None:
        most = MOST_FINDS if self._found else MOST_TRIES
        if self._relation is not None or (self._tries >= most and not self._looks) or (
                self._looks >= MOST_LOOKS):
            return
        trained = self._trained_calls()
        size = trained[-1].samples if trained else 0
        sources = [(call, call.output) for call in self._alive()
                   if call.output is not None and call.samples == size]
        if not trained or len(self._calls) < 2 or not sources:
            return
        self._tries += not self._looks
        self._looks += 1
        with torch.no_grad():
            held = vectors(self._sites, size)
            outputs = [output.reshape(size, -1).to("cpu", torch.float64) for _, output in sources]
            targets = [Vector("", v, tuple(t.shape), "", None) for t in self._losses
                       if (v := as_vector(t, size)) is not None]
            # The value of the action that another network would take (van Hasselt et al. 2016).
            made = [(call.called, out) for (call, _), out in zip(sources, outputs, strict=True)]
            chosen = (out.gather(1, by.argmax(1, keepdim=True))
                      for called, out in made for other, by in made
                      if called is not other and 1 < by.shape[1] == out.shape[1])
            relation = find(targets or held, held, [*outputs, *islice(chosen, MOST_CALLS)])
            if relation is None:
                return
            self._found = True
            named = next((v for v in held if torch.equal(v.values, relation.target.values)), None)
            if named is not None:
                relation = Relation(named, relation.reward, relation.discount, relation.holds,
                                    relation.bare, relation.value)
            self._relation = relation, held, self._sites.here()
            for (call, _), output in zip(sources, outputs, strict=True):
                if _comes_from(relation.value, output):
                    self._values[call.module] = True

    def _alive(self) -> list[_Call]:
        return [call for call in self._calls if call.called() is not None]

    def _trained_calls(self) -> list[_Call]:
        held = self._parameters.held_now()
        return [call for call in self._alive()
                if any(id(p) in held for p in nn.Module.parameters(call.module))]

    def _copies_called(self) -> list[tuple[_Call, _Call]]:
        """The calls of networks that nothing trains, each with that of a trained one of its shape.
        """
        trained = self._trained_calls()
        online = {id(call.module) for call in trained}
        return [(call, twin) for call in self._alive() if id(call.module) not in online
                for twin in trained
                if _shapes(twin.module) == _shapes(call.module)
                and twin.given == call.given]

    # What is written ----------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        if self._calls:
            self._write_copies(step)
        if self._relation is not None:
            self._write_ends(step, *self._relation)
        self._calls, self._losses, self._relation, self._looks = [], [], None, 0

    def _write_ends(
        self, step: int, relation: Relation, held: list[Vector], site: Site | None
    ) -> None:
        text, place = self._sites.keeps_text, self._sites.location(site)
        if relation.target.name:
            made = made_at(relation.target, text)
        else:
            made = returned_at(place, text) if place is not None else None
        self._masks = self._masks or bool((relation.bare & ~relation.holds).any())
        named = _named_ends(held)
        ends, inverse, marked = _ends(held, named, not self._masks)
        self._writer.fact(BootstrappedTarget(
            "targets", made or place, round(relation.discount, 4),
            ends.name if ends is not None else None, inverse,
            _type(ends, relation.target.shape) if ends is not None else "",
            named[0][0].name if named and not any(share for _, _, share in named) else ""), step)
        if named:
            self._writer.sample(
                ENDS_MARKED, step, {"targets": max(share for _, _, share in named)})
        self._reward = max(self._reward, float(relation.reward.values.abs().max()))
        if relation.discount < 1 and self._reward:
            most = self._reward / (1 - relation.discount)
            self._writer.sample(BEYOND_REWARDS, step, {
                "targets": float(relation.target.values.abs().max()) / most})
        if marked is not None:
            told = marked & (relation.holds ^ relation.bare)  # where both would not be the same
            if int(told.sum()):
                self._writer.sample(ENDS_BOOTSTRAPPED, step, {
                    "targets": float((told & relation.holds).sum() / told.sum())})

    def _write_copies(self, step: int) -> None:
        found: dict[str, float] = {}
        for call, twin in self._copies_called():
            known = self._copies.get(call.module)
            if known is None:
                continue
            now = _mark(call.module)
            moved = now != known.mark
            known.mark = now
            if not self._values.get(call.module):
                continue
            if not known.name:
                known.name = numbered(self._counts, type(call.module).__name__)
                place = self._names.copied_at(call.module) or self._names.built_at(call.module)
                if place == self._names.built_at(twin.module):
                    place = None  # a line that builds both
                self._writer.fact(TargetNetwork(
                    known.name, type(call.module).__name__, self._sites.location(place),
                    self._sites.location(call.site), self._sites.location(twin.site),
                    known.equal, known.since), step)
            # One network may be called several times in a step.
            found[known.name] = max(found.get(known.name, 0.0), float(moved or known.copied))
        self._writer.sample(TARGET_MOVED, step, found)


def find(
    targets: list[Vector], held: list[Vector], outputs: list[torch.Tensor]
) -> Relation | None:
    """The first targets that are a reward plus a discount times a value from one of the outputs.

    Args:
        targets: what may be targets.
        held: what may be rewards and values.
        outputs: what networks gave for each sample, a column for each action.
    """
    values = [v.values for v in held if any(_comes_from(v.values, out) for out in outputs)]
    for out in outputs:
        values.append(out.amax(1))
    for value in values if targets and held else ():
        size = value.abs().max()
        if not torch.isfinite(value).all() or not size or value.std() == 0:
            continue
        told = value.abs() > 1e-3 * size
        for target, reward in _likely(targets, held, value, told):
            found = _relation(target, reward, value, told)
            if found is not None:
                return found
    return None


def _likely(
    targets: list[Vector], held: list[Vector], value: torch.Tensor, told: torch.Tensor
) -> Iterator[tuple[Vector, Vector]]:
    """Targets and rewards that differ by a discount times the value in the first samples: most of
    the many pairs do not, and to look at all samples of each takes long."""
    some = told.nonzero()[:FEWEST, 0]
    wanted, rewards = (torch.stack([v.values[some] for v in each]) for each in (targets, held))
    ratios = (wanted[:, None] - rewards) / value[some]
    discounts = ratios.where(ratios.abs() > 1e-6, torch.nan).nanmedian(-1).values
    likely = (discounts >= LEAST_DISCOUNT) & (discounts <= 1 + PRECISION)
    yield from ((targets[i], held[j]) for i, j in likely.nonzero().tolist())


def _relation(
    target: Vector, reward: Vector, value: torch.Tensor, told: torch.Tensor
) -> Relation | None:
    difference = target.values - reward.values
    if not torch.isfinite(difference).all() or torch.equal(reward.values, value) or (
            torch.equal(target.values, value)):
        return None
    ratios = difference[told] / value[told]
    ratios = ratios[ratios.abs() > 1e-6]
    if len(ratios) < FEWEST // 2:
        return None
    discount = float(ratios.median())
    if not LEAST_DISCOUNT <= discount <= 1 + PRECISION:
        return None
    near = PRECISION * float(target.values.abs().max() + value.abs().max()) + 1e-9
    holds = (difference - discount * value).abs() <= near
    bare = difference.abs() <= near
    if not bool((holds | bare).all()) or int((holds & ~bare).sum()) < FEWEST // 2:
        return None
    return Relation(target, reward, discount, holds, bare, value)


def _comes_from(value: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether each of the values is one of the outputs for its sample."""
    near = PRECISION * float(output.abs().max()) + 1e-9
    return bool(((output - value[:, None]).abs() <= near).any(1).all())


def _ends(
    held: list[Vector], named: list[tuple[Vector, bool, float]], unread: bool
) -> tuple[Vector | None, bool, torch.Tensor | None]:
    """The variable that marks ends, whether it does so by 0, and the samples that it marks.

    It has a name that says so, or, with `unread`, comes with the batch and is then never read.
    """
    forgotten = [(v, True) for v in _marks(held) if unread and not is_read(v)]
    for vector, by_one in [(v, by_one) for v, by_one, _ in named] or forgotten:
        marked = vector.values == (1 if by_one else 0)
        if 0 < int(marked.sum()) <= len(marked) // 2:
            return vector, not by_one, marked
    return None, False, None


def _marks(held: list[Vector]) -> list[Vector]:
    """Variables of zeros and ones."""
    return [v for v in held if bool(((v.values == 0) | (v.values == 1)).all())]


def _named_ends(held: list[Vector]) -> list[tuple[Vector, bool, float]]:
    """Variables whose name says that they mark ends, whether by 1, and the share that they mark."""
    return [(v, by_one, float((v.values == (1 if by_one else 0)).double().mean()))
            for v in _marks(held) if (by_one := marks_ends(v.name)) is not None]


def _type(ends: Vector, shape: tuple[int, ...]) -> str:
    """Of a variable for ends: what is needed to multiply values of this shape by it."""
    if ends.type == "list" and shape == (*ends.shape, 1):
        return "column"
    return ends.type if ends.shape == shape else ""


def _shapes(module: nn.Module) -> list[torch.Size]:
    return [p.shape for p in nn.Module.parameters(module) if readable(p)]


def _mark(module: nn.Module) -> float:
    return float(sum(mark(p) for p in list(nn.Module.parameters(module))[:32] if readable(p)))
