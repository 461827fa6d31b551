"""The text of one source with its syntax tree and tokens, and exact places in it.

Positions are code points from the start of the text, whatever its line ends, tabs and characters.
A source is a file or a cell of a notebook: a name and a text. Nothing is read from the disk here.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from unstuck.schema.places import SourceLocation

LINE_END = re.compile(r"\r\n|\r|\n")  # what Python ends a line at; a form feed is none
_SKIPPED = (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT,
            tokenize.ENDMARKER)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = ast.expr | ast.stmt
Span = tuple[int, int]


class Unparsable(Exception):
    """The text is not Python that this version reads; the message is a clause for a user."""


@dataclass(frozen=True, slots=True)
class Splice:
    """New text in the place of the code points from `start` to before `end` of a source."""

    file: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token that means something to Python: no comment, no line end."""

    text: str
    start: int
    end: int
    operator: bool  # a bracket, a comma and the like, and no part of an f-string


class Source:
    """A source text. Raises Unparsable if it is not Python."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        ends = list(LINE_END.finditer(text))
        self._starts = [0, *(end.end() for end in ends)]
        stops = [*(end.start() for end in ends), len(text)]
        self.lines = [text[a:b] for a, b in zip(self._starts, stops, strict=True)]
        try:
            self.tree = ast.parse("\n".join(self.lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            raise Unparsable(f"{name} is not valid Python"
                             + (f" (line {line})" if line else "")) from None
        counted = Counter(end.group() for end in ends)
        self.line_end = counted.most_common(1)[0][0] if counted else "\n"

    # Positions -----------------------------------------------------------------------------------
    def position(self, line: int, column: int) -> int:
        """The position of a line, counted from 1, and a column, counted from 0 in code points."""
        return self._starts[line - 1] + column

    def line_of(self, position: int) -> int:
        """The number of the line that holds a position, counted from 1."""
        return bisect_right(self._starts, position)

    def line_start(self, position: int) -> int:
        """Where the line of a position starts."""
        return self._starts[self.line_of(position) - 1]

    def line_stop(self, position: int) -> int:
        """Where the line of a position ends, before its line end."""
        line = self.line_of(position)
        return self._starts[line - 1] + len(self.lines[line - 1])

    def next_line(self, position: int) -> int:
        """Where the line after that of a position starts, or the end of the text."""
        line = self.line_of(position)
        return self._starts[line] if line < len(self._starts) else len(self.text)

    def location(self, start: int, end: int) -> SourceLocation:
        """The place of the code points from `start` to before `end`."""
        line, last = self.line_of(start), self.line_of(end)
        return SourceLocation(
            self.name, line, start - self.line_start(start) + 1, last,
            end - self.line_start(end) + 1, self.lines[line - 1])

    def _at(self, line: int, byte: int) -> int:
        """The position of a byte of a line, as the syntax tree counts columns."""
        text = self.lines[line - 1]
        if not text.isascii():
            byte = len(text.encode("utf-8", "surrogatepass")[:byte].decode("utf-8", "ignore"))
        return self._starts[line - 1] + byte

    def span(self, node: Node | ast.keyword | ast.arg | ast.alias) -> Span:
        """From where to where an expression or a statement goes, decorators left out."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (self._at(node.lineno, node.col_offset),
                self._at(node.end_lineno, node.end_col_offset))

    def code(self, node: Node) -> str:
        """The text of an expression or a statement."""
        start, end = self.span(node)
        return self.text[start:end]

    def statement_start(self, statement: ast.stmt) -> int:
        """Where a statement starts, with its decorators."""
        decorators = getattr(statement, "decorator_list", [])
        if decorators:
            at = self.index_at(self.span(decorators[0])[0]) - 1
            while at > 0 and self.tokens[at].text != "@":
                at -= 1
            return self.tokens[at].start
        return self.span(statement)[0]

    # The tree ------------------------------------------------------------------------------------
    @cached_property
    def nodes(self) -> dict[type[ast.AST], list[ast.AST]]:
        """The nodes of each kind, in the order of a walk through the tree."""
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            found.setdefault(type(node), []).append(node)
        return found

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, innermost first."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that a node is part of, or is."""
        if isinstance(node, ast.stmt):
            return node
        return next(a for a in self.ancestors(node) if isinstance(a, ast.stmt))

    def body(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements that a statement is one of."""
        parent = self.parents[statement]
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and any(each is statement for each in value):
                return value
        raise AssertionError("a statement is part of a body")

    def function(self, node: ast.AST) -> Function | None:
        """The function that a node is in."""
        return next((a for a in self.ancestors(node) if isinstance(a, Function)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class that a node is in."""
        return next((a for a in self.ancestors(node) if isinstance(a, ast.ClassDef)), None)

    @cached_property
    def _by_span(self) -> dict[Span, ast.expr | ast.stmt]:
        found: dict[Span, ast.expr | ast.stmt] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.expr | ast.stmt):
                span = self.span(node)
                if span not in found or isinstance(node, ast.expr):
                    found[span] = node
        return found

    def find(self, location: SourceLocation) -> ast.expr | ast.stmt | None:
        """The expression, else the statement, that has exactly the span of a location."""
        last = len(self.lines)
        if not (1 <= location.line <= last and 1 <= location.end_line <= last):
            return None
        return self._by_span.get((self.position(location.line, location.column - 1),
                                  self.position(location.end_line, location.end_column - 1)))

    # Tokens --------------------------------------------------------------------------------------
    @cached_property
    def tokens(self) -> list[Token]:
        """The tokens without comments and line ends, in order."""
        read = io.StringIO("\n".join(self.lines)).readline
        try:
            return [
                Token(token.string, self.position(*token.start), self.position(*token.end),
                      token.type == tokenize.OP)
                for token in tokenize.generate_tokens(read)
                if token.type not in _SKIPPED and token.string
            ]
        except (tokenize.TokenError, SyntaxError) as error:  # pragma: no cover: ast has read it
            raise Unparsable(f"{self.name} is not valid Python") from error

    @cached_property
    def _token_starts(self) -> list[int]:
        return [token.start for token in self.tokens]

    def index_at(self, position: int) -> int:
        """The index of the last token that starts at or before a position."""
        return bisect_right(self._token_starts, position) - 1

    @cached_property
    def pairs(self) -> dict[int, int]:
        """The position of the closing bracket of each opening one, and the other way round."""
        found: dict[int, int] = {}
        open_ones: list[int] = []
        for token in self.tokens:
            if token.operator and token.text in ("(", "[", "{"):
                open_ones.append(token.start)
            elif token.operator and token.text in (")", "]", "}") and open_ones:
                start = open_ones.pop()
                found[start], found[token.start] = token.start, start
        return found

    def comment_after(self, position: int) -> bool:
        """Whether nothing but a comment follows on the line of a position."""
        return self.text[position:self.line_stop(position)].lstrip().startswith("#")

    # Statements ----------------------------------------------------------------------------------
    def indentation(self, position: int) -> str:
        """The white space at the start of the line of a position."""
        line = self.lines[self.line_of(position) - 1]
        return line[:len(line) - len(line.lstrip(" \t\f"))]

    def starts_line(self, position: int) -> bool:
        """Whether only white space stands before a position on its line, and no line goes on it."""
        start = self.line_start(position)
        if self.text[start:position].strip(" \t\f"):
            return False
        line = self.line_of(position)
        return line == 1 or not self.lines[line - 2].endswith("\\")

    def ends_line(self, position: int) -> bool:
        """Whether nothing but a semicolon and a comment follows on the line of a position."""
        rest = self.text[position:self.line_stop(position)].strip()
        return not rest or rest.startswith("#") or (
            rest.startswith(";") and self.ends_line(position + self.text[position:].index(";") + 1))


def apply(text: str, splices: Iterable[Splice]) -> str:
    """The text with the splices in it, which must not overlap. Those at one place keep their order.

    A splice that only inserts comes before one that replaces what follows.
    """
    parts: list[str] = []
    reached = 0
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        if splice.start < reached:
            raise ValueError("two splices change the same text")
        parts += (text[reached:splice.start], splice.text)
        reached = splice.end
    return "".join((*parts, text[reached:]))
