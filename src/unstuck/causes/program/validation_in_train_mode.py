"""Validation in train mode: held-out data meet active dropout or batch statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unstuck.measures.basics import mode_layers, thinned, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import FollowMode, Remedy, Safety, SwitchMode
from unstuck.schema.facts.data import HeldOutPass
from unstuck.schema.facts.models import CalledDropout, Model
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import HELD_OUT_LOSS
from unstuck.schema.signals.modes import EVAL_IN_TRAINING, TRAIN_IN_VALIDATION
from unstuck.words import called, count, joined

SHARE = Threshold(
    "train-mode-share", 0.5,
    "Some programs evaluate the held-out data in both modes to compare them. So a layer has to be "
    "in train mode in at least this share of the passes over held-out data.",
    "a choice",
)


def _unseen(view: View) -> Verdict:
    """No layer that depends on the mode was met in a validation."""
    blind = unwatched(view.record)
    if blind is not None:
        return Unknown(blind, (TRAIN_IN_VALIDATION.name,))
    if not mode_layers(view) and not view.has(EVAL_IN_TRAINING):
        if view.record.facts(CalledDropout):
            return Unknown("dropout is called as a function, and no pass that it could disturb was "
                           "seen to be a validation", (HELD_OUT_LOSS.name,))
        return Absent("the model has no dropout or batch normalisation layer, so its mode does not "
                      "matter")
    if view.has(HELD_OUT_LOSS):
        return Unknown("the layers of the model that gets the held-out data could not be observed",
                       (TRAIN_IN_VALIDATION.name,))
    if len(view.record.facts(Model)) > 1:
        return Unknown("with several models, only a validation loss shows which passes are a "
                       "validation", (HELD_OUT_LOSS.name,))
    if view.record.end.kind is not EndKind.FINISHED:
        return Unknown("the run ended before any validation", ("a run that reaches a validation",))
    return Absent("the program never validates its model")


def _detect(view: View) -> Verdict:
    if not view.has(TRAIN_IN_VALIDATION):
        return _unseen(view)
    series = {name: found.finite for name, found in view[TRAIN_IN_VALIDATION].items()}
    guilty = {
        name: s for name, s in series.items()
        if len(s) and float((s.values > 0).mean()) >= view.limit(SHARE)
    }
    if not guilty:
        return Absent("the model is in eval mode during validation")
    passes = [p for p in view.record.facts(HeldOutPass) if set(p.layers) & set(guilty)]
    if not passes:
        return Unknown("the line of the validation is not known", ("a validation loss",))
    found = max(passes, key=lambda p: p.scored)
    if not found.anew:
        return _present(view, guilty, found)
    return _dropped(view, [p for p in passes if p.anew])


def _dropped(view: View, passes: Sequence[HeldOutPass]) -> Present:
    """Dropout that is no layer of the model: made in the forward pass, or called as a function."""
    (name,) = passes[0].layers
    places = tuple(p.location for p in passes if p.location is not None)
    series = view[TRAIN_IN_VALIDATION][name].finite
    steps, values = thinned(series.steps, series.values)
    wrong = int((series.values > 0).sum())
    return Present(
        strength=0.95, certain=True,
        title=f"{wrong:,} of {count(len(series), 'validation')} ran with active dropout, although "
        "the model was in eval mode",
        since_step=int(series.steps[series.values > 0][0]),
        location=passes[0].location,
        label="this dropout does not follow the mode of the model",
        evidence=(
            Evidence(TRAIN_IN_VALIDATION.name, name, steps, values, 0.0,
                     f"the {name} was active in {wrong:,} of {count(len(series), 'pass')} over "
                     "held-out data (healthy: in none)"),
        ),
        remedies=(
            Remedy("follow the mode", Safety.SAFE, (FollowMode(places),),
                   advice="create the dropout layer in __init__, or pass training=self.training"),
        ),
    )


def _present(view: View, guilty: Mapping[str, Series], found: HeldOutPass) -> Present:
    kinds = {layer.name: layer.kind for layer in view.record.layers().values()}
    names = [n for n in found.layers if n in guilty]
    listed = joined(f"{called(n)} ({kinds[n]})" if n in kinds else called(n) for n in names)
    series = view[TRAIN_IN_VALIDATION][names[0]].finite
    steps, values = thinned(series.steps, series.values)
    wrong = int((series.values > 0).sum())
    return Present(
        strength=0.95 if found.scored else 0.7, certain=found.scored,
        title=f"{wrong:,} of {count(len(series), 'validation')} ran with {listed} in train "
        "mode",
        since_step=int(series.steps[series.values > 0][0]),
        location=found.location,
        label="the model is in train mode here, although it is only evaluated",
        evidence=(
            Evidence(TRAIN_IN_VALIDATION.name, names[0], steps, values, 0.0,
                     f"{called(names[0])} was in train mode in {wrong:,} of "
                     f"{count(len(series), 'pass')} over held-out data (healthy: in none)"),
        ),
        remedies=(
            Remedy("validate in eval mode", Safety.SAFE,
                   (SwitchMode("eval", found.location, found.call),),
                   advice="call model.eval() before the validation, and model.train() after it"),
        ),
    )


CAUSE = Cause(
    slug="validation-in-train-mode",
    code="P009",
    title="Validation in train mode",
    family="Program",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.EVAL, Symptom.OVERFITS, Symptom.METRIC),
    often=Often.COMMON,
    words=Words(
        symptom="Validation scores are worse than they should be. With the same weights, they "
        "differ from one evaluation to the next.",
        consequence="With dropout active, the score is that of a damaged network. Batch "
        "normalisation uses the statistics of the validation batch, and its running averages learn "
        "from held-out data.",
        why="torch.no_grad() only stops the recording of gradients. What dropout and batch "
        "normalisation do depends on the mode of the model, which model.eval() sets.",
        detection="A validation is a pass over samples that the program does not train on and "
        "whose loss never reaches backward(). A graph network, which is given all nodes in every "
        "pass and learns from some of them, is validated wherever no gradient is computed. In each "
        "validation, unstuck reads the mode of every dropout and batch normalisation layer. A "
        "batch that goes through the model three times or more does not count, because it is "
        "averaged on purpose (Monte Carlo dropout). Metrics on training samples do not count "
        "either. Where the model is in eval mode, unstuck also notes each call of torch's dropout "
        "functions that still drops units.",
        limitations="Dropout inside an attention function, and dropout written by hand, is not "
        "seen. A pass without a loss counts only if such passes are rare, and the program has one "
        "model or has put another one into eval mode, because generators and agents produce their "
        "samples in train mode on purpose.",
        references=(
            "PyTorch: Autograd mechanics, evaluation mode (nn.Module.eval)",
            "Gal and Ghahramani 2016: Dropout as a Bayesian approximation",
        ),
    ),
    needs=(),
    uses=(TRAIN_IN_VALIDATION, EVAL_IN_TRAINING, HELD_OUT_LOSS),
    thresholds=(SHARE,),
    detect=_detect,
)
