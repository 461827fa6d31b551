"""A cross entropy over classes that the program writes out is read as one, with its labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent

PROGRAM = '''
torch.manual_seed(0)
x = torch.randn(240, 4)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(30):
    z = net(x)
    rows = torch.arange(len(y))
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''
FORMS = {
    "picked": "-F.log_softmax(z, dim=1)[rows, y].mean()",
    "gathered": "-torch.softmax(z, 1).gather(1, y[:, None]).log().mean()",
    "exponentials": "-(z.exp() / z.exp().sum(1, keepdim=True))[rows, y].log().mean()",
    "less the logarithm of a sum": "-(z - z.exp().sum(1, keepdim=True).log())[rows, y].mean()",
    "less the largest": "-((s := z - z.max(1, keepdim=True).values) "
                        "- s.exp().sum(1, keepdim=True).log())[rows, y].mean()",
    "less the score": "(torch.logsumexp(z, 1) - z[rows, y]).mean()",
    "the score less": "-(z.gather(1, y[:, None])[:, 0] - z.logsumexp(1)).mean()",
    "one hot": "-(F.one_hot(y, 3) * F.log_softmax(z, dim=1)).sum(1).mean()",
    "one hot after": "(-(F.log_softmax(z, -1) * F.one_hot(y, 3).float()).sum(dim=-1)).mean()",
    "one hot over the batch": "-torch.sum(torch.log_softmax(z, 1) * torch.eye(3)[y]) / len(y)",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_read(tmp_path: Path, form: str) -> None:
    record = record_of(PROGRAM.replace("LOSS", form), tmp_path)
    loss = record.facts(Loss)[-1]
    assert (loss.function, loss.hand_written) == ("cross_entropy", True)
    assert loss.input_shape == (240, 3)
    assert loss.target_shape == (240,)
    found = dict(diagnose(record).verdicts)["labels-unrelated-to-inputs"]
    assert isinstance(found, Absent)
    assert "depend on the inputs" in found.reason


@pytest.mark.parametrize("form", [
    "(torch.logsumexp(2 * z, 1) - z[rows, y]).mean()",  # of two outputs
    "-(torch.rand(240, 3) * F.log_softmax(z, dim=1)).sum(1).mean()",  # soft targets
    "-(F.one_hot(y, 3) * F.log_softmax(z, dim=0)).sum(1).mean()",  # over the batch
    "(torch.logsumexp(z, 1) - z[rows.flip(0), y]).mean()",  # of other samples
])
def test_what_is_another_formula_stays_one(tmp_path: Path, form: str) -> None:
    record = record_of(PROGRAM.replace("LOSS", form), tmp_path)
    assert record.facts(Loss)[-1].function != "cross_entropy"
