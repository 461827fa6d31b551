"""Too much regularisation: dropout or weight decay keeps the network from learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unstuck.curves.collapse import collapse_of
from unstuck.measures import decay, dropping
from unstuck.measures.basics import (
    constant_loss,
    failed,
    learned_little,
    loss_ends_at,
    loss_points,
    measured,
    thinned,
    train_loss_at_the_end,
)
from unstuck.measures.evaluation import late_value
from unstuck.measures.steps import main_optimizer
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Dropout, OptimizerArgument, Remedy, RemoveLayer, Safety, WeighTerm
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM
from unstuck.schema.signals.sums import TERM_LOSS, TERM_SHARE, TERM_SKILL
from unstuck.schema.signals.targets import LOSS_INPUT_DROPPED
from unstuck.words import number, percent

DROPPED = Threshold(
    "dropped-share", 0.7,
    "Dropout with p = 0.1 to 0.5 is usual. If 70 % of the units are zeroed at a time, what is left "
    "of the layer changes with every step.",
    "Srivastava et al. 2014: keep 0.5 to 0.8 of the hidden units, which is p = 0.5 to 0.2 in "
    "PyTorch",
)
DROWNED = Threshold(
    "drowning-dropout", 0.9,
    "Each output of such a layer varies by three times its own size from step to step. In a run "
    "that learned nothing this alone is enough, because eval mode cannot show what was never "
    "learned.",
    "relative to the output, inverted dropout has a standard deviation of sqrt(p / (1 - p))",
)
MODES = Threshold(
    "train-over-eval", 1.1,
    "Without dropout the loss of the same network is better by a tenth. That is more than it gains "
    "in the steps over which the training loss is averaged, so it struggles with the dropout.",
    "with usual dropout in a network that has learned a lot, the two losses differ by more, but "
    "both are low",
)
SOMETHING = Threshold(
    "least-eval-skill", 0.05,
    "Without dropout the network must beat a constant prediction. Otherwise dropout is not the "
    "only thing that stops it.",
    "the outcome rules call a loss no better than a constant's from 0.96 of it on",
)
ENOUGH = Threshold(
    "most-eval-skill", 0.67,
    "A network that removes two thirds of a constant prediction's loss when nothing is dropped has "
    "learned despite its dropout, even if its training loss does not show it.",
    "between half, which is little, and nine tenths, which is good",
)
SHRUNK = Threshold(
    "weights-shrunk", 0.5,
    "The weight matrices have lost at least half of their norm since the start.",
    "training usually makes weights grow; programs in the corpus keep at least nine tenths "
    "of theirs",
)
PULL = Threshold(
    "share-of-decay", 0.3,
    "The weight decay pulls at least three tenths as hard on the weights as the gradient of the "
    "loss.",
    "with the usual weight decay of 1e-4 to 1e-2 it pulls a few per cent as hard",
)
HALF = Threshold(
    "share-of-the-penalty", 0.5,
    "At the first steps, where the data have most to say, the gradient of the penalty on the "
    "weights is at least as large as that of all other terms together.",
    "a penalty that only keeps weights small has a few per cent of the gradient at the start",
)
ANSWERS = Threshold(
    "dropped-answers", 0.02,
    "Dropout belongs between layers: what is left of a layer can stand for what is missing. Behind "
    "the last one nothing does.",
    "no network of the field drops its outputs; the smallest dropout in use is 5 %",
)
DEAR = Threshold(
    "cost-of-the-penalty", 0.5,
    "The penalty adds half as much to the loss as the data do. Where training has plateaued, the "
    "data would gain that much, to first order, if the weights were half as large again.",
    "a penalty that only keeps weights small adds a few per cent",
)
POOR_DATA = Threshold(
    "skill-beside-a-penalty", 0.75,
    "A network that learns well comes down to a quarter of a constant's loss and less.",
    "what counts as short of the aim elsewhere",
)
HEARD = Threshold(
    "share-of-the-largest-gradient", 0.1,
    "Only weights count whose gradient is at least a tenth of the largest one: where a gradient "
    "vanishes, the weakest decay wins.",
    "the gradient of plain layers that are well initialised stays within a factor of ten",
)
WHOLE = Threshold(
    "eval-over-train", 2.0,
    "Dropout makes a loss larger, not smaller. If the loss on the training data doubles when "
    "nothing is dropped, what was learned is right only for a network with most units missing.",
    "with usual dropout the loss without it is the lower one",
)
LITTLE = 0.5  # of a constant prediction's loss is gone
EARLY = 5  # steps, before which a decay has had no time to make the gradient small


def _detect(view: View) -> Verdict:
    if (at_the_end := _at_the_end(view)) is not None:
        return at_the_end
    if not learned_little(view.outcome):
        if (lost := _lost_in_eval_mode(view)) is not None:
            return lost
        found = _penalty(view) if view.outcome.skill is None else None
        skill = decay.skill_of_the_data(view)
        if isinstance(found, Present) and skill is not None and skill < view.limit(POOR_DATA):
            return replace(found, hides_outcome=True)
        optimizer, starved = main_optimizer(view), decay.is_a_term_starved(view)
        dear = decay.cost_of_decay(view, optimizer) >= view.limit(DEAR)
        if (starved or dear) and isinstance(shrunk := _decay(view), Present):
            return replace(shrunk, hides_outcome=bool(starved))
        most = dropping.dropped_share(view) >= view.limit(DROPPED)
        if (decay.shrinks(optimizer) and starved is not False) or (skill is None and isinstance(
                found, Present | Unknown)) or (most and (skill or 0.0) < view.limit(POOR_DATA)):
            return Unknown("it is not known what each term of the loss came to", (TERM_SKILL.name,))
        return Absent("the network learned despite its regularisation")
    if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.OVERFITTING, OutcomeKind.CRASHED):
        return Absent(f"the outcome of the run is \"{view.outcome.kind}\", which too much "
                      "regularisation does not cause")
    verdicts = [_dropout(view), _decay(view), _penalty(view)]
    for kind in (Present, Unknown):
        found = next((verdict for verdict in verdicts if isinstance(verdict, kind)), None)
        if found is not None:
            return found
    return verdicts[0]


# Dropout -----------------------------------------------------------------------------------------
def _dropout(view: View) -> Verdict:
    layer = dropping.strongest_dropout(view)
    if layer is None or layer.share < view.limit(DROPPED):
        return Absent("neither dropout nor weight decay is strong enough to stop the network from "
                      "learning")
    does = f"{layer.name} zeroes {percent(layer.share)} of its units"
    train = train_loss_at_the_end(view)
    drowned = failed(view.outcome) and layer.share >= view.limit(DROWNED)
    other, constant = dropping.loss_without_dropout(view), constant_loss(view)
    if other is None or not constant or not constant > 0:
        if drowned:
            return _dropout_present(view, layer, train, None)
        return Unknown(f"{does}, but the loss without dropout was not measured",
                       ("a pass over the training data in eval mode",))
    quiet = other[1]
    skill = 1 - quiet / constant
    if skill >= view.limit(ENOUGH):
        return Absent(f"the network does well without dropout (its loss is {number(quiet)})")
    if drowned:
        return _dropout_present(view, layer, train, other)
    if not (skill >= view.limit(SOMETHING) and train >= view.limit(MODES) * quiet):
        return Unknown(f"{does}, but without dropout its loss is not clearly better",
                       ("a run with half the dropout",))
    return _dropout_present(view, layer, train, other)


def _dropout_present(
    view: View, layer: dropping.Dropping, train: float, other: tuple[str, float] | None
) -> Present:
    over = train / other[1] if other is not None and other[1] > 0 else 0.0
    strength = 0.85 if over >= 1.2 else 0.75 if over >= view.limit(MODES) else 0.6
    ladder = tuple(Dropout(p) for p in (0.25, 0.1, 0.5, 0.01) if p < layer.share)
    return Present(
        strength=strength, since_step=0, location=layer.location, of_value=True,
        title=f"{layer.name} zeroes {percent(layer.share)} of its units at every step (usual: 10 "
        f"to 50 %), and the loss stays at {number(train)}",
        label=f"keeps only {percent(1 - layer.share)} of the units",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", *loss_points(view), None,
                     f"the training loss, with dropout, ends at {number(train)}"),
            *([] if other is None else [
                Evidence(other[0], "", (view.record.steps,), (other[1],), None,
                         "the same network without dropout (in eval mode) has a loss of "
                         f"{number(other[1])}")]),
        ),
        remedies=(Remedy("use less dropout", Safety.CHANGES_EXPERIMENT, ladder),),
    )


def _lost_in_eval_mode(view: View) -> Present | None:
    """What was learned with most units dropped, and does not hold when all are there."""
    layer, train = dropping.strongest_dropout(view), train_loss_at_the_end(view)
    whole, constant = late_value(view, SEEN_LOSS), constant_loss(view)
    if layer is None or layer.share < view.limit(DROPPED) or whole is None or not constant or (
            1 - whole / constant >= LITTLE or not whole >= view.limit(WHOLE) * train):
        return None
    return replace(
        _dropout_present(view, layer, train, (SEEN_LOSS.name, whole)), strength=0.8,
        hides_outcome=True,
        title=f"{layer.name} zeroes {percent(layer.share)} of its units at every step (usual: 10 "
        f"to 50 %), and without it the loss on the same data is {number(whole)} instead of "
        f"{number(train)}")


def _at_the_end(view: View) -> Present | None:
    """Dropout of the network's own answers: there is nothing behind it to make up for them."""
    if not view.has(LOSS_INPUT_DROPPED):
        return None
    shares = {name: float(np.median(series.finite.values))
              for name, series in view[LOSS_INPUT_DROPPED].items() if len(series.finite) >= EARLY}
    loss = next((each for each in view.record.facts(Loss)
                 if shares.get(each.name, 0.0) >= view.limit(ANSWERS)), None)
    if loss is None:
        return None
    share, series = percent(shares[loss.name]), view[LOSS_INPUT_DROPPED][loss.name].finite
    layer = view.record.layers().get(loss.input_layer or "")
    called_at = loss.input_location if loss.input_location is not None and (
        layer is None or f".{layer.name.rpartition('.')[2]}(" in (loss.input_location.text or "")
    ) else None
    name = layer.name if layer is not None and called_at is None else "torch.dropout"
    other, train = dropping.loss_without_dropout(view), train_loss_at_the_end(view)
    worse = other is not None and train >= view.limit(MODES) * other[1]
    return Present(
        strength=0.85 if worse or learned_little(view.outcome) else 0.5, since_step=0,
        location=called_at or (layer.location if layer is not None else loss.location),
        title=f"dropout sets {share} of what the loss receives to zero: it comes behind the last "
        "layer, so no weights can make up for it",
        label=f"zeroes {share} of the network's own answers",
        evidence=(
            Evidence(LOSS_INPUT_DROPPED.name, loss.name, *thinned(series.steps, series.values),
                     view.limit(ANSWERS), f"{share} of the outputs are zero when the loss is "
                     "computed, other ones at each step (healthy: none)"),
            *([] if other is None else [
                Evidence(other[0], "", (view.record.steps,), (other[1],), None,
                         f"the training loss ends at {number(train)}; without dropout (in eval "
                         f"mode) the network has a loss of {number(other[1])}")]),
        ),
        remedies=(Remedy("no dropout behind the last layer", Safety.SAFE,
                         (RemoveLayer(name, called_at),)),),
    )


# Weight decay ------------------------------------------------------------------------------------
def _decay(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or not (optimizer.weight_decay or 0.0) > 0:
        return Absent("no weight decay was set")
    if not (view.has(WEIGHT_NORM) and view.has(UPDATE_NORM) and view.has(GRADIENT_NORM)):
        return Unknown("the sizes of weights, gradients and updates were not measured",
                       (WEIGHT_NORM.name,))
    left = decay.left_of_weights(view, optimizer)
    pulls = decay.pulls_of_decay(view, optimizer, view.limit(HEARD))
    early = [pull for step, pull in pulls.items() if step < EARLY]
    if not left or not early:
        return Unknown("too few gradients were measured to compare the weight decay with them",
                       (GRADIENT_NORM.name, "a run without weight decay"))
    if (collapse := collapse_of(view.record)) is not None and collapse.from_start:
        return Absent("the output was the same for every sample before the decay had shrunk it")
    # A gradient that is gone lets any decay win: it must have been strong from the start.
    shrunk = float(np.median(list(left.values())))
    pull = min(float(np.median(early)), float(np.median(list(pulls.values()))))
    most, least = view.limit(SHRUNK), view.limit(PULL)
    if not (shrunk <= most and (pull >= least or decay.shrinks(optimizer))) and not (
            decay.cost_of_decay(view, optimizer) >= view.limit(DEAR)):
        return Absent(f"the weights kept {percent(shrunk)} of their norm, and the weight decay "
                      f"pulls {decay.strength(pull)} as hard as the gradient of the loss")
    shrinking = decay.shrinking(view, left, most)
    return _decay_present(view, optimizer, shrinking, shrunk, pull)


def _decay_present(
    view: View, optimizer: Optimizer, shrinking: Evidence, shrunk: float, pull: float
) -> Present:
    amount = optimizer.weight_decay or 0.0
    how = (f"it pulls {decay.strength(pull)} as hard as the gradient of the loss (usual: a few per "
           "cent)" if pull >= view.limit(PULL) else
           f"{optimizer.kind} scales it up with the gradient")
    return Present(
        strength=0.85 if shrunk <= view.limit(SHRUNK) / 2 else 0.75, since_step=0,
        location=optimizer.location, of_value=True,
        title=f"the weight decay of {number(amount)} " + ("keeps the weights small: " if shrunk >= 1
        else f"has shrunk the weights to {percent(shrunk)} of their norm: ") + how,
        label="shrinks the weights faster than the loss makes them grow",
        evidence=(shrinking, Evidence(
            TRAIN_LOSS.name, "", *loss_points(view), None,
            f"the loss ends at {number(loss_ends_at(view))}")),
        remedies=(Remedy("use less weight decay", Safety.CHANGES_EXPERIMENT, tuple(
            OptimizerArgument(optimizer.name, "weight_decay", v)
            for v in (1e-4, 1e-3, 1e-2, 0.0) if v < amount)),),
    )


# Penalties ---------------------------------------------------------------------------------------
def _penalty(view: View) -> Verdict:
    """Judges a term of the loss that is made of nothing but the weights."""
    optimizer = main_optimizer(view)
    terms = [term for term in view.record.facts(LossTerm) if term.penalty]
    if not terms or optimizer is None:
        return Absent("the loss has no term that is a penalty on the weights")
    if not (view.has(TERM_SHARE) and view.has(WEIGHT_NORM)):
        return Unknown("the penalty on the weights was not measured",
                       (TERM_SHARE.name, WEIGHT_NORM.name))
    shares = {term.name: float(np.median(values[:EARLY])) for term in terms
              if term.name in view[TERM_SHARE]
              and len(values := view[TERM_SHARE][term.name].finite.values)}
    left = decay.left_of_weights(view, optimizer)
    if not shares or not left:
        return Unknown("the gradient of the penalty on the weights was not measured",
                       (TERM_SHARE.name,))
    most = max(shares, key=lambda name: shares[name])
    shrunk = float(np.median(list(left.values())))
    strong, small = shares[most] >= view.limit(HALF), shrunk <= view.limit(SHRUNK)
    cost = decay.cost_of_penalties(view)
    dear = cost is not None and cost >= view.limit(DEAR)
    if strong and not (small or dear) and (cost is None or 2 * max(
            view[WEIGHT_NORM][name].steps[-1] for name in left) < view.record.steps):
        return Unknown("the weights were not measured late enough to see what the penalty on them "
                       "came to", ("a run with --overhead 1",))
    if not (strong and (small or dear)):
        return Absent(f"the weights kept {percent(shrunk)} of their norm, and the penalty on them "
                      f"starts with {percent(shares[most])} of the gradient")
    term = next(term for term in terms if term.name == most)
    return Present(
        strength=0.85 if shrunk <= view.limit(SHRUNK) / 2 else 0.75, since_step=0,
        location=term.location or term.sum_location, of_value=True,
        title=(f"the penalty on the weights has shrunk them to {percent(shrunk)} of their norm" if
               small else f"the penalty on the weights adds {percent(cost or 0.0)} to the loss of "
               "the data") + f": it starts with {percent(shares[most])} of the gradient",
        label="weighs more than all that the data say",
        evidence=(
            *([decay.shrinking(view, left, view.limit(SHRUNK))] if small else []),
            measured(view, TERM_SHARE, most, view.limit(HALF),
                     "the penalty's share of the gradient, where it joins that of the other terms"),
        ),
        remedies=(Remedy("give the penalty a smaller weight", Safety.CHANGES_EXPERIMENT, tuple(
            WeighTerm(term.location, factor) for factor in (0.1, 0.01, 0.001)
            ) if term.location is not None else (),
            advice="Multiply the penalty by a smaller factor."),),
    )


CAUSE = Cause(
    slug="too-much-regularisation",
    code="R002",
    title="Too much regularisation",
    family="Generalisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU, Symptom.SAME),
    words=Words(
        symptom="The network predicts neither the training data nor new data well, and more epochs "
        "do not change that.",
        consequence="What the network computes stays far simpler than the task, however large the "
        "network is.",
        why="Dropout hides units so that the network relies on none of them. (In PyTorch, p is the "
        "share of the units that is dropped; in the literature it is often the share that is "
        "kept.) Weight decay makes large weights costly. If dropout is too strong, too few units "
        "are left to compute with. If weight decay is too strong, it pulls the weights to zero "
        "faster than the gradient can make them grow.",
        detection="Dropout of what the loss receives is always reported: no layer comes behind it. "
        "Otherwise only runs that learned little are judged, and those that know little of their "
        "own training data once nothing is dropped. A dropout layer is reported if it "
        "zeroes at least 70 % of its units, and the same network without dropout is clearly "
        "better, and better than a constant, but far from good. If the run learned nothing at all, "
        "a dropout of at least 90 % is enough. Weight decay is reported if the weight matrices "
        "have lost half of their norm and the decay pulled, from the first steps on, at least "
        "three tenths as hard as the gradient of the loss, over all weights together. A "
        "penalty that the program adds to its loss is reported if the matrices have shrunk as "
        "much, and it had at least half of the gradient at first.",
        limitations="If less than 90 % of the units are dropped and the network does not beat a "
        "constant in eval mode either, only a trial can show whether dropout is to blame. "
        "Noise on the inputs is not judged, and neither is dropout that is written by hand.",
        references=(
            "Srivastava et al. 2014: Dropout",
            "Krogh, Hertz 1991: A simple weight decay can improve generalization",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM,
          TERM_LOSS, TERM_SHARE, TERM_SKILL, LOSS_INPUT_DROPPED),
    thresholds=(WHOLE, ANSWERS, DROPPED, DROWNED, MODES, SOMETHING, ENOUGH, SHRUNK, PULL, HALF,
                DEAR, POOR_DATA, HEARD),
    shows=Effect.WEIGHTS_SHRINK,
    effects=(Effect.BAD_START, Effect.UPDATES_TOO_LARGE, Effect.GRADIENTS_VANISH,
             Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    needs_trend=True,
    detect=_detect,
)
