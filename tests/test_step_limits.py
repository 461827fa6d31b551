"""How early a mistake in the program is named: after so many optimizer steps, as its first finding.

What a few steps decide must not need a whole run.
"""

from __future__ import annotations

from functools import cache

import pytest

import corpus
from harness.records import record_of
from unstuck import diagnose
from unstuck.judge import catalogue
from unstuck.schema.findings import Diagnosis

LIMITS = {
    "output-does-not-fit-loss": 3,
    "missing-nonlinearity": 3,
    "labels-out-of-range": 3,
    "wrong-target-encoding": 3,
    "gradients-not-zeroed": 3,
    "step-without-gradient": 3,
    "step-never-called": 3,
    "parameters-not-in-optimizer": 3,
    "frozen-parameters": 3,
    "detached-graph": 3,
    "unregistered-parameters": 3,
    "loss-broadcast": 3,
    "training-in-eval-mode": 3,
    "validation-in-train-mode": 31,  # its first validation comes one step earlier
    "loss-sign": 20,
    "same-batch-every-step": 20,
    "accumulation-not-averaged": 20,
    "retained-graph": 20,
    "unstable-batch-norm": 20,
    "batch-leak": 3,
    "identical-worker-randomness": 3,
    "target-network-stuck": 500,  # healthy programs copy theirs as seldom as every 250
    "terminal-not-masked": 20,
}


def test_every_mistake_in_the_program_has_a_limit() -> None:
    assert {c.slug for c in catalogue.causes() if c.family == "Program"} <= set(LIMITS)


@cache
def diagnosed(slug: str, function: str, steps: int) -> Diagnosis:
    return diagnose(record_of(corpus.pair_of(slug), function, max_steps=steps))


# The sum of losses harms only where the steps it makes are too long, which a longer run shows.
NOTES = ("accumulation-not-averaged",)


@pytest.mark.parametrize(("slug", "steps"), [
    pytest.param(slug, steps, id=slug, marks=[] if number % 2 == 0 else pytest.mark.slow)
    for number, (slug, steps) in enumerate(LIMITS.items())])
def test_a_mistake_is_named_within_its_steps(slug: str, steps: int) -> None:
    diagnosis = diagnosed(slug, "sick", steps)
    named = diagnosis.findings if slug in NOTES else diagnosis.counted()
    assert named, dict(diagnosis.verdicts)[slug]
    assert named[0].cause == slug


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "steps"), LIMITS.items(), ids=LIMITS)
def test_a_cured_program_is_silent_after_as_many(slug: str, steps: int) -> None:
    assert not diagnosed(slug, "well", steps).counted()
