"""Which random generators the worker processes of a loader get a copy of, each the same.

Since torch 1.9 every worker seeds the global generators of torch, numpy and random by its own
number; a generator object of the program's own is copied as it is. Nothing of the program's is
called or copied here: attributes are read past its classes, and its functions only disassembled.
"""

from __future__ import annotations

import dis
import functools
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import BuiltinMethodType, CodeType, FunctionType, MethodType
from typing import Any, Self

import torch
from torch.utils.data import Subset

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.repeats import length, loader_fact
from unstuck.observe.source.assignments import given
from unstuck.observe.source.counting import (
    Divided,
    batches_made,
    divided_length,
    held,
    numbers_held,
)
from unstuck.observe.source.sites import Site, Sites
from unstuck.observe.source.starting import seeding_of
from unstuck.schema.facts.data import Loader
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import COPIED_GENERATORS

MOST_OBJECTS = 200  # of a data set that are looked at
MOST_FUNCTIONS = 100
DEPTH = 5  # attributes and containers between a data set and a generator
_ARGUMENT = "an argument"  # the name of a generator that a partial function is given
MOST_ELEMENTS = 16  # of a list that are looked at

_ENTRIES = ("__getitem__", "__getitems__", "__iter__", "__next__", "__call__", "forward")
# Names of what makes a generator another one in each worker, or for each sample.
_RESEEDS = frozenset((
    "get_worker_info", "initial_seed", "manual_seed", "seed", "set_state", "setstate", "state",
    "spawn", "jumped", "advance", "getpid", "worker_id",
))


class WorkerProbe(Probe):
    """Looks at each loader with several workers when it is built."""

    signals = (COPIED_GENERATORS,)
    facts = (Loader,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._written: dict[str, Loader] = {}
        self._earlier: ByIdentity[Any, Loader] = ByIdentity()  # those of the trainings before
        self._built: ByIdentity[Any, Loader] = ByIdentity()
        self._samplers: ByIdentity[Any, Site | None] = ByIdentity()  # where each was constructed
        self._made: dict[Site, SourceLocation | None] = {}  # the data set of a loader, by its place
        self._batches: dict[type, SourceLocation | None] = {}  # of a class of samplers
        self._divided: dict[type, Divided | None] = {}  # lengths, by the class of a data set

    def follow(self, before: Self) -> None:
        """Loaders that were built before are written once they are used."""
        for loader, fact in (*before._earlier.items(), *before._built.items()):
            self._earlier[loader] = fact
        self._samplers = before._samplers

    def sampler_built(self, sampler: Any) -> None:
        """Notes where a sampler comes from that a loader may be given."""
        self._samplers[sampler] = self._sites.here(sampler)

    def loader_built(self, loader: Any) -> None:
        """Writes the loader, with the generators that its workers each get the same copy of."""
        site = self._sites.here(loader)
        place = self._sites.location(site)
        sampler = self._samplers.get(getattr(loader, "sampler", None))
        if site is not None and site not in self._made:  # many a program builds one each epoch
            function = self._sites.code(site).co_qualname
            self._made[site] = given(place, function, self._sites)
        fact = replace(loader_fact(loader, place, self._sites.location(sampler)),
                       made=self._made[site] if site is not None else None)
        fact = self._counted(fact, getattr(loader, "dataset", None))
        if fact.batch_size is None:
            fact = self._planned(fact, loader)
        fact = self._started(fact, loader)
        self._built[loader] = fact
        self._write(loader, fact)

    def _started(self, fact: Loader, loader: Any) -> Loader:
        """With the generators that start in the same state in each worker."""
        initialise = getattr(loader, "worker_init_fn", None)
        if not fact.workers or (fact.workers < 2 and initialise is None):
            return fact
        if initialise is None:
            return replace(fact, generators=copied_generators(loader, self._sites))
        seeding = seeding_of(initialise, self._sites)
        if seeding is None:
            return replace(fact, unread=True)
        alike = seeding.alike()
        drawn = tuple(sorted(alike & global_generators(loader, self._sites)))
        if drawn:
            return replace(fact, generators=drawn, seeded=seeding.places[drawn[0]])
        if alike:  # whether samples are drawn from these, their batches may tell
            first, *_ = generators = tuple(sorted(alike))
            return replace(
                fact, unread=True, generators=generators, seeded=seeding.places[first])
        if seeding.data or fact.workers < 2:
            return fact
        return replace(fact, generators=copied_generators(loader, self._sites))

    def _counted(self, fact: Loader, dataset: Any) -> Loader:
        """With what the data set holds, and what it says that it does, if its length divides."""
        if type(dataset) is Subset:
            dataset = dataset.dataset
        kind, attributes = type(dataset), _attributes(dataset)
        if attributes is None:
            return fact
        if kind not in self._divided:
            self._divided[kind] = divided_length(kind, self._sites)
        divided = self._divided[kind]
        if divided is None:
            return fact
        return replace(fact, stored=held(attributes, divided[0]), length=length(dataset),
                       counted=divided[1])

    def _planned(self, fact: Loader, loader: Any) -> Loader:
        """With the samples that a sampler of batches of the program's own is about."""
        sampler, data = getattr(loader, "batch_sampler", None), getattr(loader, "dataset", None)
        kind, attributes = type(sampler), _attributes(sampler)
        if attributes is None or kind.__module__.startswith("torch."):
            return fact
        if kind not in self._batches:
            self._batches[kind] = batches_made(kind, self._sites)
        planned = numbers_held(attributes, fact.samples, data)
        return replace(fact, planned=planned, batches=self._batches[kind])

    def loader_iterated(self, loader: Any) -> None:
        """Writes a loader that was built before this training."""
        fact = self._earlier.get(loader)
        if fact is not None:
            self._write(loader, fact)

    def name(self, loader: Any) -> str | None:
        """The name of a loader in the record."""
        fact = self._built.get(loader) or self._earlier.get(loader)
        return fact.name if fact is not None else None

    def _write(self, loader: Any, fact: Loader) -> None:
        if fact.workers >= 2 and not fact.unread:
            self._writer.sample(COPIED_GENERATORS, 0, {fact.name: float(len(fact.generators))})
        if self._written.get(fact.name) != fact:
            self._written[fact.name] = fact
            self._writer.fact(fact, self._moment.step)


def copied_generators(loader: Any, sites: Sites) -> tuple[str, ...]:
    """Names of the generators that the code fetching a loader's samples draws from."""
    search = _searched(loader, sites)
    uses = [_Uses(function) for function in search.functions.values()]
    if any(_names(function.__code__) & _RESEEDS for function in search.functions.values()):
        return ()
    read = {name for use in uses for name in use.attributes} | {_ARGUMENT}
    stored = {name for use in uses for name in use.stored}
    found = [name for name in search.held if name in read]
    found += [name for use in uses for name in use.generators()]
    return tuple(name for name in dict.fromkeys(found) if name not in stored)


def global_generators(loader: Any, sites: Sites) -> set[str]:
    """The modules whose own generators the code fetching a loader's samples draws from.

    None of them where that code seeds anything for a sample.
    """
    functions = _searched(loader, sites).functions.values()
    if any(_names(function.__code__) & _RESEEDS for function in functions):
        return set()
    return {name for function in functions for name in _Uses(function).drawn}


def _searched(loader: Any, sites: Sites) -> _Search:
    search = _Search(sites)
    for root in (loader.dataset, loader.collate_fn):
        search.walk(root, DEPTH)
    search.reach()
    return search


class _Uses:
    """What a function reads by name: attributes of objects, and globals."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self.attributes: set[str] = set()
        self.globals: set[str] = set()
        self.stored: set[str] = set()
        self.drawn: set[str] = set()  # modules whose own generators numbers are drawn from
        for code in _codes(function.__code__):
            owner: Any = None  # the module whose attribute is read next, if it is one
            for instruction in dis.get_instructions(code):
                operation, name = instruction.opname, instruction.argval
                if operation.startswith("STORE_") and operation != "STORE_FAST":
                    self.stored.add(str(name))
                elif operation in ("LOAD_GLOBAL", "LOAD_NAME"):
                    self.globals.add(name)
                    self._draws(function.__globals__.get(name))
                    owner = _module(function.__globals__.get(name))
                    continue
                elif operation in ("LOAD_ATTR", "LOAD_METHOD"):
                    if owner is None:
                        self.attributes.add(name)
                    elif owner == _NOT_LOADED:
                        self._draws_lazily(name)
                        owner = None
                    else:
                        self._draws(vars(owner).get(name))
                        owner = _module(vars(owner).get(name)) or _not_loaded(owner, name)
                    continue
                owner = None

    def _draws(self, thing: Any) -> None:
        """Notes a function that draws from a global generator."""
        name = getattr(thing, "__name__", "") if type(thing) in _BOUND else ""
        if name and name not in _RESEEDS | _READS:
            numpy = sys.modules.get("numpy.random")
            if thing.__self__ is vars(random)["_inst"]:
                self.drawn.add("random")
            elif numpy is not None and thing.__self__ is getattr(
                getattr(numpy, "mtrand", None), "_rand", None
            ):
                self.drawn.add("numpy.random")
            elif name in _TORCH_DRAWS and vars(torch).get(name) is thing:
                self.drawn.add("torch")

    def _draws_lazily(self, name: str) -> None:
        """The same of a function of numpy.random, which is loaded at its first use."""
        if name.islower() and name not in _RESEEDS | _READS:
            self.drawn.add(_NOT_LOADED)

    def generators(self) -> Iterator[str]:
        """Generators among the globals read and in the function's closure."""
        for name in sorted(self.globals):
            if _is_generator(self._function.__globals__.get(name)):
                yield name
        cells = self._function.__closure__ or ()
        for name, cell in zip(self._function.__code__.co_freevars, cells, strict=False):
            try:
                value = cell.cell_contents
            except ValueError:  # still empty
                continue
            if _is_generator(value):
                yield name


def _not_loaded(module: Any, name: str) -> str | None:
    return _NOT_LOADED if f"{module.__name__}.{name}" == _NOT_LOADED else None


def _module(thing: Any) -> Any:
    return thing if type(thing) is type(sys) else None


class _Search:
    """Objects, functions and generators that are reached from a data set."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._seen: set[int] = set()
        self._objects: list[Any] = []
        self.functions: dict[int, FunctionType] = {}
        self.held: dict[str, None] = {}  # generators that are attributes, by name

    def walk(self, thing: Any, depth: int, name: str = "") -> None:
        """Goes through an object's attributes and the elements of containers."""
        if depth < 0 or id(thing) in self._seen or len(self._seen) >= MOST_OBJECTS:
            return
        if _is_generator(thing):
            if name:
                self.held[name] = None
            return
        kind = type(thing)
        if kind in _PLAIN or issubclass(kind, torch.Tensor | type):
            return
        self._seen.add(id(thing))
        if kind is FunctionType:
            self._function(thing)
        elif kind is MethodType:
            self.walk(thing.__self__, depth - 1)
            if type(thing.__func__) is FunctionType:
                self._function(thing.__func__)
        elif kind is functools.partial:
            for given in (*thing.args, *thing.keywords.values(), thing.func):
                self.walk(given, depth - 1, _ARGUMENT)
        elif kind in (list, tuple):
            for element in thing[:MOST_ELEMENTS]:
                self.walk(element, depth - 1, name)
        elif issubclass(kind, dict):
            for element in list(dict.values(thing))[:MOST_ELEMENTS]:
                self.walk(element, depth - 1, name)
        else:
            self._object(thing, kind, depth)

    def _object(self, thing: Any, kind: type, depth: int) -> None:
        attributes = _attributes(thing)
        if attributes is None:
            return
        self._objects.append(thing)
        for entry in _ENTRIES:
            self._method(kind, entry)
        for name, value in list(attributes.items()):
            self.walk(value, depth - 1, name if isinstance(name, str) else "")
        for base in kind.__mro__:
            for name, value in list(vars(base).items()):
                if _is_generator(value):
                    self.held[name] = None

    def _method(self, kind: type, name: str) -> None:
        for base in kind.__mro__:
            found = vars(base).get(name)
            if found is not None:
                found = getattr(found, "fget", None) or getattr(found, "__func__", found)
                if type(found) is FunctionType:
                    self._function(found)
                    if "super" in found.__code__.co_names:
                        continue
                return

    def _function(self, function: FunctionType) -> None:
        if len(self.functions) < MOST_FUNCTIONS and self._sites.is_user(
            function.__code__.co_filename
        ):
            self.functions[id(function)] = function

    def reach(self) -> None:
        """Follows calls by name: to methods of the objects met, and to the program's functions."""
        done: set[int] = set()
        while waiting := [f for key, f in self.functions.items() if key not in done]:
            for function in waiting:
                done.add(id(function))
                uses = _Uses(function)
                for name in uses.globals:
                    given = function.__globals__.get(name)
                    if type(given) is FunctionType:
                        self._function(given)
                kinds = {id(type(thing)): type(thing) for thing in self._objects}
                for kind in kinds.values():
                    for name in uses.attributes:
                        self._method(kind, name)


_BOUND = (BuiltinMethodType, MethodType)
_READS = frozenset({"get_state", "getstate", "get_bit_generator", "default_rng"})
_NOT_LOADED = "numpy.random"  # a name of what may be no module yet
_TORCH_DRAWS = frozenset({
    "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson",
    "rand_like", "randn_like", "randint_like"})
_PLAIN = (int, float, str, bytes, bool, complex, type(None), range, type(sys))


def _attributes(thing: Any) -> dict[str, Any] | None:
    """An object's own attributes, past whatever its class makes of attribute access."""
    try:
        found = object.__getattribute__(thing, "__dict__")
    except (AttributeError, TypeError):
        return None
    if type(found) is not dict:
        return None
    return found


def _is_generator(thing: Any) -> bool:
    """Whether an object is a random generator that no worker seeds anew."""
    kind = type(thing)
    if issubclass(kind, random.Random):
        return not issubclass(kind, random.SystemRandom)
    if issubclass(kind, torch.Generator):
        return thing is not torch.default_generator
    numpy = sys.modules.get("numpy.random")
    if numpy is None:
        return False
    if issubclass(kind, numpy.RandomState):
        return thing is not getattr(getattr(numpy, "mtrand", None), "_rand", None)
    return issubclass(kind, numpy.Generator)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _names(code: CodeType) -> set[str]:
    return {name for part in _codes(code) for name in part.co_names}
