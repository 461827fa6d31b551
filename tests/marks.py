"""Marks of cases that are told apart by how much they cost."""

from __future__ import annotations

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """A case that runs only where all do (UNSTUCK_ALL=1, `make test-all`)."""
    return pytest.param(*values, marks=pytest.mark.slow)
