"""Random numbers that each step starts anew, started once."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Function
from unstuck.repair.write.once import names_made, outermost
from unstuck.schema.edits import SeedOnce


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


WRITERS = {SeedOnce: write_seed_once}
