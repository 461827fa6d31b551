"""Small changes of a source text: arguments, elements, wrappings, statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.text import Node, Source, Splice, apply

Splices = tuple[Splice, ...]
_SIMPLE = re.compile(r"(if|for|while|with|try|def|class|async|match|@)\b")
_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict,
          ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.JoinedStr)


# Expressions -------------------------------------------------------------------------------------
def replace(source: Source, node: Node, text: str) -> Splices:
    """Other text in the place of an expression or a statement."""
    if isinstance(node, ast.GeneratorExp) and _only_argument(source, node):
        text = f"({text})"
    start, end = source.span(node)
    return (Splice(source.name, start, end, text),)


def with_texts(source: Source, node: Node, texts: Mapping[tuple[int, int], str]) -> str:
    """The code of a node with other texts at some spans within it, which do not overlap."""
    start, _ = source.span(node)
    return apply(source.code(node), [Splice(source.name, left - start, right - start, text)
                                     for (left, right), text in texts.items()])


def wrap(source: Source, node: ast.expr, before: str, after: str) -> Splices:
    """Text in front of an expression and behind it: `before` ends with what opens a bracket."""
    start, end = source.span(node)
    if isinstance(node, ast.GeneratorExp) and _only_argument(source, node):
        start, end = start + 1, end - 1  # the brackets are those of the call
    elif _bare(source, node):
        before, after = f"{before}(", f"){after}"
    return Splice(source.name, start, start, before), Splice(source.name, end, end, after)


def _bare(source: Source, node: ast.expr) -> bool:
    """Whether a comma or a keyword in the expression would end it within brackets."""
    if isinstance(node, ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Starred):
        return True
    return isinstance(node, ast.Tuple) and not is_bracketed(source, node)


def is_bracketed(source: Source, node: ast.expr) -> bool:
    """Whether the brackets at both ends of an expression's text belong together."""
    start, end = source.span(node)
    return source.text[start] in "([{" and source.pairs.get(start) == end - 1


def _only_argument(source: Source, node: ast.expr) -> bool:
    parent = source.parents.get(node)
    return (isinstance(parent, ast.Call) and [*parent.args, *parent.keywords] == [node]
            and source.span(node) == (opening(source, parent), source.span(parent)[1]))


def operand(source: Source, node: ast.expr) -> str:
    """The text of an expression as it may stand beside an operator or in front of a dot."""
    text = source.code(node)
    if isinstance(node, _ATOMS) and not (isinstance(node, ast.Constant) and text[:1].isdigit()
                                         and "\n" in text):
        return text
    return text if isinstance(node, ast.Tuple | ast.GeneratorExp) and is_bracketed(
        source, node) else f"({text})"


OPPOSITE: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">"}


def opposite(source: Source, node: ast.Compare) -> str:
    """The text of a comparison of two values the other way round."""
    sign = OPPOSITE[type(node.ops[0])]
    return f"{source.code(node.left)} {sign} {source.code(node.comparators[0])}"


def times(source: Source, node: ast.expr, factor: str) -> Splices:
    """A factor in front of an expression."""
    if isinstance(node, _ATOMS) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        start, _ = source.span(node)
        return (Splice(source.name, start, start, f"{factor} * "),)
    return wrap(source, node, f"{factor} * (", ")")


def method(source: Source, node: ast.expr, call: str) -> Splices:
    """A method called on an expression: `x.squeeze(-1)`."""
    start, end = source.span(node)
    if isinstance(node, _ATOMS) and not isinstance(node, ast.Constant):
        return (Splice(source.name, end, end, call),)
    if _has_own_brackets(source, start, end):
        return (Splice(source.name, end + 1, end + 1, call),)
    return wrap(source, node, "(", f"){call}")


def is_alone_in_brackets(source: Source, node: ast.expr) -> bool:
    """Whether an expression stands alone in brackets that are no call's."""
    return _has_own_brackets(source, *source.span(node))


def _has_own_brackets(source: Source, start: int, end: int) -> bool:
    """Whether an expression stands alone in brackets that are no call's."""
    if not (source.text[start - 1:start] == "(" and source.pairs.get(start - 1) == end):
        return False
    before = source.index_at(start - 1) - 1
    return before < 0 or not ((source.tokens[before].text.isidentifier()
                              and source.tokens[before].text not in ("return", "in", "and", "or",
                                                                     "not", "if", "else", "yield"))
                              or source.tokens[before].text in (")", "]"))


# Elements of brackets ----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Item:
    """An argument or an element, with brackets of its own, and where the comma after it stands."""

    start: int
    end: int
    comma: int | None


def opening(source: Source, node: ast.expr) -> int:
    """Where the bracket opens that holds the arguments of a call or the elements of a display."""
    start, end = source.span(node)
    if not isinstance(node, ast.Call):
        return start
    if end - 1 not in source.pairs:  # until Python 3.12 an f-string is one token
        raise Refused(Reason.UNKNOWN_FORM, "The call is part of an f-string.")
    return source.pairs[end - 1]


def items(source: Source, opens: int) -> list[Item]:
    """What the bracket that opens at a position holds between its commas."""
    closes = source.pairs[opens]
    found: list[Item] = []
    start = end = None
    index, lambdas = source.index_at(opens) + 1, 0
    while (token := source.tokens[index]).start < closes:
        if token.operator and token.text == "," and not lambdas:
            assert start is not None
            assert end is not None
            found.append(Item(start, end, token.start))
            start = None
        else:
            start = token.start if start is None else start
            end = token.end
            if token.text == "lambda":
                lambdas += 1
            elif token.operator and token.text == ":" and lambdas:
                lambdas -= 1
            elif token.operator and token.text in ("(", "[", "{"):
                end = source.pairs[token.start] + 1
                index = source.index_at(end - 1)
        index += 1
    if start is not None and end is not None:
        found.append(Item(start, end, None))
    return found


def add_item(source: Source, opens: int, text: str, after: int | None = None) -> Splices:
    """A new element behind the one with the index `after`, by default behind the last."""
    held = items(source, opens)
    if not held:
        return (Splice(source.name, opens + 1, opens + 1, text),)
    item = held[-1 if after is None else after]
    if not source.starts_line(item.start):
        if item.comma is None or item is not held[-1]:
            return (Splice(source.name, item.end, item.end, f", {text}"),)
        return (Splice(source.name, item.comma + 1, item.comma + 1, f" {text},"),)
    line = source.line_end + source.indentation(item.start)
    if item.comma is not None:
        stop = source.line_stop(item.comma)
        if source.comment_after(item.comma + 1) or not source.text[item.comma + 1:stop].strip():
            return (Splice(source.name, stop, stop, f"{line}{text},"),)
        return (Splice(source.name, item.comma + 1, item.comma + 1, f" {text},"),)
    if source.comment_after(item.end):
        stop = source.line_stop(item.end)
        return (Splice(source.name, item.end, item.end, ","),
                Splice(source.name, stop, stop, f"{line}{text}"))
    return (Splice(source.name, item.end, item.end, f",{line}{text}"),)


def drop_item(source: Source, opens: int, index: int) -> Splices:
    """An element less, with its comma; with its line and the comment there if it fills the line."""
    held = items(source, opens)
    item = held[index]
    last = index == len(held) - 1
    end = item.end if item.comma is None else item.comma + 1
    if source.starts_line(item.start) and source.ends_line(end):
        removed = _without_lines(source, item.start, end)
        if last and item.comma is None and index:
            comma = held[index - 1].comma
            assert comma is not None
            return Splice(source.name, comma, comma + 1, ""), removed
        return (removed,)
    if not last:
        return (Splice(source.name, item.start, held[index + 1].start, ""),)
    if not index:
        return (Splice(source.name, item.start, end, ""),)
    return (Splice(source.name, held[index - 1].end, item.end, ""),)


def _without_lines(source: Source, start: int, end: int) -> Splice:
    """Without the lines from `start` to `end`, and without the line end in front of them.

    So text may be put at the end of the line before, and at the end of the last of them.
    """
    first = source.line_start(start)
    if first:
        before = source.line_of(first) - 1
        return Splice(source.name, source.position(before, len(source.lines[before - 1])),
                      source.line_stop(end), "")
    return Splice(source.name, first, source.next_line(end), "")


# Arguments ---------------------------------------------------------------------------------------
def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """What a call passes as an argument, by its name or at its position."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and position < len(call.args) and not any(
            isinstance(each, ast.Starred) for each in call.args[:position + 1]):
        return call.args[position]
    return None


def set_argument(
    source: Source, call: ast.Call, name: str, text: str, position: int | None = None,
) -> Splices:
    """Another value for an argument, or the argument behind the others."""
    now = argument(call, name, position)
    if now is not None:
        return replace(source, now, text)
    opens = opening(source, call)
    if len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp) and _only_argument(
            source, call.args[0]):
        end = source.span(call)[1] - 1
        return (Splice(source.name, opens + 1, opens + 1, "("),
                Splice(source.name, end, end, f"), {name}={text}"))
    return add_item(source, opens, f"{name}={text}")


def drop_argument(
    source: Source, call: ast.Call, name: str, position: int | None = None,
) -> Splices:
    """An argument less; nothing if it is not there.

    Raises:
        Refused: arguments by position follow it.
    """
    now = argument(call, name, position)
    if now is None:
        return ()
    every: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    given = sorted(every, key=source.span)
    index = next(i for i, each in enumerate(given)
                 if each is now or getattr(each, "value", None) is now)
    if given[index] is now and any(each in call.args for each in given[index + 1:]):
        raise Refused(Reason.UNKNOWN_FORM, f"Arguments by position follow {name}.")
    return drop_item(source, opening(source, call), index)


# Statements --------------------------------------------------------------------------------------
def _lines(source: Source, code: str, indentation: str) -> str:
    return (source.line_end + indentation).join(code.split("\n"))


def _joined(source: Source, code: str) -> str:
    if any(_SIMPLE.match(line) or line[:1].isspace() for line in code.split("\n")):
        raise Refused(Reason.UNKNOWN_FORM,
                      "The statement shares its line with others; put it on a line of its own.")
    return "; ".join(code.split("\n"))


def before(source: Source, statement: ast.stmt, code: str) -> Splices:
    """Statements in front of a statement, at its indentation; \\n parts those of `code`.

    Raises:
        Refused: they do not fit on a line that it shares with others.
    """
    start = source.statement_start(statement)
    if source.text.startswith("elif", start) and isinstance(statement, ast.If):
        parent = source.parents[statement]
        assert isinstance(parent, ast.stmt)
        return before(source, parent, code)
    if source.starts_line(start):
        indentation = source.indentation(start)
        text = _lines(source, code, indentation) + source.line_end + indentation
    else:
        text = _joined(source, code) + "; "
    return (Splice(source.name, start, start, text),)


def after(source: Source, statement: ast.stmt, code: str) -> Splices:
    """Statements behind a statement, at its indentation.

    Raises:
        Refused: they do not fit on a line that it shares with others.
    """
    start, end = source.statement_start(statement), source.span(statement)[1]
    if source.starts_line(start) and source.ends_line(end):
        stop = source.line_stop(end)
        line = source.line_end + source.indentation(start)
        return (Splice(source.name, stop, stop, line + _lines(
            source, code, source.indentation(start))),)
    return (Splice(source.name, end, end, "; " + _joined(source, code)),)


def remove(source: Source, statement: ast.stmt) -> Splices:
    """A statement less; `pass` in its place if it is the only one of its body."""
    body = source.body(statement)
    start, end = source.statement_start(statement), source.span(statement)[1]
    if len(body) == 1:
        return (Splice(source.name, start, end, "pass"),)
    if source.starts_line(start) and source.ends_line(end):
        return (_without_lines(source, start, end),)
    index = next(i for i, each in enumerate(body) if each is statement)
    if index + 1 < len(body) and source.line_of(end) == source.line_of(
            source.span(body[index + 1])[0]):
        return (Splice(source.name, start, source.statement_start(body[index + 1]), ""),)
    return (Splice(source.name, source.span(body[index - 1])[1], end, ""),)


def at_end(source: Source, body: Sequence[ast.stmt], code: str) -> Splices:
    """Statements behind the last one of a body."""
    return after(source, body[-1], code)


def first_of_body(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef,
                  code: str) -> Splices:
    """Statements at the start of a function, behind its docstring."""
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and (
        isinstance(body[0].value.value, str))
    if documented and len(body) == 1:
        return after(source, body[0], code)
    return before(source, body[1 if documented else 0], code)
