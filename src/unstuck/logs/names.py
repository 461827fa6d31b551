"""What a column's name says of it: a loss or a score, of training or held-out data, or an axis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from unstuck.logs.languages import english


class Kind(StrEnum):
    """What a column measures."""

    STEP = "step"
    EPISODE = "episode"
    EPOCH = "epoch"
    RUN = "run"  # which of several runs a row belongs to
    RATE = "learning rate"
    LOSS = "loss"  # lower is better
    SCORE = "score"  # higher is better
    RETURN = "return"  # what an agent earns: higher is better, and nobody knows the best
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
    smoothed: bool = False  # a mean over many points, beside which those may stand as well

    @property
    def bounded(self) -> bool:
        """Whether the best value is known: 1, or 100 %."""
        return self.kind is Kind.SCORE and bool(self.measure & _BOUNDED)

    @property
    def counts_errors(self) -> bool:
        """Whether it is the share of words or letters that are wrong."""
        return self.kind is Kind.LOSS and bool(self.measure) and self.measure <= _ERROR_RATES

    @property
    def no_curve(self) -> bool:
        """Whether it is a time, a size or a setting, which no training is judged by."""
        return bool(self.rest & _NO_CURVE)

    @property
    def length(self) -> bool:
        """Whether it is how long the episodes of an agent were."""
        return self.kind is Kind.OTHER and bool(self.rest & {"length", "len"}) and bool(
            self.rest & {"ep", "episode", "episodic"})

    @property
    def of_data_alone(self) -> bool:
        """Whether the name says which data it speaks of, and nothing else."""
        return self.kind is Kind.OTHER and self.part is not Part.UNSAID and not self.rest


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRAIN = _words("train training trn tr trl learn dtrain")
_VALIDATION = _words(
    "val valid validation validate validating vali dev eval evals evaluation evaluate heldout "
    "holdout crossval cv vl va dval dvalid deval")
_TEST = _words("test testing tel te tst dtest")
_LOSS = _words(
    "loss losses nll ce bce mse mae rmse mape rmsle msle crossentropy xent perplexity ppl error "
    "cost objective criterion kl kld wer cer bpc bpb huber rms logloss mlogloss multilogloss hinge "
    "energy rel l1 l2 merror multiclass quantile poisson tweedie logcosh eer deviance") | {"err"}
_SCORE = _words(
    "acc accuracy accu f1 fscore auc aucpr auroc auprc roc precision recall iou miou dice map ap "
    "bleu rouge meteor r2 score psnr ssim hit hits ndcg mrr jaccard kappa mcc spearman spearmanr "
    "pearson pearsonr correlation corr sensitivity specificity em elbo likelihood evidence top1 "
    "top5 success fitness loglik loglikelihood ll logprob")
_LIKELIHOODS = _words("likelihood loglik loglikelihood ll logprob")
_COST_OF = _words("j theta w b")
_ALONE = _words("triplet contrastive infonce ntxent arcface")  # losses, where nothing else is said
_BOUNDED = _words(
    "accuracy f1 fscore auc aucpr auroc auprc roc precision recall iou miou dice r2 ssim jaccard "
    "kappa mcc sensitivity specificity top1 top5 success")
_ERROR_RATES = _words("wer cer eer")
_RETURN = _words("reward rewards return returns ret rew epret episodic")
_PREFERENCES = _words("chosen rejected margin margins accuracies accuracy")  # of pairs of texts
_STEP = _words(
    "step steps iter iters iteration iterations iterate it update updates batch batches minibatch "
    "minibatches idx index i timestep timesteps up counter generation generations")
_EPISODE = _words("episode episodes game games")
_EPOCH = _words("epoch epochs ep")
_RUN = _words("run runs trial trials fold folds seed seeds replicate experiment")
_COUNT = _words("example global n num number count total trainer current cur no nb id at learning "
               "after during finished starting running completed of the in for stdout stderr f")
_SMOOTH = _words("avg average averaged mean running smoothed ema epoch")
_NOISE = _words(
    "avg average averaged mean running final set epoch epochs step steps batch iter smoothed ema "
    "of the is was at after for total overall data on per s ep results result rollout "
    "charts episode function metrics")
_NO_CURVE = _words(
    "ts time timestamp runtime seconds second secs sec ms eta wall duration date elapsed memory "
    "mem gpu cpu flos tokens samples examples speed throughput weight weights scale coef "
    "coefficient grad gradient norm best min max lowest patience std stdev var variance size "
    "alpha beta gamma lambda smoothing threshold number remaining length len") | {"deviation"}
ROLE_COLUMNS = frozenset({
    "phase", "split", "mode", "context", "set", "subset", "dataset", "data", "event", "stage",
    "part", "partition", "type", "kind"})  # columns whose words say which data a row is of
_ONE_FIELD = re.compile(
    r"""\{\s?["']\w{1,24}["']\s?:\s?["'](\w{1,24})["']\s?\}|\w{1,24}\s?[:=]\s?(\w{1,24})""")
_HELD_TOGETHER = re.compile(
    r"(train|training|trn|tr|t|validation|valid|val|va|v|eval|test|dev)"
    r"(loss|acc|accuracy|error|err|mse|mae|ppl|auc|f1)")
_RANKED = re.compile(r"(?i)\b(?:rank-|top[-@]|acc@)(?:1|5)\b")
_OF_SAMPLES = re.compile(r"(?:fid|kid|fvd|fad)\d*")  # how far generated samples are from real ones
_OF_A_LOSS = re.compile(r"(.+)(loss(?:es)?)")  # "bceloss"
_ONE_LETTER = {"t": "train", "v": "val"}
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")


@lru_cache(maxsize=4096)
def name_of(name: str) -> Name:
    """What a column of this name holds, as far as its words say it."""
    have = set(_split(english(name[:200])))
    if {"held", "out"} <= have or {"hold", "out"} <= have:
        have = have - {"held", "hold", "out"} | {"heldout"}
    for side, data in (("out", "heldout"), ("in", "train")):
        if {side, "sample"} <= have:
            have = have - {side, "of", "sample"} | {data}
    if {"cross", "entropy"} <= have:
        have = have - {"cross", "entropy"} | {"crossentropy"}
    if have & _LIKELIHOODS and have & {"negative", "neg"}:
        have = have - _LIKELIHOODS - {"negative", "neg", "log"} | {"nll"}
    have -= {"cv", "agg"} if {"cv", "agg"} <= have else set()  # LightGBM's mean over all folds
    if have >= {"score", "iteration", "at"}:  # DL4J calls its loss so
        return Name(Kind.LOSS, Part.UNSAID, frozenset({"loss"}))
    part, test = _data(have)
    if part is Part.HELD_OUT and have & _TRAIN and "/" in name:  # the innermost says it
        inner = (_data(set(_split(english(one)))) for one in reversed(name[:200].split("/")))
        part, test = next((one for one in inner if one[0] is not Part.UNSAID), (part, test))
    have -= _TRAIN | _VALIDATION | _TEST
    if part is not Part.UNSAID and have in ({"l"}, {"j"}):  # as formulas have it: L_train, J_val
        have = {"loss"}
    if "(" in name and "j" in have and have <= _COST_OF:  # J(theta), J(w, b)
        return Name(Kind.LOSS, part, frozenset({"cost"}), frozenset(), test)
    if have and have <= _ALONE:
        return Name(Kind.LOSS, part, _same(have), frozenset(), test)
    if "lr" in have or {"learning", "rate"} <= have:
        return Name(Kind.RATE, part)
    for kind, words in ((Kind.EPOCH, _EPOCH), (Kind.STEP, _STEP), (Kind.EPISODE, _EPISODE),
                        (Kind.RUN, _RUN)):
        if have and have <= words | _COUNT and have & words:
            return Name(kind, part)
    if ranked := _RANKED.search(name):
        have |= {"top1" if ranked[0].endswith("1") else "top5"}
    if any(map(_OF_SAMPLES.fullmatch, have)) and not have & _LOSS:
        return Name(Kind.LOSS, Part.HELD_OUT, frozenset({"distance"}), frozenset({"samples"}), test)
    smoothed = bool(have & _SMOOTH)
    if not have & _NO_CURVE:
        returns = have & _RETURN and not have & _PREFERENCES
        for kind, known in ((Kind.LOSS, _LOSS), (Kind.RETURN, _RETURN if returns else set()),
                            (Kind.SCORE, _SCORE)):
            if measure := have & known:
                return Name(kind, part, _same(measure), frozenset(have - known - _NOISE), test,
                            smoothed)
    return Name(Kind.OTHER, part, rest=frozenset(have - {"s"}), test=test, smoothed=smoothed)


def _data(words: set[str]) -> tuple[Part, bool]:
    """The part of the data that words speak of, and whether it is held out for the very end."""
    test = bool(words & _TEST)
    if test or words & _VALIDATION:
        return Part.HELD_OUT, test
    return Part.TRAIN if words & _TRAIN else Part.UNSAID, False


def role(cell: str) -> str:
    """The data that a cell speaks of and of nothing else, as a word; "" if it does not."""
    if inner := _ONE_FIELD.fullmatch(cell[:80]):
        cell = inner[1] or inner[2]
    found = name_of(cell) if 0 < len(cell) <= 24 and not cell.isdigit() else None
    if found is None or found.part is Part.UNSAID or found.kind is not Kind.OTHER or (
            found.rest - _NOISE - ROLE_COLUMNS):
        return ""
    return "train" if found.part is Part.TRAIN else "test" if found.test else "val"


def with_role(name: str, role: str) -> str:
    """The name of a quantity of some data; counters and names that say it stay."""
    known = name_of(name)
    measures = known.kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN, Kind.OTHER)
    return f"{role} {name}" if role and measures and known.part is Part.UNSAID else name


def _split(name: str) -> list[str]:
    """The words of a name in small letters; those that are written as one are taken apart."""
    words: list[str] = []
    for word in map(str.lower, _WORDS.findall(name.replace("IoU", "iou"))):
        if found := _HELD_TOGETHER.fullmatch(word):
            words += _ONE_LETTER.get(found[1], found[1]), found[2]
        elif word not in _LOSS and (found := _OF_A_LOSS.fullmatch(word)):
            words += found.groups()
        else:
            words.append(word)
    if words[:1] == ["l"] and name[1:2] == "_" and words[1:2] not in ([], ["r"], ["inf"]) and (
            words[1].isalpha()):
        words[0] = "loss"  # "l_pix", but neither a rate nor a norm
    return words


def _same(measure: set[str]) -> frozenset[str]:
    """One spelling for words that mean the same."""
    other = {"acc": "accuracy", "accu": "accuracy", "losses": "loss", "err": "error",
             "ppl": "perplexity", "rewards": "reward", "returns": "return", "ret": "return",
             "epret": "return", "episodic": "return", "rew": "reward",
             **dict.fromkeys(_LIKELIHOODS, "likelihood")}
    return frozenset(other.get(word, word) for word in measure)
