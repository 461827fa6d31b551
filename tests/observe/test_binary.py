"""A binary cross entropy that a program writes itself is read from its graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.series import Series
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS

PROGRAM = '''
torch.manual_seed(0)
x = torch.randn(128, 4)
t = torch.where(x[:, :1] > 0, 1.0, LOW)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.05)
for _ in range(12):
    z = net(x)
    p = torch.sigmoid(z).clamp(1e-6, 1 - 1e-6)
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''
FORMS = {
    "one mean": "-(t * p.log() + (1 - t) * (1 - p).log()).mean()",
    "two terms": "torch.mean(-t * torch.log(p) - (1 - t) * torch.log(1 - p))",
    "guarded": "-(t * torch.log(p + 1e-7) + (1 - t) * torch.log(1 - p + 1e-7)).mean()",
    "log1p": "-(torch.log1p(-p) * (1 - t) + p.log() * t).mean()",
    "of scores": "-(t * F.logsigmoid(z) + (1 - t) * F.logsigmoid(-z)).mean()",
    "of two sigmoids": "-(t * z.sigmoid().log() + (1 - t) * (1 - z.sigmoid()).log()).mean()",
}
# These do not name the label twice.
SCORES = {
    "softplus": "(F.softplus(z) - t * z).mean()",
    "turned round": "-(z * t - F.softplus(z)).mean()",
    "never overflows": "(z.clamp(min=0) - z * t + torch.log1p(torch.exp(-z.abs()))).mean()",
    "with relu": "torch.mean(torch.relu(z) - z * t + torch.log1p((-z.abs()).exp()))",
    "two softplus": "(t * F.softplus(-z) + (1 - t) * F.softplus(z)).mean()",
}


def verdict(folder: Path, loss: str, low: str) -> tuple[Verdict, Loss]:
    record = record_of(PROGRAM.replace("LOSS", loss).replace("LOW", low), folder)
    return dict(diagnose(record).verdicts)["labels-out-of-range"], record.facts(Loss)[-1]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_labels_of_a_hand_written_cross_entropy_are_read(tmp_path: Path, form: str) -> None:
    found, loss = verdict(tmp_path, form, low="-1.0")
    assert isinstance(found, Present)
    assert "the labels range from -1 to 1" in found.title
    assert text_at(loss.location) in form
    assert "(1 - t)" in text_at(loss.location)
    assert "log" in text_at(loss.location)


@pytest.mark.parametrize("form", SCORES.values(), ids=SCORES)
def test_it_may_be_written_by_the_score(tmp_path: Path, form: str) -> None:
    found, loss = verdict(tmp_path, form, low="-1.0")
    assert isinstance(found, Present)
    assert "the labels range from -1 to 1" in found.title
    assert loss.function == "binary_cross_entropy_with_logits"
    assert text_at(loss.location) in form


@pytest.mark.parametrize("form", {**FORMS, **SCORES}.values(), ids={**FORMS, **SCORES})
def test_labels_of_0_and_1_are_no_fault(tmp_path: Path, form: str) -> None:
    found, loss = verdict(tmp_path, form, low="0.0")
    assert isinstance(found, Absent)
    assert loss.function.startswith("binary_cross_entropy")
    assert loss.hand_written


def test_its_constant_is_known(tmp_path: Path) -> None:
    record = record_of(
        PROGRAM.replace("LOSS", FORMS["guarded"]).replace("LOW", "0.0"), tmp_path)
    series = record.series(CONSTANT_LOSS)
    assert isinstance(series, Series)
    assert series.values[-1] == pytest.approx(0.69, abs=0.03)


@pytest.mark.parametrize("loss", [
    "-(2 * t * p.log() + (1 - t) * (1 - p).log()).mean()",  # weighted
    "(p * p.log() + (1 - p) * (1 - p).log()).mean() + F.relu(z).mean()",  # an entropy
    "-(t * p.log() + (1 - t) * (1 - torch.sigmoid(2 * z)).log()).mean()",  # of two outputs
], ids=["weighted", "an entropy", "of two outputs"])
def test_what_is_another_formula_stays_unknown(tmp_path: Path, loss: str) -> None:
    found, _ = verdict(tmp_path, loss, low="-1.0")
    assert isinstance(found, Unknown)
