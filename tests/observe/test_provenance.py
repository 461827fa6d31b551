"""Data are followed back through the text, however the program gets them to its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.schema.facts.calls import CallRole, LossCall, ModelCall

TRAINING = """
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
"""
STEP = """
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
PLAIN = """
    import numpy as np
    table = np.random.rand(64, 5).astype("float32")
    X, Y = table[:, :4], table[:, 4:]
    X[3] = 0.5
    X = (X - X.mean(0)) / X.std(0)
    X, Y = torch.from_numpy(X), torch.tensor(Y)
""" + TRAINING + """
    for epoch in range(2):
        for i in torch.randperm(64).split(16):
            x, y = X[i], Y[i]
""" + STEP.replace("\n", "\n    ")
PLAIN_STEPS = [
    "converted: torch.from_numpy(X)", "risky: (X - X.mean(0)) / X.std(0)", "changed: X[3] = 0.5",
    "made: np.random.rand(64, 5)"]
LOADER = """
    from torch.utils.data import DataLoader, Dataset

    class Rows(Dataset):
        def __init__(self, n):
            self.x = torch.rand(n, 2, 2)
            self.y = self.x.sum((1, 2))[:, None]

        def __len__(self):
            return len(self.x)

        def __getitem__(self, i):
            return self.prepared(self.x[i]), self.y[i]

        def prepared(self, x):
            return x.reshape(4) * 2

    def train(model, loader, optimizer):
        for x, y in loader:
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

""" + TRAINING + """
    loaders = {"train": DataLoader(Rows(64), batch_size=16)}
    for epoch in range(2):
        train(model, loaders["train"], optimizer)
"""
TRAINER = """
    from torch.utils.data import DataLoader, TensorDataset, random_split

    class Trainer:
        def __init__(self, model, data):
            self.model, self.loader = model, DataLoader(data, 16)
            self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

        def fit(self):
            for step, batch in enumerate(self.loader):
                self.step(*batch)

        def step(self, x, y):
            loss = F.mse_loss(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    X, Y = torch.rand(64, 4).clamp(0.1, 0.9), torch.rand(64, 1)
    Y = Y[torch.randperm(64)]
    trainer = Trainer(nn.Linear(4, 1), TensorDataset(X, Y))
    for epoch in range(2):
        for xb, yb in trainer.loader:
            trainer.step(xb, yb)
"""
SPLIT = """
    import numpy as np
    from sklearn.model_selection import train_test_split

    def load():
        table = np.random.rand(80, 4)
        return table, np.log(table.sum(1, keepdims=True))

    as_tensor = lambda values: torch.tensor(values, dtype=torch.float32)
    inputs, targets = load()
    train_x, test_x, train_y, test_y = train_test_split(inputs, targets, test_size=16)
    train_x, train_y = as_tensor(train_x), as_tensor(train_y)
    test_x = as_tensor(test_x)
""" + TRAINING + """
    for x, y in [(train_x, train_y)] * 4:
""" + STEP + """
    with torch.no_grad():
        model(test_x)
"""


@pytest.mark.parametrize(("program", "inputs", "targets"), [
    pytest.param(PLAIN, PLAIN_STEPS, ["converted: torch.tensor(Y)"], id="slices"),
    pytest.param(
        LOADER,
        ["wrapped: Rows(64)", "called: self.prepared(self.x[i])", "computed: x.reshape(4) * 2",
         "shaped: x.reshape(4)", "made: torch.rand(n, 2, 2)"],
        ["wrapped: Rows(64)", "computed: self.x.sum((1, 2))", "made: torch.rand(n, 2, 2)"],
        id="loader"),
    pytest.param(
        TRAINER,
        ["wrapped: TensorDataset(X, Y)", "computed: torch.rand(64, 4).clamp(0.1, 0.9)"],
        ["wrapped: TensorDataset(X, Y)", "ordered: torch.randperm(64)"], id="trainer"),
    pytest.param(
        SPLIT,
        ["called: as_tensor(train_x)", "converted: torch.tensor(values, dtype=torch.float32)",
         "ordered: train_test_split(inputs, targets, test_size=16)", "called: load()"],
        ["called: as_tensor(train_y)", "converted: torch.tensor(values, dtype=torch.float32)",
         "ordered: train_test_split(inputs, targets, test_size=16)", "called: load()",
         "risky: np.log(table.sum(1, keepdims=True))"], id="split"),
])
def test_the_steps_are_found(
    program: str, inputs: list[str], targets: list[str], tmp_path: Path
) -> None:
    record = record_of(program, tmp_path)
    given = next(call for call in record.facts(ModelCall) if call.role is CallRole.TRAIN)
    wanted = next(call for call in record.facts(LossCall) if call.role is CallRole.TRAIN)
    for call, steps in ((given, inputs), (wanted, targets)):
        said = [f"{step.kind}: {text_at(step.location)}" for step in call.steps]
        assert said[:len(steps)] == steps


def test_nothing_is_said_where_the_text_does_not_say_it(tmp_path: Path) -> None:
    record = record_of("""
    def batches(sorted_first):
        if sorted_first:
            return [(torch.rand(16, 4), torch.rand(16, 1))]
        return [(torch.ones(16, 4), torch.rand(16, 1))] * 4
""" + TRAINING + """
    for x, y in batches(False):
""" + STEP, tmp_path)
    call = next(call for call in record.facts(ModelCall) if call.role is CallRole.TRAIN)
    assert [(str(step.kind), text_at(step.location)) for step in call.steps] == [
        ("called", "batches(False)")]


def test_names_that_stand_for_each_other_come_to_an_end(tmp_path: Path) -> None:
    record = record_of("""
    def bare(model):
        model = model.inner
        return model

    class Holder:
        def __init__(self, inner):
            self.inner = inner
            self.x = self.x.y if hasattr(self, "x") else torch.rand(16, 4)

    holder = Holder(nn.Linear(4, 1))
    model = bare(holder)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    a = torch.rand(16, 4)
    b = a
    a = b
    y = torch.rand(16, 1)
    for x in (holder.x, a, holder.x, a):
""" + STEP, tmp_path)
    assert any(call.role is CallRole.TRAIN for call in record.facts(ModelCall))


def test_one_function_may_train_and_validate(tmp_path: Path) -> None:
    record = record_of("""
    from torch.utils.data import DataLoader, TensorDataset

    def epoch(model, loader, optimizer=None):
        for x, y in loader:
            with torch.set_grad_enabled(optimizer is not None):
                loss = F.mse_loss(model(x), y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
""" + TRAINING + """
    seen = DataLoader(TensorDataset(torch.rand(64, 4), torch.rand(64, 1)), 16)
    unseen = DataLoader(TensorDataset(torch.rand(32, 4) * 9, torch.rand(32, 1)), 16)
    for _ in range(2):
        epoch(model, seen, optimizer)
        epoch(model, unseen)
""", tmp_path)
    call = next(call for call in record.facts(ModelCall) if call.role is CallRole.TRAIN)
    assert [text_at(step.location) for step in call.steps] == [
        "TensorDataset(torch.rand(64, 4), torch.rand(64, 1))", "torch.rand(64, 4)"]
    assert [text_at(step.location) for step in call.looked_at][:2] == [
        "TensorDataset(torch.rand(32, 4) * 9, torch.rand(32, 1))", "torch.rand(32, 4) * 9"]
