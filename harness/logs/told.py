"""Logs that say what a number is of elsewhere than in its name: in headings, brackets, counters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.rarer import both, lines


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _headings()
    yield from _lists()
    yield from _short()
    yield from _languages()
    yield from _agents()


def _headings() -> Iterator[Case]:
    d = shapes.overfitting(24, 501)
    yield one("logger-sections", lines(
        d.n, "2026-05-01 10:00:00,001 - INFO - app.fit.loop - Epoch {i}/23",
        "2026-05-01 10:00:00,002 - INFO - app.fit.loop - Training",
        "f1: {a:.3f}, loss: {t:.4f} |: 100%|#####| 90/90 [00:10<00:00,  9.1it/s]",
        "2026-05-01 10:00:10,002 - INFO - app.fit.loop - Validating",
        "f1: {b:.3f}, loss: {h:.4f} |: 100%|#####| 9/9 [00:01<00:00,  9.1it/s]",
        "2026-05-01 10:00:11,002 - INFO - app.fit.report -             Training |  Validation",
        "2026-05-01 10:00:11,002 - INFO - app.fit.report - f1        |   {a:.2f} |  {b:.2f}",
        "2026-05-01 10:00:11,002 - INFO - app.fit.report - memory    |   900.1 |  N/A",
        "2026-05-01 10:00:11,002 - INFO - app.fit.report - loss      |   {t:.3f} |  {h:.3f}",
        **both(d)), of(d))
    d = shapes.overfitting(30, 502)
    yield one("columns-of-data", lines(
        d.n, "epoch {i}", "metric      train     val", "loss        {t:.4f}    {h:.4f}",
        "accuracy    {a:.4f}    {b:.4f}", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 503)
    yield one("columns-of-data-in-bars", lines(
        d.n, "## Epoch {i}", "| metric | train | valid |", "|---|---|---|",
        "| loss | {t:.4f} | {h:.4f} |", "| top5 acc | {a:.4f} | {b:.4f} |", "", **both(d)),
        of(d, units=["epoch"]))


def _lists() -> Iterator[Case]:
    d = shapes.learning(40, 511, height=3.0)
    parts = np.round(0.7 * d.train, 4), np.round(0.2 * d.train, 4), np.round(0.1 * d.train, 4)
    others = np.round(0.8 * d.held, 4), np.round(0.15 * d.held, 4), np.round(0.05 * d.held, 4)
    yield one("lists-of-parts", "Step   Train loss   Test loss   Test metric\n" + lines(
        d.n, "{k}00    [{a:.2e}, {b:.2e}, {c:.2e}]    [{e:.2e}, {f:.2e}, {g:.2e}]    []",
        a=parts[0], b=parts[1], c=parts[2], e=others[0], f=others[1], g=others[2]),
        Expected(d.truth, sum(parts), sum(others), ("step",)))
    d = shapes.stuck(40, 512)
    yield one("parts-and-total", lines(
        d.n, "[{i}] train: cls={x:.4f} box={y:.4f} total={t:.4f}",
        "[{i}] val: cls={z:.4f} box={w:.4f} total={h:.4f} mIoU={b:.3f}",
        x=0.6 * d.train, y=0.9 * d.train, z=0.6 * d.held, w=0.9 * d.held, **both(d)), of(d))
    d = shapes.learning(40, 513)
    yield one("total-alone", "step,cls,box,total\n" + lines(
        d.n, "{i}0,{x:.4f},{y:.4f},{t:.4f}", x=0.6 * d.train, y=0.4 * d.train, **both(d)),
        of(d, held=False, units=["step"]))


def _short() -> Iterator[Case]:
    d = shapes.overfitting(40, 521)
    yield one("loss-and-valid", lines(
        d.n, "{i}) loss={t:.4f} valid={h:.4f} auc={b:.3f}", **both(d)), of(d))
    d = shapes.learning(40, 522)
    yield one("loss-and-an-accuracy-named-test", lines(
        d.n, "epoch {i} loss {t:.4f} test {b:.4f}", **both(d)), of(d, held=False))
    d = shapes.learning(40, 527, height=4.0)
    yield one("loss-and-a-score-named-dev", lines(
        d.n, "epoch {i} loss {t:.4f} dev {x:.2f}", x=3 + 30 * d.held_accuracy ** 2, **both(d)),
        of(d, held=False))
    d = shapes.overfitting(40, 523)
    yield one("tr-and-vl", lines(d.n, "e{i} | ep {i} tr {t:.4f} vl {h:.4f} iou {b:.3f}", **both(d)),
              of(d))
    d = shapes.learning(30, 524)
    yield one("crossval", lines(
        d.n, "ITER {i}: TRAIN COST {t:.4f} (rate 0.01), CROSSVAL COST {h:.4f}, kept", **both(d)),
        of(d))
    g = np.random.default_rng(525)
    d = shapes.slow(20, 525)
    batch = d.train[:, None] * (1 + 0.15 * g.standard_normal((d.n, 3)))
    yield one("few-batches-beside-means", "".join("".join(
        f"Epoch: [{i + 1}][{100 * k}/300] Loss: {batch[i, k]:.4f} Grad: 2.1\n" for k in range(3))
        + f"Epoch {i + 1} - avg_train_loss: {d.train[i]:.4f}  avg_val_loss: {d.held[i]:.4f}\n"
        for i in range(d.n)), of(d))
    d = shapes.learning(30, 526)
    yield one("any-word-in-brackets", lines(
        d.n, "Epoch {i}: loss (training set): {t:.4f} loss [validation]: {h:.4f} time (s): 3",
        **both(d)), of(d))


def _languages() -> Iterator[Case]:
    for name, seed, form in (
        ("chinese-counted", 531, "第{k}轮：训练损失 {t:.4f}，验证损失 {h:.4f}，准确率 {b:.2%}"),
        ("chinese-brackets", 532, "第 {k} 轮 损失（训练）：{t:.4f} 损失（验证）：{h:.4f}"),
        ("japanese", 533, "エポック {k}/40 学習損失: {t:.4f} 検証損失: {h:.4f} 正解率: {b:.3f}"),
        ("japanese-counted", 534, "{k}エポック目 訓練誤差={t:.4f} テスト誤差={h:.4f}"),
        ("korean", 535, "에포크 {k}: 훈련 손실 {t:.4f}, 검증 손실 {h:.4f}, 정확도 {b:.3f}"),
        ("korean-counted", 536, "[{k}/40 에포크] 학습 손실: {t:.4f} | 검증 손실: {h:.4f}"),
        ("russian-brackets", 537, "Эпоха {k} потери (обучение) {t:.4f} потери (валидация) {h:.4f}"),
        ("polish", 538, "Epoka {k}: strata (trening) = {t:.4f}, strata (walidacja) = {h:.4f}"),
        ("italian", 539, "Epoca {k} perdita (addestramento) {t:.4f} perdita (validazione) {h:.4f}"),
        ("turkish", 540, "Epok {k}: eğitim kaybı {t:.4f}, doğrulama kaybı {h:.4f}"),
    ):
        d = shapes.learning(40, seed)
        yield one(name, lines(d.n, form, **both(d)), of(d, units=["epoch"]))


def _agents() -> Iterator[Case]:
    d = shapes.learning(120, 541)
    gone = np.r_[-150 + 3.5 * np.arange(80), np.full(40, -90.0)] + 4 * (d.returns - np.convolve(
        d.returns, np.ones(5) / 5, "same")).clip(-3, 3)
    yield one("overwritten-values", "".join(
        f"\rGame {5 * (i + 1)}\tMean reward: {v:.2f}" + (
            f"\rGame {5 * (i + 1)}\tMean reward: {v:.2f}\n" if i % 20 == 19 else "")
        for i, v in enumerate(gone)), scores(gone, None, "broken", ["episode"]))
    td = 0.02 + 0.2 * np.arange(100) / 100
    yield one("values-without-returns", lines(
        100, "update {k}000: eps=0.{e} td_loss={t:.5f} q_mean={q:.3f} buffer={k}00",
        t=td, q=np.arange(100) / 9, e=range(99, -1, -1)),
        Expected(("not-told-by-loss",), td, None, ("step",)))
    yield one("bellman-error-rises", "step,bellman_error,mean_q\n" + lines(
        100, "{i},{t:.5f},{q:.3f}", t=td, q=np.arange(100) / 9),
        Expected(("not-told-by-loss",), td, None, ("step",)))
