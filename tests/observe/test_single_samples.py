"""A loop that hands the model one sample at a time, without a batch's axis."""

from __future__ import annotations

from pathlib import Path

from tests.observe.sources import record_of
from unstuck import diagnose
from unstuck.schema.findings import Unknown
from unstuck.schema.signals.batches import BATCH_SIZE

PROGRAM = """
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x[:200] / 16, dtype=torch.float32), torch.tensor(y[:200])
torch.manual_seed(0)
wrong = torch.rand(200) < 0.35
y[wrong] = torch.randint(10, (int(wrong.sum()),))
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), 0.02)
for epoch in range(2):
    for i in torch.randperm(200).tolist():
        optimizer.zero_grad()
        loss = F.cross_entropy({})
        loss.backward()
        optimizer.step()
"""


def test_its_samples_are_those_of_batches_of_one(tmp_path: Path) -> None:
    reasons = set()
    for number, form in enumerate(("model(x[i]), y[i]", "model(x[i:i + 1]), y[i:i + 1]")):
        record = record_of(PROGRAM.format(form), tmp_path / str(number))
        assert set(record.series(BATCH_SIZE).values) == {1.0}
        verdict = dict(diagnose(record).verdicts)["noisy-labels"]
        assert isinstance(verdict, Unknown)
        reasons.add(verdict.reason)
    assert len(reasons) == 1
    assert "of 200 samples" in reasons.pop()  # which inputs and labels both were kept of


def test_a_row_of_samples_is_a_batch_of_them(tmp_path: Path) -> None:
    record = record_of("""
        x = torch.randn(64)

        class Density(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = nn.Parameter(torch.tensor(1.0))

            def forward(self, x):
                return (x - self.mean).pow(2).mean()

        model = Density()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(4):
            optimizer.zero_grad()
            model(x).backward()
            optimizer.step()
        """, tmp_path)
    assert set(record.series(BATCH_SIZE).values) == {64.0}
