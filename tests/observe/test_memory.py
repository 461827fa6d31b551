"""What watching holds and copies: bounded, however large a batch and however long a run."""

from __future__ import annotations

import gc
import json
import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from benchmarks import large
from unstuck.observe import guard, identity, tensors
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probes import (
    callers,
    flow,
    layers,
    losses,
    modes,
    parameters,
    parts,
    schedules,
    statistics,
)
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.samples import reservoir
from unstuck.record.reader import read_record
from unstuck.record.series import HEAD, even
from unstuck.record.thinning import EXACT, Thinner
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import UPDATE_NORM

MOST_OF_OURS = 10 * 2**20  # bytes of one tensor


pytestmark = pytest.mark.usefixtures("seeded")


# Pieces -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(24,), (4, 6), (3, 4, 5), (1, 30, 2)])
@pytest.mark.parametrize("limit", [1, 4, 7, 1_000])
def test_pieces_are_all_of_a_tensor_and_parts_of_it_are_spread(
    shape: tuple[int, ...], limit: int
) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape)
    for given in (tensor, tensor.movedim(0, -1)):
        found = [piece.reshape(-1) for piece in tensors.pieces(given, limit=limit)]
        assert torch.equal(torch.cat(found).sort().values, tensor.reshape(-1))
        assert all(len(piece) <= limit for piece in found)
        for piece in tensors.pieces(given, keep=-1, limit=limit):
            assert piece.shape[-1] == given.shape[-1]
        part = tensors.spread(given, limit)
        assert part.numel() <= limit
        assert part.numel() == given.numel() or part.numel() > limit / 2**given.ndim
        assert torch.equal(tensors.first_elements(given, limit), given.reshape(-1)[:limit])
        keep = tensors.evenly(given[0].numel(), limit, given.device)
        rows = given.reshape(len(given), -1)
        assert torch.equal(tensors.rows_of(given, keep), rows if keep is None else rows[:, keep])
        assert torch.equal(tensors.first_columns(given, limit), rows[:, :limit])


def test_statistics_of_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch.randn(64, 3, 20, dtype=torch.float64) + 2
    tensor[5, 1, 7] = math.nan
    finite = tensor.nan_to_num(1.0)
    whole = (tensors.mean_deviation(finite), tensors.norm(finite.half()),
             tensors.share(tensor, 1, torch.isnan))
    monkeypatch.setattr(tensors, "PIECE", 50)
    mean, deviation = tensors.mean_deviation(finite)
    assert (float(mean), float(deviation)) == pytest.approx(list(map(float, whole[0])), rel=1e-5)
    assert float(tensors.norm(finite.half())) == pytest.approx(float(whole[1]), rel=1e-3)
    assert torch.equal(tensors.share(tensor, 1, torch.isnan), whole[2])
    assert not tensors.all_finite(tensor)
    assert tensors.all_finite(finite)
    assert math.isnan(tensors.largest_size(tensor))
    assert float(tensors.largest_size(finite)) == float(finite.abs().max())


# What operations of ours create ------------------------------------------------------------------
class Largest(TorchDispatchMode):
    """The largest tensor that operations make while it is on, in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.operation = ""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        given = {tensor.untyped_storage().data_ptr() for tensor in _tensors(args)}
        for made in _tensors(result):
            storage = made.untyped_storage()
            if storage.data_ptr() not in given and storage.nbytes() > self.bytes:
                self.bytes, self.operation = storage.nbytes(), str(function)
        return result


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


@pytest.mark.parametrize(("name", "size"), [
    ("200 MB a batch", 0.1), ("4 MB a sample", 0.2), ("400 MB embedding", 0.05), ("tokens", 0.1),
    ("half precision", 0.2), ("50 MB of targets", 0.3),
])
def test_no_operation_of_ours_makes_a_large_tensor(
    name: str, size: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = next(p for p in large.PROGRAMS if p.name == name)
    ours = Largest()
    tell = guard.Guard.tell

    def recorded(self: guard.Guard, handler: Callable[..., None], *arguments: Any) -> None:
        def handle(*given: Any) -> None:
            with ours:
                handler(*given)

        tell(self, handle, *arguments)

    # Within the border all modes are off: here ours is on, and on there alone.
    monkeypatch.setattr(guard, "unseen_by_dispatch", nullcontext)
    monkeypatch.setattr(guard.Guard, "tell", recorded)
    with unstuck.watch(tmp_path / "r", max_steps=3):
        for _ in program.build(False, size):
            pass
    assert ours.operation
    assert ours.bytes <= MOST_OF_OURS, ours.operation


def test_copies_of_all_parameters_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "TOTAL_LIMIT", 1_000)
    kept: list[int] = []
    measure = parameters.ParameterProbe._measure

    def note(self: Any, optimizer: Any, before: Any, step: int) -> None:
        kept.append(sum(old.numel() for *_, old in before))
        measure(self, optimizer, before, step)

    monkeypatch.setattr(parameters.ParameterProbe, "_measure", note)
    with unstuck.watch(tmp_path / "r"):
        model = nn.Sequential(*(nn.Linear(30, 30) for _ in range(8)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(8, 30)).square().mean().backward()
            optimizer.step()
    assert max(kept) <= 1_000
    updates = read_record(tmp_path / "r").series(UPDATE_NORM)
    assert len(updates) == 16  # each is seen, in part
    assert all(series.values.min() > 0 for series in updates.values())


@pytest.mark.parametrize(("sizes", "limit"), [
    ([10, 10], parts.ELEMENT_LIMIT), ([3, 2_000_000], parts.ELEMENT_LIMIT),
    ([10, *[4_000_000] * 8], 499_998), ([0] * 5, parts.ELEMENT_LIMIT), ([], 1_000_000),
])
def test_small_parameters_are_seen_whole_and_large_ones_share(
    sizes: list[int], limit: int
) -> None:
    assert parts.limit(sizes) == limit
    assert sum(min(size, limit) for size in sizes) <= parts.TOTAL_LIMIT


SMALL = {  # sizes at which the tensors are still larger than what is looked at of them
    "200 MB a batch": 0.02, "4 MB a sample": 0.05, "1,000 layers": 0.03, "5,000 parameters": 0.05,
    "50 models": 0.02, "400 MB embedding": 0.01, "tokens": 0.04, "half precision": 0.05,
    "50 MB of targets": 0.1, "3,000 pictures": 0.5,
}


SELDOM = ("50 models", "400 MB embedding", "tokens", "50 MB of targets", "3,000 pictures")


@pytest.mark.parametrize("program", [
    pytest.param(program, marks=pytest.mark.slow if program.name in SELDOM else ())
    for program in large.PROGRAMS], ids=lambda program: program.name)
def test_the_fault_of_large_tensors_is_named(
    program: large.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, limit in (
        (tensors, "PIECE", 20_000), (tensors, "SPREAD", 50_000), (layers, "ELEMENT_LIMIT", 20_000),
        (layers, "INPUT_LIMIT", 40_000), (parts, "TOTAL_LIMIT", 20_000),
        (parts, "ELEMENT_LIMIT", 10_000), (reservoir, "FEATURE_LIMIT", 256),
    ):
        monkeypatch.setattr(module, name, limit)
    with unstuck.watch(tmp_path / "r", overhead=1e9) as watch:
        for _ in program.build(True, SMALL[program.name]):
            pass
    worst = watch.diagnose()
    told = [training.diagnosis for training in worst.trainings] or [worst]
    assert program.cause in [finding.cause for each in told for finding in each.findings]


# What is held -------------------------------------------------------------------------------------
def test_a_thing_is_forgotten_when_it_is_gone() -> None:
    known: ByIdentity[torch.Tensor, int] = ByIdentity()
    kept, gone = torch.zeros(1), torch.zeros(1)
    known[kept], known[gone] = 1, 2
    known[kept] = 3
    assert (known.get(kept), known.get(gone)) == (3, 2)
    assert kept in known
    del gone
    assert [(thing is kept, value) for thing, value in known.items()] == [(True, 3)]
    assert torch.zeros(1) not in known
    lasting = [torch.zeros(1) for _ in range(5)]
    for i in range(1_000):
        known[torch.zeros(1)] = i
        known[lasting[i % 5]] = i
        assert len(known._entries) <= identity.FEW
    assert [known.get(thing) for thing in lasting] == [995, 996, 997, 998, 999]


def held(watcher: Any) -> dict[str, int]:
    """How many things each container of the watcher's parts holds, by where it is."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting = [("watcher", watcher)]
    while waiting:
        where, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, dict | list | set | tuple) or type(thing).__name__ == "deque":
            found[where] = found.get(where, 0) + len(thing)
        if isinstance(thing, dict):
            waiting += [(f"{where}[]", value) for value in thing.values()]
        elif isinstance(thing, list | tuple) or type(thing).__name__ == "deque":
            waiting += [(f"{where}[]", value) for value in thing]
        elif type(thing).__module__.startswith("unstuck"):
            names = [*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())]
            waiting += [(f"{where}.{name}", getattr(thing, name)) for name in names
                        if hasattr(thing, name)]
    return found


def round_of(objects: int, steps: int) -> None:
    """Objects of all kinds one after the other, each used for some steps and gone."""
    data = TensorDataset(torch.randn(8, 4), torch.randn(8, 1))
    for _ in range(objects):
        model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Linear(4, 1))
        nn.init.normal_(model[0].weight)
        model.load_state_dict(model.state_dict())
        loss = nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=steps)
        for _ in range(steps):
            for x, y in DataLoader(data, batch_size=8):
                optimizer.zero_grad()
                loss(model(x), y).backward()
                optimizer.step()
                scheduler.step()
        model.eval()
        model.requires_grad_(False)
        with torch.no_grad():
            F.mse_loss(model(torch.randn(8, 4)), torch.zeros(8, 1))


def test_nothing_of_ours_grows_with_the_objects_of_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (flow, "MOST_INITIALISED"), (schedules, "MOST_NAMED"), (parameters, "MOST_NAMED"),
        (modes, "MOST_SWITCHES"), (callers, "MOST_PLACES"), (reservoir, "WAITING_LIMIT"),
        (statistics, "MOST_VALUES"), (identity, "FEW"),
    ):
        monkeypatch.setattr(module, name, 10)
    with unstuck.watch(tmp_path / "r", overhead=1.0) as watch:
        watcher = watch._session._watcher  # type: ignore[union-attr]
        round_of(60, 2)
        gc.collect()
        watcher.writer.flush()
        before = held(watcher)
        size = (tmp_path / "r" / "events.jsonl").stat().st_size
        round_of(90, 2)
        gc.collect()
        watcher.writer.flush()
        after = held(watcher)
        added = (tmp_path / "r" / "events.jsonl").read_bytes()[size:].splitlines()
    # Hashes of samples and rows that wait are bounded apart.
    grew = {where: (before.get(where, 0), count) for where, count in after.items()
            if count > before.get(where, 0) + 32
            and "trained_on" not in where and "_rows" not in where and "overlap" not in where}
    assert not grew
    facts = [json.loads(line)["fact"] for line in added if b'"type":"fact"' in line]
    assert not {"optimizer", "scheduler", "loader"} & set(facts)


def test_models_of_a_sweep_can_go(tmp_path: Path) -> None:
    gone: list[weakref.ref[nn.Module]] = []
    with unstuck.watch(tmp_path / "r", overhead=1e9):
        for _ in range(6):
            model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1))
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
            for _ in range(3):
                optimizer.zero_grad()
                model(torch.randn(8, 4)).square().mean().backward()
                optimizer.step()
            gone.append(weakref.ref(model))
            del model, optimizer
        gc.collect()
        assert [ref() for ref in gone] == [None] * 6


def test_a_program_that_only_evaluates_with_gradients_on_keeps_nothing(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path / "r", overhead=0.0) as watch:
        model = nn.Linear(4, 1)
        x = torch.randn(8, 4)
        for i in range(2_000):
            F.mse_loss(model(x + i), torch.zeros(8, 1))
        counts = held(watch._session._watcher)  # type: ignore[union-attr]
        most = losses.MOST_PENDING * max(x.numel(), 8)
        assert {w: n for w, n in counts.items() if n > most} == {}
        assert sum(n for w, n in counts.items() if "_met" in w) <= 200
    assert read_record(tmp_path / "r").series(HELD_OUT_LOSS)


def test_weights_of_hashes_do_not_grow_with_lengths(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path / "r", overhead=0.0) as watch:
        model = nn.Sequential(nn.Embedding(10, 4), nn.AdaptiveAvgPool2d((1, 4)), nn.Flatten(),
                              nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for length in range(3, 40):
            optimizer.zero_grad()
            model(torch.randint(10, (4, length))).square().mean().backward()
            optimizer.step()
        samples = watch._session._watcher.context.probe(SampleProbe)  # type: ignore[union-attr]
        assert len(samples._hashing._weights) == 1


# Long runs ----------------------------------------------------------------------------------------
def written(folder: Path, rows: list[tuple[int, float]], block: int = 997) -> Path:
    writer = RecordWriter(folder, "test")
    for i in range(0, len(rows), block):
        for step, value in rows[i:i + block]:
            writer.row(TRAIN_LOSS, step, value, "mse_loss")
        writer.flush()
    writer.close()
    return folder


def test_rows_of_the_first_steps_are_exact_and_a_short_run_is_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(EXACT).tolist()
    record = read_record(written(tmp_path / "r", list(enumerate(values))))
    assert record.tracks["mse_loss"].values.tolist() == values
    assert not record.thinned


def test_rows_of_a_long_run_are_few_and_evenly_spaced(tmp_path: Path) -> None:
    steps = 150_000
    values = (np.random.default_rng(0).random(steps) + np.arange(steps) % 2).tolist()
    folder = written(tmp_path / "r", list(enumerate(values)))
    assert (folder / "events.jsonl").stat().st_size < 2_000_000
    record = read_record(folder)
    assert record.thinned
    assert record.steps == steps
    series = record.tracks["mse_loss"]
    assert all(values[step] == value for step, value in
               zip(series.steps.tolist(), series.values.tolist(), strict=True))
    assert np.all(np.diff(series.steps) > 0)
    assert series.steps[:HEAD].tolist() == list(range(HEAD))
    assert series.steps[-1] == steps - 1
    tenths = np.histogram(series.steps[HEAD:], bins=10, range=(HEAD, steps))[0]
    assert tenths.max() < 1.2 * tenths.min()
    # Of a loss with a period of two both halves are seen.
    assert abs(float(np.mean(series.steps[HEAD:] % 2)) - 0.5) < 0.1


def test_passes_of_one_step_stay_together_and_oddities_are_kept() -> None:
    thinner, rows = Thinner(), []
    for step in range(EXACT + 3_000):
        value = math.nan if step >= EXACT + 2_001 else 50.0 if step == EXACT + 1_001 else 1.0
        rows += [(step, value), (step, value)]
    taken = [row for i in range(0, len(rows), 331) for row in thinner.take(rows[i:i + 331])]
    taken += thinner.rest()
    steps, counts = np.unique([step for step, _ in taken], return_counts=True)
    assert np.median(counts[steps > EXACT]) == 2
    assert {EXACT + 1_001, EXACT + 2_001, EXACT + 2_999} <= set(steps.tolist())
    keep = even(np.array([s for s, _ in taken]), np.array([v for _, v in taken]), EXACT)
    seen = np.unique(np.array([s for s, _ in taken])[keep], return_counts=True)[1]
    assert np.median(seen) == 2
    assert keep[[s for s, _ in taken].index(EXACT + 2_001)]


def test_a_rate_that_changes_at_every_step_is_not_written_at_each(tmp_path: Path) -> None:
    probe = parameters.ParameterProbe.__new__(parameters.ParameterProbe)
    probe._told = {}
    rates = [0.5 * (1 + math.cos(math.pi * i / 100_000)) for i in range(100_000)]
    told = [rate for rate in rates if probe._tells("SGD", [rate])]
    assert parameters.RATE_ROWS < len(told) < 3 * parameters.RATE_ROWS
    assert probe._tells("SGD", [0.0])


def test_short_losses_of_a_quiet_program_do_not_pile_up(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path / "r", overhead=0.0) as watch:
        watcher = watch._session._watcher  # type: ignore[union-attr]
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        x, counts = torch.randn(8, 4), []
        for step in range(2_600):
            optimizer.zero_grad()
            F.mse_loss(model(x), x[:, :1]).backward()
            optimizer.step()
            if step in (1_299, 2_599):
                watcher.writer.flush()
                counts.append(held(watcher))
    grew = {w: n for w, n in counts[1].items() if n > counts[0].get(w, 0) + 4}
    assert not grew
