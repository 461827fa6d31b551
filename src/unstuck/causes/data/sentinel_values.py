"""Sentinel values: missing numbers were filled with one that lies far from all real ones."""

from __future__ import annotations

import math

from unstuck.measures.basics import final, last, learned_little
from unstuck.measures.origins import input_steps, nearest
from unstuck.measures.samples import trained_on, training_location
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Edit, FillWithMedian, Impute, Remedy, Safety
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.sentinels import Filling
from unstuck.schema.facts.sequences import Padding
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.inputs import INPUT_DEVIATION
from unstuck.schema.signals.sentinels import (
    SEARCHED_FEATURES,
    SENTINEL_DEVIATION,
    SENTINEL_GAP,
    SENTINEL_MEDIAN,
    SENTINEL_SHARE,
    SENTINEL_SPREAD,
    SENTINEL_VALUE,
)
from unstuck.words import count, number, percent, times

SHARE = Threshold(
    "sentinel-share", 0.01,
    "So many samples must have exactly this number. A smaller share is a few outliers.",
    "a choice: exact repetition of a measured number is rare",
)
MOST = Threshold(
    "sentinel-most-share", 0.4,
    "What more samples have is the usual case, such as a word that does not occur in a text.",
    "a choice: few tables miss nearly half of a column",
)
ZERO = Threshold(
    "sentinel-most-share-of-zero", 0.2,
    "Zero often says that there is nothing to count, so fewer samples may have it.",
    "a choice: sparse features are zero for most samples",
)
GAP = Threshold(
    "sentinel-gap", 1.0,
    "The number lies further from all others of its feature than these lie from each other. Zeros "
    "of counts and of rain, clipped readings and the edges of pictures lie within or beside the "
    "range.",
    "a choice: the whole range of the real numbers once more",
)
FAR = Threshold(
    "sentinel-gap-of-a-far-one", 5.0,
    "At five times the range, the number rules the mean and the standard deviation of its feature. "
    "After standardising, all real numbers are nearly the same.",
    "5 % of such cells make up 95 % of the variance",
)
LEFT = Threshold(
    "sentinel-deviation-left", 0.5,
    "If the first layer receives a feature with less than half of the standard deviation that the "
    "number gives it, the model may have replaced it.",
    "a choice: a layer that replaces it leaves the standard deviation of the real numbers",
)


def _detect(view: View) -> Verdict:
    train = trained_on(view)
    if isinstance(train, Unknown):
        return train
    if train.discrete:
        return Absent("the inputs are tokens or identifiers, which may have any number")
    searched = final(view, SEARCHED_FEATURES)
    if searched is None:
        return Unknown(f"{count(train.samples, 'training sample')} are too few to see a number "
                       "that many of them share", ("more training samples",))
    found = _found(view)
    if not found:
        return Absent("no feature has one number that many samples share and that lies far from "
                      "all others")
    padding = view.record.fact(Padding)
    if padding is not None and all(
        math.isclose(value, padding.value, rel_tol=1e-5)
        for feature, value in last(view[SENTINEL_VALUE]).items() if feature in found
    ):
        return Absent(f"the number {number(padding.value)} that many samples share fills "
                      f"{'the start' if padding.left else 'the end'} of sequences: it is padding")
    if _replaced(view, found):
        return Unknown("the first layer receives other numbers than the model, which may replace "
                       "the missing ones itself", ("inputs without such numbers",))
    return _present(view, found, round(searched))


def _found(view: View) -> list[str]:
    if not all(view.has(s) for s in (SENTINEL_SHARE, SENTINEL_GAP, SENTINEL_VALUE)):
        return []
    shares, gaps, values = (last(view[s]) for s in (SENTINEL_SHARE, SENTINEL_GAP, SENTINEL_VALUE))
    return [f for f, share in shares.items()
            if view.limit(SHARE) <= share <= view.limit(MOST if values[f] else ZERO)
            and gaps.get(f, 0.0) >= view.limit(GAP)]


def _replaced(view: View, found: list[str]) -> bool:
    """Whether the first layer receives about what the real numbers alone are.

    It may have more features than the model's input, or others.
    """
    if not view.has(INPUT_DEVIATION) or not view.has(SENTINEL_SPREAD) or not (
        view.has(SENTINEL_DEVIATION)
    ):
        return False
    received, spread = last(view[INPUT_DEVIATION]), last(view[SENTINEL_SPREAD])
    own = last(view[SENTINEL_DEVIATION])
    if len(received) != final(view, SEARCHED_FEATURES):
        return bool(received) and max(received.values()) <= view.limit(LEFT) * min(
            spread[f] * own[f] for f in found)
    return all(received[f] <= view.limit(LEFT) * spread[f] * own[f]
               and received[f] <= 2 * own[f] for f in found if f in received)


def _present(view: View, found: list[str], searched: int) -> Present:
    values, shares, gaps = (last(view[s]) for s in (SENTINEL_VALUE, SENTINEL_SHARE, SENTINEL_GAP))
    # Of several values the one that most features have; the first feature that has it.
    same = {v: [f for f in found if values[f] == v] for v in (values[f] for f in found)}
    value = max(same, key=lambda v: len(same[v]))
    worst = max(same[value], key=lambda f: shares[f])
    known = view.record.facts(Filling)
    fact = next((x for x in known if math.isclose(x.value, value, rel_tol=1e-5)), None) or (
        known[0] if known else None)
    filling = fact.value if fact is not None else value
    mean = sum(shares[f] for f in found) / len(found)
    step = int(view[SENTINEL_SHARE][worst].steps[-1])
    far = max(gaps[f] for f in found) >= view.limit(FAR)
    strength = 0.92 if far else 0.75 if learned_little(view.outcome) else 0.6
    where = "every feature" if len(found) == searched > 1 else (
        f"{number(len(found))} of {count(searched, 'feature')}")
    scaled = "" if math.isclose(filling, value, rel_tol=1e-5) else (
        f" (scaled to {number(value)} in feature {worst})")
    return Present(
        strength=strength,
        title=f"missing values were filled with {number(filling)}{scaled}, which "
        f"{percent(mean)} of the samples have in {where}",
        since_step=0,
        location=fact.location if fact is not None else (
            nearest(input_steps(view), StepKind.CHANGED)
            or nearest(input_steps(view)[::-1], StepKind.CONVERTED) or training_location(view)),
        label=f"{number(filling)} is a number like any other to the network",
        evidence=(
            Evidence(SENTINEL_SHARE.name, worst, (step,), (shares[worst],), view.limit(SHARE),
                     f"{percent(shares[worst])} of the samples have exactly {number(value)} in "
                     f"feature {worst}"),
            Evidence(SENTINEL_GAP.name, worst, (step,), (gaps[worst],), view.limit(GAP),
                     f"the nearest other number is {times(gaps[worst])} as far away as the whole "
                     "range of the others"),
        ),
        remedies=_remedies(view, value, same[value], len(same), searched),
    )


def _remedies(
    view: View, value: float, features: list[str], different: int, searched: int
) -> tuple[Remedy, ...]:
    medians = last(view[SENTINEL_MEDIAN])
    edit: Edit = FillWithMedian()
    if different == 1 and searched <= 64:
        near = tuple(medians.get(str(i), 0.0) for i in range(searched))
        spreads = last(view[SENTINEL_DEVIATION])
        alike = all(abs(medians[f]) < 0.25 * spreads.get(f, 0.0) for f in features)
        edit = Impute(value, (0.0,) if alike else near)
    name = "replace missing values with the median"
    return (
        Remedy(name, Safety.SAFE, (edit,)),
        Remedy("say which values were missing", Safety.ADVICE,
               advice="Replace missing values with the median of the feature over the training "
               "data, before scaling, and add a column that is 1 where a value was missing. "
               "Standardising does not help: the filler then takes up most of the scale.",
               code_text="missing = x.isnan()\n"
               "x = torch.where(missing, x_train.nanmedian(0).values, x)\n"
               "x = torch.cat([x, missing.float()], 1)"),
    )


CAUSE = Cause(
    slug="sentinel-values",
    code="D011",
    title="Sentinel values",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.FLAT),
    words=Words(
        symptom="The loss is large and erratic at first and then no better than that of a "
        "constant. Standardising the inputs calms it, but the fit stays poor.",
        consequence="A cell that is missing outweighs all that are there. Once the feature is "
        "standardised, the real numbers are nearly the same, and what they say is lost.",
        why="A tree can split at -999; a network multiplies it by a weight. Samples with missing "
        "cells get outputs and gradients that are hundreds of times as large as those of others. "
        "The number also rules the mean and the standard deviation of its feature.",
        detection="In each feature of the kept training samples, unstuck looks for one exact "
        "number at either end that at least 1 % of the samples have. It must lie further from all "
        "other numbers than these lie from each other. Features with a few different numbers, and "
        "numbers that fill a sequence to its end, do not count. Scaling does not hide it.",
        limitations="A filler within the range of the real numbers, such as 0 for a missing age, "
        "is not found. A feature that is far off for a tenth of the samples and the same for "
        "all of these by nature looks alike. If the model may replace the number itself, unstuck "
        f"abstains. At most {LIMITS.kept_samples:,} samples are looked at.",
        references=(
            "Little and Rubin 2019: Statistical analysis with missing data",
            "scikit-learn: Imputation of missing values, MissingIndicator",
        ),
    ),
    needs=(),
    uses=(SEARCHED_FEATURES, SENTINEL_VALUE, SENTINEL_SHARE, SENTINEL_GAP, SENTINEL_MEDIAN,
          SENTINEL_SPREAD, SENTINEL_DEVIATION, INPUT_DEVIATION),
    thresholds=(SHARE, MOST, ZERO, GAP, FAR, LEFT),
    effects=(Effect.LABELS_UNPREDICTABLE, Effect.SAMPLES_FEW, Effect.INPUTS_OFF_SCALE,
             Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE, Effect.UPDATES_TOO_SMALL,
             Effect.CANNOT_FIT, Effect.TOO_SLOW),
    detect=_detect,
)
