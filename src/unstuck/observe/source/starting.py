"""How a worker_init_fn seeds the global random generators: by the worker, or all workers alike."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from unstuck.observe.source.altering import definition
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.schema.places import SourceLocation

_SEEDS = {("numpy.random", "seed"): "numpy.random", ("random", "seed"): "random",
          ("torch", "manual_seed"): "torch", ("torch.random", "manual_seed"): "torch"}
_ELSEWHERE = frozenset({"torch.cuda", "torch.mps", "torch.xpu"})  # workers draw nothing there
# What differs from worker to worker by itself.
_OWN = frozenset({"get_worker_info", "getpid", "urandom", "get_state",
                  "getstate", "randbits", "token_bytes", "uuid4"})
# Other ways to give a generator a state, which must differ from worker to worker.
_STATES = frozenset({"default_rng", "RandomState", "Random", "set_state", "setstate",
                     "set_rng_state"})
_SAME = frozenset({"int", "abs", "float", "str"})  # of the same number the same
_BRANCHES = ast.If | ast.For | ast.While | ast.Try | ast.IfExp | ast.BoolOp | ast.Match
_DEPTH = 3  # functions that call others
_Callable = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Kind(Enum):
    """What a number is in several workers."""

    APART = 0
    ALIKE = 1
    UNKNOWN = 2


@dataclass(slots=True)
class Seeding:
    """What a function seeds, by the names of the modules whose generators these are.

    `places` are the calls that seed all workers alike; `data` says whether the function may change
    what the data set holds.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    places: dict[str, SourceLocation] = field(default_factory=dict)
    known: bool = True
    data: bool = False

    def alike(self) -> set[str]:
        """The generators that start in the same state in each worker."""
        return {name for name, kind in self.kinds.items() if kind is Kind.ALIKE}


def seeding_of(initialise: Any, sites: Sites) -> Seeding | None:
    """What a worker_init_fn seeds; None if it cannot be read."""
    while isinstance(initialise, functools.partial):
        initialise = initialise.func
    skipped = 0
    if isinstance(initialise, MethodType):
        initialise, skipped = initialise.__func__, 1
    node = _node(initialise)
    if node is None:
        return None
    given = {each.arg: Kind.ALIKE for each in _arguments(node)}
    workers = _arguments(node)[skipped:skipped + 1]
    given.update({each.arg: Kind.APART for each in workers})
    found = Seeding(data=bool(skipped or initialise.__closure__))
    _read(initialise, node, given, found, sites, _DEPTH)
    if any(kind is Kind.UNKNOWN for kind in found.kinds.values()):
        found.known = False
    return found if found.known else None


def _node(function: Any) -> _Callable | None:
    if not isinstance(function, FunctionType):
        return None
    if function.__name__ != "<lambda>":
        return definition(function)
    tree = syntax_tree(function.__code__.co_filename)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)
             and n.lineno == function.__code__.co_firstlineno] if tree is not None else []
    return found[0] if len(found) == 1 else None


def _arguments(node: _Callable) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _read(
    function: FunctionType, node: _Callable, kinds: dict[str, Kind], found: Seeding,
    sites: Sites, depth: int,
) -> None:
    """Goes through a function in the order of its text; `kinds` are those of its variables."""
    body = node.body if isinstance(node.body, list) else [node.body]
    for part, sure in ((n, s) for statement in body for n, s in _evaluated(statement, True)):
        if isinstance(part, ast.Attribute) and part.attr == "dataset":
            found.data = True
        elif isinstance(part, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            kind = _kind(part.value, kinds, found) if part.value is not None else Kind.UNKNOWN
            for name in (n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)):
                kinds[name.id] = kind if sure and not isinstance(part, ast.AugAssign) else (
                    Kind.UNKNOWN)
        elif isinstance(part, ast.Call):
            _called(function, part, sure, kinds, found, sites, depth)


def _evaluated(node: ast.AST, sure: bool) -> list[tuple[ast.AST, bool]]:
    """A tree's nodes, operands first, and whether each runs in every worker."""
    found: list[tuple[ast.AST, bool]] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return found
    inside = sure and not isinstance(node, _BRANCHES)
    for child in ast.iter_child_nodes(node):
        found += _evaluated(child, inside)
    return [*found, (node, sure)]


def _called(
    function: FunctionType, call: ast.Call, sure: bool, kinds: Mapping[str, Kind],
    found: Seeding, sites: Sites, depth: int,
) -> None:
    """Notes what a call seeds, by itself or in a function of the program that it calls."""
    name = last_name(call.func)
    given = [*call.args, *(each.value for each in call.keywords)]
    owner = _owner(function, call.func)
    if owner in _ELSEWHERE:
        return
    seeded = _SEEDS.get((owner, name))
    if seeded is not None:
        kind = _kind(given[0], kinds, found) if given else Kind.APART
        _note(found, seeded, kind if sure else Kind.UNKNOWN, function, call, sites)
        return
    home = vars(sys.modules.get(owner)) if owner in sys.modules else function.__globals__
    target = home.get(name) if owner or isinstance(call.func, ast.Name) else None
    node = _node(target) if depth else None
    if isinstance(target, FunctionType) and node is not None:
        passed = {each.arg: Kind.ALIKE for each in _arguments(node)}
        passed.update({each.arg: _kind(value, kinds, found)
                       for each, value in zip(_arguments(node), call.args, strict=False)})
        passed.update({each.arg: _kind(each.value, kinds, found)
                       for each in call.keywords if each.arg})
        within = Seeding(kinds=dict(found.kinds))
        _read(target, node, passed, within, sites, depth - 1)
        for seeded, kind in within.kinds.items():
            if kind is not found.kinds.get(seeded) or seeded in within.places:
                _note(found, seeded, kind if sure else Kind.UNKNOWN, function, call, sites)
        found.known, found.data = found.known and within.known, found.data or within.data
    elif name in _STATES or ("seed" in name and name != "initial_seed"):
        told = [_kind(each, kinds, found) for each in given]
        if told and Kind.APART not in told:
            found.known = False


def _note(
    found: Seeding, seeded: str, kind: Kind, function: FunctionType, call: ast.Call, sites: Sites
) -> None:
    found.kinds[seeded] = kind
    if kind is Kind.ALIKE:
        found.places[seeded] = expression_at(function.__code__.co_filename, call, sites.keeps_text)


def _kind(value: ast.expr, kinds: Mapping[str, Kind], found: Seeding) -> Kind:
    """What a number that an expression gives is in several workers."""
    parts = list(ast.walk(value))
    told = [kinds[n.id] for n in parts if isinstance(n, ast.Name) and n.id in kinds]
    calls = [last_name(n.func) for n in parts if isinstance(n, ast.Call)]
    own = _OWN if found.kinds.get("torch", Kind.APART) is not Kind.APART else (
        _OWN | {"initial_seed"})
    if Kind.APART in told or own.intersection(calls):
        return Kind.APART
    if Kind.UNKNOWN in told or any(
        name not in _SAME and name != "initial_seed" for name in calls
    ):
        return Kind.UNKNOWN
    return Kind.ALIKE


def _owner(function: FunctionType, called: ast.expr) -> str:
    """The name of the module in front of the last dot of what is called; "" of anything else."""
    if not isinstance(called, ast.Attribute):
        return ""
    names = ast.unparse(called.value).split(".")
    module: Any = function.__globals__.get(names[0])
    if module is None:  # imported within the function
        module = sys.modules.get({"np": "numpy"}.get(names[0], names[0]))
    for name in names[1:]:
        if type(module) is not type(sys):
            return ""
        # numpy loads its part for random numbers at the first use, which may be a worker's.
        within = vars(module).get(name)
        if within is None and (module.__name__, name) == ("numpy", "random"):
            return "numpy.random"
        module = within
    return module.__name__ if type(module) is type(sys) else ""
