"""Tests severity, roots and symptoms, and what happens when a cause cannot be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unstuck.judge import engine as diagnosis
from unstuck.judge.engine import diagnose
from unstuck.measures.view import Threshold, View
from unstuck.record.reader import Oddity, Record
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.run import End, EndKind
from unstuck.schema.findings import (
    Absent,
    Confidence,
    Evidence,
    OutcomeKind,
    Present,
    Severity,
    Unknown,
    Verdict,
)
from unstuck.schema.signals.layers import SILENT_SHARE
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS

WORDS = Words("s", "c", "w", "h", "k", ("r",))


def loss_record(values: np.ndarray, constant: float | None = None) -> Record:
    record = Record("id", "0", steps=len(values)).hold(Backward(None), End(EndKind.FINISHED))
    record._series["train-loss"] = Series(np.arange(len(values)), values.astype(float))
    if constant is not None:
        record._series[CONSTANT_LOSS.name] = Series(np.array([0]), np.array([constant]))
    return record


def flat(count: int = 400) -> Record:
    """A run that learned nothing."""
    return loss_record(2.3 + 0.05 * np.random.default_rng(0).standard_normal(count), 2.3)


def solved(count: int = 400) -> Record:
    """A run that learned everything."""
    return loss_record(2.3 * np.exp(-np.arange(count) / 30) + 0.01, 2.3)


def short() -> Record:
    return loss_record(np.array([2.3, 2.2, 2.25]))


def present(strength: float = 0.9, since: int = 0) -> Present:
    evidence = Evidence(TRAIN_LOSS.name, "", (0,), (1.0,), None, "says")
    return Present(strength, "1 title", since, None, "label", (evidence,))


def cause(
    slug: str, verdict: Verdict | Callable[[View], Verdict], harm: Harm = Harm.CONDITION,
    shows: Effect | None = None, effects: tuple[Effect, ...] = (), code: str | None = None,
    **more: object,
) -> Cause:
    detect = verdict if callable(verdict) else lambda view: verdict
    code = code or f"X{sum(map(ord, slug)) % 1000:03}"
    return Cause(slug, code, slug.title(), "Test", harm, WORDS, more.pop("needs", ()),  # type: ignore[arg-type]
                 detect, shows=shows, effects=effects, **more)  # type: ignore[arg-type]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., diagnosis.Diagnosis]:
    def run(record: Record, *causes: Cause, **options: object) -> diagnosis.Diagnosis:
        monkeypatch.setattr(diagnosis, "causes", lambda: causes)
        return diagnose(record, **options)  # type: ignore[arg-type]

    return run


# Severity ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("harm", "record", "expected"),
    [
        (Harm.MISTAKE, flat(), Severity.ERROR),
        (Harm.MISTAKE, solved(), Severity.WARNING),
        (Harm.MISTAKE, short(), Severity.WARNING),
        (Harm.CONDITION, flat(), Severity.ERROR),
        (Harm.CONDITION, solved(), Severity.NOTE),
        (Harm.CONDITION, short(), Severity.NOTE),
        (Harm.DISTRUST, flat(), Severity.WARNING),
        (Harm.DISTRUST, solved(), Severity.WARNING),
        (Harm.LEAK, solved(), Severity.WARNING),
    ],
)
def test_severity_follows_from_harm_and_outcome(judged, harm, record, expected):
    (finding,) = judged(record, cause("a", present(), harm)).findings
    assert finding.severity is expected


def test_a_condition_is_a_warning_where_little_was_gained(judged):
    values = 2.3 - 0.5 * (1 - np.exp(-np.arange(400) / 20)) + 0.01 * np.sin(np.arange(400))
    diagnosed = judged(loss_record(values, 2.3), cause("a", present()))
    assert diagnosed.outcome.kind is OutcomeKind.PLATEAU
    assert diagnosed.findings[0].severity is Severity.WARNING


def test_a_mistake_is_an_error_where_the_program_crashed(judged):
    record = solved()
    record.hold(End(EndKind.EXCEPTION, 1, "ValueError", "no"))
    found = judged(record, cause("a", present(), Harm.MISTAKE), cause("b", present())).findings
    assert [f.severity for f in found] == [Severity.ERROR, Severity.NOTE]


def test_what_is_more_unlikely_than_not_is_a_note(judged):
    (finding,) = judged(solved(), cause("a", present(0.49), Harm.MISTAKE)).findings
    assert finding.severity is Severity.NOTE
    assert finding.confidence is Confidence.POSSIBLE


def test_a_run_that_failed_has_a_best_suspect(judged):
    weak, weaker = cause("a", present(0.3)), cause("b", present(0.4))
    found = judged(flat(), weak, weaker)
    assert [(f.cause, f.severity) for f in found.findings] == [
        ("b", Severity.WARNING), ("a", Severity.NOTE)]
    assert found.findings[0].confidence is Confidence.POSSIBLE
    assert "b" in found.next_steps[0].text or found.next_steps[0].command == "unstuck explain b"
    sure = judged(flat(), weak, weaker, cause("c", present(0.6)))
    assert [f.cause for f in sure.counted()] == ["c"]
    assert not judged(solved(), weak, weaker).counted()
    assert not judged(flat(), cause("a", present(0.4), Harm.DISTRUST)).counted()


def test_a_run_that_came_to_rest_too_early_has_one_if_that_is_likely(judged):
    steps = np.arange(400)
    half = loss_record(2.3 - 1.5 * (1 - np.exp(-steps / 20)) + 0.01 * np.sin(steps), 2.3)
    one_of = replace(present(0.75), one_of=("b",))
    diagnosed = judged(half, cause("a", one_of), cause("b", present(0.4)))
    assert diagnosed.outcome.kind is OutcomeKind.PLATEAU
    assert [f.cause for f in diagnosed.counted()] == ["a"]
    assert not judged(half, cause("b", present(0.4))).counted()
    assert not judged(solved(), cause("a", one_of)).counted()


def test_a_failed_run_without_a_finding_is_no_dead_end(judged):
    steps = judged(flat(), cause("a", Absent("no"))).next_steps
    assert steps
    assert all(step.text.endswith(".") for step in steps)
    assert not judged(solved(), cause("a", Absent("no"))).next_steps
    assert judged(short(), cause("a", Absent("no"))).next_steps[0].text == (
        "Train for at least 27 more steps.")


def test_only_what_is_true_by_definition_is_certain(judged):
    def graded(found: Present) -> Confidence:
        return judged(flat(), cause("a", found)).findings[0].confidence

    assert graded(present(0.95)) is Confidence.LIKELY
    assert graded(replace(present(0.95), certain=True)) is Confidence.CERTAIN
    assert graded(replace(present(0.45), certain=True)) is Confidence.POSSIBLE


# Roots and symptoms ------------------------------------------------------------------------------
def roots(diagnosed: diagnosis.Diagnosis) -> dict[str, str | None]:
    return {f.cause: f.explained_by for f in diagnosed.findings}


DIES, VANISHES, SLOW = Effect.UNITS_DIE, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL


def test_roots_come_before_their_symptoms(judged):
    found = judged(flat(), cause("a", present(0.99, since=9), shows=DIES),
                   cause("b", present(0.6, since=4), effects=(DIES,)))
    assert roots(found) == {"b": None, "a": "b"}
    assert [f.cause for f in found.findings] == ["b", "a"]


def test_a_chain_leads_to_its_end(judged):
    found = judged(flat(), cause("a", present(since=9), shows=VANISHES),
                   cause("b", present(since=5), shows=DIES, effects=(VANISHES,)),
                   cause("c", present(since=0), effects=(DIES,)))
    assert roots(found) == {"c": None, "a": "c", "b": "c"}


def test_what_follows_from_an_effect_is_explained_too(judged):
    found = judged(flat(), cause("a", present(since=9), shows=DIES),
                   cause("b", present(), effects=(Effect.GRADIENTS_TOO_LARGE,)))
    assert roots(found) == {"b": None, "a": "b"}


def test_no_cause_explains_what_shows_none_of_its_effects(judged):
    able = cause("b", present(), effects=(DIES,))
    for other in (cause("a", present()), cause("a", present(), shows=VANISHES),
                  cause("a", present(), effects=(DIES,))):
        assert roots(judged(flat(), other, able)) == {"a": None, "b": None}


def test_a_root_that_began_later_explains_nothing(judged):
    late = cause("b", present(since=40), effects=(DIES,))
    assert roots(judged(flat(), cause("a", present(since=20), shows=DIES), late))["a"] is None
    assert roots(judged(flat(), cause("a", present(since=35), shows=DIES), late))["a"] == "b"


def test_what_shows_before_any_update_was_caused_by_none(judged):
    found = judged(flat(), cause("a", present(since=0), shows=DIES),
                   cause("b", present(since=1), effects=(DIES,)))
    assert roots(found) == {"a": None, "b": None}


def test_mistakes_explain_rather_than_conditions(judged):
    found = judged(flat(), cause("a", present(since=3), shows=DIES),
                   cause("b", present(0.95), effects=(DIES,)),
                   cause("c", present(0.7), Harm.MISTAKE, effects=(DIES,)))
    assert roots(found)["a"] == "c"


def test_the_stronger_of_two_roots_explains(judged):
    found = judged(flat(), cause("a", present(since=3), shows=DIES),
                   cause("b", present(0.7), effects=(DIES,)),
                   cause("c", present(0.8), effects=(DIES,)))
    assert roots(found)["a"] == "c"


def test_a_cause_has_only_effects_that_come_after_the_one_that_it_shows():
    for later in (VANISHES, SLOW):
        assert cause("a", present(), shows=DIES, effects=(later,)).effects == (later,)
    for sooner in (DIES, Effect.BAD_START):
        with pytest.raises(ValueError, match="come after the one that it shows"):
            cause("a", present(), shows=DIES, effects=(VANISHES, sooner))


# What one record cannot tell apart ---------------------------------------------------------------
def doubles(found: diagnosis.Diagnosis) -> dict[str, tuple[str, ...]]:
    return {f.cause: f.one_of for f in found.findings}


def test_causes_that_begin_together_and_predict_the_same_are_one_of_both(judged):
    one = cause("a", present(since=8), alike=("b",))
    found = judged(flat(), one, cause("b", present(since=9)), cause("c", present(since=9)))
    assert doubles(found) == {"a": ("b",), "b": ("a",), "c": ()}


def test_the_onset_tells_them_apart(judged):
    one = cause("a", present(since=0), alike=("b",))
    assert doubles(judged(flat(), one, cause("b", present(since=9)))) == {"a": (), "b": ()}


def test_a_cause_that_could_not_be_looked_for_may_be_the_one(judged):
    hidden = cause("b", present(), needs=(SILENT_SHARE,))
    assert doubles(judged(flat(), cause("a", present(), alike=("b",)), hidden)) == {"a": ("b",)}
    absent = cause("b", Absent("looked for"))
    assert doubles(judged(flat(), cause("a", present(), alike=("b",)), absent)) == {"a": ()}


def test_a_doubtful_cause_makes_no_double(judged):
    one = cause("a", present(), alike=("b",))
    assert doubles(judged(flat(), one, cause("b", present(0.4)))) == {"a": (), "b": ()}


def test_a_root_inherits_the_worst_that_it_explains(judged):
    found = judged(solved(), cause("a", present(), Harm.MISTAKE, shows=DIES),
                   cause("b", present(), effects=(DIES,)))
    assert {f.cause: f.severity for f in found.findings} == {
        "b": Severity.WARNING, "a": Severity.WARNING}


def test_a_doubtful_root_explains_nothing(judged):
    found = judged(flat(), cause("a", present(), shows=DIES),
                   cause("b", present(0.4), effects=(DIES,)))
    assert roots(found)["a"] is None


def test_the_order_does_not_depend_on_the_catalogue(judged):
    several = [cause("a", present(0.8), code="X001"), cause("b", present(0.8), code="X002"),
               cause("c", present(0.9), code="X003"),
               cause("d", present(0.6), Harm.MISTAKE, code="X004")]
    forwards = judged(flat(), *several).findings
    assert [f.cause for f in forwards] == ["d", "c", "a", "b"]
    assert judged(flat(), *reversed(several)).findings == forwards


# What cannot be judged ---------------------------------------------------------------------------
def test_a_missing_signal_makes_unknown(judged):
    asks = cause("a", present(), needs=(SILENT_SHARE,))
    found = judged(flat(), asks)
    assert not found.findings
    ((slug, unknown),) = found.not_assessed()
    assert slug == "a"
    assert unknown.needs == (SILENT_SHARE.name,)


def test_a_signal_found_missing_on_the_way_makes_unknown(judged):
    def detect(view: View) -> Verdict:
        view[SILENT_SHARE]
        return Absent("never reached")

    ((_, unknown),) = judged(flat(), cause("a", detect, uses=(SILENT_SHARE,))).not_assessed()
    assert unknown.needs == (SILENT_SHARE.name,)


def test_a_detector_that_raises_costs_only_its_own_verdict(judged):
    def detect(view: View) -> Verdict:
        raise ZeroDivisionError("by hand")

    found = judged(flat(), cause("a", detect), cause("b", present()))
    assert [f.cause for f in found.findings] == ["b"]
    ((_, unknown),) = found.not_assessed()
    assert "internal error in a: ZeroDivisionError: by hand" in unknown.reason
    assert unknown.reason in found.remarks


def test_an_undeclared_read_is_an_internal_error(judged):
    def detect(view: View) -> Verdict:
        return Absent(str(view[TRAIN_LOSS]))

    ((_, unknown),) = judged(flat(), cause("a", detect)).not_assessed()
    assert "undeclared" in unknown.reason


def test_a_trend_is_not_judged_in_a_short_run(judged):
    asks = cause("a", present(), needs_trend=True)
    ((_, verdict),) = judged(short(), asks).verdicts
    assert isinstance(verdict, Unknown)
    assert judged(flat(), asks).findings


def test_oddities_become_remarks_once(judged):
    record = flat()
    record.oddities = (Oddity("limited", 1, "one thing"), Oddity("limited", 2, "one thing"))
    record.torn = True
    found = judged(record)
    assert found.remarks[0] == "one thing"
    assert len(found.remarks) == 2


# Thresholds --------------------------------------------------------------------------------------
def test_thresholds_can_be_set_by_name(judged):
    limit = Threshold("limit", 1.0, "Because.", "here")

    def detect(view: View) -> Verdict:
        return present() if view.limit(limit) < 0.5 else Absent("no")

    asks = cause("a", detect, thresholds=(limit,))
    assert not judged(flat(), asks).findings
    assert judged(flat(), asks, overrides={"limit": 0.1}).findings
    with pytest.raises(ValueError, match="no cause has a threshold 'limits'"):
        judged(flat(), asks, overrides={"limits": 0.1})
