"""Logs of other frameworks, of agents, of scores alone, and numbers that are written oddly."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.rarer import both, lines


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _frameworks()
    yield from _older()
    yield from _scores()
    yield from _written()
    yield from _nested()


def _frameworks() -> Iterator[Case]:
    d = shapes.learning(60, 701)
    yield one("mmengine", "".join(
        f"2026/05/01 10:00:00 - mmengine - INFO - Epoch(train)  [{i // 2 + 1}][{50 * (i % 2 + 1)}"
        f"/100]  lr: 1.0000e-02  eta: 0:10:00  time: 0.1012  data_time: 0.0021  memory: 312  loss: "
        f"{d.train[i]:.4f}\n" + (
            f"2026/05/01 10:00:00 - mmengine - INFO - Epoch(val) [{i // 2 + 1}][20/20]    accuracy/"
            f"top1: {100 * d.held_accuracy[i]:.4f}  data_time: 0.0101  time: 0.0212\n"
            if i % 2 else "") for i in range(d.n)), of(d, held=False))
    d = shapes.learning(60, 702)
    yield one("paddle", "".join(
        f"[2026/05/01 10:00:00] ppcls INFO: [Train][Epoch {i // 2 + 1}/30][Iter: {25 * (i % 2)}/50]"
        f"lr(LinearWarmup): 0.00100000, top1: {d.accuracy[i]:.5f}, loss: {d.train[i]:.5f}, "
        "batch_cost: 0.10123s, reader_cost: 0.00212, ips: 631.1 samples/s, eta: 0:10:00\n" + (
            f"[2026/05/01 10:00:09] ppcls INFO: [Eval][Epoch {i // 2 + 1}][Avg]loss: "
            f"{d.held[i]:.5f}, top1: {d.held_accuracy[i]:.5f}\n" if i % 2 else "")
        for i in range(d.n)), of(d, every=2))
    d = shapes.learning(60, 703)
    yield one("deit", "".join(
        f"Epoch: [{i // 3}]  [{100 * (i % 3):4d}/300]  eta: 0:10:00  lr: 0.000100  loss: "
        f"{d.train[i]:.4f} ({d.train[i]:.4f})  time: 0.3121  data: 0.0012  max mem: 5123\n" + (
            f"Test:  [ 0/20]  eta: 0:00:09  loss: {d.held[i]:.4f} ({d.held[i]:.4f})  acc1: "
            f"{100 * d.held_accuracy[i]:.4f}  time: 0.2  max mem: 5123\n* Acc@1 "
            f"{100 * d.held_accuracy[i]:.3f} loss {d.held[i]:.3f}\n" if i % 3 == 2 else "")
        for i in range(d.n)), Expected(
            d.truth, d.train, np.repeat(d.held[2::3], 2)))
    d = shapes.overfitting(30, 704)
    yield one("luz", lines(
        d.n, "Epoch {k}/30", "Train metrics: Loss: {t:.4f} - Acc: {a:.4f}",
        "Valid metrics: Loss: {h:.4f} - Acc: {b:.4f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(60, 705)
    yield one("clu", "".join(
        f"I0501 10:00:00.123456 140012 logging_writer.py:48] [{100 * (i + 1)}] learning_rate=0.001,"
        f" loss={d.train[i]:.6f}\n" + (
            f"I0501 10:00:01.123456 140012 logging_writer.py:48] [{100 * (i + 1)}] eval/loss="
            f"{d.held[i]:.6f}\n" if i % 4 == 3 else "") for i in range(d.n)),
        of(d, every=4, units=["step"]))
    d = shapes.learning(40, 706)
    yield one("rust", lines(
        d.n, "{k:4d} train loss: {t:8.5f} test loss: {h:8.5f} test acc: {b:6.2%}", **both(d)),
        of(d))
    d = shapes.overfitting(30, 707)
    yield one("rich-bar", lines(
        d.n, "Epoch {i}/29 ━━━━━━━━━━━━━━━━ 90/90 0:00:10 • 0:00:00 9.81it/s v_num: 0.000 "
        "train_loss: {t:.3f} val_loss: {h:.3f}", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.learning(50, 708)
    yield one("average-loss-of-a-bar", "".join(
        f"Average Loss = {v:.5f}:  {2 * i:3d}%|██        | {200 * i}/10000 [00:0{i % 10}<00:10, "
        "912.1it/s]\r" for i, v in enumerate(d.train)) + "\n", of(d, held=False))


def _older() -> Iterator[Case]:
    d = shapes.overfitting(30, 711)
    yield one("cntk", lines(
        d.n, "05/01/2026 10:00:00: Finished Epoch[{k:2d} of 30]: [Training] ce = {t:.8f} * 50000; "
        "errs = 20.101% * 50000; totalSamplesSeen = {k}50000; learningRatePerSample = 0.01; "
        "epochTime=10.1s", "05/01/2026 10:00:01: Finished Epoch[{k:2d} of 30]: [Validate] ce = "
        "{h:.8f} * 10000; errs = 25.11% * 10000", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(50, 712)
    yield one("dlib", lines(
        d.n, "step#: {k}00  learning rate: 0.1  average loss: {t:.6f}   steps without apparent "
        "progress: 10", **both(d)), of(d, held=False, units=["step"]))
    d = shapes.learning(50, 713)
    yield one("slim", lines(
        d.n, "INFO:tensorflow:global step {k}0: loss = {t:.4f} (0.251 sec/step)", **both(d)),
        of(d, held=False, units=["step"]))
    d = shapes.learning(50, 714)
    yield one("gradient-boosting", "      Iter       Train Loss   Remaining Time \n" + lines(
        d.n, "{k:10d} {t:16.4f} {k:14d}.21s", **both(d)), of(d, held=False))
    d = shapes.learning(50, 715)
    yield one("fasttext", "Read 10M words\nNumber of words:  412\n" + "".join(
        f"\rProgress: {2.0 * (i + 1):5.1f}% words/sec/thread:  101231 lr:  0.0{99 - i:02d}000 "
        f"avg.loss: {v:9.6f} ETA:   0h 0m {50 - i}s" for i, v in enumerate(d.train)) + "\n",
        of(d, held=False))


def _scores() -> Iterator[Case]:
    d = shapes.learning(60, 721)
    gone = np.r_[d.accuracy[:40], np.full(20, 0.1)]
    yield one("accuracy-collapses", lines(60, "epoch {i} acc {a:.4f}", a=gone),
              scores(gone, None, "broken|diverged", ["epoch"]))
    yield one("win-rate", "game,win_rate\n" + lines(
        60, "{k}00,{a:.4f}", a=d.accuracy), scores(d.accuracy, None, "learning"))
    percent = np.round(100 * d.accuracy, 2)
    yield one("nearest-neighbours", lines(
        60, "epoch {i}: knn acc@1: {a:.2f}", a=percent), scores(percent, None, "learning"))
    ppl = np.exp(4 * d.train)
    yield one("perplexity-alone", lines(60, "| epoch {i:3d} | ppl {p:8.2f} |", p=ppl),
              Expected(("learning",), np.round(ppl, 2), None, ("epoch",)))
    g = np.random.default_rng(722)
    level = 2.3026 + 0.004 * g.standard_normal(60)
    yield one("guesses", lines(60, "epoch {i}: loss {t:.4f} acc {a:.3f}", t=level,
                               a=0.1 + 0.005 * g.standard_normal(60)),
              Expected(("not-learning",), level, None, ("epoch",)))
    level = np.r_[2.71, 2.44, 2.31 + 0.004 * g.standard_normal(58)] - 0.0074
    yield one("guesses-after-two-steps", lines(60, "epoch {i}: loss {t:.4f} acc {a:.3f}", t=level,
                                               a=0.1 + 0.004 * g.standard_normal(60)),
              Expected(("not-learning",), np.round(level, 4), None, ("epoch",)))
    short = shapes.overfitting(40, 723)
    yield one("short-words", lines(40, "[epoch {i:03d}] tr_loss={t:.4f} te_loss={h:.4f}",
                                   **both(short)), of(short, units=["epoch"]))
    yield one("returns", lines(
        60, "ep {k}0 | steps {k}000 | avg return {r:.1f} | eps 0.05 | loss {x:.3f}", r=d.returns,
        x=1 + 0.1 * g.standard_normal(60)), scores(np.round(d.returns, 1), None, "learning"))


def _written() -> Iterator[Case]:
    for name, seed, bad in (("windows-nan", 731, "-nan(ind)"), ("minus-nan", 732, "-nan"),
                            ("old-windows-nan", 733, "-1.#IND")):
        d = shapes.lost(30, seed)
        yield one(name, "".join(
            f"iter {10 * i} loss {v:.4f}\n".replace("nan", bad) for i, v in enumerate(d.train)),
            of(d, held=False, units=["step"]))
    d = shapes.lost(30, 736)
    yield one("nan-before-a-number-without-a-name", "".join(
        f"iter {200 * i:6d} | loss {v:.4f} | 211 ms/iter\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))
    d = shapes.learning(60, 737)
    gone = np.r_[d.train, d.train[-1] * 2.2 ** np.arange(1, 7)]
    yield one("explodes-in-its-last-lines", lines(66, "step {i}: loss {t:.4f}", t=gone),
              Expected(("diverged",), np.round(gone, 4), None, ("step",)))
    d = shapes.learning(50, 734)
    yield one("steps-in-thousands", lines(
        d.n, "step {k}k | loss {t:.4f} | 1.2M tok/s", **both(d)), of(d, held=False))
    d = shapes.learning(50, 735)
    yield one("quoted", '"Epoch","Loss","Val. loss"\n' + lines(
        d.n, '"{i}","{t:.4f}","{h:.4f}"', **both(d)), of(d, units=["epoch"]))


def _nested() -> Iterator[Case]:
    d = shapes.overfitting(40, 741)
    yield one("nested-lines", "".join(json.dumps(
        {"epoch": i, "metrics": {"train": {"loss": d.train[i], "acc": d.accuracy[i]},
                                 "valid": {"loss": d.held[i], "acc": d.held_accuracy[i]}}}) + "\n"
        for i in range(d.n)), of(d, units=["epoch"]))
    yield one("keyed-by-epoch", json.dumps({
        str(i): {"train_loss": d.train[i], "val_loss": d.held[i]} for i in range(d.n)}, indent=1),
        of(d))
    yield one("lists-by-data", json.dumps({
        "train": {"loss": d.train.tolist(), "acc": d.accuracy.tolist()},
        "val": {"loss": d.held.tolist(), "acc": d.held_accuracy.tolist()}}), of(d))
    yield one("pairs-in-a-list", json.dumps([[i, v] for i, v in enumerate(d.train.tolist())]),
              of(d, held=False, truth="learning|converged"))
    one_rank, two = shapes.learning(40, 742), shapes.learning(40, 743)
    yield one("two-ranks", lines(
        40, "[rank0]: epoch {i} loss {x:.4f}", "[rank1]: epoch {i} loss {y:.4f}",
        x=one_rank.train, y=two.train), Expected(
        ("learning",), np.stack([one_rank.train, two.train], 1).ravel()))
