"""Where in the user's program something happens: the frame walk and exact source positions."""

from __future__ import annotations

import ast
import glob
import json
import linecache
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from inspect import CO_OPTIMIZED
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from unstuck.observe.source.nodes import KEPT, evaluated
from unstuck.observe.source.operations import computing, operation_name
from unstuck.schema.places import SourceLocation

# A call site: the identity of the code object and the offset of the instruction that was running.
# Not the code object itself, whose hash reads all its instructions each time.
Site = tuple[int, int]

OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


def library_folders() -> tuple[str, ...]:
    """Folders whose code is never the user's: the standard library and installed packages."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {path for name in names if (path := sysconfig.get_paths().get(name))}
    found.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    found.add(site.getusersitepackages())
    torch = sys.modules.get("torch")
    if torch is not None and torch.__file__:
        found.add(os.path.dirname(torch.__file__))
    real = {os.path.realpath(path) for path in found}
    return tuple(sorted({path.rstrip(os.sep) + os.sep for path in found | real}))


def own_packages(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The packages in folders of installed ones that were installed from a folder of somebody's.

    They are the user's own code, put there by `pip install .`; torch built from source is not.
    """
    found: list[str] = []
    for folder in folders:
        pattern = os.path.join(glob.escape(folder), "*.dist-info", "direct_url.json")
        for origin in glob.glob(pattern):
            installed = os.path.dirname(origin)
            if os.path.basename(installed).startswith("torch"):
                continue
            with suppress(OSError, ValueError):
                if "dir_info" not in json.loads(Path(origin).read_text("utf-8")):
                    continue
                lines = Path(installed, "RECORD").read_text("utf-8").splitlines()
                heads = {line.partition(",")[0].partition("/")[0] for line in lines}
                found += [os.path.join(folder, head) for head in heads
                          if head.endswith(".py") or head.isidentifier()]
    return tuple(path if path.endswith(".py") else path + os.sep for path in sorted(found))


class Sites:
    """Finds the user's innermost frame and turns call sites into source locations.

    Args:
        program_folder: the folder of the program, which counts as the user's even if it lies
            inside an installed package (`python -m package.train`).
        keep_text: whether locations carry the source line.
    """

    def __init__(self, program_folder: str | None, keep_text: bool) -> None:
        self._libraries = library_folders()
        self._own = own_packages(self._libraries)
        self._program = None
        if program_folder and program_folder.startswith(self._libraries):
            self._program = program_folder.rstrip(os.sep) + os.sep
        self._keep_text = keep_text
        self._user: dict[str, bool] = {}
        self._codes: dict[int, CodeType] = {}  # keeps them alive, so that identities stay theirs
        self._locations: dict[Site, SourceLocation] = {}

    def here(self, built: object | None = None) -> Site | None:
        """The call site of the user's innermost frame, None if there is none.

        With `built`, frames of that object's own constructors are passed over, so that the site
        is where the user asked for the object.
        """
        if built is None:
            return self.called_from(2)
        found: Site | None = None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if found is None and self.is_user(frame.f_code.co_filename):
                found = self._site(frame)
            if _constructs(frame, built):
                found = None  # all that was met so far runs inside the object's constructor
            frame = frame.f_back
        return found

    def is_built_by_user(self, built: object) -> bool:
        """Whether the user's own code calls an object's constructor, and no library for it."""
        caller: FrameType | None = None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if _constructs(frame, built):
                caller = frame.f_back
            frame = frame.f_back
        return caller is None or self.is_user(caller.f_code.co_filename)

    def called_from(self, depth: int) -> Site | None:
        """As `here`, beginning so many frames further out: those are none of the user's.

        Some ask at every step, and each frame costs.
        """
        frame: FrameType | None = sys._getframe(depth)
        user = self._user
        while frame is not None:
            file = frame.f_code.co_filename
            known = user.get(file)
            if known is None:
                known = user[file] = self.is_user(file)
            if known:
                code = frame.f_code
                self._codes[id(code)] = code
                return id(code), frame.f_lasti
            frame = frame.f_back
        return None

    def _site(self, frame: FrameType) -> Site:
        code = frame.f_code
        self._codes[id(code)] = code
        return id(code), frame.f_lasti

    def is_user(self, file: str) -> bool:
        """Whether code of this file is the user's."""
        if file.startswith("<"):
            return file.startswith(("<ipython-input", "<stdin>"))
        if file.startswith(OWN_FOLDER):
            return False
        if self._program is not None and file.startswith(self._program):
            return True
        if self._own and file.startswith(self._own):
            return True
        return not file.startswith(self._libraries)

    def location(self, found: Site | None) -> SourceLocation | None:
        """The source location of a call site."""
        if found is None:
            return None
        known = self._locations.get(found)
        if known is None:
            number, instruction = found
            code = self._codes[number]
            if _is_of_the_compiler(code):
                return None
            known = self._locations[found] = locate(code, instruction, self._keep_text)
        return known

    @property
    def keeps_text(self) -> bool:
        """Whether locations carry the source line."""
        return self._keep_text

    def code(self, found: Site) -> CodeType:
        """The code of a call site."""
        return self._codes[found[0]]

    def files(self) -> list[str]:
        """The files of all call sites so far."""
        return list(dict.fromkeys(code.co_filename for code in list(self._codes.values())))

    def stack(self) -> list[Site]:
        """The call sites of all of the user's frames, innermost first."""
        frame: FrameType | None = sys._getframe(1)
        found: list[Site] = []
        while frame is not None:
            if self.is_user(frame.f_code.co_filename):
                found.append(self._site(frame))
            frame = frame.f_back
        return found

    def operation(
        self, file: str, line: int, operation: str, last: bool = False,
        among: tuple[int, int] = (0, 0),
    ) -> SourceLocation | None:
        """The expression on a line that an autograd operation ("LogBackward0") comes from.

        Of several it is the one that is evaluated first, or `last`, or the one with this number
        `among` so many if the line has as many; of none the line.
        """
        return find_operation(file, line, operation, self._keep_text, last, among)


def _is_of_the_compiler(code: CodeType) -> bool:
    """Whether torch's compiler made this code of a function: it does not keep the lines."""
    made = getattr(sys.modules.get("torch._dynamo.convert_frame"), "output_codes", None)
    return made is not None and code in made


def _constructs(frame: FrameType, built: object) -> bool:
    code = frame.f_code
    name = code.co_varnames[0] if code.co_varnames else ""
    if name != "self" and code.co_name != "__init__":
        return False
    return local_variables(frame).get(name) is built


def local_variables(frame: FrameType) -> dict[str, Any]:
    """The variables of a frame; none of them is kept alive by it longer than before."""
    found = dict(frame.f_locals)
    if frame.f_code.co_flags & CO_OPTIMIZED and sys.version_info < (3, 13):
        # Reading them left a copy in the frame, which would keep the user's objects alive.
        frame.f_locals.clear()
    return found


def locate(code: CodeType, instruction: int, keep_text: bool = True) -> SourceLocation:
    """The source location of an instruction; the whole line where Python kept no columns."""
    position = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    line, end_line, column, end_column = position
    line = line or code.co_firstlineno
    end_line = end_line or line
    file = code.co_filename
    text = linecache.getline(file, line).rstrip("\r\n")
    if column is None or end_column is None:
        first = len(text) - len(text.lstrip()) + 1
        return SourceLocation(file, line, first, line, len(text) + 1, text if keep_text else None)
    end_text = linecache.getline(file, end_line)
    return SourceLocation(
        file, line, _code_points(text, column) + 1,
        end_line, _code_points(end_text, end_column) + 1,
        text if keep_text else None,
    )


def _code_points(text: str, column: int) -> int:
    """A UTF-8 byte offset, as Python keeps it, as a number of code points."""
    return len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))


def syntax_tree(file: str) -> ast.Module | None:
    """The syntax tree of a file, None if it is not Python that can be read."""
    return _parsed("".join(linecache.getlines(file)))


def user_trees(sites: Sites) -> Iterator[tuple[str, ast.Module]]:
    """The user's files that have call sites and can be read, each with its syntax tree."""
    for file in sites.files():
        tree = syntax_tree(file) if sites.is_user(file) else None
        if tree is not None:
            yield file, tree


@lru_cache(maxsize=KEPT)  # one file is asked for again and again
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def find_operation(
    file: str, line: int, operation: str, keep_text: bool = True, last: bool = False,
    among: tuple[int, int] = (0, 0),
) -> SourceLocation | None:
    """Finds the expression of a line that computes an autograd operation, else the line.

    See `Sites.operation`.
    """
    tree = syntax_tree(file)
    if tree is None:
        return None
    found = computing(tree, line, operation_name(operation))
    number, count = among
    place = -1 if last else number if len(found) == count else 0
    best = found[place] if found else None
    if best is None:
        text = linecache.getline(file, line).rstrip("\r\n")
        first = len(text) - len(text.lstrip()) + 1
        return SourceLocation(file, line, first, line, len(text) + 1, text if keep_text else None)
    return expression_at(file, best, keep_text)


def only_call(file: str, line: int, keep_text: bool = True) -> SourceLocation | None:
    """The call of a line, if it is the only one: a module's, whose name tells no operation."""
    tree = syntax_tree(file)
    calls = [each for each in evaluated(tree).get(line, ()) if isinstance(each, ast.Call)
             ] if tree is not None else []
    return expression_at(file, calls[0], keep_text) if len(calls) == 1 else None


def call_at(place: SourceLocation, nodes: Iterable[ast.AST]) -> ast.Call | None:
    """The call at a place, of the nodes of its file."""
    wanted = replace(place, text=None)
    return next((each for each in nodes if isinstance(each, ast.Call)
                 and each.lineno == place.line
                 and expression_at(place.file, each, False) == wanted), None)


def expression_at(file: str, node: ast.expr | ast.stmt, keep_text: bool = True) -> SourceLocation:
    """The source location of a part of a file's syntax tree."""
    text = linecache.getline(file, node.lineno).rstrip("\r\n")
    end_line = node.end_lineno or node.lineno
    end_text = linecache.getline(file, end_line)
    return SourceLocation(
        file, node.lineno, _code_points(text, node.col_offset) + 1,
        end_line, _code_points(end_text, node.end_col_offset or 0) + 1,
        text if keep_text else None,
    )
