"""Right answers that a program hands to a function together with what its model returned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.test_evaluations import held_out

VALUES = """
import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score
torch.manual_seed(0)
x = torch.randn(180, 6)
truth = (3 + 5 * (x[:, :1] - x[:, 1:2])).numpy()
unit, middle = float(truth[:100].std()), float(truth[:100].mean())
y = (torch.from_numpy(truth) - middle) / unit
whole = (1000 * truth).round().astype(int)
unit, middle = 1000 * unit, 1000 * middle
truth = truth * 1000
cut = 100
held = np.arange(100, 180)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
oof = np.zeros((180, 1))
inputs = x.clone()[cut:]

def told(given):
    with torch.no_grad():
        return model(given).numpy()

def in_parts(given):
    found = []
    with torch.no_grad():
        for part in given.split(30):
            found.append(model(part).numpy())
    return np.concatenate(found)

def rmse(truth, told):
    return float(np.sqrt(((truth - told) ** 2).mean()))

def fold(held):
    scaled = told(inputs) * unit + middle
    return r2_score(truth[held], scaled)

for epoch in range(10):
    for rows in torch.arange(100).split(25):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
    {evaluation}
"""



def lines(statements: str) -> str:
    return statements.replace("; ", "\n    ")


OWN = "with torch.no_grad(): nn.functional.mse_loss(model(x[cut:]), y[cut:])"


@pytest.mark.parametrize("evaluation", [
    "p = told(inputs) * unit + middle; r2_score(truth[held], p)",
    "r2_score(truth[cut:], middle + told(inputs) * unit)",
    "p = told(inputs) * unit; q = middle + p; rmse(truth[cut:], q)",
    "p = told(inputs); q = (p * unit + middle)[:, 0]; print(rmse(truth[held], q[:, None]))",
    "p = in_parts(inputs); print(mean_absolute_error(truth[held], p * unit + middle))",
    "oof[held] = told(inputs); r2_score(y.numpy(), oof)",
    "fold(held)",
    "p = told(inputs) * unit + middle; r2_score(whole[held], p)",
    "told(inputs).round(); rmse(truth, oof); print(r2_score(y[cut:].numpy(), told(inputs)))",
])
def test_values_beside_predictions_are_found(tmp_path: Path, evaluation: str) -> None:
    found = held_out(VALUES.format(evaluation=lines(evaluation)), tmp_path / "silent")
    own = held_out(VALUES.format(evaluation=OWN), tmp_path / "own")
    assert len(found) >= 10 if "rmse(truth, oof)" in evaluation else len(found) == 10
    assert found[-1] == pytest.approx(own[-1], rel=1e-3)


@pytest.mark.parametrize("evaluation", [
    "p = told(inputs); rmse(inputs[:, 2:3].numpy(), p)",
    "p = told(inputs) * unit; r2_score(truth[held], p * len(p))",
    "p = told(inputs); p = p * unit; p = p + middle; rmse(truth[cut:], p)",
    "p = told(inputs); p *= unit; p += middle; rmse(truth[cut:], p)",
    "p = told(inputs); predicted = p + 0.1; r2_score(predicted, p)",
    "p = np.tanh(told(inputs)); r2_score(truth[held], 3 * p)",
    "p = told(inputs); r2_score(truth[np.random.permutation(80)], p * unit + middle)",
])
def test_other_numbers_beside_predictions_are_no_answers(tmp_path: Path, evaluation: str) -> None:
    assert not held_out(VALUES.format(evaluation=lines(evaluation)), tmp_path)


CLASSES = """
import numpy as np
from sklearn import metrics
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
torch.manual_seed(0)
x = torch.randn(180, 6)
y = (x[:, 0] + torch.randn(180) > 0).{kind}()
truth, held, cut = y.numpy(), np.arange(100, 180), 100
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, {outputs}))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
inputs = x.clone()[cut:]

def told(given):
    with torch.no_grad():
        return model(given)

for epoch in range(10):
    for rows in torch.arange(100).split(25):
        optimizer.zero_grad()
        {loss}(model(x[rows]){squeezed}, y[rows]).backward()
        optimizer.step()
    {evaluation}
"""


BINARY = {"kind": "float", "outputs": 1, "squeezed": "[:, 0]",
          "loss": "nn.functional.binary_cross_entropy_with_logits"}
SEVERAL = {"kind": "long", "outputs": 2, "squeezed": "", "loss": "nn.functional.cross_entropy"}


@pytest.mark.parametrize(("classes", "evaluation"), [
    (BINARY, "p = told(inputs)[:, 0].sigmoid().numpy(); log_loss(truth[held], p)"),
    (BINARY, "metrics.roc_auc_score(y_true=truth[cut:], y_score=told(inputs)[:, 0].numpy())"),
    (BINARY, "p = told(inputs)[:, 0] > 0; accuracy_score(truth[cut:], p.numpy())"),
    (SEVERAL, "p = told(inputs).argmax(1).numpy(); accuracy_score(truth[held], p)"),
    (SEVERAL, "p = told(inputs).softmax(1).numpy(); print(log_loss(truth[cut:], p))"),
])
def test_labels_beside_predictions_are_found(
    tmp_path: Path, classes: dict[str, object], evaluation: str
) -> None:
    own = "with torch.no_grad(): {loss}(model(x[cut:]){squeezed}, y[cut:])".format(**classes)
    found, wanted = (
        held_out(CLASSES.format(evaluation=lines(text), **classes), tmp_path / name)
        for text, name in ((evaluation, "silent"), (own, "own")))
    assert len(found) == 10
    assert found == pytest.approx(wanted, rel=1e-4)
