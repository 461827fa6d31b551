"""Random numbers that each step starts anew, started once; a generator for each worker."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index, methods
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.text import Function, Source
from unstuck.repair.write.once import names_made, outermost
from unstuck.schema.edits import SeedCopies, SeedOnce


def write_seed_once(edit: SeedOnce, record: Record, index: Index) -> list[Patch]:
    """In front of the outermost loop; where a function seeds that is called in each step, in
    front of the function, or not at all if it seeds what others draw from."""
    found = index.at(edit.at, "the call that seeds")
    source, statement, node = found.source, found.statement, found.node
    alone = isinstance(statement, ast.Expr) and statement.value is node
    named = isinstance(statement, ast.Assign) and statement.value is node
    needed = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    loop = outermost(source, node)
    if loop is not None and (alone or named) and not needed & names_made(loop):
        return [Patch(edit, (*change.before(source, loop, source.code(statement)),
                             *change.remove(source, statement)), Form.STATEMENT)]
    function = source.function(node)
    if alone and function is not None:
        return [Patch(edit, change.remove(source, statement), Form.STATEMENT)]
    if not isinstance(function, Function) or not isinstance(node, ast.Call) or alone or any(
            names.bindings(source, function, name) for name in needed):
        raise Refused(Reason.UNKNOWN_FORM, "What it is seeded by is known in the step only.")
    name = free_name(index, source, "GENERATOR")
    # In front of the function, but behind what the seed is made of.
    whole = next(each for each in source.tree.body if function in ast.walk(each))
    below = [each for each in source.tree.body if each.lineno > whole.lineno
             and needed & names_made(each)]
    kept = f"{name} = {source.code(node)}"
    made = change.after(source, below[-1], kept) if below else change.before(
        source, whole, f"{kept}\n\n")
    return [Patch(edit, (*made, *change.replace(source, node, name)), Form.STATEMENT)]


# How a generator is constructed from a seed, by the name of what constructs it.
_SEEDED = {
    "default_rng": "({seed}())",
    "RandomState": "({seed}() % 2**32)",
    "Random": "({seed}())",
    "Generator": "().manual_seed({seed}())",
}


def write_seed_copies(edit: SeedCopies, record: Record, index: Index) -> list[Patch]:
    """A worker_init_fn, at the loader; the generator is constructed as the data set does it."""
    found = index.at(edit.at, "the construction of the loader")
    if change.argument(found.call, "worker_init_fn") is not None:
        raise Refused(Reason.UNKNOWN_FORM, "The loader has a worker_init_fn already.")
    made = list(_generators(edit.generator, index))
    if len(made) != 1:
        raise Refused(Reason.UNKNOWN_FORM, f"No single data set of the text constructs "
                      f"{edit.generator}.")
    (where, call), source = made[0], found.source
    if where is not source:
        raise Refused(Reason.UNKNOWN_FORM, "The data set is constructed in another file.")
    kind = next(name for name in _SEEDED if name in ast.unparse(call.func))
    if kind == "Generator" and not ast.unparse(call.func).startswith("torch."):
        raise Refused(Reason.UNKNOWN_FORM, "The generator is made of parts of its own.")
    head = call.func if kind != "Generator" else next(
        node.func for node in ast.walk(call) if isinstance(node, ast.Call)
        and names.called(node) == kind)
    seed, needs = spell(index, source, "torch.initial_seed")
    worker, more = spell(index, source, "torch.utils.data.get_worker_info")
    name = free_name(index, source, "reseed")
    text = (f"def {name}(worker):\n"
            f"    {worker}().dataset.{edit.generator} = {source.code(head)}"
            f"{_SEEDED[kind].format(seed=seed)}")
    helper = Need(source.name, name, text, helper=True)
    return [Patch(edit, change.set_argument(found.source, found.call, "worker_init_fn", name),
                  Form.CALL, (*dict.fromkeys((*needs, *more)), helper))]


def _generators(name: str, index: Index) -> Iterator[tuple[Source, ast.Call]]:
    """What data sets of the text give an attribute, where that is a new generator."""
    for source, outer in index.nodes(ast.ClassDef):
        assert isinstance(outer, ast.ClassDef)
        if not any(methods(outer, each) for each in ("__getitem__", "__iter__")):
            continue
        for node in ast.walk(outer):
            match node:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
                                value=ast.Call() as call) if attribute == name and any(
                                    kind in ast.unparse(call.func) for kind in _SEEDED):
                    yield source, call


WRITERS = {SeedOnce: write_seed_once, SeedCopies: write_seed_copies}
