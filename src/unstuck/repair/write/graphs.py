"""The autograd graph: not cut where it is needed, not kept where it is not."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Function, Source, Splice
from unstuck.schema.edits import CreateGraph, KeepGraph, KeepNumber, PassThrough

# What gives the same numbers without their graph: as a method, and as a function of torch.
_METHODS = ("detach", "detach_", "numpy", "item", "tolist", "cpu")
_FUNCTIONS = ("tensor", "from_numpy", "as_tensor", "asarray")
_TAKES_STEPS = frozenset({"backward", "manual_backward", "step", "print", "info", "debug"})
_CUTS = frozenset({"item", "detach", "float", "int", "len", "tolist", "numpy", "argmax"})
_MODES = ("no_grad", "inference_mode")
_OF_TENSORS = frozenset({*_METHODS, "stack", "cat", "as_tensor"})  # what a plain number has not
_FOLLOWED = 3  # names that a sum is handed on to, one after another


def _inner(node: ast.expr) -> ast.expr | None:
    """What an expression takes the values of, without its graph."""
    match node:
        case ast.Attribute(value=value, attr="data"):
            return value
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[]) if attr in _METHODS:
            return value
        case ast.Call(func=ast.Attribute(attr=attr), args=[value, *_]) if attr in _FUNCTIONS:
            return value
    return None


def write_keep_graph(edit: KeepGraph, record: Record, index: Index) -> list[Patch]:
    """Without what cuts; a block or function without gradients gets them."""
    found = index.at(edit.at, "what cuts the graph")
    source, node = found.source, found.node
    owner = source.parents.get(node)
    if isinstance(owner, Function) and node in owner.decorator_list:
        return [Patch(edit, _undecorated(found), Form.STATEMENT)]
    if isinstance(node, ast.With) or (
            isinstance(node, ast.Call) and names.called(node) in _MODES):
        return [Patch(edit, _with_gradients(found), Form.CALL)]
    drawn = _drawn(node)
    if drawn is not None:
        end = source.span(drawn)[1]
        return [Patch(edit, (Splice(source.name, end - len("sample"), end, "rsample"),), Form.CALL)]
    outermost = _straight_through(source, node) or next(
        (each for each in ast.walk(node) if isinstance(each, ast.expr)
         and _inner(each) is not None), None)
    if outermost is None:
        around = next((outer for outer in source.ancestors(node) if isinstance(outer, ast.With)
                       and any(names.last_name(getattr(item.context_expr, "func", item.context_expr)
                                               ) in _MODES for item in outer.items)), None)
        if around is not None:
            return [Patch(edit, _with_gradients(Found(source, around)), Form.CALL)]
        raise Refused(Reason.UNKNOWN_FORM, "The expression at this place holds nothing that is "
                      "known to cut the graph.")
    outermost = kept = _whole_cut(found, outermost)
    while (deeper := _inner(kept)) is not None:
        kept = deeper
    statement = source.statement(outermost)
    if isinstance(statement, ast.Assign) and statement.value is outermost and (
            source.code(statement.targets[0]) == source.code(kept)):
        return [Patch(edit, change.remove(source, statement), Form.STATEMENT)]
    start, end = source.span(outermost)
    left, right = source.span(kept)
    if source.text[left - 1:left] == "(" and source.text[right:right + 1] == ")" and (
            source.pairs.get(left - 1) == right) and isinstance(kept, ast.BinOp | ast.IfExp):
        left, right = left - 1, right + 1
    return [Patch(edit, (*(s for s in (
        Splice(source.name, start, left, ""), Splice(source.name, right, end, "")
    ) if s.start < s.end), *_cut_where_meant(source, statement, outermost)), Form.CALL)]


def _cut_where_meant(
    source: Source, statement: ast.stmt, cut: ast.expr
) -> tuple[Splice, ...]:
    """The cut, for what reads the name before the first of several backward passes.

    One loss may be meant to leave out what the next one trains, as that of a discriminator.
    """
    if not (isinstance(statement, ast.Assign) and statement.value is cut
            and isinstance(statement.targets[0], ast.Name)):
        return ()
    block = next(each for each in names.blocks(source.parents[statement]) if statement in each)
    name = statement.targets[0].id
    reads: list[list[ast.Name]] = [[]]
    for later in block[block.index(statement) + 1:]:
        nodes = list(ast.walk(later))
        reads[-1] += [each for each in nodes if isinstance(each, ast.Name) and each.id == name
                      and isinstance(each.ctx, ast.Load)]
        if any(isinstance(each, ast.Call) and names.called(each) in ("backward", "manual_backward")
               for each in nodes):
            reads.append([])
    if len(reads) < 2 or not any(reads[1:]):
        return ()
    return tuple(Splice(source.name, end, end, ".detach()")
                 for _, end in map(source.span, reads[0]))


def _drawn(node: ast.AST) -> ast.Attribute | None:
    """The method that draws without a graph, if that is what an expression does."""
    match node:
        case ast.Call(func=ast.Attribute(attr="sample") as method, args=[]):
            return method
    return None


def _straight_through(source: Source, node: ast.AST) -> ast.expr | None:
    """The cut that is one too many in `z.detach() + (q - z).detach()`: the one around z alone.

    Raises:
        Refused: several cuts in the expression are of another form.
    """
    cuts = [each for each in ast.walk(node) if isinstance(each, ast.expr)
            and _inner(each) is not None]
    outer = [each for each in cuts if not any(
        each is not other and each in ast.walk(other) for other in cuts)]
    if len(outer) < 2:
        return None
    if len(outer) == 2 and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for one, other in (outer, reversed(outer)):
            kept, difference = _inner(one), _inner(other)
            if kept is not None and isinstance(difference, ast.BinOp) and isinstance(
                    difference.op, ast.Sub) and (
                    source.code(difference.right) == source.code(kept)):
                return one
    raise Refused(Reason.UNKNOWN_FORM, "Several parts of the expression at this place cut the "
                  "graph, and which of them are meant is not sure.")


def _undecorated(found: Found) -> tuple[Splice, ...]:
    """Without the line of a decorator."""
    source, node = found.source, found.node
    start, end = source.span(node)
    start = source.text.rindex("@", 0, start)
    if not (source.starts_line(start) and source.ends_line(end)):
        raise Refused(Reason.UNKNOWN_FORM, "The decorator shares its line.")
    return (Splice(source.name, source.line_start(start), source.next_line(end), ""),)


def _whole_cut(found: Found, node: ast.expr) -> ast.expr:
    """A cut with those around it: torch.from_numpy(x.detach().numpy()) is one way there and back.
    """
    whole = node
    for outer in found.source.ancestors(node):
        if isinstance(outer, ast.Call) and _inner(outer) is node:
            node = outer
            # A move to another device alone is no cut.
            whole = whole if names.called(outer) == "cpu" else node
        elif not isinstance(outer, ast.Attribute):
            break
    return whole


def _with_gradients(found: Found) -> tuple[Splice, ...]:
    """enable_grad in the place of no_grad: nothing has to be indented anew."""
    for node in ast.walk(found.node.items[0] if isinstance(found.node, ast.With) else found.node):
        if isinstance(node, ast.Attribute) and node.attr in _MODES:
            end = found.source.span(node)[1]
            return (Splice(found.source.name, end - len(node.attr), end, "enable_grad"),)
    raise Refused(Reason.UNKNOWN_FORM, "What switches the gradients off is not torch.no_grad.")


def write_create_graph(edit: CreateGraph, record: Record, index: Index) -> list[Patch]:
    """At the call of `torch.autograd.grad`."""
    found = index.at(edit.at, "the call that computes the derivative")
    if names.called(found.call) != "grad":
        raise Refused(Reason.UNKNOWN_FORM, "The call at this place is not torch.autograd.grad.")
    return [Patch(edit, change.set_argument(
        found.source, found.call, "create_graph", "True", 4), Form.LITERAL)]


def write_keep_number(edit: KeepNumber, record: Record, index: Index) -> list[Patch]:
    """Where the tensor is added up or appended, in the function that makes it."""
    found = index.at(edit.at, "the tensor that is kept")
    source, statement = found.source, found.statement
    by = ".detach()" if edit.output else ".item()"
    kept: list[ast.expr] = []
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        held = names.dotted(statement.targets[0])
        scope = source.function(statement) or source.tree
        kept = [part for node in (names.inside(scope) if isinstance(scope, Function)
                                  else ast.walk(scope))
                if held and (each := _kept_by(node)) is not None
                and (part := _part(each, held)) is not None]
        if held and not kept:  # an object may want a tensor, so it gets one
            kept, by = (_handed_over(scope, statement.value, held)
                        or _handed_out(index, source, scope, held)), ".detach()"
    else:
        kept = [each for node in ast.walk(statement)
                if (each := _kept_by(node)) is not None and each is found.node]
    if not kept and isinstance(statement, ast.Return):
        source, kept = _of_a_caller(index, source, statement)
    if not kept:
        raise Refused(Reason.UNKNOWN_FORM, "The place where the tensor is kept is not one "
                      "statement of the text.")
    if by == ".item()" and any(_read_as_tensor(source, each) for each in kept):
        by = ".detach()"
    splices = [splice for each in kept for splice in change.method(source, each, by)]
    return [Patch(edit, tuple(splices), Form.CALL)]


def _of_a_caller(
    index: Index, source: Source, returned: ast.Return
) -> tuple[Source, list[ast.expr]]:
    """What the only statement keeps that adds up or appends what a function returns."""
    function = source.function(returned)
    found = [(where, each) for where, call in index.callers(source, function)
             for node in ast.walk(where.statement(call))
             if (each := _kept_by(node)) is not None and call in ast.walk(each)
             ] if function is not None else []
    return (found[0][0], [found[0][1]]) if len(found) == 1 else (source, [])


def _read_as_tensor(source: Source, kept: ast.expr) -> bool:
    """Whether what is kept, or what is computed of it, is read by what only a tensor has."""
    holder = _holder(source.parents[kept])
    scope = (source.class_of(kept) if "." in holder else source.function(kept)) or source.tree
    held = {holder}
    for _ in range(_FOLLOWED):
        for node in ast.walk(scope):
            target, value = _put_into(node)
            if value is not None and held & _names_in(value):
                held.add(target)
    held.discard("")
    return any(
        isinstance(node, ast.Call) and names.called(node) in _OF_TENSORS
        and any(held & _names_in(each) for each in (
            *node.args, *((node.func.value,) if isinstance(node.func, ast.Attribute) else ())))
        for node in ast.walk(scope))


def _names_in(node: ast.expr) -> set[str]:
    return {names.dotted(each) for each in ast.walk(node)
            if isinstance(each, ast.Name | ast.Attribute)} - {""}


def _holder(node: ast.AST) -> str:
    """The name of the sum or the list that a statement adds to."""
    match node:
        case ast.Call(func=ast.Attribute(value=held)) | ast.AugAssign(target=held) | ast.BinOp(
                left=held):
            return names.dotted(held)
    return ""


def _put_into(node: ast.AST) -> tuple[str, ast.expr | None]:
    """A name that gets a value, and the expression that gives it."""
    match node:
        case ast.Assign(targets=[target], value=value) | ast.AugAssign(target=target, value=value):
            return names.dotted(target), value
        case ast.For(target=target, iter=value):
            return names.dotted(target), value
        case ast.Call(func=ast.Attribute(value=target, attr="append"), args=[value]):
            return names.dotted(target), value
    return "", None


def _handed_out(index: Index, source: Source, scope: ast.AST, held: str) -> list[ast.expr]:
    """What a function returns to callers that do not differentiate it: the tensor by its name."""
    if not isinstance(scope, Function):
        return []
    returned = [node.value for node in names.inside(scope) if isinstance(node, ast.Return)
                and node.value is not None and names.dotted(node.value) == held]
    if len(returned) != 1 or _differentiates(scope, {held}):
        return []
    for where, call in index.callers(source, scope):
        statement = where.statement(call)
        if not isinstance(statement, ast.Assign) or statement.value is not call or (
                _differentiates(where.function(statement) or where.tree,
                                set(map(names.dotted, statement.targets)))):
            return []
    return returned


def _differentiates(scope: ast.AST, held: set[str]) -> bool:
    """Whether backward is called on one of these names."""
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
               and node.func.attr == "backward" and names.dotted(node.func.value) in held
               for node in ast.walk(scope))


def _handed_over(scope: ast.AST, value: ast.expr, held: str) -> list[ast.expr]:
    """What the only call gets that a tensor is handed to for good: the tensor, and its like.

    These are variables that are computed of what it is computed of, without a word of their own
    that cuts the graph.
    """
    calls = [node.value for node in ast.walk(scope) if isinstance(node, ast.Expr)
             and isinstance(node.value, ast.Call) and names.called(node.value) not in _TAKES_STEPS
             and held in map(names.dotted, _given(node.value))]
    if len(calls) != 1:
        return []
    sources = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
    like = {names.dotted(node.targets[0]) for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and not any(
                isinstance(each, ast.Call) and names.called(each) in _CUTS
                for each in ast.walk(node.value))
            and sources & {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)
                           and isinstance(each.ctx, ast.Load)}}
    return [each for each in _given(calls[0]) if names.dotted(each) in {held, *like} - {""}]


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _part(kept: ast.expr, held: str) -> ast.expr | None:
    """What is kept if it has this name, or the only argument of this name of a call that is."""
    if names.dotted(kept) == held:
        return kept
    given = [each for each in kept.args if names.dotted(each) == held] if isinstance(
        kept, ast.Call) else []
    return given[0] if len(given) == 1 else None


def _kept_by(node: ast.AST) -> ast.expr | None:
    """The expression that a statement adds to a sum or a list."""
    match node:
        case ast.Call(func=ast.Attribute(attr="append" | "add"), args=[value]):
            return value
        case ast.AugAssign(op=ast.Add(), value=ast.expr() as value):
            return value
        case ast.Assign(targets=[ast.Name(id=name)],
                        value=ast.BinOp(left=ast.Name(id=left), op=ast.Add(), right=value)):
            return value if name == left else None
    return None


def write_pass_through(edit: PassThrough, record: Record, index: Index) -> list[Patch]:
    """What goes into the operation, and what it changes without its graph."""
    found = index.at(edit.at, "the operation")
    source, call = found.source, found.call
    given: ast.expr | None = call.args[0] if call.args else None
    if given is None and isinstance(call.func, ast.Attribute):
        given = call.func.value  # x.round()
    if not isinstance(given, ast.Name | ast.Attribute):
        raise Refused(Reason.UNKNOWN_FORM, "What goes into the operation has no name of its own.")
    name = source.code(given)
    text = f"{name} + ({source.code(call)} - {name}).detach()"
    owner = source.parents.get(call)
    bare = isinstance(owner, ast.Return | ast.Assign | ast.Call | ast.keyword)
    return [Patch(edit, change.replace(source, call, text if bare else f"({text})"), Form.CALL)]


WRITERS = {
    PassThrough: write_pass_through,
    CreateGraph: write_create_graph, KeepGraph: write_keep_graph, KeepNumber: write_keep_number,
}
