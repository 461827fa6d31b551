"""Where what differs between samples is lost, and what that says of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.curves.collapse import Collapse, collapse_of
from unstuck.curves.outcome import judge
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.readings import Reading
from unstuck.schema.findings import Absent, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.spread import INPUT_SPREAD, OUTPUT_SPREAD

SAMPLES = 16
SLUG = "constant-output"


class Net(nn.Module):
    """Points (N, 8) to two scores; `between` is what its features (N, 6) go through."""

    def __init__(
        self, between: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        self.enter, self.head = nn.Linear(8, 6), nn.Linear(6, 2)
        self.between = between or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.between(torch.tanh(self.enter(x)))
        return self.head(h)


def watched(
    model: nn.Module, folder: Path, samples: int = SAMPLES, steps: int = 60,
    targets: Callable[[torch.Tensor], torch.Tensor] = lambda x: (x[:, 0] > 0).long(),
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.cross_entropy,
) -> Record:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        for _ in range(steps):
            x = torch.randn(samples, 8)
            optimizer.zero_grad()
            loss(model(x), targets(x)).backward()
            optimizer.step()
    return read_record(folder / "record")


def collapse(record: Record) -> Collapse:
    found = collapse_of(record)
    assert found is not None
    return found


def verdict(record: Record) -> Verdict:
    return dict(diagnose(record).verdicts)[SLUG]


def test_what_differs_is_measured_at_layers_and_where_they_read_something_else(
    tmp_path: Path,
) -> None:
    record = watched(Net(), tmp_path)
    outputs, inputs = record.series(OUTPUT_SPREAD), record.series(INPUT_SPREAD)
    assert list(outputs) == ["enter", "between", "head", "model"]
    assert list(inputs) == ["enter", "between", "model"], "the tanh is no layer"
    assert all(series.values.min() > 0.1 for series in outputs.values())
    readings = {fact.name: fact.location for fact in record.facts(Reading)}
    found = readings["between"]
    assert found is not None
    assert found.text is not None
    assert found.text.strip() == "h = self.between(torch.tanh(self.enter(x)))"
    assert isinstance(verdict(record), Absent)
    assert judge(record).kind is not OutcomeKind.NOT_LEARNING


def test_the_first_place_behind_which_nothing_differs_is_named(tmp_path: Path) -> None:
    in_a_layer = collapse(watched(Net(nn.Hardtanh(0.9, 0.9001)), tmp_path / "layer"))
    assert (in_a_layer.place.layer, in_a_layer.place.reads) == ("between", False)
    between = collapse(watched(Net(lambda h: h.detach() * 0 + 1), tmp_path / "between"))
    assert (between.place.layer, between.place.reads) == ("head", True)
    assert between.before is not None
    assert between.before.layer == "enter"
    assert between.from_start


def test_a_run_whose_output_is_the_same_is_not_learning_whatever_its_loss_does(
    tmp_path: Path,
) -> None:
    """Two views of a sample are to be close, and nothing else: the loss falls to zero."""
    model = nn.Linear(8, 4)
    with torch.no_grad():
        model.bias.fill_(1.0)
    record = watched(
        model, tmp_path, steps=300, targets=lambda x: x,
        loss=lambda z, x: (z - model(x + torch.randn_like(x))).square().sum(1).mean())
    found = collapse(record)
    assert not found.from_start
    outcome = judge(record)
    assert outcome.kind is OutcomeKind.NOT_LEARNING
    assert "The output of model is the same for every sample since step" in outcome.says
    assert isinstance(verdict(record), Present)


def test_an_output_is_right_to_be_the_same_where_the_targets_are(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 1), nn.Hardtanh(0.5, 0.5001))
    record = watched(model, tmp_path, targets=lambda x: torch.full((len(x), 1), 0.5),
                     loss=F.mse_loss)
    assert collapse_of(record) is None
    assert isinstance(verdict(record), Absent)


def test_targets_that_differ_little_beside_their_size_allow_for_outputs_that_do(
    tmp_path: Path,
) -> None:
    class Offset(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1000 + self.line(x)

    record = watched(Offset(), tmp_path, targets=lambda x: 1000 + x[:, :1], loss=F.mse_loss)
    assert collapse_of(record) is None


def test_single_samples_cannot_be_compared(tmp_path: Path) -> None:
    record = watched(Net(), tmp_path, samples=1)
    assert not record.measured(OUTPUT_SPREAD)
    assert isinstance(verdict(record), Unknown)


def test_dropout_hides_that_all_outputs_are_the_same(tmp_path: Path) -> None:
    """Where nothing is learned, what comes before the dropout is looked at."""
    model = nn.Sequential(nn.Linear(8, 6), nn.Hardtanh(0.9, 0.9001), nn.Dropout(0.5),
                          nn.Linear(6, 2))
    found = verdict(watched(model, tmp_path))
    assert isinstance(found, Present)
    assert "layer 1, but for dropout, has been the same" in found.title
    early = verdict(watched(model, tmp_path / "early", steps=12))
    assert isinstance(early, Unknown)
    assert "dropout" in early.reason


def test_a_run_that_has_barely_begun_is_not_judged(tmp_path: Path) -> None:
    model = Net()
    nn.init.zeros_(model.head.weight)
    record = watched(model, tmp_path, steps=4)
    assert collapse_of(record) is None
    assert isinstance(verdict(record), Unknown)


def test_calls_of_one_step_are_compared_with_each_other(tmp_path: Path) -> None:
    """A discriminator may say the same of all that is real, and another of all that is not."""
    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.line(x[:, :1].sign().clamp(0.5, 0.5001) * x[:, 1:2].mean().sign())

    model = Judge()
    record = watched(
        model, tmp_path, targets=lambda x: x, loss=lambda score, x: 0 * score.sum() + (
            F.softplus(-model(x.abs())) + F.softplus(model(-x.abs()))).mean())
    assert record.series(OUTPUT_SPREAD)["model"].values.min() > 0.01
