"""Words and letters of logs that had been misread: encodings, languages, measures, brackets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unstuck.logs.documents import is_json
from unstuck.logs.encodings import encoding_of
from unstuck.logs.names import Kind, Part, name_of
from unstuck.logs.read import records
from unstuck.reading import Unusable, parsed
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import TRAIN_LOSS

FALLING = [2.1 * 0.93**i + 0.3 for i in range(30)]


def log_of(file: Path) -> Log:
    """What is known of the only run of a file."""
    record, = records(file)
    found = record.fact(Log)
    assert found is not None
    return found


@pytest.mark.parametrize(("encoding", "text"), [
    ("cp1251", "Эпоха 1: потери (обучение) = 3.2"), ("koi8-r", "Эпоха 1: потери (обучение) = 3.2"),
    ("cp866", "Эпоха 1: потери = 3.2"), ("cp1252", "Época 1: perda de validação 2"),
    ("cp1250", "dokładność 0.4"), ("gb18030", "训练 损失 0.5 验证"), ("cp932", "学習 損失 0.3"),
    ("cp949", "훈련 손실 0.2"), ("big5", "訓練 損失 0.5"), ("cp1254", "kayıp 0.5 doğrulama"),
    ("cp1253", "απώλεια 0.2"), ("cp1256", "خسارة التدريب"), ("cp1255", "הפסד אימון"),
    ("utf-8", "損失 0.5"), ("utf-8-sig", "loss"), ("utf-16", "loss"),
])
def test_an_encoding_is_told_by_the_words_that_a_text_then_has(encoding: str, text: str) -> None:
    content = text.encode(encoding)
    assert content.decode(encoding_of(content)).strip("\ufeff") == text


def test_what_is_not_known_stays_utf_8() -> None:
    assert encoding_of(b"loss \xff\xfe 0.5 \xe9") == "utf-8"
    assert encoding_of("потери 0.5".encode() + b"\xff") == "utf-8"


def test_a_russian_log_of_an_older_encoding(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes("".join(
        f"Эпоха {i}: потери (обучение) = {a:.3f}; потери (проверка) = {1.1 * a:.3f}; CER = 0.6\n"
        for i, a in enumerate(FALLING)).encode("cp1251"))
    found = log_of(log)
    assert (found.train, found.held_out, found.axis) == (
        "потери (обучение)", "потери (проверка)", "Эпоха")


def test_brackets_of_a_text_are_no_nesting(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[INFO]: Base\n" + "".join(
        f"\x1b[1m Learning iteration {i}/99 \x1b[0m\n  Mean reward: {i}.5\n" for i in range(80)))
    assert log_of(log).train == "Mean reward"
    assert not is_json("[3/20] loss")
    assert not is_json("[1]\ttrain-rmse:0.5")
    assert is_json("[1, 2]")
    assert is_json('[[{"a":')
    with pytest.raises(ValueError, match="delimiter"):
        parsed("[[1m x " * 70, "log")
    for deep in ("[" * 70, '{"a":' * 70):
        with pytest.raises(Unusable, match="nested more than 64"):
            parsed(deep, "log")


@pytest.mark.parametrize(("name", "kind", "part"), [
    ("fid50k_full", Kind.LOSS, Part.HELD_OUT), ("FID", Kind.LOSS, Part.HELD_OUT),
    ("rank-1", Kind.SCORE, Part.UNSAID), ("custo", Kind.LOSS, Part.UNSAID),
    ("Best fitness", Kind.OTHER, Part.UNSAID), ("average fitness", Kind.SCORE, Part.UNSAID),
    ("Running generation", Kind.STEP, Part.UNSAID),
    ("Iteração", Kind.STEP, Part.UNSAID), ("taxa de aprendizado", Kind.RATE, Part.UNSAID),
])
def test_a_name(name: str, kind: Kind, part: Part) -> None:
    assert (name_of(name).kind, name_of(name).part) == (kind, part)


@pytest.mark.parametrize(("line", "train", "held_out"), [
    ("Эпоха {i}: потери [обуч.] {a:.4f} потери [вал.] {b:.4f}", "потери [обуч.]", "потери [вал.]"),
    ("Эпоха [{i}/40] Ошибка на обучении: {a:.4f} Ошибка на тесте: {b:.4f}",
     "Ошибка на обучении", "Ошибка на тесте"),
    ("Époque {i} | perte (entr.) {a:.4f} | perte (val.) {b:.4f}", "perte (entr.)", "perte (val.)"),
    ("Epoka {i}: koszt {a:.4f}, koszt walidacyjny {b:.4f}", "koszt", "koszt walidacyjny"),
    ("Iterasi {i}: biaya = {a:.4f}", "biaya", None),
    ("Iteração {i}: custo = {a:.4f}  theta0 = {b:.4f}", "custo", None),
])
def test_words_of_other_languages(line: str, train: str, held_out: str | None, tmp_path: Path,
                                  ) -> None:
    log = tmp_path / "log"
    log.write_text("".join(line.format(i=i, a=a, b=1.1 * a) + "\n" for i, a in enumerate(FALLING)))
    found = log_of(log)
    assert (found.train, found.held_out) == (train, held_out)


def test_the_distance_of_samples_is_judged_where_no_loss_is_printed(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(
        f"tick {i}  kimg {4 * i}.0  time 4m 43s  sec/tick 242.2  gpumem 11.31  augment 0.0\n"
        f'{{"results": {{"fid50k_full": {100 * a:.4f}}}, "metric": "fid50k_full"}}\n'
        for i, a in enumerate(FALLING)))
    assert log_of(log).train == "fid50k_full"
    log.write_text("".join(  # as TensorFlow's version has it
        f"tick {i:<5} kimg {4 * i}.0  time 4m 43s  sec/tick 242.2  gpumem 5.1\n"
        f"network-snapshot-{4 * i:06}        time 3m 30s       fid50k {100 * a:.4f}\n"
        for i, a in enumerate(FALLING)))
    assert log_of(log).train == "fid50k"


def test_a_name_in_angles(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(
        f"[03/05/2024 10:00:00 INFO 139] #quality_metric: host=algo-1, epoch={i}, {data} rmse "
        f"<loss>={a + (data != 'train'):.5f}\n"
        for i, a in enumerate(FALLING) for data in ("train", "validation")))
    found = log_of(log)
    assert (found.train, found.held_out, found.axis) == ("train loss", "val loss", "epoch")


def test_one_number_at_the_start_is_no_curve_beside_a_held_out_one(tmp_path: Path) -> None:
    log = tmp_path / "cv.out"
    log.write_text("[LightGBM] [Info] Start training from score -1.758011\n" + "".join(
        f"[{10 * i}]\tcv_agg's valid auc: {1 - a / 4:.5f} + 0.004\n"
        for i, a in enumerate(FALLING)))
    record, = records(log)
    found = record.fact(Log)
    assert found is not None
    assert found.train == "cv_agg's valid auc"
    assert found.of_held_out
    assert len(record.series(TRAIN_LOSS)) == 30
    assert np.all(np.diff(record.series(TRAIN_LOSS).values) < 0)


@pytest.mark.parametrize(("name", "measure"), [
    ("BCELoss", {"bce", "loss"}), ("crossentropyloss", {"crossentropy", "loss"}),
    ("l_pix", {"loss"}), ("L_val", {"loss"}), ("mlogloss", {"mlogloss"}),
    ("l_r", set()), ("L_inf", set()), ("L2", {"l2"}),
])
def test_losses_written_as_one_word(name: str, measure: set[str]) -> None:
    assert name_of(name).measure == measure


@pytest.mark.parametrize(("line", "train", "held_out"), [
    ("step {i}\ndiscrim_loss 0.7{i}\ngen_loss_GAN {b:.4f}\ngen_loss_L1 {a:.4f}", "gen_loss_GAN",
     None),
    ("INFO:agent:outdir:results/a step:{i}00 episode:{i} R:{b:.3f}", "R", None),
    ("{{'_type': 'train_epoch', 'loss': {a:.5f}}}\n{{'_type': 'val_epoch', 'loss': {b:.5f}}}",
     "train loss", "val loss"),
])
def test_other_ways_to_say_it(line: str, train: str, held_out: str | None, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(line.format(i=i, a=a, b=1.1 * a) + "\n" for i, a in enumerate(FALLING)))
    found = log_of(log)
    assert (found.train, found.held_out) == (train, held_out)


def test_a_perplexity_of_the_held_out_loss_is_of_held_out_data(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"epoch {i}: perplexity: {np.exp(a):.4f} eval_loss: {a:.5f}\n"
                           for i, a in enumerate(FALLING)))
    assert log_of(log).train == "eval_loss"
    assert log_of(log).of_held_out


@pytest.mark.parametrize(("line", "name"), [
    ("{m}m {s}s (- 17m 30s) ({step} 6%) {loss:.4f}", "loss"),
    ("{step} 6% ({m}m {s}s) {loss:.4f} Satoshi / Japanese ✓", "loss"),
    ("step {step} tensor({loss:.4f}, device='cuda:0', grad_fn=<NllLossBackward0>)", "tensor"),
    ("Iteration {step}: J(theta) = {loss:.6f}", "J(theta)"),
])
def test_what_tutorials_print_is_read(tmp_path: Path, line: str, name: str) -> None:
    text = "".join(line.format(m=i, s=i % 60, step=100 * i, loss=3 * 0.93 ** i) + "\n"
                   for i in range(30))
    (tmp_path / "log.txt").write_text(text)
    (record,) = records(tmp_path / "log.txt")
    log = record.fact(Log)
    assert log is not None
    assert (log.train, log.unit, log.rows) == (name, "step", 30)


def test_of_two_quantities_with_held_out_twins_the_first_is_taken(tmp_path: Path) -> None:
    rows = "\n".join(f"{i} {9 * 0.9 ** i:.4f} {9 * 0.91 ** i:.4f} {80 * 0.9 ** i:.3f} "
                     f"{80 * 0.92 ** i:.3f}" for i in range(25))
    (tmp_path / "log.dat").write_text("# iter E_train E_test F_train F_test\n" + rows)
    (record,) = records(tmp_path / "log.dat")
    log = record.fact(Log)
    assert log is not None
    assert (log.train, log.held_out) == ("E_train", "E_test")
    assert any("--train" in odd.says for odd in record.oddities)
