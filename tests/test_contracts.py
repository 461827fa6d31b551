"""The shape of the project: layers, light imports, file sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "unstuck").rglob("*.py"))


def test_layers_import_only_lower_ones() -> None:
    found = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_importing_the_package_is_light() -> None:
    heavy = ("torch", "numpy", "scipy", "rich", "typer")
    code = f"import sys, unstuck; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_judging_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import unstuck.diagnosis, unstuck.cli, "
        "unstuck.supervise, unstuck.report.terminal, unstuck.catalogue; "
        "unstuck.catalogue.causes()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT / "src")))
def test_a_file_can_be_read_at_a_sitting(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    if text:
        assert ast.get_docstring(ast.parse(text)), "the first line says what lives here"
