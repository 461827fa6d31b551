"""Faults of the optimisation and of generalisation (O001 to O009, R001, R002)."""

from __future__ import annotations

from dataclasses import replace

from corpus.generated.faults.fault import ADDS, ANY_BASE, Fault, Proof
from corpus.generated.program import Program, epochs

OPTIMIZER = r"torch\.optim"


def rate(program: Program, factor: float) -> Program:
    return program.change(rate=program.rate * factor)


def batch_too_large(program: Program, share: float) -> Program:
    """As many epochs as before, of a few updates each."""
    rows = program.rows or round(0.6 * program.data.size)
    batch = max(program.batch + 1, round(rows * share))
    return program.change(batch=batch, steps=max(4, program.steps * program.batch // batch))


def batch_too_small(program: Program, batch: int) -> Program | None:
    if program.norm:
        return None  # unstable statistics are another cause
    return program.change(batch=batch, steps=min(2500, program.steps * program.batch // batch))


def clipping_throttles(program: Program, limit: float) -> Program | None:
    if program.optimizer not in ADDS:
        return None  # the others divide the gradient's size out
    return program.change(clip=limit)


def plain_descent(program: Program, _: float) -> Program | None:
    """The healthy twin where momentum is at fault: descent with a usual momentum."""
    if program.norm:
        return None
    return program.change(optimizer="SGD", rate=0.02)


def with_momentum(program: Program, dose: float) -> Program | None:
    prepared = plain_descent(program, dose)
    return None if prepared is None else prepared.change(momentum=0.9)


def momentum(program: Program, value: float) -> Program:
    return replace(program, momentum=value)


def with_long_memory(program: Program, _: str) -> Program | None:
    """Descent of which nearly all comes from the average over many gradients."""
    if program.norm:
        return None
    return program.change(optimizer="SGD", rate=0.002, momentum=0.99)


def optimizer_made_anew(program: Program, kind: str) -> Program:
    if kind == "epoch":
        return program.put(begin_epoch="<<optimizer>>")
    return program.put(zero="<<optimizer>>\nopt.zero_grad()")


def _restored(program: Program, kept: str) -> Program | None:
    """An early epoch whose weights are kept and loaded back later."""
    if epochs(program) < 8:
        return None
    step = "scheduler.step()\n" if program.schedule else ""
    slots = {**program.slots, "epoch_schedule": f"{step}if epoch == 2:\n    kept = {kept}\n"
             "if epoch == 6:\n    model.load_state_dict(kept)"}
    return replace(program, slots=slots, changed=program.changed | {"epoch_schedule"})


def restored(program: Program, _: str) -> Program | None:
    return _restored(program, "{name: value.clone() for name, value in model.state_dict().items()}")


def best_weights_by_reference(program: Program, kind: str) -> Program | None:
    return _restored(program, {"whole": "model.state_dict()", "copied": "dict(model.state_dict())"}[
        kind])


def schedule_mistake(program: Program, kind: str) -> Program:
    if kind == "warm-up":
        return program.put(
            schedule="scheduler = torch.optim.lr_scheduler.LambdaLR(\n"
                     "    opt, lambda count: min(1.0, (count + 1) / 1_000_000))",
            batch_schedule="scheduler.step()")
    size = {"per batch": "StepLR(opt, step_size=5, gamma=0.5)",
            "decay": "ExponentialLR(opt, gamma=0.9)"}[kind]
    return program.put(schedule=f"scheduler = torch.optim.lr_scheduler.{size}",
                       batch_schedule="scheduler.step()")


def noisy_and_few(program: Program, _: str) -> Program | None:
    """A task on which restraint pays: few samples, a wide network."""
    if program.norm or program.data.name not in ("wine-like", "plane", "friedman"):
        return None  # the others have too few features to learn their noise
    noise = ("y_train += y_train.std() * rng.standard_normal(len(y_train))"
             if program.reads == "value" else
             "wrong = rng.random(len(y_train)) < 0.3\n"
             "y_train[wrong] = rng.permutation(y_train)[wrong]")
    return program.change(width=256, dropout=0.3, optimizer="AdamW", rate=0.002, weight_decay=1.0,
                          ).put(spoil=noise)


def no_regularisation(program: Program, _: str) -> Program:
    return replace(program, dropout=0.0, weight_decay=0.0)


def too_much_regularisation(program: Program, dose: tuple[str, float]) -> Program | None:
    kind, value = dose
    if kind == "dropout":
        return program.change(dropout=value) if program.depth else None
    return program.change(weight_decay=value)


def low_precision_update(program: Program, _: str) -> Program | None:
    """All weights in 16 bits, and the eps of Adam or RMSprop as it is."""
    if program.data.tokens or program.optimizer in ADDS:
        return None
    return program.put(initialise=(
        "model = model.half()\n"
        "model.register_forward_pre_hook(lambda module, given: (given[0].half(),))\n"
        "model.register_forward_hook(lambda module, given, out: out.float())"))


def loss_terms_out_of_balance(program: Program, weight: float) -> Program | None:
    """A penalty on the outputs that is summed over the batch, beside a loss that is a mean."""
    if program.optimizer in ADDS:
        return None  # plain descent diverges at its rate
    loss = {"argmax": "F.cross_entropy(out, yb)",
            "sign": "F.binary_cross_entropy_with_logits(out, yb)",
            "value": "F.mse_loss(out, yb)"}[program.data.reads]
    return program.put(loss=f"loss = {loss}\nloss = loss + {weight:g} * out.pow(2).sum()")


FAULTS = (
    Fault("low-precision-update", {"one": ""}, low_precision_update,
          bases=("mlp", "mlp-regression"), line=OPTIMIZER),
    Fault("learning-rate-too-high", {"weak": 30.0, "middle": 100.0, "strong": 1000.0}, rate,
          line=OPTIMIZER),
    Fault("learning-rate-too-low", {"weak": 1 / 300, "strong": 1e-4}, rate, line=OPTIMIZER),
    Fault("batch-too-large", {"weak": 0.5, "strong": 1.0}, batch_too_large, trial=True,
          line=r"batch_size=|split\("),
    Fault("batch-too-small", {"weak": 2, "strong": 1}, batch_too_small, trial=True,
          line=r"batch_size=|split\(", bases=("mlp", "mlp-regression", "cnn", "autoencoder")),
    Fault("clipping-throttles", {"weak": 3e-3, "strong": 1e-4}, clipping_throttles,
          line="clip_grad"),
    Fault("momentum-too-low", {"one": 0.0}, momentum, prepare=with_momentum, trial=True,
          line=OPTIMIZER, bases=("mlp", "mlp-regression", "cnn")),
    Fault("momentum-too-high", {"weak": 0.99, "strong": 0.999}, momentum, prepare=with_momentum,
          line=OPTIMIZER, bases=("mlp", "mlp-regression", "cnn")),
    Fault("schedule-mistake", {"weak": "decay", "middle": "per batch", "strong": "warm-up"},
          schedule_mistake, line="scheduler"),
    Fault("optimizer-made-anew", {"weak": "epoch", "strong": "batch"}, optimizer_made_anew,
          prepare=with_long_memory, line=OPTIMIZER, bases=("mlp", "mlp-regression", "cnn")),
    Fault("loss-terms-out-of-balance", {"weak": 10.0, "strong": 100.0}, loss_terms_out_of_balance,
          line=r"out\.pow"),
    Fault("noise-floor", {"weak": 6.0, "strong": 12.0}, rate, trial=True,
          accepts=("learning-rate-too-high",), line=OPTIMIZER),
    Fault("best-weights-by-reference", {"one": "whole", "two": "copied"},
          best_weights_by_reference, prepare=restored, proof=Proof.NATURE, bases=ANY_BASE,
          line="kept = "),
    Fault("no-regularisation", {"one": ""}, no_regularisation, prepare=noisy_and_few,
          bases=("mlp", "mlp-regression")),
    Fault("too-much-regularisation",
          {"weak": ("dropout", 0.85), "middle": ("dropout", 0.95), "strong": ("decay", 1.0)},
          too_much_regularisation),
)
