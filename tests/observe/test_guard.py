"""The border between the program and what of ours runs inside it."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from inspect import CO_GENERATOR
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import unstuck
from unstuck.observe.guard import Guard, is_of_the_program
from unstuck.record.reader import read_record
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM

STEPS = 40
OURS = str(Path(unstuck.__file__).parent / "observe")


class Timeout(Exception):
    """Of the program."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """A handler that raises, as a program has that limits the time of a step."""

    def handler(number: int, frame: Any) -> None:
        raise Timeout

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_nothing_is_called_before_it_is_active() -> None:
    guard = Guard(lambda _: None, lambda: None)
    guard.tell(pytest.fail, "called")


def test_an_error_is_told_of_and_not_raised() -> None:
    told: list[Exception] = []
    guard = Guard(told.append, pytest.fail)
    guard.active = True
    guard.tell(lambda: 1 / 0)
    assert isinstance(told[0], ZeroDivisionError)


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, OSError])
def test_an_error_while_an_error_is_told_of_is_not_raised(kind: type[Exception]) -> None:
    told: list[Exception] = []

    def fail(error: Exception) -> None:
        told.append(error)
        if len(told) == 1:
            raise kind

    guard = Guard(fail, pytest.fail)
    guard.active = True
    guard.tell(lambda: 1 / 0)
    assert not guard.active
    guard.tell(pytest.fail, "called")  # tells what could not be told at once
    assert [type(error) for error in told] == [ZeroDivisionError, kind]


def test_where_no_stack_is_left_the_program_goes_on() -> None:
    told: list[Exception] = []
    guard = Guard(told.append, lambda: None)
    guard.active = True

    def dive() -> int:
        try:
            return 1 + dive()
        except RecursionError:
            guard.tell(lambda: [dive() for _ in range(1)])
            return 0

    assert dive() > 0
    guard.tell(lambda: None)
    assert not guard.active or told


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_passes(error: type[BaseException]) -> None:
    recovered: list[None] = []
    guard = Guard(pytest.fail, lambda: recovered.append(None))
    guard.active = True

    def handler() -> None:
        raise error

    with pytest.raises(error):
        guard.tell(handler)
    assert recovered


def test_what_a_signal_handler_raises_passes(alarm: None) -> None:
    recovered: list[None] = []
    guard = Guard(pytest.fail, lambda: recovered.append(None))
    guard.active = True
    with pytest.raises(Timeout):
        guard.tell(partial(signal.raise_signal, signal.SIGUSR1))
    assert recovered


class Limit:
    """Handlers of other forms."""

    def __init__(self) -> None:
        self.what: type[Exception] = ValueError

    def method(self, number: int, frame: Any) -> None:
        raise self.what

    def __call__(self, number: int, frame: Any) -> None:
        self.method(number, frame)


def everything(*given: Any) -> None:
    raise KeyError


@pytest.mark.parametrize("handler", [
    Limit().method, Limit(), everything, partial(Limit.method, Limit())])
def test_handlers_of_every_form_are_known(handler: Any) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Exception as error:
        found = is_of_the_program(error)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert found


def test_an_error_of_ours_is_none_of_the_program() -> None:
    with pytest.raises(IndexError) as raised:
        [1][2]
    assert not is_of_the_program(raised.value)


def train(profile: Any) -> int:
    """Trains on, whatever is raised in a step; how often that was."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    caught = 0
    for _ in range(STEPS):
        x = torch.randn(16, 8)
        try:
            sys.setprofile(profile)
            optimizer.zero_grad()
            F.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
            optimizer.step()
        except Timeout:
            caught += 1
        finally:
            sys.setprofile(None)
    return caught


def raise_in(number: int) -> Any:
    """A profile function that raises a signal where the n-th function of ours is entered.

    Generators are left out: one that is dropped counts as entered once more, and the interpreter
    calls no signal handler there.
    """
    entered = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal entered
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS) and not (
            code.co_flags & CO_GENERATOR
        ):
            entered += 1
            if entered == number:
                signal.raise_signal(signal.SIGUSR1)

    return profile


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 13, 40, 100, 200, 400, 700, 1000, 1500, 2000])
def test_a_timeout_in_our_code_is_the_programs_and_watching_goes_on(
    number: int, alarm: None, tmp_path: Path
) -> None:
    with unstuck.watch(tmp_path, overhead=1e9):
        caught = train(raise_in(number))
    record = read_record(tmp_path)
    assert not [odd.says for odd in record.oddities if odd.what == "watcher-failed"]
    assert caught == 1
    assert record.steps >= STEPS - 1
    assert len(record.series(TRAIN_LOSS)) >= STEPS - 2
    assert record.measured(GRADIENT_NORM)


def test_an_exception_from_another_thread_is_the_programs(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unstuck.observe.guard.OWN_FOLDER", str(Path(__file__).parent))
    guard = Guard(pytest.fail, lambda: None)
    guard.active = True
    thread = threading.get_ident()

    def handler() -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(Timeout))
        for _ in range(1000):
            pass

    with pytest.raises(Timeout):
        guard.tell(handler)
