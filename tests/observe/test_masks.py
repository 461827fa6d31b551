"""Which way round a mask of attention is that has a place for a class token beside the steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Present
from unstuck.schema.signals.sequences import ATTENTION_ON_PADDING

PROGRAM = '''
torch.manual_seed(0)
lengths = torch.randint(3, 12, (256,))
y = torch.randint(3, (256,))
x = 1 + 3 * torch.randint(4, (256, 12)) + y[:, None]
x[torch.arange(12) >= lengths[:, None]] = 0

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 3)
    def forward(self, x):
        closed = F.pad(CLOSED, BESIDE, value=False)
        steps, token = self.words(x), self.token.expand(len(x), -1, -1)
        h = torch.cat([token, steps] if BESIDE[0] else [steps, token], 1)
        q, k, v = self.qkv(h).chunk(3, -1)
        scores = (q @ k.transpose(1, 2) / 4).masked_fill(closed[:, None], -1e9)
        return self.head((h + scores.softmax(-1) @ v)[:, 0 if BESIDE[0] else -1])

model = Net()
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
for step in range(60):
    rows = torch.randperm(256)[:32]
    optimizer.zero_grad()
    F.cross_entropy(model(x[rows]), y[rows]).backward()
    optimizer.step()
'''


@pytest.mark.parametrize("beside", ["(1, 0)", "(0, 1)"], ids=["token first", "token last"])
@pytest.mark.parametrize(("closed", "kind"), [("x == 0", Absent), ("x != 0", Present)],
                         ids=["closes the padding", "closes what is real"])
def test_a_mask_with_a_place_for_a_class_token_is_read(
    tmp_path: Path, beside: str, closed: str, kind: type
) -> None:
    source = PROGRAM.replace("CLOSED", closed).replace("BESIDE", beside)
    if kind is Present:  # the token is closed with all that is real
        source = source.replace("value=False", "value=True")
    record = record_of(source, tmp_path)
    assert record.measured(ATTENTION_ON_PADDING)
    assert isinstance(dict(diagnose(record).verdicts)["wrong-mask"], kind)
