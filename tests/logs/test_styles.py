"""Small logs of many tools and habits (harness/logs), read as a careful person does."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from harness.logs import consoles
from harness.logs.case import Case
from harness.logs.judging import cases, verdicts
from unstuck.logs import console, documents
from unstuck.logs.kinds import table_of
from unstuck.logs.read import records
from unstuck.logs.source import source
from unstuck.logs.table import Table
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import TRAIN_LOSS

# A flat curve that fell by 3.3 % in its last quarter by chance.
UNLUCKY = {"tensorboard-keras-folder"}


@pytest.mark.parametrize("case", cases(aside=False), ids=lambda case: case.name)
def test_a_log_is_read_as_a_careful_person_does(case: Case) -> None:
    for verdict in verdicts(case):
        assert verdict.columns, verdict.says
        assert verdict.outcome or case.name in UNLUCKY, verdict.says


def test_so_are_those_that_were_kept_aside() -> None:
    """Judged once the readers were done: outcomes 0.959, columns 0.959; two were mended since."""
    found = [verdict for case in cases(aside=True) for verdict in verdicts(case)]
    assert len(found) >= 40
    assert np.mean([verdict.outcome for verdict in found]) >= 0.95
    assert np.mean([verdict.columns for verdict in found]) >= 0.97


PRINTED = [case for case in consoles.cases() if not documents.is_json(case.files["log"].decode())]


def console_table(content: bytes, folder: Path) -> Table:
    file = folder / "log"
    file.write_bytes(content)
    return console.read(source(file))


@pytest.mark.parametrize("case", PRINTED, ids=lambda case: case.name)
def test_patterns_read_what_is_read_word_by_word(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = console_table(case.files["log"], tmp_path)
    monkeypatch.setattr(console, "MOST_PATTERNS", 0)
    slow = console_table(case.files["log"], tmp_path)
    assert set(quick.columns) == set(slow.columns)
    for name, column in slow.columns.items():
        assert np.array_equal(quick.columns[name].rows, column.rows), name
        assert np.array_equal(quick.columns[name].values, column.values, equal_nan=True), name


def test_few_lines_of_a_long_text_are_read_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deterministic side of `python -m benchmarks.logs`."""
    slowly, asked = console.phrases.said, []

    def counted(text: str, heading: str) -> object:
        asked.append(text)
        return slowly(text, heading)

    monkeypatch.setattr(console.phrases, "said", counted)
    text = "".join(
        f"2026-01-01 12:{i % 60:02}:01,{i % 1000:03} INFO step {i}: loss {2 / (1 + i):.6f}, lr "
        f"{1e-3:.1e}, acc@1 {i % 100}/100\n" for i in range(3000))
    with tempfile.TemporaryDirectory() as folder:
        table = console_table(text.encode(), Path(folder))
    assert len(table.columns["loss"]) == 3000
    assert table.columns["acc@1"].values[50] == 0.5
    assert len(asked) < 10


def test_a_table_of_plain_numbers_is_read_alike_with_words_in_it(tmp_path: Path) -> None:
    rows = [f"{i},{1 / (1 + i):.4f},{'' if i % 3 else f'{2 / (1 + i):.4f}'},1e-3"
            for i in range(99)]
    plain, worded = tmp_path / "plain", tmp_path / "worded"
    plain.write_text("step,loss,val_loss,lr\n" + "\n".join(rows) + "\n")
    worded.write_text("step,loss,val_loss,lr,note\n" + ",\n".join(rows) + ",ok\n")
    quick, slow = table_of(source(plain)), table_of(source(worded))
    for name, column in quick.columns.items():
        assert np.array_equal(column.rows, slow.columns[name].rows), name
        assert np.array_equal(column.values, slow.columns[name].values), name


# Ways of writing that had been misread ------------------------------------------------------------
FALLING = [2.1 * 0.93**i + 0.3 for i in range(30)]


@pytest.mark.parametrize(("line", "train", "held_out"), [
    ("e{i:02d} trn {a:.3f} tst {b:.3f} acc {c:.1f}", "trn", "tst"),
    ("#{i:03d}  train {a:.2f} mm   held-out {b:.2f} mm   rel. {c:.1f} %", "train", "held-out"),
    ("Cost after iteration {i}: {a:.6f}", "Cost", None),
    ("it {i}  total {a:.4f}  pde {b:.4f}  bc 0.0{i}  rel L2 {b:.5f}", "total", None),
    ("Region 16 Avg IOU: {c:.6f}\n{i}: {a:.6f}, {b:.6f} avg, 0.001000 rate, 3.1 s, 64 images",
     "avg loss", None),
    ("[batch={i}/30]:\n Train loss/train/total: {a:.4f}\n Eval metrics/eval/CrossEntropy: {b:.4f}",
     "Train loss/train/total", "Eval metrics/eval/CrossEntropy"),
    ("Start, 3 warstwy\n{i}/30: strata = {a:.4f}; strata walidacyjna = {b:.4f}; wynik = 5,{i} %",
     "strata", "strata walidacyjna"),
    ("[Vòng lặp {i}/30] mất mát huấn luyện = {a:.4f} ; mất mát kiểm định = {b:.4f} ; tốc độ học 1",
     "mất mát huấn luyện", "mất mát kiểm định"),
    ("الحقبة {i} خسارة التدريب {a:.4f} خسارة التحقق {b:.4f}", "خسارة التدريب", "خسارة التحقق"),
    ("⏳ Εποχή {i} [4.2 λεπτά] απώλεια: εκπαίδευση {a:.4f} → επικύρωση {b:.4f}",
     "εκπαίδευση", "επικύρωση"),
    ("युग {i}: प्रशिक्षण हानि {a:.4f}, सत्यापन हानि {b:.4f}", "प्रशिक्षण हानि", "सत्यापन हानि"),
    ("รอบ {i} ค่าสูญเสียการฝึก: {a:.4f} ค่าสูญเสียตรวจสอบ: {b:.4f}",
     "ค่าสูญเสียการฝึก", "ค่าสูญเสียตรวจสอบ"),
    ("אפוק {i}: הפסד אימון {a:.4f}, הפסד אימות {b:.4f}", "הפסד אימון", "הפסד אימות"),
    ("دوره {i} | زیان آموزش {a:.4f} | زیان اعتبارسنجی {b:.4f} | دقت 0.5",
     "زیان آموزش", "زیان اعتبارسنجی"),
    ("{i}. epocha: tanítási veszteség {a:.4f}, validációs veszteség {b:.4f}",
     "tanítási veszteség", "validációs veszteség"),
    ("Pierdere: {a:.4f}\nValidare: pierdere: {b:.4f}", "Pierdere", "Validare pierdere"),
    ("epookki {i} koulutushäviö {a:.4f} validointihäviö {b:.4f}",
     "koulutushäviö", "validointihäviö"),
    ("epoch {i} gubitak {a:.4f}\nvalidacija:\ngubitak {b:.4f}", "gubitak", "validacija gubitak"),
    ("step {i} | verlies {a:.4f}\nvalidatie na {i} stappen: verlies {b:.4f}",
     "verlies", "validatie verlies"),
    ("第 {i} 轮\n损失 {a:.4f}\n验证集：平均损失 {b:.4f}", "损失", "验证 平均损失"),
    ("Epoch {i}/30\nstep 9/9 - loss: {a:.4f}\nEval begin...\nstep 3/3 - loss: {b:.4f}\nEval n: 9",
     "loss", "val loss"),
    ("epoch: {i} step: 125, loss is {a:.4f}", "loss", None),
    ("Епоха {i}: губитак {a:.4f}, валидациони губитак {b:.4f}",
     "губитак", "валидациони губитак"),
    ("Época {i} de 30\n  pérdida: {a:.4f}\n  Validación ...\n  pérdida: {b:.4f}",
     "pérdida", "Validación pérdida"),
    ("{i:02d}/30  Verlust (Training / Validierung): {a:.4f} / {b:.4f}  Genauigkeit: {c:.1f} %",
     "Verlust Training", "Verlust Validierung"),
    ("[{i}]\tcv_agg's train auc_loss: {a:.4f} + 0.001\tcv_agg's valid auc_loss: {b:.4f} + 0.005",
     "cv_agg's train auc_loss", "cv_agg's valid auc_loss"),
    ("| {i} | L_trn {a:.4f} | L_dev {b:.4f} | acc_dev {c:.1f} |", "L_trn", "L_dev"),
    ("[I 230811 09:12:07 face/train.py:141] ep {i:03d} triplet {a:.4f} | dev triplet {b:.4f}",
     "triplet", "dev triplet"),
    ("Epoch {i}/999, Time 0.1, Performance {a:.4f}/0, Gradient {a:.3f}/1e-07, Mu 0.001/10000000000",
     "Performance", None),
    ("[{i}/99] train total= {a:.3f} recon= {b:.3f} kl= {i}.5\n test total= {b:.3f} recon= {b:.3f}",
     "train total", "test total"),
    ("""
      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size
     {i:3d}/50      4.12G      {a:.4f}      {b:.4f}         30        640: 100% 9/9 [00:28<00:00]
                 Class     Images  Instances      Box(P          R     mAP50): 100% 16/16 [00:05]
                   all        490       2214      0.772      0.702      0.752
""", "box_loss", None),
])
def test_a_way_of_writing(line: str, train: str, held_out: str | None, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("".join(line.format(i=i + 1, a=a, b=1.05 * a, c=90 - 20 * a) + "\n"
                           for i, a in enumerate(FALLING)))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert (found.train, found.held_out) == (train, held_out)
    assert len(record.series(TRAIN_LOSS)) == len(FALLING)


def test_two_attempts_in_one_file_are_two_runs(tmp_path: Path) -> None:
    """The first never left the level at which both begin, so that the curve seems to go on."""
    log = tmp_path / "train.log"
    stuck = [1.0986 + 0.001 * (-1) ** i for i in range(20)]
    learns = [1.0986 * 0.95**i for i in range(20)]
    log.write_text("".join(
        f"attempt {k}\n" + "".join(f"epoch={i + 1} loss={a:.5f}\n" for i, a in enumerate(curve))
        for k, curve in enumerate((stuck, learns))))
    assert [len(record.series(TRAIN_LOSS)) for record in records(log)] == [20, 20]


def test_trials_that_report_in_turn_are_runs(tmp_path: Path) -> None:
    """Of the first, the loss that says no data rises while the train loss falls."""
    log = tmp_path / "tune.out"
    log.write_text("".join(
        f"Result for train_9c2a1_0000{k}:\n  loss: {b:.4f}\n  time_this_iter_s: 60.2\n"
        f"  train_loss: {a:.4f}\n  training_iteration: {i + 1}\n\n"
        for i, (down, up) in enumerate(zip(FALLING, [*FALLING[:15], *FALLING[:15][::-1]],
                                           strict=True))
        for k, (a, b) in enumerate([(down, up), (2.3, 2.3)])))
    first, second = records(log)
    found, other = first.fact(Log), second.fact(Log)
    assert found is not None
    assert other is not None
    assert (found.train, found.held_out) == ("train_loss", "loss")
    assert found.file.endswith("(train_9c2a1_00000)")
    assert (other.train, other.held_out) == ("train_loss", None)
    assert [len(one.series(TRAIN_LOSS)) for one in (first, second)] == [30, 30]


@pytest.mark.parametrize("line", [
    "[trial-{k}] epoch {i} loss {a:.4f}", "Trial train_{k}a reported loss={a:.4f},accuracy=0.5",
])
def test_lines_that_name_their_trial_are_of_its_run(line: str, tmp_path: Path) -> None:
    log = tmp_path / "tune.out"
    log.write_text("".join(line.format(k=k, i=i, a=a + k) + "\n"
                           for i, a in enumerate(FALLING) for k in (0, 1)))
    first, second = (record.series(TRAIN_LOSS).values for record in records(log))
    assert np.allclose(second - first, 1, atol=1e-3)


def test_a_column_of_nothing_but_parts_says_which_data_a_row_is_of(tmp_path: Path) -> None:
    log = tmp_path / "metrics.csv"
    log.write_text("step,metric,tags,value\n" + "".join(
        f"{i},loss,split={data},{a:.4f}\n" for i, a in enumerate(FALLING)
        for data in ("train", "val")))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert found.train == "train loss"


def test_a_field_within_a_cell_says_which_data_a_row_is_of(tmp_path: Path) -> None:
    log = tmp_path / "export.csv"
    rows = [f'c0ffee,loss,"{{""subset"": ""{data}""}}",{i},{value:.4f}\n'
            for i, a in enumerate(FALLING) for data, value in (("train", a), ("val", 1.05 * a))]
    log.write_text("run.hash,metric.name,metric.context,step,value\n" + "".join(rows))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert (found.train, found.held_out) == ("train loss", "val loss")


def test_the_sets_of_one_training_are_no_runs(tmp_path: Path) -> None:
    log = tmp_path / "evals_result.json"
    log.write_text(json.dumps({"params": {"eta": 0.1}, "evals_result": {
        "dtrain": {"logloss": FALLING}, "dvalid": {"logloss": FALLING[::-1]}}}))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert (found.train, found.held_out) == (
        "evals_result/dtrain/logloss", "evals_result/dvalid/logloss")


def test_lists_of_a_shortened_name_in_french(tmp_path: Path) -> None:
    log = tmp_path / "resultats.txt"
    log.write_text(f"epochs = 30\npertes_app = {FALLING}\npertes_val = {FALLING}\n"
                   f"kappa_val = {FALLING[::-1]}\n")
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert found.train == "pertes_app"


def test_a_held_out_loss_alone_is_no_stand_in_for_itself(tmp_path: Path) -> None:
    log = tmp_path / "run.txt"
    log.write_text("".join(f"step:{i}/30 val_loss:{a:.4f}\n" for i, a in enumerate(FALLING)))
    record, = records(log)
    assert [one.says for one in record.oddities] == [
        "No column is of training data; unstuck judges 'val_loss', which is of held-out data."]


@pytest.mark.parametrize(("text", "train"), [
    ("{{'train': {{'loss': {0}, 'acc': [0.5]}}, 'val': {{'loss': {0}, 'acc': (None,)}}}}",
     "train/loss"),
    ("30 epochs are done\nhistory = [{1}]\n", "loss"),
])
def test_what_python_prints_of_nested_lists(text: str, train: str, tmp_path: Path) -> None:
    values = [f"np.float64({a:.4f})" for a in FALLING]
    rows = (f"{{'epoch': {i}, 'loss': tensor({a:.4f}, device='cuda:0'), 'lr': None, }}"
            for i, a in enumerate(FALLING))
    log = tmp_path / "history.txt"
    log.write_text(text.format(f"[{', '.join(values)}]", ", ".join(rows)))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert found.train == train
    assert len(record.series(TRAIN_LOSS)) == len(FALLING)
