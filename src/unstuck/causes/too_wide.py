"""Too wide: more units than the task needs, which learn the samples' noise."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._gap import Gap, elements, gap, training_samples
from unstuck.causes._measures import thinned
from unstuck.causes._plateau import model_location
from unstuck.edits import Remedy, ResizeLayer, Safety, number
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS

HARM = Threshold(
    "width-gain-lost", 0.25,
    "Width is blamed only where a quarter of what was learned about held-out data is lost again.",
    "wide networks usually predict new data no worse than narrow ones (Zhang et al. 2017)",
)
WEIGHTS = Threshold(
    "width-weights-per-sample", 10.0,
    "With ten weights for each sample the network can store all of them many times over.",
    "one weight a sample is enough to fit any labels (Zhang et al. 2017, theorem 1)",
)


def _detect(view: View) -> Verdict:
    found = gap(view)
    if not isinstance(found, Gap):
        return found
    if not (found.sure and found.lost >= view.limit(HARM)):
        return Absent("held-out data do not suffer from what was learned last")
    weights, samples = elements(view), training_samples(view)
    if samples is None:
        return Unknown("the number of training samples is not known; a narrower twin would tell",
                       ("run again with half the width: only if too-wide the held-out loss gains",))
    if not weights >= view.limit(WEIGHTS) * samples:
        return Absent(f"{weights} weights are not many for {samples} samples")
    steps, values = thinned(found.held.steps, found.held.values)
    return Present(
        strength=0.4, since_step=found.best_step, location=model_location(view),
        title=f"{weights} weights for {samples} samples: {number(weights / samples)} for each, "
        f"and the held-out loss rose from {number(found.best)} to {number(found.end)}",
        label=f"{weights} weights",
        evidence=(Evidence(HELD_OUT_LOSS.name, "", steps, values, found.best,
                           f"best at step {found.best_step}, {number(found.end)} at the end"),),
        remedies=(Remedy("narrower hidden layers", Safety.CHANGES_EXPERIMENT, tuple(
            ResizeLayer(f) for f in (0.5, 0.25, 0.1))),),
        one_of=("no-regularisation", "too-few-samples"),
        separated_by="run again with half and a quarter of the width: if the train loss stays and "
        "the held-out loss falls, it is too-wide; dropout 0.25 helps alone if no-regularisation",
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
        how_we_tell="Ten weights for each sample, and a held-out loss that lost a quarter of its "
        "gain by more than its noise. A missing restraint and too few samples leave the same "
        "record, so this is a note beside them until a narrower twin was tried.",
        known_problems="Very wide networks often predict new data as well as narrow ones, so width "
        "comes last among the suspects. Data without a loader have no known number.",
        references=(
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
            "Nakkiran et al. 2020: Deep double descent (arXiv 1912.02292)",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS),
    thresholds=(HARM, WEIGHTS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
