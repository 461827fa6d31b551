"""How often the watching would wait for a device, and that it sees there what it sees on a CPU."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from harness.records import contents, masked
from tests.observe.synchronisations import Waits, counted
from unstuck.observe.later import Later
from unstuck.observe.probes import rows
from unstuck.record.reader import read_record
from unstuck.record.schedule import LIMITS
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.drawing import ROW_COPIES, ROW_UNEVENNESS

STEPS = 150
FEW = 12
# Before backward the loss is read while its graph can tell why it is not finite, and in the first
# calls the variables that hold the data are looked for; all else is read at the end.
MOST_AT_FIRST = 4


class Pictures(nn.Module):
    """Convolutions, batch normalisation and an attention layer over what they make."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.attention = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = torch.relu(self.norm(self.first(x))).flatten(2).transpose(1, 2)
        return self.head(self.attention(made).mean(1))


def pictures(steps: int, ended: Callable[[], None]) -> None:
    """A classifier of pictures, whose gradients are set to zeros, and which is validated."""
    x, y = torch.randn(48, 3, 8, 8), torch.randint(3, (48,))
    model = Pictures()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        part = torch.randperm(32)[:16]
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()
        ended()
        if step % 5 == 4:
            model.eval()
            with torch.no_grad():
                nn.functional.cross_entropy(model(x[32:]), y[32:])
            model.train()


def table(steps: int, ended: Callable[[], None]) -> None:
    """A classifier of a table."""
    x = torch.randn(64, 5)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        ended()


def scale(steps: int, ended: Callable[[], None]) -> None:
    """A regression on numbers of a scale, with an absolute error; nothing clears its gradients."""
    x = torch.randn(64, 6)
    y = (x[:, :1] * 2).round().clamp(-2, 2)
    frozen = nn.Linear(6, 6).requires_grad_(False)
    model = nn.Sequential(frozen, nn.Tanh(), nn.Linear(6, 1), nn.Sigmoid())
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.01)
    for _ in range(steps):
        nn.functional.smooth_l1_loss(model(x), y).backward()
        optimizer.step()
        ended()


def words(steps: int, ended: Callable[[], None]) -> None:
    """A tagger of tokens with weights of its classes, in low precision."""
    x = torch.randint(20, (16, 12))
    y = x % 3
    model = nn.Sequential(
        nn.Embedding(20, 8), nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True),
        nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    weight = torch.tensor([1.0, 2.0, 0.5])
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            made = model(x)
        nn.functional.cross_entropy(made.flatten(0, 1).float(), y.flatten(), weight).backward()
        optimizer.step()
        ended()


def closure(steps: int, ended: Callable[[], None]) -> None:
    """A hand-written loss in a closure, of binary targets."""
    x = torch.randn(32, 4)
    y = (x[:, 1] > 0).float()
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)

    def evaluate() -> torch.Tensor:
        optimizer.zero_grad()
        loss = ((model(x)[:, 0].sigmoid() - y) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(evaluate)
        ended()


def by_hand(steps: int, ended: Callable[[], None]) -> None:
    """Weights that the program moves itself."""
    x = torch.randn(32, 4)
    y = x.sum(1, keepdim=True)
    model = nn.Linear(4, 1)
    for _ in range(steps):
        nn.functional.mse_loss(model(x), y).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.05 * parameter.grad
                parameter.grad = None
        ended()


Program = Callable[[int, Callable[[], None]], None]


def _watched(
    program: Program, steps: int, folder: Path, patch: pytest.MonkeyPatch | None
) -> Waits | None:
    """Watches a program; with a patch as if its tensors lay on a device."""
    done = 0

    def ended() -> None:
        nonlocal done
        done += 1

    torch.manual_seed(0)
    if patch is None:
        with unstuck.watch(folder, overhead=1e9):
            program(steps, ended)
        return None
    patch.setattr(rows, "DRAIN_SECONDS", math.inf)  # else also at some steps, by the clock
    with counted(lambda: done, patch) as waits, unstuck.watch(folder, overhead=1e9):
        program(steps, ended)
    patch.undo()
    return waits


@pytest.mark.parametrize("program", [table, words])
def test_a_step_that_is_not_looked_at_waits_for_nothing_and_a_look_waits_once(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = STEPS if program is table else FEW
    waits = _watched(program, steps, tmp_path, monkeypatch)
    record = read_record(tmp_path)
    assert record.steps == steps
    assert waits is not None
    assert waits.counts[0]  # it does count
    for step in range(steps):
        names = list(waits.names.get(step, ()))
        if step not in record.looks:
            assert not names, step
        elif step >= LIMITS.full_steps:
            assert len(names) == 1, step
        else:
            assert len(names) <= MOST_AT_FIRST, step


@pytest.mark.parametrize("program", [table, pictures, scale, words, closure, by_hand])
def test_the_record_of_tensors_on_a_device_is_that_of_tensors_on_the_host(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _watched(program, FEW, tmp_path / "device", monkeypatch)
    _watched(program, FEW, tmp_path / "host", None)
    device, host = ((tmp_path / name / "events.jsonl").read_text() for name in ("device", "host"))
    seen, wanted = _sorted(device), _sorted(host)
    assert [event for event in seen if event not in wanted] == []
    assert [event for event in wanted if event not in seen] == []


def test_what_an_interruption_leaves_is_handed_over_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False), raising=False)
    later = Later(RecordWriter(tmp_path / "record", "0"))
    seen: list[object] = []

    def interrupted(found: list[torch.Tensor]) -> None:
        raise KeyboardInterrupt

    later.read([torch.ones(3, dtype=torch.bool)], lambda found: seen.append(found[0].tolist()))
    later.read((), interrupted)
    later.read([torch.tensor(3), torch.tensor([[0.5], [1.5]], dtype=torch.float64)],
               lambda found: seen.append([tensor.tolist() for tensor in found]))
    assert not seen
    with pytest.raises(KeyboardInterrupt):
        later.settle()
    later.settle()
    assert seen == [[True, True, True], [3, [[0.5], [1.5]]]]


def _sorted(events: str) -> list[str]:
    """The events of a record in an order of their own: where they lie, some come later.

    Variables that hold the data are looked for on the host only.
    """
    others, lines = contents(masked(events))
    for event in others:
        if event["type"] == "fact":
            event["data"] = {key: value for key, value in event["data"].items()
                             if key not in ("variable", "made")}
    rows = [{name: values} for name, values in lines.items()
            if name.split()[0] not in (ROW_COPIES.name, ROW_UNEVENNESS.name)]
    return sorted(json.dumps(event, sort_keys=True) for event in [*others, *rows])
