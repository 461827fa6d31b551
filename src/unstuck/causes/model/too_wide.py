"""Too wide: more units than the task needs, which memorise the noise in the samples."""

from __future__ import annotations

from unstuck.measures.basics import final, thinned
from unstuck.measures.capacity import hidden, model_location, widths
from unstuck.measures.gap import Gap, elements, gap, not_kept
from unstuck.measures.samples import training_samples
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Dropout, Remedy, ResizeLayer, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import DISTINCT_SAMPLES, LABELS_BY_CHANCE, LABELS_FOUND
from unstuck.words import count, number

HARM = Threshold(
    "width-gain-lost", 0.25,
    "Width is blamed only if a quarter of what was gained on held-out data is lost again.",
    "wide networks usually predict new data no worse than narrow ones (Zhang et al. 2017)",
)
UNITS = Threshold(
    "units-per-sample", 1.0,
    "From a hidden layer with as many units as there are samples, a weighted sum of the units can "
    "produce any output for any sample.",
    "as many equations as unknowns; Zhang et al. 2017, theorem 1",
)
FAR = Threshold(
    "units-of-the-very-wide", 1_000.0,
    "For few samples, so many units are rare. In smaller layers missing regularisation or too few "
    "samples are as likely.",
    "a choice: hidden layers for tables and small images have 16 to 512 units",
)
TRIAL = ("runs with half and a quarter of the width, one with nn.Dropout(0.25) and one with more "
         "samples (it is too-wide if less width lowers the held-out loss and not the training "
         "loss, no-regularisation if only dropout helps, too-few-samples if only more samples do)")


def _detect(view: View) -> Verdict:
    if view.outcome.kind is not OutcomeKind.OVERFITTING:
        return Absent(f"the outcome of the run is \"{view.outcome.kind}\", not \"overfitting\"")
    found = gap(view)
    if not isinstance(found, Gap):
        return found
    rose = found.sure and found.lost >= view.limit(HARM)
    if (restored := not_kept(view)) is not None:
        return restored
    inner = hidden(widths(view))
    if not inner:
        return Absent("there is no hidden layer that could be too wide")
    widest = max(inner, key=lambda one: one.units)
    samples = training_samples(view) or final(view, DISTINCT_SAMPLES)
    if samples is None:
        return Unknown("the number of training samples is not known",
                       (DISTINCT_SAMPLES.name, TRIAL))
    if not widest.units >= view.limit(UNITS) * samples:
        return Absent(f"the widest hidden layer has only {count(widest.units, 'unit')} for "
                      f"{count(round(samples), 'sample')}")
    by_far = widest.units >= max(view.limit(FAR), view.limit(UNITS) * samples)
    if not (rose or by_far):
        return Absent("the held-out loss has hardly risen from its best")
    steps, values = thinned(found.held.steps, found.held.values)
    course = f"rose from {number(found.best)} to" if rose else "stays at"
    return Present(
        strength=0.85 if by_far else 0.4, since_step=found.best_step,
        location=model_location(view), of_value=True,
        title=f"a hidden layer has {count(widest.units, 'unit')} for only "
        f"{count(round(samples), 'sample')}, and the held-out loss {course} {number(found.end)}",
        label=count(elements(view), "weight"),
        evidence=(Evidence(HELD_OUT_LOSS.name, "", steps, values, found.best,
                           f"the held-out loss was best at step {found.best_step} and ends at "
                           f"{number(found.end)}"),),
        remedies=(Remedy("narrow the hidden layers", Safety.CHANGES_EXPERIMENT, tuple(
            ResizeLayer(f) for f in (0.5, 0.25, 0.1))),),
        one_of=("no-regularisation", "too-few-samples"),
        separated_by=Experiment(f"compare {TRIAL}", (
            Arm((ResizeLayer(0.5),), ("too-wide",)),
            Arm((Dropout(0.25),), ("no-regularisation",)),
            Arm((), ("too-few-samples",), "train on more samples"),
        )),
    )


CAUSE = Cause(
    slug="too-wide",
    code="M004",
    title="Too wide",
    family="Model",
    harm=Harm.OVERFIT,
    symptoms=(Symptom.OVERFITS,),
    often=Often.SELDOM,
    words=Words(
        symptom="Training is slow and drives the training loss to zero, while the predictions for "
        "held-out data get worse and worse.",
        consequence="Time and memory go into units that memorise single samples and their noise.",
        why="The number of weights grows with the square of the width. A network with far more "
        "weights than samples can memorise everything that distinguishes one sample from another, "
        "whether it means anything or not.",
        detection="The held-out loss has lost at least a quarter of its improvement again, by more "
        "than its noise. And a hidden layer has at least as many units as there are training "
        "samples. Missing regularisation and too few samples look the same, so this is only a "
        "suspect beside them until a narrower network has been tried. With a thousand units and "
        "more for fewer samples it comes first, also where the held-out loss only stays high.",
        limitations="Very wide networks often predict new data as well as narrow ones, so width "
        "comes last among the suspects. Nothing is reported if the training samples could not be "
        "counted.",
        references=(
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
            "Nakkiran et al. 2020: Deep double descent (arXiv 1912.02292)",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS, DISTINCT_SAMPLES, LABELS_FOUND,
          LABELS_BY_CHANCE),
    thresholds=(HARM, UNITS, FAR),
    shows=Effect.MEMORISES,
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
