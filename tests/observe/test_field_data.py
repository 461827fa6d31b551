"""Stored samples that a fetch changes, fillers of missing numbers, pairs that are turned apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import unstuck
from unstuck.observe.samples.alignment import fit
from unstuck.observe.samples.sentinels import _padding, _sentinel
from unstuck.observe.source.literals import filled
from unstuck.observe.source.sites import Sites
from unstuck.record.reader import read_record
from unstuck.schema.facts.stored import Altered
from unstuck.schema.signals.stored import CHANGED_BY_FETCH

RNG = np.random.default_rng(1)


class Halved:
    def __call__(self, row: Any) -> Any:
        row *= 0.5
        return row


class Kept(Dataset[Any]):
    def __init__(self, rows: Any, halved: Any) -> None:
        self.rows, self.halved = rows, halved

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Any:
        row = self.halved(self.rows[i]) if self.halved else self.rows[i] * 0.5
        return torch.as_tensor(row)


@pytest.mark.parametrize("kind", ["tensor", "array", "list"])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_fetch_that_changes_the_data_is_seen(
    kind: str, in_place: bool, tmp_path: Path
) -> None:
    rows: Any = torch.randn(24, 4)
    rows = rows if kind == "tensor" else rows.numpy() if kind == "array" else list(rows)
    with unstuck.watch(tmp_path / "record", overhead=1.0):
        loader = DataLoader(Kept(rows, Halved() if in_place else None), batch_size=8)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            for x in loader:
                optimizer.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()
    record = read_record(tmp_path / "record")
    (series,) = record.series(CHANGED_BY_FETCH).values()
    assert set(series.values) == {float(in_place)}
    assert int(series.steps[0]) == 3  # in the second pass, no sooner
    facts = record.facts(Altered)
    assert len(facts) == in_place
    if in_place:
        assert (facts[0].attribute, facts[0].copy) == (
            "rows", "copy" if kind == "array" else "clone")
        assert facts[0].location is not None
        assert facts[0].location.text == "        row *= 0.5"
        assert facts[0].read is not None


COLUMN = RNG.standard_normal(200)


@pytest.mark.parametrize(("column", "value"), [
    (np.where(np.arange(200) % 20 == 0, -999.0, COLUMN), -999.0),
    (np.where(np.arange(200) % 20 == 0, 99.0, COLUMN), 99.0),
    (COLUMN, None),
    (np.where(np.arange(200) == 7, -999.0, COLUMN), None),  # one is an outlier
    (np.maximum(COLUMN, 0.0), None),  # zeros beside what they were cut from
    (COLUMN.clip(-1.0, 1.0), None),  # a scale that ends
    (np.where(np.arange(200) % 20 == 0, 50.0, np.arange(200) % 3), None),  # categories
], ids=["filler", "above", "none", "outlier", "zero-inflated", "clipped", "categories"])
def test_a_filler_lies_beyond_all_others(column: Any, value: float | None) -> None:
    found = _sentinel(np.asarray(column, dtype=np.float64))
    assert (None if found is None else found[0]) == value


def test_what_fills_a_sequence_is_padding() -> None:
    rows = RNG.uniform(0.5, 1.0, (100, 8)).astype(np.float32)
    for row in rows:
        row[RNG.integers(4, 9):] = -1.0
    assert _padding(rows, np.array([np.nan] * 4 + [-1.0] * 4)).tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(("text", "value", "place"), [
    ("x = np.nan_to_num(x, nan=-999)", -999.0, "np.nan_to_num(x, nan=-999)"),
    ("MISSING = -5.0\nx[hole] = MISSING", -5.0, "x[hole] = MISSING"),
    ("x = x.fillna(-1)\nx = (x - m) / s", -3.2, "x.fillna(-1)"),
    ("x[hole] = 9999", 6.9, "x[hole] = 9999"),
    ("x = [-7.0 if v is None else v for v in x]", -7.0, "-7.0 if v is None else v"),
    ("x = x * 0.5", -999.0, None),
])
def test_the_text_that_fills_is_found(
    text: str, value: float, place: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "train.py"
    file.write_text(text)
    sites = Sites(str(tmp_path), keep_text=True)
    monkeypatch.setattr(sites, "files", lambda: [str(file)])
    found = filled(value, sites)
    if place is None or found is None:
        assert (place, found) == (None, None)
        return
    at = found[1]
    assert text.splitlines()[at.line - 1][at.column - 1:at.end_column - 1] == place


def scenes(count: int, rng: np.random.Generator) -> tuple[Any, Any]:
    rows, columns = np.mgrid[:14, :14]
    maps = np.zeros((count, 14, 14))
    for one in maps:
        for y, x in rng.uniform(2, 12, (2, 2)):
            one[(rows - y) ** 2 + (columns - x) ** 2 < 6] = 1
    return (maps + 0.2 * rng.standard_normal(maps.shape))[:, None], maps


def test_maps_fit_where_they_are_unless_they_are_mirrored() -> None:
    rng = np.random.default_rng(2)
    pictures, maps = scenes(40, rng)
    whole = fit(pictures, maps)
    mirrored = np.array([one[:, ::-1] if rng.random() < 0.5 else one for one in maps])
    apart = fit(pictures, mirrored)
    strange = fit(pictures, maps[np.roll(np.arange(40), 1)])
    assert whole is not None
    assert apart is not None
    assert strange is not None
    assert whole.placed > 0.6 > apart.placed
    assert whole.surplus > 4
    assert apart.surplus > 4 > strange.surplus
    assert apart.turned > whole.turned
    assert whole.here > 0.9 * whole.best
    assert apart.here < 0.7 * apart.best
