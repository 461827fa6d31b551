"""Classes over steps that end in padding, where the inputs are not padded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

PROGRAM = '''
torch.manual_seed(0)
x = torch.randn(64, 4)
lengths = torch.randint(3, 9, (64, 1))
place = torch.arange(STEPS)
y = torch.where(place < lengths, WORDS, 0)
real = place < lengths

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, STEPS * 6))
    def forward(self, x):
        return self.layers(x).view(-1, STEPS, 6)

net = Net()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(12):
    z = net(x)
    logp = z.log_softmax(-1)
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''
WORDS = "torch.randint(1, 6, (64, STEPS))"
WHOLE = {
    "rows": "F.cross_entropy(z.reshape(-1, 6), y.reshape(-1))",
    "classes second": "F.cross_entropy(z.transpose(1, 2), y)",
    "picked": "-logp.gather(2, y[..., None]).mean()",
    "picked and squeezed": "-(logp.gather(-1, y.unsqueeze(-1)).squeeze(-1)).sum(1).mean()",
}
MASKED = {
    "ignored": "F.cross_entropy(z.reshape(-1, 6), y.reshape(-1), ignore_index=0)",
    "masked": "-(logp.gather(2, y[..., None])[..., 0] * real).sum() / real.sum()",
    "left out": "-logp.gather(2, y[..., None])[..., 0][real].mean()",
    "without reduction":
        "(F.cross_entropy(z.transpose(1, 2), y, reduction='none') * real).sum() / real.sum()",
}


def verdict(folder: Path, loss: str, words: str = WORDS, steps: int = 40) -> Verdict:
    source = PROGRAM.replace("LOSS", loss).replace("WORDS", words).replace("STEPS", str(steps))
    return dict(diagnose(record_of(source, folder)).verdicts)["padding-in-loss"]


@pytest.mark.parametrize("loss", WHOLE.values(), ids=WHOLE)
def test_a_loss_that_is_mostly_about_the_tail_of_its_targets(tmp_path: Path, loss: str) -> None:
    found = verdict(tmp_path, loss)
    assert isinstance(found, Present)
    assert found.title.startswith("86 %")


@pytest.mark.parametrize("loss", MASKED.values(), ids=MASKED)
def test_a_tail_that_is_left_out_is_no_fault(tmp_path: Path, loss: str) -> None:
    assert isinstance(verdict(tmp_path, loss), Absent)


@pytest.mark.parametrize(("words", "steps"), [
    ("torch.randint(6, (64, STEPS))", 40), ("torch.ones(64, STEPS).long()", 40),
], ids=["a class that is met elsewhere", "a state that lasts"])
def test_what_only_looks_like_padding(tmp_path: Path, words: str, steps: int) -> None:
    assert isinstance(verdict(tmp_path, WHOLE["rows"], words, steps), Absent)


def test_a_short_tail_may_be_a_part_of_the_answer(tmp_path: Path) -> None:
    assert isinstance(verdict(tmp_path, WHOLE["picked"], steps=9), Unknown)


NUMBERS = '''
torch.manual_seed(0)
x = torch.randn(64, 4)
lengths = torch.randint(4, 9, (64, 1))
real = torch.arange(12) < lengths
y = torch.where(real, 3.0 + torch.randn(64, 12), 0.0)
MASK
net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 12))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(12):
    loss = F.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''


@pytest.mark.parametrize(("mask", "kind"), [
    ("mask = real", Present), ("padded = ~real", Present),
    ("other = real.flip(0); del real, lengths", Unknown),
])
def test_a_mask_beside_the_loss_says_that_a_tail_of_zeros_is_padding(
    tmp_path: Path, mask: str, kind: type[Verdict]
) -> None:
    source = NUMBERS.replace("MASK", mask if "other" in mask else f"{mask}; del lengths")
    assert isinstance(
        dict(diagnose(record_of(source, tmp_path)).verdicts)["padding-in-loss"], kind)
