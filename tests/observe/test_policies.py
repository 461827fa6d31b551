"""Which sign of its advantages is right in a policy's loss: the graph alone does not show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

PROGRAM = '''
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(20):
    x = torch.randn(64, 4)
    out = net(x)
    policy, value = torch.distributions.Categorical(logits=out[:, :3]), out[:, 3]
    action = policy.sample()
    reward = (action == x[:, :3].argmax(1)).float() * 2 - 1
    error = reward - value
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''


def verdict(folder: Path, loss: str, name: str = "reward") -> Verdict:
    source = PROGRAM.replace("LOSS", loss).replace("reward", name)
    return dict(diagnose(record_of(source, folder)).verdicts)["loss-sign"]


RIGHT = "-(policy.log_prob(action) * error.detach()).mean()"
SURROGATE = (
    "torch.min(*[(policy.log_prob(action) - policy.probs.log()[0, 0].item()).exp()"
    ".clamp(0.1, top) * error.detach() for top in (1.2, 9.0)]).mean()")
ACTORS = [
    (RIGHT, Absent),
    ("(policy.log_prob(action) * -error.detach()).sum()", Absent),
    ("F.cross_entropy(out[:, :3], action, reduction='none').mul(error.detach()).mean()", Absent),
    ("-sum(p * e for p, e in zip(policy.log_prob(action), error.detach()))", Absent),
    ("(policy.log_prob(action) * error.detach()).mean()", Present),
    ("-(policy.log_prob(action) * (value - reward).detach()).mean()", Present),
    ("(policy.log_prob(action) * ((reward - reward.mean()) / reward.std())).mean()", Present),
    ("sum(p * e for p, e in zip(policy.log_prob(action), error.detach()))", Present),
    (SURROGATE, Present),
]


@pytest.mark.parametrize(("actor", "kind"), ACTORS)
def test_what_is_called_a_reward_tells_the_sign(
    tmp_path: Path, actor: str, kind: type[Verdict]
) -> None:
    found = verdict(tmp_path, f"{actor} + error.square().mean()")
    assert isinstance(found, kind), found
    if isinstance(found, Present):
        assert found.location is not None
        assert found.location.line > 10


def test_a_weighted_entropy_is_not_the_place(tmp_path: Path) -> None:
    actor = "(policy.log_prob(action) * error.detach()).mean()"
    found = verdict(
        tmp_path, f"{actor} + 0.5 * error.square().mean() - 0.01 * policy.entropy().mean()")
    assert isinstance(found, Present)
    assert found.location is not None
    assert found.location.text is not None
    place = found.location.text[found.location.column - 1:found.location.end_column - 1]
    assert place == "policy.log_prob(action) * error.detach()"


@pytest.mark.parametrize("actor", [RIGHT, "(policy.log_prob(action) * error.detach()).mean()"])
@pytest.mark.parametrize("name", ["cost", "outcome", "negative_reward"])
def test_without_such_a_name_it_is_unknown(tmp_path: Path, actor: str, name: str) -> None:
    found = verdict(tmp_path, f"{actor} + error.square().mean()", name)
    assert isinstance(found, Unknown)


def test_signs_of_likelihoods_are_known_as_before(tmp_path: Path) -> None:
    likelihood = "policy.log_prob(x[:, :3].argmax(1)).mean()"
    assert isinstance(verdict(tmp_path, f"-{likelihood}"), Absent)
    assert isinstance(verdict(tmp_path / "wrong", likelihood), Present)
