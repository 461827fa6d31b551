"""Too wide: more units than the task needs, which learn the samples' noise."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._capacity import hidden, model_location, widths
from unstuck.causes._gap import Gap, elements, gap
from unstuck.causes._measures import final, thinned
from unstuck.causes._samples import training_samples
from unstuck.edits import Remedy, ResizeLayer, Safety
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.sample_signals import DISTINCT_SAMPLES
from unstuck.signals import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.words import number

HARM = Threshold(
    "width-gain-lost", 0.25,
    "Width is blamed only where a quarter of what was learned about held-out data is lost again.",
    "wide networks usually predict new data no worse than narrow ones (Zhang et al. 2017)",
)
UNITS = Threshold(
    "units-per-sample", 1.0,
    "A hidden layer with as many units as there are samples can give any sample any output by a "
    "weighted sum of its units.",
    "as many equations as unknowns; Zhang et al. 2017, theorem 1",
)
TRIAL = ("a run with half and one with a quarter of the width: if the train loss stays and the "
         "held-out loss falls, it is too-wide; dropout 0.25 helps alone if no-regularisation, more "
         "samples if too-few-samples")


def _detect(view: View) -> Verdict:
    if view.outcome.kind is not OutcomeKind.OVERFITTING:
        return Absent(f"the outcome is {view.outcome.kind}: held-out data do not pay for the width")
    found = gap(view)
    if not isinstance(found, Gap):
        return found
    if not (found.sure and found.lost >= view.limit(HARM)):
        return Absent("held-out data do not suffer from what was learned last")
    inner = hidden(widths(view))
    if not inner:
        return Absent("there is no hidden layer that could be too wide")
    widest = max(inner, key=lambda one: one.units)
    samples = training_samples(view) or final(view, DISTINCT_SAMPLES)
    if samples is None:
        return Unknown("the number of training samples is not known; a narrower twin would tell",
                       (DISTINCT_SAMPLES.name, TRIAL))
    if not widest.units >= view.limit(UNITS) * samples:
        return Absent(f"the widest hidden layer has {widest.units} units for {number(samples)} "
                      "samples")
    steps, values = thinned(found.held.steps, found.held.values)
    return Present(
        strength=0.4, since_step=found.best_step, location=model_location(view),
        title=f"{widest.units} units in a layer for {number(samples)} samples, and the held-out "
        f"loss rose from {number(found.best)} to {number(found.end)}",
        label=f"{elements(view)} weights",
        evidence=(Evidence(HELD_OUT_LOSS.name, "", steps, values, found.best,
                           f"best at step {found.best_step}, {number(found.end)} at the end"),),
        remedies=(Remedy("narrower hidden layers", Safety.CHANGES_EXPERIMENT, tuple(
            ResizeLayer(f) for f in (0.5, 0.25, 0.1))),),
        one_of=("no-regularisation", "too-few-samples"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-wide",
    code="M004",
    title="Too wide",
    family="Model",
    harm=Harm.OVERFIT,
    words=Words(
        symptom="Training is slow and drives the train loss to nothing, while held-out data are "
        "predicted worse and worse.",
        consequence="Time and memory go into units that store single samples and their noise.",
        why="The weights grow with the square of the width. Far more of them than samples can "
        "hold everything that tells one sample from another, whether it means something or not.",
        detection="The held-out loss lost a quarter of its gain by more than its noise, and a "
        "hidden layer has as many units as there are training samples, or more. A missing "
        "restraint and too few samples leave the same record, so this is a note beside them until "
        "a narrower twin was tried.",
        limitations="Very wide networks often predict new data as well as narrow ones, so width "
        "comes last among the suspects. Where the samples could not be counted nothing is said.",
        references=(
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
            "Nakkiran et al. 2020: Deep double descent (arXiv 1912.02292)",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS, DISTINCT_SAMPLES),
    thresholds=(HARM, UNITS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
