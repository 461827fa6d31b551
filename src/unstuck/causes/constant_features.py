"""Constant features: what reaches the first layer is the same for every sample."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import failed, learned_little, thinned
from unstuck.causes._samples import kept
from unstuck.edits import Remedy, Safety
from unstuck.facts import Model
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import KEPT_CONSTANT_SHARE
from unstuck.series import Series
from unstuck.signals import BATCH_SIZE, CONSTANT_INPUT_SHARE, IDENTICAL_OUTPUTS, StepSignal
from unstuck.words import percent

NEARLY_ALL = Threshold(
    "constant-share", 0.9,
    "Borders of pictures, rare words and padding are constant in many healthy programs; with nine "
    "inputs of ten constant little is left to learn from.",
    "on the digits an eighth of the pixels never changes, without harm",
)
MOST = Threshold(
    "constant-share-of-a-failure", 0.5,
    "In a run that learned little, a network that is told nothing by half of its inputs or more "
    "may lack those that matter.",
    "definition: most of the inputs; healthy programs on tables and pictures stay below 0.2",
)
KEPT = Threshold(
    "different-samples-kept", 200.0,
    "So many different samples tell a constant from a rare value.",
    "a feature that one sample in fifty has is missed by 200 with probability 0.02",
)
SAMPLES = Threshold(
    "fewest-input-samples", 1000.0,
    "A rare feature is constant in a few batches by chance alone. Only where no input at all "
    "differs do a few batches tell.",
    "a feature that one sample in a hundred has is missed by a thousand with probability 4e-5",
)


def _model(view: View) -> Model | None:
    known = [m for m in view.facts.models if m.call_location is not None]
    return known[0] if known else None


def _detect(view: View) -> Verdict:
    series = view[CONSTANT_INPUT_SHARE].finite
    if not len(series):
        return Unknown("the inputs of the first layer were not measured",
                       (CONSTANT_INPUT_SHARE.name,))
    share = float(series.values[-1])
    if not share >= view.limit(NEARLY_ALL):
        train = kept(view, "train")
        if learned_little(view.outcome) and train is not None and not train.composed and (
            train.samples >= view.limit(KEPT)
        ) and view.has(KEPT_CONSTANT_SHARE):
            part = view[KEPT_CONSTANT_SHARE].finite
            if len(part) and float(part.values[-1]) >= view.limit(MOST):
                return _present(view, part, 0.5, f"{percent(float(part.values[-1]))} of the "
                                f"model's inputs are the same in all of {train.samples} "
                                "different training samples", KEPT_CONSTANT_SHARE)
        return Absent(f"{percent(share)} of the first layer's inputs never change")
    sizes = view[BATCH_SIZE].finite.values if view.has(BATCH_SIZE) else np.zeros(0)
    if not float(np.max(sizes, initial=0.0)) >= 2:
        return Unknown("the model is called with one sample at a time, and may have just one",
                       ("a batch of several samples",))
    samples = float(np.sum(sizes))
    enough = samples >= view.limit(SAMPLES)
    if share < 1 and not enough:
        return Unknown(
            f"{percent(share)} of the first layer's inputs did not change, over {samples:.0f} "
            "samples only", ("a run of more steps",))
    if share < 1:
        return _present(view, series, 0.6 if learned_little(view.outcome) else 0.3,
                        f"{percent(share)} of the first layer's inputs are the same for all of "
                        f"{samples:.0f} samples")
    same = view[IDENTICAL_OUTPUTS].finite.values if view.has(IDENTICAL_OUTPUTS) else np.zeros(0)
    if len(same) and bool((same == 1).all()):
        return _present(view, series, 0.95,
                        f"every one of the first layer's inputs is the same for all samples of "
                        f"{len(series)} sampled batches: the outputs are too")
    # Something else than the inputs tells the samples apart: a graph, a second input, dropout.
    return _present(view, series, 0.6 if failed(view.outcome) else 0.4,
                    f"every one of the first layer's inputs is the same for all samples of "
                    f"{len(series)} sampled batches")


def _present(
    view: View, series: Series, strength: float, title: str,
    signal: StepSignal = CONSTANT_INPUT_SHARE,
) -> Verdict:
    model = _model(view)
    share = float(series.values[-1])
    return Present(
        strength=strength,
        title=title,
        since_step=0,
        location=model.call_location if model is not None else None,
        label="the network sees the same for every sample" if share == 1
        else f"{percent(share)} of what the network sees never changes",
        evidence=(Evidence(
            signal.name, "", *thinned(series.steps, series.values),
            view.limit(NEARLY_ALL if signal is CONSTANT_INPUT_SHARE else MOST),
            f"{percent(share)} of the inputs had one and the same value for all samples so far"),),
        remedies=(
            Remedy("look at what the model receives", Safety.ADVICE,
                   advice="Print a batch just before the model's call: the preparation of the data "
                   "(a division of whole numbers, a type, an index, a mask) has wiped it out.",
                   code_text="print(x.min(0).values, x.max(0).values)  # just before the call"),
            Remedy("drop features without information", Safety.ADVICE,
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
    words=Words(
        symptom="The network answers the same to every sample; the loss goes to that of the best "
        "constant and stays there.",
        consequence="Nothing about the targets can be learned from an input that never changes, "
        "however long one trains.",
        why="A function of a constant is constant. Data are easily wiped out on the way to the "
        "network: by a division of whole numbers, a wrong type, a mask turned round, a missing "
        "file read as zeros.",
        detection="The smallest and largest value of each input of the first layer are kept "
        "over all sampled batches. If no input differs between any two samples, and the outputs "
        "do not either, the samples cannot be told apart by anything. Some constant features "
        "are normal and left alone; half of them or more are named in a run that learned little, "
        "if they are the same in all different samples that were kept.",
        limitations="Networks that learn from something else than their first layer's input (a "
        "graph, a hidden state) may be fed with constants on purpose; their outputs differ, and "
        "then it is a note. Models called with one sample at a time are not judged.",
        references=(
            "Holden 2017: My neural network isn't working, what should I do: check your data",
            "Karpathy 2019: A recipe for training neural networks: visualise just before the net",
        ),
    ),
    needs=(CONSTANT_INPUT_SHARE,),
    uses=(BATCH_SIZE, IDENTICAL_OUTPUTS, KEPT_CONSTANT_SHARE),
    thresholds=(NEARLY_ALL, MOST, KEPT, SAMPLES),
    explains=(
        "inputs-not-normalised", "dead-relu", "vanishing-gradients", "learning-rate-too-low",
        "learning-rate-too-high", "saturated-activations", "bad-initialisation",
        "same-batch-every-step", "labels-unrelated-to-inputs", "noise-floor", "too-shallow",
        "too-narrow", "not-shuffled",
    ),
    detect=_detect,
)
