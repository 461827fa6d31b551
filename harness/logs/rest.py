"""Logs of agents, of networks that play against each other, of several files, and of long words."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, Expected, of, one, scores
from harness.logs.rarer import both, lines


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _agents()
    yield from _players()
    yield from _prose()
    yield from _files()


def _agents() -> Iterator[Case]:
    d = shapes.learning(100, 901)
    g = np.random.default_rng(902)
    yield one("sac", "step,actor_loss,critic_loss,alpha,ep_reward\n" + lines(
        100, "{i}000,{x:.3f},{y:.3f},0.2,{r:.3f}", x=-d.returns, y=1 + 0.1 * d.returns,
        r=d.returns), scores(d.returns, None, "learning", ["step"]))
    yield one("solved", "".join(
        f"Episode {10 * i}\tLast length: {30 + i}\tAverage reward: {v:.2f}\n"
        for i, v in enumerate(d.returns)), scores(d.returns, None, "learning", ["episode"]))
    flat = -200 + np.zeros(80)
    yield one("never-rewarded", lines(80, "episode {i}: reward {r:.1f}, epsilon 0.{k}", r=flat),
              scores(flat, None, "not-learning", ["episode"]))
    down = np.r_[150 + 5 * g.standard_normal(50), 20 + 5 * g.standard_normal(50)]
    up = np.r_[np.linspace(0, 150, 50), down]
    yield one("forgets", "timestep,mean_return\n" + lines(150, "{i}000,{r:.2f}", r=up),
              scores(up, None, "broken", ["step"]))
    td = 0.5 * np.exp(-0.02 * np.arange(100)) + 0.3
    yield one("q-loss", lines(
        100, "it {i} | qf1_loss {t:.4f} | qf2_loss {t:.4f} | alpha 0.2 | qf1_values {r:.2f}", t=td,
        r=d.returns), Expected(("not-told-by-loss",), td, None))
    yield one("imitation", lines(
        100, "update {i}: bc_loss={t:.4f} val_bc_loss={h:.4f}", **both(d)), of(d))


def _players() -> Iterator[Case]:
    g = np.random.default_rng(911)
    gen, dis = 1.5 + 0.3 * g.standard_normal(80), 0.9 + 0.2 * g.standard_normal(80)
    for name, form in (
        ("gan-commas", "{i}: [D loss: {y:.4f}, acc.: 60.12%] [G loss: {x:.4f}]"),
        ("gan-words", "Epoch {i} | Generator loss: {x:.4f} | Discriminator loss: {y:.4f}"),
        ("gan-fake-real", "[{i}/80] errG={x:.4f} errD_real={y:.4f} errD_fake={y:.4f}"),
        ("critic", "Iter {i}: loss_gen {x:.4f} loss_critic {y:.4f} gp 0.1"),
    ):
        yield one(name, lines(80, form, x=gen, y=dis),
                  Expected(("not-told-by-loss",), gen, None))
    d = shapes.learning(60, 912)
    yield one("distillation", lines(
        60, "epoch {i}: student loss {t:.4f} (teacher acc 0.912) val loss {h:.4f}", **both(d)),
        of(d))


def _prose() -> Iterator[Case]:
    d = shapes.learning(30, 921)
    yield one("sentence", lines(
        30, "Finished epoch {k} of 30 in 12.1 seconds with a training loss of {t:.4f} and a "
        "validation loss of {h:.4f}.", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 922)
    yield one("shouting", lines(
        30, "*** EPOCH {k} *** TRAINLOSS={t:.4f} *** VALLOSS={h:.4f} ***", **both(d)),
        of(d, units=["epoch"]))
    d = shapes.learning(30, 923)
    yield one("camels", lines(
        30, "epochIndex={i};meanTrainingLoss={t:.4f};meanValidationLoss={h:.4f}", **both(d)),
        of(d))
    d = shapes.learning(30, 924)
    yield one("slashes", lines(
        30, "{i} train/val loss: {t:.4f}/{h:.4f}", **both(d)), of(d))
    d = shapes.learning(30, 925)
    yield one("tuples", lines(
        30, "epoch {i}: train (loss, acc) = ({t:.4f}, {a:.4f}), val (loss, acc) = ({h:.4f}, "
        "{b:.4f})", **both(d)), of(d, units=["epoch"]))
    d = shapes.learning(30, 926)
    yield one("xml", "<log>\n" + lines(
        30, '  <epoch n="{i}"><loss>{t:.4f}</loss><val_loss>{h:.4f}</val_loss></epoch>', **both(d))
        + "</log>\n", of(d))
    d = shapes.learning(30, 927)
    yield one("query", lines(
        30, "GET /track?epoch={i}&loss={t:.4f}&val_loss={h:.4f} HTTP/1.1 200", **both(d)), of(d))
    d = shapes.overfitting(30, 928)
    yield one("held-out-first", lines(
        30, "epoch {i} validation: loss {h:.4f} training: loss {t:.4f}", **both(d)),
        of(d, units=["epoch"]))


def _files() -> Iterator[Case]:
    d = shapes.overfitting(30, 931)
    yield Case("file-for-each-epoch", {
        f"epoch_{i:03}.json": json.dumps(
            {"train": {"loss": d.train[i]}, "val": {"loss": d.held[i]}}).encode()
        for i in range(30)}, (of(d),))
    d, e = shapes.overfitting(30, 932), shapes.learning(30, 933)
    yield Case("two-folders", {
        f"{run}/log.txt": lines(30, "epoch {i} loss {t:.4f} val_loss {h:.4f}", **both(x)).encode()
        for run, x in (("a", d), ("b", e))}, (of(d), of(e)))
