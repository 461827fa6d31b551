"""Duplicate samples: part of the training data occurs several times."""

from __future__ import annotations

from unstuck.curves.statistics import end_median
from unstuck.measures.basics import final, train_loss_at_the_end
from unstuck.measures.origins import split, training_set
from unstuck.measures.samples import kept, training_location
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import DropCopies, Remedy, Safety
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.drawing import ROW_COPIES, ROW_UNEVENNESS
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import (
    DUPLICATE_CLASS_SHARE,
    DUPLICATE_SHARE,
    DUPLICATE_UNEVENNESS,
    HELD_OUT_OVERLAP,
    NEAR_COPIES,
)
from unstuck.torch_api import REGRESSION
from unstuck.words import percent

SHARE = Threshold(
    "duplicate-share", 0.1,
    "A tenth of the data set adds no information, and the samples that it repeats count twice. In "
    "well-kept data sets a few per cent are copies at most.",
    "Barz and Denzler 2020: 3 % of CIFAR-10; Lee et al. 2022: 3 to 14 % of crawled text",
)
CHANCE = Threshold(
    "chance-copies", 0.05,
    "If samples often differ in only one or two elements, as in tables of categories, equal "
    "samples arise by chance.",
    "copying makes exact copies, not near ones",
)
UNEVEN = Threshold(
    "duplicate-unevenness", 0.05,
    "If every sample has the same number of copies, the data set was repeated on purpose to make "
    "epochs longer, and no sample counts more than another.",
    "definition of a repeated set",
)
REPEATED = Threshold(
    "repeated-share", 0.45,
    "If every sample occurs twice, half of the samples are copies. With a share this high, the "
    "whole data set was probably repeated.",
    "definition of a repeated data set, less the error of an estimate from a part of it",
)
ONE_CLASS = Threshold(
    "duplicate-class-share", 0.9,
    "If nearly all copies belong to one class, that class was oversampled because it is rare.",
    "a common practice, He and Garcia 2009",
)
MOSTLY = Threshold(
    "mostly-copies", 0.65,
    "With so many copies, an epoch has a third of the different samples that it seems to have.",
    "three copies of each sample, or more",
)
SHORT = Threshold(
    "held-out-over-training-copies", 2.0,
    "The held-out loss ends at twice the training loss or more, so the few different samples do "
    "not do.",
    "a choice: the losses of a network that generalises are nearly equal",
)


def _detect(view: View) -> Verdict:
    share, train = final(view, DUPLICATE_SHARE), kept(view, "train")
    if share is None and (train is None or not train.discrete):
        share = final(view, ROW_COPIES)
    if share is None:
        return _not_measured(view)
    if not share >= view.limit(SHARE):
        few = f"only {percent(share)}" if share else "none"
        return Absent(f"{few} of the training samples are copies of another one")
    near = final(view, NEAR_COPIES)
    near = 1.0 if near is None else near
    # Repeated that often, few are left: it does harm if held-out data show that they do not do.
    harmful = share >= view.limit(MOSTLY) and _falls_short(view)
    if not near < view.limit(CHANCE) and not harmful:
        return Unknown("nearly equal samples are common in these data, so exact copies can arise "
                       "by chance", ("a number of each sample that no other has",))
    uneven, one_class = final(view, DUPLICATE_UNEVENNESS), final(view, DUPLICATE_CLASS_SHARE)
    if final(view, DUPLICATE_SHARE) is None:
        uneven = final(view, ROW_UNEVENNESS)
        if not harmful and uneven is not None and uneven >= view.limit(UNEVEN) and not any(
                loss.function in REGRESSION for loss in view.record.facts(Loss)):
            return Unknown("some rows are copied more often than others, which may be those of a "
                           "rare class, copied on purpose", ("a look at the rows that repeat",))
    purpose = ""
    # Only part of a large set was seen: if all its samples occur twice, half are copies.
    half, unlike, most = (view.limit(x) for x in (REPEATED, UNEVEN, ONE_CLASS))
    alike = share >= half if uneven is None else not uneven >= unlike
    if alike and not harmful:
        purpose = "; every sample is repeated equally often, which does no harm"
    elif not harmful and one_class is not None and one_class >= most:
        purpose = "; nearly all copies belong to one class, as after oversampling"
    return _present(view, share, near, purpose)


def _falls_short(view: View) -> bool:
    """Whether the held-out loss ends far above the training loss."""
    if not view.has(HELD_OUT_LOSS) or not view.has(TRAIN_LOSS):
        return False
    train = train_loss_at_the_end(view)
    return train > 0 and end_median(view[HELD_OUT_LOSS].finite.values) >= view.limit(
        SHORT) * train


def _not_measured(view: View) -> Verdict:
    train = kept(view, "train")
    if train is not None and train.discrete:
        return Absent("the inputs are tokens or identifiers, which repeat naturally")
    return Unknown(
        "copies could not be distinguished from samples that are drawn again",
        ("a loader with num_workers=0 or a run of at least two epochs",))


def _present(view: View, share: float, near: float, purpose: str) -> Present:
    signal = DUPLICATE_SHARE if view.has(DUPLICATE_SHARE) else ROW_COPIES
    step = int(view[signal].steps[-1])
    few = f"only {percent(near)}" if near else "none"
    chance = "" if near >= view.limit(CHANCE) else (
        f"; this is not chance, because {few} of the distinct samples are close to another")
    remedies = [Remedy("remove the copies", Safety.CHANGES_EXPERIMENT,
                       (DropCopies(training_set(view)),))]
    if (final(view, HELD_OUT_OVERLAP) or 0.0) >= view.limit(SHARE):  # of which some are held out
        remedies.insert(0, Remedy("remove the copies before the split", Safety.CHANGES_EXPERIMENT,
                                  (DropCopies(split(view), split=True),)))
    return Present(
        strength=0.4 if purpose else 0.8 if share >= 2 * view.limit(SHARE) else 0.7,
        title=f"{percent(share)} of the training samples are exact copies of other training "
        f"samples{purpose or ' (usual: a few per cent at most)'}",
        since_step=0,
        location=training_location(view),
        label=f"{percent(share)} of these samples are copies",
        evidence=(
            Evidence(signal.name, "", (step,), (share,), view.limit(SHARE),
                     f"{percent(share)} of the samples in one epoch equal another sample in every "
                     f"element{chance}"),
        ),
        remedies=tuple(remedies),
    )


CAUSE = Cause(
    slug="duplicate-samples",
    code="D003",
    title="Duplicate samples",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS,),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls faster than the size of the data set would suggest. The "
        "validation loss lags behind, or is suspiciously good.",
        consequence="The data set is smaller than it looks. A sample that occurs twice counts "
        "twice, and so do its noise and any mistake in its label. A random split puts copies on "
        "both sides.",
        why="The loss is an average over the samples of each batch. A sample with ten copies "
        "pulls ten times as hard as another, whatever it is worth.",
        detection="Samples are compared element by element, as the model receives them. "
        "If the same index of a data set is drawn again, or the data set is passed through a "
        "second time, that does not count as a copy. If distinct samples are often nearly the "
        "same, as in tables of categories, equal samples are attributed to chance. If every sample "
        "comes equally often, that is a warning only if hardly a third of the samples are "
        "different ones and the held-out loss ends far above the training loss. Where rows of a "
        "variable are counted, copies of some rows only are reported for numbers as targets; for "
        "classes they may be those of a rare one.",
        limitations=f"Only exact copies are counted. Only the first {LIMITS.kept_samples:,} "
        "distinct samples are compared, and in larger data sets the share is scaled up. "
        "Random augmentation hides copies. Models with several inputs are not judged.",
        references=(
            "Lee et al. 2022: Deduplicating training data makes language models better",
            "Barz and Denzler 2020: Do we train on test data?",
        ),
    ),
    needs=(),
    uses=(DUPLICATE_SHARE, ROW_COPIES, ROW_UNEVENNESS, NEAR_COPIES, DUPLICATE_UNEVENNESS,
          DUPLICATE_CLASS_SHARE, HELD_OUT_OVERLAP, TRAIN_LOSS, HELD_OUT_LOSS),
    thresholds=(SHARE, CHANCE, UNEVEN, REPEATED, ONE_CLASS, MOSTLY, SHORT),
    effects=(Effect.SAMPLES_FEW, Effect.SAMPLES_SHARED),
    detect=_detect,
)
