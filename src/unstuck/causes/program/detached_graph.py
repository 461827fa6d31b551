"""Detached graph: the graph of the loss ends before layers that an optimizer should train."""

from __future__ import annotations

import numpy as np

from unstuck.curves.collapse import collapse_of
from unstuck.measures.basics import learned_little, succeeded, thinned, weights
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import KeepGraph, PassThrough, ReadLastStep, Remedy, Safety, UseResult
from unstuck.schema.facts.models import (
    STAND_IN,
    Chosen,
    Cut,
    CutState,
    Draw,
    Flat,
    Model,
    Parameter,
    Ungiven,
)
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.sequences import StepRead
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import GRADIENT_NORM, REACHED, UNGIVEN, UPDATE_NORM
from unstuck.words import called, count, joined, number, percent

STEPS = Threshold(
    "detached-steps", 2.0,
    "A single loss may leave out a part on purpose because another loss of the program trains it.",
    "a single event is never reported",
)

PART = Threshold(
    "unread-share", 0.1,
    "What is computed and not used is often left over from an earlier version. A tenth of the "
    "weights is more than a network can spare unnoticed.",
    "a choice",
)


def _detect(view: View) -> Verdict:
    whole = next((c for c in view.record.facts(Cut) if not c.before), None)
    if whole is not None:
        return _without_graph(view, whole)
    state = next((s for s in view.record.facts(CutState) if s.looks >= view.limit(STEPS)), None)
    if state is not None:
        return _without_past(state)
    draw = next(iter(view.record.facts(Draw)), None)
    if draw is not None:
        return _drawn(draw)
    chosen = next(iter(view.record.facts(Chosen)), None)
    if chosen is not None:
        return _looked_up(chosen)
    early = view.record.facts(StepRead)
    # A step that is the same in every sample leaves nothing to tell them by, which says more.
    if early and not succeeded(view.outcome) and collapse_of(view.record) is None:
        return _one_step(early[0], 0.85 if learned_little(view.outcome) else 0.6)
    if not view.has(REACHED):
        return Unknown("which parameters the loss reaches was not measured", (REACHED.name,))
    steps = len({int(s) for series in view[REACHED].values() for s in series.steps})
    if steps < view.limit(STEPS):
        return Unknown(f"the graph of the loss was checked at only {count(steps, 'step')}",
                       ("a longer run",))
    flat = next((each for each in view.record.facts(Flat) if _stays(view, each)), None)
    if flat is not None:
        return _behind_a_step(view, flat)
    cuts = [(cut, lost) for cut in view.record.facts(Cut) if (lost := _lost(view, cut))]
    idle = next((each for each in view.record.facts(Ungiven) if _is_never_given(view, each)), None)
    if not cuts and idle is not None:
        return _never_given(view, idle)
    lone = _never_reached(view)
    if not cuts and lone:
        return _of_no_graph(view, lone)
    unread = [(cut, lost) for cut, lost in cuts if cut.unread is not None]
    if unread and not any(cut.seen for cut, _ in cuts if cut.unread is None):
        return _left_unread(view, unread)
    if not cuts:
        return Absent("no layer that an optimizer should train is cut off from the loss")
    # Where several losses leave a part out, one should train it: that of the part's own optimizer.
    return _present(view, *next((c for c in cuts if _is_trained_by(view, *c)), cuts[0]))


def _drawn(draw: Draw) -> Present:
    """A draw in the middle of a network, by which no gradient comes back."""
    kind, layer = called(draw.kind), called(draw.layer) if draw.layer else "the next layer"
    return Present(
        strength=0.93, certain=True,
        title=f"the draw from a {kind} has no graph: by {layer}, which is given it, no gradient "
        "comes to the layers that make the distribution",
        since_step=0,
        location=draw.location,
        label="draws without a graph",
        evidence=(Evidence(
            REACHED.name, "", (0,), (0.0,), None,
            f"the parameters of the {kind} have a graph, and what {layer} receives has none"),),
        remedies=(Remedy("draw with a graph", Safety.SAFE, (KeepGraph(draw.location),),
                         advice="rsample() draws as sample() does, and gradients pass through it."),
                  ),
    )


def _looked_up(chosen: Chosen) -> Present:
    """Rows of a table in the middle of a network, by which no gradient comes back."""
    return Present(
        strength=0.9, certain=True,
        title=f"{chosen.name} gets the data only as rows of a table, and the numbers that choose "
        "them have no graph: the layers that make them learn nothing of the labels",
        since_step=0, location=chosen.location, label="looks rows up by numbers without a graph",
        evidence=(Evidence(
            REACHED.name, "", (0,), (0.0,), None,
            "in the graph of this loss nothing meets the data but a table, and no model was given "
            "the numbers that it is read by"),),
        remedies=(Remedy("let the gradient pass by the table", Safety.ADVICE,
                         code_text="rows = z + (rows - z).detach()  # z: what the rows stand for"),
                  ),
    )


def _is_never_given(view: View, idle: Ungiven) -> bool:
    """Whether no step of an optimizer, of several, has found a weight with a gradient."""
    series = view[UNGIVEN].get(idle.name) if view.has(UNGIVEN) else None
    return series is not None and len(series) > view.limit(STEPS) and bool(series.values.all())


def _never_given(view: View, idle: Ungiven) -> Present:
    """A network that is only called without a graph, and an optimizer that steps for it."""
    series = view[UNGIVEN][idle.name]
    return Present(
        strength=0.9, certain=True,
        title=f"no loss reaches the network that {idle.name} is to train, so its weights never get "
        "a gradient and stay as they were",
        since_step=int(series.steps[0]),
        location=idle.location,
        label="the graph ends here" if idle.seen else "no gradient comes back to this call",
        evidence=(Evidence(
            UNGIVEN.name, idle.name, *thinned(series.steps, series.values), 0.0,
            f"at {count(len(series), 'step')} of {idle.name}, none of its weights had ever had a "
            "gradient (drawn as 1)"),),
        remedies=_kept(idle.location, idle.seen),
    )


def _never_reached(view: View) -> list[Parameter]:
    """Plain tensors that an optimizer holds and no loss reaches, though it reaches others."""
    reached = view[REACHED]
    held = {name for optimizer in view.record.facts(Optimizer) for name in optimizer.parameters}
    own = [p for model in view.record.facts(Model) if model.kind == STAND_IN
           for p in model.parameters if p.trainable and p.name in held and p.name in reached]
    lost = [p for p in own if len(p.shape) > 1 and not reached[p.name].values.any()
            and len(reached[p.name]) >= view.limit(STEPS)
            and not (view.has(GRADIENT_NORM) and p.name in view[GRADIENT_NORM])]
    return lost if len(lost) < len(own) else []


def _of_no_graph(view: View, lost: list[Parameter]) -> Present:
    reached = view[REACHED]
    every = [p for p in view.record.parameters().values() if p.trainable]
    names = joined([called(p.name) for p in lost])
    share = percent(weights(lost) / max(weights(every), 1))
    return Present(
        strength=0.85, certain=True,
        title=f"no loss reaches {names[:80]}, so {number(weights(lost))} of "
        f"{count(weights(every), 'weight')} ({share}) get no gradient",
        since_step=int(reached[lost[0].name].steps[0]),
        location=lost[0].made,
        label=f"no gradient ever comes to {names[:60]}",
        evidence=_unreached(view, lost),
        remedies=(Remedy("keep the graph intact", Safety.ADVICE, advice=_ADVICE),),
    )


def _unreached(view: View, lost: list[Parameter]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(REACHED.name, p.name, *thinned(series.steps, series.values), 1.0,
                 f"{p.name} {p.shape} is registered with an optimizer, but no loss reaches it")
        for p in lost[:5] for series in (view[REACHED][p.name],))


def _is_trained_by(view: View, cut: Cut, lost: list[Parameter]) -> bool:
    """Whether the optimizer that steps after the loss of a cut holds the lost weights."""
    names = {parameter.name for parameter in lost}
    return any(optimizer.name == cut.optimizer and not names.isdisjoint(optimizer.parameters)
               for optimizer in view.record.facts(Optimizer))


def _lost(view: View, cut: Cut) -> list[Parameter]:
    """Trainable weights before a cut that no loss reaches and that never had a gradient."""
    reached = view[REACHED]
    gradients = view[GRADIENT_NORM] if view.has(GRADIENT_NORM) else {}
    stepped = view[UPDATE_NORM] if view.has(UPDATE_NORM) else {}
    lost = []
    for parameter in view.record.parameters().values():
        if parameter.layer not in cut.before or not parameter.trainable or parameter.loaded:
            continue
        series = reached.get(parameter.name)
        if series is None or len(np.unique(series.steps)) < view.limit(STEPS):
            return []
        steps = stepped.get(parameter.name)
        if steps is None or len(np.unique(steps.steps)) < view.limit(STEPS):
            return []  # its optimizer has its turn at other steps, perhaps with another loss
        if np.any(series.values != 0):
            return []  # another loss trains this part: the cut is meant
        gradient = gradients.get(parameter.name)
        if gradient is not None and np.any(gradient.values != 0):
            return []
        lost.append(parameter)
    return lost


def _stays(view: View, flat: Flat) -> bool:
    """Whether every gradient of the weights behind a step was zero, whatever else was trained."""
    if not view.has(GRADIENT_NORM):
        return False
    found = [view[GRADIENT_NORM][name].values for name in flat.parameters
             if name in view[GRADIENT_NORM]]
    return bool(found) and all(len(values) >= view.limit(STEPS) and not np.any(values)
                               for values in found)


def _behind_a_step(view: View, flat: Flat) -> Present:
    known = view.record.parameters()
    lost = [known[name] for name in flat.parameters if name in known]
    every = [p for p in known.values() if p.trainable]
    names = joined(called(name) for name in dict.fromkeys(p.layer for p in lost))
    edit = PassThrough(flat.location)
    return Present(
        strength=0.9, certain=True,
        title=f"{flat.name} has a derivative of zero, so {names[:80]} "
        f"({percent(weights(lost) / max(weights(every), 1))} of the weights) get a gradient of "
        "zero and stay as they are",
        since_step=int(view[REACHED][lost[0].name].steps[0]) if lost and (
            lost[0].name in view[REACHED]) else 0,
        location=flat.location,
        label="no gradient passes here",
        evidence=tuple(
            Evidence(GRADIENT_NORM.name, p.name, *thinned(
                view[GRADIENT_NORM][p.name].steps, view[GRADIENT_NORM][p.name].values), None,
                f"the gradient of {p.name} {p.shape} is exactly zero at every step")
            for p in lost[:5] if p.name in view[GRADIENT_NORM]),
        remedies=(Remedy(edit.words(), Safety.SAFE, (edit,)),),
    )


def _present(view: View, cut: Cut, lost: list[Parameter]) -> Verdict:
    reached = view[REACHED]
    every = [p for p in view.record.parameters().values() if p.trainable]
    share = percent(weights(lost) / max(weights(every), 1))
    names = joined([called(name) for name in cut.before])
    return Present(
        # If nothing in the source cuts the graph, the output may only be unused.
        strength=0.9 if cut.seen else 0.45, certain=True,
        title=f"the loss does not reach {names[:80]}, so {number(weights(lost))} of "
        f"{count(weights(every), 'weight')} ({share}) get no gradient",
        since_step=int(reached[lost[0].name].steps[0]),
        location=cut.location,
        label=f"gradients stop at {called(cut.layer or cut.name)[:40]}",
        evidence=_unreached(view, lost),
        remedies=_kept(cut.location, cut.seen),
    )


def _left_unread(view: View, found: list[tuple[Cut, list[Parameter]]]) -> Present:
    """Layers are called, and the text does not use what comes of it."""
    cut, lost = max(found, key=lambda each: weights(each[1]))
    every = [p for p in view.record.parameters().values() if p.trainable]
    names = [called(name) for name in dict.fromkeys(p.layer for p in lost)]
    share = percent(weights(lost) / max(weights(every), 1))
    kept = " or ".join(cut.unread or ())[:40]
    label = f"nothing reads {kept}" if kept else "its result is not kept"
    edit = UseResult(cut.location)
    # A run that learns may have no need of them, and of a few weights hardly any has.
    few = weights(lost) < view.limit(PART) * max(weights(every), 1)
    well = succeeded(view.outcome) or (few and not learned_little(view.outcome))
    return Present(
        strength=0.45 if well else 0.85, certain=not well,
        title=f"what comes out of {called(cut.layer)[:60]} is not used, so "
        f"{joined(names)[:80]} ({share} of the weights) {'get' if len(names) > 1 else 'gets'} no "
        "gradient",
        since_step=int(view[REACHED][lost[0].name].steps[0]),
        location=cut.location,
        label=f"each turn replaces {kept} before it is read" if cut.turns else label,
        evidence=_unreached(view, lost),
        remedies=(Remedy(edit.words(), Safety.SAFE, (edit,)),),
    )


def _without_graph(view: View, cut: Cut) -> Verdict:
    every = [p for p in view.record.parameters().values() if p.trainable]
    which = f"none of its {count(weights(every), 'trainable weight')}" if every else (
        "no weight of an optimizer")
    return Present(
        strength=0.95, certain=True,
        title=f"the loss is disconnected from the network, so {which} gets a gradient",
        since_step=0,
        location=cut.location,
        label="the graph needed for backpropagation is lost here",
        evidence=(Evidence(REACHED.name, "", (0,), (0.0,), 1.0,
                           "the loss reaches no parameter at all"),),
        remedies=_kept(cut.location, cut.seen),
    )


def _without_past(state: CutState) -> Verdict:
    return Present(
        strength=0.85, certain=True,
        title=f"{called(state.name)} gets its own last output without a graph, so of "
        f"{count(state.calls, 'call')} in a row only the last one is trained",
        since_step=0,
        location=state.location,
        label="what was computed before gets no gradient",
        evidence=(Evidence(REACHED.name, state.name, (0,), (1 / state.calls,), 1.0,
                           f"the loss reaches 1 of {count(state.calls, 'call')} of the layer"),),
        remedies=(Remedy(
            "keep the graph between the time steps", Safety.SAFE, (KeepGraph(state.location),),
            advice=_ADVICE) if state.location is not None else Remedy(
                "keep the graph between the time steps", Safety.ADVICE, advice=_ADVICE),),
    )


def _one_step(read: StepRead, strength: float) -> Present:
    steps = "the first time step" if not read.index else (
        f"the first {count(read.index + 1, 'time step')}")
    return Present(
        strength=strength, certain=True,
        title=f"the loss depends on {steps} of {number(read.steps)} only: nothing else is read of "
        f"the output of {called(read.name)[:60]}",
        since_step=0,
        location=read.location,
        label="what comes later in a sequence has no effect",
        evidence=(Evidence(
            REACHED.name, read.name, (0,), ((read.index + 1) / read.steps,), 1.0,
            f"{called(read.name)} runs forwards, so its output at time step {read.index + 1} "
            f"knows nothing of the {count(read.steps - read.index - 1, 'step')} behind it"),),
        remedies=(Remedy("read the last time step", Safety.SAFE, (
            ReadLastStep(read.location, read.axis),)),),
    )


def _kept(location: SourceLocation | None, seen: bool) -> tuple[Remedy, ...]:
    """The graph kept, where the place that cuts is known."""
    if seen:
        return (Remedy("keep the graph intact", Safety.SAFE, (KeepGraph(location),),
                       advice=_ADVICE),)
    return (Remedy("keep the graph intact", Safety.ADVICE, advice=_ADVICE),)


_ADVICE = (
    "Between the layers and the loss, remove whatever ends the graph: detach, .data, item, numpy, "
    "argmax, a comparison, no_grad, or a new tensor made from the values of an old one. If a plot "
    "or a log needs the values, detach a copy."
)


CAUSE = Cause(
    slug="detached-graph",
    code="P006",
    title="Detached graph",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.PLATEAU),
    often=Often.COMMON,
    words=Words(
        symptom="The network learns less than it should, or nothing at all. Some of its layers "
        "never get a gradient although they are registered with an optimizer.",
        consequence="The layers before the cut keep their random weights, and the layers after it "
        "learn on top of noise. If the loss itself is cut off, nothing learns, or the program "
        "ends in an error.",
        why="Gradients flow along the graph that autograd records. A detached tensor, a plain "
        "number, an array, an index, or anything computed under no_grad has no graph.",
        detection="The graph of the loss reaches none of the layers that are called first, "
        "although they are registered with an optimizer. The first layer that it does reach "
        "received an input without a graph. No other loss of the run reaches the lost layers, and "
        "they never had a gradient. Or a layer is called several times in a row, each time with "
        "its own last output, which has lost its graph, and the loss uses the last call only. "
        "Or the text never reads what a layer returns, or reads only an early time step of a "
        "recurrent layer. Or an optimizer steps again and again, and none of its weights ever has "
        "a gradient, although their network is called. "
        "Or a loss of labels, one of several, gets the data only as rows of a table, which the "
        "network chooses by numbers. "
        "Or the loss reaches layers only through an operation whose derivative is zero, such as "
        "rounding, and all their gradients are exactly zero.",
        limitations="A cut in one of several branches is not seen. If another loss trains the "
        "lost part, or its weights were loaded, unstuck assumes that it is detached on purpose.",
        references=("PyTorch: torch.Tensor.detach", "PyTorch: autograd mechanics"),
    ),
    needs=(),
    uses=(REACHED, GRADIENT_NORM, UPDATE_NORM, UNGIVEN),
    thresholds=(STEPS, PART),
    effects=(
        Effect.BAD_START, Effect.UNITS_DIE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
