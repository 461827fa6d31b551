"""What users say when a network does not learn. Each cause lists the symptoms that it can have."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum

MOST_CLASSES = 1_000_000


class Often(IntEnum):
    """How often users meet a cause: an order of size, from public reports and beginners' guides."""

    SELDOM = 0
    SOMETIMES = 1
    COMMON = 2


@dataclass(frozen=True, slots=True)
class Sign:
    """A symptom in a user's words.

    `words` are what else users call it; a phrase counts as a whole. `look` says what to look at
    first. `command` is what decides between the causes, and `decides` says how.
    """

    slug: str
    title: str
    words: tuple[str, ...]
    look: str
    decides: str
    command: str = "unstuck run train.py"


_ALL_AT_ONCE = "It checks all of these causes in one run, and points at the line."


class Symptom(Enum):
    """What users see, in the order of the page."""

    NAN = Sign(
        "loss-nan", "The loss is NaN or infinite",
        ("nan", "inf", "infinite", "infinity", "overflow", "non-finite"),
        "Look at when it begins. NaN at the first step comes from the data, the loss or weights of "
        "16 bits. NaN after some steps comes from updates that are too large, or from a logarithm, "
        "a root or a division at the edge of its range.",
        "It names the first operation that returned NaN, and what made it do so.")
    FLAT = Sign(
        "loss-flat", "The loss does not fall at all",
        ("flat", "stuck", "constant loss", "not learning", "does not learn", "no progress",
         "does not decrease", "not decreasing"),
        "Look at whether the weights change. If they do not, the training loop has a mistake: no "
        "step, no gradient, or the wrong parameters. If they do, the data, the labels or the scale "
        "of something are to blame.",
        _ALL_AT_ONCE)
    CHANCE = Sign(
        "loss-at-chance", "The loss stays at ln C: 0.693 for two classes, 2.303 for ten",
        ("chance", "ln c", "at ln c", "log c", "0.693", "0.69", "2.303", "2.302", "2.30",
         "random guessing"),
        "That is the loss of a network that gives each class the same probability, whatever the "
        "input is. It has learned nothing, or nothing of the input reaches its output.",
        _ALL_AT_ONCE)
    MARGIN = Sign(
        "loss-at-margin", "The loss stays exactly at the margin",
        ("margin", "at the margin", "triplet", "contrastive", "siamese", "embedding", "embeddings"),
        "Then all distances are zero, because every sample has the same embedding.",
        "It names the first layer whose output is the same for every sample, and since when.")
    SAME = Sign(
        "same-output", "The output is the same for every input",
        ("same output", "same prediction", "same output for every input", "constant output",
         "collapse", "collapsed", "one class", "always predicts", "identical outputs"),
        "Look at whether it is so from the start. If it is, something in the network loses what "
        "differs. If it begins later, updates that are too large are the commonest reason.",
        "It names the first place behind which nothing differs, and the root cause if it finds "
        "one.")
    RISES = Sign(
        "loss-falls-then-rises", "The loss falls, then rises or explodes",
        ("rises", "increases", "explodes", "diverges", "spike", "spikes", "grows", "negative"),
        "Look at the training loss, not the validation loss. If only validation rises, see "
        "good-training-bad-validation.",
        _ALL_AT_ONCE)
    OSCILLATES = Sign(
        "loss-oscillates", "The loss oscillates or jumps",
        ("oscillates", "oscillating", "jumps", "noisy", "fluctuates", "zigzag", "unstable"),
        "Some noise is normal: each batch is another one. It is too much if the level stays where "
        "it is.",
        "It separates noise between batches from steps that are too long.")
    PLATEAU = Sign(
        "loss-plateaus", "The loss falls, then stays too high",
        ("plateau", "plateaus", "underfits", "underfitting", "local minimum", "high loss"),
        "Look at whether the training loss is high, too. If it is, the network cannot fit the "
        "data, or the steps no longer help it.",
        "It says how far the loss is from that of a constant guess, and tries the changes.",
        "unstuck prove train.py")
    SLOW = Sign(
        "loss-falls-slowly", "The loss falls, but very slowly",
        ("slow", "slowly", "too slow", "epochs", "longer"),
        "Look at how far one update moves the weights. About a thousandth of their size is usual.",
        "It forecasts what more steps would bring, and tries a higher learning rate.",
        "unstuck prove train.py")
    OVERFITS = Sign(
        "good-training-bad-validation", "Training is good, validation is bad",
        ("validation", "test", "overfit", "overfits", "overfitting", "generalise", "generalize",
         "generalisation", "generalization", "val", "held-out"),
        "Look at whether validation was ever good. If it was and then got worse, the network "
        "memorises. If it was bad from the start, the two sets are prepared in different ways.",
        "It compares the two sets, and the network in train and eval mode.")
    TOO_GOOD = Sign(
        "too-good-to-be-true", "The loss is almost zero at once, too good to be true",
        ("too good", "too good to be true", "zero loss", "perfect", "100 %", "100%",
         "leakage", "cheats"),
        "Look at what the network is given, and how often it is given the same. The target may be "
        "among the inputs, or only a few samples ever reach the network.",
        _ALL_AT_ONCE)
    EVAL = Sign(
        "worse-in-eval-mode", "The network is worse after eval()",
        ("eval", "eval()", "eval mode", "inference", "dropout", "batch norm", "batchnorm"),
        "In eval mode dropout is off, and batch normalisation uses its running statistics.",
        "It compares both modes on the same batch.")
    METRIC = Sign(
        "good-loss-bad-accuracy", "The loss falls, but the accuracy stays bad",
        ("accuracy", "metric", "recall", "precision", "f1", "score"),
        "Look at what is predicted. A common class can carry the loss, and a rare one the score.",
        "It counts how often each class is predicted.")
    ANOTHER = Sign(
        "differs-between-runs", "It is worse than yesterday, or fine in a notebook and not in a "
        "script",
        ("yesterday", "notebook", "script", "reproduce", "reproducible", "jupyter", "seed",
         "worse than before", "used to work"),
        "A notebook keeps what earlier cells have made: weights that were trained before, an "
        "optimizer of another model, data that a cell has changed. Record both runs, and compare "
        "what is reported.",
        "Run it once for each version, each time with another folder, and compare the reports. In "
        "a notebook, use unstuck.watch().",
        "unstuck run --out before train.py")
    MEMORY = Sign(
        "memory-grows", "Memory grows until the run dies",
        ("memory", "oom", "out of memory", "leak", "cuda out of memory"),
        "Look at whether it grows with every step. If it does, something keeps the graph of each "
        "step.",
        "It names the loss or output that is kept, and the line.")

    @property
    def slug(self) -> str:
        """The name by which it is asked for."""
        return self.value.slug

    @property
    def title(self) -> str:
        """What the user sees, as a sentence without a full stop."""
        return self.value.title


# What users type, and what it is called here.
_SHORT = {
    "lr": "learning rate", "bn": "batch norm", "val": "validation", "acc": "accuracy",
    "grad": "gradient", "grads": "gradient", "init": "initialis", "wd": "weight decay",
    "aug": "augment", "bs": "batch size", "std": "standard deviation", "amp": "half precision",
    "fp16": "16 bits", "bf16": "16 bits", "half": "16 bits", "opt": "optimizer",
    "normalize": "normalis", "normalization": "normalis", "initialization": "initialis",
    "regularization": "regularis", "memorize": "memoris", "optimiser": "optimizer",
    "multitask": "multi task",
}


def plain(text: str) -> str:
    """A query or a text in lower case, with single spaces, and without what ends words here."""
    words = re.sub(r"[-_\s]+", " ", text.lower()).strip()
    return " ".join(_SHORT.get(word, word) for word in words.split())


def signs_of(query: str) -> tuple[Symptom, ...]:
    """The symptoms that a query names: by slug, by a word or phrase, or as the loss ln C.

    Of a sentence that holds several phrases, the one with the longest comes first.
    """
    wanted = " ".join(query.lower().split())
    named = [symptom for symptom in Symptom
             if wanted.replace(" ", "-") == symptom.slug or wanted in symptom.value.words]
    if not named and classes_of(wanted) is not None:
        named = [Symptom.CHANCE]
    if not named and " " in wanted:
        lengths = {symptom: max((len(words) for words in symptom.value.words
                                 if f" {words} " in f" {wanted} "), default=0)
                   for symptom in Symptom}
        if any(classes_of(word) is not None for word in wanted.split()):
            lengths[Symptom.CHANCE] = len(wanted)  # "stuck at 0.693"
        named = sorted((symptom for symptom, length in lengths.items() if length),
                       key=lambda symptom: -lengths[symptom])
    return tuple(named)


def classes_of(query: str) -> int | None:
    """The number of classes whose logarithm a number is, None if it is no such number."""
    try:
        value = float(query)
    except ValueError:
        return None
    if not math.log(2) - 0.01 < value < math.log(MOST_CLASSES):
        return None
    classes = round(math.exp(value))
    return classes if abs(math.log(classes) - value) < 0.004 else None


def mentions(query: str, texts: Iterable[str]) -> bool:
    """Whether every word of a query begins a word of these texts."""
    text = f" {plain(' '.join(texts))}"
    words = plain(query)
    return bool(words) and all(f" {word}" in text for word in words.split())
