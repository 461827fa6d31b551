"""What a column's name says of it: a loss or a score, of training or held-out data, or an axis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """What a column measures."""

    STEP = "step"
    EPOCH = "epoch"
    RATE = "learning rate"
    LOSS = "loss"  # lower is better
    SCORE = "score"  # higher is better
    OTHER = "other"


class Part(StrEnum):
    """The data that a column speaks of."""

    TRAIN = "train"
    HELD_OUT = "held-out"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Name:
    """A name understood. `measure` are its words for what is measured, `rest` what is left."""

    kind: Kind
    part: Part
    measure: frozenset[str] = frozenset()
    rest: frozenset[str] = frozenset()
    test: bool = False  # held out for the very end, rather than for validation


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRAIN = _words("train training trn tr")
_VALIDATION = _words(
    "val valid validation validate validating vali dev eval evaluation evaluate heldout holdout")
_TEST = frozenset({"test", "testing"})
_LOSS = _words(
    "loss losses nll ce bce mse mae rmse mape rmsle msle crossentropy xent perplexity ppl error "
    "cost objective criterion kl kld wer cer bpc bpb huber logloss hinge energy rel") | {"err"}
_SCORE = _words(
    "acc accuracy accu f1 fscore auc auroc auprc roc precision recall iou miou dice map ap bleu "
    "rouge meteor r2 score reward rewards return returns psnr ssim hit hits ndcg mrr jaccard "
    "kappa mcc spearman spearmanr pearson pearsonr correlation corr sensitivity specificity em "
    "elbo likelihood evidence top1 top5 success")
_STEP = _words(
    "step steps iter iters iteration iterations it update updates batch batches minibatch "
    "minibatches idx index i")
_EPOCH = _words("epoch epochs ep")
_COUNT = _words("global n num number count total trainer current cur no nb")
_NOISE = _words(
    "avg average averaged mean running final set epoch epochs step steps batch iter smoothed ema "
    "of the is was at after for total overall data on per")
_NO_CURVE = _words(
    "time timestamp runtime seconds second secs sec ms s eta wall duration date elapsed memory "
    "mem gpu cpu flos tokens samples speed throughput weight weights scale coef coefficient grad "
    "gradient norm best min max lowest patience std stdev var variance size") | {"deviation"}
_HELD_TOGETHER = re.compile(
    r"(train|training|trn|validation|valid|val|eval|test|dev)"
    r"(loss|acc|accuracy|error|err|mse|mae|ppl|auc|f1)")
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")


@lru_cache(maxsize=4096)
def name_of(name: str) -> Name:
    """What a column of this name holds, as far as its words say it."""
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    for i, word in enumerate(list(words)):
        if found := _HELD_TOGETHER.fullmatch(word):
            words[i : i + 1] = found.groups()
    have = set(words)
    if {"held", "out"} <= have or {"hold", "out"} <= have:
        have = have - {"held", "hold", "out"} | {"heldout"}
    if {"cross", "entropy"} <= have:
        have = have - {"cross", "entropy"} | {"crossentropy"}
    if "likelihood" in have and have & {"negative", "neg"}:
        have = have - {"likelihood", "negative", "neg", "log"} | {"nll"}
    test = bool(have & _TEST)
    part = (Part.HELD_OUT if have & _VALIDATION or test
            else Part.TRAIN if have & _TRAIN else Part.UNSAID)
    have -= _TRAIN | _VALIDATION | _TEST
    if "lr" in have or {"learning", "rate"} <= have:
        return Name(Kind.RATE, part)
    if have and have <= _EPOCH | _COUNT and have & _EPOCH:
        return Name(Kind.EPOCH, part)
    if have and have <= _STEP | _COUNT and have & _STEP:
        return Name(Kind.STEP, part)
    if not have & _NO_CURVE:
        for kind, known in ((Kind.LOSS, _LOSS), (Kind.SCORE, _SCORE)):
            if measure := have & known:
                return Name(kind, part, _same(measure), frozenset(have - known - _NOISE), test)
    return Name(Kind.OTHER, part, rest=frozenset(have), test=test)


def _same(measure: set[str]) -> frozenset[str]:
    """One spelling for words that mean the same."""
    other = {"acc": "accuracy", "accu": "accuracy", "losses": "loss", "err": "error",
             "ppl": "perplexity", "rewards": "reward", "returns": "return"}
    return frozenset(other.get(word, word) for word in measure)
