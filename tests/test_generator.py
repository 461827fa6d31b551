"""The generator of programs: what it writes can be run, and it knows nothing of the detectors."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import corpus
from corpus.generated.drawing import BASES, draw
from corpus.generated.faults import FAULTS, Fault
from corpus.generated.program import Clash, fill
from corpus.generated.samples import Half, Injected, Sample, faulty, half_of, healthy, inject, pairs
from tests.test_contracts import imported
from unstuck.judge import catalogue

FOLDER = corpus.ROOT / "generated"
# Causes of tasks that no base has: an equation to solve, a game to play, a target for each pixel, a
# data set with a class of its own.
OTHER_TASKS = {"augmentation-breaks-pairs", "data-changed-in-place", "missing-derivative",
               "target-network-stuck", "terminal-not-masked", "wrong-metric"}


@cache
def all_faulty() -> tuple[Sample, ...]:
    return tuple(faulty())


@cache
def all_pairs() -> tuple[Sample, ...]:
    return tuple(pairs())


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.py")), ids=lambda f: f.stem)
def test_it_knows_no_detector(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert not {"unstuck", "benchmarks", "harness"} & {
        name.partition(".")[0] for name in imported(tree)}


def test_every_cause_has_a_fault_and_every_fault_a_cause() -> None:
    slugs = [fault.slug for fault in FAULTS]
    assert len(slugs) == len(set(slugs))
    assert {cause.slug for cause in catalogue.causes()} - set(slugs) == OTHER_TASKS
    assert set(slugs) <= {cause.slug for cause in catalogue.causes()}
    accepted = {slug for fault in FAULTS for slug in fault.accepts}
    assert accepted <= set(slugs)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_healthy_programs_are_sound_and_differ(base: object) -> None:
    names = [sample for sample in healthy() if sample.base == getattr(base, "name", "")]
    texts = [sample.program.text() for sample in names]
    for text in texts:
        compile(text, "train.py", "exec")
        assert "<<" not in text
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.slug)
def test_a_fault_is_a_change_to_the_source(fault: Fault) -> None:
    samples = [sample for sample in all_faulty() if sample.injected[0].fault is fault]
    assert {sample.injected[0].dose for sample in samples} == set(fault.doses)
    assert {sample.half for sample in samples} == set(Half)
    for sample in samples:
        text = sample.program.text()
        compile(text, "train.py", "exec")
        assert "<<" not in text
        assert text != sample.twin.text()


def test_a_name_decides_everything() -> None:
    base = BASES[0]
    assert draw(base, "7").text() == draw(base, "7").text() != draw(base, "8").text()
    again = {sample.name: sample.program.text() for sample in faulty()}
    assert again == {sample.name: sample.program.text() for sample in all_faulty()}


def test_the_split_is_for_ever() -> None:
    assert [half_of(f"healthy/mlp/{index}").value for index in range(6)] == [
        "aside", "open", "open", "open", "aside", "open"]
    for samples in (list(healthy()), all_faulty(), all_pairs()):
        aside = sum(sample.half is Half.ASIDE for sample in samples)
        assert 0.4 < aside / len(samples) < 0.6
    assert sum(sample.half is Half.ASIDE for sample in healthy()) >= 300


def test_faults_stay_in_their_half() -> None:
    """A fault goes into a healthy program of its own half."""
    halves = {sample.program.text(): sample.half for sample in healthy()}
    plain = [sample for sample in all_faulty() if sample.injected[0].fault.prepare is None]
    assert plain
    for sample in plain:
        assert halves[sample.twin.text()] is sample.half


def test_two_faults_are_of_different_families_and_both_there() -> None:
    for sample in all_pairs():
        first, second = (each.fault for each in sample.injected)
        assert first.family != second.family
        texts = [sample.twin.text(), sample.program.text(), *(p.text() for p in sample.alone)]
        assert len(set(texts)) == 4, sample.name


def test_what_is_changed_twice_is_refused() -> None:
    faults = {fault.slug: fault for fault in FAULTS}
    both = tuple(Injected(faults[slug], "strong")
                 for slug in ("learning-rate-too-high", "learning-rate-too-low"))
    with pytest.raises(Clash, match="rate"):
        inject(draw(BASES[0], "0"), both)


def test_places_are_filled_with_their_indentation() -> None:
    slots = {"none": "", "two": "b\n<<word>>", "word": "c"}
    assert fill("if a:\n    <<none>>\n    <<two>>\n    d(<<word>>)", slots) == (
        "if a:\n    b\n    c\n    d(c)\n")


def test_samples_name_what_is_in_them() -> None:
    sample: Sample = all_faulty()[0]
    assert sample.name.startswith(f"{sample.injected[0].fault.slug}/{sample.base}/")
