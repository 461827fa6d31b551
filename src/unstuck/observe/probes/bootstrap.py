"""Targets of values: which network they come from, whether it moves, and what happens at ends."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe.bootstrapped import FEWEST, Relation, comes_from, find
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
MOST_SAMPLES = 4_096


@dataclass(slots=True)
class _Call:
    """A model's call within a sampled step.

    `output` is there, without its graph, where it may be a value of each sample or of few actions;
    `trained` says whether it had one.
    """

    called: weakref.ref[nn.Module]
    site: Site | None
    given: tuple[int, ...]  # the shape of its input
    read: torch.Tensor  # a mark of it
    samples: int
    output: torch.Tensor | None
    trained: bool

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
        if given is not None and observable(given) and is_plain(output) and observable(output) and (
                FEWEST <= len(output) <= MOST_SAMPLES if output.ndim else False):
            small = output.ndim == 1 or (output.ndim == 2 and output.shape[1] <= MOST_ACTIONS)
            self._calls.append(_Call(
                weakref.ref(unwrapped(module)), self._sites.here(), tuple(given.shape), mark(given),
                len(output), output.detach() if small else None, output.requires_grad))

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
            later = [out for (call, _), out in zip(sources, outputs, strict=True)
                     if any(call.given == each.given and not torch.equal(call.read, each.read)
                            for each in trained if each.trained)]
            relation = find(targets or held, held, [*outputs, *islice(chosen, MOST_CALLS)], later)
            if relation is None:
                return
            self._found = True
            named = next((v for v in held if torch.equal(v.values, relation.target.values)), None)
            if named is not None:
                relation = Relation(named, relation.reward, relation.discount, relation.holds,
                                    relation.bare, relation.value)
            self._relation = relation, held, self._sites.here()
            for (call, _), output in zip(sources, outputs, strict=True):
                if comes_from(relation.value, output):
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
