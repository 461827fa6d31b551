"""Exports of runs and tables within documents: which run and which data a number is of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unstuck.logs.read import records
from unstuck.reading import Unusable
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


# Documents ----------------------------------------------------------------------------------------
LATEX = r"""We train for 30 epochs (loss 3).
\begin{{table}}[t]\caption{{Loss by epoch}}
\begin{{tabular}}{{@{{}}r|cc@{{}}}}
\toprule
 & \multicolumn{{2}}{{c}}{{Train}} \\ \cmidrule(lr){{2-3}}
\multirow{{2}}{{*}}{{Epoch}} & Loss & $F_1$ (\%) \\[2pt] \midrule % names
{rows}
\bottomrule
\end{{tabular}}\end{{table}}"""


def test_tables_of_latex(tmp_path: Path) -> None:
    log = tmp_path / "table.tex"
    ways = (r"{a:.3f}", r"\textbf{{{a:.3f}}}", r"${a:.3f} \pm 0.1$", r"$0.{b:06.0f}\times10^{{1}}$")
    log.write_text(LATEX.format(rows="\n".join(
        rf"{i} & {ways[i % 4].format(a=a, b=a * 1e5)} & {90 - 9 * a:.1f}\% \\ "
        for i, a in enumerate(FALLING))))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert (found.format, found.train, found.axis, found.metrics_higher) == (
        "LaTeX table", "Train Loss", "Epoch", ("Train F1 (%)",))
    assert np.allclose(record.series(TRAIN_LOSS).values, FALLING, atol=1e-3)


def test_a_latex_table_with_a_row_for_each_quantity(tmp_path: Path) -> None:
    log = tmp_path / "table.tex"
    log.write_text("\\begin{tabular}{l" + "r" * 30 + "}\nEpoch & " + " & ".join(
        map(str, range(1, 31))) + " \\\\ \\hline\nTrain loss & " + " & ".join(
        f"{a:.3f}" for a in FALLING) + " \\\\\nVal. loss & " + " & ".join(
        f"{a + 1:.3f}" for a in FALLING) + " \\\\\n\\end{tabular}\n")
    found, = runs_of(log)
    assert (found.train, found.held_out, found.axis) == ("Train loss", "Val. loss", "Epoch")


def test_tables_of_html(tmp_path: Path) -> None:
    log = tmp_path / "page.html"
    log.write_text(
        "<html><progress value='9000' max='9000'></progress>\n<table class='menu'><tr><td>1</table>"
        "<table border=1><thead><tr><th>Step</th><th>Training Loss</th>\n<th>Validation&nbsp;Loss"
        "</th></tr></thead>\n" + "".join(
            f"<tr>\n<td>{500 * (i + 1)}</td>\n<td><b>{a:.6f}</b></td><td>{a + 1:.6f}</td></tr>\n"
            for i, a in enumerate(FALLING)))  # it breaks off
    found, = runs_of(log)
    assert (found.format, found.train, found.held_out, found.axis) == (
        "HTML table", "Training Loss", "Validation Loss", "Step")


def test_cells_of_html_that_span_rows_and_columns(tmp_path: Path) -> None:
    log = tmp_path / "page.html"
    rows = "".join(f"<tr><td>{i}<td>{a:.4f}<td>{50 + i} %<td>{a + 1:.4f}<td>{40 + i} %</tr>"
                   for i, a in enumerate(FALLING))
    log.write_text(
        "<table><tr><th rowspan=2>Epoch</th><th colspan='2'>Train</th><th colspan=2>Validation"
        "<tr><th>Loss</th><th>Acc</th><th>Loss</th><th>Acc</th></tr>" + rows + "</table>")
    found, = runs_of(log)
    assert (found.train, found.held_out, found.axis) == ("Train Loss", "Validation Loss", "Epoch")


def test_curves_that_pgfplots_draws(tmp_path: Path) -> None:
    log = tmp_path / "plot.tex"
    log.write_text("\\begin{axis}[xlabel=epoch]\n" + "".join(
        f"\\addplot[{name}] coordinates {{ "
        + " ".join(f"({i},{a + k:.4f})" for i, a in enumerate(FALLING))
        + f" }};\n\\addlegendentry{{{name} loss}}\n" for k, name in enumerate(("train", "val")))
        + "\\end{axis}\n")
    found, = runs_of(log)
    assert (found.train, found.held_out, found.axis) == ("train loss", "val loss", "step")


def test_what_the_cells_of_a_notebook_printed_and_showed(tmp_path: Path) -> None:
    printed = "".join(f"Epoch {i}\n9/9 - loss: {a:.4f} - val_loss: {a + 1:.4f}\n"
                      for i, a in enumerate(FALLING))
    shown = "<table><tr><th>Step</th><th>Training Loss</th></tr>" + "".join(
        f"<tr><td>{i}</td><td>{a:.4f}</td></tr>" for i, a in enumerate(FALLING[:20])) + "</table>"
    stream = {"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)}
    display = {"output_type": "display_data",
               "data": {"text/html": [shown], "text/plain": ["<IPython.core.display.HTML object>"]}}
    log = tmp_path / "a.ipynb"
    for outputs, train, points in (([[stream], [display]], "loss", 30), (
            [[display], []], "Training Loss", 20)):
        log.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": [
            {"cell_type": "markdown", "source": ["loss 3"]},
            *({"cell_type": "code", "execution_count": 7, "outputs": one} for one in outputs)]}))
        record, = records(log)
        found = record.fact(Log)
        assert found is not None
        assert found.train == train
        assert found.format.startswith("notebook, ")
        assert len(record.series(TRAIN_LOSS)) == points
        assert [one.says[:12] for one in record.oddities] == ["1 other cell"] * (points == 30)


def test_a_mean_with_its_spread_is_one_number(tmp_path: Path) -> None:
    log = tmp_path / "stats.jsonl"
    log.write_text("".join(json.dumps({
        "Loss/model": {"num": 32000, "mean": a, "std": 0.1}, "step": i}) + "\n"
        for i, a in enumerate(FALLING)))
    record, = records(log)
    assert np.allclose(record.series(TRAIN_LOSS).values, FALLING)
    found, = runs_of(log)
    assert (found.train, found.axis) == ("Loss/model", "step")


def test_a_table_that_pandas_prints_among_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "out.txt"
    log.write_text("Done.\n    epoch  train_loss  val_loss\n" + "".join(
        f"{i:<4}{i + 1:>5}{a:>12.4f}{a + 1:>10.4f}\n" for i, a in enumerate(FALLING))
        + "Saved the weights to best.pt\n")
    found, = runs_of(log)
    assert (found.train, found.held_out, found.axis) == ("train_loss", "val_loss", "epoch")


def test_a_held_out_column_of_nothing_but_nan_is_none(tmp_path: Path) -> None:
    log = tmp_path / "gbm.txt"
    log.write_text("Iter   TrainDeviance   ValidDeviance   StepSize\n" + "".join(
        f"{i + 1:6d} {a:15.4f}             nan     0.1000\n" for i, a in enumerate(FALLING)))
    record, = records(log)
    found, = runs_of(log)
    assert (found.train, found.held_out) == ("TrainDeviance", None)
    assert "'ValidDeviance' holds no finite numbers" in record.oddities[0].says


@pytest.mark.parametrize("first", ["Method & Net-", "Layers & "])
def test_a_table_of_results_is_no_curve(first: str, tmp_path: Path) -> None:
    log = tmp_path / "paper.tex"
    what, name = first.split("& ")
    log.write_text(f"\\begin{{tabular}}{{lcc}}\n{what} & Accuracy & Loss \\\\ \\hline\n" + "".join(
        f"{name}{i} & {90 - 9 * a:.1f} & {a:.3f} \\\\\n" for i, a in enumerate(FALLING))
        + "\\end{tabular}\n")
    with pytest.raises(Unusable, match="holds no named numbers"):
        list(records(log))


def test_names_of_two_levels_above_a_table(tmp_path: Path) -> None:
    log = tmp_path / "history.csv"
    log.write_text(",train,train,val,val\n,loss,acc,loss,acc\nepoch,,,,\n" + "".join(
        f"{i},{a:.4f},0.5,{a + 1:.4f},0.4\n" for i, a in enumerate(FALLING)))
    found, = runs_of(log)
    assert (found.train, found.held_out, found.axis) == ("train loss", "val loss", "epoch")


@pytest.mark.parametrize(("head", "row", "train"), [
    ("   epoch train_loss val_loss", "{i:<2d} {i:5d} {a:10.6f} {b:8.4f}", "train_loss"),
    ("          timestamp   duration number_of_trees training_rmse validation_rmse",
     "{i} 2024-03-05 10:00:{i:02d} {a:.3f} sec {i} {a:.4f} {b:.4f}", "training_rmse"),
])
def test_names_of_columns_with_a_single_space_between(
    head: str, row: str, train: str, tmp_path: Path,
) -> None:
    log = tmp_path / "out.txt"
    log.write_text(f"> print(history)\n{head}\n" + "".join(
        row.format(i=i, a=a, b=a + 1) + "\n" for i, a in enumerate(FALLING)) + "> q()\n")
    record, = records(log)
    assert np.allclose(record.series(TRAIN_LOSS).values, FALLING, atol=1e-4)
    found, = runs_of(log)
    assert found.train == train
    assert found.held_out is not None


def test_what_is_named_once_is_no_curve(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    log.write_text("Collecting parts\n  Downloading parts-2.1.whl (670.2 MB)\nDone.\n")
    with pytest.raises(Unusable, match="names each number once"):
        list(records(log))


def test_tables_below_the_name_of_the_data(tmp_path: Path) -> None:
    log = tmp_path / "log"
    head = "# Epoch batch         loss       loss_f        f_mae"
    log.write_text("".join(
        f"training\n{head}\n" + "".join(
            f"{i:7d} {k:5d} {a + k / 50:12.3g} {a / 2:12.3g} {a:12.3g}\n" for k in (1, 2))
        + f"\nvalidation\n{head}\n{i:7d} {1:5d} {a + 1:12.3g} {a:12.3g} {a:12.3g}\n\n"
        for i, a in enumerate(FALLING)))
    record, = records(log)
    found, = runs_of(log)
    assert (found.train, found.held_out) == ("train loss", "val loss")
    assert [len(record.series(one)) for one in (TRAIN_LOSS, HELD_OUT_LOSS)] == [60, 30]
