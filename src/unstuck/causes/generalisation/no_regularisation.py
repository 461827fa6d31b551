"""No regularisation: the network memorises its samples, and nothing holds it back."""

from __future__ import annotations

from unstuck.measures.basics import loss_points, thinned
from unstuck.measures.capacity import model_location
from unstuck.measures.gap import Gap, elements, gap, not_kept, restraining, restraint
from unstuck.measures.samples import training_samples
from unstuck.measures.steps import main_optimizer
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, ResizeLayer, Safety
from unstuck.schema.facts.models import Model
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import LABELS_BY_CHANCE, LABELS_FOUND
from unstuck.words import count, number, percent, times

LOST = Threshold(
    "held-out-gain-lost", 0.25,
    "By the end, a quarter of what the network had learned about held-out data is lost again.",
    "slight rises of a held-out loss are usual in runs whose accuracy still grows",
)
NOTED = Threshold(
    "held-out-gain-noted", 0.05,
    "If a twentieth of the gain is lost again, that is worth a note but not a warning.",
    "half of the change that counts as material when the outcome is judged",
)
FITTED = Threshold(
    "train-over-held-out", 0.5,
    "The network has memorised samples if the training loss is half the held-out loss or less.",
    "the two are equal if nothing is memorised",
)


def _detect(view: View) -> Verdict:
    found = gap(view)
    if not isinstance(found, Gap):
        return found
    rose = found.sure and found.lost >= view.limit(NOTED)
    if not rose and not found.memorised:
        return Absent("the held-out loss did not rise by more than its noise, and it is not far "
                      "above a training loss of nearly zero")
    if not found.train <= view.limit(FITTED) * found.end:
        return Absent(f"the training loss of {number(found.train)} is close to the held-out loss "
                      f"of {number(found.end)}, so little was memorised")
    if not view.record.facts(Model):
        return Unknown("curves alone do not show whether the network is regularised",
                       ("a run under `unstuck run`",))
    if (restored := not_kept(view)) is not None:
        return restored
    held_back = restraint(view)
    if held_back is not None:
        return Absent(f"the network is regularised by {held_back}, so its gap has another reason")
    strong = found.lost >= view.limit(LOST) or found.memorised
    weights, samples = count(elements(view), "weight"), training_samples(view)
    remedies = (
        *restraining(view, (0.25, 0.1, 0.01, 0.5), (1e-3, 1e-2, 1e-4)),
        Remedy("stop at the best held-out loss", Safety.ADVICE,
               advice=f"Keep the weights of step {number(found.best_step)}, where the held-out "
               "loss was best, and stop when it has not improved for several epochs."),
        Remedy("get more data, or augment it", Safety.ADVICE,
               advice="Use more samples, add noise to the inputs, or vary the samples in ways that "
               "leave their labels as they are."),
        Remedy("make the hidden layers narrower", Safety.CHANGES_EXPERIMENT,
               (ResizeLayer(0.5), ResizeLayer(0.25))),
    )
    held_steps, held_values = thinned(found.held.steps, found.held.values)
    steps, points = loss_points(view)
    learned_from = "" if samples is None else f" for {count(samples, 'sample')}"
    mode = "" if found.eval_mode else " (averaged during training)"
    lost = (f"{times(found.lost)} the earlier gain" if found.lost >= 10 else
            f"{percent(found.lost)} of the earlier gain")
    went = (f"the held-out loss rose from {number(found.best)} at step "
            f"{number(found.best_step)} to {number(found.end)}" if rose else
            f"the held-out loss stays at {number(found.end)}")
    optimizer = main_optimizer(view)
    at = None if optimizer is None else optimizer.location  # where a decay of the weights belongs
    return Present(
        strength=0.8 if strong else 0.4,
        title=f"the network memorises its samples: {went} while the "
        f"training loss ended at {number(found.train)}, and nothing regularises "
        f"{weights}{learned_from}",
        since_step=found.best_step, location=at or model_location(view), of_value=True,
        label=f"{weights} without dropout or effective weight decay",
        evidence=(
            Evidence(HELD_OUT_LOSS.name, "", held_steps, held_values, found.best,
                     f"predictions on held-out data got worse again ({lost} was lost)" if rose else
                     "most of the loss of a constant prediction is left on held-out data"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the training loss ends at {number(found.train)}{mode}"),
        ),
        remedies=remedies,
    )


CAUSE = Cause(
    slug="no-regularisation",
    code="R001",
    title="No regularisation",
    family="Generalisation",
    harm=Harm.OVERFIT,
    symptoms=(Symptom.OVERFITS,),
    often=Often.COMMON,
    words=Words(
        symptom="The training loss keeps falling while the held-out loss turns and rises.",
        consequence="Each further epoch makes predictions on new data worse. Where they are wrong, "
        "the network also becomes more certain of them.",
        why="A network with enough weights can memorise its samples one by one. What it learns "
        "last holds for these samples only. Unless something makes memorising costly, the network "
        "does it.",
        detection="The held-out loss must end above its best value by four standard errors, and by "
        "a quarter of what had been gained over a constant prediction (a twentieth for a note), "
        "or keep more than half of a constant prediction's loss while next to nothing of it is "
        "left in training. The training loss must be half of the held-out loss or less. The "
        "network must have no dropout layer, and no weight decay that has any effect.",
        limitations="Augmented data also regularise a network but are not recognised. A program "
        "that restores its best weights with load_state_dict after training is not accused; one "
        "that only saves them to a file is. If a program does "
        "not evaluate training data in eval mode, unstuck uses the loss averaged during training. "
        "Dropout that is written by hand is not seen. A network that is "
        "too wide and a data set that is too small produce the same curves.",
        references=(
            "Srivastava et al. 2014: Dropout",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 7",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS, LABELS_FOUND, LABELS_BY_CHANCE),
    thresholds=(LOST, NOTED, FITTED),
    shows=Effect.MEMORISES,
    needs_trend=True,
    detect=_detect,
)
