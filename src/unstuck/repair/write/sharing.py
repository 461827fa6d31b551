"""Objects of their own in place of one that stands at several places."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import BuildEach, CopyState, LoadKeys

_COMPREHENSIONS = ast.ListComp | ast.GeneratorExp | ast.DictComp
Splices = tuple[Splice, ...]
Written = tuple[Splices, tuple[Need, ...]]


def deepcopy(index: Index, source: Source) -> tuple[str, tuple[Need, ...]]:
    """How a source spells `copy.deepcopy`, and the import that it takes."""
    known = index.spelled(source, "copy.deepcopy")
    if known is not None:
        return known, ()
    return "deepcopy", (Need(source.name, "deepcopy", "from copy import deepcopy"),)


def write_build_each(edit: BuildEach, record: Record, index: Index) -> list[Patch]:
    """A construction for each place; a copy for each where it is made elsewhere."""
    found = index.at(edit.at, "what repeats the layer")
    written = _chained(found) or _multiplied(found, index) or _repeated(found, index)
    if written is None:
        raise Refused(Reason.UNKNOWN_FORM, "The expression at this place does not repeat a layer "
                      "in a form that is known.")
    splices, needs = written
    return [Patch(edit, splices, Form.MODEL, needs)]


def _multiplied(found: Found, index: Index) -> Written | None:
    """[layer] * n"""
    source, node = found.source, found.node
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return None
    held = node.left if isinstance(node.left, ast.List | ast.Tuple) else node.right
    if not isinstance(held, ast.List | ast.Tuple):
        return None
    times = source.code(node.right if held is node.left else node.left)
    needs: tuple[Need, ...] = ()
    parts = []
    for each in held.elts:
        code = source.code(each)
        if not _constructs(each):
            copy, needs = deepcopy(index, source)
            code = f"{copy}({code})"
        parts.append(code)
    if len(parts) == 1:
        text = f"{parts[0]} for _ in range({times})"
    else:
        text = f"layer for _ in range({times}) for layer in ({', '.join(parts)})"
    return change.replace(source, node, f"[{text}]"), needs


def _repeated(found: Found, index: Index) -> Written | None:
    """[layer for _ in range(n)], repeat(layer, n), layers.append(layer), Sequential(a, b, a),
    dict.fromkeys(names, layer), {name: build(kind) for name, kind in kinds}"""
    source, node = found.source, found.node
    copy, needs = deepcopy(index, source)
    around = source.parents.get(node)
    if isinstance(node, ast.expr) and isinstance(around, _COMPREHENSIONS):
        return change.wrap(source, node, f"{copy}(", ")"), needs  # what gives the same each time
    match node:
        case (ast.ListComp(elt=element) | ast.GeneratorExp(elt=element)
              | ast.DictComp(value=element)):
            return change.wrap(source, element, f"{copy}(", ")"), needs
        case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[keys, one]):
            code = source.code(one)
            code = code if _constructs(one) else f"{copy}({code})"
            name = free_name(index, source, "name")
            text = f"{{{name}: {code} for {name} in {source.code(keys)}}}"
            return change.replace(source, node, text), () if _constructs(one) else needs
        case ast.Call(func=ast.Name(id="repeat") | ast.Attribute(attr="repeat"), args=[one, n]):
            code = source.code(one)
            code = code if _constructs(one) else f"{copy}({code})"
            text = f"({code} for _ in range({source.code(n)}))"
            return change.replace(source, node, text), () if _constructs(one) else needs
        case ast.Call(func=ast.Attribute(attr="append" | "add_module"), args=[*_, last]):
            return change.wrap(source, last, f"{copy}(", ")"), needs
        case ast.Call():
            given = [each for argument in node.args
                     for each in (argument.elts if isinstance(argument, ast.List | ast.Tuple)
                                  else [argument])]
            seen: set[str] = set()
            splices: list[Splice] = []
            for each in given:
                name = names.dotted(each)
                if name and name in seen:
                    splices += change.wrap(source, each, f"{copy}(", ")")
                seen.add(name)
            return (tuple(splices), needs) if splices else None
    return None


def _chained(found: Found) -> Written | None:
    """self.fc1 = self.fc2 = nn.Linear(...)"""
    source, statement = found.source, found.node
    if not (isinstance(statement, ast.Assign) and len(statement.targets) > 1
            and _constructs(statement.value)):
        return None
    value = source.code(statement.value)
    first, *others = map(source.code, statement.targets)
    lines = "\n".join(f"{target} = {value}" for target in others)
    head = change.replace(source, statement, f"{first} = {value}")
    return (*head, *change.after(source, statement, lines)), ()


def _constructs(node: ast.expr) -> bool:
    """Whether evaluating an expression again gives another object."""
    return isinstance(node, ast.Call)


def write_load_keys(edit: LoadKeys, record: Record, index: Index) -> list[Patch]:
    """Other keys for what a call of load_state_dict is given."""
    found = index.at(edit.at, "the call that loads the state dict")
    given = change.argument(found.call, "state_dict", 0)
    if given is None:
        raise Refused(Reason.UNKNOWN_FORM, "What is loaded is not written as one argument.")
    text = edit.given(change.operand(found.source, given))
    return [Patch(edit, change.replace(found.source, given, text), Form.CALL)]


def write_copy_state(edit: CopyState, record: Record, index: Index) -> list[Patch]:
    """A deep copy of what a call of state_dict returns."""
    found = index.at(edit.at, "the call that takes the state dict")
    if names.called(found.call) != "state_dict":
        raise Refused(Reason.UNKNOWN_FORM, "The expression at this place does not take a state "
                      "dict.")
    copy, needs = deepcopy(index, found.source)
    return [Patch(edit, change.wrap(found.source, found.call, f"{copy}(", ")"), Form.CALL, needs)]


WRITERS = {
    BuildEach: write_build_each, LoadKeys: write_load_keys, CopyState: write_copy_state,
}
