"""Terminal not masked: targets count the value of the state after an episode has ended."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import thinned
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import MaskEnds, Remedy, Safety
from unstuck.schema.facts.bootstrap import BootstrappedTarget
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.bootstrap import ENDS_BOOTSTRAPPED
from unstuck.words import count, number

LOOKS = Threshold(
    "ends-looks", 2.0,
    "Episodes end in few samples of a batch, and a single batch may show none that counts.",
    "a rule of unstuck: one event alone is never a finding",
)
SHARE = Threshold(
    "ends-share", 0.99,
    "Where ends are masked no target of one holds the value; where they are not, all do. In "
    "between, only some ends may be masked, such as those by a time limit.",
    "definition",
)


def _detect(view: View) -> Verdict:
    targets = view.record.facts(BootstrappedTarget)
    if not targets:
        return Absent("no targets were found that are a reward plus a discounted value")
    if not view.has(ENDS_BOOTSTRAPPED):
        return Unknown("no variable was found that marks ends of episodes, or none had ended where "
                       "targets were looked at", ("a variable such as done, beside the reward",))
    series = next(iter(view[ENDS_BOOTSTRAPPED].values()))
    share = float(np.mean(series.values))
    if share < view.limit(SHARE):
        return Absent("the targets of samples that end an episode are the reward alone, at least "
                      "for some ends")
    if len(series) < view.limit(LOOKS):
        return Unknown("ends of episodes were seen in one batch only", ("a longer run",))
    fact = targets[-1]
    steps, values = thinned(series.steps, series.values)
    return Present(
        strength=0.8,
        title=f"targets at the end of an episode still hold {number(fact.discount)} times the "
        f"value of the state after it, in {count(len(series), 'batch', 'batches')} with ends "
        f"marked by {fact.ends}",
        since_step=int(series.steps[0]),
        location=fact.location,
        label=f"{fact.ends} is not used here",
        evidence=(Evidence(
            ENDS_BOOTSTRAPPED.name, "targets", steps, values, 0.0,
            "each target is the reward plus the discounted value, whether the episode has ended "
            "or not"),),
        remedies=(Remedy(
            "leave the value out at ends", Safety.SAFE,
            (MaskEnds(fact.location, fact.ends, _factor(fact)),) if fact.ends and fact.type else (),
            advice="Multiply the value of the next state by 1 - done.",
            code_text="target = reward + gamma * (1 - done) * next_value",
        ),),
    )


def _factor(fact: BootstrappedTarget) -> str:
    """What is 0 at ends and 1 elsewhere, as code."""
    if fact.inverse:
        return str(fact.ends)
    return f"~{fact.ends}" if fact.type == "bool" else f"(1 - {fact.ends})"


CAUSE = Cause(
    slug="terminal-not-masked",
    code="P019",
    title="Terminal not masked",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.RISES,),
    words=Words(
        symptom="The values of an agent grow far beyond any return, or the agent does not mind "
        "that an episode ends. The returns do not improve.",
        consequence="An end looks as good as the states after it. Failing costs nothing, and "
        "reaching the goal may be worth less than going on.",
        why="The value of a state is the reward plus the discounted value of the next one. After "
        "the end of an episode there is no next state, so its value is zero.",
        detection="The program's targets are found to be a reward plus a discount times a value, "
        "for every sample. At the samples that a variable such as done marks, the targets hold "
        "that value too.",
        limitations="The variable that marks ends is known by its name. Where it marks time "
        "limits alone, the value of the next state is right, and this finding is wrong. Targets "
        "that are computed in an unusual way are not recognised, and then nothing is said.",
        references=("Sutton & Barto 2018, Reinforcement Learning, section 6.1",
                    "Pardo et al. 2018, Time Limits in Reinforcement Learning"),
    ),
    needs=(),
    uses=(ENDS_BOOTSTRAPPED,),
    thresholds=(LOOKS, SHARE),
    effects=(Effect.UPDATES_TOO_LARGE, Effect.CANNOT_FIT),
    detect=_detect,
)
