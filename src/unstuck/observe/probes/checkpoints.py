"""State dicts: whether what is loaded reaches the module, and whether it was ever kept."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.filters import filter_at, second_name
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.bootstrap import SelfLoad
from unstuck.schema.facts.checkpoints import LiveState, Loading
from unstuck.schema.signals.checkpoints import BROUGHT, LIVE_STATE

MOST_KEYS = 5_000
MOST_LOADS = 4  # of a module, of which each is looked at in full if it is not its own


@dataclass(slots=True)
class _Taken:
    """When and where a state dict was taken; None for one of an earlier training."""

    site: Site | None
    step: int | None
    loads: int


@dataclass(slots=True)
class _Load:
    """What is about to be loaded."""

    module: weakref.ref[nn.Module]
    given: dict[str, Any]
    own: frozenset[str]  # keys whose tensors are the module's own
    taken: _Taken | None


class CheckpointProbe(Probe):
    """Compares what is loaded with what the module holds: by names, shapes and places in memory."""

    signals = (BROUGHT, LIVE_STATE)
    facts = (Loading, LiveState, SelfLoad)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._taken: ByIdentity[torch.Tensor, _Taken] = ByIdentity()
        self._latest: ByIdentity[nn.Module, _Taken] = ByIdentity()
        self._loads: ByIdentity[nn.Module, int] = ByIdentity()
        self._named: ByIdentity[nn.Module, str] = ByIdentity()
        self._counts: dict[str, int] = {}
        self._load: _Load | None = None
        self._selves: ByIdentity[nn.Module, int] = ByIdentity()
        self._waiting: ByIdentity[nn.Module, Loading | None] = ByIdentity()  # None: is written

    def follow(self, before: Self) -> None:
        """What was loaded then may be trained now; what was taken may be loaded."""
        self._waiting, before._waiting = before._waiting, ByIdentity()
        self._loads = before._loads
        self._named, self._counts = before._named, before._counts
        for tensor, taken in before._taken.items():
            self._taken[tensor] = _Taken(taken.site, None, taken.loads)

    # Events -------------------------------------------------------------------------------------
    def state_taken(self, module: nn.Module, state: Any) -> None:
        """Notes where and when, by the first tensor."""
        first = _first(state)
        if first is not None:
            self._taken[first] = self._latest[module] = _Taken(
                self._sites.here(), self._moment.step, self._loads.get(module) or 0)

    def before_loading(self, module: nn.Module, state: Any) -> None:
        """Notes what is about to be loaded, before it is."""
        self._load = None
        loads = (self._loads.get(module) or 0) + 1
        self._loads[module] = loads
        if not isinstance(state, dict) or len(state) > MOST_KEYS:
            return
        first = _first(state)
        taken = self._taken.get(first) if first is not None else None
        if taken is None:  # its tensors may be other ones over the same memory, made of the latest
            taken = self._latest.get(module)
        held = _tensors(module)
        given = dict(dict.items(state))
        if loads > MOST_LOADS and not _has_own(given, held, 1):
            return
        own = frozenset(key for key, value in given.items()
                        if key in held and _is_same(value, held[key]))
        self._load = _Load(weakref.ref(module), given, own, taken)

    def weights_loaded(self, module: nn.Module, missing: Collection[str]) -> None:
        """Judges nothing: counts what matched, and what was the module's own."""
        load, self._load = self._load, None
        if load is None or load.module() is not module:
            return
        held = {name: tensor for name, tensor in _tensors(module).items()
                if name in load.given or name in missing}
        if not held:
            return
        trained = self._moment.step and any(
            self._names.parameter(p) is not None for p in nn.Module.parameters(module))
        if trained and len(load.own) == len(held):
            self._itself(module)
        if not (trained and self._is_live(module, load, held)):
            self._note(module, load, held, missing)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Writes what was loaded into a module that is used, which may be gone at the next look."""
        self._used(module)

    def criterion_called(self, module: nn.Module, args: Any, result: Any) -> None:
        """The same of a module that was never trained."""
        self._used(module)

    def _used(self, module: nn.Module) -> None:
        fact = self._waiting.get(module)
        if fact is not None:
            self._waiting[module] = None
            self._write(fact, self._moment.step)

    def look_ended(self, step: int) -> None:
        """Writes what was loaded into modules that are still there."""
        for _, fact in self._waiting.items():
            if fact is not None:
                self._write(fact, step)
        self._waiting.clear()

    def _write(self, fact: Loading, step: int) -> None:
        self._writer.fact(fact, step)
        self._writer.sample(BROUGHT, step, {fact.name: fact.brought / max(fact.numbers, 1)})

    def training_ended(self, whole: bool) -> None:
        """The same of what was loaded after the last look."""
        self.look_ended(self._moment.step)

    # What was loaded ----------------------------------------------------------------------------
    def _is_live(self, module: nn.Module, load: _Load, held: Mapping[str, torch.Tensor]) -> bool:
        """Whether a trained module got its own tensors back, as they are now. Writes it."""
        taken, step = load.taken, self._moment.step
        live = len(load.own) == len(held) > 0 and (taken is None or taken.step != step or (
            self._loads.get(module) or 0) > taken.loads + 1)
        name = self._name(module)
        self._writer.sample(LIVE_STATE, step, {name: float(live)})
        if live:
            loaded = self._sites.location(self._sites.here())
            place = self._sites.location(taken.site) if taken is not None else None
            self._writer.fact(LiveState(
                name, type(module).__name__, place or loaded, loaded,
                taken.step if taken is not None else None, step, len(held)), step)
        return live

    def _itself(self, module: nn.Module) -> None:
        """A trained module got its own state dict: notes how often, and by which name."""
        times = self._selves[module] = (self._selves.get(module) or 0) + 1
        if times <= MOST_LOADS or times % 64 == 0:
            location = self._sites.location(self._sites.here())
            self._writer.fact(SelfLoad(
                self._name(module), type(module).__name__, location,
                second_name(location, self._sites.keeps_text), times, self._moment.step),
                self._moment.step)

    def _note(
        self, module: nn.Module, load: _Load, held: Mapping[str, torch.Tensor],
        missing: Collection[str],
    ) -> None:
        """Notes what a load brought; it is written at the next look."""
        site = self._sites.here()
        location = self._sites.location(site)
        got = [name for name in held if name not in missing and name not in load.own]
        numbers = sum(tensor.numel() for tensor in held.values())
        brought = sum(held[name].numel() for name in got)
        open_ = {name: tensor for name, tensor in held.items() if name not in got}
        unused = {key: value for key, value in load.given.items() if key not in held}
        strip, add, item, would = renaming(unused, open_) if brought < numbers else (
            "", "", None, 0)
        chosen = filter_at(location, self._sites.keeps_text)
        self._waiting[module] = Loading(
            self._name(module), type(module).__name__, location, len(load.given), len(held),
            len(got), numbers, brought, bool(load.own), chosen is not None,
            strip, add, item, would, chosen)

    def _name(self, module: nn.Module) -> str:
        name = self._named.get(module)
        if name is None:
            name = self._named[module] = numbered(self._counts, type(module).__name__)
        return name


def renaming(
    unused: Mapping[str, Any], open_: Mapping[str, torch.Tensor],
) -> tuple[str, str, str | None, int]:
    """The change of prefixes by which most numbers of keys that matched nothing would match.

    Args:
        unused: what was loaded and is no key of the module.
        open_: what the module holds and did not get.

    Returns:
        What to take off the keys, what to put in front of them, the key whose value has them (None
        if they are there already), and how many numbers would match.
    """
    best: tuple[str, str, str | None, int] = ("", "", None, 0)
    inner = [(str(key), value) for key, value in unused.items()
             if isinstance(value, dict) and len(value) <= MOST_KEYS]
    for item, values in [(None, unused), *inner]:
        endings: dict[str, list[str]] = {}
        for name in open_:
            for ending in _endings(name):
                endings.setdefault(ending, []).append(name)
        votes: dict[tuple[str, str], int] = {}
        for key, value in dict.items(values) if isinstance(values, dict) else values.items():
            if not (isinstance(key, str) and is_plain(value)):
                continue
            for ending in _endings(key):  # the longest first
                fitting = [name for name in endings.get(ending, ())
                           if open_[name].shape == value.shape]
                if fitting:
                    for name in fitting:
                        pair = key[:len(key) - len(ending)], name[:len(name) - len(ending)]
                        votes[pair] = votes.get(pair, 0) + value.numel()
                    break
        if votes:
            pair = max(votes, key=lambda found: votes[found])
            if votes[pair] > best[3]:
                best = (*pair, item, votes[pair])
    return best


def _endings(name: str) -> list[str]:
    """A key and what is left of it without its first parts."""
    parts = name.split(".")
    return [".".join(parts[start:]) for start in range(len(parts))]


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a module by their keys."""
    found: dict[str, torch.Tensor] = dict(nn.Module.named_parameters(module))
    found.update(nn.Module.named_buffers(module))
    return {name: tensor for name, tensor in found.items()
            if is_plain(tensor) and not isinstance(
                tensor, torch.nn.parameter.UninitializedTensorMixin)}


def _first(state: Any) -> torch.Tensor | None:
    """The first tensor of a state dict, which stands for all of it."""
    if not isinstance(state, dict):
        return None
    return next((value for value in dict.values(state) if is_plain(value)), None)


def _has_own(given: Mapping[str, Any], held: Mapping[str, torch.Tensor], most: int) -> bool:
    """Whether one of the first keys has the module's own tensor."""
    return any(_is_same(given[name], held[name]) for name in list(held)[:most] if name in given)


def _is_same(value: Any, held: torch.Tensor) -> bool:
    """Whether two tensors are the same numbers in memory."""
    if not is_plain(value) or value.shape != held.shape or not held.numel():
        return False
    if value.layout is not torch.strided or held.layout is not torch.strided:
        return False
    return bool(value.data_ptr() == held.data_ptr())
