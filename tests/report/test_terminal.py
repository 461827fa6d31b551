"""What the terminal shows, to the character."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import unstuck
from unstuck.judge import catalogue
from unstuck.judge.advice import next_steps
from unstuck.record.reader import Record
from unstuck.report import summary, terminal
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety
from unstuck.schema.experiments import Experiment
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import End, EndKind
from unstuck.schema.findings import (
    Absent,
    Diagnosis,
    Evidence,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
    Training,
    TrialResult,
    Unknown,
    Verdict,
)
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals import ALL
from unstuck.schema.signals.layers import SILENT_SHARE
from unstuck.schema.signals.parameters import HELD, UPDATE_NORM, WEIGHT_NORM

_SOURCE = "opt = SGD(model.parameters(), lr=10)"
_RATE = Remedy("rate", Safety.SAFE, (OptimizerArgument("SGD", "lr", 0.08),))


@pytest.fixture(autouse=True)
def _plain_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def _at(text: str | None = _SOURCE, column: int = 7, end: int = 37, **more: Any) -> SourceLocation:
    fields = {"file": str(Path.cwd() / "train.py"), "line": 37, "end_line": 37, **more}
    return SourceLocation(column=column, end_column=end, text=text, **fields)


def _present(location: SourceLocation | None, label: str = "far too high", **more: Any) -> Present:
    fields: dict[str, Any] = {"evidence": (), "remedies": (_RATE,), **more}
    return Present(0.9, "the loss diverged at step 14 (2.31 → inf)", 14, location, label, **fields)


def _finding(
    present: Present, slug: str = "learning-rate-too-high",
    severity: Severity = Severity.ERROR, root: str | None = None,
) -> Finding:
    return Finding(slug, "O001", severity, present, root)


def _diagnosis(
    *findings: Finding, kind: OutcomeKind = OutcomeKind.DIVERGED,
    verdicts: tuple[tuple[str, Verdict], ...] = (), remarks: tuple[str, ...] = (),
) -> Diagnosis:
    outcome = Outcome(kind, 0.97, "The loss is inf from step 14 on.")
    steps = next_steps(outcome, findings, held_out=True, watched=True)
    return Diagnosis("0.1.0", "abc", outcome, findings, verdicts, 120, remarks, (), steps)


def _shown(diagnosis: Diagnosis, **options: Any) -> str:
    file = io.StringIO()
    terminal.render(diagnosis, file=file, **options)
    return file.getvalue()


def _lines(location: SourceLocation, label: str = "far too high", **options: Any) -> list[str]:
    shown = _shown(_diagnosis(_finding(_present(location, label))), quiet=True, **options)
    return shown.splitlines()


def test_a_finding_looks_as_promised() -> None:
    evidence = Evidence("train-loss", "", (0, 1, 2, 3), (1, 2, 3, 8.0), 1.0, "the loss grew")
    other = Remedy("clip", Safety.CHANGES_EXPERIMENT, code_text="clip(\n    model)")
    present = _present(_at(), evidence=(evidence,), remedies=(_RATE, other), one_of=("a", "b"),
                       separated_by=Experiment("lower the learning rate"))
    shown = _shown(_diagnosis(replace(
        _finding(present), trial=TrialResult("cured", (2.3, 2.4), (0.1, 0.2), (1, 2), (0.1,), 3.0)
    )))
    assert shown == """\
unstuck: The training diverged (confidence 97 %). The loss is inf from step 14 on.

error[learning-rate-too-high]: the loss diverged at step 14 (2.31 → inf)
   ┌─ train.py:37:7
37 │ opt = SGD(model.parameters(), lr=10)
   │       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ far too high
   = seen   the loss grew  ▁▂▃█
   = tried  cured: 0.1 and 0.2 with the fix, 2.3 and 2.4 without it (2 seeds)
   = fix    SGD(..., lr=0.08)
   = or     clip(
                model) (changes the experiment)
   = note   this run cannot distinguish it from a or b; to find out, lower the learning rate
   = why    unstuck explain learning-rate-too-high
unstuck: 1 error
"""


def test_symptoms_stand_under_their_root() -> None:
    root = _finding(_present(None, "", remedies=()))
    symptom = _finding(_present(_at()), "dead-relu", Severity.WARNING, root.cause)
    second = _finding(_present(None), "vanishing-gradients", Severity.NOTE, symptom.cause)
    lines = _shown(_diagnosis(root, symptom, second), notes=True, quiet=True).splitlines()
    assert lines[-3:] == [
        "   = this also explains:",
        "     warning[dead-relu]: the loss diverged at step 14 (2.31 → inf) (train.py:37:7)",
        "       note[vanishing-gradients]: the loss diverged at step 14 (2.31 → inf)",
    ]
    assert "vanishing" not in _shown(_diagnosis(root, symptom, second))


def test_nothing_gets_lost_where_roots_are_hidden_or_go_round() -> None:
    hidden = _finding(_present(None), "a", Severity.NOTE)
    below = _finding(_present(None), "b", Severity.WARNING, "a")
    one = _finding(_present(None), "c", root="d")
    other = _finding(_present(None), "d", root="c")
    shown = _shown(_diagnosis(hidden, below, one, other))
    assert all(f"[{slug}]" in shown for slug in "bcd")
    assert "unstuck: 2 errors and 1 warning; 1 note hidden (--notes shows it)" in shown


def test_the_best_suspect_is_called_one() -> None:
    weak = replace(_present(_at()), strength=0.4)
    suspect = _finding(weak, severity=Severity.WARNING)
    shown = " ".join(_shown(_diagnosis(suspect)).split())
    assert "next: Change one thing and run again: set the learning rate of SGD to 0.08." in shown
    assert "If that helps, the cause is learning-rate-too-high." in shown
    assert "= note this is only the best suspect: nothing surer explains" in shown
    trial = Experiment("run it twice")
    told = replace(weak, one_of=("loss-sign",), separated_by=trial)
    shown = " ".join(_shown(_diagnosis(_finding(told, severity=Severity.WARNING))).split())
    assert "next: " not in shown
    assert "cannot distinguish it from loss-sign; to find out, run it twice" in shown
    assert "suspect" not in _shown(_diagnosis(_finding(weak, severity=Severity.NOTE)), notes=True)


def test_a_healthy_run_gets_one_sentence() -> None:
    verdicts = (("a", Absent("no")), ("b", Absent("no")))
    assert _shown(_diagnosis(kind=OutcomeKind.LEARNING, verdicts=verdicts)) == (
        "unstuck: The network is learning (confidence 97 %), and no problem was found (2 causes "
        "checked\n  over 120 steps). The loss is inf from step 14 on.\n"
    )
    assert _shown(_diagnosis(kind=OutcomeKind.LEARNING), quiet=True) == ""


def test_a_failure_that_nothing_explains_gets_a_next_step() -> None:
    verdicts = (("a", Absent("no")), ("b", Absent("no")))
    shown = _shown(_diagnosis(verdicts=verdicts))
    assert shown.startswith(
        "unstuck: The training diverged (confidence 97 %), and none of the 2 causes checked over "
        "120 steps\n  explains it. The loss is inf from step 14 on.\nnext: Divide the learning "
    )
    assert "next: " not in _shown(_diagnosis(verdicts=verdicts), advise=False)
    one = " ".join(_shown(_diagnosis(verdicts=verdicts[:1])).split())
    assert "and the only cause checked over 120 steps does not explain it." in one
    short = _shown(_diagnosis(kind=OutcomeKind.TOO_SHORT, verdicts=verdicts))
    assert "None of the 2 causes that could be checked is present." in " ".join(short.split())
    assert "next: Train longer." in short


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_outcome_is_said_in_words(kind: OutcomeKind) -> None:
    for verdicts in ((), (("a", Absent("no")),), (("a", Absent("no")), ("b", Absent("no")))):
        first = _shown(_diagnosis(kind=kind, verdicts=verdicts)).splitlines()[0]
        assert first.startswith(("unstuck: The ", "unstuck: No "))
        assert kind.value not in first or "-" not in kind.value


def test_what_was_not_assessed_takes_a_line() -> None:
    short = Unknown("The run is too short.", ("more steps",))
    unknown = (("a", short), ("b", short), ("c", Unknown("SGD was not seen")), ("d", Absent("")))
    shown = _shown(_diagnosis(verdicts=unknown, remarks=("It is compiled.",)), width=200)
    assert (
        "not assessed: 3 causes (a, b and c): 2 because the run is too short; and 1 because SGD "
        "was not\n  seen. To check them, unstuck needs more steps.\nnote: It is compiled.\n"
    ) in shown


def test_names_of_signals_are_for_those_who_want_notes() -> None:
    update = Unknown("no update was seen", (UPDATE_NORM.name, WEIGHT_NORM.name, HELD.name))
    logged = Unknown("no update was seen", ("a run under `unstuck run`", SILENT_SHARE.name))
    found = _diagnosis(verdicts=(("a", update), ("b", update), ("c", logged)))
    shown = " ".join(_shown(found).split())
    assert (
        "not assessed: 3 causes (a, b and c), because no update was seen. To check them, unstuck "
        f"needs {UPDATE_NORM.requires}; and a run under `unstuck run`."
    ) in shown
    assert UPDATE_NORM.name not in shown
    shown = " ".join(_shown(found, notes=True).split())
    assert "Missing signals: update-norm, weight-norm, held-by-optimizer and silent-share." in shown


def test_what_a_reason_says_is_not_said_again() -> None:
    lacks = Unknown(f"the check needs {UPDATE_NORM.requires}", (UPDATE_NORM.name,))
    shown = " ".join(_shown(_diagnosis(verdicts=(("a", lacks),))).split())
    assert shown.endswith(
        f"not assessed: 1 cause (a), because the check needs {UPDATE_NORM.requires}.")


def test_every_signal_says_what_it_requires() -> None:
    for signal in ALL:
        assert signal.requires
        assert signal.name not in signal.requires.split(), signal.name
        assert not signal.requires.endswith(".")


# The caret ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("source", "expression"), [
    ("\tx = f(1)", "f(1)"),
    ("模型 = f(数据)", "f(数据)"),
    ("e\u0301 = f('e\u0301')", "f('e\u0301')"),
    ("x = f(1); \ty = g(\t2)", "g(\t2)"),
    ("🙂 = '👩‍👩‍👧'; f(1)", "f(1)"),
])
def test_the_caret_stands_under_the_expression(source: str, expression: str) -> None:
    column = source.index(expression) + 1
    lines = _lines(_at(source, column, column + len(expression)))
    prefix = source[: column - 1].replace("\t", "    ")
    carets = lines[3].removeprefix("   │ ").removesuffix(" far too high")
    assert lines[2] == f"37 │ {source}".replace("\t", "    ")
    assert carets == " " * cell_len(prefix) + "^" * cell_len(expression.replace("\t", "    "))


def test_of_several_lines_the_first_is_marked_to_its_end() -> None:
    lines = _lines(_at("    x = f(  # why", 9, 3, end_line=39))
    assert lines[2:4] == ["37 │     x = f(  # why", "   │         ^^^^^^^^^ far too high"]


@pytest.mark.parametrize("location", [_at("x", 40, 90), _at("", 1, 1), _at("x = 1", 3, 3)])
def test_columns_that_do_not_fit_do_no_harm(location: SourceLocation) -> None:
    assert "^ far too high" in "\n".join(_lines(location))


def test_without_program_text_the_label_stays() -> None:
    assert _lines(_at(None))[1:3] == ["   ┌─ train.py:37:7", "   │ far too high"]


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_shows_the_part_that_matters(width: int) -> None:
    source = "    result = first(some, thing) + optimizer(model.parameters(), lr=0.1) + other(one)"
    column = source.index("optimizer(") + 1
    lines = _lines(_at(source, column, column + 37), "much too high", width=width)
    shown, carets = lines[-4:-2] if "^ much" in lines[-3] else lines[-5:-3]
    assert cell_len(shown) <= width
    assert cell_len(carets) <= width
    at = carets.index("^")
    assert shown[at:].startswith("optimizer(")
    assert "…" in shown
    assert "much" in "\n".join(lines)


def test_a_long_label_goes_below() -> None:
    lines = _lines(_at(), "the update is far larger than the weights", width=60)
    assert lines[4:7] == [
        "   │       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "   │       the update is far larger than the weights",
        "   = fix    SGD(..., lr=0.08)",
    ]


def test_paths_are_relative_only_below_here(tmp_path: Path) -> None:
    elsewhere = tmp_path / "train.py"
    assert _lines(_at(file=str(elsewhere)))[1] == f"   ┌─ {elsewhere}:37:7"


# The terminal ------------------------------------------------------------------------------------
class _File(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("environment", "color", "colored"), [
    ({}, None, True),
    ({"NO_COLOR": "1"}, None, False),
    ({"TERM": "dumb"}, None, False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, None, True),
    ({}, False, False),
    ({"NO_COLOR": "1"}, True, True),
])
def test_color_is_as_asked(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], color: bool | None, colored: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = _File(terminal=True)
    terminal.render(_diagnosis(_finding(_present(_at()))), file=file, color=color)
    assert ("\x1b[" in file.text()) is colored


def test_a_pipe_gets_no_color() -> None:
    assert "\x1b" not in _shown(_diagnosis(_finding(_present(_at()))))
    assert "\x1b" in _shown(_diagnosis(_finding(_present(_at()))), color=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_encodings_get_what_they_can_show(encoding: str) -> None:
    file = _File(encoding)
    evidence = Evidence("train-loss", "", (0, 1, 2), (1, 2, 9.0), None, "it grew — “a lot”")
    present = _present(_at("模 = SGD(lr=10)", 5, 15), evidence=(evidence,))
    terminal.render(_diagnosis(_finding(present)), file=file, quiet=True)
    lines = file.text().splitlines()
    assert lines[0] == "error[learning-rate-too-high]: the loss diverged at step 14 (2.31 -> inf)"
    assert lines[1:4] == [
        "   --> train.py:37:5", "37 | ? = SGD(lr=10)", "   |     ^^^^^^^^^^ far too high"
    ]
    assert lines[4].endswith("_.#")


def test_no_escape_sequence_reaches_the_terminal() -> None:
    shown = "\n".join(_lines(_at("x = '\x1b[2J\u202e'", 5, 9), "a\x1b]0;title\x07"))
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_numbers_that_are_not_finite_are_drawn_as_such() -> None:
    inf = float("inf")
    evidence = Evidence("train-loss", "", (0, 1, 2, 3, 4), (1, 2, 1e9, inf, inf), None, "it grew")
    shown = _shown(_diagnosis(_finding(_present(None, evidence=(evidence,)))))
    assert "it grew  ▁▁█!! (log scale)" in shown


def test_many_points_are_drawn_in_few_characters() -> None:
    evidence = Evidence("x", "", tuple(range(500)), tuple(map(float, range(500))), None, "it grew")
    shown = _shown(_diagnosis(_finding(_present(None, evidence=(evidence,)))))
    spark = shown.partition("it grew  ")[2].splitlines()[0]
    assert (len(spark), spark[0], spark[-1]) == (24, "▁", "█")


# Words -------------------------------------------------------------------------------------------
def test_a_causes_text_has_all_its_parts() -> None:
    cause = catalogue.causes()[0]
    text = unstuck.explain(cause.slug)
    assert text == unstuck.explain(cause.code)
    assert text.startswith(f"{cause.slug} ({cause.code}): {cause.title}\n")
    headings = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")]
    assert headings == ["Symptoms", "Consequences", "Why", "How it is detected",
                        *(["Thresholds"] if cause.thresholds else []),
                        "Known limitations", "References", "Fixes", "A program with this fault",
                        "What the fix changes in it"]
    with pytest.raises(KeyError):
        unstuck.explain("xyzzy")


def test_trainings_in_a_row_that_came_to_the_same_get_one_line() -> None:
    short, well = (_diagnosis(kind=kind) for kind in (
        OutcomeKind.TOO_SHORT, OutcomeKind.CONVERGED))
    kinds = [well, *[short] * 8, well, short, short]
    trainings = tuple(Training(10 * i, 10 * i + 9, None, each) for i, each in enumerate(kinds))
    said = summary.trainings(replace(well, training=0, trainings=trainings))
    assert said == [
        "trainings 2 to 9 (steps 10 to 89): too short to tell; no problem was found",
        "training 10 (steps 90 to 99): converged; no problem was found",
        "training 11 (steps 100 to 109): too short to tell; no problem was found",
        "training 12 (steps 110 to 119): too short to tell; no problem was found",
    ]


_MODEL = Model("net", "Net", None, None, (), ())
_OPTIMIZER = Optimizer("SGD", "SGD", None, 0.1, None, None, ())


@pytest.mark.parametrize(("record", "words"), [
    (Record("a", "1").hold(End(EndKind.FINISHED)), "called no model in this process (of the"),
    (Record("a", "1"), "called no model in this process before it was killed"),
    (Record("a", "1").hold(_MODEL, End(EndKind.EXIT, 3)),
     "called Net, but no loss reached backward() before it exited"),
    (Record("a", "1").hold(_MODEL, _OPTIMIZER, End(EndKind.FINISHED)),
     "called Net and built an optimizer, but no loss reached backward(), so"),
    (Record("a", "1").hold(
        Loader("l", _at(), 128, "RandomSampler", 120, 0, whole=True), End(EndKind.FINISHED)),
     "the loader at train.py:37:7 brings no batch, so nothing was trained: its 120 samples do not"),
    (Record("a", "1").hold(End(EndKind.EXCEPTION, 1, "ValueError", "x", _at())),
     "ended with ValueError at train.py:37:7 before its first backward pass"),
])
def test_a_run_without_training_is_told_apart(record: Record, words: str) -> None:
    assert words in terminal.nothing_trained(record)
