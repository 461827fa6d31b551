"""Patches together, and the diff."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import processes
from unstuck.repair.compose import Conflict, Overlay, compose, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import MoreSteps

TEXT = '"""A program."""\nimport os\n\na = 1\nb = 2\nc = 3\nd = [a, b]\n'
INDEX = Index([Source("a.py", TEXT), Source("lib/b.py", "e = 1\n")])


def patch(*splices: tuple[int, int, str], needs: tuple[Need, ...] = (), name: str = "a.py",
          factor: float = 2.0) -> Patch:
    return Patch(MoreSteps(factor), tuple(Splice(name, *each) for each in splices), Form.LITERAL,
                 needs)


def at(text: str) -> tuple[int, int]:
    start = TEXT.index(text)
    return start, start + len(text)


def number(name: str, value: int, factor: float) -> Patch:
    _, end = at(f"{name} = ")
    return patch((end, end + 1, str(value)), factor=factor)


DISJOINT = [number("a", 10, 1.0), number("b", 20, 2.0), number("c", 30, 3.0),
            patch((0, 1, "f"), name="lib/b.py", factor=4.0)]


@settings(max_examples=60, deadline=None)
@given(st.permutations(DISJOINT), st.integers(0, 4), st.integers(0, 4))
def test_composing_is_associative_and_its_order_does_not_matter(
    patches: list[Patch], first: int, second: int
) -> None:
    low, high = sorted((first, second))
    parts = [compose(part, INDEX) for part in (
        patches[:low], patches[low:high], patches[high:])]
    assert all(isinstance(part, Overlay) for part in parts)
    whole = compose(patches, INDEX)
    together = compose([part for part in parts if isinstance(part, Overlay)], INDEX)
    assert isinstance(whole, Overlay)
    assert isinstance(together, Overlay)
    assert together == whole
    assert together.digest == whole.digest
    other = compose(DISJOINT, INDEX)
    assert isinstance(other, Overlay)
    assert other.texts == whole.texts


def test_the_same_change_is_made_once() -> None:
    start, _ = at("b = 2")
    inserted = [patch((start, start, "z = 0\n"), factor=factor) for factor in (1.0, 2.0)]
    together = compose(inserted, INDEX)
    assert isinstance(together, Overlay)
    assert together.texts["a.py"].count("z = 0") == 1


def test_wrappings_of_one_expression_are_nested() -> None:
    start, end = at("[a, b]")
    wraps = [patch((start, start, "list("), (end, end, ")")),
             patch((start, start, "sum("), (end, end, ")")),
             patch((start, start, "sum("), (end, end, ")"), factor=3.0)]
    together = compose(wraps, INDEX)
    assert isinstance(together, Overlay)
    assert "d = list(sum([a, b]))\n" in together.texts["a.py"]


def test_several_insertions_at_a_place_keep_their_order() -> None:
    start, _ = at("b = 2")
    together = compose([patch((start, start, "y = 0\n")), patch((start, start, "z = 0\n"))], INDEX)
    assert isinstance(together, Overlay)
    assert "y = 0\nz = 0\nb = 2\n" in together.texts["a.py"]


@pytest.mark.parametrize(("first", "second"), [
    (number("a", 10, 1.0), number("a", 11, 2.0)),
    (patch((*at("a = 1\nb = 2"), "")), number("b", 3, 1.0)),
    (patch((*at("[a, b]"), "0")), patch((at("[a, b]")[0] + 2, at("[a, b]")[0] + 2, "x"))),
])
def test_changes_of_the_same_text_are_a_conflict(first: Patch, second: Patch) -> None:
    for pair in itertools.permutations((first, second)):
        together = compose(pair, INDEX)
        assert isinstance(together, Conflict)
        assert {together.first, together.second} == {first, second}


def test_what_gives_no_python_together_is_a_conflict() -> None:
    start, _ = at("a, b]")
    together = compose([patch((start, start, "1")), patch((start, start, "2 "))], INDEX)
    assert isinstance(together, Conflict)
    assert "valid Python" in together.words


def test_helpers_and_imports_come_once_and_before_their_use() -> None:
    helper = Need("a.py", "Scale", "class Scale:\n    pass", helper=True)
    torch = Need("a.py", "torch", "import torch")
    start, end = at("a = 1")
    together = compose([
        patch((start, end, "a = Scale()"), needs=(torch, helper)),
        patch((*at("c = 3"), "c = Scale()"), needs=(helper, torch), factor=3.0)], INDEX)
    assert isinstance(together, Overlay)
    assert together.texts["a.py"] == (
        '"""A program."""\nimport os\nimport torch\n\n\nclass Scale:\n    pass\n\n\na = Scale()\n'
        'b = 2\nc = Scale()\nd = [a, b]\n')


def test_helpers_of_one_name_and_other_texts_are_a_conflict() -> None:
    first, second = (patch((*at(text), "x = 0"), needs=(Need("a.py", "S", code, helper=True),))
                     for text, code in (("a = 1", "S = 1"), ("b = 2", "S = 2")))
    assert isinstance(compose([first, second], INDEX), Conflict)


def test_a_file_without_imports_gets_them_behind_its_docstring_and_comments() -> None:
    text = "#!/usr/bin/env python\n# A comment.\n'''Words.'''\n\n# about x\nx = 1\n"
    index = Index([Source("a.py", text)])
    made = Patch(MoreSteps(2.0), (Splice("a.py", text.index("1"), text.index("1") + 1, "t"),),
                 Form.LITERAL, (Need("a.py", "t", "import t"),))
    together = compose([made], index)
    assert isinstance(together, Overlay)
    assert together.texts["a.py"] == text.replace("x = 1", "import t\nx = t")


def test_the_diff_is_one_that_git_applies(tmp_path: Path) -> None:
    texts = {"a.py": "é = 1\r\nb = 2\r\nc = 3", "lib/b.py": "x = 1\n\n\n# end\ny = 2\n"}
    index = Index([Source(str(tmp_path / name), text) for name, text in texts.items()])
    patches = [
        Patch(MoreSteps(2.0), (Splice(str(tmp_path / "a.py"), 18, 19, "30"),), Form.LITERAL),
        Patch(MoreSteps(2.0), (Splice(str(tmp_path / "lib/b.py"), 4, 5, "5"),), Form.LITERAL)]
    together = compose(patches, index)
    assert isinstance(together, Overlay)
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    diff = unified_diff(together, index, str(tmp_path))
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    (tmp_path / "x.patch").write_bytes(diff.encode())
    processes.run([git, "apply", "x.patch"], cwd=tmp_path, check=True,
                  stdout=subprocess.DEVNULL, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
                                                  "PATH": "/usr/bin:/bin"})
    for name in texts:
        assert (tmp_path / name).read_bytes() == together.texts[str(tmp_path / name)].encode()


def test_what_parses_but_does_not_compile_is_a_conflict() -> None:
    source = Source("f.py", "f(x, 0.6)\n")
    again = Patch(MoreSteps(2.0), (Splice("f.py", 8, 8, ", p=1, p=1"),), Form.CALL)
    assert isinstance(compose([again], Index([source])), Conflict)
