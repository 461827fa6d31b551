"""Curves within documents, in older encodings, and in exports that name the run and its data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, of, one
from harness.logs.rarer import both, lines
from harness.logs.shapes import Drawn


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _latex()
    yield from _pages()
    yield from _notebooks()
    yield from _encodings()
    yield from _exports()


def _latex() -> Iterator[Case]:
    d = shapes.overfitting(30, 1001)
    yield one("latex-table", "\\begin{table}\\centering\n\\begin{tabular}{@{}rcc@{}}\n\\toprule\n"
              "Epoch & Train loss & Dev loss \\\\\n\\midrule\n" + lines(
                  d.n, "{k} & {t:.3f} & \\textbf{{{h:.3f}}} \\\\", **both(d))
              + "\\bottomrule\n\\end{tabular}\n\\end{table}\n", of(d, units=["epoch"]))
    d = shapes.learning(30, 1002)
    yield one("latex-comma", "\\begin{longtable}{rSS}\n{Epoche} & {Verlust} & {Validierungsverlust}"
              "\\\\ \\hline \\endhead\n" + lines(
                  d.n, "{k} & {t:.3f} & {h:.3f} \\\\", **both(d)).replace(".", ",")
              + "\\end{longtable}", of(d, units=["epoch"]))
    d = shapes.overfitting(25, 1003)
    yield one("pgfplots", "\\begin{tikzpicture}\\begin{semilogyaxis}\n" + "".join(
        "\\addplot coordinates {" + " ".join(f"({i + 1},{v:.4f})" for i, v in enumerate(values))
        + "};\n" for values in (d.train, d.held))
        + "\\legend{train loss, val loss}\\end{semilogyaxis}\\end{tikzpicture}", of(d))


def _page(d: Drawn) -> str:
    return ("<table border=\"1\" class=\"dataframe\">\n<thead>\n<tr style=\"text-align: left;\">\n"
            "<th>Step</th>\n<th>Training Loss</th>\n<th>Validation Loss</th></tr></thead><tbody>"
            + lines(d.n, "<tr>\n<td>{k}00</td>\n<td>{t:.6f}</td>\n<td>{h:.6f}</td></tr>", **both(d))
            + "</tbody></table><p>")


def _pages() -> Iterator[Case]:
    d = shapes.learning(30, 1011)
    yield one("html-progress", "<html><body><progress value='3000' max='3000'></progress>\n"
              "[3000/3000 1:12:44, Epoch 18/18]\n" + _page(d) + "</body></html>",
              of(d, units=["step"]))
    d = shapes.overfitting(30, 1012)
    yield one("html-levels", "<table><tr><th rowspan=2>Epoch<th colspan=2>Train<th colspan=2>Val"
              "</tr><tr><th>Loss<th>Acc<th>Loss<th>Acc</tr>" + lines(
                  d.n, "<tr><td>{k}<td>{t:.4f}<td>{a:.1%}<td>{h:.4f}<td>{b:.1%}</tr>", **both(d))
              + "</table>", of(d, units=["epoch"]))


def _notebooks() -> Iterator[Case]:
    d = shapes.overfitting(30, 1021)
    printed = lines(d.n, "Epoch {k}/30\n99/99 - 12s - loss: {t:.4f} - val_loss: {h:.4f}", **both(d))
    yield _notebook("notebook-printed", {"output_type": "stream", "name": "stdout",
                                         "text": printed.splitlines(keepends=True)}, d)
    d = shapes.learning(30, 1022)
    yield _notebook("notebook-shown", {"output_type": "display_data", "data": {
        "text/html": [_page(d)], "text/plain": ["<IPython.core.display.HTML object>"]}}, d)


def _notebook(name: str, output: object, d: Drawn) -> Case:
    code = {"cell_type": "code", "execution_count": 3, "metadata": {}, "source": ["fit()"]}
    return one(name, json.dumps({
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# Loss 0.3"]},
                  {**code, "outputs": []}, {**code, "outputs": [output]}],
        "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5,
    }, indent=1), of(d))


def _encodings() -> Iterator[Case]:
    for seed, (name, form) in enumerate((
        ("cp1251", "Эпоха {k:3d}: потери (обучение) = {t:.4f}; потери (проверка) = {h:.4f}"),
        ("gb18030", "第 {k} 轮：训练损失 {t:.4f}，验证损失 {h:.4f}"),
        ("cp932", "エポック {k} 訓練損失: {t:.4f} 検証損失: {h:.4f}"),
        ("cp1252", "Itération {k} : coût = {t:.4f} (coût de validation : {h:.4f})"),
    )):
        d = shapes.learning(30, 1031 + seed)
        yield one(f"encoding-{name}", lines(d.n, form, **both(d)).encode(name), of(d))


def _exports() -> Iterator[Case]:
    drawn = shapes.overfitting(30, 1041), shapes.learning(30, 1042)
    yield one("export-run-and-data", "run,tag,step,value\n" + "".join(
        f"{run}/{part},epoch_loss,{i},{v:.6f}\n"
        for run, d in zip(("small", "big"), drawn, strict=True)
        for part, values in (("train", d.train), ("validation", d.held))
        for i, v in enumerate(values)), *map(of, drawn))
    d = shapes.learning(40, 1043)
    t = np.linspace(0, 1, d.n)
    score = 0.5 * np.minimum(t / 0.3, 1) - 0.25 * np.maximum(t - 0.3, 0)
    yield one("score-alone", lines(
        d.n, "epoch {i} training [time: 1.72s, train loss: {t:.4f}]",
        "epoch {i} evaluating [time: 0.24s, valid_score: {s:.6f}]", t=500 * d.train, s=score),
        of(replace(d, train=500 * d.train), held=False, units=["epoch"], truth="overfitting"))
    d = shapes.learning(30, 1045)
    yield one("printed-in-r", "> print(history)\n   epoch train_loss val_loss\n" + lines(
        d.n, "{k:<2d} {k:5d} {t:10.7f} {h:8.5f}", **both(d)) + "> \n", of(d, units=["epoch"]))
