"""Constant features: what reaches the first layer is the same for every sample."""

from __future__ import annotations

import re

import numpy as np

from unstuck.measures.basics import failed, first_model, learned_little, thinned
from unstuck.measures.origins import COMPUTED, input_steps, nearest, says
from unstuck.measures.samples import kept
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import InvertChoice, KeepFractions, Remedy, Safety
from unstuck.schema.facts.calls import CallRole, ModelCall, StepKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.quantities import StepSignal
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.inputs import CONSTANT_INPUT_SHARE, IDENTICAL_OUTPUTS
from unstuck.schema.signals.samples import KEPT_CONSTANT_SHARE
from unstuck.words import count, number, percent

# A division that rounds down, or a conversion to whole numbers.
_ROUNDS = re.compile(r"//|\.astype\(\W*(?:np\.)?u?int|\.(?:byte|short|int|long)\(\)|floor_divide")
# What puts a number for others.
_CHOOSES = re.compile(r"\bwhere\(|\bmasked_fill_?\(")

NEARLY_ALL = Threshold(
    "constant-share", 0.9,
    "Picture borders, rare words and padding are constant in many healthy programs. If nine of ten "
    "inputs are constant, little is left to learn from.",
    "in images of handwritten digits an eighth of the pixels never changes, without harm",
)
MOST = Threshold(
    "constant-share-of-a-failure", 0.5,
    "If a run learned little and at least half of the network's inputs carry no information, the "
    "inputs that matter may be missing.",
    "definition: most of the inputs; healthy programs on tables and pictures stay below 0.2",
)
KEPT = Threshold(
    "different-samples-kept", 200.0,
    "With this many different samples, a constant feature can be distinguished from a rare one.",
    "200 samples miss a feature that one sample in 50 has with probability 0.02",
)
SAMPLES = Threshold(
    "fewest-input-samples", 1000.0,
    "In a few batches a rare feature can be constant by chance. Fewer samples are enough only if "
    "no input changes at all.",
    "1,000 samples miss a feature that one sample in 100 has with probability 0.00004",
)


_USUAL = "(usual: less than 20 %)"


def _detect(view: View) -> Verdict:
    series = view[CONSTANT_INPUT_SHARE].finite
    if not len(series):
        return Unknown("the inputs of the first layer were not measured",
                       (CONSTANT_INPUT_SHARE.name,))
    # The last is the least, unless the shape of the inputs changes and what was seen begins anew.
    share = float(series.values.min())
    if not share >= view.limit(NEARLY_ALL):
        train = kept(view, "train")
        if learned_little(view.outcome) and train is not None and not train.composed and (
            train.samples >= view.limit(KEPT)
        ) and view.has(KEPT_CONSTANT_SHARE):
            part = view[KEPT_CONSTANT_SHARE].finite
            if len(part) and float(part.values[-1]) >= view.limit(MOST):
                return _present(view, part, 0.5, f"{percent(float(part.values[-1]))} of the "
                                "model's inputs have a single value across "
                                f"{count(train.samples, 'different training sample')} {_USUAL}",
                                KEPT_CONSTANT_SHARE)
        return Absent(f"{percent(1 - share)} of the first layer's inputs change between samples")
    taught = [call.shape[0] for call in view.record.facts(ModelCall)
              if call.role is CallRole.TRAIN and call.shape]
    if taught and max(taught) == 1:
        return Unknown("only single samples teach the model anything, perhaps always the same",
                       ("batches of several samples",))
    sizes = view[BATCH_SIZE].finite.values if view.has(BATCH_SIZE) else np.zeros(0)
    if not float(np.max(sizes, initial=0.0)) >= 2:
        return Unknown("the model is called with one sample at a time, perhaps always the same",
                       ("batches of several samples",))
    samples = float(np.sum(sizes))
    enough = samples >= view.limit(SAMPLES)
    if share < 1 and not enough:
        return Unknown(
            f"{percent(share)} of the first layer's inputs did not change, but only "
            f"{count(round(samples), 'sample')} were seen",
            (f"a run over at least {number(view.limit(SAMPLES))} samples",))
    if share < 1:
        return _present(view, series, 0.6 if learned_little(view.outcome) else 0.3,
                        f"{percent(share)} of the first layer's inputs have a single value across "
                        f"{count(round(samples), 'sample')} {_USUAL}")
    alike = ("all samples look the same to the network: no input of its first layer changes in "
             f"{count(len(series), 'sampled batch')}")
    same = view[IDENTICAL_OUTPUTS].finite.values if view.has(IDENTICAL_OUTPUTS) else np.zeros(0)
    if len(same) and bool((same == 1).all()):
        return _present(view, series, 0.95, f"{alike}, and the outputs are the same, too")
    # Something other than the inputs distinguishes the samples: a graph, a second input, dropout.
    return _present(view, series, 0.6 if failed(view.outcome) else 0.4, alike)


def _present(
    view: View, series: Series, strength: float, title: str,
    signal: StepSignal = CONSTANT_INPUT_SHARE,
) -> Verdict:
    model = first_model(view)
    share = float(series.values.min())
    rounded = next((step.location for step in input_steps(view) if says(step, _ROUNDS)), None)
    chosen = next((step.location for step in input_steps(view) if says(step, _CHOOSES)), None)
    return Present(
        strength=strength,
        title=title,
        since_step=0,
        # What only changes the type of numbers keeps them apart.
        location=rounded or chosen or nearest(
            input_steps(view), *COMPUTED, StepKind.CHANGED) or nearest(
            input_steps(view), StepKind.CONVERTED) or (
            model.call_location if model is not None else None),
        label="the network sees the same input for every sample" if share == 1
        else f"{percent(share)} of the network's inputs never change",
        evidence=(Evidence(
            signal.name, "", *thinned(series.steps, series.values),
            view.limit(NEARLY_ALL if signal is CONSTANT_INPUT_SHARE else MOST),
            f"{percent(share)} of the inputs kept a single value over all samples seen, so they "
            "carry no information"),),
        remedies=(
            *((Remedy("keep the fractions", Safety.SAFE, (KeepFractions(rounded),)),)
              if rounded is not None else ()),
            *((Remedy("replace the other inputs", Safety.SAFE, (InvertChoice(chosen),)),)
              if chosen is not None else ()),
            Remedy("check what the model receives", Safety.ADVICE,
                   advice="Print a batch just before the model is called. The preparation of the "
                   "data has probably erased it: by integer division, a wrong dtype, a wrong "
                   "index or a mask.",
                   code_text="print(x.min(0).values, x.max(0).values)  # just before the model"),
            Remedy("drop features that carry no information", Safety.ADVICE,
                   advice="Drop the features that never change.",
                   code_text="x = x[:, x_train.std(0) > 0]"),
        ),
    )


CAUSE = Cause(
    slug="constant-features",
    code="D004",
    title="Constant features",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.SAME, Symptom.FLAT, Symptom.CHANCE),
    words=Words(
        symptom="The network gives the same answer for every sample. The loss falls to that of "
        "the best constant prediction and stays there.",
        consequence="Nothing about the targets can be learned from inputs that never change, "
        "however long the training runs.",
        why="A function of a constant is constant. Data are easily erased on the way to the "
        "network: by integer division, a wrong dtype, an inverted mask, or a missing file that is "
        "read as zeros.",
        detection="Over all sampled batches unstuck keeps the smallest and the largest value of "
        "each input of the first layer. If neither inputs nor outputs differ between any two "
        "samples, the network cannot distinguish the samples. Some constant features are normal "
        "and are not reported. If a run learned little, unstuck reports constant features from "
        "half of all features on, provided that they are constant in all kept samples.",
        limitations="A network that learns from something other than the input of its first layer "
        "(a graph, a hidden state) may receive constants on purpose. Its outputs then differ, and "
        "the finding is only a note unless the run failed. Models that are called with one sample "
        "at a time are not judged.",
        references=(
            "Holden 2017: My neural network isn't working, what should I do: check your data",
            "Karpathy 2019: A recipe for training neural networks: visualise just before the net",
        ),
    ),
    needs=(CONSTANT_INPUT_SHARE,),
    uses=(BATCH_SIZE, IDENTICAL_OUTPUTS, KEPT_CONSTANT_SHARE),
    thresholds=(NEARLY_ALL, MOST, KEPT, SAMPLES),
    effects=(
        Effect.BATCHES_ALIKE, Effect.LABELS_UNPREDICTABLE, Effect.INPUTS_OFF_SCALE,
        Effect.BAD_START, Effect.UPDATES_TOO_LARGE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
