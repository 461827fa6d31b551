"""Faults of labels and targets (L001 to L006)."""

from __future__ import annotations

from corpus.generated.faults.fault import LABELLED, Fault
from corpus.generated.program import Program

CLASSES = ("mlp", "cnn", "gru", "transformer")


def labels_unrelated(program: Program, kind: str) -> Program:
    return program.put(spoil={
        "shuffled": "y_train = y_train[rng.permutation(len(y_train))]",
        "shifted": "y_train = np.roll(y_train, 1)",
    }[kind])


def noisy_labels(program: Program, share: float) -> Program | None:
    if program.data.reads == "value":
        return None
    return program.put(spoil=f"wrong = rng.random(len(y_train)) < {share:g}\n"
                             "y_train[wrong] = rng.permutation(y_train)[wrong]")


def labels_out_of_range(program: Program, kind: str) -> Program | None:
    if program.data.reads == "sign":
        # Hinge-style labels with a loss that wants 0 and 1.
        return program.put(pipeline="y = 2 * y - 1") if kind == "signed" else None
    if program.data.reads != "argmax" or kind == "signed":
        return None
    return program.put(pipeline="y = y + 1" if kind == "from one" else "y = y - 1")


def wrong_target_encoding(program: Program, kind: str) -> Program | None:
    if program.data.reads != "argmax":
        return None
    if kind == "index":
        return program.change(outputs=1, reads="round").put(
            loss="loss = F.mse_loss(out, yb.float())", squeeze=".squeeze(1)",
            loss_of_validation="F.mse_loss(val_out, y_val.float())",
            score="(val_out.round() == y_val).float().mean()")
    return program.put(  # the class index, squeezed into the range of one output of many
        loss="loss = F.mse_loss(out, yb.float()[:, None].expand_as(out))",
        loss_of_validation="F.mse_loss(val_out, y_val.float()[:, None].expand_as(val_out))")


def class_imbalance(program: Program, share: float) -> Program | None:
    classes = max(2, program.data.outputs)
    if program.data.reads == "value" or classes > 4:
        return None  # one class of many would leave a handful of samples: another cause
    # As many steps, on fewer samples.
    return program.change(steps=program.steps * classes).put(
        spoil=f"kept = (y_train == 0) | (rng.random(len(y_train)) < {share:g})\n"
              "x_train, y_train = x_train[kept], y_train[kept]")


def rarer_classes(program: Program, dose: float) -> Program | None:
    if program.data.reads != "argmax" or program.data.outputs > 4:
        return None
    return program.put(spoil="kept = (y_train == 0) | (rng.random(len(y_train)) < 0.15)\n"
                             "x_train, y_train = x_train[kept], y_train[kept]")


def class_weights_reversed(program: Program, power: float) -> Program | None:
    if program.data.reads != "argmax":
        return None
    return program.put(
        before=f"weight = (torch.bincount(y_train) / len(y_train)) ** {power:g}",
        loss="loss = F.cross_entropy(out, yb, weight=weight.float())")


def label_mapping_mismatch(program: Program, places: int) -> Program | None:
    if program.data.reads != "argmax":
        return None
    return program.put(spoil=f"numbers = np.roll(np.arange({program.data.outputs}), {places})\n"
                             "y_val, y_test = numbers[y_val], numbers[y_test]")


def targets_not_normalised(program: Program, dose: tuple[float, float]) -> Program | None:
    if program.data.reads != "value":
        return None
    scale, shift = dose
    return program.put(pipeline=f"y = {scale:g} * y + {shift:g}", scale_targets="")


FAULTS = (
    Fault("labels-unrelated-to-inputs", {"weak": "shifted", "strong": "shuffled"},
          labels_unrelated, bases=LABELLED),
    Fault("noisy-labels", {"weak": 0.3, "middle": 0.5, "strong": 0.7}, noisy_labels, bases=CLASSES),
    Fault("labels-out-of-range", {"one": "from one", "two": "from zero", "three": "signed"},
          labels_out_of_range, bases=CLASSES, line=r"loss = ", hides=True),
    Fault("wrong-target-encoding", {"weak": "index", "strong": "spread"}, wrong_target_encoding,
          bases=CLASSES, line=r"loss = "),
    Fault("class-weights-reversed", {"weak": 0.5, "strong": 1.0}, class_weights_reversed,
          bases=CLASSES, prepare=rarer_classes, line="weight=weight"),
    Fault("label-mapping-mismatch", {"one": 1}, label_mapping_mismatch, bases=CLASSES),
    Fault("class-imbalance", {"weak": 0.02, "strong": 0.006}, class_imbalance, bases=CLASSES),
    Fault("targets-not-normalised", {"weak": (30.0, 500.0), "strong": (300.0, 2e4)},
          targets_not_normalised, bases=("mlp-regression", "gru")),
)
