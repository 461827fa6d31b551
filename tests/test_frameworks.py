"""A faulty training with a framework; `make test-frameworks` has all, and healthy ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks.test_frameworks import FRAMEWORKS, Framework, check

SHORT = ("lightning_fit", "skorch_fit", "ignite_run")


@pytest.mark.parametrize("framework", [
    pytest.param(each, id=each.program, marks=[pytest.mark.slow] * (each.program != SHORT[0]))
    for each in FRAMEWORKS if each.program in SHORT])
def test_a_rate_that_is_too_high_is_named_in_the_users_own_file(
    framework: Framework, tmp_path: Path
) -> None:
    check(framework, "faulty", tmp_path)
