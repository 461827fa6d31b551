"""Terminal not masked: targets count the value of the state after an episode has ended."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import thinned
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import MaskEnds, Remedy, Safety
from unstuck.schema.facts.bootstrap import BootstrappedTarget, SummedPastEnds
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.bootstrap import BEYOND_REWARDS, ENDS_BOOTSTRAPPED, ENDS_MARKED
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

TELLING = Threshold(
    "ends-telling", 8.0,
    "As many ends within one rollout count for two rollouts.",
    "a choice: each end is a separate event",
)
BATCHES = Threshold(
    "batches-without-ends", 8.0,
    "Episodes may be long, so a batch may hold no end. In eight batches of a buffer one should be "
    "marked.",
    "a choice: no end among eight batches of 32 samples is likely only if episodes have more than "
    "100 steps",
)
BEYOND = Threshold(
    "beyond-rewards", 5.0,
    "No return is larger than the largest reward in every step for ever. Targets far above that "
    "come from values that have lost touch with rewards, or from a rare reward that was not seen.",
    "Sutton and Barto 2018, section 3.3: the sum of a geometric series",
)
GROWING = Threshold(
    "growing-targets", 1.5,
    "Values that have lost touch with rewards go on growing, by this much from one look to the "
    "next. Values that a rare reward explains stop growing.",
    "runs without ends: targets grew 3-fold to 8-fold in the last looks; with a rare reward: by "
    "less than a tenth",
)


def _detect(view: View) -> Verdict:
    targets = view.record.facts(BootstrappedTarget)
    rollouts = view.record.facts(SummedPastEnds)
    if rollouts and view.has(ENDS_BOOTSTRAPPED) and (
            rollouts[-1].name in view[ENDS_BOOTSTRAPPED]):
        return _summed(view, rollouts[-1], len(rollouts))
    if not targets:
        return Absent("no targets were found that are a reward plus a discounted value")
    if not view.has(ENDS_BOOTSTRAPPED):
        return _never_marked(view, targets[-1]) or Unknown(
            "no variable was found that marks ends of episodes, or none had ended where targets "
            "were looked at", ("a variable such as done, beside the reward",))
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


def _summed(view: View, fact: SummedPastEnds, rollouts: int) -> Verdict:
    """Returns or advantages along trajectories."""
    series = view[ENDS_BOOTSTRAPPED][fact.name]
    if float(np.mean(series.values)) < view.limit(SHARE):
        return Absent(f"{fact.name} stops at the ends of episodes that {fact.ends} marks, at least "
                      "at some")
    if rollouts < view.limit(LOOKS) and fact.told < view.limit(TELLING):
        return Unknown("ends of episodes were seen in one rollout only", ("a longer run",))
    steps, values = thinned(series.steps, series.values)
    after = "the sum of the step after it" if fact.sums or not fact.values else (
        "the value of the state after it")
    return Present(
        strength=0.8,
        title=f"at the end of an episode {fact.name} still holds {after}, at "
        f"{count(fact.told, 'end')} marked by {fact.ends}",
        since_step=int(series.steps[0]),
        location=fact.location,
        label="goes on where an episode ends",
        evidence=(Evidence(
            ENDS_BOOTSTRAPPED.name, fact.name, steps, values, 0.0,
            f"{fact.name} is made of the reward and of what comes after it, whether the episode "
            "has ended or not"),),
        remedies=(Remedy(
            "stop the sum at ends", Safety.SAFE,
            (MaskEnds(
                fact.location, fact.mark, _goes_on(fact.mark, fact.inverse, fact.is_bool),
                fact.values if fact.sums else None),) if fact.mark else (),
            advice="Multiply the value of the next state and the sum of the next step by 1 - done.",
            code_text="advantage = delta + gamma * lam * (1 - done) * advantage",
        ),),
    )


def _never_marked(view: View, fact: BootstrappedTarget) -> Verdict | None:
    """Ends that a variable should mark and never does, while values outgrow all rewards."""
    if not (fact.silent and view.has(ENDS_MARKED) and view.has(BEYOND_REWARDS)):
        return None
    marked, beyond = (next(iter(view[signal].values())).finite
                      for signal in (ENDS_MARKED, BEYOND_REWARDS))
    if marked.values.any() or len(marked) < view.limit(BATCHES) or not len(beyond):
        return None
    last = beyond.values[-2:]
    if not last[-1] >= view.limit(BEYOND) or not last[-1] >= view.limit(GROWING) * last[0]:
        return None
    steps, values = thinned(beyond.steps, beyond.values)
    return Present(
        strength=0.65,
        title=f"{fact.silent} marks no end of an episode in "
        f"{count(len(marked), 'batch', 'batches')}, and targets have grown to "
        f"{number(beyond.values[-1])} times the most that the rewards can add up to",
        since_step=int(marked.steps[0]),
        location=fact.location,
        label=f"{fact.silent} is 0 in every batch",
        evidence=(Evidence(
            BEYOND_REWARDS.name, "targets", steps, values, 1.0,
            f"the largest target is {number(beyond.values[-1])} times what the largest reward adds "
            f"up to at a discount of {number(fact.discount)} (possible: 1)"),),
        remedies=(Remedy(
            "mark the ends", Safety.ADVICE,
            advice=f"Check what is stored as {fact.silent}: it must be true where an episode ends "
            "because its task does, such as a fall, and not where its time is over. In Gymnasium "
            "that is `terminated`, not `truncated`.",
        ),),
    )


def _factor(fact: BootstrappedTarget) -> str:
    """What is 0 at ends and 1 elsewhere, as code; "{}" is a tensor of the values."""
    if fact.type in ("list", "column"):
        ends = f"{{}}.new_tensor({fact.ends})" + ".unsqueeze(1)" * (fact.type == "column")
        return ends if fact.inverse else f"(1 - {ends})"
    return _goes_on(str(fact.ends), fact.inverse, fact.type == "bool")


def _goes_on(ends: str, inverse: bool, is_bool: bool) -> str:
    """What is 0 where a variable marks an end, and 1 elsewhere."""
    if inverse:
        return ends
    return f"~{ends}" if is_bool else f"(1 - {ends})"


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
        "that value too. Or returns and advantages that are summed up backwards over a trajectory "
        "go on through such ends. Or the variable marks no sample at all, while the targets "
        "outgrow all that the rewards can add up to.",
        limitations="The variable that marks ends is known by its name. Where it marks time "
        "limits alone, the value of the next state is right, and this finding is wrong. Targets "
        "that are computed in an unusual way are not recognised, and then nothing is said.",
        references=("Sutton & Barto 2018, Reinforcement Learning, section 6.1",
                    "Pardo et al. 2018, Time Limits in Reinforcement Learning"),
    ),
    needs=(),
    uses=(ENDS_BOOTSTRAPPED, ENDS_MARKED, BEYOND_REWARDS),
    thresholds=(LOOKS, SHARE, TELLING, BATCHES, BEYOND, GROWING),
    effects=(Effect.TARGETS_OFF_SCALE, Effect.UPDATES_TOO_LARGE, Effect.CANNOT_FIT),
    detect=_detect,
)
