"""Logs as folders and binary files, by tool."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from harness.logs import shapes
from harness.logs.case import Case, of, scores


def cases() -> Iterator[Case]:
    """All of them."""
    d, other = shapes.learning(30, 201, height=2.0), shapes.overfitting(30, 202, height=2.0)
    yield Case("yolo-folder", {
        "exp/results.csv": _yolo(d), "exp/args.yaml": b"lr0: 0.01\nepochs: 30\n",
        "exp2/results.csv": _yolo(other), "exp2/args.yaml": b"lr0: 0.1\nepochs: 30\n",
        "exp2/weights/best.pt": b"PK\x03\x04" + b"\0" * 60},
        (of(d, units=["epoch"]), of(other, units=["epoch"])))

    gone = np.round(d.returns, 3)
    text = "Epoch\tAverageEpRet\tStdEpRet\tEpLen\tLossPi\tLossV\tTime\n" + "".join(
        f"{i}\t{r}\t9.9\t{r}\t{-0.01 * i}\t{100 + 9 * i}\t{7 * i}\n" for i, r in enumerate(gone))
    yield Case("spinningup-folder", {
        "ppo/s0/progress.txt": text.encode(), "ppo/s0/config.json": b'{"gamma": 0.99, "seed": 0}',
        "ppo/s10/progress.txt": text.encode(), "ppo/s10/config.json": b'{"gamma": 0.99}'},
        tuple(scores(gone, None, "learning|converged|plateau") for _ in range(2)))

    d = shapes.overfitting(50, 203)
    learned = [{"learn": [v], "test": [h], "iteration": i, "passed_time": 0.1, "remaining_time": 1}
               for i, (v, h) in enumerate(zip(d.train, d.held, strict=True))]
    yield Case("catboost-folder", {
        "catboost_info/catboost_training.json": json.dumps({
            "meta": {"learn_metrics": [{"best_value": "Min", "name": "RMSE"}], "test_metrics": [
                {"best_value": "Min", "name": "RMSE"}], "learn_sets": ["learn"],
                "test_sets": ["test"]}, "iterations": learned}).encode(),
        "catboost_info/learn_error.tsv": _tsv("RMSE", d.train),
        "catboost_info/test_error.tsv": _tsv("RMSE", d.held),
        "catboost_info/time_left.tsv": b"iter\tPassed\tRemaining\n0\t1\t9\n1\t2\t8\n",
        "catboost_info/learn/events.out.tfevents":
            events([(i, "RMSE", v) for i, v in enumerate(d.train)], named=False),
        "catboost_info/test/events.out.tfevents":
            events([(i, "RMSE", v) for i, v in enumerate(d.held)], named=False)}, (of(d),))

    d = shapes.learning(50, 204)
    yield Case("catboost-event-files", {
        "learn/events.out.tfevents":
            events([(i, "Logloss", v) for i, v in enumerate(d.train)], named=False),
        "test/events.out.tfevents":
            events([(i, "Logloss", v) for i, v in enumerate(d.held)], named=False)}, (of(d),))

    d = shapes.memorising(40, 205)
    yield Case("tensorboard-file", {"log": events(
        [row for i in range(d.n) for row in (
            (100 * i, "Loss/train", d.train[i]), (100 * i, "Loss/val", d.held[i]),
            (100 * i, "lr", d.rate[i]))])}, (of(d, units=["step"]),))

    d = shapes.stuck(40, 206)
    yield Case("tensorboard-keras-folder", {
        "train/events.out.tfevents.1.host.1.0.v2": events(
            [row for i in range(d.n) for row in (
                (i, "epoch_loss", d.train[i]), (i, "epoch_accuracy", d.accuracy[i]))],
            tensors=True),
        "validation/events.out.tfevents.2.host.1.1.v2": events(
            [row for i in range(d.n) for row in (
                (i, "epoch_loss", d.held[i]), (i, "epoch_accuracy", d.held_accuracy[i]))],
            tensors=True)}, (of(d, units=["step"], truth="plateau"),))

    d = shapes.learning(60, 207)
    gone = np.round(d.returns, 2)
    yield Case("cleanrl-events", {"log": events(
        [row for i in range(d.n) for row in (
            (500 * i, "charts/episodic_return", gone[i]), (500 * i, "charts/episodic_length",
                                                           gone[i]),
            (500 * i, "losses/policy_loss", -0.01), (500 * i, "losses/value_loss", 3 + 0.2 * i),
            (500 * i, "charts/SPS", 900.0))])},
        (scores(gone, None, "learning|converged|plateau", ["step"]),))

    d = shapes.overfitting(30, 208)
    yield Case("mlflow-store", {
        "mlruns/0/meta.yaml": b"name: Default\n",
        "mlruns/0/abc/metrics/train_loss": _mlflow(d.train),
        "mlruns/0/abc/metrics/val_loss": _mlflow(d.held),
        "mlruns/0/abc/params/lr": b"0.01", "mlruns/0/abc/tags/mlflow.user": b"someone"},
        (of(d, units=["step"]),))

    d = shapes.learning(40, 209)
    yield Case("dvclive-folder", {
        "dvclive/metrics.json": b'{"train": {"loss": 0.2}, "step": 39}',
        "dvclive/plots/metrics/train/loss.tsv": _steps("loss", d.train),
        "dvclive/plots/metrics/val/loss.tsv": _steps("loss", d.held)}, (of(d, units=["step"]),))

    good, bad = shapes.learning(40, 210), b"epoch,loss\n0,nan\n1,nan\n"
    yield Case("one-unusable-beside-good", {
        "a/history.csv": _history(good), "b/history.csv": bad,
        "c/history.csv": _history(shapes.flat(40, 211))},
        (of(good), of(shapes.flat(40, 211))))

    d, other = shapes.learning(40, 212), shapes.lost(30, 213)
    yield Case("folder-of-console-logs", {
        "run1.out": "".join(f"epoch {i} loss {v:.4f}\n" for i, v in enumerate(d.train)).encode(),
        "run2.out": "".join(
            f"epoch {i} loss {v:.4f}\n" for i, v in enumerate(other.train)).encode(),
        "README.md": b"# Two runs\n\nThe second one had a higher rate.\n",
        "train.py": b"import torch\n\nEPOCHS = 40\nfor epoch in range(EPOCHS):\n    loss = 0.5\n"},
        (of(d, held=False), of(other, held=False)))

    d = shapes.learning(40, 214)
    yield Case("wandb-offline", {"log": offline(
        [{"_step": i, "train/loss": float(d.train[i]), "val/loss": float(d.held[i]),
          "_timestamp": 1.7e9 + i} for i in range(d.n)])}, (of(d, units=["step"]),))

    d = shapes.overfitting(40, 215)
    yield Case("wandb-offline-folder", {
        "wandb/offline-run-1/run-1.wandb": offline(
            [{"_step": i, "epoch": i, "loss": float(d.train[i]), "val_loss": float(d.held[i])}
             for i in range(d.n)]),
        "wandb/offline-run-1/files/config.yaml": b"lr: 1\n",
        "wandb/offline-run-1/logs/debug.log": b"2026-01-01 started\n"}, (of(d),))

    d = shapes.learning(24, 216)
    yield Case("checkpoints-of-a-trainer", {
        f"out/checkpoint-{100 * k}/trainer_state.json": json.dumps({"log_history": [
            row for i in range(8 * k) for row in (
                {"loss": d.train[i], "step": 10 * (i + 1), "epoch": i / 8},
                {"eval_loss": d.held[i], "step": 10 * (i + 1), "epoch": i / 8})]}).encode()
        for k in (1, 2, 3)}, (of(d, units=["step"]),))


def _yolo(d: shapes.Drawn) -> bytes:
    names = ("epoch", "train/box_loss", "train/cls_loss", "metrics/precision", "metrics/mAP_0.5",
             "val/box_loss", "val/cls_loss", "x/lr0")
    return (",".join(f"{name:>20}" for name in names) + "\n" + "".join(
        ",".join(f"{v:>20.5g}" for v in (
            i, d.train[i], 0.5 * d.train[i], 0.6, d.held_accuracy[i], d.held[i], 0.5 * d.held[i],
            d.rate[i])) + "\n" for i in range(d.n))).encode()


def _tsv(name: str, values: Sequence[float]) -> bytes:
    return (f"iter\t{name}\n" + "".join(f"{i}\t{v}\n" for i, v in enumerate(values))).encode()


def _steps(name: str, values: Sequence[float]) -> bytes:
    return (f"step\t{name}\n" + "".join(f"{i}\t{v}\n" for i, v in enumerate(values))).encode()


def _mlflow(values: Sequence[float]) -> bytes:
    return "".join(f"{1_700_000_000_000 + i} {v} {i}\n" for i, v in enumerate(values)).encode()


def _history(d: shapes.Drawn) -> bytes:
    return ("epoch,loss,val_loss\n" + "".join(
        f"{i},{d.train[i]},{d.held[i]}\n" for i in range(d.n))).encode()


# Binary files ------------------------------------------------------------------------------------
def events(rows: Sequence[tuple[int, str, float]], *, named: bool = True, tensors: bool = False,
           ) -> bytes:
    """An event file of scalars; `named` says that it begins with its version, as most do."""
    found = [_field(3, b"brain.Event:2")] if named else []
    for step, tag, value in rows:
        held = (_field(8, b"\x08\x01\x12\x00" + _field(4, struct.pack("<f", value)))
                if tensors else b"\x15" + struct.pack("<f", value))
        found.append(b"\x09" + struct.pack("<d", 1.7e9 + step) + b"\x10" + _varint(step)
                     + _field(5, _field(1, _field(1, tag.encode()) + held)))
    made = b""
    for event in found:
        length = struct.pack("<Q", len(event))
        made += length + struct.pack("<I", _masked(length)) + event + struct.pack("<I",
                                                                                  _masked(event))
    return made


def offline(rows: Sequence[dict[str, float]]) -> bytes:
    """A W&B file: history records in a LevelDB log. Its checksums are not those of its records."""
    made = b":W&B\x00\x00\x00"
    for row in rows:
        items = b"".join(_field(1, _field(1, key.encode()) + _field(16, json.dumps(v).encode()))
                         for key, v in row.items())
        record = _field(2, items + _field(2, b"\x08" + _varint(int(row["_step"]))))
        left = 32768 - len(made) % 32768
        first = True
        while True:
            if left < 7:
                made += b"\0" * left
                left = 32768
            part, record = record[: left - 7], record[left - 7 :]
            kind = (1 if first else 4) if not record else (2 if first else 3)
            made += struct.pack("<IHB", 0, len(part), kind) + part
            left -= 7 + len(part)
            first = False
            if not record:
                break
            left = left or 32768
    return made


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    made = b""
    while value > 127:
        made += bytes([value & 127 | 128])
        value >>= 7
    return made + bytes([value])


def _masked(content: bytes) -> int:
    """The CRC-32C of some bytes, rotated and shifted as TFRecord has it (RFC 3720, appendix B.4).
    """
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
