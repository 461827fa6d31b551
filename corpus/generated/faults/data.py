"""Faults of the budget and of the data (B001, D001 to D010)."""

from __future__ import annotations

from corpus.generated.faults.fault import LABELLED, Fault, Proof
from corpus.generated.program import Program


def too_few_steps(program: Program, share: float) -> Program:
    return program.change(steps=max(4, round(program.steps * share)))


def non_finite_data(program: Program, kind: str) -> Program | None:
    if program.data.tokens:
        return None
    return program.put(spoil={
        "missing": "x_train[rng.random(x_train.shape) < 2e-3] = np.nan",
        "one": "x_train[rng.integers(len(x_train))] = np.nan",
        "infinite": "x_train[rng.integers(0, len(x_train), 5)] = np.inf",
    }[kind])


def outliers(program: Program, dose: tuple[int, float]) -> Program | None:
    count, factor = dose
    if program.data.tokens:
        return None
    lines = (f"broken = rng.choice(len(x_train), {count}, replace=False)\n"
             f"x_train[broken] = x_train[broken] * {factor:g}")
    if program.data.reads == "value" and program.base != "autoencoder":
        lines = lines.replace("x_train[broken]", "y_train[broken]")
    return program.put(spoil=lines)


def duplicate_samples(program: Program, distinct: int) -> Program:
    return program.put(spoil=f"again = rng.integers(0, {distinct}, len(x_train))\n"
                             "x_train, y_train = x_train[again], y_train[again]")


def constant_features(program: Program, share: float) -> Program | None:
    if program.data.tokens:
        return None
    if share >= 1:
        return program.put(pipeline="X = np.zeros_like(X)")
    if len(program.data.shape) == 1:
        return program.put(pipeline=f"X[:, :round({share:g} * X.shape[1])] = 0")
    return program.put(pipeline=f"X[:, ..., :round({share:g} * X.shape[-1])] = 0")


def inputs_not_normalised(program: Program, units: str) -> Program | None:
    if program.data.tokens or program.base == "autoencoder" or program.norm:
        return None
    if units == "mixed" and program.base == "cnn":
        return None
    lines = {
        "bytes": "X = X * 255",
        "offset": "X = X * 20 + 500",
        "mixed": "X = X * 10.0 ** rng.uniform(-2, 4, X.shape[-1])",
    }[units]
    return program.put(units=lines, scale="")


def sampler_misses_samples(program: Program, kind: str) -> Program | None:
    if program.data.reads != "argmax" or program.loop == "rows":
        return None
    weights = "1 / torch.bincount(y_train)"
    draws = "len(y_train)" if kind == "per class" else f"{program.data.outputs}"
    if kind == "one batch":
        weights = f"({weights})[y_train]"
    return program.put(
        imports=f"{program.data.imports}\nfrom torch.utils.data import WeightedRandomSampler",
        shuffle="False",
        loader_options=f", sampler=WeightedRandomSampler({weights}, {draws})")


def sentinel_values(program: Program, dose: tuple[float, float]) -> Program | None:
    share, value = dose
    if program.data.tokens or len(program.data.shape) > 1 or program.norm:
        return None
    return program.put(pipeline=f"X[rng.random(X.shape) < {share:g}] = {value:g}")


def too_few_samples(program: Program, rows: int) -> Program:
    return program.change(rows=rows, batch=min(program.batch, rows // 2))


def not_shuffled(program: Program, _: str) -> Program:
    program = program.put(shuffle="False", order="torch.arange(len(x_train))")
    return program.put(arrangement="ordered = np.argsort(y_train)\n"
                                   "x_train, y_train = x_train[ordered], y_train[ordered]")


def train_validation_mismatch(program: Program, kind: str) -> Program | None:
    if program.data.tokens or not program.text().count("x_val, x_test = (x_val - mean)"):
        return None
    return program.put(scale_held_out={
        "unprepared": "",
        "twice": "x_val, x_test = [((part - mean) / std - mean) / std for part in (x_val, x_test)]",
        "own": "x_val, x_test = x_val / x_val.max(), x_test / x_test.max()",
    }[kind])


def train_validation_leak(program: Program, share: float) -> Program:
    return program.put(share=f"leaked = round({share:g} * len(x_val))\n"
                             "x_val[:leaked], y_val[:leaked] = x_train[:leaked], y_train[:leaked]")


def wrong_channel_order(program: Program, _: str) -> Program | None:
    if program.data.name != "shapes":
        return None
    return program.put(arrange="X = X.reshape(-1, 3, 12, 12)")


FAULTS = (
    Fault("too-few-steps", {"weak": 0.15, "strong": 0.06}, too_few_steps, line="for epoch"),
    Fault("non-finite-data", {"weak": "one", "middle": "missing", "strong": "infinite"},
          non_finite_data, hides=True),
    Fault("outliers", {"weak": (3, 300.0), "middle": (8, 1000.0), "strong": (5, 1e5)}, outliers),
    Fault("duplicate-samples", {"weak": 60, "strong": 20}, duplicate_samples),
    Fault("constant-features", {"weak": 0.6, "middle": 0.8, "strong": 1.0}, constant_features),
    Fault("inputs-not-normalised", {"weak": "bytes", "middle": "offset", "strong": "mixed"},
          inputs_not_normalised),
    Fault("too-few-samples", {"weak": 60, "strong": 24}, too_few_samples, trial=True),
    Fault("not-shuffled", {"one": ""}, not_shuffled, bases=LABELLED,
          line=r"shuffle=False|DataLoader|torch\.arange|in enumerate"),
    Fault("train-validation-mismatch", {"weak": "own", "middle": "twice", "strong": "unprepared"},
          train_validation_mismatch),
    Fault("train-validation-leak", {"weak": 0.4, "strong": 1.0}, train_validation_leak,
          proof=Proof.NATURE),
    Fault("sampler-misses-samples", {"weak": "one batch", "strong": "per class"},
          sampler_misses_samples, bases=("mlp", "cnn", "gru", "transformer"),
          line="WeightedRandomSampler\\(", hides=True),
    Fault("sentinel-values", {"weak": (0.03, -99.0), "strong": (0.08, -999.0)}, sentinel_values,
          bases=("mlp", "mlp-regression"), line=r"= -999?$", hides=True),
    Fault("wrong-channel-order", {"one": ""}, wrong_channel_order, bases=("cnn",)),
)
