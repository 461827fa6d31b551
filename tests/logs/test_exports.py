"""Exports of runs and tables within documents: which run and which data a number is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unstuck.logs.read import records
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS

FALLING = [2.1 * 0.93**i + 0.3 for i in range(30)]


def runs_of(file: Path) -> list[Log]:
    """What is known of each run of a file."""
    found = [record.fact(Log) for record in records(file)]
    return [log for log in found if log is not None]


def test_the_runs_of_an_export_name_their_data(tmp_path: Path) -> None:
    log = tmp_path / "experiment.csv"
    long = [f"{run},{tag},{i},{a + k:.4f}\n" for k, run in enumerate(
        ("small/train", "small/validation", "big/train", "big/validation"))
        for tag in ("epoch_accuracy", "epoch_loss") for i, a in enumerate(FALLING)]
    log.write_text("run,tag,step,value\n" + "".join(long))
    first, second = records(log)
    assert [one.train for one in runs_of(log)] == ["train epoch_loss"] * 2
    assert np.allclose(second.series(TRAIN_LOSS).values - first.series(TRAIN_LOSS).values, 2)
    assert np.allclose(first.series(HELD_OUT_LOSS).values - first.series(TRAIN_LOSS).values, 1)
    wide = [f"{run},{i},{a + k:.4f},0.5\n" for k, run in enumerate(("train", "validation"))
            for i, a in enumerate(FALLING)]
    log.write_text("run,step,epoch_loss,epoch_accuracy\n" + "".join(wide))
    found, = runs_of(log)
    assert (found.train, found.held_out) == ("train epoch_loss", "val epoch_loss")


@pytest.mark.parametrize("names", [("test-1", "test-2"), ("a", "b")])
def test_runs_whose_names_say_no_data_are_those_of_a_long_table(
    names: tuple[str, str], tmp_path: Path,
) -> None:
    log = tmp_path / "export.csv"
    log.write_text("run,metric,step,value\n" + "".join(
        f"{run},loss,{i},{a:.4f}\n" for run in names for i, a in enumerate(FALLING)))
    assert [one.file.rpartition(" ")[2] for one in runs_of(log)] == [f"({n})" for n in names]
