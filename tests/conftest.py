"""What tests get, however they were started: always the same environment."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from harness import records

# What changes how things are printed, counted or warned of.
_FOREIGN = ("FORCE_COLOR", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES",
            "TTY_COMPATIBLE", "TTY_INTERACTIVE", "UNSTUCK_DEBUG", "PYTHONWARNINGS",
            "PYTHONUNBUFFERED", "PYTHONOPTIMIZE", "PYTHONIOENCODING")


def pytest_configure() -> None:
    """Before torch is imported and before workers start, which inherit all this."""
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ["TERM"] = "dumb"
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["XDG_STATE_HOME"] = str(records.session() / "state")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests only if all are asked for; last those that would make every record themselves."""
    if not os.environ.get("UNSTUCK_ALL"):
        skip = pytest.mark.skip(reason="slow: only with UNSTUCK_ALL=1")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(skip)
    items.sort(key=lambda item: item.get_closest_marker("all_records") is not None)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Programs that the test starts begin with no signal ignored or blocked, as in a terminal.

    Under nohup, or in the background of a shell, pytest ignores some, and programs would inherit
    it. A handler is not inherited; a hangup does pytest no more harm than before.
    """
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    ignored = [
        number for number in signal.valid_signals()
        if signal.getsignal(number) is signal.SIG_IGN
        and number not in (signal.SIGPIPE, signal.SIGXFSZ)  # Python's own, restored for programs
    ]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT
                      else lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
