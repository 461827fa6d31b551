"""Retained graph: tensors are kept with their autograd graphs, and memory grows with each."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import thinned, unread_loss, unwatched
from unstuck.measures.looks import gaps
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    ComputeEachStep,
    DetachState,
    DifferentiateOnce,
    KeepNumber,
    Remedy,
    Safety,
)
from unstuck.schema.facts.losses import GraphOfEarlierSteps, RetainedGraph
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.parameters import LIVE_GRAPHS, STEPS_BEHIND
from unstuck.words import count, number

MANY = Threshold(
    "live-graphs", 5.0,
    "A training loop keeps the graph of its current loss, and perhaps of the best or the last one. "
    "Five graphs that outlived their step are a collection.",
    "definition; healthy loops keep one or two",
)
RISES = Threshold(
    "live-graph-rises", 3.0,
    "The number of graphs must grow at several sampled steps. A fixed set of graphs does not grow.",
    "a choice: a single event is never enough",
)
RELEASED = Threshold(
    "released-graphs", 16.0,
    "Graphs that are released again, for example once an epoch, cost much memory only if there are "
    "many.",
    "a choice: the memory of fewer graphs is small",
)


BEHIND = Threshold(
    "steps-behind", 5.0,
    "A backward pass may go through the graphs of a few earlier steps on purpose, such as those of "
    "a window that moves on. Five that grow in number are a graph that nothing ends.",
    "a choice: windows of truncated backpropagation cover one or two steps of the weights",
)


# How torch begins the message of a backward pass through a graph that has been freed.
AGAIN = "Trying to backward through the graph a second time"


def _rises(series: Series) -> int:
    return int(np.sum(np.diff(series.values) > 0))


def _detect(view: View) -> Verdict:
    behind = view[STEPS_BEHIND].finite if view.has(STEPS_BEHIND) else None
    end = view.record.end
    if end.kind is EndKind.EXCEPTION and AGAIN in (end.message or ""):
        return _again(view, behind)
    if behind is not None and _rises(behind) >= view.limit(RISES) and (
            behind.values.max() >= view.limit(BEHIND)):
        return _growing(view, behind)
    if behind is not None and len(behind) and 1 < behind.values.max() == behind.values[-1]:
        return Unknown("backward passes go through the graphs of earlier steps, and it was seen at "
                       "too few steps whether of more and more", ("a run with --overhead 1",))
    if not view.has(LIVE_GRAPHS):
        blind = unwatched(view.record) or unread_loss(view.record)
        if blind is not None:
            return Unknown(blind, (LIVE_GRAPHS.name,))
        return Absent("no loss or output kept its autograd graph after its step")
    alive = {name: series.finite for name, series in view[LIVE_GRAPHS].items()}
    kept = [
        fact for fact in view.record.facts(RetainedGraph)
        if fact.name in alive and fact.alive >= view.limit(MANY)
        and _rises(alive[fact.name]) >= view.limit(RISES)
    ]
    if kept:
        # A loss that is kept keeps the output that it was computed of.
        return _present(view, max(kept, key=lambda fact: (fact.alive, not fact.output)), alive)
    most = max((float(s.values.max()) for s in alive.values() if len(s)), default=0.0)
    if max((len(s) for s in alive.values()), default=0) <= view.limit(RISES):
        return Unknown("live autograd graphs were counted at too few steps",
                       ("a longer run",))
    counted = max(alive.values(), key=len).steps
    if most >= view.limit(MANY) or gaps(view.record, counted).wide:
        return Unknown("live autograd graphs were counted at too few steps to see whether their "
                       "number keeps growing", ("a run with --overhead 1",))
    return Absent(f"at most {count(round(most), 'autograd graph')} outlived their step")


def _again(view: View, behind: Series | None) -> Present:
    """A backward pass met a graph that an earlier one had freed, which ended the program."""
    earlier = view.record.facts(GraphOfEarlierSteps)
    if behind is None or not len(behind) or not behind.values[-1] or not earlier:
        return Present(
            strength=0.95, certain=True, hides_outcome=True,
            title="the program ended because a backward pass went through a graph that an earlier "
            "backward pass had already freed",
            since_step=max(view.record.steps - 1, 0),
            location=view.record.end.location,
            label="a part of this graph was differentiated before",
            evidence=(),
            remedies=(Remedy(
                "one backward pass for each graph", Safety.SAFE,
                (DifferentiateOnce(view.record.end.location),),
                advice="If two losses share a part of the network, add them and call backward() "
                "once. If one of them must not train that part, detach what it shares. If a tensor "
                "was computed before the loop, compute it anew in each step."),),
        )
    last = earlier[-1]
    steps, values = thinned(behind.steps, behind.values)
    name = last.name or "something"
    what = (f"{name} was computed once, and its graph was used in several steps" if last.once else
            f"{name} takes its graph along from one step to the next")
    return Present(
        strength=0.95, certain=True, hides_outcome=True,
        title=f"{what}: the program ended at the backward pass that went through it again",
        since_step=int(behind.steps[-1]),
        location=last.carried or last.location,
        label="this has one graph for all steps" if last.once and last.carried else
        "this is kept with the graph that computed it" if last.carried else
        "this backward pass also goes through what the step before computed",
        evidence=(
            Evidence(STEPS_BEHIND.name, "", steps, values, 0.0,
                     "the backward pass went through the graph of an earlier step, which was freed "
                     "then (normal: only its own)"),
        ),
        remedies=(_anew(last), _detached(last)) if last.once else (_detached(last),),
    )


def _anew(fact: GraphOfEarlierSteps) -> Remedy:
    return Remedy(
        "compute it in each step", Safety.SAFE, (ComputeEachStep(fact.carried, fact.location),),
        advice="Compute it within the loop, so that each step has a graph of its own and the "
        "weights that it depends on go on learning.")


def _detached(fact: GraphOfEarlierSteps) -> Remedy:
    return Remedy(
        "detach the state", Safety.SAFE, (DetachState(fact.location, fact.name, fact.several),),
        advice="Detach what is carried into the next step after each update, as in "
        "h = h.detach(), and call backward() without retain_graph=True.")


def _growing(view: View, behind: Series) -> Present:
    """A state, or a sum, goes from step to step with the graph that computed it."""
    seen = view.record.facts(GraphOfEarlierSteps)
    most = max(seen, key=lambda fact: fact.steps)
    named = next((fact for fact in seen if fact.name), most)  # names are looked at early only
    steps, values = thinned(behind.steps, behind.values)
    return Present(
        strength=0.9,
        title="each backward pass goes again through the graphs of earlier steps: at least "
        f"{number(most.steps)} of them at once, so steps become slower and memory grows",
        since_step=int(behind.steps[np.flatnonzero(behind.values > 0)[0]]),
        location=most.location,
        label="this backward pass also goes through what earlier steps computed",
        evidence=(
            Evidence(STEPS_BEHIND.name, "", steps, values, 0.0,
                     f"the backward pass went through the graphs of {count(most.steps, 'step')} "
                     "before its own, with weights that have changed since (normal: none)"),
        ),
        remedies=(
            _detached(named),
        ),
    )


def _present(view: View, fact: RetainedGraph, alive: dict[str, Series]) -> Verdict:
    series = alive[fact.name]
    top = int(np.argmax(series.values))
    released = bool(np.any(series.values[top:] < 0.5 * series.values[top]))
    many = fact.alive >= view.limit(RELEASED)
    strength = 0.9 if not released else 0.6 if many else 0.45
    since = int(series.steps[np.flatnonzero(series.values > 0)[0]])
    steps, values = thinned(series.steps, series.values)
    what = ("though backward passes have freed their activations" if fact.trained else
            "with all their activations")
    return Present(
        strength=strength, certain=not released,
        title=f"{'outputs' if fact.output else 'losses'} are kept with their autograd graphs, so "
        f"memory grows: at least {number(fact.alive)} graphs were alive at once, {what}",
        since_step=since,
        location=fact.location, of_value=True,
        label="this tensor is kept together with its graph",
        evidence=(
            Evidence(LIVE_GRAPHS.name, fact.name, steps, values, 1.0,
                     f"{count(fact.alive, 'graph')} of {fact.name} outlived their step (normal: at "
                     "most 1)"),
        ),
        remedies=(
            Remedy("keep only the values" if fact.output else "keep only the number", Safety.SAFE,
                   (KeepNumber(fact.location, fact.output),),
                   advice="Store output.detach() instead of output. Compute outputs that are not "
                   "trained on under torch.no_grad()." if fact.output else
                   "Store or add up loss.item(), or loss.detach() to stay on the device. "
                   "Compute losses that are not trained on under torch.no_grad()."),
        ),
    )


CAUSE = Cause(
    slug="retained-graph",
    code="P014",
    title="Retained graph",
    family="Program",
    harm=Harm.LEAK,
    symptoms=(Symptom.MEMORY,),
    words=Words(
        symptom="Memory grows with every step or epoch until the process is killed. Steps may also "
        "become slower. Or the program ends: \"Trying to backward through the graph a second "
        "time\".",
        consequence="Every tensor in a list, or in a running sum, keeps the autograd graph that "
        "computed it. If no backward pass has freed them, the graph also keeps the activations of "
        "all layers.",
        why="A loss is a tensor that remembers how it was computed. Adding it to a total, or "
        "appending it to a history, keeps all of that in memory. Outputs in a list do the same. A "
        "hidden state that is never detached carries the graphs of all earlier steps with it, and "
        "each backward pass goes through them again. By then they have been freed, which ends "
        "the program, unless retain_graph=True keeps them.",
        detection="A token is put into the graph of each watched loss and output. It disappears "
        "with the graph. The tokens that are more than two steps old are counted, and their number "
        "must grow over several sampled steps. Also counted are the earlier steps that the graph "
        "of a backward pass still goes through.",
        limitations="Only losses and outputs of models are watched, and what is trained on, not "
        "other tensors that a program keeps. If a list is emptied in each epoch, the finding is "
        "only a note unless the list is long.",
        references=(
            "PyTorch FAQ: don't accumulate history across your training loop",
        ),
    ),
    needs=(),
    uses=(LIVE_GRAPHS, STEPS_BEHIND),
    thresholds=(MANY, RISES, RELEASED, BEHIND),
    detect=_detect,
)
