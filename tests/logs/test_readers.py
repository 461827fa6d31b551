"""Every reader on what the real tool wrote (tests/data/logs/make.py) and on printed text."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.logs.folders import events
from unstuck.curves.outcome import judge
from unstuck.judge.engine import diagnose
from unstuck.logs.read import records
from unstuck.logs.roles import Choice
from unstuck.reading import Unusable
from unstuck.record.reader import Record, RecordWriter
from unstuck.schema.facts.run import Log
from unstuck.schema.findings import Absent, OutcomeKind
from unstuck.schema.signals.losses import HELD_OUT_LOSS, LEARNING_RATE, METRIC, TRAIN_LOSS

LOGS = Path(__file__).parent.parent / "data" / "logs"

# file: format, train, held-out, axis, unit, points, held-out points, rate, metrics
WRITTEN = {
    "keras_csv_logger.csv": ("CSV", "loss", "val_loss", "epoch", "epoch", 40, 40, None, 2),
    "keras_history.json": (
        "JSON, lists by name", "loss", "val_loss", "row", "row", 40, 40, "learning_rate", 2),
    "keras_console.txt": (
        "console text", "loss", "val_loss", "Epoch", "epoch", 40, 40, "learning_rate", 2),
    "keras_console_verbose_2.txt": (
        "console text", "loss", "val_loss", "Epoch", "epoch", 35, 35, None, 2),
    "lightning_metrics.csv": (
        "CSV", "train_loss_step", "val_loss", "step", "step", 80, 20, "lr-Adam", 2),
    "trainer_state.json": (
        "Hugging Face trainer state", "loss", "eval_loss", "step", "step", 64, 20,
        "learning_rate", 1),
    "transformers_console.txt": (
        "console text", "loss", "eval_loss", "row", "row", 64, 20, "learning_rate", 1),
    "tqdm_console.txt": ("console text", "loss", "val_loss", "Epoch", "epoch", 40, 40, None, 0),
    "tensorboard": (
        "TensorBoard events", "Loss/train", "Loss/val", "step", "step", 160, 20, "lr", 1),
    "offline.wandb": (
        "Weights & Biases offline run", "train/loss", "val/loss", "_step", "step", 40, 20, "lr",
        1),
    "mlruns": (
        "MLflow metrics", "train_loss", "val/loss", "step", "step", 40, 40, "learning_rate", 1),
}


def read(path: Path, choice: Choice = Choice()) -> Record:  # noqa: B008
    (record,) = records(path, choice)
    return record


def of_text(tmp_path: Path, text: str | bytes, choice: Choice = Choice()) -> Record:  # noqa: B008
    file = tmp_path / "log"  # no reader knows a file by its name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file, choice)


def train(record: Record) -> list[tuple[int, float]]:
    series = record.series(TRAIN_LOSS)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def held(record: Record) -> list[tuple[int, float]]:
    series = record.series(HELD_OUT_LOSS)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


# Written by the tools ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_tool_wrote_is_read_as_it_meant_it(name: str) -> None:
    form, loss, other, axis, unit, points, rarer, rate, metrics = WRITTEN[name]
    record = read(LOGS / name)
    log = record.fact(Log)
    assert log is not None
    assert (log.format, log.train, log.held_out, log.axis, log.unit) == (
        form, loss, other, axis, unit)
    assert len(record.series(TRAIN_LOSS)) == points
    assert len(record.series(HELD_OUT_LOSS)) == rarer
    assert record.measured(METRIC) == bool(metrics)
    if metrics:
        assert len(record.series(METRIC)) == metrics
    assert record.measured(LEARNING_RATE) == (rate is not None)
    if rate:
        assert list(record.series(LEARNING_RATE)) == [rate]
    assert record.oddities == ()
    assert np.all(np.diff(record.series(TRAIN_LOSS).steps) > 0)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_healthy_training_is_not_accused(name: str) -> None:
    diagnosis = diagnose(read(LOGS / name))
    assert not diagnosis.counted()
    assert diagnosis.outcome.kind in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED)
    absent = {slug for slug, verdict in diagnosis.verdicts if isinstance(verdict, Absent)}
    assert absent <= {"non-finite-loss"} | {"too-few-steps", "overfitting"}
    for slug, unknown in diagnosis.not_assessed():
        assert unknown.needs, slug


def test_two_readers_read_the_same_training_alike() -> None:
    logger, history = read(LOGS / "keras_csv_logger.csv"), read(LOGS / "keras_history.json")
    console = read(LOGS / "keras_console.txt")
    for signal in (TRAIN_LOSS, HELD_OUT_LOSS):
        known = logger.series(signal).values
        assert np.allclose(history.series(signal).values, known)
        assert np.allclose(console.series(signal).values, known, atol=1e-3)
    offline, mlflow = read(LOGS / "offline.wandb"), read(LOGS / "mlruns")
    assert np.allclose(offline.series(TRAIN_LOSS).values, mlflow.series(TRAIN_LOSS).values)


def test_the_same_file_gives_the_same_record() -> None:
    first, again = read(LOGS / "trainer_state.json"), read(LOGS / "trainer_state.json")
    assert first.id == again.id
    assert first.id != read(LOGS / "lightning_metrics.csv").id


def test_event_files_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tensorboard", "google", "wandb"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("tensorboard", "google.protobuf", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(train(read(LOGS / "tensorboard"))) == 160
    assert len(train(read(LOGS / "offline.wandb"))) == 40


def test_an_event_file_counts_up_to_its_first_spoilt_record(tmp_path: Path) -> None:
    rows = [(step, "loss", 1 / (1 + step)) for step in range(20)]
    whole = events(rows)
    for spoilt in (whole[:-7], whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]):
        record = of_text(tmp_path, spoilt)
        assert [step for step, _ in train(record)] == list(range(19))
    with pytest.raises(Unusable, match="holds no scalars"):
        of_text(tmp_path, events([]))


def test_scalars_kept_as_tensors_are_read(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(tmp_path))
    for step in range(5):
        for tag, content in (("epoch_loss", np.float32(1 / (1 + step))), ("note", b"text"),
                             ("weights", np.ones(3, dtype=np.float32))):
            value = Summary.Value(tag=tag, tensor=make_tensor_proto(content))
            writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()
    assert [step for step, _ in train(read(tmp_path))] == [0, 1, 2, 3, 4]


def test_parts_of_one_run_in_folders_of_their_own_are_joined(tmp_path: Path) -> None:
    (event_file,) = (LOGS / "tensorboard").iterdir()
    for folder in ("train", "validation"):
        (tmp_path / "run" / folder).mkdir(parents=True)
        (tmp_path / "run" / folder / "events").write_bytes(event_file.read_bytes())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "events").write_bytes(event_file.read_bytes())
    runs = [record.fact(Log) for record in records(tmp_path)]
    assert [Path(log.file).name for log in runs if log] == ["other", "run"]
    assert runs[1] is not None
    assert runs[1].train == "train/Loss/train"


# Printed text ------------------------------------------------------------------------------------
def test_lines_of_a_small_language_model(tmp_path: Path) -> None:
    record = of_text(tmp_path, (
        "number of parameters: 10.65M\nstep 0: train loss 4.28, val loss 4.29\n"
        "iter 0: loss 4.26, time 40562.33ms, mfu -100.00%\n"
        "iter 10: loss 3.2e0, time 48.16ms, mfu 0.77%\niter 20: loss 2.7, time 48ms, mfu 0.8%\n"
        "step 20: train loss 2.6, val loss 2.65\niter 30: loss nan, time 5ms, mfu 0.8%\n"))
    assert train(record)[:-1] == [(0, 4.26), (10, 3.2), (20, 2.7)]
    assert np.isnan(train(record)[-1][1])
    assert held(record) == [(0, 4.29), (20, 2.65)]


def test_epochs_of_batches_with_a_test_after_each(tmp_path: Path) -> None:
    record = of_text(tmp_path, (
        "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.3\nTrain Epoch: 1 [640/60000 (1%)]\tLoss: 2.1\n"
        "\nTest set: Average loss: 1.65, Accuracy: 5829/10000 (58%)\n\n"
        "Train Epoch: 2 [0/60000 (0%)]\tLoss: 1.5\nTrain Epoch: 2 [640/60000 (1%)]\tLoss: 1.3\n"
        "\nTest set: Average loss: 0.65, Accuracy: 8829/10000 (88%)\n"))
    assert [value for _, value in train(record)] == [2.3, 2.1, 1.5, 1.3]
    assert [value for _, value in held(record)] == [1.65, 0.65]
    assert record.series(METRIC)["test Accuracy"].values.tolist() == [0.5829, 0.8829]


@pytest.mark.parametrize(("lines", "losses", "others"), [
    ("train Loss: 0.6 Acc: 0.7\nval Loss: 0.5 Acc: 0.8\n" * 3, [0.6] * 3, [0.5] * 3),
    ("epoch 1/50 loss: 0.42 val_loss: 0.57\nepoch 2/50 loss: 4e-1 val_loss: inf\n",
     [0.42, 0.4], [0.57, np.inf]),
    ("{'train': {'loss': 0.5}, 'val': {'loss': 0.6}}\n" * 3, [0.5] * 3, [0.6] * 3),
    ("\x1b[32mINFO\x1b[0m epoch=1 | loss=\x1b[1m0.5\x1b[0m | valid loss=0.6\n", [0.5], [0.6]),
    ("2024-01-01 12:00:00,123 - INFO - epoch=1 train_loss=0.9 val_loss=nan lr=1e-3\n", [0.9],
     [np.nan]),
    ("loss: 2.30  [  64/600]\nloss: 2.29  [ 128/600]\nTest Error: \n Accuracy: 3%, Avg loss: 2.1\n",
     [2.30, 2.29], [2.1]),
    ("step 1 loss tensor(0.5, device='cuda:0')\nstep 2 loss tensor(0.4)\n", [0.5, 0.4], None),
])
def test_ways_to_print(
    tmp_path: Path, lines: str, losses: list[float], others: list[float] | None,
) -> None:
    record = of_text(tmp_path, lines)
    assert record.series(TRAIN_LOSS).values.tolist() == losses
    if others is not None:
        assert np.array_equal(record.series(HELD_OUT_LOSS).values, others, equal_nan=True)


@pytest.mark.parametrize("text", [
    "Cost after iteration 0: 0.9\nCost after iteration 100: 0.8\n", "0: 0.9\n100: 0.8\n",
    "Loss at step 0 : 0.9\nLoss at step 100 : 0.8\n", "   0/ 200: 0.9\n 100/ 200: 0.8\n",
    "step 0 | loss | 0.9\nstep 100 | loss | 0.8\n",
])
def test_counters_are_no_losses(tmp_path: Path, text: str) -> None:
    assert train(of_text(tmp_path, text)) == [(0, 0.9), (100, 0.8)]


def test_a_number_that_was_cut_does_not_count(tmp_path: Path) -> None:
    assert train(of_text(tmp_path, "step 1: loss 0.9\nstep 2: loss 0.8\nstep 3: loss 0.")) == [
        (1, 0.9), (2, 0.8)]
    assert train(of_text(tmp_path, "step,loss,lr\n1,0.9,1\n2,0.8,1\n3,0.")) == [
        (1, 0.9), (2, 0.8)]
    assert train(of_text(tmp_path, "step,loss\n1,0.9\n2,0.8")) == [(1, 0.9), (2, 0.8)]


def test_one_bar_over_all_steps_is_read_state_by_state(tmp_path: Path) -> None:
    bar = "".join(f"\r{i}%|###| {i}/50 [00:00<00:01, 9.1it/s, loss={1 / i:.3f}]"
                  for i in range(1, 51))
    assert len(train(of_text(tmp_path, bar + "\n"))) == 50


# Tables and documents ----------------------------------------------------------------------------
@pytest.mark.parametrize("text", [
    "step;loss\n1;0,9\n2;0,8\n", "step\tloss\r\n1\t0.9\r\n2\t0.8\r\n", "step loss\n1 .9\n2 .8\n",
    "# step loss\n1 9e-1\n2 8e-1\n", '"step","loss"\n"1","0.9"\n"2","0.8"\n',
    "\ufeffstep,loss\n1,0.9\n2,0.8\n", "step,note,loss\n1,ok,0.9\n2,,0.8\n",
    "step,loss\n1,0.9\nstep,loss\n2,0.8\n", "step|loss\n1|0.9\n2|0.8\n",
    '[{"step": 1, "loss": 0.9}, {"step": 2, "loss": "0.8"}]',
    '{"a": {"b": [{"step": 1, "loss": 0.9, "c": null}, {"step": 2, "loss": 0.8}]}}',
    '{"step": 1, "loss": 0.9}\n{"step": 2, "loss": 0.8}\n{"step": 3, "lo',
    "step,loss\n1,0.9\n2,0.8\n".encode("utf-16"),
    b"step,loss,n\xe9\n1,0.9,1\n2,0.8,1\n",
])
def test_dialects(tmp_path: Path, text: str | bytes) -> None:
    assert train(of_text(tmp_path, text)) == [(1, 0.9), (2, 0.8)]


def test_lists_by_name_with_gaps(tmp_path: Path) -> None:
    history = {"h": {"loss": [1.0, 0.9, "nan", 0.7], "val_loss": [None, 1.1, None, 1.0]}}
    record = of_text(tmp_path, json.dumps(history))
    assert [step for step, _ in train(record)] == [0, 1, 2, 3]
    assert np.isnan(train(record)[2][1])
    assert held(record) == [(1, 1.1), (3, 1.0)]


def test_a_curve_downloaded_from_tensorboard(tmp_path: Path) -> None:
    record = of_text(tmp_path, "[[1600.5, 10, 0.9], [1601.5, 20, 0.8]]")
    assert train(record) == [(10, 0.9), (20, 0.8)]
    assert train(of_text(tmp_path, "Wall time,Step,Value\n1600000000.5,10,0.9\n1600000001,20,0.8")
                 ) == [(10, 0.9), (20, 0.8)]


@pytest.mark.parametrize("text", [
    "step,tag,value\n1,loss,0.9\n1,val_loss,1.0\n2,loss,0.8\n2,acc,0.5\n",
    """{"name": "loss", "value": 0.9, "step": 1}\n{"name": "val_loss", "value": 1.0, "step": 1}
    {"name": "loss", "value": 0.8, "step": 2}\n{"name": "acc", "value": 0.5, "step": 2}""",
])
def test_a_row_for_each_number(tmp_path: Path, text: str) -> None:
    record = of_text(tmp_path, text)
    assert train(record) == [(1, 0.9), (2, 0.8)]
    assert held(record) == [(1, 1.0)]


def test_a_table_without_header(tmp_path: Path) -> None:
    assert train(of_text(tmp_path, "0.9\n0.8\n0.7\n")) == [(0, 0.9), (1, 0.8), (2, 0.7)]
    with pytest.raises(Unusable, match="--train COLUMN"):
        of_text(tmp_path, "0 0.9 0.95\n1 0.8 0.85\n")
    chosen = of_text(tmp_path, "0 0.9 0.95\n1 0.8 0.85\n", Choice("column 2", "column 3"))
    assert held(chosen) == [(0, 0.95), (1, 0.85)]


# What a loss does not tell -----------------------------------------------------------------------
@pytest.mark.parametrize("names", [
    "g_loss,d_loss", "g_loss,d_X_loss", "Loss_G,Loss_D", "gen_loss,disc_loss", "G_A,D_A",
    "loss_generator,loss_critic", "train/g_loss,train/d_loss",
])
def test_the_losses_of_rivals_tell_nothing(tmp_path: Path, names: str) -> None:
    rows = "".join(f"{2 + 0.1 * (i % 3)},{1 - i / 100}\n" for i in range(40))
    record = of_text(tmp_path, f"{names}\n{rows}")
    assert judge(record).kind is OutcomeKind.NOT_TOLD
    assert [value for _, value in train(record)[:3]] == pytest.approx([2, 2.1, 2.2])


def test_a_policy_loss_is_no_train_loss(tmp_path: Path) -> None:
    rows = [(i, -0.02 + 0.01 * (i % 4), 9 + i, 20 + 3 * i) for i in range(40)]
    alone = "".join(f"{i},{p},{v}\n" for i, p, v, _ in rows)
    record = of_text(tmp_path, f"update,policy_loss,value_loss\n{alone}")
    assert judge(record).kind is OutcomeKind.NOT_TOLD
    both = "".join(f"{i},{p},{v},{r}\n" for i, p, v, r in rows)
    record = of_text(tmp_path, f"update,policy_loss,value_loss,episode_reward_mean\n{both}")
    log = record.fact(Log)
    assert log is not None
    assert (log.train, log.higher_is_better, log.best) == ("episode_reward_mean", True, None)
    assert judge(record).says == (
        "The score rose from 24.5 to 126 and is still rising, from 110 in the last quarter of the "
        "run.")


def test_rewards_of_pairs_of_texts_are_no_returns(tmp_path: Path) -> None:
    rows = "".join(f"{i},{0.69 - i / 100},{i / 50},{0.5 + i / 100}\n" for i in range(40))
    record = of_text(tmp_path, f"step,loss,rewards/margins,rewards/accuracies\n{rows}")
    log = record.fact(Log)
    assert log is not None
    assert log.train == "loss"


# Several runs ------------------------------------------------------------------------------------
def runs(tmp_path: Path, text: str) -> list[tuple[str, int]]:
    file = tmp_path / "log"
    file.write_text(text)
    found = []
    for record in records(file):
        log = record.fact(Log)
        assert log is not None
        found.append((log.file.removeprefix(f"{file}").strip(" ()"), len(train(record))))
    return found


def test_runs_one_after_another(tmp_path: Path) -> None:
    run = "".join(f"step {i} loss {1 / (1 + i):.4f}\n" for i in range(20))
    assert runs(tmp_path, run * 3) == [("run 1 of 3", 20), ("run 2 of 3", 20), ("run 3 of 3", 20)]
    given_up = "".join(run.splitlines(keepends=True)[:3])
    assert runs(tmp_path, given_up + run + run) == [("run 1 of 2", 20), ("run 2 of 2", 20)]
    assert runs(tmp_path, given_up + run) == [("", 20)]


@pytest.mark.parametrize("column", ["seed", "fold", "run_id", "trial"])
def test_a_column_names_the_runs(tmp_path: Path, column: str) -> None:
    rows = "".join(f"{i},{name},{1 / (1 + i)}\n" for i in range(9) for name in ("a", "b"))
    assert runs(tmp_path, f"epoch,{column},loss\n{rows}") == [("a", 9), ("b", 9)]
    rows = "".join(f"{i},{k},{1 / (1 + i)}\n" for k in (3, 4) for i in range(9))
    assert runs(tmp_path, f"epoch,{column},loss\n{rows}") == [
        (f"{column} 3", 9), (f"{column} 4", 9)]


def test_documents_of_several_runs(tmp_path: Path) -> None:
    losses = [1 / (1 + i) for i in range(9)]
    by_name = {"adam": {"loss": losses}, "sgd": {"loss": losses, "val_loss": losses}}
    assert runs(tmp_path, json.dumps(by_name)) == [("adam", 9), ("sgd", 9)]
    listed = [{"name": "adam", "loss": losses}, {"name": "sgd", "loss": losses[:5]}]
    assert runs(tmp_path, json.dumps(listed)) == [("adam", 9), ("sgd", 5)]
    parts = {"train": {"loss": losses}, "val": {"loss": losses}}
    assert runs(tmp_path, json.dumps(parts)) == [("", 9)]


def test_a_run_that_cannot_be_read_is_reported_beside_others(tmp_path: Path) -> None:
    for name, text in (("a.csv", "epoch,loss\n0,nan\n"), ("b.csv", "epoch,loss\n0,1\n1,0.5\n"),
                       ("notes.txt", "The loss was 0.5.\n"), ("train.py", "loss = 0.5\n")):
        (tmp_path / name).write_text(text)
    told: list[str] = []
    assert len(list(records(tmp_path, tell=told.append))) == 1
    assert told == [f"column 'loss' of {tmp_path / 'a.csv'} holds no finite numbers"]
    (tmp_path / "b.csv").unlink()
    with pytest.raises(Unusable, match="holds no finite numbers"):
        list(records(tmp_path))


# Refusals ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "says"), [
    (b"", "is empty"), (b" \n\n", "is empty"),
    (b"\x80\x04\x95\0\0", "a pickle, and reading it would run"),
    (b"PK\x03\x04abc", "zip archive"), (b"\0\1\2\3" * 50, "is a binary file"),
    ("x" * 2_000_000, "is longer than"), ("no number anywhere\n", "holds no named numbers"),
    ("epoch,loss\n0,nan\n1,nan\n", "holds no finite number"),
    ("epoch,val_apples\n0,0.5\n1,0.4\n", "--train COLUMN"),
    ("epoch,apples\n0,0.5\n1,nothing\n", "finite|apples"),
    ("[" * 100_000, "64 levels deep"), ('{"a": ' * 5000, "64 levels deep"),
])
def test_what_cannot_be_read_is_refused_in_a_sentence(
    tmp_path: Path, text: str | bytes, says: str,
) -> None:
    if says == "finite|apples":
        assert len(train(of_text(tmp_path, text))) == 1
        return
    with pytest.raises(Unusable, match=says) as caught:
        of_text(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for text in (
        f"cos\nsystem\n(S'touch {trap}'\ntR.", f"!!python/object/apply:os.system ['touch {trap}']",
        f"{{'loss': __import__('os').system('touch {trap}')}}\n",
    ):
        with pytest.raises(Unusable):
            of_text(tmp_path, text)
    assert not trap.exists()


def test_folders_without_a_log_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="holds no training log"):
        list(records(tmp_path))
    with pytest.raises(Unusable, match="there is no file"):
        list(records(tmp_path / "none"))


def test_a_record_of_our_own_is_sent_to_diagnose(tmp_path: Path) -> None:
    RecordWriter(tmp_path / "run", "0").close()
    for path in (tmp_path / "run", tmp_path / "run" / "events.jsonl"):
        with pytest.raises(Unusable, match="unstuck diagnose"):
            list(records(path))


def test_a_bar_that_begins_anew_with_each_epoch_is_one_run(tmp_path: Path) -> None:
    """torchtune's bar names the epoch and the step in front of it, and counts within the epoch."""
    text = "\r".join(
        f"{1 + step // 40}|{step + 1}|Loss: {2 * 0.98 ** step:.4f}:  50%|###  | {1 + step % 40}/40 "
        f"[00:{step % 40:02d}<00:30, 1.00s/it]" for step in range(80))
    log = of_text(tmp_path, text).fact(Log)
    assert log is not None
    assert (log.axis, log.unit, log.rows) == ("step", "step", 80)


# Size --------------------------------------------------------------------------------------------
def test_a_long_table_takes_little_memory(tmp_path: Path) -> None:
    """A few times the file at most, measured by what numpy and Python ask for."""
    import tracemalloc

    file = tmp_path / "log"
    g = np.random.default_rng(0)
    losses = (2 * np.exp(-np.arange(100_000) / 2e4) + 0.3 + 0.05 * g.standard_normal(100_000))
    file.write_text("step,loss,lr\n" + "".join(
        f"{step},{loss:.6f},0.001\n" for step, loss in enumerate(losses)))
    tracemalloc.start()
    record = read(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * file.stat().st_size
    assert len(record.series(TRAIN_LOSS)) == 100_000
    assert judge(record).kind in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED)
