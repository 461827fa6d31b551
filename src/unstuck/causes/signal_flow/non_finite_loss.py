"""Non-finite loss: an operation, an update or the data made the loss NaN or Inf."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import loss_points, optimizer_of, rate_code, rates, risky_function
from unstuck.measures.view import View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Clip, Guard, Remedy, Safety, WholeSlices, loss_form
from unstuck.schema.experiments import Experiment
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.words import called, count, number

# What an autograd operation is called by the people who wrote it.
NAMES = {
    "Log": "log", "Log2": "log2", "Log10": "log10", "Log1P": "log1p", "Div": "a division",
    "Exp": "exp", "Expm1": "expm1", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Pow": "a power",
    "Std": "std", "Var": "var", "Softmax": "softmax", "LogSoftmax": "log_softmax",
    "Mm": "a matrix product", "Addmm": "a linear layer", "Bmm": "a matrix product",
    "Mul": "a multiplication", "Acos": "acos", "Asin": "asin", "Norm": "a norm",
    "LinalgVectorNorm": "a norm", "Reciprocal": "a reciprocal", "Convolution": "a convolution",
}


NO_SAMPLES = (
    "Look at how batches are cut. x[i:i + size] is a batch that begins at row i, but x[i:size] has "
    "no rows once i has reached size.")
NOTHING_CHOSEN = (
    "Count what is chosen before the mean is taken, and leave the loss out where that is nothing: "
    "if mask.any().")


def operation_name(operation: str | None) -> str | None:
    """"LogBackward0" as "log"; None for no operation."""
    if operation is None:
        return None
    stem = operation.split("Backward")[0]
    return NAMES.get(stem, stem)


def _detect(view: View) -> Verdict:
    loss = view[TRAIN_LOSS]
    bad = np.flatnonzero(~np.isfinite(loss.values))
    found = view.record.fact(NonFinite)
    if not len(bad) and found is None:
        return Absent("every training loss is finite")
    step = found.step if found is not None else int(loss.steps[bad[0]])
    lasting = view.outcome.kind is OutcomeKind.DIVERGED and bool(len(bad))
    value = "NaN" if not len(bad) or math.isnan(loss.values[bad[0]]) else "Inf"
    before = loss.values[: bad[0]] if len(bad) else loss.values
    was = f" ({number(float(before[-1]))} before)" if len(before) else ""
    where, label = _origin(view, found, value)
    steps, values = loss_points(view)
    says = f"the loss is NaN or Inf in {number(len(bad))} of {count(len(loss), 'backward pass')}"
    return Present(
        strength=(0.97 if lasting else 0.6) - 0.1 * (found is None), certain=True,
        title=f"the loss became {value} at step {step}{was}: {where}",
        since_step=step,
        location=_location(view, found),
        label=label,
        evidence=(Evidence(TRAIN_LOSS.name, "", steps, values, None, says),),
        remedies=_remedies(view, found),
        one_of=(),
        separated_by=None if found is not None and found.stage is not NonFiniteStage.UNKNOWN
        else Experiment("run it with torch.autograd.set_detect_anomaly(True)"),
    )


def _origin(view: View, found: NonFinite | None, value: str) -> tuple[str, str]:
    """Where it arose: the title's second half, and the caret's label."""
    if found is None or found.stage is NonFiniteStage.UNKNOWN:
        return "which operation produced it is not known", f"the loss is {value} here"
    name = operation_name(found.operation)
    layer = f" near {called(found.layer)}" if found.layer else ""
    match found.stage:
        case NonFiniteStage.INPUT:
            return "the inputs contain NaN or Inf", "these inputs contain NaN or Inf"
        case NonFiniteStage.TARGET if (made_by := risky_function(view.record)) is not None:
            return (f"the targets contain NaN or Inf, or {made_by} in the loss produced it",
                    f"the targets contain NaN or Inf, or {made_by} produces it")
        case NonFiniteStage.TARGET:
            return "the targets contain NaN or Inf", "these targets contain NaN or Inf"
        case NonFiniteStage.PARAMETER:
            maker = f", because {name} has an infinite slope" if name else ""
            label = f"{name} has an infinite slope here" if name else (
                f"an update ruined {called(found.layer) if found.layer else 'the weights'}")
            return f"{found.detail}{maker}", label
        case NonFiniteStage.EMPTY if _without_samples(view):
            return ("the batch has no samples, and the mean of nothing is NaN",
                    "no sample comes here")
        case NonFiniteStage.EMPTY:
            return f"{found.detail}, and the mean of nothing is NaN", found.detail
        case NonFiniteStage.GRADIENT:
            return (f"{name or 'an operation'}{layer} has a finite value but no finite gradient",
                    f"{name or 'this operation'} has an infinite slope here")
        case _:
            made = f"{name}{layer}" if name else f"an operation{layer}"
            return f"{made} produced it ({found.detail})", found.detail


def _without_samples(view: View) -> bool:
    """Whether batches came without a sample."""
    return view.has(BATCH_SIZE) and not view[BATCH_SIZE].values.all()


def _location(view: View, found: NonFinite | None) -> SourceLocation | None:
    empty = found is not None and found.stage is NonFiniteStage.EMPTY and _without_samples(view)
    if found is not None and found.location is not None and not empty:
        return found.location
    if empty or (found is not None and found.stage is NonFiniteStage.INPUT):
        called = [m.call_location for m in view.record.facts(Model) if m.call_location is not None]
        if called:
            return called[0]
    located = [loss.location for loss in view.record.facts(Loss) if loss.location is not None]
    return located[0] if located else None


def _guarded(
    at: SourceLocation | None, form: str, by: str, name: str, reason: str, operation: str = ""
) -> Remedy:
    """An operation with a bound on what it receives; in words alone where its place is unknown."""
    code = form.format(by.format(name))
    return loss_form(code, reason, None if at is None else Guard(at, by, reason, operation))


def _remedies(view: View, found: NonFinite | None) -> tuple[Remedy, ...]:
    stage = found.stage if found is not None else NonFiniteStage.UNKNOWN
    stem = (found.operation or "").split("Backward")[0] if found is not None else ""
    made_by = risky_function(view.record) if stage is NonFiniteStage.TARGET else None
    if made_by is not None:
        stem = made_by.capitalize()
    elif stage in (NonFiniteStage.INPUT, NonFiniteStage.TARGET):
        return (Remedy("clean the data", Safety.ADVICE,
                       advice="Before training, drop or impute the samples with NaN or Inf: "
                       "mask = torch.isfinite(x).all(1)."),)
    if stage is NonFiniteStage.EMPTY:
        return (Remedy("cut whole batches", Safety.SAFE, (WholeSlices(),), advice=NO_SAMPLES),) if (
            _without_samples(view)) else (
                Remedy("leave out what is empty", Safety.ADVICE, advice=NOTHING_CHOSEN),)
    at = _location(view, found) if found is not None else None
    match stem:
        case "Log" | "Log2" | "Log10":
            return (
                _guarded(at, "torch.log({})", "{}.clamp_min(1e-8)", "p",
                         "keep the argument of log above zero", stem.lower()),
                loss_form("torch.log_softmax(scores, dim=1)", "take log_softmax of the scores",
                          at=at),
            )
        case "Exp" | "Expm1" | "Softmax":
            return (
                loss_form("torch.logsumexp(scores, dim=1)", "use the log-sum-exp form", at=at),
                _guarded(at, "torch.exp({})", "{}.clamp(max=50)", "x",
                         "limit the argument of exp", "exp"),
            )
        case "Sqrt" | "Rsqrt" | "Norm" | "LinalgVectorNorm" | "Std" | "Cdist":
            return (_guarded(at, "torch.sqrt({})", "{} + 1e-8", "x",
                             "keep the argument of sqrt above zero", stem.lower()),)
        case "Pow":
            return (_guarded(at, "({}) ** 0.5", "{} + 1e-8", "x",
                             "keep the base of the power above zero"),)
        case "Div" | "Reciprocal":
            return (_guarded(at, "a / ({})", "{} + 1e-8", "b",
                             "keep the divisor away from zero"),)
        case "Acos" | "Asin":
            return (_guarded(at, "torch.acos({})", "{}.clamp(-1 + 1e-6, 1 - 1e-6)", "x",
                             "keep the argument between -1 and 1", stem.lower()),)
    look = (Remedy("check what the operation receives", Safety.ADVICE,
                   advice="Put assert torch.isfinite(x).all() before the call of the model. It "
                   "fails if the inputs contain NaN or Inf."),
            ) if stage is NonFiniteStage.OPERATION else ()
    optimizer = optimizer_of(view, view.record.parameters())
    clip = Remedy("clip the gradient", Safety.CHANGES_EXPERIMENT, (Clip(1.0), Clip(0.1)))
    if optimizer is None or not optimizer.learning_rate:
        return (*look, clip)
    now = optimizer.learning_rate
    return (
        *look,
        Remedy("lower the learning rate", Safety.SAFE,
               rates(optimizer, [now / 10, now / 100, now / 2]),
               code_text=rate_code(optimizer, now / 10)),
        clip,
    )


CAUSE = Cause(
    slug="non-finite-loss",
    code="G005",
    title="Non-finite loss",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.NAN,),
    often=Often.COMMON,
    words=Words(
        symptom="From one step on, the loss is nan or inf, and it stays so until the end.",
        consequence="A single update from a NaN loss makes every weight NaN. Everything that the "
        "network has learned is lost, and no further step can help.",
        why="The log of 0 is minus infinity, 0 times infinity is NaN, exp overflows beyond 88 in "
        "single precision, and sqrt has an infinite slope at 0. Any of these in one sample of one "
        "batch is enough.",
        detection="When a loss first becomes NaN or Inf, its autograd graph still exists. The "
        "weights are checked first, then the data, then each operation in the order of the forward "
        "pass. The first operation that turned finite numbers into NaN or Inf is named. If a far "
        "too large update ruined a weight, unstuck reports the learning rate as the root cause.",
        limitations="If a loss is finite but its gradient is not, the fault shows only one step "
        "later, in the weights. Operations with an infinite slope are then the suspects, and they "
        "are named only if all of them are of one kind. Under torch.compile, no operation can be "
        "named. If a program skips the batches whose loss is NaN and still learns, the finding is "
        "only a note.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 4.1: overflow and underflow",
            "PyTorch: torch.autograd.set_detect_anomaly",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(BATCH_SIZE,),
    shows=Effect.NON_FINITE,
    detect=_detect,
)
