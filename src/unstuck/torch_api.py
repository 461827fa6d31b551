"""What torch's functions and classes want and do, as data: the one place that knows. No torch here.

What a loss receives is found by the name of the argument. Sources: the documentation of
torch.nn.functional, torch.optim.lr_scheduler and torch.utils.data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Output(StrEnum):
    """What a loss function wants the network to put out."""

    LOGITS = "raw scores"  # a softmax or a sigmoid is applied inside
    LOG_PROBABILITIES = "logarithms of probabilities"
    PROBABILITIES = "probabilities"
    VALUES = "values on the scale of the targets"
    MEANS = "means, beside variances"
    LOG_RATES = "logarithms of expected counts"
    SCORES = "scores"
    DISTANCES = "distances"
    EMBEDDINGS = "embeddings"


class Target(StrEnum):
    """What a loss function wants as targets."""

    CLASSES = "the index of one class"
    SHARES = "a number from 0 to 1 for each output"
    FLAGS = "0 or 1 for each output"
    LABELS = "a list of class indices"
    VALUES = "values on the scale of the outputs"
    COUNTS = "counts"
    SIGNS = "-1 or 1"
    PROBABILITIES = "probabilities of classes"
    SEQUENCES = "sequences of class indices"
    NONE = "nothing"


@dataclass(frozen=True, slots=True)
class LossFunction:
    """A function of torch.nn.functional.

    `arguments` are its first ones, as they are declared. `broadcasts` says that outputs and targets
    of different shapes are stretched to a common one, at most with a warning.
    """

    name: str
    output: Output
    target: Target
    arguments: tuple[str, ...] = ("input", "target")
    broadcasts: bool = False


_PAIR = ("input1", "input2", "target")
LOSSES = {loss.name: loss for loss in (
    LossFunction("cross_entropy", Output.LOGITS, Target.CLASSES),
    LossFunction("nll_loss", Output.LOG_PROBABILITIES, Target.CLASSES),
    LossFunction("mse_loss", Output.VALUES, Target.VALUES, broadcasts=True),
    LossFunction("l1_loss", Output.VALUES, Target.VALUES, broadcasts=True),
    LossFunction("smooth_l1_loss", Output.VALUES, Target.VALUES, broadcasts=True),
    LossFunction("huber_loss", Output.VALUES, Target.VALUES, broadcasts=True),
    LossFunction("binary_cross_entropy", Output.PROBABILITIES, Target.SHARES),
    LossFunction("binary_cross_entropy_with_logits", Output.LOGITS, Target.SHARES),
    LossFunction("kl_div", Output.LOG_PROBABILITIES, Target.PROBABILITIES, broadcasts=True),
    LossFunction("poisson_nll_loss", Output.LOG_RATES, Target.COUNTS, broadcasts=True),
    LossFunction("gaussian_nll_loss", Output.MEANS, Target.VALUES, broadcasts=True),
    LossFunction("hinge_embedding_loss", Output.DISTANCES, Target.SIGNS, broadcasts=True),
    LossFunction("soft_margin_loss", Output.SCORES, Target.SIGNS),
    LossFunction("multi_margin_loss", Output.SCORES, Target.CLASSES),
    LossFunction("multilabel_margin_loss", Output.SCORES, Target.LABELS),
    LossFunction("multilabel_soft_margin_loss", Output.LOGITS, Target.FLAGS),
    LossFunction("cosine_embedding_loss", Output.EMBEDDINGS, Target.SIGNS, _PAIR),
    LossFunction("margin_ranking_loss", Output.SCORES, Target.SIGNS, _PAIR),
    LossFunction("triplet_margin_loss", Output.EMBEDDINGS, Target.NONE,
                 ("anchor", "positive", "negative")),
    LossFunction("ctc_loss", Output.LOG_PROBABILITIES, Target.SEQUENCES,
                 ("log_probs", "targets")),
)}


def losses(*, output: Output | None = None, target: Target | None = None,
           broadcast: bool = False) -> frozenset[str]:
    """The names of the loss functions that want such outputs and such targets."""
    return frozenset(
        loss.name for loss in LOSSES.values()
        if output in (None, loss.output) and target in (None, loss.target)
        and (loss.broadcasts or not broadcast))


def target_among(function: str, given: Sequence[Any]) -> Any:
    """What a loss function was given as its targets, of its arguments as declared, else None."""
    place = target_place(function)
    return given[place] if place is not None and place < len(given) else None


def target_place(function: str) -> int | None:
    """The place of a loss function's targets among its arguments."""
    loss = LOSSES.get(function)
    if loss is None or "target" not in loss.arguments:
        return None
    return loss.arguments.index("target")


CLASSES = losses(target=Target.CLASSES)
# Those of them that are a negative logarithm of a likelihood.
CLASS_LIKELIHOODS = CLASSES - losses(output=Output.SCORES)
BINARY = losses(target=Target.SHARES)
IGNORE_INDEX = 4  # place of the class that is left out, among the arguments of CLASS_LIKELIHOODS
WEIGHTED = CLASS_LIKELIHOODS | BINARY  # their third argument is a weight
REGRESSION = losses(target=Target.VALUES)
DIFFERENCES = losses(output=Output.VALUES)  # of each output and target: all that they look at
COUNTS = losses(target=Target.COUNTS)
LOGITS = losses(output=Output.LOGITS)
DISTRIBUTIONS = losses(target=Target.PROBABILITIES)
LOG_PROBABILITIES = losses(output=Output.LOG_PROBABILITIES)
SEQUENCES = losses(target=Target.SEQUENCES)  # of which the classes are the last axis
BROADCASTING = losses(broadcast=True)

INITIALISERS = (
    "uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_",
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_",
    "sparse_",
)
# Functions of (input, p, training, inplace), which the layers of dropout call.
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
            "feature_alpha_dropout")
# Schedules that set the peak of the learning rate themselves, and the argument that says it: what
# the optimizer was constructed with is overwritten.
PEAKS = {"OneCycleLR": "max_lr", "CyclicLR": "max_lr"}
# The schedulers that have a `step` of their own.
SCHEDULERS = ("LRScheduler", "SequentialLR", "ChainedScheduler", "ReduceLROnPlateau",
              "CosineAnnealingWarmRestarts")
SHUFFLES = "RandomSampler"  # the sampler of a DataLoader with shuffle=True
BY_WEIGHT = "WeightedRandomSampler"
CHOSEN = "SubsetRandomSampler"  # that of one that is given the indices
IN_ORDER = "SequentialSampler"  # that of one without
WHOLE_NUMBERS = ("int64", "int32", "int16", "int8", "uint8")  # types of tensors
BATCH_NORM = "BatchNorm"  # in the name of each layer that takes statistics of the batch

# Layers of several parts that hand on which axis the samples of a batch are on.
AXIS_FOR_PARTS = ("Transformer", "TransformerDecoderLayer", "TransformerEncoderLayer")

# The first parameters of classes and functions, as they are declared, so that a program's arguments
# by position have names.
_ADAM = ("params", "lr", "betas", "eps", "weight_decay")
_RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first")
_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
_POOLING = ("kernel_size", "stride")
ARGUMENTS = {
    "SGD": ("params", "lr", "momentum", "dampening", "weight_decay"),
    "Adam": _ADAM, "AdamW": _ADAM, "NAdam": _ADAM, "RAdam": _ADAM, "Adamax": _ADAM,
    "SparseAdam": _ADAM[:4],
    "RMSprop": ("params", "lr", "alpha", "eps", "weight_decay", "momentum"),
    "Adagrad": ("params", "lr", "lr_decay", "weight_decay"),
    "Adadelta": ("params", "lr", "rho", "eps", "weight_decay"),
    "ASGD": ("params", "lr", "lambd", "alpha", "t0", "weight_decay"),
    "OneCycleLR": ("optimizer", "max_lr"), "CyclicLR": ("optimizer", "base_lr", "max_lr"),
    "Rprop": ("params", "lr"), "LBFGS": ("params", "lr", "max_iter"),
    "DataLoader": ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler"),
    "Linear": ("in_features", "out_features", "bias"),
    "Conv1d": _CONVOLUTION, "Conv2d": _CONVOLUTION, "Conv3d": _CONVOLUTION,
    **{f"{kind}Pool{axes}d": _POOLING for kind in ("Max", "Avg") for axes in (1, 2, 3)},
    **{f"BatchNorm{axes}d": ("num_features", "eps", "momentum") for axes in (1, 2, 3)},
    "LayerNorm": ("normalized_shape",),
    "RNN": _RECURRENT, "GRU": _RECURRENT, "LSTM": _RECURRENT,
    "Dropout": ("p",), "Dropout1d": ("p",), "Dropout2d": ("p",), "Dropout3d": ("p",),
    "AlphaDropout": ("p",), "Softmax": ("dim",), "LogSoftmax": ("dim",),
    "clip_grad_norm_": ("parameters", "max_norm"),
    "clip_grad_value_": ("parameters", "clip_value"),
    "softmax": ("input", "dim"), "log_softmax": ("input", "dim"),
    "ReduceLROnPlateau": ("optimizer", "mode", "factor", "patience"),
    "StepLR": ("optimizer", "step_size"), "CosineAnnealingLR": ("optimizer", "T_max"),
}


def position(name: str, argument: str) -> int | None:
    """Where a class or function takes an argument by position, None if that is not known."""
    declared = ARGUMENTS.get(name, ())
    return declared.index(argument) if argument in declared else None
