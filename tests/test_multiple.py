"""Programs with several faults at once: each is named as a root, and all else follows from one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.running import ROOT, record_of
from unstuck import catalogue
from unstuck.diagnosis import diagnose
from unstuck.findings import Diagnosis

PROGRAMS = tuple(sorted((ROOT / "faults").glob("[!_]*.py")))

# Programs whose faults are not all named yet, with the reason. The test is strict: an entry that
# has become unnecessary fails.
NOT_YET: dict[str, str] = {
    "digits_colour_viewed_and_never_cleared": "of pictures of eight pixels a side, nearly grey, "
    "the order of channels cannot be told",
    "cancer_sign_flipped_and_raw": "a loss without a floor falls for ever, so nothing shows that "
    "raw inputs harm it",
    "sine_accumulated_whole_and_sigmoid": "behind the sigmoid the steps are none too large for "
    "sixteen added losses",
    "wine_index_regression_and_fast_decay": "three classes are too few to tell from a scale",
}


def declared(program: Path) -> tuple[str, ...]:
    """The faults that a program says it has, read without running it."""
    for node in ast.parse(program.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAULTS":
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"{program.name} declares no FAULTS")


def each_program() -> list[object]:
    return [
        pytest.param(
            program, id=program.stem,
            marks=[pytest.mark.xfail(strict=True, reason=NOT_YET[program.stem])]
            if program.stem in NOT_YET else [],
        )
        for program in PROGRAMS
    ]


@cache
def diagnosed(program: Path) -> Diagnosis:
    known = {cause.slug for cause in catalogue.causes()}
    missing = set(declared(program)) - known
    if missing:
        pytest.skip(f"not in the catalogue yet: {', '.join(sorted(missing))}")
    # Several faults are near each other's limits: looks that time has thinned would tip them.
    return diagnose(record_of(program, overhead=1.0))


@pytest.mark.parametrize("program", each_program())
def test_every_fault_is_named_as_a_root_and_explains_the_rest(program: Path) -> None:
    faults = declared(program)
    found = diagnosed(program).counted()
    said = [f"{f.severity} {f.slug} <- {f.explained_by}: {f.present.title}" for f in found]
    roots = {f.slug for f in found if f.explained_by is None}
    assert set(faults) - roots == set(), said
    assert {f.explained_by or f.slug for f in found} <= set(faults), said


def test_programs_declare_faults_of_different_families() -> None:
    families = {cause.slug: cause.family for cause in catalogue.causes()}
    assert len(PROGRAMS) >= 20
    for program in PROGRAMS:
        faults = declared(program)
        assert 2 <= len(faults) <= 3, program.name
        assert len(set(faults)) == len(faults), program.name
        known = [families[slug] for slug in faults if slug in families]
        assert len(set(known)) == len(known), f"{program.name}: {known}"


def test_the_list_of_open_programs_names_programs() -> None:
    assert set(NOT_YET) <= {program.stem for program in PROGRAMS}
