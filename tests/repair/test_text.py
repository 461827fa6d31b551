"""Spans and splices in texts of all kinds: characters, tabs, line ends, brackets, comments."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.repair import facts
from unstuck.repair import change
from unstuck.repair.cannot import Refused
from unstuck.repair.text import Source, Splice, Unparsable, apply


def call_in(source: Source) -> ast.Call:
    return next(node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def first(source: Source, text: str) -> ast.stmt:
    return next(node for node in ast.walk(source.tree)
                if isinstance(node, ast.stmt) and source.code(node) == text)


# Spans -------------------------------------------------------------------------------------------
NAMES = st.sampled_from(["x", "größe", "変数", "Δ", "model", "_"])
STRINGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\\\"{}\f\x00"),
                  max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A function of assignments, with strings and comments of any characters."""
    indentation = draw(st.sampled_from(["    ", "\t", "  ", " \t"]))
    lines = [f"def {draw(NAMES)}():"]
    for _ in range(draw(st.integers(1, 5))):
        name, text, comment = draw(NAMES), draw(STRINGS), draw(STRINGS)
        lines.append(indentation + draw(st.sampled_from([
            f'{name} = f("{text}", {name}, lr=1)  # {comment}',
            f'{name} = ["{text}", (1, 2)]; f({name})',
            f'if {name}: f("{text}")',
            f'{name} = f"{text}{{{name}}}"',
            f'{name} = """{text}',
        ])))
        if lines[-1].count('"""') == 1:
            lines.append(f'{text}""" + f({name})')
    return draw(ENDS).join(lines) + draw(st.sampled_from(["", "\n", "\r\n"]))


@settings(max_examples=50, deadline=None)
@given(programs())
def test_a_span_holds_the_text_of_its_expression(text: str) -> None:
    source = Source("a.py", text)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name):
            assert source.code(node) == node.id or not node.id.isascii()
        if isinstance(node, ast.Call):
            assert ast.unparse(ast.parse(source.code(node), mode="eval")) == ast.unparse(node)
            assert source.find(facts.place(source, node)) is node
            assert change.items(source, change.opening(source, node))


@settings(max_examples=50, deadline=None)
@given(programs(), st.data())
def test_a_change_changes_nothing_else(text: str, data: st.DataObject) -> None:
    source = Source("a.py", text)
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.stmt)
             and not isinstance(node, ast.FunctionDef)]
    statement = data.draw(st.sampled_from(nodes))
    made = data.draw(st.sampled_from([change.before, change.after]))
    splices = made(source, statement, "opt.zero_grad()")
    changed = apply(text, splices)
    assert ast.parse(changed.replace("\r\n", "\n").replace("\r", "\n"))
    assert len(changed) == len(text) + sum(len(splice.text) for splice in splices)
    assert changed.count("opt.zero_grad()") == 1
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    if calls:
        call = data.draw(st.sampled_from(calls))
        again = apply(text, change.set_argument(source, call, "lr", "0.5"))
        tree = ast.parse(again.replace("\r\n", "\n").replace("\r", "\n"))
        assert "lr=0.5" in ast.unparse(tree)


@settings(max_examples=40, deadline=None)
@given(programs())
def test_removing_leaves_valid_code(text: str) -> None:
    source = Source("a.py", text)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.stmt):
            Source("a.py", apply(text, change.remove(source, node)))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20),
                                                 st.text(max_size=3)), max_size=4))
def test_splices_are_applied_from_the_back_as_from_the_front(
    text: str, drawn: list[tuple[int, int, str]]
) -> None:
    splices: list[Splice] = []
    for a, b, new in drawn:
        start, end = sorted((min(a, len(text)), min(b, len(text))))
        if start < end and all(end <= s.start or s.end <= start for s in splices):
            splices.append(Splice("a.py", start, end, new))
    expected = text
    for splice in sorted(splices, key=lambda s: -s.start):
        expected = expected[:splice.start] + splice.text + expected[splice.end:]
    assert apply(text, splices) == expected


def test_overlapping_splices_are_refused() -> None:
    with pytest.raises(ValueError, match="same text"):
        apply("abcdef", [Splice("a", 0, 3, "x"), Splice("a", 2, 4, "y")])


def test_a_text_that_is_no_python_is_refused() -> None:
    for text in ("def f(:\n", "x = '\n", "\0", "(" * 10_000):
        with pytest.raises(Unparsable):
            Source("a.py", text)


# Calls -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "after"), [
    ("f()", "f(lr=2)"),
    ("f(a)", "f(a, lr=2)"),
    ("f((a))", "f((a), lr=2)"),
    ("f(a, )", "f(a, lr=2, )"),
    ("f(lr=1)", "f(lr=2)"),
    ("f(lr = (1))", "f(lr = (2))"),
    ("f(*a, **k)", "f(*a, **k, lr=2)"),
    ("f(x for x in y)", "f((x for x in y), lr=2)"),
    ("f(lambda a, b=g(1, 2): a)", "f(lambda a, b=g(1, 2): a, lr=2)"),
    ("f(\n    a,  # one\n    b,  # two\n)", "f(\n    a,  # one\n    b,  # two\n    lr=2,\n)"),
    ("f(\n    a,\n    b  # two\n)", "f(\n    a,\n    b,  # two\n    lr=2\n)"),
    ("f(\r\n\ta,\r\n\tb)", "f(\r\n\ta,\r\n\tb,\r\n\tlr=2)"),
    ("f(a,\n  b)  # end", "f(a,\n  b,\n  lr=2)  # end"),
    ("f(  # none\n)", "f(lr=2  # none\n)"),
    ("é = f('ü', x)", "é = f('ü', x, lr=2)"),
    ("print(f'({x}, {a}')", "print(f'({x}, {a}', lr=2)"),
    ("g(f'{x!r:>{w}},(', b)", "g(f'{x!r:>{w}},(', b, lr=2)"),
])
def test_an_argument_is_set(before: str, after: str) -> None:
    source = Source("a.py", before)
    assert apply(before, change.set_argument(source, call_in(source), "lr", "2")) == after


@pytest.mark.parametrize(("before", "after"), [
    ("f(a, lr=1)", "f(a)"),
    ("f(lr=1)", "f()"),
    ("f(lr=1, b=2)", "f(b=2)"),
    ("f(a, lr=(1), b=2,)", "f(a, b=2,)"),
    ("f(a, lr=1,)", "f(a,)"),
    ("f(\n    a,\n    lr=1,  # fast\n    b=2,\n)", "f(\n    a,\n    b=2,\n)"),
    ("f(\n    a,\n    lr=1  # fast\n)", "f(\n    a\n)"),
])
def test_an_argument_is_dropped(before: str, after: str) -> None:
    source = Source("a.py", before)
    assert apply(before, change.drop_argument(source, call_in(source), "lr")) == after


@pytest.mark.parametrize(("before", "after"), [
    ("y = a, b", "y = g((a, b))"),
    ("y = (a), (b)", "y = g(((a), (b)))"),
    ("y = (a, b)", "y = g((a, b))"),
    ("y = a if b else c", "y = g(a if b else c)"),
    ("y = [a]", "y = g([a])"),
])
def test_an_expression_is_wrapped(before: str, after: str) -> None:
    source = Source("a.py", before)
    statement = source.tree.body[0]
    assert isinstance(statement, ast.Assign)
    assert apply(before, change.wrap(source, statement.value, "g(", ")")) == after


def test_a_generator_that_is_the_only_argument_is_wrapped() -> None:
    source = Source("a.py", "f(x for x in y)")
    splices = change.wrap(source, call_in(source).args[0], "list(", ")")
    assert apply(source.text, splices) == "f(list(x for x in y))"


# Statements --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "where", "after"), [
    ("a()\n", "a()", "new()\na()\n"),
    ("if x: a()", "a()", "if x: new(); a()"),
    ("b(); a()", "a()", "b(); new(); a()"),
    ("for i in j:\r\n\ta()\r\n", "a()", "for i in j:\r\n\tnew()\r\n\ta()\r\n"),
    ("if x:\n    pass\nelif y:\n    pass", "elif", "new()\nif x:\n    pass\nelif y:\n    pass"),
    ("@d\n@e(1)\ndef f(): pass", "def", "new()\n@d\n@e(1)\ndef f(): pass"),
    ("if x: \\\n  a()", "a()", "if x: \\\n  new(); a()"),
])
def test_a_statement_is_put_before(before: str, where: str, after: str) -> None:
    source = Source("a.py", before)
    statement = next(node for node in ast.walk(source.tree) if isinstance(node, ast.stmt)
                     and source.code(node).startswith(where))
    assert apply(before, change.before(source, statement, "new()")) == after


@pytest.mark.parametrize(("before", "where", "after"), [
    ("a()", "a()", "a()\nnew()"),
    ("a()  # why\nb()", "a()", "a()  # why\nnew()\nb()"),
    ("a();\nb()", "a()", "a();\nnew()\nb()"),
    ("a(); b()", "a()", "a(); new(); b()"),
    ("if x: a()  # why", "a()", "if x: a(); new()  # why"),
    ("for i in j:\n  a()\n  b()\nc()", "for", "for i in j:\n  a()\n  b()\nnew()\nc()"),
    ("x = '''\n'''  # long\n", "x", "x = '''\n'''  # long\nnew()\n"),
])
def test_a_statement_is_put_behind(before: str, where: str, after: str) -> None:
    source = Source("a.py", before)
    statement = next(node for node in ast.walk(source.tree) if isinstance(node, ast.stmt)
                     and source.code(node).startswith(where))
    assert apply(before, change.after(source, statement, "new()")) == after


def test_a_block_does_not_fit_on_a_shared_line() -> None:
    source = Source("a.py", "if x: a()")
    with pytest.raises(Refused):
        change.before(source, first(source, "a()"), "for i in j:\n    b()")


@pytest.mark.parametrize(("before", "where", "after"), [
    ("a()\nb()\n", "a()", "b()\n"),
    ("a()\nb()  # why\nc()\n", "b()", "a()\nc()\n"),
    ("a()\nb()", "b()", "a()"),
    ("a(); b()", "a()", "b()"),
    ("a(); b()", "b()", "a()"),
    ("a(); b(); c()", "b()", "a(); c()"),
    ("if x:\n    a()  # why\n", "a()", "if x:\n    pass  # why\n"),
    ("if x: a()", "a()", "if x: pass"),
])
def test_a_statement_is_removed(before: str, where: str, after: str) -> None:
    source = Source("a.py", before)
    assert apply(before, change.remove(source, first(source, where))) == after


def test_what_is_put_at_the_end_of_a_loop_does_not_go_with_its_last_line() -> None:
    source = Source("a.py", "for i in j:\n    a()\n    b()\nc()\n")
    loop = source.tree.body[0]
    splices = (*change.remove(source, first(source, "b()")), *change.after(source, loop, "b()"))
    assert apply(source.text, splices) == "for i in j:\n    a()\nb()\nc()\n"


def test_the_tokens_are_those_of_python() -> None:
    text = "x = f'{a!r:>{w}}'  # c\r\ny = [\r\n 1,\r\n]\r\n"
    source = Source("a.py", text)
    told = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    assert [token.text for token in source.tokens] == [
        each for each in told if each.strip() and not each.startswith("#")]
    assert all(text[token.start:token.end] == token.text for token in source.tokens)
