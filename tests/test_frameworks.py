"""Faulty trainings with three of the frameworks; `make test-frameworks` has all, and healthy ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks.test_frameworks import FRAMEWORKS, Framework, check

SHORT = {"lightning_fit", "skorch_fit", "ignite_run"}


@pytest.mark.parametrize("framework", [each for each in FRAMEWORKS if each.program in SHORT],
                         ids=lambda framework: framework.program)
def test_a_rate_that_is_too_high_is_named_in_the_users_own_file(
    framework: Framework, tmp_path: Path
) -> None:
    check(framework, "faulty", tmp_path)
