"""Logs whose curve is spread out: over lines, runs, restarts, columns without names, folders."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.rarer import both, lines


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _lines()
    yield from _runs()
    yield from _columns()
    yield from _values()


def _lines() -> Iterator[Case]:
    d = shapes.overfitting(30, 801)
    yield one("a-line-each", lines(
        d.n, "EPOCH {i}", "TRAIN LOSS", "{t:.4f}", "VAL LOSS", "{h:.4f}", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.overfitting(30, 802)
    yield one("boxes", lines(
        d.n, "+----------+----------+", "| epoch    | {i:8d} |", "| tr_loss  | {t:8.4f} |",
        "| val_loss | {h:8.4f} |", "| val_acc  | {b:8.4f} |", "+----------+----------+", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.learning(30, 803)
    yield one("indented-tree", lines(
        d.n, "epoch {i}", " ├─ train", " │   ├─ loss: {t:.4f}", " │   └─ acc: {a:.4f}", " └─ val",
        "     ├─ loss: {h:.4f}", "     └─ acc: {b:.4f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 804)
    yield one("warnings-between", lines(
        d.n, "epoch {i}: loss = {t:.4f}", "/opt/lib/python3.11/site-packages/optim/sgd.py:31: "
        "UserWarning: step {k} before epoch 0 of 10: set lr=0.1", "  warnings.warn('lr=0.5')",
        "epoch {i}: val_loss = {h:.4f}", **both(d)), of(d))
    d = shapes.learning(30, 805)
    yield one("settings-first", "batch_size: 32\nlr: 0.001\nloss_weight: 0.5\nval_split: 0.2\n"
              "label_smoothing: 0.1\nepochs: 30\n" + lines(
                  d.n, "{i}/30 loss: {t:.4f}, val. loss: {h:.4f}", **both(d)), of(d))
    d = shapes.learning(30, 806)
    yield one("best-so-far", "".join(
        f"epoch {i} | val loss {d.held[i]:.4f} | best val loss {d.held[: i + 1].min():.4f} | "
        f"train loss {d.train[i]:.4f}\n" for i in range(d.n)), of(d, units=["epoch"]))
    d = shapes.learning(30, 807)
    yield one("with-errors", lines(
        d.n, "epoch {i} train loss {t:.4f} ± 0.0{i:02d} val loss {h:.4f} ± 0.01", **both(d)),
        of(d, units=["epoch"]))


def _runs() -> Iterator[Case]:
    d, e = shapes.learning(30, 811), shapes.overfitting(30, 812)
    form = "epoch {i} loss {t:.4f} val_loss {h:.4f}"
    yield one("two-models", "=== training resnet ===\n" + lines(30, form, **both(d))
              + "=== training vit ===\n" + lines(30, form, **both(e)), of(d, units=["epoch"]),
        of(e, units=["epoch"]))
    yield one("run-in-each-line", "".join(
        f"run={run} epoch={i} loss={x.train[i]:.4f} val_loss={x.held[i]:.4f}\n"
        for i in range(30) for run, x in ((1, d), (2, e))), of(d), of(e))
    yield one("run-column", "run,epoch,loss,val_loss\n" + "".join(
        f"{run},{i},{x.train[i]:.5f},{x.held[i]:.5f}\n"
        for run, x in (("plain", d), ("wide", e)) for i in range(30)), of(d, units=["epoch"]),
        of(e, units=["epoch"]))
    d = shapes.learning(40, 813)
    yield one("resumed", "".join(
        f"epoch {i} loss {d.train[i]:.4f} val_loss {d.held[i]:.4f}\n" for i in range(25))
        + "Resuming from checkpoint at epoch 20\n" + "".join(
        f"epoch {i} loss {d.train[i]:.4f} val_loss {d.held[i]:.4f}\n" for i in range(20, 40)),
        of(d, units=["epoch"]))
    parts = shapes.learning(60, 814)
    yield one("stages", "".join(
        f"stage {1 + i // 20}, step {10 * i}: loss {parts.train[i]:.4f}\n" for i in range(60)),
        of(parts, held=False, units=["step"]))


def _columns() -> Iterator[Case]:
    d = shapes.learning(40, 821)
    yield one("two-nameless", lines(d.n, "{i} {t:.5f}", **both(d)), of(d, held=False))
    yield one("one-nameless", lines(d.n, "{t:.5f}", **both(d)), of(d, held=False))
    d = shapes.overfitting(40, 822)
    yield one("mse-and-mae", "epoch,mse,mae,val_mse,val_mae\n" + lines(
        d.n, "{i},{t:.5f},{x:.5f},{h:.5f},{y:.5f}", x=np.sqrt(d.train), y=np.sqrt(d.held),
        **both(d)), of(d, units=["epoch"]))
    d = shapes.overfitting(40, 823)
    yield one("train-and-test-error", "iter\ttrain_err\ttest_err\ttime\n" + lines(
        d.n, "{i}\t{t:.5f}\t{h:.5f}\t{k}.1", **both(d)), of(d))
    d = shapes.overfitting(40, 824)
    yield one("parts-beside-loss", "step,loss,loss_rpn,loss_cls,val/loss,val/loss_rpn\n" + lines(
        d.n, "{i},{t:.5f},{x:.5f},{y:.5f},{h:.5f},{x:.5f}", x=0.3 * d.train, y=0.7 * d.train,
        **both(d)), of(d, units=["step"]))
    d = shapes.learning(40, 825)
    yield one("in-and-out", "epoch;in_sample_loss;out_of_sample_loss\n" + lines(
        d.n, "{i};{t:.5f};{h:.5f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 826)
    yield one("dates", "date,step,loss\n" + lines(
        d.n, "2026-05-01 10:{i:02d}:00,{k}0,{t:.5f}", **both(d)), of(
            d, held=False, units=["step"]))
    d = shapes.learning(40, 827)
    head = "# My run\n\nWords.\n\n| Epoch | Train Loss | Val Loss |\n|---|---|---|\n"
    yield one("markdown", head + lines(d.n, "| {i} | {t:.4f} | {h:.4f} |", **both(d)),
              of(d, units=["epoch"]))


def _values() -> Iterator[Case]:
    d = shapes.learning(60, 831)
    spiked = d.train.copy()
    spiked[[20, 41]] = 9.0
    yield one("spikes", lines(60, "step {i} loss {t:.4f}", t=spiked),
              Expected(("learning",), spiked, None, ("step",)))
    g = np.random.default_rng(832)
    noisy = 2 * np.exp(-0.8 * np.arange(400) / 400) * np.exp(0.2 * g.standard_normal(400))
    yield one("noisy", lines(400, "it {i}: {t:.4f}", t=noisy),
              Expected(("learning",), noisy, None, ("step",)))
    nan = d.train.copy()
    nan[30] = np.nan
    yield one("one-nan", "".join(json.dumps({"step": i, "loss": float(v)}) + "\n"
                                 for i, v in enumerate(nan)),
              Expected(("learning",), nan, None, ("step",)))
    yield one("infinite-first", "step,loss\n" + lines(
        60, "{i},{t:.4f}", t=np.r_[np.inf, d.train[1:]]),
        Expected(("learning",), np.r_[np.inf, d.train[1:]], None, ("step",)))
    log_likelihood = -120 * d.train
    yield one("log-likelihood", "iter,log_likelihood\n" + lines(
        60, "{i},{v:.3f}", v=log_likelihood), scores(log_likelihood, None, "learning", ["step"]))
    tiny = 3e-9 * d.train
    yield one("tiny", "iteration,loss\n" + lines(60, "{i},{t:.4e}", t=tiny),
              Expected(("learning",), tiny, None, ("step",)))
