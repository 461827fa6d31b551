"""Training in eval mode: dropout and batch norm are switched off while the weights are trained."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import learned_little, mode_layers, thinned, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Integers, Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, SwitchMode
from unstuck.schema.facts.models import Model, ModeSwitch
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.layers import OUTPUT_MEAN
from unstuck.schema.signals.modes import EVAL_IN_TRAINING
from unstuck.schema.signals.parameters import UPDATE_NORM
from unstuck.torch_api import BATCH_NORM
from unstuck.words import called, count, joined

TIMES = Threshold(
    "eval-mode-steps", 2.0,
    "A single step in eval mode may be a probe by the program itself, such as a first look at a "
    "gradient.",
    "a rule of unstuck: one event alone is never a finding",
)
SHARE = Threshold(
    "eval-mode-share", 0.2,
    "A validation in the middle of an epoch that forgets to switch back leaves only the rest of "
    "that epoch in eval mode. So this share of the sampled steps, from the first one in eval mode "
    "on, is enough.",
    "a choice",
)
LOADED = Threshold(
    "loaded-share", 0.5,
    "Many fine-tuning recipes keep the batch statistics and leave dropout off on purpose. If at "
    "least this share of the parameters comes from a checkpoint, the finding is only a note.",
    "common practice in fine-tuning",
)
STACK = 3  # layers of batch normalisation that a deep network cannot do without


def _moved(view: View, model: Model) -> Integers | None:
    """The sampled steps that moved a weight of the model, None if no update was measured."""
    if not view.has(UPDATE_NORM):
        return None
    updates = [view[UPDATE_NORM][p.name] for p in model.parameters if p.name in view[UPDATE_NORM]]
    if not updates:
        return None
    return np.unique(np.concatenate([s.steps[~(s.values == 0)] for s in updates]))


def _unseen(view: View) -> Verdict:
    """No layer that depends on the mode was met on the way of a loss."""
    blind = unwatched(view.record)
    if blind is not None:
        return Unknown(blind, (EVAL_IN_TRAINING.name,))
    layers = mode_layers(view)
    if not layers:
        return Absent("the model has no dropout or batch normalisation layer, so its mode does not "
                      "matter")
    called_once = view[OUTPUT_MEAN] if view.has(OUTPUT_MEAN) else {}
    if any(layer.name in called_once for layer in layers):
        return Absent("no active dropout or batch normalisation layer took part in training")
    return Unknown(
        "no sampled step trained through "
        f"{joined((called(layer.name) for layer in layers), by='or')}", (EVAL_IN_TRAINING.name,))


def _detect(view: View) -> Verdict:
    if not view.has(EVAL_IN_TRAINING):
        return _unseen(view)
    series = {name: found.finite for name, found in view[EVAL_IN_TRAINING].items()}
    off = {n: s for n, s in series.items() if len(s) and float(s.values.max()) > 0}
    if not off:
        return Absent("dropout and batch normalisation are in train mode during training")
    whole = {fact.name: fact for fact in view.record.facts(ModeSwitch) if fact.whole}
    guilty = {n: s for n, s in off.items() if n in whole}
    kinds = {layer.name: layer.kind for layer in mode_layers(view)}
    # Frozen statistics that were never estimated are 0 and 1: they normalise nothing.
    first_ones = {} if guilty or any(p.loaded for p in view.record.parameters().values()) else {
        n: s for n, s in off.items() if BATCH_NORM in kinds.get(n, "") and s.values.all()
        and not s.steps[0]}
    if len(first_ones) >= STACK and learned_little(view.outcome):
        whole = {fact.name: fact for fact in view.record.facts(ModeSwitch)}
        guilty = first_ones = {n: s for n, s in first_ones.items() if n in whole}
    if not guilty:
        return Absent("only single layers are in eval mode, as when batch statistics are frozen on "
                      "purpose")
    model = next((m for m in view.record.facts(Model)
                  if any(layer.name in guilty for layer in m.layers)), None)
    if model is None:
        return Unknown("the record does not say which model is in eval mode",
                       ("a complete record of the run",))
    name, first = min(guilty.items(), key=lambda item: int(item[1].steps[item[1].values > 0][0]))
    since = int(first.steps[first.values > 0][0])
    together = [
        s for n, s in series.items() if any(layer.name == n for layer in model.layers)
        and np.any(s.steps == since) and not np.all(s.values[s.steps == since] > 0)
    ]
    if together and guilty is not first_ones:
        return Absent("other layers of the model are in train mode, so these are frozen on purpose")
    before = int((first.steps < since).sum())
    if before and all(whole[n].chosen and BATCH_NORM in kinds.get(n, "") for n in guilty):
        return Absent("the batch statistics were estimated, and eval mode was chosen for the "
                      "training that follows: nothing was evaluated in between")
    # An image that is optimised through a finished model leaves the model in eval mode rightly.
    moved = _moved(view, model)
    if moved is None:
        return Unknown("no update of the weights was measured for the model in eval mode",
                       (UPDATE_NORM.name,))
    after = first.since(since)
    after = Series(after.steps[np.isin(after.steps, moved)],
                   after.values[np.isin(after.steps, moved)])
    if not len(after):
        return Absent("no step updates the weights of the model in eval mode")
    times = int((after.values > 0).sum())
    if times < view.limit(TIMES):
        return Unknown(f"layers were in eval mode in only {count(times, 'sampled step')}",
                       ("a longer run",))
    if float(np.mean(after.values > 0)) < view.limit(SHARE):
        return Absent("the model is in eval mode in only a few of its training steps")
    loaded = float(np.mean([p.loaded for p in model.parameters]))
    names = [called(n) for n in guilty]
    steps, values = thinned(first.steps, first.values)
    return Present(
        strength=0.4 if loaded >= view.limit(LOADED) else 0.95 if before else 0.9,
        certain=True,
        title=f"the model has been trained in eval mode since step {since}, which affects "
        f"{count(len(names), 'dropout or batch normalisation layer')} ({joined(names)})",
        since_step=since,
        location=whole[name].location,
        label="the model is not switched back to train mode before the next training step",
        evidence=(
            Evidence(EVAL_IN_TRAINING.name, name, steps, values, 0.0,
                     f"{names[0]} was in eval mode in {times:,} of the "
                     f"{count(len(after), 'training step')} sampled since step {since} (healthy: "
                     "in none)"),
        ),
        remedies=(
            Remedy("switch to train mode for training", Safety.SAFE,
                   (SwitchMode("train", model.call_location, left=whole[name].location),),
                   advice="call model.train() at the start of each training epoch, and after "
                   "every evaluation"),
        ),
    )


CAUSE = Cause(
    slug="training-in-eval-mode",
    code="P008",
    title="Training in eval mode",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS, Symptom.EVAL, Symptom.ANOTHER),
    words=Words(
        symptom="Learning stalls or the network overfits early, often from the first validation "
        "on. Dropout seems to have no effect.",
        consequence="Batch normalisation divides by running statistics that are never updated, so "
        "it no longer normalises. Dropout no longer regularises.",
        why="Eval mode lasts from model.eval() until model.train() is called. If a validation, or "
        "a first look at the untrained score, does not switch back, all later training runs in "
        "eval mode.",
        detection="At sampled steps, unstuck reads the mode of each dropout and batch "
        "normalisation layer when it is called. A layer counts only if it is part of the autograd "
        "graph of the loss. Three patterns are not faults: a pass in eval mode beside one "
        "in train mode, which adversarial examples need; single layers that were put into eval "
        "mode; and batch normalisation that was trained first, if eval mode is chosen right "
        "before the training goes on.",
        limitations="Dropout that is called as a function is not seen. If the weights mostly come "
        "from a checkpoint, the finding is only a note, because fine-tuning may use eval mode on "
        "purpose.",
        references=(
            "PyTorch: Autograd mechanics, evaluation mode (nn.Module.eval)",
            "Ioffe and Szegedy 2015: Batch normalization",
        ),
    ),
    needs=(),
    uses=(EVAL_IN_TRAINING, UPDATE_NORM, OUTPUT_MEAN),
    thresholds=(TIMES, SHARE, LOADED),
    effects=(
        Effect.INPUTS_OFF_SCALE, Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
    ),
    detect=_detect,
)
