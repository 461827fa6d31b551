"""What can happen to a run. Root causes and symptoms meet here, and need not know each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType


class Effect(StrEnum):
    """What can be seen of a run, in causal order: an effect leads to later ones only.

    A cause lists the effects that it can have. Where a finding is itself such an effect, its cause
    says which one it shows, and can then have only later ones. So no chain of explanations ends
    where it began, whatever causes there are.
    """

    # Of the data, as the network meets them
    PADDING_READ = "the network reads padding"
    TARGETS_READ = "the network reads its targets"
    BATCHES_ALIKE = "the batches are more alike than the data"
    CLASSES_RARE = "some classes look rare"
    LABELS_UNPREDICTABLE = "the labels look unrelated to the inputs"
    LABELS_WRONG = "some labels look wrong"
    SAMPLES_FEW = "the training samples look too few"
    INPUTS_OFF_SCALE = "the scale of the inputs looks to blame"
    TARGETS_OFF_SCALE = "the scale of the targets looks to blame"
    # Of the weights
    WEIGHTS_RANDOM = "frozen weights are random"
    WEIGHTS_SHRINK = "the weights shrink"
    BAD_START = "the initial weights look to blame"
    # Of the steps
    GRADIENTS_LEFT = "gradients of other passes are left over"
    STEPS_ADD_UP = "steps follow the gradients of many earlier steps"
    GRADIENTS_TOO_LARGE = "the gradients are too large"
    UPDATES_TOO_LARGE = "the updates are too large"
    # Of the signals between the layers
    NON_FINITE = "numbers become NaN or infinite"
    UNITS_DIE = "units die"
    UNITS_SATURATE = "units saturate"
    OUTPUT_CONSTANT = "the output is the same for every sample"
    GRADIENTS_VANISH = "the gradient vanishes on its way to the first layers"
    # Of the loss
    UPDATES_TOO_SMALL = "the updates are too small"
    CANNOT_FIT = "the network cannot fit the training data"
    PLATEAU = "the loss plateaus too high"
    TOO_SLOW = "the run ends before the loss has fallen far"
    # Of data that were not trained on
    MEMORISES = "the network memorises the training data"
    SAMPLES_SHARED = "training and validation share samples"


# What follows by itself, whatever the reason was.
_FOLLOWING: Mapping[Effect, tuple[Effect, ...]] = MappingProxyType({
    Effect.SAMPLES_FEW: (Effect.MEMORISES,),  # few samples can be memorised
    Effect.GRADIENTS_TOO_LARGE: (Effect.UPDATES_TOO_LARGE,),  # a step is a multiple of a gradient
    # The best that can be made of labels that nothing predicts is one answer for all; what is far
    # off in its scale drowns what differs.
    Effect.LABELS_UNPREDICTABLE: (Effect.OUTPUT_CONSTANT,),
    Effect.INPUTS_OFF_SCALE: (Effect.OUTPUT_CONSTANT,),
    Effect.TARGETS_OFF_SCALE: (Effect.OUTPUT_CONSTANT,),
    Effect.WEIGHTS_SHRINK: (Effect.OUTPUT_CONSTANT,),
    Effect.BAD_START: (Effect.OUTPUT_CONSTANT,),
    # Weights that are thrown far away overflow, or hold units where their slope is zero.
    Effect.UPDATES_TOO_LARGE: (
        Effect.NON_FINITE, Effect.UNITS_DIE, Effect.UNITS_SATURATE, Effect.OUTPUT_CONSTANT),
    Effect.UNITS_DIE: (Effect.OUTPUT_CONSTANT,),
    Effect.UNITS_SATURATE: (Effect.OUTPUT_CONSTANT,),
    # A network that fits has no gradients left; where it cannot, their noise keeps the loss up.
    Effect.CANNOT_FIT: (Effect.PLATEAU,),
})


def following(effects: Collection[Effect]) -> tuple[Effect, ...]:
    """These effects and those that follow from them, in causal order."""
    found, waiting = set(), list(effects)
    while waiting:
        effect = waiting.pop()
        if effect not in found:
            found.add(effect)
            waiting += _FOLLOWING.get(effect, ())
    return tuple(effect for effect in Effect if effect in found)


def comes_before(earlier: Effect, later: Effect) -> bool:
    """Whether one effect can lead to another, as far as the order tells."""
    order = list(Effect)
    return order.index(earlier) < order.index(later)
