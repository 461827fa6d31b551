"""No regularisation: the network learns its samples by heart, and nothing holds it back."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._capacity import model_location
from unstuck.causes._gap import Gap, elements, gap, restraint
from unstuck.causes._measures import loss_points, thinned
from unstuck.causes._samples import training_samples
from unstuck.causes._steps import main_optimizer
from unstuck.edits import Dropout, OptimizerArgument, Remedy, ResizeLayer, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.words import number, percent

LOST = Threshold(
    "held-out-gain-lost", 0.25,
    "A quarter of what the network had learned about held-out data is lost again by the end.",
    "mild rises of a held-out loss are usual in runs whose accuracy still grows",
)
NOTED = Threshold(
    "held-out-gain-noted", 0.05,
    "A rise of a twentieth of the gain is worth a word, and no alarm.",
    "half of the change that outcome rules call material",
)
FITTED = Threshold(
    "train-over-held-out", 0.5,
    "Learning by heart shows in a train loss of half the held-out loss or less.",
    "the two are equal where nothing is learned by heart",
)


def _detect(view: View) -> Verdict:
    found = gap(view)
    if not isinstance(found, Gap):
        return found
    if not (found.sure and found.lost >= view.limit(NOTED)):
        return Absent("the held-out loss did not rise by more than its noise")
    if not found.train <= view.limit(FITTED) * found.end:
        return Absent(f"the train loss of {number(found.train)} is near the held-out loss of "
                      f"{number(found.end)}: little was learned by heart")
    if not view.facts.models:
        return Unknown("what might hold the network back cannot be seen in its curves",
                       ("a run under `unstuck run`",))
    held_back = restraint(view)
    if held_back is not None:
        return Absent(f"the network is held back by {held_back}; its gap has another reason")
    strong = found.lost >= view.limit(LOST)
    optimizer = main_optimizer(view)
    weights, samples = elements(view), training_samples(view)
    remedies = [
        Remedy("dropout", Safety.CHANGES_EXPERIMENT,
               (Dropout(0.25), Dropout(0.1), Dropout(0.01), Dropout(0.5))),
        Remedy("stop at the best held-out loss", Safety.ADVICE,
               advice=f"Keep the weights of step {found.best_step}, where the held-out loss was "
               "best, and stop when it has not improved for some epochs."),
        Remedy("more of the same data", Safety.ADVICE,
               advice="Noise on the inputs, or variations of the samples that leave their labels "
               "as they are, make learning by heart harder; more samples do so best."),
        Remedy("narrower hidden layers", Safety.CHANGES_EXPERIMENT,
               (ResizeLayer(0.5), ResizeLayer(0.25))),
    ]
    if optimizer is not None and optimizer.weight_decay is not None:
        remedies.insert(1, Remedy("weight decay", Safety.CHANGES_EXPERIMENT, tuple(
            OptimizerArgument(optimizer.name, "weight_decay", v) for v in (1e-3, 1e-2, 1e-4))))
    held_steps, held_values = thinned(found.held.steps, found.held.values)
    steps, points = loss_points(view)
    against = "" if samples is None else f" for {samples} samples"
    mode = "" if found.eval_mode else " (averaged as it trains)"
    return Present(
        strength=0.8 if strong else 0.4,
        title=f"the network learns by heart: the held-out loss rose from {number(found.best)} at "
        f"step {found.best_step} to {number(found.end)} while the train loss went to "
        f"{number(found.train)}, and nothing restrains {weights} weights{against}",
        since_step=found.best_step, location=model_location(view),
        label=f"{weights} weights without dropout or decay",
        evidence=(
            Evidence(HELD_OUT_LOSS.name, "", held_steps, held_values, found.best,
                     f"{percent(found.lost)} of the held-out gain was lost again"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the train loss{mode} ends at {number(found.train)}"),
        ),
        remedies=tuple(remedies),
    )


CAUSE = Cause(
    slug="no-regularisation",
    code="R001",
    title="No regularisation",
    family="Generalisation",
    harm=Harm.OVERFIT,
    words=Words(
        symptom="The train loss goes on falling while the held-out loss turns and rises.",
        consequence="Each further epoch makes predictions on new data worse, and more certain of "
        "themselves where they are wrong.",
        why="A network with enough weights can learn its samples one by one. What it picks up "
        "last holds for these samples only, and unless something makes that costly it will.",
        detection="The held-out loss must end above its best by four standard errors and by a "
        "quarter of what had been gained over a constant prediction, the train loss must be half "
        "of it or less, and no layer drops units nor does a decay of any effect pull at the "
        "weights.",
        limitations="Augmented data restrain a network too and are not recognised. A program "
        "that keeps its best weights suffers less than its last loss says. Where it does not "
        "evaluate training data in eval mode, the train loss is that of the training itself. "
        "Dropout that is a function and no layer is not seen. A network that is too wide and too "
        "few samples leave the same curves.",
        references=(
            "Srivastava et al. 2014: Dropout",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 7",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS),
    thresholds=(LOST, NOTED, FITTED),
    explains=("too-few-samples", "too-wide"),
    needs_trend=True,
    detect=_detect,
)
