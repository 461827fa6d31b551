"""Faults made in another way than in their case pair: named first, at the line; cures silent."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.running import VARIANTS, record_of
from unstuck.diagnosis import diagnose
from unstuck.findings import Severity

each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda p: p.stem)


def caret(variant: Path) -> str:
    """The expression to blame, read without running the program."""
    for node in ast.parse(variant.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CARET":
            return str(ast.literal_eval(node.value))
    raise ValueError(f"{variant.name} has no CARET")


@each_variant
def test_the_sick_program_has_its_cause_first_and_at_its_line(variant: Path) -> None:
    found = diagnose(record_of(variant, "sick")).findings
    first = found[0]
    assert first.slug.replace("-", "_") == variant.stem.partition("__")[0]
    assert first.severity is not Severity.NOTE
    place = first.present.location
    assert place is not None
    lines = variant.read_text(encoding="utf-8").splitlines()
    assert lines[place.line - 1][place.column - 1:place.end_column - 1] == caret(variant)


@each_variant
def test_the_well_program_is_silent(variant: Path) -> None:
    found = diagnose(record_of(variant, "well")).findings
    assert [f.slug for f in found if f.severity is not Severity.NOTE] == []
