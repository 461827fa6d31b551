"""What is asked of a program that learned too little where no finding says why.

Each question is a run with one change, and names the cause that is shown if that run learns better.
"""

from __future__ import annotations

from collections.abc import Iterator

from unstuck.measures.arms import USUAL_MOMENTUM
from unstuck.measures.basics import GOOD_SKILL, learned_little, rates
from unstuck.record.reader import Record
from unstuck.schema.edits import BatchSize, Edit, MoreSteps, OptimizerArgument, ResizeLayer
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Confidence, Diagnosis, Severity
from unstuck.trials.doses import USUAL_BATCHES, batch_size

WIDER, LONGER, FACTOR = 4.0, 4.0, 10.0


def unexplained(diagnosis: Diagnosis) -> bool:
    """Whether a run could have learned more, and nothing sure is found nor has a remedy to try.

    Beside a fault that is sure, a change that helps would be a mask.
    """
    skill = diagnosis.outcome.skill
    sure = any(found.severity is not Severity.NOTE and found.confidence is not Confidence.POSSIBLE
               for found in diagnosis.findings)
    tried = any(each.ladder for found in diagnosis.findings for each in found.remedies)
    return not sure and not tried and (
        learned_little(diagnosis.outcome) or (skill is not None and skill < GOOD_SKILL))


def questions(record: Record) -> Iterator[tuple[str, Edit]]:
    """Causes that no single run shows, each with the change that would show it."""
    yield "too-narrow", ResizeLayer(WIDER)
    size = batch_size(record)
    if size is not None and size >= 2 * USUAL_BATCHES[0]:
        yield "batch-too-large", BatchSize(max(round(size / 8), USUAL_BATCHES[0]))
    if size is not None and size < USUAL_BATCHES[0]:
        yield "batch-too-small", BatchSize(4 * USUAL_BATCHES[0])
    optimizer = next((each for each in record.facts(Optimizer) if each.learning_rate), None)
    if optimizer is not None and optimizer.learning_rate:
        if optimizer.momentum is not None and optimizer.momentum < USUAL_MOMENTUM:
            yield "momentum-too-low", OptimizerArgument(optimizer.name, "momentum", USUAL_MOMENTUM)
        for cause, factor in (("learning-rate-too-low", FACTOR),
                              ("learning-rate-too-high", 1 / FACTOR)):
            for edit in rates(optimizer, [optimizer.learning_rate * factor]):
                yield cause, edit
    yield "too-few-steps", MoreSteps(LONGER)
