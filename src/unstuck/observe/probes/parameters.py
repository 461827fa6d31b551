"""Gradients, weights and their real change over a step; which parameters the loss reaches."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Self

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes import parts
from unstuck.observe.probes.carried import CarriedByHand
from unstuck.observe.probes.options import groups_of, options_of
from unstuck.observe.source.assignments import rate_setting
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import (
    FirstValues,
    held_by,
    is_nonzero,
    is_plain,
    observable,
    readable,
)
from unstuck.schema.facts import optimizers
from unstuck.schema.signals.losses import LEARNING_RATE
from unstuck.schema.signals.parameters import (
    BY_HAND,
    CARRIED_GRADIENT,
    DESCENT,
    GRADIENT_NORM,
    HELD,
    REACHED,
    UPDATE_NORM,
    WEIGHT_NORM,
)

PARAMETER_LIMIT = 2_000  # parameters of a program that are looked at
MOST_NAMED = 100  # optimizers of a kind that have names of their own
RATE_ROWS = 2_000  # changes of a learning rate that are all written; later those of a share of
LEAST_CHANGE = 0.002  # that doubles after so many more


class _Known:
    """An optimizer that was seen, and the name that the record gives it."""

    def __init__(self, name: str, site: Site | None) -> None:
        self.name = name
        self.site = site
        self.by_library = False  # whether a library built it for the program
        self.again = False  # it goes on under the name of an earlier one
        self.written: tuple[int, ...] | None = None
        self.nameless = False  # described before its parameters had names
        self.rates: list[float | None] = []
        # Parameters with a gradient after its step, where it lies, and whether it is not of zeros
        # only; weakly, so that a model can go.
        self.carried: list[tuple[weakref.ref[torch.Tensor], int, torch.Tensor]] | None = None
        self.backwards = 0  # since that step


class ParameterProbe(Probe):
    """Measures parameters around optimizer steps."""

    signals = (
        CARRIED_GRADIENT, DESCENT, GRADIENT_NORM, HELD, LEARNING_RATE, REACHED, UPDATE_NORM,
        WEIGHT_NORM,
    )
    facts = (optimizers.Optimizer,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._optimizers: ByIdentity[Optimizer, _Known] = ByIdentity()
        self._count: dict[str, int] = {}
        self._latest: dict[str, _Known] = {}  # of each kind
        self._told: dict[str, tuple[int, list[float | None]]] = {}  # rates, and how often
        self._held: ByIdentity[torch.Tensor, bool] = ByIdentity()
        self._first = FirstValues()
        self._carried = CarriedByHand(self._writer, self._later)
        self._before: list[tuple[str, torch.Tensor, torch.Tensor]] = []
        self._in_closure = False  # which may compute several gradients in one step
        self._follows = False  # whether gradients left after a sampled step are followed
        self.has_optimizer = False
        # Norms and parts of gradients, which a program without an optimizer may clear early.
        self._by_hand: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def follow(self, before: Self) -> None:
        """The optimizers of the training before still exist, and may yet step in this one.

        What they have trained may now rest on purpose.
        """
        self.has_optimizer, self._held = before.has_optimizer, before._held

    # Optimizers ---------------------------------------------------------------------------------
    def optimizer_built(self, optimizer: Optimizer) -> None:
        """Notes the optimizer and where it was built."""
        known = self._know(optimizer, self._sites.here(optimizer))
        known.by_library = not self._sites.is_built_by_user(optimizer)

    def _know(self, optimizer: Optimizer, site: Site | None) -> _Known:
        known = self._optimizers.get(optimizer)
        if known is None:
            kind = type(optimizer).__name__
            before = self._latest.get(kind)
            if before is None or self._count.get(kind, 0) < MOST_NAMED:
                known = _Known(numbered(self._count, kind), site)
            else:
                # A program that makes one after the other: the record ends somewhere.
                known = _Known(before.name, site)
                known.again, known.rates = True, before.rates
            self._optimizers[optimizer] = self._latest[kind] = known
            self.has_optimizer = True
        return known

    def name_of(self, optimizer: Any) -> str | None:
        """The name of an optimizer in the record, None for one that is not known."""
        known = self._optimizers.get(optimizer)
        return known.name if known is not None else None

    def living(self) -> list[tuple[Optimizer, str]]:
        """The optimizers that still exist, with their names."""
        return [(optimizer, known.name) for optimizer, known in self._optimizers.items()]

    def name(self, optimizer: Optimizer) -> str:
        """The name that the record gives an optimizer."""
        return self._know(optimizer, None).name

    def climbs(self) -> bool:
        """Whether every optimizer moves the weights up the loss, as with `maximize=True`."""
        found = False
        for optimizer, _ in self._optimizers.items():
            for group in optimizer.param_groups:
                if not group.get("maximize"):
                    return False
                found = True
        return found

    def describe(self, optimizer: Optimizer, step: int) -> None:
        """Writes the facts of an optimizer that has not stepped yet."""
        self._describe(optimizer, self._know(optimizer, None), step)

    def _describe(self, optimizer: Optimizer, known: _Known, step: int) -> None:
        """Writes the optimizer's facts once it is used, and again when its parameters change."""
        parameters = held_by(optimizer)
        ids = tuple(map(id, parameters))
        for parameter in parameters:
            self._held[parameter] = True
        if ids == known.written and not known.nameless:
            return
        names = tuple(self._names.parameter(p) or "?" for p in parameters)
        if ids == known.written and "?" in names:
            return
        known.written, known.nameless = ids, "?" in names
        if known.again:
            return
        group = optimizer.param_groups[0]
        momentum = group.get("momentum", (group.get("betas") or (None,))[0])
        rate, location, argument = _number(group.get("lr")), self._sites.location(known.site), None
        if known.by_library or location is None:
            setting = rate_setting(self._sites, math.nan if rate is None else rate)
            if setting is not None or known.by_library:
                argument, location = setting or ("", location)
        self._writer.fact(optimizers.Optimizer(
            known.name, type(optimizer).__name__, location, rate, _number(momentum),
            _number(group.get("weight_decay")), names, options_of(optimizer),
            groups_of(optimizer), argument,
        ), step)

    def _rates(self, optimizer: Optimizer, known: _Known, step: int, sampled: bool) -> None:
        groups = optimizer.param_groups
        if len(groups) == 1 and known.rates and groups[0].get("lr") is known.rates[0]:
            return  # the same object: the usual case, kept cheap
        rates = [group.get("lr") for group in groups]
        for rate in rates:
            if is_plain(rate):
                if not sampled:
                    return  # reading it may wait for a device
                rates = [_number(rate) for rate in rates]
                break
        if rates != known.rates:
            known.rates = rates
            if not self._tells(known.name, rates):
                return
            self._writer.sample(LEARNING_RATE, step, {
                f"{known.name}.{index}": float(rate) for index, rate in enumerate(rates)
                if rate is not None
            })

    def _tells(self, name: str, rates: list[float | None]) -> bool:
        """Whether learning rates are written: of very many changes only the larger ones."""
        count, before = self._told.get(name, (0, []))
        least = LEAST_CHANGE * 2.0 ** (count // RATE_ROWS)
        if count >= RATE_ROWS and len(before) == len(rates) and all(
            now is not None and then is not None
            and abs(now - then) <= least * max(abs(now), abs(then))
            for now, then in zip(rates, before, strict=True)
        ):
            return False
        self._told[name] = count + 1, rates
        return True

    # Around a step ------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Keeps the weights of a sampled step."""
        self._in_closure = closure
        if optimizer is not None:
            self._look(optimizer, self._moment.sampled)
        if not self._moment.sampled:
            return
        chosen = self._of(optimizer)
        with torch.no_grad():
            limit = parts.limit([parts.size(p) for _, p in chosen])
            self._before = [(name, p, parts.part(p, limit).clone()) for name, p in chosen]

    def quiet_step(self, optimizer: Optimizer) -> None:
        """Writes learning rates that have changed."""
        self._look(optimizer, False)

    def _look(self, optimizer: Optimizer, sampled: bool) -> None:
        known, step = self._know(optimizer, None), self._moment.step
        self._rates(optimizer, known, step, sampled)
        if sampled or known.written is None:
            self._describe(optimizer, known, step)

    def quiet_until(self, step: int) -> float:
        """No step is, while gradients are followed or nothing is known to use them."""
        return step if self._follows or not self.has_optimizer else math.inf

    def after_step(self, optimizer: Optimizer | None) -> None:
        """Measures a sampled step."""
        step, sampled = self._moment.step, self._moment.sampled
        before, self._before = self._before, []
        if sampled:
            with torch.no_grad():
                if before:
                    self._measure(optimizer, before, step)
                self._write_held(step)
        if optimizer is not None and (sampled or self._follows):
            known = self._know(optimizer, None)
            if sampled and known.nameless:  # a closure has called the model within the step
                self._describe(optimizer, known, step)
            self._write_carried(known, step)
            known.carried = self._nonzero(optimizer) if sampled else None
            known.backwards = 0
            self._follows = any(k.carried is not None for _, k in self._optimizers.items())

    def backward_ended(self) -> None:
        """Measures the gradients of a program that updates its weights itself."""
        if not self.has_optimizer and self._moment.sampled:
            self._note([(p, parts.gradient_of(p)) for _, p in self._of(None)])

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """The same, where `torch.autograd.grad` has computed them."""
        if not self.has_optimizer and isinstance(inputs, tuple | list):
            self._note(list(zip(inputs, gradients, strict=False)))

    def _note(self, pairs: list[tuple[Any, Any]]) -> None:
        with torch.no_grad():
            found = {name: gradient for p, gradient in pairs if observable(gradient)
                     and (name := self._names.parameter(p)) is not None}
            limit = parts.limit([gradient.numel() for gradient in found.values()])
            norms = parts.norms(list(found.values()))
            self._by_hand = {
                name: (norm, parts.part(gradient, limit).clone())
                for (name, gradient), norm in zip(found.items(), norms, strict=True)}

    def _measure(
        self, optimizer: Optimizer | None,
        before: Sequence[tuple[str, torch.Tensor, torch.Tensor]], step: int,
    ) -> None:
        known, self._by_hand = self._by_hand, {}
        gradients = [] if known else [
            (name, g) for name, p, _ in before if (g := parts.gradient_of(p)) is not None]
        scale = getattr(optimizer, "grad_scale", None)
        limit = parts.limit([parts.size(p) for _, p, _ in before])
        names = [name for name, *_ in before]
        shares = [math.sqrt(p.numel() / old.numel()) for _, p, old in before]
        count = len(names)
        kept = [old for *_, old in before]
        norms = parts.norms(kept)
        for old, (_, p, _) in zip(kept, before, strict=True):
            old.sub_(parts.part(p, limit))  # in place: the change, but for its sign
        norms += parts.norms([*kept, *(g for _, g in gradients)])
        norms += [norm for norm, _ in known.values()]
        reached = [name for name, _ in gradients] or list(known)
        down = None if self._in_closure else parts.cosine(kept, [
            known[n][1] if n in known else parts.gradient_part(p, limit) for n, p, _ in before])
        if down is not None:
            self._later.sample(DESCENT, step, {
                BY_HAND if optimizer is None else self._know(optimizer, None).name: down})
        scales = [scale] if is_plain(scale) else []

        def write(numbers: list[float]) -> None:
            self._writer.sample(WEIGHT_NORM, step, {
                n: v * s for n, v, s in zip(names, numbers[:count], shares, strict=True)})
            self._writer.sample(UPDATE_NORM, step, {
                n: v * s for n, v, s in zip(names, numbers[count:2 * count], shares, strict=True)})
            factor = 1.0 / numbers[-1] if scales else 1.0
            self._writer.sample(GRADIENT_NORM, step, {
                name: value * factor
                for name, value in zip(reached, numbers[2 * count:], strict=not scales)})

        self._later.numbers([*norms, *scales], write)

    def _of(self, optimizer: Optimizer | None) -> list[tuple[str, torch.Tensor]]:
        if optimizer is None:
            named = [(n, p) for n, p in self._names.parameters() if p.requires_grad]
        else:
            named = [
                (name, p) for p in held_by(optimizer)
                if (name := self._names.parameter(p)) is not None
            ]
        return [(n, p) for n, p in named if parts.has_values(p)][:PARAMETER_LIMIT]

    def _write_held(self, step: int) -> None:
        held: dict[str, Number] = {}
        for name, parameter in list(self._names.parameters())[:PARAMETER_LIMIT]:
            if not parameter.requires_grad or not readable(parameter):
                continue
            if parameter in self._held:
                held[name] = 1.0
            else:
                rests = self._first.rests(parameter)
                held[name] = 0.0 if rests is None else ~rests
        self._later.sample(HELD, step, held)

    # Gradients that are carried over ------------------------------------------------------------
    def _nonzero(
        self, optimizer: Optimizer
    ) -> list[tuple[weakref.ref[torch.Tensor], int, torch.Tensor]]:
        with torch.no_grad():
            return [
                (weakref.ref(p), p.grad.data_ptr(), is_nonzero(p.grad)) for p in held_by(optimizer)
                if is_plain(p.grad) and not p.grad.is_sparse
            ]

    def before_backward(self) -> None:
        """Takes note of gradients that were cleared since their optimizer's step.

        Done at every backward, for a later one fills them again (a generator's backward fills its
        discriminator's gradients).
        """
        if not self.has_optimizer:
            self._carried.before_backward(self._moment.step)
        if not self._follows:
            return
        for _, known in self._optimizers.items():
            known.backwards += 1
            if known.carried:
                with torch.no_grad():
                    known.carried = [
                        (ref, place, left & is_nonzero(p.grad))
                        for ref, place, left in known.carried
                        if (p := ref()) is not None and p.grad is not None
                    ]

    def _write_carried(self, known: _Known, step: int) -> None:
        """Writes the share of parameters whose gradient still held that of the step before.

        Called after the step: a closure clears the gradients within it. A gradient that the
        program has put in the place of the old one holds nothing of it: backward adds in place,
        but for gradients with a graph of their own.
        """
        if known.carried is not None and known.written and known.backwards:
            still = [left for ref, place, left in known.carried if (p := ref()) is not None
                     and is_plain(p.grad) and (
                         p.grad.requires_grad or p.grad.data_ptr() == place)]
            name, count = known.name, len(known.written)
            self._later.values(still, lambda found: self._writer.sample(
                CARRIED_GRADIENT, step, {name: sum(found) / count}))

    def held_now(self) -> set[int]:
        """The identities of all parameters that a living optimizer holds."""
        return {id(p) for p in self.held()}

    def held(self) -> Iterator[torch.Tensor]:
        """All parameters that a living optimizer holds."""
        for optimizer, _ in self.living():
            yield from held_by(optimizer)

    # Reached ------------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Notes which parameters the loss reaches."""
        step = self._moment.step
        if not self.has_optimizer:
            self._carried.note(nodes)
        self._writer.sample(REACHED, step, {
            name: float(id(p) in leaves)
            for name, p in list(self._names.parameters())[:PARAMETER_LIMIT]
            # The graph ends at what a distributed parameter was gathered into.
            if p.requires_grad and is_plain(p)
        })


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) or is_plain(value) else None
