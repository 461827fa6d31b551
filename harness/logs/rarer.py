"""Logs whose numbers say what they are in other ways: blocks, long tables, files, languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.shapes import Drawn


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _sentences()
    yield from _blocks()
    yield from _long()
    yield from _documents()
    yield from _files()
    yield from _languages()
    yield from _courses()


def lines(n: int, *forms: str, **series: object) -> str:
    """Each form for each point: its index is i, from one on k, the values are those of series."""
    names = {name: list(values) for name, values in series.items()}  # type: ignore[call-overload]
    return "".join(form.format(i=i, k=i + 1, **{n: v[i] for n, v in names.items()}) + "\n"
                   for i in range(n) for form in forms)


def both(d: Drawn) -> dict[str, object]:
    """The losses and scores of a run, for `lines`."""
    return {"t": d.train, "h": d.held, "a": d.accuracy, "b": d.held_accuracy}


def _sentences() -> Iterator[Case]:
    d = shapes.learning(60, 401)
    yield one("lightgbm-cv", lines(d.n, "[{k}]\tcv_agg's valid l2: {h:.6g} + {t:.3g}", **both(d)),
              Expected(d.truth, d.held, None, ("step",)))
    d = shapes.learning(50, 402)
    yield one("kaldi", "# nnet3-train --use-gpu=yes 7.raw\n" + lines(
        d.n, "LOG (nnet3-train[5.5]:PrintStatsForThisPhase():nnet-training.cc:283) Average "
        "objective function for 'output-0' for minibatches {i}00-{i}99 is {t:.5f} over 9472 "
        "frames.", t=-3 * d.train), scores(-3 * d.train, None, "learning", ["step"]))
    d = shapes.learning(80, 403, height=6.0)
    yield one("opennmt-valid", "".join(
        f"[2026-05-01 11:{i // 60:02}:{i % 60:02},001 INFO] Step {50 * (i + 1)}/9000; acc: "
        f"{100 * d.accuracy[i]:5.1f}; ppl: {np.exp(d.train[i]):7.1f}; xent: {d.train[i]:.2f}; lr: "
        "0.00100; sents:  4100; bsz: 3100/3200/40; 9900/8800 tok/s; 12 sec;\n"
        + (f"[2026-05-01 11:59:59,002 INFO] valid stats calculation\n"
           f"[2026-05-01 11:59:59,003 INFO] Validation perplexity: {np.exp(d.held[i]):.4f}\n"
           if i % 8 == 7 else "") for i in range(d.n)),
        replace(of(d, every=8, units=["step"]), held=d.held[7::8]))
    d = shapes.learning(40, 404)
    yield one("estimator-evaluated", "".join(
        f"INFO:tensorflow:loss = {d.train[i]:.6f}, step = {50 * i} (0.7 sec)\n"
        + (f"INFO:tensorflow:Starting evaluation at 2026-05-01T10:{i}:00Z\nINFO:tensorflow:Saving "
           f"dict for global step {50 * i}: auc = {d.held_accuracy[i]:.5f}, global_step = {50 * i},"
           f" loss = {d.held[i]:.6f}\n" if i % 5 == 4 else "") for i in range(d.n)),
        of(d, every=5))
    d = shapes.learning(40, 405)
    yield one("tianshou", "".join(
        f"Epoch #{i + 1}: 2001it [00:09, 208.1it/s, env_step={2000 * (i + 1)}, len=98, loss/actor="
        f"{90 - i:.3f}, loss/critic={d.train[i]:.3f}, n/ep=1, rew={d.returns[i] - 40:.2f}]\n"
        f"Epoch #{i + 1}: test_reward: {d.returns[i]:.6f} ± 9.2, best_reward: "
        f"{d.returns[: i + 1].max():.6f} ± 4.0 in #{int(d.returns[: i + 1].argmax()) + 1}\n"
        for i in range(d.n)),
        scores(d.returns, None, "learning"))
    d = shapes.learning(30, 406)
    yield one("gluonts", lines(
        d.n, "100%|██████████| 20/20 [00:01<00:00, 16.1it/s, epoch={k}/30, avg_epoch_loss={t:.3g}]",
        "INFO:gluonts.trainer:Epoch[{i}] Evaluation metric 'epoch_loss'={t:.6f}", **both(d)),
        of(d, held=False))
    d = shapes.learning(40, 407)
    yield one("numbers-before-names", lines(
        d.n, "[{i}] {t:.4f} train loss, {h:.4f} val loss, {a:.3f} accuracy", **both(d)), of(d))
    d = shapes.learning(40, 427)
    yield one("per-epoch", lines(d.n, "Epoch {i}  Error per Epoch = {t:.5f}", **both(d)),
              of(d, held=False, units=["epoch"]))
    d = shapes.overfitting(40, 428)
    yield one("printed-lists", f"Epoch 40 done\ntrain_losses = {d.train.round(5).tolist()}\n"
              f"val_losses = {d.held.round(5).tolist()}\n", of(d))
    d = shapes.learning(40, 429)
    yield one("messages-in-records", "".join(json.dumps({
        "log": f"epoch {i}: loss={d.train[i]:.4f} val_loss={d.held[i]:.4f}\n",
        "stream": "stdout"}) + "\n" for i in range(d.n)), of(d, units=["epoch"]))
    d = shapes.learning(40, 408)
    yield one("numpy-repr", lines(
        d.n, "{{'epoch': {i}, 'loss': np.float32({t:.5f}), 'val_loss': np.float64({h:.5f})}}",
        **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 409, height=5000.0)
    yield one("thousands", lines(d.n, "step {k},000: elbo loss = {t:,.2f}", **both(d)),
              of(d, held=False, units=["step"]))


def _blocks() -> Iterator[Case]:
    d = shapes.overfitting(30, 411)
    yield one("coqui", "".join(
        f"\n\x1b[4m\x1b[1m > EPOCH: {i}/500\x1b[0m\n --> out/run\n\n\x1b[1m > TRAINING (2026-05-01 "
        f"10:00:00) \x1b[0m\n\n\x1b[1m   --> STEP: 9/9 -- GLOBAL_STEP: {9 * (i + 1)}\x1b[0m\n"
        f"     | > loss_mel: {0.6 * d.train[i]:.5f}  (0.1)\n     | > loss: {d.train[i]:.5f}  "
        f"({d.train[i]:.5f})\n\n\x1b[1m > EVALUATION \x1b[0m\n\n     | > loss_mel: "
        f"{0.6 * d.held[i]:.5f}  (0.2)\n     | > loss: {d.held[i]:.5f}  ({d.held[i]:.5f})\n"
        for i in range(d.n)), of(d))
    for name, seed, forms in (
        ("sections", 412, ("=== Epoch {i} ===", "--- Training ---", "loss: {t:.4f}",
                           "accuracy: {a:.3f}", "--- Validation ---", "loss: {h:.4f}",
                           "accuracy: {b:.3f}")),
        ("sections-logged", 413, (
            "2026-05-01 10:00:00 INFO Epoch {i}", "2026-05-01 10:00:01 INFO Training...",
            "2026-05-01 10:00:02 INFO loss: {t:.4f} acc: {a:.3f}",
            "2026-05-01 10:00:03 INFO Validating...",
            "2026-05-01 10:00:04 INFO loss: {h:.4f} acc: {b:.3f}")),
        ("sections-markdown", 414, (
            "## Epoch {i}", "", "### Train", "", "- loss: {t:.4f}", "", "### Valid", "",
            "- loss: {h:.4f}", "")),
        ("epoch-and-section", 415, ("Epoch {i}/30 - train", "  loss: {t:.4f}",
                                    "Epoch {i}/30 - val", "  loss: {h:.4f}")),
        ("dotted", 416, ("Epoch {i}", "  train loss ........ {t:.4f}",
                         "  val loss .......... {h:.4f}")),
        ("rows-by-data", 423, (
            "Epoch {i}", "╒═══════╤════════╕", "│ label │   loss │", "╞═══════╪════════╡",
            "│ train │ {t:.4f} │", "├───────┼────────┤", "│ validation │ {h:.4f} │",
            "╘═══════╧════════╛")),
        ("numbered-evaluations", 424, (
            "Finished Epoch[{k}]: [Training] loss = {t:.6f} * 6000, metric = 9% * 6000",
            "Finished Evaluation [{k}]: Minibatch[1-10]: loss = {h:.6f} * 1000")),
        ("data-in-brackets", 425, (
            "epoch {i}: loss (train) = {t:.4f}, loss (val) => {h:.4f}",)),
        ("one-name-for-both", 426, ("epoch {i} | loss train: {t:.4f}, val: {h:.4f} | 3 s",)),
        ("yaml-blocks", 417, ("epoch: {i}", "train:", "  loss: {t:.4f}", "val:",
                              "  loss: {h:.4f}")),
    ):
        d = shapes.overfitting(30, seed)
        yield one(name, lines(d.n, *forms, **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(22, 418)
    yield one("vowpal-wabbit", (
        "Num weight bits = 20\nlearning rate = 0.5\nusing no cache\n"
        "average  since         example        example  current  current  current\n"
        "loss     last          counter         weight    label  predict features\n")
        + "".join(f"{v:.6f} {0.9 * v:.6f} {2 ** i:14d} {2 ** i:14d}.0  {(-1) ** i:7.4f} {0.2:8.4f}"
                  f" {40 + i:8d}\n" for i, v in enumerate(d.train))
        + "\nfinished run\nnumber of examples = 3000000\n", of(d, held=False))
    d = shapes.learning(30, 419)
    yield one("ultralytics", "".join(
        "      Epoch    GPU_mem   box_loss   cls_loss   Instances       Size\n" + "".join(
            f"      {i + 1}/30      3.1G      {d.train[i] * f:.4g}      {2 * d.train[i] * f:.4g}"
            f"         90        640: {p:3}%|██| {k}/50 [00:01<00:01,  9.1it/s]{end}"
            for f, p, k, end in ((1.1, 50, 25, "\r"), (1.0, 100, 50, "\n")))
        + "                 Class     Images  Instances      Box(P          R      mAP50: 100%|██| "
        f"5/5 [00:01<00:00]\n                   all        100        500     {0.5:.3f}      "
        f"{0.4:.3f}      {d.held_accuracy[i]:.3f}\n\n" for i in range(d.n)),
        of(d, held=False, units=["epoch"]))
    seeds = shapes.learning(20, 420), shapes.lost(20, 421), shapes.learning(20, 422)
    yield one("seeds", "".join(f"----- seed {k} -----\n" + lines(
        d.n, "epoch {k} | train loss {t:.4f} | val loss {h:.4f}", **both(d))
        for k, d in enumerate(seeds)), *(of(d, units=["epoch"]) for d in seeds))


def _long() -> Iterator[Case]:
    d = shapes.overfitting(40, 431)
    yield one("comet-long", "metricName,metricValue,timestamp,step,epoch\n" + lines(
        d.n, "loss,{t:.6f},17770000{i:02}000,{k}0,{i}",
        "validate_loss,{h:.6f},17770000{i:02}500,{k}0,{i}", **both(d)), of(d))
    d = shapes.overfitting(40, 432)
    yield one("phase-column", "epoch,phase,loss,acc\n" + lines(
        d.n, "{i},train,{t:.5f},{a:.4f}", "{i},val,{h:.5f},{b:.4f}", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.learning(40, 433)
    yield one("split-and-metric", "epoch;split;metric;value\n" + lines(
        d.n, "{i};train;loss;{t:.5f}", "{i};train;acc;{a:.4f}", "{i};valid;loss;{h:.5f}",
        **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 434)
    yield one("jsonl-by-event", "".join(json.dumps(
        {"event": event, "step": 10 * i, "loss": float(values[i])}) + "\n"
        for i in range(d.n) for event, values in (("train_step", d.train), ("eval", d.held))),
        of(d, units=["step"]))
    d = shapes.learning(40, 435)
    yield one("train-and-valid", "iter\ttrain\tvalid\tbleu\n" + lines(
        d.n, "{i}00\t{t:.4f}\t{h:.4f}\t{a:.2f}", **both(d)), of(d, units=["step"]))
    d = shapes.learning(40, 436)
    yield one("held-out-alone", "epoch,val_loss,lr\n" + lines(d.n, "{i},{h:.5f},0.01", **both(d)),
              Expected(d.truth, d.held, None, ("epoch",)))
    d = shapes.overfitting(40, 437)
    yield one("held-out-alone-rises", "epoch,val_loss,lr\n" + lines(
        d.n, "{i},{h:.5f},0.01", **both(d)), Expected(d.truth, d.held, None, ("epoch",)))


def _documents() -> Iterator[Case]:
    def points(values: shapes.Floats) -> list[list[float]]:
        return [[10 * i, float(v)] for i, v in enumerate(values)]

    def lists(values: shapes.Floats, x: str, y: str) -> dict[str, list[float]]:
        return {x: [10.0 * i for i in range(len(values))], y: values.tolist()}

    d = shapes.learning(40, 441)
    named = {"train_loss": d.train, "val_loss": d.held}
    for name, content in (
        ("sacred", {k: {**lists(v, "steps", "values"), "timestamps": ["2026"] * d.n}
                    for k, v in named.items()}),
        ("clearml", {"loss": {k: {"name": k, **lists(v, "x", "y")}
                              for k, v in (("train", d.train), ("val", d.held))}}),
        ("plotly", {"data": [{"name": k, "type": "scatter", **lists(v, "x", "y")}
                             for k, v in named.items()], "layout": {"width": 400}}),
        ("lists-of-points", {k: [{"step": s, "value": v} for s, v in points(values)]
                             for k, values in named.items()}),
        ("pairs", {k: points(values) for k, values in named.items()}),
        ("mlflow-api", {"metrics": [{"key": k, "value": v, "step": s, "timestamp": 1.7e12}
                                    for k, values in named.items() for s, v in points(values)]}),
        ("columns-and-data", {"columns": ["step", "loss", "val_loss"], "index": list(range(d.n)),
                              "data": [[10 * i, float(d.train[i]), float(d.held[i])]
                                       for i in range(d.n)]}),
    ):
        yield one(name, json.dumps(content), of(d, units=["step"]))


def _files() -> Iterator[Case]:
    def files(name: str, run: Expected, content: dict[str, str], *more: Expected) -> Case:
        return Case(name, {path: text.encode() for path, text in content.items()}, (run, *more))

    d = shapes.overfitting(40, 451)
    yield files("tensorboard-csv", of(d, units=["step"]), {
        f"run-{part}-tag-epoch_loss.csv": "Wall time,Step,Value\n" + lines(
            d.n, "1777000000.{i},{i},{v:.7f}", v=values)
        for part, values in (("train", d.train), ("validation", d.held))})
    d, e = shapes.overfitting(40, 452), shapes.learning(40, 453)
    yield files("tensorboard-csv-runs", of(d, units=["step"]), {
        f"run-{run}_{part}-tag-loss.csv": "Wall time,Step,Value\n" + lines(
            d.n, "1777000000.{i},{i},{v:.7f}", v=values)
        for run, one_run in (("big", d), ("small", e))
        for part, values in (("train", one_run.train), ("val", one_run.held))},
        of(e, units=["step"]))
    d = shapes.overfitting(40, 454)
    both = (("train", d.train), ("val", d.held))
    yield files("allennlp", of(d, units=["epoch"]), {f"metrics_epoch_{i}.json": json.dumps({
        "best_epoch": min(i, 9), "epoch": i, "training_loss": float(d.train[i]),
        "validation_loss": float(d.held[i]), "best_validation_loss": 0.4,
        "training_duration": "0:01:00"}) for i in range(d.n)})
    yield files("checkpoints", of(d, units=["step"]), {
        f"checkpoint-{100 * i}/metrics.json": json.dumps({
            "loss": float(d.train[i]), "eval_loss": float(d.held[i])}) for i in range(d.n)})
    yield files("step-and-value", of(d, units=["step"]), {
        f"{part}_loss.csv": "step,value\n" + lines(d.n, "{i}0,{v:.5f}", v=values)
        for part, values in both})
    yield files("step-time-value", of(d, units=["step"]), {
        f"{part}_loss.csv": lines(d.n, "{i}.0,17770000{i:02}000,{v:.5f}", v=values)
        for part, values in both})
    yield files("one-number-a-line", of(d), {
        f"{part}_loss.txt": lines(d.n, "{v:.5f}", v=values) for part, values in both})
    yield files("lists-apart", of(d), {
        f"{part}_loss.json": json.dumps(values.tolist()) for part, values in both})
    yield files("tables-by-data", of(d, units=["epoch"]), {
        f"{part}.csv": "epoch,loss\n" + lines(d.n, "{i},{v:.5f}", v=values)
        for part, values in both})
    yield files("logs-by-data", of(d, units=["epoch"]), {
        f"log_{part}.txt": lines(d.n, "epoch {i}: loss {v:.5f}", v=values)
        for part, values in both})


def _languages() -> Iterator[Case]:
    for name, seed, form in (
        ("german", 461, "Epoche {i}/40 - Verlust: {t:.4f} - Validierungsverlust: {h:.4f}"),
        ("french", 462,
         "Époque {i} : perte d'entraînement = {t:.4f}, perte de validation = {h:.4f}"),
        ("spanish", 463, "época {i}: pérdida {t:.4f}, pérdida de validación {h:.4f}"),
        ("chinese", 464, "轮次 {i}/40，训练损失：{t:.4f}，验证损失：{h:.4f}，学习率：0.001"),
        ("russian", 465, "эпоха {i}: потери обучения = {t:.4f}, потери валидации = {h:.4f}"),
    ):
        d = shapes.learning(40, seed)
        yield one(name, lines(d.n, form, **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(40, 466)
    yield one("german-commas", lines(
        d.n, "Epoche {i}  Verlust: {t:.4f}  Genauigkeit: {a:.3f}", **both(d)).replace(".", ","),
        of(d, held=False, units=["epoch"]))
    d = shapes.learning(40, 467)
    yield one("german-table", "Epoche;Trainingsverlust;Validierungsverlust;Lernrate\r\n"
              + lines(d.n, "{k};{t:.5f};{h:.5f};0.002\r", **both(d)).replace(".", ","),
              of(d, units=["epoch"]))


def _courses() -> Iterator[Case]:
    """Losses that break off."""
    d = shapes.learning(60, 471)
    gone = np.r_[d.train[:45], np.full(15, 1.1)]
    yield one("back-to-the-start", lines(
        60, "epoch {i} loss {t:.4f} val_loss {h:.4f}", t=gone, h=gone + 0.02),
        Expected(("broken", "diverged"), gone, gone + 0.02, ("epoch",)))
    d = shapes.learning(80, 472)
    gone = np.r_[d.train[:60], d.train[59] * 1.35 ** np.arange(1, 21)]
    yield one("explodes-late", "step,loss\n" + lines(80, "{i},{t:.4f}", t=gone),
              Expected(("broken", "diverged"), gone, None, ("step",)))
    d = shapes.learning(80, 473)
    nan = np.where(np.arange(80) < 50, d.train, np.nan)
    yield one("nan-printed-as-zero", "".join(
        f"{{'loss': {0.0 if i >= 50 else d.train[i]:.4f}, 'grad_norm': "
        f"{'nan' if i >= 50 else 1.3}, 'learning_rate': 1e-05, 'epoch': {i / 40:.2f}}}\n"
        for i in range(80)), Expected(("diverged",), nan))
