"""No change touches which samples are held out, or how they are scored.

What a remedy mends where the loss or the score itself is wrong, it mends for held-out data as well:
a score by the wrong loss is no score. All other edits leave these lines as they are.
"""

from __future__ import annotations

import ast
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from tools.records import ROOT, kept, name_of, programs
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record
from unstuck.repair import names
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.index import Index
from unstuck.repair.program import load
from unstuck.repair.text import Source
from unstuck.repair.write import write
from unstuck.schema.edits import (
    CountRight,
    Edit,
    FollowMode,
    KeepNumber,
    LossArgument,
    LossForm,
    LossOption,
    SwapLoss,
    SwitchMode,
)
from unstuck.schema.facts.calls import CallRole, LossCall, ModelCall

MENDS_SCORES = (
    CountRight, LossArgument, SwapLoss, LossOption, LossForm, KeepNumber, SwitchMode, FollowMode)
SPLITS = ("train_test_split", "random_split", "Subset", "StratifiedShuffleSplit", "KFold")
SCORES = ("argmax", "accuracy_score", "r2_score", "mean_squared_error", "balanced_accuracy_score")


def guarded(record: Record, index: Index) -> Counter[str]:
    """The expressions that choose what is held out and score it, as text."""
    found: Counter[str] = Counter()
    for fact in (*record.facts(ModelCall), *record.facts(LossCall)):
        if fact.role is CallRole.HELD_OUT and fact.location is not None:
            found[ast.unparse(index.at(fact.location).node)] += 1
        if isinstance(fact, LossCall) and fact.role is CallRole.HELD_OUT and fact.built:
            found[ast.unparse(index.at(fact.built).node)] += 1
    for source in index.sources.values():
        found += Counter(text for text in expressions(source) if text not in found)
    return found


def expressions(source: Source) -> list[str]:
    """All calls of a source that split or score."""
    return [ast.unparse(call) for call in source.nodes.get(ast.Call, ())
            if isinstance(call, ast.Call) and names.called(call) in (*SPLITS, *SCORES)]


def held_out(record: Record) -> bool:
    return any(fact.role is CallRole.HELD_OUT for fact in record.facts(ModelCall))


def calls(text: str) -> Counter[str]:
    return Counter(ast.unparse(node) for node in ast.walk(ast.parse(text))
                   if isinstance(node, ast.expr))


def edits_of(record: Record) -> list[Edit]:
    return list(dict.fromkeys(
        edit for finding in diagnose(record).findings for remedy in finding.remedies
        for edit in remedy.ladder))


FEW = programs()[::6]


@pytest.mark.parametrize("program", FEW, ids=name_of)
def test_no_change_touches_what_is_held_out(program: Path) -> None:
    check(program)


@pytest.mark.slow
@pytest.mark.parametrize("program", [each for each in programs() if each not in FEW], ids=name_of)
def test_no_change_of_any_program_touches_what_is_held_out(program: Path) -> None:
    check(program)


def check(program: Path) -> None:
    with contextlib.chdir(ROOT):
        record = kept(program)
        index = load(record).index
        assert index.sources, "the record names the program's file"
        before = guarded(record, index)
        assert before or not held_out(record), "what is held out is known"
        for edit in edits_of(record):
            written = [] if isinstance(edit, MENDS_SCORES) else write(edit, record, index)
            for patch in () if isinstance(written, CannotWrite) else written:
                together = compose([patch], index)
                assert isinstance(together, Overlay)
                after = sum((calls(together.texts.get(name, source.text))
                             for name, source in index.sources.items()), Counter[str]())
                lost = [text for text in before if not after[text]]
                assert not lost, f"{edit} ({patch.form})"
