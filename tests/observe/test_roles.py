"""What a loss is for, what a hand-written one computes, and where the first NaN came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS

EPOCHS = 4


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("UNSTUCK_DEBUG", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(threads)


def watched(program: Callable[[], Any], folder: Path) -> Record:
    with unstuck.watch(folder, overhead=1e9):
        program()
    record = read_record(folder)
    assert not [o.says for o in record.oddities if o.what == "watcher-failed"]
    return record


def text_of(location: SourceLocation | None) -> str:
    """The source that a location of one line points at."""
    assert location is not None
    assert location.text is not None
    assert location.line == location.end_line
    return location.text[location.column - 1:location.end_column - 1]


# Train, held out, seen ----------------------------------------------------------------------------
class Lesson:
    """A small classification with a training and a held-out part, and what the program knew."""

    def __init__(self) -> None:
        self.x, self.y = torch.randn(24, 5), torch.arange(24) % 3
        self.held = torch.randn(12, 5), torch.arange(12) % 3
        self.model = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.train_losses: list[float] = []
        self.passes: list[float] = []

    def epoch(self) -> None:
        self.model.train()
        for rows in torch.randperm(24).split(8):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(self.x[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()
            self.train_losses.append(loss.item())

    def look(
        self, x: torch.Tensor, y: torch.Tensor, *, mode: str = "eval", sizes: int = 5,
        grad: bool = False,
    ) -> float:
        """A pass in unequal batches; the mean over its samples."""
        self.model.train(mode == "train")
        total = 0.0
        with torch.set_grad_enabled(grad):
            for rows in torch.arange(len(x)).split(sizes):
                total += F.cross_entropy(self.model(x[rows]), y[rows]).item() * len(rows)
        return total / len(x)


def check(found: Any, expected: list[float]) -> None:
    assert found.values.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("grad", [False, True], ids=["no_grad", "grad"])
def test_a_pass_over_held_out_data(mode: str, grad: bool, tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.passes.append(lesson.look(*lesson.held, mode=mode, grad=grad))

    record = watched(program, tmp_path)
    check(record.series(TRAIN_LOSS), lesson.train_losses)
    check(record.series(HELD_OUT_LOSS), lesson.passes)
    assert not record.measured(SEEN_LOSS)


@pytest.mark.parametrize("grad", [False, True], ids=["no_grad", "grad"])
def test_a_test_loop_that_adds_up_its_losses_is_compared_by_their_mean(
    grad: bool, tmp_path: Path
) -> None:
    """`reduction="sum"`, divided by the number of samples in the end: the commonest test loop."""
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.model.eval()
            total = 0.0
            with torch.set_grad_enabled(grad):
                for rows in torch.arange(12).split(5):
                    x, y = lesson.held[0][rows], lesson.held[1][rows]
                    total += F.cross_entropy(lesson.model(x), y, reduction="sum").item()
            lesson.passes.append(total / 12)

    record = watched(program, tmp_path)
    check(record.series(TRAIN_LOSS), lesson.train_losses)
    check(record.series(HELD_OUT_LOSS), lesson.passes)


def test_held_out_data_are_compared_with_sums_as_training_adds_them_up(tmp_path: Path) -> None:
    lesson = Lesson()
    model = nn.Linear(5, 2)
    x, y = torch.randn(24, 5), torch.randn(24, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def program() -> None:
        for _ in range(EPOCHS):
            for rows in torch.arange(16).split(8):
                optimizer.zero_grad()
                F.mse_loss(model(x[rows]), y[rows], reduction="sum").backward()
                optimizer.step()
            with torch.no_grad():
                lesson.passes.append(8 * 2 * F.mse_loss(model(x[16:]), y[16:]).item())

    record = watched(program, tmp_path)
    check(record.series(HELD_OUT_LOSS), lesson.passes)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_pass_over_data_that_were_trained_on(mode: str, tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.passes.append(lesson.look(lesson.x, lesson.y, mode=mode))

    record = watched(program, tmp_path)
    check(record.series(TRAIN_LOSS), lesson.train_losses)
    check(record.series(SEEN_LOSS), lesson.passes)
    assert not record.measured(HELD_OUT_LOSS)


def test_a_pass_over_trained_data_with_gradients_on(tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.passes.append(lesson.look(lesson.x, lesson.y, grad=True))

    record = watched(program, tmp_path)
    check(record.series(TRAIN_LOSS), lesson.train_losses)
    check(record.series(SEEN_LOSS), lesson.passes)
    assert not record.measured(HELD_OUT_LOSS)


def test_both_passes_in_each_epoch(tmp_path: Path) -> None:
    lesson = Lesson()
    seen: list[float] = []

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            seen.append(lesson.look(lesson.x, lesson.y))
            lesson.passes.append(lesson.look(*lesson.held))

    record = watched(program, tmp_path)
    check(record.series(SEEN_LOSS), seen)
    check(record.series(HELD_OUT_LOSS), lesson.passes)


def test_held_out_before_the_first_step(tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.passes.append(lesson.look(*lesson.held))
            lesson.epoch()

    record = watched(program, tmp_path)
    check(record.series(HELD_OUT_LOSS), lesson.passes)
    assert record.series(HELD_OUT_LOSS).steps.tolist() == [0, 3, 6, 9]
    assert not record.measured(SEEN_LOSS)


def test_validation_with_gradients_does_not_make_its_data_seen(tmp_path: Path) -> None:
    lesson = Lesson()
    last: list[float] = []

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.look(*lesson.held, grad=True)
        lesson.epoch()
        last.append(lesson.look(*lesson.held))  # now without

    record = watched(program, tmp_path)
    assert not record.measured(SEEN_LOSS)
    assert record.series(HELD_OUT_LOSS).values[-1] == pytest.approx(last[0], rel=1e-5)


def test_the_training_loss_computed_again_for_a_metric_is_not_held_out(tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.passes.append(lesson.look(*lesson.held))
            lesson.model.train()
            for rows in torch.arange(24).split(8):
                output = lesson.model(lesson.x[rows])
                lesson.optimizer.zero_grad()
                F.cross_entropy(output, lesson.y[rows]).backward()
                lesson.optimizer.step()
                F.cross_entropy(output.detach() + 100 * torch.eye(3)[lesson.y[rows]],
                                lesson.y[rows])

    record = watched(program, tmp_path)
    check(record.series(HELD_OUT_LOSS), lesson.passes)


def test_a_validation_that_computes_its_loss_once_over_all_outputs(tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(EPOCHS):
            lesson.epoch()
            lesson.model.eval()
            with torch.inference_mode():
                outputs = [lesson.model(x) for x in lesson.held[0].split(4)]
                lesson.passes.append(F.cross_entropy(torch.cat(outputs), lesson.held[1]).item())

    record = watched(program, tmp_path)
    check(record.series(HELD_OUT_LOSS), lesson.passes)


def test_a_sum_of_losses_is_one_train_loss(tmp_path: Path) -> None:
    lesson = Lesson()

    def program() -> None:
        for _ in range(6):
            lesson.optimizer.zero_grad()
            output = lesson.model(lesson.x)
            loss = F.cross_entropy(output, lesson.y) + 0.5 * F.mse_loss(output, output.detach() + 1)
            loss.backward()
            lesson.optimizer.step()
            lesson.train_losses.append(loss.item())

    record = watched(program, tmp_path)
    check(record.series(TRAIN_LOSS), lesson.train_losses)
    assert [loss.function for loss in record.facts(Loss)] == ["cross_entropy", "mse_loss"]


# Hand-written losses ------------------------------------------------------------------------------
def written(loss: Callable[..., torch.Tensor], folder: Path, shape: tuple[int, ...]) -> Record:
    def program() -> None:
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(6):
            optimizer.zero_grad()
            loss(model(torch.randn(16, 4)), torch.randn(shape)).backward()
            optimizer.step()

    return watched(program, folder)


STRETCHED: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...], str, str]] = {
    "power": (lambda p, y: ((p - y) ** 2).mean(), (16,), "mse_loss", "p - y"),
    "the other way round": (lambda p, y: ((y - p) ** 2).mean(), (16,), "mse_loss", "y - p"),
    "flat prediction": (
        lambda p, y: ((p.squeeze(1) - y) ** 2).mean(), (16, 1), "mse_loss", "p.squeeze(1) - y"),
    "pow": (lambda p, y: torch.mean((p - y).pow(2)), (16,), "mse_loss", "p - y"),
    "square": (lambda p, y: torch.square(p - y).mean(), (16,), "mse_loss", "p - y"),
    "product": (lambda p, y: (lambda d: (d * d).mean())(p - y), (16,), "mse_loss", "p - y"),
    "sum": (lambda p, y: ((p - y) ** 2).sum() / 16, (16,), "mse_loss", "p - y"),
    "halved": (lambda p, y: 0.5 * ((p - y) ** 2).mean(), (16,), "mse_loss", "p - y"),
    "modulus": (lambda p, y: (p - y).abs().mean(), (16,), "l1_loss", "p - y"),
}


@pytest.mark.parametrize("how", STRETCHED)
def test_a_hand_written_loss_that_is_stretched(how: str, tmp_path: Path) -> None:
    loss, shape, function, source = STRETCHED[how]
    (found,) = written(loss, tmp_path, shape).facts(Loss)
    assert found.hand_written
    assert found.function == function
    assert found.broadcast_shape == (16, 16)
    assert text_of(found.location) == source


RIGHT: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...]]] = {
    "same shapes": (lambda p, y: ((p - y) ** 2).mean(), (16, 1)),
    "squeezed": (lambda p, y: ((p.squeeze() - y) ** 2).mean(), (16,)),
    "unsqueezed on purpose": (lambda p, y: ((p.unsqueeze(1) - y) ** 2).mean(), (16, 1)),
    "all pairs by index": (lambda p, y: (p[:, 0][:, None] - y[None, :]).abs().mean(), (16,)),
    "its own pairs": (lambda p, y: ((p - p.T) ** 2).mean(), (16,)),
    "own pairs against target pairs": (
        lambda p, y: (((p - p.T) - (y[:, None] - y[None, :])) ** 2).mean(), (16,)),
    "kernel": (lambda p, y: torch.exp(-((p - p.T) ** 2)).mean(), (16,)),
    "distances": (lambda p, y: torch.cdist(p, y).mean(), (16, 1)),
    "a scalar": (lambda p, y: ((p - y) ** 2).mean(), ()),
    "several columns": (lambda p, y: ((p - y) ** 2).mean(), (16, 5)),
    "quantiles": (lambda p, y: torch.maximum(0.1 * (p - y), -0.9 * (p - y)).mean(), (16, 3)),
    "one row": (lambda p, y: ((p[:1] - y[:1]) ** 2).mean(), (16,)),
}


@pytest.mark.parametrize("how", RIGHT)
def test_a_hand_written_loss_that_is_not_stretched_or_on_purpose(how: str, tmp_path: Path) -> None:
    loss, shape = RIGHT[how]
    (found,) = written(loss, tmp_path, shape).facts(Loss)
    assert found.hand_written
    assert found.broadcast_shape is None


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("function", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_a_loss_function_that_stretches(function: Any, tmp_path: Path) -> None:
    (found,) = written(function, tmp_path / "a", (16,)).facts(Loss)
    assert (found.function, found.hand_written) == (function.__name__, False)
    assert found.broadcast_shape == (16, 16)
    assert (found.input_shape, found.target_shape) == ((16, 1), (16,))
    (right,) = written(function, tmp_path / "b", (16, 1)).facts(Loss)
    assert right.broadcast_shape is None


def test_the_values_of_a_hand_written_loss(tmp_path: Path) -> None:
    values: list[float] = []

    def loss(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        value = ((p - y) ** 2).mean()
        values.append(value.item())
        return value

    check(written(loss, tmp_path, (16, 1)).series(TRAIN_LOSS), values)


# The first number that is not finite --------------------------------------------------------------
BAD_STEP = 3


def broken(
    loss: Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor], folder: Path, *,
    inputs: Callable[[torch.Tensor, bool], torch.Tensor] | None = None, rate: float = 0.01,
    model: nn.Module | None = None,
) -> Record:
    """Trains for five steps; a loss or the data may go wrong in the one numbered BAD_STEP."""
    def program() -> None:
        net = model or nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(net.parameters(), lr=rate)
        for step in range(BAD_STEP + 2):
            x, y = torch.randn(16, 4), torch.randn(16, 3)
            if inputs is not None:
                x = inputs(x, step == BAD_STEP)
            optimizer.zero_grad()
            loss(net(x), y, step == BAD_STEP).backward()
            optimizer.step()

    return watched(program, folder)


def zeroed(tensor: torch.Tensor, bad: bool) -> torch.Tensor:
    return tensor * (0.0 if bad else 1.0)


OPERATIONS: dict[str, tuple[Callable[..., torch.Tensor], str, str]] = {
    "log of 0": (
        lambda p, y, bad: -torch.log(zeroed(p.softmax(1), bad)).mean(),
        "LogBackward0", "torch.log(zeroed(p.softmax(1), bad))"),
    "method log": (
        lambda p, y, bad: -zeroed(p.sigmoid(), bad).log().mean(),
        "LogBackward0", "zeroed(p.sigmoid(), bad).log()"),
    "the second log of a line": (
        lambda p, y, bad: -(p.sigmoid().log() + (zeroed(1 - p.sigmoid(), bad)).log()).mean(),
        "LogBackward0", "(zeroed(1 - p.sigmoid(), bad)).log()"),
    "division by 0": (
        lambda p, y, bad: (p.square() / zeroed(p.square() + 1.0, bad)).sum(),
        "DivBackward0", "p.square() / zeroed(p.square() + 1.0, bad)"),
    "exp overflows": (
        lambda p, y, bad: torch.exp(p.square() + (1000.0 if bad else 0.0)).mean(),
        "ExpBackward0", "torch.exp(p.square() + (1000.0 if bad else 0.0))"),
    "root of -1": (
        lambda p, y, bad: torch.sqrt(p.square() - (9.0 if bad else -1.0)).mean(),
        "SqrtBackward0", "torch.sqrt(p.square() - (9.0 if bad else -1.0))"),
}


@pytest.mark.parametrize("how", OPERATIONS)
def test_the_operation_that_made_it(how: str, tmp_path: Path) -> None:
    loss, operation, source = OPERATIONS[how]
    record = broken(loss, tmp_path)
    found = record.fact(NonFinite)
    assert found is not None
    assert not math.isfinite(record.series(TRAIN_LOSS).values[BAD_STEP])
    assert found.step == BAD_STEP
    assert found.stage is NonFiniteStage.OPERATION
    assert found.operation == operation
    assert text_of(found.location) == source
    assert found.detail


def spoiled(x: torch.Tensor, bad: bool) -> torch.Tensor:
    if bad:
        x[2, 1] = math.nan
    return x


MODELS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)),
    "without bias": lambda: nn.Linear(4, 3, bias=False),
    "batch norm first": lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)),
    "layer norm first": lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 3)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(6, 3)),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("function", [True, False], ids=["function", "hand-written"])
def test_data_that_hold_it(kind: str, function: bool, tmp_path: Path) -> None:
    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        return F.mse_loss(p, y) if function else ((p - y) ** 2).mean()

    found = broken(loss, tmp_path, inputs=spoiled, model=MODELS[kind]()).fact(NonFinite)
    assert found is not None
    assert found.step == BAD_STEP
    assert found.stage is NonFiniteStage.INPUT


@pytest.mark.parametrize("function", [True, False], ids=["function", "hand-written"])
def test_targets_that_hold_it(function: bool, tmp_path: Path) -> None:
    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        y = spoiled(y, bad)
        return F.mse_loss(p, y) if function else ((p - y) ** 2).mean()

    found = broken(loss, tmp_path).fact(NonFinite)
    assert found is not None
    assert found.step == BAD_STEP
    assert found.stage is NonFiniteStage.TARGET


def test_an_update_that_made_a_weight_nan(tmp_path: Path) -> None:
    source = "torch.sqrt(zeroed(p.square().sum(1), bad))"

    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        root = torch.sqrt(zeroed(p.square().sum(1), bad))
        return root.mean() + p.square().mean()

    record = broken(loss, tmp_path)
    found = record.fact(NonFinite)
    assert found is not None
    assert math.isfinite(record.series(TRAIN_LOSS).values[BAD_STEP])
    assert found.step == BAD_STEP + 1  # the loss of the step before was finite
    assert found.stage is NonFiniteStage.PARAMETER
    assert found.operation == "SqrtBackward0"
    assert text_of(found.location) == source
    assert found.layer is not None
    assert found.layer.startswith("0")


def test_a_weight_that_the_program_itself_spoils(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))

    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        value = F.mse_loss(p, y)
        if bad:
            with torch.no_grad():
                model[1].bias[0] = math.inf
        return value

    found = broken(loss, tmp_path, model=model).fact(NonFinite)
    assert found is not None
    assert (found.step, found.stage) == (BAD_STEP + 1, NonFiniteStage.PARAMETER)
    assert found.layer == "1.bias"
    assert found.operation is None


def test_a_rate_that_is_far_too_high(tmp_path: Path) -> None:
    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        return F.mse_loss(p, y)

    record = broken(loss, tmp_path, rate=1e30, model=nn.Linear(4, 3))
    found = record.fact(NonFinite)
    assert found is not None
    values = record.series(TRAIN_LOSS).values
    first = next(i for i, value in enumerate(values) if not math.isfinite(value))
    assert found.step == first
    assert found.stage not in (NonFiniteStage.INPUT, NonFiniteStage.TARGET)


def test_nothing_is_said_of_a_finite_run(tmp_path: Path) -> None:
    def loss(p: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
        hidden = torch.where(y > 0, p, torch.full_like(p, math.inf)).clamp(max=3.0)
        return F.mse_loss(hidden, y) + torch.log(p.square() + 1).mean()

    assert broken(loss, tmp_path).fact(NonFinite) is None
