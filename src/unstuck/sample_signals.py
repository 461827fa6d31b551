"""Signals of the samples that were kept while the program ran, written when it has ended."""

from __future__ import annotations

from unstuck.quantities import Cost, PlaceSignal, StepSignal

# Inputs ------------------------------------------------------------------------------------------
DISTINCT_SAMPLES = StepSignal(
    "distinct-samples", "samples", Cost.SAMPLED,
    "different training samples, where all that came in a whole round could be kept",
)
DUPLICATE_SHARE = StepSignal(
    "duplicate-share", "", Cost.SAMPLED,
    "share of the training samples of one round that are exact copies of another one; samples "
    "that are drawn again are no copies",
)
DUPLICATE_CLASS_SHARE = StepSignal(
    "duplicate-class-share", "", Cost.SAMPLED,
    "share of those copies whose targets are the most frequent one among them",
)
DUPLICATE_UNEVENNESS = StepSignal(
    "duplicate-unevenness", "", Cost.SAMPLED,
    "share of the different training samples whose number of copies is not the most frequent one",
)
NEAR_COPIES = StepSignal(
    "near-copies", "", Cost.SAMPLED,
    "share of the different training samples that differ from another one in no more than 2 % of "
    "their elements, or two of them",
)
HELD_OUT_OVERLAP = StepSignal(
    "held-out-overlap", "", Cost.SAMPLED,
    "share of the held-out samples that are exact copies of training samples; passes over the "
    "training data themselves are left out",
)
HELD_OUT_SAMPLES = StepSignal(
    "held-out-samples", "samples", Cost.SAMPLED, "different held-out samples that were compared"
)
FEATURE_DISTANCE = PlaceSignal(
    "feature-distance", "", Cost.SAMPLED,
    "largest distance between the distribution functions of a feature in training and in held-out "
    "samples (Kolmogorov-Smirnov), less what chance makes of it at the 0.1 % level",
    place="feature",
)
FEATURE_SHIFT = PlaceSignal(
    "feature-shift", "", Cost.SAMPLED,
    "difference of a feature's mean in held-out and in training samples, over its standard "
    "deviation in training samples",
    place="feature",
)
FEATURE_SCALE = PlaceSignal(
    "feature-scale", "", Cost.SAMPLED,
    "standard deviation of a feature in held-out samples over that in training samples, each "
    "without the hundredth part at either end",
    place="feature",
)
LEARNING_CURVE = PlaceSignal(
    "learning-curve", "", Cost.SAMPLED,
    "skill on the held-out samples, 1 - error over that of the training mean, of kernel ridge "
    "regression on a quarter, a half and all of the kept training samples",
    place="share of the samples",
)
LEARNING_GAIN_ERROR = StepSignal(
    "learning-gain-error", "", Cost.SAMPLED,
    "standard error of the difference in that skill between all of the samples and half of them",
)
INPUT_DISTANCE = PlaceSignal(
    "input-distance", "", Cost.SAMPLED,
    "largest robust z-score of the features of a training sample: distance from the median over "
    "1.48 times the median absolute deviation; the most distant samples",
    place="sample",
)
TARGET_DISTANCE = PlaceSignal(
    "target-distance", "", Cost.SAMPLED,
    "the same of the targets of a regression", place="sample",
)
LOSS_SHARE = PlaceSignal(
    "loss-share", "", Cost.SAMPLED,
    "share of the summed losses of all kept samples that one of them carries, at its first visit "
    "(step 0) and its last; the most distant samples",
    place="sample",
)
GRADIENT_SHARE = PlaceSignal(
    "gradient-share", "", Cost.SAMPLED,
    "the same of the sizes of the gradients: that at the output times the size of the input",
    place="sample",
)

# Labels ------------------------------------------------------------------------------------------
CLASS_SAMPLES = PlaceSignal(
    "class-samples", "samples", Cost.SAMPLED, "kept training samples of a class", place="class"
)
CLASSES_JUDGED = PlaceSignal(
    "class-samples-judged", "samples", Cost.SAMPLED,
    "those of them whose last visit lies in the last two thirds of the run", place="class",
)
CLASS_RECALL = PlaceSignal(
    "class-recall", "", Cost.SAMPLED, "share of those that the network put into their class",
    place="class",
)
HELD_OUT_CLASSES_JUDGED = PlaceSignal(
    "held-out-class-samples-judged", "samples", Cost.SAMPLED,
    "kept held-out samples of a class that were predicted in the last two thirds of the run",
    place="class",
)
HELD_OUT_CLASS_RECALL = PlaceSignal(
    "held-out-class-recall", "", Cost.SAMPLED,
    "share of those that the network put into their class", place="class",
)
HELD_OUT_CLASS_RANKING = PlaceSignal(
    "held-out-class-ranking", "", Cost.SAMPLED,
    "how often the network holds a class more likely for a held-out sample of it than for another, "
    "late in the run (area under the ROC curve)",
    place="class",
)
CLASS_RANKING = PlaceSignal(
    "class-ranking", "", Cost.SAMPLED,
    "how often the network holds a class more likely for a training sample of it than for another, "
    "late in the run (area under the ROC curve)",
    place="class",
)
CLASS_SEPARABILITY = PlaceSignal(
    "class-separability", "", Cost.SAMPLED,
    "the same of a cheap learner that is told by all other training samples", place="class",
)
LABEL_DEPENDENCE = PlaceSignal(
    "label-dependence", "standard deviations", Cost.SAMPLED,
    "how far above permuted targets cheap learners are that predict a sample's target from all "
    "others (the best of them); of training and of held-out samples",
    place="role",
)
LABEL_CHANCE = PlaceSignal(
    "label-dependence-by-chance", "", Cost.SAMPLED,
    "share of permutations of the targets for which they do as well", place="role",
)
PAIRS_TESTED = PlaceSignal(
    "pairs-tested", "samples", Cost.SAMPLED, "samples in that test", place="role"
)
KEPT_CONSTANT_SHARE = StepSignal(
    "kept-constant-share", "", Cost.SAMPLED,
    "share of a model's inputs that are the same in all different training samples that were kept",
)
INPUT_KINDS = StepSignal(
    "input-kinds", "", Cost.SAMPLED,
    "different values that the inputs in that test have; at most 100",
)
LABELS_FOUND = PlaceSignal(
    "labels-found", "", Cost.SAMPLED,
    "share of the samples whose class the network predicted (of numbers the rank correlation): "
    "new ones at their first visit, trained and held-out ones at their last",
    place="samples",
)
LABELS_BY_CHANCE = PlaceSignal(
    "labels-found-by-chance", "", Cost.SAMPLED, "share of the largest class among them",
    place="samples",
)
LABELS_COUNTED = PlaceSignal(
    "labels-counted", "samples", Cost.SAMPLED, "how many they are", place="samples"
)
LABEL_DISAGREEMENT = PlaceSignal(
    "label-disagreement", "", Cost.SAMPLED,
    "share of labels that differ from the class on which the network, early in training, and a "
    "cheap learner that is told by all other samples agree; of all samples on which they do, and "
    "of those where the learner is surest",
    place="part",
)
AGREEING_SAMPLES = PlaceSignal(
    "agreeing-samples", "samples", Cost.SAMPLED, "how many samples these parts are", place="part"
)
LABEL_SUSPECTS = PlaceSignal(
    "label-suspects", "samples", Cost.SAMPLED, "labels that a method holds wrong", place="method"
)
LABEL_SUSPECT = PlaceSignal(
    "label-suspect", "", Cost.SAMPLED,
    "how much more likely the cheap learner holds another class than the label; the worst suspects "
    "of both methods, by index in the data set, or by the order in which they came (#)",
    place="sample",
)
SUSPECTS_LEARNED = StepSignal(
    "suspects-learned", "", Cost.SAMPLED,
    "share of the suspects of both methods that the network predicted as labelled in the end",
)
