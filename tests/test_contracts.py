"""The shape of the project: layers, light imports, no state, files of a readable size."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "unstuck"
SOURCES = sorted(PACKAGE.rglob("*.py"))
KNOW_TORCH = {"observe", "asking", "adapters"}
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in SOURCES}
each_source = pytest.mark.parametrize(
    "file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
MUTATORS = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove",
    "setdefault", "update",
}


# Layers ------------------------------------------------------------------------------------------
def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The import contracts of pyproject.toml, on the package in `folder`."""
    return processes.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")}, capture_output=True, text=True,
        check=False,
    )


def test_layers_import_only_lower_ones() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_breach_of_each_contract_is_seen(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "src" / "unstuck")
    for name, line in {
        "record/reader": "def later():\n    from unstuck import cli\n",
        "observe/session": "import unstuck.judge.engine\n",
        "observe/stop": "from unstuck.observe import watcher\n",
        "observe/samples/kept": "from unstuck.observe.samples import ending\n",
        "causes/signal_flow/dead_relu": "import torch\n",
        "newcomer": "",
        "schema/signals/losses": "from unstuck.schema import findings\n",
        "record/series": "from unstuck.record import reader\n",
        "measures/view": "from unstuck.measures import steps\n",
        "curves/statistics": "from unstuck.curves import outcome\n",
        "rules/effects": "from unstuck.rules import cause\n",
        "judge/catalogue": "from unstuck.judge import engine\n",
        "repair/text": "from unstuck.repair import index\n",
        "repair/index": "from unstuck.curves import outcome\n",
        "schema/edits/edit": "from unstuck.schema.edits import remedies\n",
        "asking/tape": "from unstuck.asking import child\n",
        "questions/question": "from unstuck.questions import catalogue\n",
        "adapters/skorch": "import unstuck.judge.engine\nfrom unstuck.adapters import keras\n",
        "causes/data/outliers": "from unstuck.causes.data import duplicate_samples\n",
    }.items():
        with (tmp_path / "src" / "unstuck" / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write(line)
    found = lint_imports(tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    contracts = re.findall(r'^name = "(.*)"$', (tmp_path / "pyproject.toml").read_text(), re.M)
    broken = re.findall(r"^(.*) BROKEN", found.stdout, re.MULTILINE)
    assert set(broken) == set(contracts) - {"unstuck"}
    for words in ("unstuck.record.reader -> unstuck.cli", "dead_relu -> torch", "newcomer"):
        assert words in found.stdout


@each_source
def test_only_what_runs_beside_a_program_imports_torch(file: Path) -> None:
    if not KNOW_TORCH & {*file.relative_to(PACKAGE).parts}:
        assert "torch" not in {name.partition(".")[0] for name in imported(TREES[file])}


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a file names in its import statements, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


# Light imports -----------------------------------------------------------------------------------
def test_importing_the_package_is_light() -> None:
    code = "import sys; old = set(sys.modules); import unstuck; print(*set(sys.modules) - old)"
    found = processes.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(found.stdout.split()) & {"torch", "numpy", "scipy", "rich", "click"}
    assert {name for name in found.stdout.split() if name.startswith("unstuck")} == {
        "unstuck", "unstuck.schema", "unstuck.schema.version"}


def test_the_writer_of_records_needs_only_the_standard_library() -> None:
    code = ("import sys; old = set(sys.modules); import unstuck.record.writer\n"
            "print(*set(sys.modules) - old)")
    found = processes.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in found.stdout.split()}
    assert loaded <= {"unstuck", *sys.stdlib_module_names}


def test_all_else_is_imported_without_torch() -> None:
    names = [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for file in SOURCES
        if not KNOW_TORCH & {*file.relative_to(PACKAGE).parts} and file.name != "__main__.py"
    ]
    code = (
        "import importlib, sys\nsys.modules['torch'] = None\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "import unstuck.judge.catalogue\nassert unstuck.judge.catalogue.causes()"
    )
    processes.run([sys.executable, "-c", code], check=True)


# Tests -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("file", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda p: p.name)
def test_no_test_waits_for_a_process_for_ever(file: Path) -> None:
    waits = ("run", "call", "check_call", "check_output")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            f"subprocess.{name}" for name in waits
        ):
            assert "timeout" in {word.arg for word in node.keywords}, f"line {node.lineno}"


# Files -------------------------------------------------------------------------------------------
@each_source
def test_a_file_can_be_read_at_a_sitting(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    if text:
        assert ast.get_docstring(TREES[file]), "the first line says what lives here"


@each_source
def test_modules_hold_no_state(file: Path) -> None:
    """No function rebinds a name of its module, or changes a container that the module holds."""
    tree = TREES[file]
    held = set(names_bound(tree))
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        local = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        local |= {n.id for n in ast.walk(function)
                  if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                found.append(f"line {node.lineno}: global {', '.join(node.names)}")
            elif (name := changed(node)) and name in held - local:
                found.append(f"line {node.lineno}: {name} is changed")
    assert not found


def names_bound(tree: ast.Module) -> Iterator[str]:
    """The names to which a module itself assigns."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def changed(node: ast.AST) -> str | None:
    """The name of the container that this expression changes: x[0] = 1, del x[0], x.add(1)."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        inner = node.value
    elif (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
          and node.func.attr in MUTATORS):
        inner = node.func.value
    else:
        return None
    return inner.id if isinstance(inner, ast.Name) else None
