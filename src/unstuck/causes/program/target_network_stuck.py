"""Target network stuck: the values in the targets come from a network that never moves."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import thinned
from unstuck.measures.idle import guarded, place_of, rebound, used_up
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import CopyNetwork, Follow, KeepList, Remedy, Safety, WriteInto
from unstuck.schema.facts.bootstrap import SelfLoad, TargetNetwork
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.bootstrap import TARGET_MOVED
from unstuck.schema.signals.checkpoints import LIVE_STATE
from unstuck.words import count, number

STEPS = Threshold(
    "target-steps", 300.0,
    "Target networks are copied every hundred to a few thousand steps. A shorter run may end "
    "before the first copy.",
    "Mnih et al. 2015 copy every 10,000 of millions of steps; small programs every 100 to 500",
)
REST = Threshold(
    "share-at-rest", 0.9,
    "A network that is moved a little at a time moves to the end of the run. If it stands still "
    "for nine tenths of it, what moves it has come to its end, such as an iterator.",
    "a choice",
)
LOADS = Threshold(
    "self-loads", 3.0,
    "Loading a network into itself once or twice may be a check.",
    "a choice: a single event is never enough",
)


def _detect(view: View) -> Verdict:
    for fact in view.record.facts(SelfLoad):
        if fact.times >= view.limit(LOADS) and view.has(LIVE_STATE):
            return _itself(view, fact)
    if not view.has(TARGET_MOVED):
        return Absent("no targets were found that a second network of the same shape gives the "
                      "values for")
    series = view[TARGET_MOVED]
    known = {fact.name: fact for fact in view.record.facts(TargetNetwork)}
    rests = {name: int(found.steps[-1]) - _moved_last(found, known[name].since)
             for name, found in series.items() if name in known and not found.values[-1]}
    # One that is moved a little at a time may end in the middle of a pause.
    stuck = [name for name, steps in rests.items() if steps >= view.limit(REST) * (
        int(series[name].steps[-1]) - known[name].since)]
    if not stuck:
        return Absent("the network that the values in the targets come from moves")
    name = max(stuck, key=lambda found: rests[found])
    steps = rests[name]
    if steps < view.limit(STEPS):
        return Unknown(f"the target network has not moved in {count(steps, 'step')}, but it may be "
                       "copied less often than that",
                       (f"a run of at least {number(view.limit(STEPS) + 1)} steps",))
    return _stuck(view, known[name], steps)


def _moved_last(series: Series, since: int) -> int:
    """The step of the last look at which the network had moved; `since` if there is none."""
    moved = series.steps[series.values > 0]
    return int(moved[-1]) if len(moved) else since


def _stuck(view: View, fact: TargetNetwork, steps: int) -> Present:
    series = view[TARGET_MOVED][fact.name]
    looked, values = thinned(series.steps, series.values)
    last = _moved_last(series, -1)
    why = f"it was moved up to step {last:,} only" if last >= 0 else (
        "it is still the first copy" if fact.equal else
        "it was never given the weights of the trained network")
    same = int(np.count_nonzero(series.steps > last))
    held, lost, iterator = guarded(view, "load_state_dict"), rebound(view), used_up(view)
    location, label = place_of(None, held, "never reached") or (
        fact.location or fact.call, "this network never changes, and the targets are made with it")
    if lost is not None:
        location, label = lost.location, "changes no weight"
    if iterator is not None:
        location, label = iterator.location, "only the first loop over this iterator does anything"
    places = (Follow(fact.call, fact.online_call),) if fact.call and fact.online_call else ()
    return Present(
        strength=0.85,
        title=f"the {fact.kind} that gives the values in the targets has not moved in "
        f"{count(steps, 'step')}: {why}",
        since_step=fact.since,
        location=location,
        label=label,
        evidence=(Evidence(
            TARGET_MOVED.name, fact.name, looked, values, 1.0,
            f"the weights were the same at {'all' if last < 0 else 'the last'} "
            f"{count(same, 'look')}"),),
        remedies=(*(() if lost is None else (
            Remedy("write into the weights", Safety.SAFE, (WriteInto(lost.location),)),
        )), *(() if iterator is None else (
            Remedy("keep a list", Safety.SAFE, (KeepList(iterator.location),)),
        )), Remedy(
            "let it follow", Safety.SAFE, places,
            advice="Copy the weights of the trained network every few hundred steps, "
            "target.load_state_dict(net.state_dict()), or move them a little at each step.",
            code_text="target.load_state_dict(net.state_dict())  # every few hundred steps",
        ),),
    )


def _itself(view: View, fact: SelfLoad) -> Present:
    series = view[LIVE_STATE][fact.name]
    looked, values = thinned(series.steps, series.values)
    return Present(
        strength=0.9, certain=True,
        title=f"a {fact.kind} was given its own weights {count(fact.times, 'time')}: what is meant "
        "as its copy is the network itself",
        since_step=int(series.steps[0]),
        location=fact.alias or fact.location,
        label="this is a second name for the same network, not a copy",
        evidence=(Evidence(
            LIVE_STATE.name, fact.name, looked, values, 0.0,
            f"load_state_dict was called on the network whose state dict it was given, "
            f"{count(fact.times, 'time')} until step {fact.step:,}"),),
        remedies=(Remedy(
            "make a copy", Safety.SAFE, (CopyNetwork(fact.alias),) if fact.alias else (),
            advice="Make the target network a network of its own, by copy.deepcopy.",
            code_text="target = copy.deepcopy(net)",
        ),),
    )


CAUSE = Cause(
    slug="target-network-stuck",
    code="P018",
    title="Target network stuck",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.PLATEAU),
    words=Words(
        symptom="The values of a Q-learning agent stop at the rewards of a step or two, or grow "
        "without end. The returns do not improve although the loss is small.",
        consequence="With a copy that never moves, the network learns the values of its own random "
        "beginning. With one that is the network itself, it chases its own output.",
        why="Targets of Q-learning hold the network's own value of the next state. They come from "
        "a slow copy, which has to be brought up to date again and again.",
        detection="The program's targets are found to be a reward plus a discount times what a "
        "second network of the same shape gives for the next state, for every sample. The weights "
        "of this network stay the same over the run. Or a network's state dict is loaded into that "
        "very network, again and again.",
        limitations="Targets that are computed in an unusual way are not recognised, and then "
        "nothing is said. A network that is copied less often than once in the run looks stuck.",
        references=("Mnih et al. 2015, Human-level control through deep reinforcement learning",
                    "Lillicrap et al. 2016, Continuous control with deep reinforcement learning"),
    ),
    needs=(),
    uses=(TARGET_MOVED, LIVE_STATE),
    thresholds=(STEPS, REST, LOADS),
    effects=(Effect.UPDATES_TOO_LARGE, Effect.CANNOT_FIT),
    detect=_detect,
)
