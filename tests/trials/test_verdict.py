"""Verdicts on trials: the healthy twin of a program is its cure, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

import corpus
from harness.records import record_of
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.stored import Altered
from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Trial
from unstuck.trials.results import compared
from unstuck.trials.verdict import Run, TrialVerdict, judge, read
from unstuck.trials.yardstick import Printed, Spread, measure, printed
from unstuck.words import number

CURED = TrialVerdict.CURED


def run(slug: str, function: str) -> Run:
    """A program of the corpus as a trial of it would be read."""
    folder = record_of(corpus.pair_of(slug), function)
    found = read(Ended(Trial(), 0, None, False, folder, function, 1.0, 1.0), Settings())
    assert found.record is not None
    crashed = found.record.end.kind is EndKind.EXCEPTION
    return replace(found, ended=replace(found.ended, status=int(crashed)))


@pytest.mark.all_records
@pytest.mark.parametrize("slug", [corpus.cause_of(file) for file in corpus.PAIRS])
def test_the_healthy_twin_is_the_cure(slug: str) -> None:
    sick, well = run(slug, "sick"), run(slug, "well")
    assert judge(slug, sick, well).verdict is CURED
    assert judge(slug, well, sick).verdict is not CURED


def test_what_trains_as_before_is_void() -> None:
    sick = run("loss-sign", "sick")
    found = judge("loss-sign", sick, sick)
    assert (found.verdict, found.because) == (
        TrialVerdict.VOID, "the program trains exactly as before")


def test_a_change_that_moves_the_held_out_samples_is_void() -> None:
    sick, well = run("inputs-not-normalised", "sick"), run("inputs-not-normalised", "well")
    assert sick.record is not None
    assert well.record is not None
    kept = Kept("held-out", None, 100, False, False)
    before, after = (
        replace(each, record=record.hold(replace(kept, samples=samples)))
        for each, record, samples in ((sick, sick.record, 100), (well, well.record, 90)))
    assert sick.record.steps == well.record.steps
    assert judge("inputs-not-normalised", before, after).verdict is TrialVerdict.VOID
    # Samples that each fetch changes count anew in each epoch, until the cure.
    assert before.record is not None
    drifting = replace(before, record=before.record.hold(
        *before.record.facts(Kept), Altered("loader", "s", None, None, "clone")))
    assert judge("inputs-not-normalised", drifting, after).verdict is CURED


def test_only_what_goes_beyond_other_seeds_is_better() -> None:
    sick, well = run("too-narrow", "sick"), run("too-narrow", "well")
    assert judge("too-narrow", sick, well).verdict is CURED
    noisy = Spread(training=2.0, held_out=2.0, untrained=2.0)
    found = judge("too-narrow", replace(sick, diagnosis=well.diagnosis), well, spread=noisy)
    assert found.verdict is not CURED


def test_a_loss_that_does_not_tell_is_no_yardstick() -> None:
    sick, well = run("terminal-not-masked", "sick"), run("terminal-not-masked", "well")
    assert well.yardstick is not None
    worse = replace(well, yardstick=replace(well.yardstick, training=-0.9, untrained=-0.9))
    assert judge("terminal-not-masked", sick, worse).verdict is CURED


def test_where_a_class_is_rare_each_class_counts_alike() -> None:
    sick, well = run("class-imbalance", "sick").yardstick, run("class-imbalance", "well").yardstick
    assert sick is not None
    assert well is not None
    assert sick.uneven
    assert sick.classes is not None
    assert well.classes is not None
    assert well.classes > sick.classes + 0.2


def test_a_crash_is_void_unless_the_program_crashed_before() -> None:
    sick = run("loss-sign", "sick")
    assert sick.record is not None
    crashed = replace(sick, ended=replace(sick.ended, status=1, output="oh\nTypeError: no\n"))
    assert judge("loss-sign", sick, crashed).because == (
        "the program then ends with status 1 (TypeError: no)")
    assert judge("loss-sign", sick, crashed).verdict is TrialVerdict.VOID
    assert judge("loss-sign", crashed, run("loss-sign", "well")).verdict is CURED


@pytest.mark.parametrize(("change", "verdict"), [
    ({"hung": True}, TrialVerdict.UNPROVEN), ({"no_view": "it is so"}, TrialVerdict.UNPROVEN)])
def test_what_could_not_run_proves_nothing(
    change: dict[str, object], verdict: TrialVerdict
) -> None:
    sick, well = run("loss-sign", "sick"), run("loss-sign", "well")
    well = replace(well, ended=replace(well.ended, **change))
    assert judge("loss-sign", sick, well).verdict is verdict


def test_healing_while_the_fault_stays_is_a_mask() -> None:
    """The cure of one fault, judged as a trial for another one that is still there."""
    sick, well = run("gradients-not-zeroed", "sick"), run("gradients-not-zeroed", "well")
    assert sick.diagnosis is not None
    assert well.diagnosis is not None
    present = dict(sick.diagnosis.verdicts)["gradients-not-zeroed"]
    still = replace(well, diagnosis=replace(well.diagnosis, verdicts=tuple(
        (slug, present if slug == "gradients-not-zeroed" else verdict)
        for slug, verdict in well.diagnosis.verdicts)))
    assert judge("gradients-not-zeroed", sick, still).verdict is TrialVerdict.MASKS


def test_the_yardstick_is_a_skill_of_both_data() -> None:
    sick, well = run("loss-sign", "sick"), run("loss-sign", "well")
    assert sick.record is not None
    assert well.record is not None
    assert sick.diagnosis is not None
    assert well.diagnosis is not None
    before = measure(sick.record, sick.diagnosis.outcome)
    after = measure(well.record, well.diagnosis.outcome)
    assert before.training is not None
    assert after.training is not None
    assert before.training < 0 < after.training <= 1


@pytest.mark.parametrize(("control", "treated", "found"), [
    ("epoch 1 loss 0.5\nepoch 2 loss 0.4  test accuracy 0.59\n",
     "epoch 1 loss 0.5\nepoch 2 loss 0.1  test accuracy 0.98\n",
     Printed("test accuracy", "0.59", "0.98")),
    ("loss nan", "loss 1,234.5", Printed("loss", "nan", "1,234.5")),
    ("train acc 0.9 val_loss 2e-3", "train acc 0.9 val_loss 1e-3",
     Printed("val_loss", "2e-3", "1e-3")),
    ("done in 3 s", "done in 4 s", None),
    ("[W1127 05:09:33 a.cpp:7] err: -3", "[W1127 05:09:35 a.cpp:7] err: -3", None),
    ("a.py:3: UserWarning: error of 2e-3", "a.py:3: UserWarning: error of 2e-3", None),
    ("loss 3", "error 3", None),
    ("", "", None),
])
def test_the_number_that_a_user_looks_at(
    control: str, treated: str, found: Printed | None
) -> None:
    assert printed(control, treated) == found


@pytest.mark.parametrize(("name", "before", "after", "halves"), [
    ("test RMSE", "120", "19.8", True), ("val loss", "1.0", "0.6", False),
    ("val acc", "0.5", "0.8", True), ("val acc", "0.8", "0.85", False),
    ("r2", "-3.5", "0.97", True), ("test mae", "0.5", "-1", False)])
def test_when_a_printed_number_lacks_half_as_much(
    name: str, before: str, after: str, halves: bool
) -> None:
    assert Printed(name, before, after).halves is halves
    assert Printed(name, before, after).is_score is ("loss" not in name)


@pytest.mark.parametrize(("control", "treated", "says"), [
    ("accuracy 0.91", "accuracy 0.93", "accuracy 0.91 → 0.93"),
    ("accuracy 0.985", "accuracy 0.951",
     "skill over all classes {before} → {after}, accuracy 0.985 → 0.951"),
    ("loss 0.25", "loss 0.25", "skill over all classes {before} → {after}, loss stays at 0.25"),
    ("", "", "skill over all classes {before} → {after}"),
])
def test_a_printed_number_that_gets_no_better_is_shown_beside_what_was_judged(
    control: str, treated: str, says: str
) -> None:
    sick, well = run("class-imbalance", "sick"), run("class-imbalance", "well")
    assert sick.yardstick is not None
    assert well.yardstick is not None
    before, after = (replace(each, ended=replace(each.ended, output=text))
                     for each, text in ((sick, control), (well, treated)))
    assert compared([before], [after]).words == says.format(
        before=number(sick.yardstick.classes), after=number(well.yardstick.classes))
