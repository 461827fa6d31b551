"""What several tests of the watching begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch computes in this thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def seeded(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, the same numbers in each test, and the traceback of an error of ours."""
    monkeypatch.setenv("UNSTUCK_DEBUG", "1")
    torch.manual_seed(3)
