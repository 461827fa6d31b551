"""Whether weights that the program meant to unfreeze stayed frozen is said of the run's end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.observe.probes.frozen import column_ties
from unstuck.schema.facts.models import Thaw
from unstuck.schema.findings import Absent, Present

PROGRAM = '''
torch.manual_seed(0)
x = torch.randn(256, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
net = nn.Sequential(body, nn.Linear(24, 2))
body.requires_grad_(False)
optimizer = torch.optim.Adam(net.parameters(), 2e-2)
for step in range(150):
    if step == 10:
        body.requires_grad = True
    if step == LATER:
        for p in body.parameters():
            p.requires_grad = True
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
'''


@pytest.mark.parametrize(("later", "kind"), [("60", Absent), ("None", Present)])
def test_what_is_unfrozen_in_the_end_was_not_forgotten(
    tmp_path: Path, later: str, kind: type
) -> None:
    record = record_of(PROGRAM.replace("LATER", later), tmp_path)
    assert bool(record.facts(Thaw)) is (kind is Present)
    assert isinstance(dict(diagnose(record).verdicts)["frozen-parameters"], kind)


def test_columns_that_were_drawn_by_themselves_have_no_more_in_common_than_by_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(500, 16, generator=generator)
    mixed = drawn @ (torch.eye(16) + 0.2 * torch.randn(16, 16, generator=generator))
    assert 0.7 < float(column_ties(drawn)) < 1.3
    assert 0.7 < float(column_ties(3 * torch.rand(500, 16, generator=generator))) < 1.3
    assert float(column_ties(mixed)) > 5
    assert float(column_ties(torch.zeros(500, 16))) == 0


def test_the_statement_is_found_in_a_loop_over_modules(tmp_path: Path) -> None:
    source = PROGRAM.replace("LATER", "None").replace(
        "        body.requires_grad = True\n",
        "        for part in body.children():\n            part.requires_grad = True\n")
    (thaw,) = record_of(source, tmp_path).facts(Thaw)
    assert thaw.location is not None
    assert thaw.location.text is not None
    assert thaw.location.text.strip() == "part.requires_grad = True"
