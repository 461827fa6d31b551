"""Repeated layer: one layer stands at several places, where several layers were meant."""

from __future__ import annotations

from unstuck.measures.basics import thinned
from unstuck.measures.view import View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import BuildEach, Remedy, Safety
from unstuck.schema.facts.sharing import RepeatedLayer, Repeating
from unstuck.schema.findings import Absent, Evidence, Present, Verdict
from unstuck.schema.signals.sharing import LAYER_PLACES
from unstuck.words import called, count

# What a program writes out by hand it may well mean.
_SURE = {Repeating.WRITTEN: 0.45, Repeating.CALL: 0.6, Repeating.UNKNOWN: 0.6}
# What a dictionary holds under several names is meant, unless one expression repeats it.
_IN_ONE_GO = (Repeating.KEYS, Repeating.COMPREHENSION)
_IDLE = ", and they are given the same input, so that they all give the same"


def _detect(view: View) -> Verdict:
    if all(series.values.max() <= 1 for series in view[LAYER_PLACES].values()):
        return Absent("every place of every container has a layer of its own")
    found = [fact for fact in view.record.facts(RepeatedLayer) if not fact.intended and (
        fact.idle or fact.holder_kind != "ModuleDict" or fact.how in _IN_ONE_GO)]
    if not found:
        return Absent("the repeated layers are shared on purpose: names or comments say so, or a "
                      "dictionary holds them under names of their own")
    return _present(view, max(found, key=lambda fact: (_strength(fact), _saved(fact))))


def _strength(fact: RepeatedLayer) -> float:
    return 0.9 if fact.idle else _SURE.get(fact.how, 0.9)


def _saved(fact: RepeatedLayer) -> int:
    """The weights that are missing because the layer is the same at all places."""
    return fact.elements * (len(fact.places) - 1)


def _present(view: View, fact: RepeatedLayer) -> Present:
    places = len(fact.places)
    series = max(view[LAYER_PLACES].values(), key=lambda found: float(found.values.max()))
    steps, values = thinned(series.steps, series.values)
    missing = count(_saved(fact), "weight")
    where = f"{called(fact.holder)} ({fact.holder_kind})"
    return Present(
        strength=_strength(fact),
        title=f"the {places} places {fact.places[0]} to {fact.places[-1]} of {where} hold one and "
        f"the same {fact.kind}, so the model has {missing} fewer than it seems",
        since_step=int(series.steps[0]),
        location=fact.location,
        label=f"this puts one {fact.kind} into {places} places",
        evidence=(Evidence(
            LAYER_PLACES.name, fact.holder, steps, values, 1.0,
            f"{where} holds the same {fact.kind} of {count(fact.elements, 'weight')} at "
            f"{places} places{_IDLE if fact.idle else ''}"),),
        remedies=(
            Remedy("build each layer", Safety.SAFE, (BuildEach(fact.location),),
                   advice="Build a new layer for each place in a list comprehension, or copy it "
                   "with copy.deepcopy."),
            Remedy("say that it is shared", Safety.ADVICE,
                   advice="If the layers are meant to share their weights, keep one layer and call "
                   "it several times in forward, or name it so, such as shared_layer."),
        ),
    )


CAUSE = Cause(
    slug="repeated-layer",
    code="M009",
    title="Repeated layer",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU,),
    words=Words(
        symptom="A deep network does no better than a shallow one. It has far fewer parameters "
        "than you built, and the layers of its state_dict have equal weights.",
        consequence="All these places are one layer: they share their weights and their gradients "
        "add up. The network has the capacity of one layer and the depth of many.",
        why="In Python, [layer] * n makes a list of n references to one object. A list "
        "comprehension over a name does the same. PyTorch counts the parameters of an object "
        "once, however often it is registered.",
        detection="A Sequential, a ModuleList, or a module with numbered attributes holds one "
        "object with weights at several places. So does a ModuleDict that one expression fills, "
        "or whose places get the same input. Activations are left out, and so are layers that "
        "the program calls several times without giving them several places.",
        limitations="Layers that share weights on purpose look the same. They are not reported if "
        "a name, a comment or a docstring there speaks of sharing, and are only a possibility if "
        "the layer's name is written out at each place.",
        references=("PyTorch: torch.nn.ModuleList",
                    "Python: Programming FAQ, How do I create a multidimensional list?"),
    ),
    needs=(LAYER_PLACES,),
    effects=(
        Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH, Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
