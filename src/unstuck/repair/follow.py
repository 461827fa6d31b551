"""Follows a value to where the program writes it down: names, parameters, fields, dictionaries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from unstuck.repair import change, names
from unstuck.repair.index import Index, methods
from unstuck.repair.names import Kind
from unstuck.repair.options import option_of
from unstuck.repair.patch import Form
from unstuck.repair.text import Function, Source

DEEPEST = 10  # names that are followed one after another


@dataclass(frozen=True, slots=True)
class Origin:
    """An expression that a value comes from. `form` says how it was got to."""

    source: Source
    node: ast.expr
    form: Form


# One step ----------------------------------------------------------------------------------------
def hop(index: Index, source: Source, node: ast.expr) -> Origin | None:
    """The expression that the value of a name, an attribute or an item was given by."""
    match node:
        case ast.Name():
            return _name(index, source, node)
        case ast.Attribute():
            return _attribute(index, source, node)
        case ast.Subscript(value=base, slice=ast.Constant(value=str() as key)):
            return _item(index, source, base, key)
        case ast.Call(func=ast.Attribute(value=base, attr="get"),
                      args=[ast.Constant(value=str() as key), *_]):
            return _item(index, source, base, key)
        case ast.Call(func=ast.Name(id="float" | "int"), args=[inner], keywords=[]):
            return hop(index, source, inner) or Origin(source, inner, Form.CALL)
        case ast.BinOp(op=ast.Add(), left=ast.Name() | ast.Attribute() | ast.Subscript() as left,
                       right=ast.Constant(value=1)):
            return hop(index, source, left)  # the end of a range from 1
    return None


def _name(index: Index, source: Source, node: ast.Name) -> Origin | None:
    option = option_of(index, source, node)
    if option is not None:
        return None if option.default is None else Origin(
            option.source, option.default, Form.ARGPARSE)
    found = names.resolve(source, node, node.id)
    if not found:  # a notebook's other cell
        for cell in index.cells - {source.name} if source.name in index.cells else ():
            held = names.bindings(index.sources[cell], index.sources[cell].tree, node.id)
            if len(held) == 1 and held[0].value is not None:
                return Origin(index.sources[cell], held[0].value, Form.CONSTANT)
    if len(found) != 1:
        return None
    binding = found[0]
    if binding.kind is Kind.ASSIGNED and binding.value is not None:
        return Origin(source, binding.value, Form.CONSTANT)
    if binding.kind is Kind.PARAMETER and isinstance(binding.scope, Function):
        return _parameter(index, source, binding.scope, node.id)
    if binding.kind is Kind.IMPORTED and isinstance(binding.node, ast.alias):
        statement = source.parents[binding.node]
        if isinstance(statement, ast.ImportFrom):
            module = module_named(index, source, statement.module or "")
            return None if module is None else _global(module, binding.node.name)
    return None


def _global(source: Source, name: str) -> Origin | None:
    held = names.bindings(source, source.tree, name)
    if len(held) == 1 and held[0].value is not None:
        return Origin(source, held[0].value, Form.CONSTANT)
    return None


def module_named(index: Index, source: Source, name: str) -> Source | None:
    """The only source that a module's name can mean."""
    ending = name.replace(".", "/")
    found = [each for each in index.sources.values() if each is not source and (
        re.sub(r"(/__init__)?\.py$", "", "/" + each.name.replace("\\", "/")
               ).endswith(f"/{ending}"))]
    return found[0] if len(found) == 1 and ending else None


def _parameter(index: Index, source: Source, function: Function, name: str) -> Origin | None:
    """What the only caller passes, or the default if no caller passes anything."""
    passed: list[tuple[Source, ast.expr]] = []
    callers = index.callers(source, function)
    positional = [*function.args.posonlyargs, *function.args.args]
    if isinstance(source.parents.get(function), ast.ClassDef) and not any(
            names.last_name(each) == "staticmethod" for each in function.decorator_list):
        positional = positional[1:]
    place = next((i for i, each in enumerate(positional) if each.arg == name), None)
    for where, call in callers:
        given = change.argument(call, name, place)
        if given is not None:
            passed.append((where, given))
        elif any(k.arg is None for k in call.keywords) or any(
                isinstance(each, ast.Starred) for each in call.args):
            return None  # it may be among what is passed on
    if not passed:
        value = names.default(function, name)
        return None if value is None else Origin(source, value, Form.DEFAULT)
    if len(callers) == 1:
        return Origin(*passed[0], Form.ARGUMENT)
    return None


# Attributes and items ----------------------------------------------------------------------------
def _attribute(index: Index, source: Source, node: ast.Attribute) -> Origin | None:
    option = option_of(index, source, node)
    if option is not None:
        return None if option.default is None else Origin(
            option.source, option.default, Form.ARGPARSE)
    name = node.attr
    set_later = [(s, n) for s, n in index.nodes(ast.Assign) if isinstance(n, ast.Assign)
                 and any(isinstance(t, ast.Attribute) and t.attr == name for t in n.targets)]
    outer = source.class_of(node)
    if _is_own(source, node):
        set_later = [(s, n) for s, n in set_later if s.class_of(n) is outer
                     or not all(_is_own(s, t) for t in n.targets)]  # another class has its own
        if len(set_later) == 1 and set_later[0][0].class_of(set_later[0][1]) is outer:
            return Origin(source, set_later[0][1].value, Form.CONSTANT)
        if not set_later and outer is not None:
            return _field(source, outer, name)
        return None
    if set_later:
        return None
    holder = settled(index, source, node.value)
    if isinstance(node.value, ast.Name):
        imported = names.resolve(source, node.value, node.value.id)
        if len(imported) == 1 and isinstance(imported[0].node, ast.alias):
            module = module_named(index, source, imported[0].node.name)
            if module is not None:
                return _global(module, name)
        known = index.class_named(node.value.id)
        if known is not None:
            return _field(*known, name)
    if holder is not None and isinstance(holder.node, ast.Call):
        return _of_call(index, holder.source, holder.node, name)
    if holder is not None and isinstance(holder.node, ast.Dict):
        return _entry(holder.source, holder.node, name)
    fields = [found for where, each in index.classes()
              if (found := _field(where, each, name)) is not None]
    return fields[0] if len(fields) == 1 and not _given(index, fields[0], name) else None


def _is_own(source: Source, node: ast.expr) -> bool:
    """Whether an expression is an attribute of the object whose method it stands in."""
    function = source.function(node)
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (
        source.class_of(node) is not None and function is not None and bool(function.args.args)
        and node.value.id == function.args.args[0].arg)


def _given(index: Index, field: Origin, name: str) -> bool:
    """Whether the class of a field is constructed with a value for it."""
    outer = field.source.class_of(field.node)
    return outer is None or any(change.argument(call, name) is not None
                                for _, call in index.calls(outer.name))


def _of_call(index: Index, source: Source, call: ast.Call, name: str) -> Origin | None:
    """An attribute of what a call constructed."""
    given = change.argument(call, name)
    if given is not None:
        return Origin(source, given, Form.FIELD)
    known = index.class_named(names.called(call))
    if known is not None:
        return _field(*known, name)
    for each in call.args[:1]:  # a dictionary with attributes
        if isinstance(each, ast.Dict):
            return _entry(source, each, name)
    return None


def _field(source: Source, outer: ast.ClassDef, name: str) -> Origin | None:
    for statement in outer.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                pass
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                pass
            case _:
                continue
        if target == name:
            if isinstance(value, ast.Call) and names.called(value) in ("field", "Field"):
                inner = change.argument(value, "default", 0)
                return None if inner is None else Origin(source, inner, Form.FIELD)
            return Origin(source, value, Form.FIELD)
    return None


def hops(index: Index, source: Source, node: ast.expr) -> Iterator[Origin]:
    """The expressions that a value comes from, each the one behind the last."""
    here = hop(index, source, node)
    for _ in range(DEEPEST):
        if here is None:
            return
        yield here
        here = hop(index, here.source, here.node)


def settled(index: Index, source: Source, node: ast.expr) -> Origin | None:
    """The display or the call that a name stands for."""
    here = Origin(source, node, Form.CONSTANT)
    for _ in range(DEEPEST):
        if isinstance(here.node, ast.Dict):
            return here
        if isinstance(here.node, ast.Call):
            inner = returned(index, here)
            if inner is None:
                return here
            here = inner
            continue
        further = hop(index, here.source, here.node)
        if further is None:
            return None
        here = further
    return None


def returned(index: Index, here: Origin) -> Origin | None:
    """What a function of the user's returns, if it has one return."""
    assert isinstance(here.node, ast.Call)
    name = names.called(here.node)
    known = [(s, f) for s, f in index.functions(name) if f.name == name]
    if len(known) != 1:
        return None
    source, function = known[0]
    returns = [n for n in names.inside(function) if isinstance(n, ast.Return) and n.value]
    if len(returns) == 1 and returns[0].value is not None:
        return Origin(source, returns[0].value, Form.CONSTANT)
    return None


def _item(index: Index, source: Source, base: ast.expr, key: str) -> Origin | None:
    written = [(s, n) for s, n in index.nodes(ast.Assign) if isinstance(n, ast.Assign)
               for t in n.targets if isinstance(t, ast.Subscript)
               and isinstance(t.slice, ast.Constant) and t.slice.value == key]
    if len(written) == 1:
        where, statement = written[0]
        return Origin(where, statement.value, Form.DICTIONARY)
    if written:
        return None
    holder = settled(index, source, base)
    if holder is None:
        held = [found for s, n in index.nodes(ast.Dict) if isinstance(n, ast.Dict)
                and (found := _entry(s, n, key)) is not None]
        return held[0] if len(held) == 1 else None
    return entry(index, holder, key)


def entry(index: Index, holder: Origin, key: str) -> Origin | None:
    """The value of a key in a dictionary that is written out."""
    if isinstance(holder.node, ast.Dict):
        return _entry(holder.source, holder.node, key)
    if isinstance(holder.node, ast.Call) and names.called(holder.node) == "dict":
        given = change.argument(holder.node, key)
        if given is not None:
            return Origin(holder.source, given, Form.DICTIONARY)
        inner = holder.node.args[0] if holder.node.args else None
        return _entry(holder.source, inner, key) if isinstance(inner, ast.Dict) else None
    return None


def _entry(source: Source, node: ast.Dict, key: str) -> Origin | None:
    for each, value in zip(reversed(node.keys), reversed(node.values), strict=True):
        if isinstance(each, ast.Constant) and each.value == key:
            return Origin(source, value, Form.DICTIONARY)
    return None


def constructor(index: Index, name: str) -> tuple[Source, Function] | None:
    """The constructor of a class of the user's."""
    known = index.class_named(name)
    if known is None:
        return None
    own = methods(known[1], "__init__")
    return (known[0], own[0]) if own else None
