"""Retained graph: tensors are kept with the graph behind them, and memory grows with each."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._looks import gaps
from unstuck.causes._measures import thinned, unread_loss, unwatched
from unstuck.edits import Remedy, Safety
from unstuck.facts import RetainedGraph
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import LIVE_GRAPHS

MANY = Threshold(
    "live-graphs", 5.0,
    "A loop holds the graph of its present loss, and perhaps of a best or a last one; five that "
    "outlived their step are a collection.",
    "definition; healthy loops keep one or two",
)
RISES = Threshold(
    "live-graph-rises", 3.0,
    "The number must have grown at several sampled steps: a fixed set that is kept does not grow.",
    "never a single event",
)
RELEASED = Threshold(
    "released-graphs", 16.0,
    "Graphs that are let go again, say once an epoch, cost memory only if there are many.",
    "below that the memory of small nodes is not worth a word",
)


def _rises(series: Series) -> int:
    return int(np.sum(np.diff(series.values) > 0))


def _detect(view: View) -> Verdict:
    if not view.has(LIVE_GRAPHS):
        blind = unwatched(view.facts) or unread_loss(view.facts)
        if blind is not None:
            return Unknown(blind, (LIVE_GRAPHS.name,))
        return Absent("no loss or output kept its graph beyond its step")
    alive = {name: series.finite for name, series in view[LIVE_GRAPHS].items()}
    kept = [
        fact for fact in view.facts.retained_graphs
        if fact.name in alive and fact.alive >= view.limit(MANY)
        and _rises(alive[fact.name]) >= view.limit(RISES)
    ]
    if kept:
        # A loss that is kept keeps the output that it was computed of.
        return _present(view, max(kept, key=lambda fact: (fact.alive, not fact.output)), alive)
    most = max((float(s.values.max()) for s in alive.values() if len(s)), default=0.0)
    if max((len(s) for s in alive.values()), default=0) <= view.limit(RISES):
        return Unknown("graphs were counted at too few steps", ("a run of more steps",))
    counted = max(alive.values(), key=len).steps
    if most >= view.limit(MANY) or gaps(view.facts, counted).wide:
        return Unknown("graphs were counted at too few steps to see whether ever more are kept",
                       ("a run under --overhead 1",))
    return Absent(f"at most {most:.0f} losses or outputs kept their graph beyond their step")


def _present(view: View, fact: RetainedGraph, alive: dict[str, Series]) -> Verdict:
    series = alive[fact.name]
    top = int(np.argmax(series.values))
    released = bool(np.any(series.values[top:] < 0.5 * series.values[top]))
    many = fact.alive >= view.limit(RELEASED)
    strength = 0.9 if not released else 0.6 if many else 0.45
    since = int(series.steps[np.flatnonzero(series.values > 0)[0]])
    steps, values = thinned(series.steps, series.values)
    what = "their nodes" if fact.trained else "all activations behind them"
    return Present(
        strength=strength,
        title=f"{'outputs' if fact.output else 'losses'} are kept with their graphs: {fact.alive} "
        f"of those followed were alive at a time, with {what}",
        since_step=since,
        location=fact.location,
        label="this tensor is kept, and its graph with it",
        evidence=(
            Evidence(LIVE_GRAPHS.name, fact.name, steps, values, 1.0,
                     f"{fact.alive} graphs of {fact.name} outlived their step; 1 is healthy"),
        ),
        remedies=(
            Remedy("keep the numbers only", Safety.ADVICE,
                   advice="Where outputs are stored, take output.detach(), and compute those that "
                   "are only looked at under torch.no_grad().",
                   code_text="outputs.append(output.detach())") if fact.output else
            Remedy("keep the number only", Safety.ADVICE,
                   advice="Where the loss is stored or added up, take loss.item(), or "
                   "loss.detach() to stay on the device; compute losses that are only looked at "
                   "under torch.no_grad().",
                   code_text="total += loss.item()"),
        ),
    )


CAUSE = Cause(
    slug="retained-graph",
    code="P014",
    title="Retained graph",
    family="Program",
    harm=Harm.LEAK,
    words=Words(
        symptom="Memory grows with every step or epoch until the process is killed; steps may get "
        "slower.",
        consequence="Every tensor in the list, or in the running sum, holds the graph that "
        "computed it, and with it the activations of all layers if no backward pass freed them.",
        why="A loss is a tensor that remembers how it came to be. Adding it to a total, or "
        "appending it to a history, keeps all of that alive. So do outputs in a list.",
        detection="A token is put into the graph of each loss and output that is followed; it "
        "dies with the graph. Counted are tokens that are more than two steps old. The count must "
        "grow over several sampled steps.",
        limitations="Only losses and outputs of models are followed, not other tensors that are "
        "kept, such as hidden states. A list that is emptied each epoch is mentioned only if it is "
        "long.",
        references=(
            "PyTorch FAQ: don't accumulate history across your training loop",
        ),
    ),
    needs=(),
    uses=(LIVE_GRAPHS,),
    thresholds=(MANY, RISES, RELEASED),
    detect=_detect,
)
