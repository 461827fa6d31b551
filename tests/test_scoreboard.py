"""The scoreboard: what counts, how it is counted, and that it goes on where it was stopped."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from benchmarks.scoreboard import __main__ as scoreboard
from benchmarks.scoreboard import report, scores
from benchmarks.scoreboard.judging import Judgement, Named, until
from benchmarks.scoreboard.running import Run, Runs
from benchmarks.scoreboard.scores import Judged, Share, wilson
from benchmarks.scoreboard.work import Chosen, choose, count
from corpus.generated.faults import FAULTS, Fault
from corpus.generated.samples import Half, Sample, faulty, healthy

BY_SLUG: dict[str, Fault] = {fault.slug: fault for fault in FAULTS}


@cache
def all_faulty() -> tuple[Sample, ...]:
    return tuple(faulty())


def sample_of(slug: str, base: str = "mlp") -> Sample:
    """A program with the fault."""
    return next(s for s in all_faulty() if s.injected[0].fault.slug == slug and s.base == base)


def short(sample: Sample) -> Sample:
    """The same with fewer steps, which are enough for its twin."""
    return replace(sample, program=replace(sample.program, steps=300),
                   twin=replace(sample.twin, steps=300))


def judged(slug: str, *named: Named, **early: tuple[str, ...]) -> Judged:
    """What a diagnosis with these findings makes of a program with the fault."""
    cuts = {name.removeprefix("after_"): slugs for name, slugs in early.items()}
    judgement = Judgement("not-learning", named, (), 500, cuts)
    return Judged(sample_of(slug), judgement, ("import torch", "opt = torch.optim.SGD(w, lr=9)"))


# Figures -----------------------------------------------------------------------------------------
def test_wilson() -> None:
    # Newcombe (1998), table I, and the rule of three's neighbourhood.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert math.isnan(Share(0, 0).value)


def test_a_program_counts_only_if_it_does_worse_than_its_twin() -> None:
    good = Run(skill=0.9)
    fault = BY_SLUG["learning-rate-too-low"]
    assert scores.fails(fault, Run(skill=0.5), good)
    assert not scores.fails(fault, Run(skill=0.85), good)
    assert scores.fails(fault, Run(skill=None, error="IndexError"), good)
    assert not scores.fails(fault, Run(trouble="no end"), good)
    assert not scores.fails(fault, Run(skill=0.0), Run(skill=0.4)), "a twin must have learned"
    grows = BY_SLUG["retained-graph"]
    assert not scores.fails(grows, Run(skill=0.0, memory=30), Run(skill=0.9, memory=25))
    assert scores.fails(grows, Run(skill=0.9, memory=90), Run(skill=0.9, memory=25))
    assert scores.fails(BY_SLUG["train-validation-leak"], Run(skill=0.9), good)


def test_first_and_among_three() -> None:
    rate, dead = Named("learning-rate-too-high", "error"), Named("dead-relu", "warning")
    assert judged("learning-rate-too-high", rate, dead).first()
    assert not judged("learning-rate-too-high", dead, rate).first()
    assert judged("learning-rate-too-high", dead, rate).first(3)
    assert not judged("learning-rate-too-high", replace(rate, severity="note")).first(3)


def test_a_set_counts_with_its_trial_only() -> None:
    name = "batch-too-large"
    found = Named("learning-rate-too-low", "warning", one_of=("learning-rate-too-low", name))
    assert not judged(name, found).hit()
    assert judged(name, replace(found, separated_by="train with batches of half the size")).hit()
    assert judged(name, Named(name, "warning")).hit()
    decided = judged("learning-rate-too-high", replace(
        found, one_of=("learning-rate-too-high",), separated_by="a lower rate"))
    assert not decided.hit(), "the record of one run decides it"


def test_steps_until_it_is_named_for_good() -> None:
    name = "learning-rate-too-high"
    found = Named(name, "error", line=2)
    assert judged(name, found, after_1=(), after_3=(name,), after_10=(name,)).since() == 3
    assert judged(name, found, after_1=(name,), after_3=(), after_10=(name,)).since() == 10
    assert judged(name, found).since() == 500
    assert judged(name).since() is None
    assert judged(name, found).at_line() is True
    assert judged(name, replace(found, line=1)).at_line() is False


def test_precision_and_recall_are_of_roots() -> None:
    first, second = BY_SLUG["loss-sign"], BY_SLUG["inputs-not-normalised"]
    sample = sample_of("loss-sign")
    both = replace(sample, injected=(sample.injected[0], replace(
        sample.injected[0], fault=second)))
    found = (Named(first.slug, "error"), Named("dead-relu", "error"),
             Named("exploding-gradients", "error", explained_by=first.slug))
    precision, recall = scores.several([Judged(both, Judgement("broken", found, (), 9))])
    assert (precision, recall) == (Share(1, 2), Share(1, 2))


def test_alarms_are_what_is_more_than_a_note() -> None:
    quiet = judged("loss-sign", Named("constant-features", "note"))
    loud = judged("loss-sign", Named("dead-relu", "warning", title="all units are silent"))
    (alarm,) = scores.alarms([quiet, loud])
    assert (alarm.severity, alarm.slugs) == ("warning", ("dead-relu",))


def test_what_a_record_held_after_some_steps() -> None:
    rows = {"type": "step", "signal": "train-loss", "rows": [[0, 1.0], [1, 0.5], [2, 0.4]]}
    cut = until(rows, 2)
    assert cut is not None
    assert cut["rows"] == [[0, 1.0], [1, 0.5]]
    assert until(rows, 0) is None
    assert until({"type": "fact", "fact": "end", "step": 1}, 9) is None
    assert until({"type": "sample", "step": 5}, 5) is None
    assert until({"type": "header", "schema": 1}, 1) is not None


# Running -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scoreboard")


@pytest.mark.slow
def test_twins_learn_and_faulty_programs_fail(cache: Path) -> None:
    runs = Runs(cache)
    samples = (short(sample_of("step-never-called")),
               short(sample_of("loss-sign", "autoencoder")))
    for sample in samples:
        runs.run(sample.twin)
        runs.run(sample.program)
    counted = count(runs, Chosen((), samples, ()))
    assert counted.faulty == samples
    assert not counted.trouble


@pytest.mark.slow
def test_what_has_been_run_is_not_run_again(cache: Path) -> None:
    program = short(sample_of("step-never-called")).program
    first = Runs(cache).run(program)
    file = Runs(cache).home(program) / "run.json"
    before = file.stat().st_mtime_ns
    assert Runs(cache).run(program) == first
    assert file.stat().st_mtime_ns == before
    file.unlink()  # stopped in the middle
    assert Runs(cache).known(program) is None
    again = Runs(cache).run(program)
    assert again.skill == first.skill
    file.write_text(json.dumps({"trouble": "no end after 180 s"}))
    assert Runs(cache).run(program).trouble == "", "what could not be run is tried again"


@pytest.mark.slow
def test_the_whole(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = sample_of("step-never-called", "autoencoder")
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    arguments = ["--only", sample.name, "--split", sample.half.value, "--jobs", "1",
                 "--cache", str(cache), "--json", str(figures), "--page", str(page)]
    assert scoreboard.main(arguments) == 0
    row = next(r for r in json.loads(figures.read_text())["causes"]
               if r["cause"] == "step-never-called")
    assert (row["programs"], row["counted"]) == (1, 1)
    assert row["first"]["hits"] == 1
    text = page.read_text(encoding="utf-8")
    assert "| step-never-called | record | 1 of 1 | 1.00 |" in text
    names = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    assert len(names) == len(set(names)), "each row says something else"
    assert "named first" in capsys.readouterr().out


def test_a_board_of_nothing_can_be_shown() -> None:
    board = report.Board("2026-01-01", "0", "open", True, {"nothing": Share(0, 0)}, 0,
                         (scores.row(FAULTS[0], 0, []),), (), (), ())
    assert FAULTS[0].slug in report.to_markdown(board)
    json.dumps(report.to_json(board), allow_nan=False)


def test_halves_are_chosen() -> None:
    chosen = choose(Half.OPEN, only="autoencoder")
    assert {s.half for s in (*chosen.healthy, *chosen.faulty, *chosen.pairs)} == {Half.OPEN}
    everything = [s for s in healthy() if s.base == "autoencoder"]
    assert len(choose(None, only="autoencoder").healthy) == len(everything)
