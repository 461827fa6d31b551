"""Logs as tables and documents: CSV, TSV, JSON, JSON Lines and printed tables, by tool."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _csv()
    yield from _json()
    yield from _printed()


def _csv() -> Iterator[Case]:
    d = shapes.learning(40, 1)
    yield one("keras-csv-logger", "epoch,accuracy,loss,val_accuracy,val_loss\n" + "".join(
        f"{i},{d.accuracy[i]},{d.train[i]},{d.held_accuracy[i]},{d.held[i]}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.overfitting(30, 2)
    rows = ["epoch,step,train_loss_epoch,train_loss_step,val_acc,val_loss"]
    steps, g = [], np.random.default_rng(0)
    for i in range(d.n):
        for k in range(4):
            steps.append(d.train[i] * (1 + 0.05 * g.standard_normal()))
            rows.append(f"{i},{i * 200 + 50 * k + 49},,{steps[-1]},,")
        rows.append(f"{i},{i * 200 + 199},,,{d.held_accuracy[i]},{d.held[i]}")
        rows.append(f"{i},{i * 200 + 199},{d.train[i]},,,")
    yield one("lightning-metrics", "\n".join(rows) + "\n",
              Expected(d.truth, np.array(steps), d.held, ("step",)))

    d = shapes.converged(50, 3)
    yield one("wandb-csv-export", '"Step","brisk-owl-7 - train/loss",'
              '"brisk-owl-7 - train/loss__MIN","brisk-owl-7 - train/loss__MAX"\n' + "".join(
                  f'"{10 * i}","{v}","{v}","{v}"\n' for i, v in enumerate(d.train)),
              of(d, held=False, units=["step"]))

    pair = shapes.learning(40, 4), shapes.flat(40, 5)
    yield one("wandb-csv-export-of-two-runs",
              '"Step","calm-sea-1 - loss","calm-sea-1 - loss__MIN","calm-sea-1 - loss__MAX",'
              '"dry-hill-2 - loss","dry-hill-2 - loss__MIN","dry-hill-2 - loss__MAX"\n' + "".join(
                  f'"{i}","{a}","{a}","{a}","{b}","{b}","{b}"\n'
                  for i, (a, b) in enumerate(zip(pair[0].train, pair[1].train, strict=True))),
              *(of(d, held=False, units=["step"]) for d in pair))

    d = shapes.slow(48, 6)
    yield one("tensorboard-csv", "Wall time,Step,Value\n" + "".join(
        f"{1.7e9 + 31.5 * i:.3f},{100 * i},{v}\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.memorising(40, 7)
    yield one("timm-summary", "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n" + "".join(
        f"{i},{d.train[i]},{d.held[i]},{100 * d.held_accuracy[i]:.3f},{99.0},{d.rate[i]}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.stuck(40, 8)
    yield one("accuracy-only", "epoch,acc,val_acc\n" + "".join(
        f"{i},{d.accuracy[i]},{d.held_accuracy[i]}\n" for i in range(d.n)),
        scores(d.accuracy, d.held_accuracy, "plateau", ["epoch"]))

    d = shapes.learning(40, 9)
    yield one("decimal-commas", "Epoche;Verlust;loss;val_loss\n" + "".join(
        f"{i};0,1;{d.train[i]:.5f};{d.held[i]:.5f}\n" for i in range(d.n)).replace(".", ","),
        of(d))

    d = shapes.overfitting(40, 10)
    yield one("torch7-logger", "% mean class accuracy (train set)\t% mean class accuracy (test set)"
              "\t\n" + "".join(f"{100 * d.accuracy[i]:.4e}\t{100 * d.held_accuracy[i]:.4e}\t\n"
                               for i in range(d.n)),
              scores(100 * d.accuracy, 100 * d.held_accuracy, "overfitting|learning", ["row"]))

    three = [shapes.learning(25, s) for s in (11, 12)] + [shapes.lost(24, 13)]
    yield one("seeds-in-one-table", "seed,epoch,train_loss,val_loss\n" + "".join(
        f"{seed},{i},{d.train[i]},{d.held[i]}\n" for seed, d in enumerate(three)
        for i in range(d.n)), *(of(d, units=["epoch"]) for d in three))

    d = shapes.learning(30, 14)
    again = shapes.learning(34, 15)
    yield one("restarted-csv", "epoch,loss,val_loss\n" + "".join(
        f"{i},{d.train[i]},{d.held[i]}\n" for i in range(5)) + "epoch,loss,val_loss\n" + "".join(
            f"{i},{again.train[i]},{again.held[i]}\n" for i in range(again.n)),
        of(again, units=["epoch"]))

    d = shapes.learning(36, 16)
    rows = [f"{140_749 + 250 * i},{v}\n" for i, v in enumerate(0.4 * d.train + 0.3)]
    yield one("resumed-far-on", "step,loss\n" + "".join(rows),
              Expected(("learning",), 0.4 * d.train + 0.3, None, ("step",)))

    d = shapes.overfitting(45, 17, height=2.0)
    yield one("fastai-csv", "epoch,train_loss,valid_loss,accuracy,time\n" + "".join(
        f"{i},{d.train[i]},{d.held[i]},{d.held_accuracy[i]},00:{10 + i % 7}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.learning(40, 18)
    yield one("rllib-progress", "episode_reward_max,episode_reward_min,episode_reward_mean,"
              "episode_len_mean,timesteps_total,training_iteration,"
              "info/learner/default_policy/policy_loss,info/learner/default_policy/vf_loss,"
              "info/learner/default_policy/kl,time_total_s\n" + "".join(
                  f"{r + 9:.2f},{r - 9:.2f},{r:.3f},{r:.1f},{4000 * i + 4000},{i + 1},"
                  f"{-0.02 + 0.001 * (i % 5)},{3 + 0.1 * i},0.01,{8.1 * i:.2f}\n"
                  for i, r in enumerate(np.round(d.returns, 3))),
              scores(np.round(d.returns, 3), None, "learning|converged|plateau"))

    g = np.random.default_rng(19)
    none = np.round(20 + 4 * g.standard_normal(60), 2)
    yield one("sb3-progress", "time/iterations,rollout/ep_rew_mean,rollout/ep_len_mean,"
              "time/total_timesteps,train/loss,train/value_loss,train/policy_gradient_loss,"
              "train/entropy_loss,train/learning_rate\n" + "".join(
                  f"{i + 1},{r},{r},{2048 * (i + 1)},{5 + 0.3 * i + i % 3},{9 + 0.5 * i + i % 4},"
                  f"-0.01,-0.6,0.0003\n" for i, r in enumerate(none)),
              scores(none, None, "not-learning"))

    d = shapes.learning(50, 20)
    pi = -0.01 - 60 * (1 - d.train)
    yield one("spinningup-progress", "Epoch\tAverageEpRet\tStdEpRet\tMaxEpRet\tMinEpRet\tEpLen\t"
              "TotalEnvInteracts\tLossPi\tLossQ\tTime\n" + "".join(
                  f"{i}\t{r}\t{r / 9:.2f}\t{r * 1.2:.2f}\t{r * 0.7:.2f}\t{r}\t{4000 * (i + 1)}\t"
                  f"{pi[i]:.4f}\t{2 + 0.05 * i}\t{7.7 * i:.1f}\n"
                  for i, r in enumerate(np.round(d.returns, 3))),
              scores(np.round(d.returns, 3), None, "learning|converged|plateau", ["epoch", "step"]))


def _json() -> Iterator[Case]:
    d = shapes.memorising(40, 21)
    yield one("keras-history", json.dumps({
        "accuracy": d.accuracy.tolist(), "loss": d.train.tolist(),
        "val_accuracy": d.held_accuracy.tolist(), "val_loss": d.held.tolist()}), of(d))

    d = shapes.learning(48, 22)
    logged: list[dict[str, float]] = []
    for i in range(d.n):
        logged.append({"epoch": (i + 1) / 8, "grad_norm": 1.1, "learning_rate": d.rate[i],
                       "loss": round(d.train[i], 4), "step": 10 * (i + 1)})
        if i % 8 == 7:
            logged.append({"epoch": (i + 1) / 8, "eval_loss": d.held[i], "eval_runtime": 2.2,
                           "eval_samples_per_second": 431.0, "step": 10 * (i + 1)})
    logged.append({"epoch": 6.0, "step": 480, "total_flos": 1e12, "train_loss": 0.51,
                   "train_runtime": 99.0})
    yield one("hf-trainer-state", json.dumps({
        "best_metric": None, "epoch": 6.0, "global_step": 480, "log_history": logged}, indent=2),
        of(d, every=8, units=["step"]))

    d = shapes.learning(60, 23)
    yield one("llama-factory-log", "".join(json.dumps({
        "current_steps": 5 * (i + 1), "total_steps": 300, "loss": round(v, 4), "lr": 5e-5,
        "epoch": round(i / 20, 2), "percentage": 1.6 * i, "elapsed_time": "0:01:02",
        "remaining_time": "1:00:00"}) + "\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.converged(50, 24)
    yield one("detectron-metrics", "".join(json.dumps({
        "data_time": 0.01, "eta_seconds": 100.0 - i, "iteration": 20 * i + 19, "loss_box_reg":
        0.3 * v, "loss_cls": 0.5 * v, "loss_rpn_cls": 0.2 * v, "lr": 0.02, "time": 0.3,
        "total_loss": v}) + "\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.learning(30, 25, height=9.0)
    yield one("detr-log", "".join(json.dumps({
        "train_lr": 1e-4, "train_class_error": 30.0, "train_loss": v, "train_loss_ce": 0.2 * v,
        "train_loss_bbox": 0.5 * v, "train_loss_ce_unscaled": 0.2 * v, "test_class_error": 31.0,
        "test_loss": h, "test_loss_ce": 0.2 * h, "test_coco_eval_bbox": [0.1, 0.2, 0.3],
        "epoch": i, "n_parameters": 41_000_000}) + "\n"
        for i, (v, h) in enumerate(zip(d.train, d.held, strict=True))), of(d, units=["epoch"]))

    d = shapes.learning(40, 26)
    yield one("mmengine-scalars", "".join(
        json.dumps({"lr": 0.01, "data_time": 0.02, "loss": v, "loss_cls": 0.6 * v, "loss_bbox":
                    0.4 * v, "time": 0.2, "epoch": i // 10 + 1, "iter": 50 * (i + 1),
                    "memory": 3000, "step": 50 * (i + 1)}) + "\n"
        + (json.dumps({"coco/bbox_mAP": 0.1 + 0.001 * i, "step": i // 10 + 1}) + "\n"
           if i % 10 == 9 else "")
        for i, v in enumerate(d.train)), of(d, held=False))

    d = shapes.overfitting(60, 27)
    yield one("catboost-json", json.dumps({
        "meta": {"test_sets": ["test"], "test_metrics": [{"best_value": "Min", "name": "Logloss"}],
                 "learn_metrics": [{"best_value": "Min", "name": "Logloss"}],
                 "launch_mode": "Train",
                 "parameters": "", "iteration_count": 60, "learn_sets": ["learn"], "name": "exp"},
        "iterations": [{"learn": [v], "iteration": i, "passed_time": 0.1 * i, "remaining_time":
                        9 - 0.1 * i, "test": [h]}
                       for i, (v, h) in enumerate(zip(d.train, d.held, strict=True))]}), of(d))

    d = shapes.overfitting(60, 28)
    yield one("lightgbm-evals-result", json.dumps({
        "training": {"binary_logloss": d.train.tolist()},
        "valid_1": {"binary_logloss": d.held.tolist()}}), of(d))

    d = shapes.learning(60, 29)
    yield one("xgboost-evals-result", json.dumps({
        "validation_0": {"rmse": d.train.tolist()}, "validation_1": {"rmse": d.held.tolist()}}),
        of(d))

    pair = shapes.learning(30, 30), shapes.overfitting(30, 31)
    yield one("runs-in-one-document", json.dumps({
        name: {"loss": d.train.tolist(), "val_loss": d.held.tolist()}
        for name, d in zip(("adam", "sgd"), pair, strict=True)}), *(of(d) for d in pair))

    d = shapes.learning(40, 32)
    yield one("all-scalars", json.dumps({
        f"./runs/exp/{tag}": [[1.7e9 + i, 100 * i, float(v)] for i, v in enumerate(values)]
        for tag, values in (("Loss/train", d.train), ("Loss/val", d.held), ("lr", d.rate),
                            ("Accuracy/val", d.held_accuracy))}), of(d, units=["step"]))

    d = shapes.stuck(40, 33)
    yield one("chainer-log", json.dumps([
        {"main/loss": d.train[i], "validation/main/loss": d.held[i], "main/accuracy":
         d.accuracy[i], "validation/main/accuracy": d.held_accuracy[i], "epoch": i + 1,
         "iteration": 600 * (i + 1), "elapsed_time": 3.3 * i} for i in range(d.n)], indent=4),
        of(d, truth="plateau"))

    d = shapes.learning(40, 34)
    yield one("trl-grpo-log", "".join(json.dumps({
        "loss": round(0.0004 * (i % 5), 4), "grad_norm": 0.3, "learning_rate": 1e-6,
        "reward": round(float(r) / 100, 4), "reward_std": 0.2, "kl": 0.0004 * i,
        "completion_length": 180.0, "epoch": 0.1 * i, "step": i + 1}) + "\n"
        for i, r in enumerate(d.returns)),
        scores(np.round(d.returns / 100, 4), None, "learning|converged|plateau", ["step"]))


def _printed() -> Iterator[Case]:
    d = shapes.overfitting(30, 35)
    yield one("fastai-table", "epoch     train_loss  valid_loss  accuracy  time    \n" + "".join(
        f"{i:<9} {d.train[i]:.6f}    {d.held[i]:.6f}    {d.held_accuracy[i]:.6f}  00:{14 + i % 3}"
        "     \n" for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.learning(30, 36)
    yield one("skorch-table", "  epoch    train_loss    valid_acc    valid_loss     dur\n"
              "-------  ------------  -----------  ------------  ------\n" + "".join(
                  f"{i + 1:7}        \x1b[36m{d.train[i]:.4f}\x1b[0m       "
                  f"\x1b[32m{d.held_accuracy[i]:.4f}\x1b[0m        "
                  f"\x1b[35m{d.held[i]:.4f}\x1b[0m  0.0412\n" for i in range(d.n)),
              of(d, units=["epoch"]))

    d = shapes.overfitting(24, 37)
    yield one("markdown-table", "| Epoch | Training Loss | Validation Loss |\n"
              "|:-----:|--------------:|----------------:|\n" + "".join(
                  f"| {i + 1} | {d.train[i]:.4f} | {d.held[i]:.4f} |\n" for i in range(d.n)),
              of(d, units=["epoch"]))

    d = shapes.learning(30, 38)
    yield one("notebook-progress", "Step\tTraining Loss\tValidation Loss\n" + "".join(
        f"{500 * (i + 1)}\t{d.train[i]:.6f}\t{d.held[i]:.6f}\n" for i in range(d.n)),
        of(d, units=["step"]))

    d = shapes.learning(30, 39)
    yield one("matlab-table", "|" + "=" * 70 + "|\n|  Epoch  |  Iteration  |  Time Elapsed  |  "
              "Mini-batch  |  Mini-batch  |  Base Learning  |\n|         |             |   "
              "(hh:mm:ss)   |   Accuracy   |     Loss     |      Rate       |\n|" + "=" * 70 + "|\n"
              + "".join(
                  f"| {i + 1:7} | {50 * (i + 1):11} |       00:00:{i % 60:02} | "
                  f"{100 * d.accuracy[i]:11.2f}% | {d.train[i]:12.4f} | {0.01:15.4f} |\n"
                  for i in range(d.n)) + "|" + "=" * 70 + "|\n", of(d, held=False))

    d = shapes.learning(40, 40)
    gone = np.round(d.returns, 1)
    yield one("sb3-console", "".join(
        "-" * 33 + f"\n| rollout/           |          |\n|    ep_len_mean     | {r:<8} |\n"
        f"|    ep_rew_mean     | {r:<8} |\n| time/              |          |\n"
        f"|    fps             | 900      |\n|    iterations      | {i + 1:<8} |\n"
        f"|    total_timesteps | {2048 * (i + 1):<8} |\n| train/             |          |\n"
        f"|    approx_kl       | 0.01     |\n|    loss            | {4 + 0.2 * i:<8.3} |\n"
        f"|    policy_gradient_loss | -0.01 |\n|    value_loss      | {9 + 0.9 * i:<8.3} |\n"
        + "-" * 33 + "\n" for i, r in enumerate(gone)),
        scores(gone, None, "learning|converged|plateau"))

    d = shapes.stuck(40, 41)
    yield one("spacy-table", "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE \n"
              "---  ------  ------------  --------  ------  ------  ------  ------\n" + "".join(
                  f"{i // 4:3}  {200 * i:6}  {30 * v:12.2f}  {90 * v:8.2f}  {60 - 40 * v:6.2f}  "
                  f"{61 - 40 * v:6.2f}  {59 - 40 * v:6.2f}  {0.6 - 0.4 * v:6.2f}\n"
                  for i, v in enumerate(d.train)),
              Expected(("plateau", "converged"), np.round(90 * d.train, 2)))

    d = shapes.learning(40, 42)
    yield one("gradient-boosting-table", "      Iter       Train Loss   Remaining Time \n"
              + "".join(
        f"{i + 1:10} {v:16.4f} {40 - i:15.2f}s\n" for i, v in enumerate(d.train)),
        of(d, held=False))

    d = shapes.learning(60, 43)
    yield one("yolo-console", "".join(
        "\n      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        f"     {i + 1:3}/60      2.61G    {v:7.4f}    {2 * v:7.4f}    {0.9 + 0.3 * v:7.4f}"
        "         11        640: 100%|##########| 8/8 [00:01<00:00,  5.1it/s]\n"
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95)"
        ": 100%|##########| 4/4 [00:00<00:00,  6.1it/s]\n"
        f"                   all        128        929      0.6      0.5      {0.8 - 0.5 * v:.3f}"
        "      0.4\n" for i, v in enumerate(d.train)),
        Expected(("learning",), np.round(d.train, 4)))
