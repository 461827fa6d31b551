"""Logs as printed lines, by tool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _by_hand()
    yield from _libraries()
    yield from _boosting()
    yield from _rivals_and_returns()


def _by_hand() -> Iterator[Case]:
    d = shapes.learning(40, 101)
    yield one("epoch-of-total", "Using device: cuda\nnr. of training examples: 60000\n"
              "FOCAL_LOSS_ALPHA: 0.25\nbatch_size=128 lr=0.001\n" + "".join(
                  f"Epoch {i + 1}/40 - loss: {d.train[i]:.4f} - val_loss: {d.held[i]:.4f}\n"
                  for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.overfitting(40, 102)
    yield one("logger-with-roles-in-its-name", "".join(
        f"2026-03-0{1 + i // 24} {i % 24:02}:10:01,123 [runs\\train.log] INFO epoch {i} train loss "
        f"{d.train[i]:.5f}\n2026-03-0{1 + i // 24} {i % 24:02}:12:44,310 [runs\\train.log] INFO "
        f"epoch {i} dev loss {d.held[i]:.5f} dev f1: {d.held_accuracy[i]:.3f}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.learning(50, 103, height=10.0)
    yield one("number-part-number", "".join(
        f"{250 * i} val {d.held[i]:.4f}\n{250 * i} hella {0.25 + 0.001 * i:.4f}\n"
        f"{250 * i} train {d.train[i]:.6f}\n" for i in range(d.n)), of(d, units=["step"]))

    d = shapes.slow(50, 104)
    yield one("nanogpt", "".join(
        f"step {250 * i}: train loss {d.train[i]:.4f}, val loss {d.held[i]:.4f}\n"
        f"iter {250 * i}: loss {d.train[i]:.4f}, time 130.25ms, mfu 11.35%\n"
        for i in range(d.n)), of(d, units=["step"]))

    d = shapes.memorising(30, 105)
    yield one("pytorch-imagenet", "".join("".join(
        f"Epoch: [{i}][{k:4}/2000]\tTime  0.21 ( 0.25)\tData  0.00 ( 0.03)\tLoss "
        f"{d.train[i]:.4e} ({d.train[i]:.4e})\tAcc@1  {100 * d.accuracy[i]:.2f} "
        f"({100 * d.accuracy[i]:6.2f})\n" for k in (0, 1000))
        + f"Test: [  0/100]\tTime  0.5 ( 0.5)\tLoss {d.held[i]:.4e} ({d.held[i]:.4e})\tAcc@1  "
        f"{100 * d.held_accuracy[i]:.2f} ({100 * d.held_accuracy[i]:6.2f})\n"
        f" * Acc@1 {100 * d.held_accuracy[i]:.3f} Acc@5 90.000\n" for i in range(d.n)),
        Expected(d.truth, np.repeat(d.train, 2), d.held))

    d = shapes.lost(30, 106)
    yield one("dict-prints", "".join(
        f"{{'epoch': {i}, 'train': {{'loss': {d.train[i]:.4f}}}, 'val': {{'loss': "
        f"{d.held[i]:.4f}}}}}\n" for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.short(5, 107)
    yield one("five-epochs", "".join(
        f"Epoch {i}: train_loss={d.train[i]:.3f} val_loss={d.held[i]:.3f}\n" for i in range(d.n)),
        of(d))

    d = shapes.flat(60, 108, height=0.6931)
    yield one("iteration-loss", "".join(
        f"Iteration {10 * i}, loss = {v:.8f}\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    folds = shapes.learning(20, 109), shapes.overfitting(20, 110), shapes.learning(20, 111)
    yield one("folds", "".join(f"===== Fold {k + 1} =====\n" + "".join(
        f"epoch {i + 1}: train loss {d.train[i]:.4f} | valid loss {d.held[i]:.4f}\n"
        for i in range(d.n)) for k, d in enumerate(folds)), *(of(d) for d in folds))

    d = shapes.learning(40, 112)
    yield one("resumed-console", "".join(
        f"[step {100 * i}] loss={v:.4f}\n" for i, v in list(enumerate(d.train))[:25])
        + "Resuming from checkpoint-2000\n" + "".join(
            f"[step {100 * i}] loss={v:.4f}\n" for i, v in list(enumerate(d.train))[20:]),
        of(d, held=False, units=["step"]))

    d = shapes.rising(60, 113)
    yield one("loss-rises", "".join(
        f"step {i}: loss {v:.4f}, gnorm 3.2\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.overfitting(9, 114, noise=0.005)
    yield one("short-overfit", "".join(
        f"Epoch [{i + 1}/9], Train Loss: {d.train[i]:.4f}, Val Loss: {d.held[i]:.4f}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.overfitting(100, 115)
    yield one("late-validation", "".join(
        f"step {50 * i} train_loss {d.train[i]:.4f}\n"
        + (f"step {50 * i} val_loss {d.held[i]:.4f}\n" if i % 20 == 19 else "")
        for i in range(d.n)), of(d, every=20, units=["step"]))


def _libraries() -> Iterator[Case]:
    d = shapes.converged(40, 121)
    yield one("keras-console", "".join(
        f"Epoch {i + 1}/40\n" + "".join(
            f"\x1b[1m{k}/8\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m0s\x1b[0m 5ms/step - accuracy: "
            f"{d.accuracy[i]:.4f} - loss: {d.train[i] * (1.1 if k < 8 else 1):.4f}"
            + ("\x08" * 60 + "\r" if k < 8 else "") for k in (1, 8))
        + f" - val_accuracy: {d.held_accuracy[i]:.4f} - val_loss: {d.held[i]:.4f}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.overfitting(35, 122)
    yield one("keras-verbose-2", "".join(
        f"Epoch {i + 1}/35\n79/79 - 2s - 26ms/step - loss: {d.train[i]:.4f} - accuracy: "
        f"{d.accuracy[i]:.4f} - val_loss: {d.held[i]:.4f} - val_accuracy: "
        f"{d.held_accuracy[i]:.4f}\n" for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.learning(40, 123)
    yield one("hf-console", "".join(
        f"{{'loss': {d.train[i]:.4f}, 'grad_norm': 2.2, 'learning_rate': {5e-5 * (1 - i / 40)}, "
        f"'epoch': {(i + 1) / 8:.2f}}}\n"
        + (f"{{'eval_loss': {d.held[i]:.4f}, 'eval_runtime': 1.1, 'eval_samples_per_second': 90.1, "
           f"'epoch': {(i + 1) / 8:.2f}}}\n" if i % 8 == 7 else "") for i in range(d.n))
        + "{'train_runtime': 122.5, 'train_loss': 0.6, 'epoch': 5.0}\n", of(d, every=8))

    d = shapes.learning(40, 124)
    yield one("lightning-bar", "".join(
        f"Epoch {i}: 100%|██████████| 118/118 [00:02<00:00, 55.1it/s, v_num=3, train_loss="
        f"{d.train[i]:.3f}, val_loss={d.held[i]:.3f}]\n" for i in range(d.n)),
        of(d, units=["epoch"]))

    d = shapes.learning(60, 125)
    yield one("detectron-console", "".join(
        f"[03/04 10:{i:02}:00 d2.utils.events]:  eta: 0:10:00  iter: {20 * i + 19}  total_loss: "
        f"{v:.4f}  loss_cls: {0.5 * v:.4f}  loss_box_reg: {0.4 * v:.4f}  time: 0.30  data_time: "
        f"0.01  lr: 0.001  max_mem: 3000M\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.learning(50, 126)
    yield one("opennmt", "".join(
        f"[2026-01-02 03:{i:02}:05,678 INFO] Step {50 * (i + 1)}/100000; acc:  "
        f"{100 * d.accuracy[i]:.2f}; ppl: {np.exp(d.train[i]):5.2f}; xent: {d.train[i]:.4f}; lr: "
        f"0.0001; 9000/8000 tok/s; {10 * i} sec\n" for i in range(d.n)),
        of(d, held=False, units=["step"]))

    d = shapes.learning(40, 127)
    yield one("swin-console", "".join(
        f"[2026-01-01 05:{i:02}:01 swin] (main.py 190): INFO Train: [{i // 4}/300]"
        f"[{i % 4 * 300}/1251]\teta 0:10:11 lr 0.000010\ttime 0.3 (0.4)\tloss {v:.4f} ({v:.4f})\t"
        f"grad_norm 2.5 (2.7)\tmem 9000MB\n" for i, v in enumerate(d.train)),
        of(d, held=False))

    d = shapes.learning(60, 128, height=9.0)
    yield one("megatron", "".join(
        f" iteration {10 * (i + 1):8}/   100000 | consumed samples: {2560 * (i + 1):12} | elapsed "
        f"time per iteration (ms): 411.2 | learning rate: 1.500E-04 | global batch size: 256 | lm "
        f"loss: {v:.6E} | loss scale: 65536.0 | grad norm: 1.2 | number of skipped iterations: 0 |"
        "\n" + ("-" * 40 + f"\n validation loss at iteration {10 * (i + 1)} | lm loss value: "
                f"{d.held[i]:.6E} | lm loss PPL: {np.exp(d.held[i]):.6E} | \n" + "-" * 40 + "\n"
                if i % 6 == 5 else "") for i, v in enumerate(d.train)),
        of(d, every=6, units=["step"]))

    d = shapes.overfitting(40, 129, height=8.0)
    yield one("fairseq", "".join(
        f"2026-01-01 00:{i:02}:09 | INFO | train | epoch {i + 1:03} | loss {d.train[i]:.3f} | "
        f"nll_loss {0.9 * d.train[i]:.3f} | ppl {2 ** d.train[i]:.2f} | wps 20000 | num_updates "
        f"{1000 * (i + 1)} | lr 0.0005 | gnorm 1.1\n"
        f"2026-01-01 00:{i:02}:30 | INFO | valid | epoch {i + 1:03} | valid on 'valid' subset | "
        f"loss {d.held[i]:.3f} | nll_loss {0.9 * d.held[i]:.3f} | ppl {2 ** d.held[i]:.2f} | "
        f"num_updates {1000 * (i + 1)}\n" for i in range(d.n)), of(d))

    d = shapes.learning(30, 130)
    yield one("espnet", "".join(
        f"[host] 2026-01-01 01:{i:02}:00,512 (trainer:338) INFO: {i + 1}epoch results: [train] "
        f"iter_time=0.01, forward_time=0.2, loss={d.train[i]:.3f}, acc={d.accuracy[i]:.3f}, "
        f"optim0_lr0=2.2e-04, train_time=3.1, [valid] loss={d.held[i]:.3f}, "
        f"acc={d.held_accuracy[i]:.3f}, time=10 seconds\n" for i in range(d.n)),
        of(d))

    d = shapes.overfitting(30, 131)
    yield one("speechbrain", "".join(
        f"epoch: {i + 1}, lr: 1.00e-03 - train loss: {d.train[i]:.2e} - valid loss: "
        f"{d.held[i]:.2e}, valid CER: {30 * d.held[i]:.2f}\n" for i in range(d.n)),
        of(d, units=["epoch"]))

    d = shapes.learning(24, 132)
    yield one("flair", "".join("".join(
        f"2026-01-01 09:00:01,100 epoch {i + 1} - iter {k}/40 - loss {d.train[i]:.8f} - time (sec)"
        f": 1.10 - samples/sec: 90.1 - lr: 0.100000\n" for k in (20, 40))
        + f"2026-01-01 09:00:09,800 EPOCH {i + 1} done: loss {d.train[i]:.4f} - lr 0.1000000\n"
        f"2026-01-01 09:00:11,200 DEV : loss {d.held[i]:.8f} - f1-score (micro avg)  "
        f"{d.held_accuracy[i]:.4f}\n" for i in range(d.n)),
        Expected(d.truth, np.repeat(d.train, 3), d.held))

    d = shapes.learning(40, 133)
    yield one("tensorflow-estimator", "".join(
        f"INFO:tensorflow:loss = {v:.6f}, step = {100 * i} (1.234 sec)\n"
        "INFO:tensorflow:global_step/sec: 81.2\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"]))

    d = shapes.stuck(60, 134)
    yield one("caffe", "".join(
        f"I0102 03:04:05.{i:06} 4321 solver.cpp:239] Iteration {100 * i} (50.1 iter/s, 2.0s/100 "
        f"iters), loss = {v:.6f}\nI0102 03:04:05.{i:06} 4321 solver.cpp:258]     Train net output "
        f"#0: accuracy = {d.accuracy[i]:.4f}\nI0102 03:04:05.{i:06} 4321 sgd_solver.cpp:112] "
        f"Iteration {100 * i}, lr = 0.01\n" for i, v in enumerate(d.train)),
        of(d, held=False, units=["step"], truth="plateau|converged"))

    d = shapes.overfitting(30, 135)
    yield one("mxnet", "".join(
        f"INFO:root:Epoch[{i}] Train-cross-entropy={d.train[i]:.6f}\nINFO:root:Epoch[{i}] Time "
        f"cost=3.141\nINFO:root:Epoch[{i}] Validation-cross-entropy={d.held[i]:.6f}\n"
        for i in range(d.n)), of(d, units=["epoch"]))

    d = shapes.learning(50, 136, height=9.0)
    yield one("marian", "".join(
        f"[2026-01-01 00:{i:02}:00] Ep. 1 : Up. {1000 * (i + 1)} : Sen. {64_000 * (i + 1):,} : "
        f"Cost {v:.8f} : Time 61.22s : 9000.1 words/s : gNorm 1.1\n"
        + (f"[2026-01-01 00:{i:02}:40] [valid] Ep. 1 : Up. {1000 * (i + 1)} : cross-entropy : "
           f"{20 * d.held[i]:.4f} : new best\n" if i % 5 == 4 else "")
        for i, v in enumerate(d.train)), of(d, held=False, units=["step"]))

    d = shapes.learning(40, 137)
    yield one("ignite", "".join(
        f"Training Results - Epoch: {i + 1}  Avg accuracy: {d.accuracy[i]:.2f} Avg loss: "
        f"{d.train[i]:.3f}\nValidation Results - Epoch: {i + 1}  Avg accuracy: "
        f"{d.held_accuracy[i]:.2f} Avg loss: {d.held[i]:.3f}\n" for i in range(d.n)),
        of(d, units=["epoch"]))

    d = shapes.learning(40, 138)
    yield one("dl4j", "".join(
        f"12:00:{i:02}.123 [main] INFO o.d.o.l.ScoreIterationListener - Score at iteration "
        f"{10 * i} is {v:.16f}\n" for i, v in enumerate(1.6 * d.train)),
        Expected(d.truth, 1.6 * d.train, None, ("step",)))

    d = shapes.learning(40, 139)
    yield one("composer", "".join(
        f"[batch={10 * (i + 1)}/4000]:\n\t Train time/batch: {10 * (i + 1) - 1}\n\t Train "
        f"loss/train/total: {v:.4f}\n\t Train trainer/device_train_microbatch_size: 8\n"
        for i, v in enumerate(d.train)), of(d, held=False))

    d = shapes.slow(40, 140)
    yield one("nnunet", "".join(
        f"2026-01-01 01:{i:02}:00.123456: Epoch {i}\n2026-01-01 01:{i:02}:01.1: Current learning "
        f"rate: 0.01\n2026-01-01 01:{i:02}:09.1: train_loss {d.train[i] - 1:.4f}\n2026-01-01 "
        f"01:{i:02}:09.2: val_loss {d.held[i] - 1:.4f}\n2026-01-01 01:{i:02}:09.3: Pseudo dice "
        f"[{d.held_accuracy[i]:.4f}]\n" for i in range(d.n)),
        Expected(d.truth, d.train - 1, d.held - 1, ("epoch",)))

    d = shapes.learning(40, 141)
    yield one("tabnet", "".join(
        f"epoch {i:<3}| loss: {v:.5f} | val_0_logloss: {d.held[i]:.5f} |  0:00:{i:02}s\n"
        for i, v in enumerate(d.train)), of(d, held=False, units=["epoch"]))

    d = shapes.learning(60, 142)
    yield one("diffusers-bar", "".join(
        f"\rSteps:  {i}%|▎         | {10 * (i + 1)}/1000 [00:10<09:00,  2.1it/s, lr=1e-5, "
        f"step_loss={v:.4f}]" for i, v in enumerate(d.train)) + "\n",
        of(d, held=False))


def _boosting() -> Iterator[Case]:
    d = shapes.overfitting(60, 151)
    yield one("xgboost-console", "".join(
        f"[{i}]\ttrain-rmse:{d.train[i]:.5f}\teval-rmse:{d.held[i]:.5f}\n" for i in range(d.n)),
        of(d))

    d = shapes.overfitting(60, 152)
    yield one("xgboost-validations", "[12:00:01] WARNING: src/learner.cc:10: Parameters: unused\n"
              + "".join(
                  f"[{i}]\tvalidation_0-logloss:{d.train[i]:.5f}\tvalidation_1-logloss:"
                  f"{d.held[i]:.5f}\n" for i in range(d.n)), of(d))

    d = shapes.overfitting(60, 153)
    yield one("lightgbm-console", "[LightGBM] [Info] Total Bins 4321\n[LightGBM] [Info] Number of "
              "data points in the train set: 1000, number of used features: 10\n"
              "Training until validation scores don't improve for 50 rounds\n" + "".join(
                  f"[{10 * (i + 1)}]\ttraining's l2: {d.train[i]:.6f}\tvalid_0's l2: "
                  f"{d.held[i]:.6f}\n" for i in range(d.n)), of(d))

    d = shapes.learning(60, 154)
    yield one("lightgbm-two-metrics", "".join(
        f"[{i + 1}]\ttrain's auc: {0.5 + 0.4 * d.accuracy[i]:.6f}\ttrain's binary_logloss: "
        f"{d.train[i]:.6f}\ttest's auc: {0.5 + 0.3 * d.accuracy[i]:.6f}\ttest's binary_logloss: "
        f"{d.held[i]:.6f}\n" for i in range(d.n)), of(d))

    d = shapes.overfitting(60, 155)
    best = np.minimum.accumulate(d.held)
    yield one("catboost-console", "Learning rate set to 0.05\n" + "".join(
        f"{i}:\tlearn: {d.train[i]:.7f}\ttest: {d.held[i]:.7f}\tbest: {best[i]:.7f} "
        f"({int(np.argmin(d.held[: i + 1]))})\ttotal: {3.1 * i:.1f}ms\tremaining: "
        f"{9 - 0.1 * i:.1f}s\n" for i in range(d.n)), of(d))

    d = shapes.learning(40, 156)
    yield one("mlp-classifier", "".join(
        f"Iteration {i + 1}, loss = {d.train[i]:.8f}\nValidation score: {d.held_accuracy[i]:.6f}\n"
        for i in range(d.n)), of(d, held=False, units=["step"]))

    d = shapes.learning(50, 157)
    yield one("fasttext", "".join(
        f"\rProgress:{2 * i:6.1f}% words/sec/thread:   12345 lr:  {0.1 * (1 - i / 50):.6f} "
        f"avg.loss:  {v:.6f} ETA:   0h 0m{50 - i:2}s" for i, v in enumerate(d.train)),
        Expected(d.truth, d.train))


def _rivals_and_returns() -> Iterator[Case]:
    g = np.random.default_rng(160)
    d_loss, g_loss = 1.2 + 0.2 * g.standard_normal(60), 2 + 0.4 * g.standard_normal(60)
    rivals = ("not-told-by-loss",)
    yield one("dcgan", "".join(
        f"[{i // 12}/5][{50 * (i % 12)}/600]\tLoss_D: {a:.4f}\tLoss_G: {b:.4f}\tD(x): 0.61\tD(G(z)"
        "): 0.31 / 0.12\n" for i, (a, b) in enumerate(zip(d_loss, g_loss, strict=True))),
        Expected(rivals, g_loss))

    yield one("cyclegan-columns", "epoch,g_loss,d_X_loss,d_Y_loss\n" + "".join(
        f"{i},{b},{a},{0.9 * a}\n" for i, (a, b) in enumerate(zip(d_loss, g_loss, strict=True))),
        Expected(rivals, g_loss))

    yield one("gan-brackets", "".join(
        f"{i} [D loss: {a:.6f}, acc.: 55.00%] [G loss: {b:.6f}]\n"
        for i, (a, b) in enumerate(zip(d_loss, g_loss, strict=True))), Expected(rivals, g_loss))

    yield one("cyclegan-log", "".join(
        f"(epoch: {1 + i // 20}, iters: {100 * (1 + i % 20)}, time: 0.212, data: 0.001) D_A: "
        f"{0.2 * a:.3f} G_A: {0.3 * b:.3f} cycle_A: 1.201 idt_A: 0.401 D_B: {0.2 * a:.3f} G_B: "
        f"{0.3 * b:.3f} cycle_B: 1.1 idt_B: 0.4\n"
        for i, (a, b) in enumerate(zip(d_loss, g_loss, strict=True))),
        Expected(rivals, 0.3 * g_loss))

    d = shapes.learning(60, 161)
    gone = np.round(d.returns, 2)
    learned = "learning|converged|plateau"
    yield one("dqn-average-score", "".join(
        f"Episode {10 * (i + 1)}\tAverage Score: {r:.2f}\n" for i, r in enumerate(gone)),
        scores(gone, None, learned))

    yield one("ml-agents", "".join(
        f"[INFO] Walker. Step: {10000 * (i + 1)}. Time Elapsed: {11 * i}.120 s. Mean Reward: "
        f"{r:.2f}. Std of Reward: 4.100. Training.\n" for i, r in enumerate(gone)),
        scores(gone, None, learned, ["step"]))

    yield one("ddpg-console", "".join(
        f"episode: {i} return: {r:.2f} pi-loss: {-0.5 * r:.3f} mu-loss: {-2.0 * i:.3f} q-loss: "
        f"{1 + 0.1 * i:.3f}\n" for i, r in enumerate(gone)), scores(gone, None, learned))

    none = np.round(-200 + 0 * gone + 3 * g.standard_normal(60), 1)
    yield one("episodes-without-success", "".join(
        f"Episode: {i}, total reward: {r}, epsilon: {0.99 ** i:.3f}, steps: 200\n"
        for i, r in enumerate(none)), scores(none, None, "not-learning"))

    yield one("policy-losses-only", "".join(
        f"update {i} policy_loss {0.02 * g.standard_normal():.5f} value_loss {3 + 0.1 * i:.3f} "
        "entropy 1.38\n" for i in range(60)), Expected(rivals, np.array([])))
