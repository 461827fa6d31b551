"""Too shallow: no hidden layer, although the targets are not a weighted sum of the inputs."""

from __future__ import annotations

from unstuck.measures import arms
from unstuck.measures.basics import by_unit, last, measured
from unstuck.measures.capacity import (
    SAMPLE_SIGNALS,
    WEIGHTED,
    Shortfall,
    loss_evidence,
    model_location,
    shortfall,
)
from unstuck.measures.repeats import at_the_same_place
from unstuck.measures.view import Threshold, View
from unstuck.record.reader import Record
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, ReplaceLayer, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.models import Layer, LayerRole, Parameter
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, GRADIENT_PRODUCT, UPDATE_NORM
from unstuck.schema.signals.samples import CLASS_SEPARABILITY, LINEAR_SEPARABILITY
from unstuck.words import count, number

MATRICES = Threshold(
    "few-weight-matrices", 1.0,
    "With a single weight matrix, the outputs are weighted sums of the inputs. A network with one "
    "hidden layer can represent anything in principle, so its depth is not judged.",
    "Hornik et al. 1989: Multilayer feedforward networks are universal approximators",
)
STEPS = Threshold(
    "steps-share-shallow", 0.25,
    "If the noise floor of SGD makes up this share of the loss, the depth is not to blame.",
    "from this share on, a plateau is attributed to the noise floor",
)
SURELY = Threshold(
    "errors-over-baseline-shallow", 4.0,
    "If the loss of a linear model has plateaued, and it leaves this many times as much "
    "unexplained of what it was trained on as a baseline model leaves of new samples, little but "
    "its depth can be the reason.",
    "a choice: twice what counts as behind",
)
HALF = Threshold(
    "behind-by-half", 0.5,
    "So does a linear model whose loss has plateaued behind half of the variance, or of the area "
    "under the curve, that there is.",
    "a choice: what it found cannot be the better part",
)
APART = Threshold(
    "linear-gap", 0.1,
    "Areas under the ROC curve. Where the weighted sums that separate the classes best stay this "
    "far behind another baseline model, and make `errors-over-baseline-shallow` times its errors, "
    "no training of a linear model comes near it.",
    "a choice: ten times the error of an area from some hundred samples",
)
TRIAL = ("four runs with one change each: a hidden layer of 64 units, momentum 0.9, ten times the "
         "learning rate, four times the epochs (it is too-shallow if the first lowers the training "
         "loss most)")


def _detect(view: View) -> Verdict:
    layers, matrices = _weighted(view.record), _matrices(view.record)
    if not len(matrices) <= view.limit(MATRICES):
        return Absent("the network has more than one layer "
                      f"({count(len(matrices), 'weight matrix', 'weight matrices')})")
    if not layers:
        return Unknown("no layer with weights was recognised",
                       ("a model made of torch.nn modules",))
    if any(len(_matrices(each)) > view.limit(MATRICES) for each in at_the_same_place(view.record)):
        return Unknown("the program trains a network with hidden layers in the same way, and may "
                       "compare this one with it on purpose", ("a program that trains once",))
    found = shortfall(view)
    if isinstance(found, Unknown):
        return Unknown(f"the network has no hidden layer, but {found.reason}",
                       (*found.needs, TRIAL))
    if not isinstance(found, Shortfall):
        return found
    if found.steps_share is not None and not found.steps_share < view.limit(STEPS):
        return Absent("the noise floor of SGD keeps the loss high, not the depth")
    outputs, inputs = by_unit(view, matrices[0])[:2]
    hidden = tuple(
        ReplaceLayer(layers[0].name, f"Sequential(nn.Linear({inputs}, {units}), nn.ReLU(), "
                     f"nn.Linear({units}, {outputs}))") for units in (64, 256, 16))
    at_rest = view.outcome.kind in (OutcomeKind.PLATEAU, OutcomeKind.CONVERGED)
    linear = _linear(view)
    by_half = at_rest and found.behind >= view.limit(HALF)
    surely = by_half or (at_rest and found.errors >= view.limit(SURELY))
    return Present(
        strength=0.85 if linear is not None else 0.8 if surely else 0.45,
        hides_outcome=by_half,
        since_step=view.outcome.since_step if at_rest else 0,
        location=layers[0].location or model_location(view),
        title="the network has no hidden layer and learns less than its data allow: "
        f"{found.says}",
        label=f"can only compute weighted sums of its {count(inputs, 'input')}",
        evidence=(found.evidence, *([linear] if linear is not None else []),
                  loss_evidence(view, found)),
        remedies=(Remedy("add a hidden layer", Safety.CHANGES_EXPERIMENT, hidden),),
        one_of=("learning-rate-too-low", "momentum-too-low", "too-few-steps"),
        separated_by=Experiment(f"compare {TRIAL}", (
            Arm(hidden[:1], ("too-shallow",), "a hidden layer of 64 units"),
            arms.momentum(view, "momentum-too-low"),
            arms.learning_rate(view, 10, "learning-rate-too-low"),
            arms.longer(4.0, "too-few-steps"),
        )),
    )


def _weighted(record: Record) -> list[Layer]:
    return [x for x in record.layers().values() if x.role in WEIGHTED and x.parameters]


def _matrices(record: Record) -> list[Parameter]:
    """The weight matrices; a table of which a weighted sum takes a row adds no layer to it."""
    tables = {name for x in record.layers().values()
              if x.role is LayerRole.EMBEDDING for name in x.parameters}
    return [p for name, p in record.parameters().items()
            if len(p.shape) >= 2 and not (name in tables and _weighted(record))]


def _linear(view: View) -> Evidence | None:
    """That no weighted sum of the inputs separates the classes, if that is so."""
    if not (view.has(LINEAR_SEPARABILITY) and view.has(CLASS_SEPARABILITY)):
        return None
    sums, others = last(view[LINEAR_SEPARABILITY]), last(view[CLASS_SEPARABILITY])
    both = [name for name in sums if name in others]
    worst = max(both, key=lambda name: others[name] - sums[name], default="")
    if not worst or not others[worst] - sums[worst] >= view.limit(APART) or not (
        1 - sums[worst] >= view.limit(SURELY) * (1 - others[worst])
    ):
        return None
    return measured(
        view, LINEAR_SEPARABILITY, worst, others[worst],
        "the weighted sums of the inputs that fit best separate class "
        f"{worst} from the others with an AUC of {number(sums[worst])}, and a baseline model that "
        f"is not linear with {number(others[worst])}")


CAUSE = Cause(
    slug="too-shallow",
    code="M001",
    title="Too shallow",
    family="Model",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU,),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls part of the way and plateaus, or it does not fall at all, "
        "whatever the learning rate.",
        consequence="The network learns what a linear model can learn, and nothing that depends "
        "on a combination of inputs.",
        why="Without a hidden layer, each output is a weighted sum of the inputs. No weights turn "
        "such a sum into a bounded region, a product of inputs or an exclusive or.",
        detection="The network has a single weight matrix. Noise in the data must not be the "
        "reason: a baseline model (nearest neighbours or kernel regression) must predict samples "
        "that it has not seen far better than the network predicts the samples that it was "
        "trained on. The noise floor of SGD must not explain the loss either. An unfinished run "
        "looks the same, so this is only a note until a deeper network has been tried, unless the "
        "loss has plateaued and the baseline model is far better, or the weighted sums that fit "
        "the classes best are far behind it as well.",
        limitations="Too few layers in a network that has hidden layers are not detected, because "
        "nothing that is recorded would show it. Nothing is reported if the target of each sample "
        "is not known.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.1",
            "Telgarsky 2016: Benefits of depth in neural networks",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=(*SAMPLE_SIGNALS, GRADIENT_PRODUCT, LINEAR_SEPARABILITY),
    thresholds=(MATRICES, STEPS, SURELY, HALF, APART),
    shows=Effect.CANNOT_FIT,
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
