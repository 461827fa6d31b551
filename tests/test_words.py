"""How numbers, counts and lists are written in sentences."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstuck.words import count, joined, number, percent, times


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (1410.0, "1,410"), (1797, "1,797"), (0.65, "0.65"), (0.6543, "0.654"),
    (2.0e3, "2,000"), (4567.8, "4,570"), (12345678.9, "12,300,000"), (3e-05, "0.00003"),
    (-0.5, "-0.5"), (1234567, "1,230,000"), (2e12, "2e12"), (3.4e-9, "3.4e-9"), (math.inf, "inf"),
    (-math.inf, "-inf"), (math.nan, "NaN"), (100.0, "100"), (99.96, "100"), (0.09999, "0.1"),
])
def test_a_number(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e300, 1e300))
def test_a_number_keeps_three_digits_and_is_no_code(value: float) -> None:
    text = number(value)
    assert "+" not in text
    assert math.isclose(float(text.replace(",", "")), value, rel_tol=0.0051, abs_tol=1e-320)
    assert not re.search(r"\.\d*0$", text)


@pytest.mark.parametrize(("share", "text"), [
    (0.4, "40 %"), (0.00003, "0.003 %"), (1.0, "100 %"), (9.4, "940 %"), (2000, "2,000 times"),
    (0.0, "0 %"), (math.nan, "NaN %"), (1e9, "more than 10,000 times"),
])
def test_a_share(share: float, text: str) -> None:
    assert percent(share) == text


def test_factors() -> None:
    assert [times(2.5), times(1410), times(1e30)] == [
        "2.5 times", "1,400 times", "more than 10,000 times"]


def test_counts() -> None:
    assert [count(1, "pass"), count(2, "pass"), count(0, "step"), count(1797, "sample"),
            count(2, "epoch")] == [
        "1 pass", "2 passes", "0 steps", "1,797 samples", "2 epochs"]
    assert [count(3, "entry"), count(2, "array"), count(2, "axis", "axes")] == [
        "3 entries", "2 arrays", "2 axes"]


def test_lists() -> None:
    assert [joined(["a"]), joined("ab"), joined("abc"), joined("abcdefg"), joined([])] == [
        "a", "a and b", "a, b and c", "a, b, c and 4 more", ""]
    assert joined("abc", by="or") == "a, b or c"
