"""Logs of further tools and habits: other loggers, other languages of programming, odd layouts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.rarer import both, lines


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _loggers()
    yield from _programs()
    yield from _layouts()
    yield from _sentences()


def _loggers() -> Iterator[Case]:
    d = shapes.overfitting(30, 601)
    yield one("logfmt", lines(
        d.n, 'ts=2026-05-01T10:00:00Z level=info caller=fit.py:88 msg="epoch done" epoch={i} '
        "train.loss={t:.4f} val.loss={h:.4f} took=12.1s", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 602)
    yield one("loguru", lines(
        d.n, "2026-05-01 10:00:00.123 | INFO     | app.train:fit:88 - epoch {i} | loss {t:.4f} | "
        "val loss {h:.4f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 603)
    yield one("container", lines(
        d.n, "2026-05-01T10:00:00.123456789Z stdout F epoch={i} loss={t:.4f} val_loss={h:.4f}",
        **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 604)
    yield one("labelled-tasks", lines(
        d.n, "0: epoch {i} loss {t:.4f} val_loss {h:.4f}", **both(d)), of(d))
    d = shapes.learning(60, 605)
    yield one("deepspeed", lines(
        d.n, "[2026-05-01 10:00:00,123] [INFO] [logging.py:96:log_dist] [Rank 0] step={k}0, "
        "skipped=0, lr=[1e-05], mom=[(0.9, 0.999)]",
        "steps: {k}0 loss: {t:.4f} iter time (s): 0.312 samples/sec: 204.871", **both(d)),
        of(d, held=False, units=["step"]))
    d = shapes.learning(60, 606, height=7.0)
    yield one("megatron", "".join(
        f" [2026-05-01 10:00:00] iteration {100 * (i + 1):8d}/   50000 | consumed samples: "
        f"{25600 * (i + 1):12d} | elapsed time per iteration (ms): 301.2 | learning rate: 1.000E-04"
        f" | global batch size:   256 | lm loss: {d.train[i]:.6E} | loss scale: 1.0 | grad norm: "
        "0.911 | number of skipped iterations:   0 | number of nan iterations:   0 |\n" + (
            "-" * 90 + f"\n validation loss at iteration {100 * (i + 1)} | lm loss value: "
            f"{d.held[i]:.6E} | lm loss PPL: {np.exp(d.held[i]):.6E} |\n" + "-" * 90 + "\n"
            if i % 5 == 4 else "") for i in range(d.n)), of(d, every=5, units=["step"]))
    d = shapes.learning(60, 607, height=9.0)
    yield one("llm-in-c", "".join(
        f"step {i + 1:4d}/60 | loss {d.train[i]:.6f} (+0.12z)| norm 1.2031 (-1.01z)| lr 6.00e-04 | "
        "310.12 ms | 41.2% bf16 MFU | 1691022 tok/s\n" + (
            f"val loss {d.held[i]:.6f}\n" if i % 6 == 5 else "") for i in range(d.n)),
        of(d, every=6, units=["step"]))
    d = shapes.learning(60, 608)
    yield one("detectron", lines(
        d.n, "[05/01 10:00:00 d2.utils.events]:  eta: 0:10:00  iter: {k}9  total_loss: {t:.4f}  "
        "loss_cls: {x:.4f}  loss_box_reg: {y:.4f}  time: 0.312  last_time: 0.301  data_time: 0.004"
        "  lr: 0.00025  max_mem: 3001M", x=0.6 * d.train, y=0.4 * d.train, **both(d)),
        of(d, held=False, units=["step"]))
    d = shapes.overfitting(30, 609)
    yield one("espnet", lines(
        d.n, "[node01] 2026-05-01 10:00:00,123 (trainer:338) INFO: {k}epoch results: [train] "
        "iter_time=0.101, loss={t:.3f}, acc={a:.3f}, lr0=0.001, train_time=1.2, time=9 minutes, "
        "total_count=900, [valid] loss={h:.3f}, acc={b:.3f}, time=20 seconds, total_count=90",
        **both(d)), of(d, units=["epoch"]))


def _programs() -> Iterator[Case]:
    d = shapes.overfitting(30, 611)
    yield one("julia", lines(d.n, "┌ Info: Epoch {k}", "│   train_loss = {t:.5f}",
                             "└   val_loss = {h:.5f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.overfitting(40, 612)
    yield one("gbm-in-r", "Iter   TrainDeviance   ValidDeviance   StepSize   Improve\n" + lines(
        d.n, "{k:6d}        {t:.4f}          {h:.4f}     0.1000    0.0101", **both(d)), of(d))
    d = shapes.learning(40, 613)
    rule = "|" + "=" * 76 + "|\n"
    yield one("matlab", (
        rule + "|  Epoch  |  Iteration  |  Elapsed   |  Mini-batch  |  Mini-batch  | Base rate |\n"
        "|         |             | (hh:mm:ss) |   Accuracy   |     Loss     |           |\n"
        + rule) + lines(d.n, "|   {k:5d} |    {k:5d}0   |   00:00:{i:02d} |      {a:.2%}  "
                        "|       {t:.4f} |    0.0100 |", **both(d)),
        of(d, held=False, units=["step", "epoch"]))
    d = shapes.learning(40, 614)
    yield one("scikit-learn", lines(
        d.n, "Iteration {k}, loss = {t:.8f}", "Validation score: {b:.6f}", **both(d)),
        of(d, held=False, units=["step"]))
    d = shapes.overfitting(40, 615)
    yield one("xgboost-cv", lines(
        d.n, "[{i}]\ttrain-logloss:{t:.5f}+0.00213\ttest-logloss:{h:.5f}+0.01021", **both(d)),
        of(d))
    d = shapes.learning(40, 616)
    yield one("fortran", "# EPOCH  LOSS  VALIDATION_LOSS\n" + lines(
        d.n, "  {k:4d}   {t:.6E}   {h:.6E}", **both(d)).replace("E", "D").replace(
            "# DPOCH", "# EPOCH"), of(d))
    d = shapes.learning(40, 617)
    yield one("gnuplot", "# epoch train_loss val_loss\n" + lines(
        d.n, "{i} {t:.5f} {h:.5f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 618)
    yield one("rllib-blocks", lines(
        d.n, "Result for PPO_env_1f2e3_00000:", "  date: 2026-05-01_10-00-00",
        "  episode_len_mean: 98.1", "  episode_reward_mean: {r:.4f}", "  info:",
        "    learner:", "      policy_loss: -0.0{i}", "      vf_loss: 12.{i}",
        "  timesteps_total: {k}000", "  training_iteration: {k}", "", r=d.returns),
        scores(d.returns, None, "learning"))


def _layouts() -> Iterator[Case]:
    d = shapes.overfitting(30, 621)
    yield one("yaml-list", lines(
        d.n, "- epoch: {i}", "  train_loss: {t:.5f}", "  val_loss: {h:.5f}", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.overfitting(30, 622)
    yield one("toml", lines(
        d.n, "[[epochs]]", "epoch = {i}", "train_loss = {t:.5f}", "val_loss = {h:.5f}", "",
        **both(d)), of(d, units=["epoch"]))
    d = shapes.overfitting(30, 623)
    yield one("pprint", lines(
        d.n, "{{'epoch': {i},", " 'train': {{'acc': {a:.4f}, 'loss': {t:.5f}}},",
        " 'val': {{'acc': {b:.4f}, 'loss': {h:.5f}}}}}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 624)
    yield one("units", "epoch,train loss [nats],val loss [nats],val acc [%],time [s]\n" + lines(
        d.n, "{i},{t:.5f},{h:.5f},{b:.3%},12.1", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 625)
    yield one("emoji", lines(
        d.n, "🚀 Epoch {k} ➜ 📉 train {t:.4f} 📈 val {h:.4f}", **both(d)), of(d))
    d = shapes.learning(30, 626)
    yield one("names-in-a-line-above", lines(
        d.n, "epoch | train loss | val loss", "{i} | {t:.4f} | {h:.4f}", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.learning(30, 627)
    yield one("arrow", lines(
        d.n, "[epoch {i:03d}] train: loss -> {t:.4f}, acc -> {a:.3f}; valid: loss -> {h:.4f}, "
        "acc -> {b:.3f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 628)
    yield one("percent-of-the-way", lines(
        d.n, "[{p:5.1f}%] loss {t:.4f} (best {t:.4f}) val loss {h:.4f}",
        p=100 * np.arange(d.n) / d.n, **both(d)), of(d))


def _sentences() -> Iterator[Case]:
    d = shapes.overfitting(30, 631)
    yield one("messages-of-a-checkpoint", "".join(
        f"Epoch: {i + 1} \tTraining Loss: {d.train[i]:.6f} \tValidation Loss: {d.held[i]:.6f}\n" + (
            f"Validation loss decreased ({d.held[i - 1]:.6f} --> {d.held[i]:.6f}).  Saving ...\n"
            if i and d.held[i] < d.held[i - 1] else "") for i in range(d.n)),
        of(d, units=["epoch"]))
    d = shapes.learning(30, 632)
    yield one("reached", "".join(
        f"Epoch {i}, global step {90 * (i + 1)}: 'val_loss' reached {d.held[i]:.5f} (best "
        f"{d.held[i]:.5f}), saving model to '/out/epoch={i}.ckpt' as top 1\n" for i in range(d.n)),
        Expected(d.truth, d.held, None))
    d = shapes.learning(40, 633)
    bound = -100 - 90 * d.train
    yield one("evidence-bound", lines(
        d.n, "epoch {i}: ELBO {e:.3f} (recon {r:.2f}, KL {k2:.2f})", e=bound, r=bound + 12,
        k2=12 + 0 * bound), scores(np.round(bound, 3), None, "learning", ["epoch"]))
    d = shapes.learning(30, 634)
    yield one("after-and-was", lines(
        d.n, "After epoch {k}, the training loss was {t:.4f} and the validation loss was {h:.4f}.",
        **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 635)
    yield one("on-and-of", lines(
        d.n, "epoch {i}: loss on train set {t:.4f}, loss on validation set {h:.4f}", **both(d)),
        of(d, units=["epoch"]))
