"""One server for all tests of trials in a process: it costs seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unstuck.trials.laboratory import Laboratory, Limits, Subject


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A laboratory without a program yet; `laboratory` gives it back as it was."""
    folder = str(tmp_path_factory.mktemp("nothing"))
    libraries = ("sklearn.datasets", "sklearn.model_selection")
    with Laboratory(Subject(("none.py",), folder, folder, libraries=libraries)) as made:
        yield made


@pytest.fixture
def laboratory(server: Laboratory) -> Iterator[Laboratory]:
    """The laboratory, with limits of its own."""
    server.limits = Limits(seconds=300.0)
    yield server
    while server.running:
        server.next()


def subject(program: Path, *arguments: str, answers: tuple[str, ...] | None = None) -> Subject:
    """A script in its own folder."""
    folder = str(program.parent)
    return Subject((program.name, *arguments), folder, folder, answers)
