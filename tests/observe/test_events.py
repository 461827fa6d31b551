"""What happens is told to those who asked, and probes write what they declare."""

from __future__ import annotations

import ast
import dis
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unstuck import logs, read_record
from unstuck.judge.catalogue import causes
from unstuck.observe import probes, samples
from unstuck.observe.events import EVENTS, Dispatch, Listener
from unstuck.observe.probe import Probe
from unstuck.observe.probes.frozen import FrozenProbe
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.repeats import RepeatProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.session import Options, Session
from unstuck.schema import facts, signals
from unstuck.schema.facts.fact import Fact
from unstuck.schema.facts.run import End, EndKind, Program
from unstuck.schema.quantities import Signal
from unstuck.schema.signals import ALL
from unstuck.schema.signals.batches import SAME_BATCH
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import FROZEN

KINDS = probes.kinds()
each_probe = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


# Dispatch ----------------------------------------------------------------------------------------
class Noting(Listener):
    """Notes what it is told of."""

    def __init__(self, name: str, told: list[Any]) -> None:
        self._name = name
        self._told = told

    def clipped(self, function: str, limit: Any, norm: Any) -> None:
        self._told.append((self._name, function, limit, norm))


class Waiting(Noting):
    """Wants to be told again from a step on, and waits."""

    def quiet_until(self, step: int) -> float:
        return 7

    def is_at_rest(self) -> bool:
        return False


def test_listeners_are_told_in_the_order_in_which_they_subscribed() -> None:
    told: list[Any] = []
    dispatch = Dispatch()
    dispatch.clipped("f", 1, 2)
    dispatch.subscribe(Noting("a", told))
    dispatch.subscribe(Noting("b", told), Listener())
    dispatch.clipped("g", 3, 4)
    dispatch.before_backward()
    assert told == [("a", "g", 3, 4), ("b", "g", 3, 4)]


def test_an_event_with_one_listener_is_its_own_method() -> None:
    dispatch, only = Dispatch(), Noting("a", [])
    dispatch.subscribe(Listener(), only)
    assert dispatch.clipped == only.clipped


def test_nobody_who_has_nothing_to_say_is_asked() -> None:
    dispatch = Dispatch()
    dispatch.subscribe(Noting("a", []))
    assert (dispatch.quiet_until(3), dispatch.is_at_rest()) == (float("inf"), True)
    dispatch.subscribe(Waiting("b", []))
    assert (dispatch.quiet_until(3), dispatch.is_at_rest()) == (7, False)


@pytest.mark.parametrize("event", EVENTS)
def test_telling_allocates_nothing(event: str) -> None:
    dispatch = Dispatch()
    dispatch.subscribe(*(type("Both", (Listener,), {event: lambda *_: None})() for _ in "ab"))
    done = {instruction.opname for instruction in dis.get_instructions(getattr(dispatch, event))}
    assert "FOR_ITER" in done
    assert not {name for name in done if name.startswith(("BUILD", "MAKE", "LIST"))
                or name == "CALL_FUNCTION_EX"}


# Probes and what they declare ---------------------------------------------------------------------
def test_every_file_of_a_probe_is_found() -> None:
    classes = {node.name for file in files(probes) for node in ast.parse(file.read_text()).body
               if isinstance(node, ast.ClassDef)
               and any(isinstance(base, ast.Name) and base.id == "Probe" for base in node.bases)}
    assert classes == {kind.__name__ for kind in KINDS}
    assert len(KINDS) >= 20


@each_probe
def test_what_is_overridden_is_an_event(kind: type[Probe]) -> None:
    for name in {*vars(kind)} & {*EVENTS}:
        assert len(inspect.signature(getattr(kind, name)).parameters) == EVENTS[name] + 1
    assert {*vars(kind)} & {*EVENTS}


def files(package: ModuleType) -> list[Path]:
    return sorted(Path(package.__path__[0]).glob("*.py"))


def named(file: Path, ours: dict[str, Path]) -> Iterator[Any]:
    """Signals and facts that a file names, with those of its helpers, which are no probes."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for alias in node.names:
            if node.module.startswith((f"{facts.__name__}.", f"{signals.__name__}.")):
                yield getattr(importlib.import_module(node.module), alias.name)
            helper = ours.get(node.module) or ours.get(f"{node.module}.{alias.name}")
            if helper is not None and helper != file and "(Probe)" not in helper.read_text():
                yield from named(helper, ours)


@each_probe
def test_a_probe_declares_the_signals_that_its_files_write(kind: type[Probe]) -> None:
    ours = {f"{package.__name__}.{file.stem}": file
            for package in (probes, samples) for file in files(package)}
    written = {*named(ours[kind.__module__], ours)}
    assert {*kind.signals} == {one for one in written if isinstance(one, Signal)}
    assert len({*kind.signals}) == len(kind.signals)
    assert {*kind.facts} <= all_facts()


def all_facts() -> set[type[Fact]]:
    homes = [importlib.import_module(f"{facts.__name__}.{file.stem}") for file in files(facts)]
    return {thing for home in homes for thing in vars(home).values()
            if isinstance(thing, type) and issubclass(thing, Fact) and thing is not Fact}


def test_what_causes_read_is_what_probes_and_logs_write() -> None:
    declared = {signal for kind in KINDS for signal in kind.signals}
    read = {signal for cause in causes() for signal in (*cause.needs, *cause.uses)}
    from_logs = {signal for file in files(logs) for signal in named(file, {})
                 if isinstance(signal, Signal)}
    assert {signal.name for signal in declared - read} == set()
    assert {signal.name for signal in read - declared - from_logs} == set()
    assert {*ALL} == declared | from_logs


# Which are on -------------------------------------------------------------------------------------
def train() -> nn.Module:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(160):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(8, 4)), torch.arange(8) % 2).backward()
        optimizer.step()
    return model


def watched(folder: Path, wanted: set[str] | None) -> tuple[set[type[Probe]], set[str]]:
    """The probes that were on while a small network was trained, and the signals of the record."""
    session = Session.start(Options(folder, overhead=1.0, signals=wanted))
    on = {type(probe) for probe in session._watcher.context.probes((), None)}
    model = train()
    session.finish(End(EndKind.FINISHED))
    bare = train()
    assert all(torch.equal(a, b) for a, b in
               zip(model.parameters(), bare.parameters(), strict=True))
    record = read_record(folder)
    assert not record.oddities
    facts_written = {json.loads(line)["fact"] for line in
                     (folder / "events.jsonl").read_text().splitlines() if '"type":"fact"' in line}
    declared = {fact.__name__.lower() for kind in on for fact in kind.facts}
    assert facts_written <= declared | {Program.__name__.lower(), End.__name__.lower()}
    return on, {signal.name for signal in ALL if record.measured(signal)}


def test_all_are_on_unless_some_are_wanted(tmp_path: Path) -> None:
    on, written = watched(tmp_path / "r", None)
    assert on == {*KINDS}
    assert {TRAIN_LOSS.name, FROZEN.name, SAME_BATCH.name} <= written


def test_only_what_is_wanted_is_measured_and_what_that_needs(tmp_path: Path) -> None:
    on, written = watched(tmp_path / "r", {SAME_BATCH.name, FROZEN.name})
    alone = {kind for kind in KINDS if not kind.signals}  # of facts
    needed = {LossProbe, SampleProbe, LayerProbe}  # by the short way of quiet steps
    assert {FrozenProbe, RepeatProbe} | alone | needed <= on
    assert len(on) < len(KINDS) / 2 + len(alone)
    assert {SAME_BATCH.name, FROZEN.name} <= written
    assert written <= {signal.name for kind in on for signal in kind.signals}
