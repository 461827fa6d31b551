"""Signals of the samples that were kept while the program ran, written when it has ended."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

# Inputs ------------------------------------------------------------------------------------------
DISTINCT_SAMPLES = StepSignal(
    "distinct-samples", "samples",
    "number of different training samples; written only if a whole epoch could be kept",
    requires=runs.COPIES,
)
DUPLICATE_SHARE = StepSignal(
    "duplicate-share", "",
    "share of the training samples of one epoch that are exact copies of another one; a sample "
    "that is drawn again is not a copy",
    requires=runs.COPIES,
)
DUPLICATE_CLASS_SHARE = StepSignal(
    "duplicate-class-share", "",
    "share of the copied training samples that have the most frequent target among them",
    requires=runs.LABELLED_COPIES,
)
DUPLICATE_UNEVENNESS = StepSignal(
    "duplicate-unevenness", "",
    "share of the different training samples that do not have the most frequent number of copies",
    requires=runs.FOUND_COPIES,
)
NEAR_COPIES = StepSignal(
    "near-copies", "",
    "share of the different training samples that differ from another one in at most 2 % of their "
    "elements, or in two of them",
    requires=runs.KEPT,
)
KIN_SIZE = StepSignal(
    "kin", "samples",
    "other samples that lie near a training sample before a gap to all the rest, the same number "
    "for nearly all of them",
    requires=runs.KIN,
)
KIN_GAP = StepSignal(
    "kin-gap", "",
    "distance to the nearest sample beyond that gap, divided by the distance to the last one "
    "before it (the median over training samples)",
    requires=runs.KIN,
)
KIN_SHARE = StepSignal(
    "kin-in-training", "",
    "share of the held-out samples with as many near ones before such a gap, some of which were "
    "trained on",
    requires=runs.KIN,
)
WINDOW_OVERLAP = StepSignal(
    "window-overlap", "",
    "share of the held-out samples most of whose numbers lie in a row in training samples as well, "
    "at another place",
    requires=runs.WINDOWS,
)
HELD_OUT_OVERLAP = StepSignal(
    "held-out-overlap", "",
    "share of the held-out samples that are exact copies of training samples, without passes over "
    "the training data themselves",
    requires=runs.ROUND_AND_VALIDATION,
)
HELD_OUT_SAMPLES = StepSignal(
    "held-out-samples", "samples",
    "number of different held-out samples that were compared",
    requires=runs.ROUND_AND_VALIDATION,
)
FEATURE_DISTANCE = PlaceSignal(
    "feature-distance", "",
    "largest distance between the distribution functions of a feature in training and in held-out "
    "samples (Kolmogorov-Smirnov), less the distance expected by chance at the 0.1 % level",
    requires=runs.ROLES, place="feature",
)
TOKEN_DISTANCE = StepSignal(
    "token-distance", "",
    "total variation distance between how often each token occurs in held-out and in training "
    "samples, less the largest of random splits of the same samples",
    requires=runs.ROLES,
)
FEATURE_SHIFT = PlaceSignal(
    "feature-shift", "",
    "mean of a feature in held-out samples less its mean in training samples, divided by its "
    "standard deviation in training samples",
    requires=runs.ROLES, place="feature",
)
FEATURE_SCALE = PlaceSignal(
    "feature-scale", "",
    "standard deviation of a feature in held-out samples divided by that in training samples, "
    "both without the lowest and highest 1 % of the values",
    requires=runs.ROLES, place="feature",
)
OWN_SCALE = StepSignal(
    "own-scale", "",
    "share of the features whose mean over the held-out samples is 0 and whose standard deviation "
    "is 1, far more exactly than samples scaled by the statistics of others would have it",
    requires=runs.ROLES,
)
LEARNING_CURVE = PlaceSignal(
    "learning-curve", "",
    "skill of kernel ridge regression on the held-out samples (1 - its error / the error of the "
    "training mean) after training on a quarter, a half and all of the kept training samples; "
    "where no held-out sample has a known target, every third training sample is set aside instead",
    requires=runs.LABELLED_ROLES, place="share of the samples",
)
LEARNING_GAIN_ERROR = StepSignal(
    "learning-gain-error", "",
    "standard error of the gain of the learning-curve from half of the samples to all of them",
    requires=runs.LABELLED_ROLES,
)
INPUT_DISTANCE = PlaceSignal(
    "input-distance", "",
    "largest robust z-score among the features of a training sample: its distance from the "
    "median, divided by 1.48 times the median of such distances; written for the most distant "
    "samples",
    requires=runs.MANY, place="sample",
)
TARGET_DISTANCE = PlaceSignal(
    "target-distance", "",
    "largest robust z-score among the targets of a training sample, in a regression; written for "
    "the most distant samples",
    requires=runs.MANY_VALUES, place="sample",
)
LOSS_SHARE = PlaceSignal(
    "loss-share", "",
    "share of the summed losses of all kept samples that comes from one of them, at its first "
    "visit (step 0) and its last; written for the most distant samples",
    requires=runs.MANY_LOSSES, place="sample",
)
GRADIENT_SHARE = PlaceSignal(
    "gradient-share", "",
    "share of the summed gradient norms of all kept samples that comes from one of them, like "
    "loss-share; each is approximated by the gradient at the output times the norm of the input",
    requires=runs.MANY_LOSSES, place="sample",
)

# Labels ------------------------------------------------------------------------------------------
CLASS_SAMPLES = PlaceSignal(
    "class-samples", "samples", "number of kept training samples of a class",
    requires=runs.CLASSES, place="class",
)
CLASSES_JUDGED = PlaceSignal(
    "class-samples-judged", "samples",
    "number of kept training samples of a class whose last visit lies in the last two thirds of "
    "the run",
    requires=runs.LATE_CLASSES, place="class",
)
CLASS_RECALL = PlaceSignal(
    "class-recall", "",
    "share of a class's training samples, seen late in the run, that the network assigns to it",
    requires=runs.LATE_CLASSES, place="class",
)
SCORE_FACTOR = StepSignal(
    "score-factor", "",
    "factor on all outputs that makes the cross entropy of late training samples lowest, of the "
    "powers of two from 0.25 to 1,024",
    requires=runs.LATE_CLASSES,
)
SCALED_LOSS = StepSignal(
    "scaled-loss", "", "that cross entropy, divided by the one without a factor",
    requires=runs.LATE_CLASSES,
)
LARGEST_SCORE = StepSignal(
    "largest-score", "", "largest output of these samples, without its sign",
    requires=runs.LATE_CLASSES,
)
TOP_SPREAD = StepSignal(
    "top-score-spread", "",
    "standard deviation of each sample's largest output, divided by its mean",
    requires=runs.LATE_CLASSES,
)
HELD_OUT_CLASSES_JUDGED = PlaceSignal(
    "held-out-class-samples-judged", "samples",
    "number of kept held-out samples of a class that were predicted in the last two thirds of the "
    "run",
    requires=runs.LATE_HELD_OUT_CLASSES, place="class",
)
UNKNOWN_CLASSES = PlaceSignal(
    "unknown-classes", "",
    "share of the kept held-out samples that are of a class which no kept training sample has",
    requires=runs.ROLES, place="class",
)
HELD_OUT_CLASS_RECALL = PlaceSignal(
    "held-out-class-recall", "",
    "share of a class's held-out samples, seen late in the run, that the network assigns to it",
    requires=runs.LATE_HELD_OUT_CLASSES, place="class",
)
HELD_OUT_CLASS_RANKING = PlaceSignal(
    "held-out-class-ranking", "",
    "area under the ROC curve of each class for held-out samples late in the run: how often the "
    "network considers the class more likely for a sample of it than for another sample",
    requires=runs.LATE_HELD_OUT_CLASSES, place="class",
)
CLASS_RANKING = PlaceSignal(
    "class-ranking", "",
    "area under the ROC curve of each class for training samples late in the run",
    requires=runs.LATE_CLASSES, place="class",
)
DENSE_CLASS_COUNT = PlaceSignal(
    "dense-class-count", "labels",
    "number of labels of a class, of pixels or time steps, in the training batches that were "
    "looked at in the last two thirds of the run",
    requires=runs.DENSE_CLASSES, place="class",
)
DENSE_CLASS_RECALL = PlaceSignal(
    "dense-class-recall", "",
    "share of these pixels or time steps that the network assigns to their class",
    requires=runs.DENSE_CLASSES, place="class",
)
DENSE_CLASS_RANKING = PlaceSignal(
    "dense-class-ranking", "",
    "area under the ROC curve of each class for these pixels or time steps",
    requires=runs.DENSE_CLASSES, place="class",
)
CLASS_SEPARABILITY = PlaceSignal(
    "class-separability", "",
    "area under the ROC curve of each class for a leave-one-out baseline, which predicts each "
    "training sample from all others",
    requires=runs.LABELLED_PAIRS, place="class",
)
LINEAR_SEPARABILITY = PlaceSignal(
    "linear-separability", "",
    "area under the ROC curve of each class for weighted sums of the inputs, fitted to all "
    "training samples but the one that is predicted",
    requires=runs.LABELLED_PAIRS, place="class",
)
LABEL_DEPENDENCE = PlaceSignal(
    "label-dependence", "standard deviations",
    "how much better the best leave-one-out baseline predicts the targets than permuted targets; "
    "for training and for held-out samples",
    requires=runs.PAIRS, place="role",
)
LABEL_CHANCE = PlaceSignal(
    "label-dependence-by-chance", "",
    "share of permutations of the targets that leave-one-out baselines predict as well as the "
    "targets (a p-value)",
    requires=runs.PAIRS, place="role",
)
PAIRS_TESTED = PlaceSignal(
    "pairs-tested", "samples",
    "number of samples in the permutation test of the targets",
    requires=runs.PAIRS, place="role",
)
KEPT_CONSTANT_SHARE = StepSignal(
    "kept-constant-share", "",
    "share of a model's inputs that are the same in all different training samples that were kept",
    requires=runs.KEPT,
)
INPUT_KINDS = StepSignal(
    "input-kinds", "",
    "number of different values among the inputs in the permutation test of the targets, at most "
    "100",
    requires=runs.PAIRS,
)
LABELS_FOUND = PlaceSignal(
    "labels-found", "",
    "share of samples whose class the network predicted (for numbers: the rank correlation); new "
    "samples at their first visit, trained and held-out ones at their last",
    requires=runs.PREDICTIONS, place="samples",
)
LABELS_BY_CHANCE = PlaceSignal(
    "labels-found-by-chance", "",
    "share of the largest class among the samples of labels-found",
    requires=runs.PREDICTIONS, place="samples",
)
LABELS_COUNTED = PlaceSignal(
    "labels-counted", "samples", "number of the samples of labels-found",
    requires=runs.PREDICTIONS, place="samples",
)
LABEL_DISAGREEMENT = PlaceSignal(
    "label-disagreement", "",
    "share of labels that contradict both the network's early predictions and a leave-one-out "
    "baseline, among all samples on which these two agree and among those where the baseline is "
    "surest",
    requires=runs.EPOCHS, place="part",
)
AGREEING_SAMPLES = PlaceSignal(
    "agreeing-samples", "samples",
    "number of samples on which the network and the baseline agree, and of those among them where "
    "the baseline is surest",
    requires=runs.EPOCHS, place="part",
)
LABEL_SUSPECTS = PlaceSignal(
    "label-suspects", "samples", "number of labels that a method considers wrong",
    requires=runs.EPOCHS, place="method",
)
LABEL_SUSPECT = PlaceSignal(
    "label-suspect", "",
    "how much more likely the baseline considers another class than the label; for the worst "
    "suspects of both methods, by index in the data set, or by order of arrival (#)",
    requires=runs.EPOCHS, place="sample",
)
SUSPECTS_LEARNED = StepSignal(
    "suspects-learned", "",
    "share of the suspects of both methods that the network predicted as labelled at the end of "
    "the run",
    requires=runs.EPOCHS,
)
