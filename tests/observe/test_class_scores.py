"""Which scores of a classifier of several classes are called wrong, and which are right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import corpus
from harness import records
from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.observe.source.comparisons import compared_values, compares, computed_by, reading
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.scores import Code, Counting, Score
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

PROGRAM = '''
torch.manual_seed(0)
x, x_test = torch.randn(256, 6), torch.randn(90, 6)
y, y_test = (each[:, :4].argmax(1) for each in (x, x_test))
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)

class Meter:
    def __init__(self):
        self.total, self.count, self.average = 0.0, 0, 0.0

    def update(self, value, count):
        self.total += value * count
        self.count += count
        self.average = self.total / self.count

{functions}

for epoch in range(6):
    for rows in torch.randperm(256).split(32):
        loss = F.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    {evaluation}
'''
SUMS = '''
def evaluate(images, labels):
    correct = 0
    with torch.no_grad():
        for inputs, wanted in zip(images.split(30), labels.split(30)):
            correct += {count}
    return correct{divided}
'''


def watched(functions: str, evaluation: str, folder: Path) -> Record:
    """The record of a program that evaluates its classifier after every eight steps."""
    evaluation = evaluation.replace("\n", "\n    ")
    return record_of(PROGRAM.replace("{functions}", functions).replace(
        "{evaluation}", evaluation), folder)


def verdict(record: Record) -> Verdict:
    return dict(diagnose(record).verdicts)["wrong-metric"]


@pytest.mark.parametrize("count", [
    "(net(inputs).argmax(1, keepdim=True) == wanted).float().mean().item()",
    "net(inputs).max(1, keepdim=True)[1].eq(wanted).sum().item()",
    "(net(inputs).argmax(dim=1) == wanted[:, None]).sum()",
])
def test_a_prediction_that_is_compared_with_all_labels(count: str, tmp_path: Path) -> None:
    functions = SUMS.format(count=count, divided=" / 3")
    record = watched(functions, "accuracy = evaluate(x_test, y_test)", tmp_path)
    found = verdict(record)
    assert isinstance(found, Present), found
    assert text_at(found.location) == count
    assert {score.how for score in record.facts(Score)} == {Counting.PAIRS}


@pytest.mark.parametrize("rows", ["part", "mask"])
def test_a_score_of_some_of_the_outputs(rows: str, tmp_path: Path) -> None:
    functions = """
part = torch.randperm(90)[:60]
mask = torch.arange(90) % 3 > 0

def share(out, wanted):
    return (out.argmax(1, keepdim=True) == wanted).float().mean().item()

def evaluate(chosen):
    with torch.no_grad():
        out = net(x_test)
        return F.cross_entropy(out[chosen], y_test[chosen]), share(out[chosen], y_test[chosen])
"""
    evaluation = f"loss, acc = evaluate({rows})"
    found = verdict(watched(functions, evaluation, tmp_path / "wrong"))
    assert isinstance(found, Present), found
    assert text_at(found.location).startswith("(out.argmax(1, keepdim=True) == wanted)")
    right = watched(functions.replace(", keepdim=True", ""), evaluation, tmp_path / "right")
    assert isinstance(verdict(right), Absent)
    assert {score.how for score in right.facts(Score)} == {Counting.RIGHT}


def test_the_largest_of_each_column(tmp_path: Path) -> None:
    source = PROGRAM.replace(":4]", ":6]").replace("16, 4)", "16, 6)")
    functions = SUMS.format(count="(net(inputs).argmax(0) == wanted).sum().item()", divided="")
    record = record_of(source.replace("{functions}", functions.replace("split(30)", "split(6)"))
                       .replace("{evaluation}", "score = evaluate(x_test, y_test)"), tmp_path)
    found = verdict(record)
    assert isinstance(found, Present), found
    assert "for each class, the sample" in found.title


# The form does not matter, nor where the number is kept.
@pytest.mark.parametrize(("functions", "evaluation"), [
    (SUMS.format(count="(net(inputs).argmax(1) == wanted).sum().item()", divided=" / len(labels)"),
     "accuracy = evaluate(x_test, y_test)"),
    (SUMS.format(count="net(inputs).max(1, True)[1].eq(wanted.view(-1, 1)).sum()", divided=""),
     "print(100.0 * evaluate(x_test, y_test) / 90)"),
    (SUMS.format(count="(net(inputs).argmax(1) == wanted).float().mean()", divided=" / 3"),
     "print(evaluate(x_test, y_test))"),
    (SUMS.format(count="(net(inputs).argmax(1) == wanted).sum().item()", divided=" / len(labels)"),
     "scores = [evaluate(*pair) for pair in ((x, y), (x_test, y_test))]"),
    (SUMS.replace("correct = 0", "hits = []").replace("correct += {count}", "hits.append({count})")
     .replace("correct{divided}", "sum(hits) / len(hits)")
     .format(count="(net(inputs).argmax(1) == wanted).float().mean().item()"),
     "print(evaluate(x_test, y_test))"),
    ("", """acc_meter = Meter()
with torch.no_grad():
    for inputs, wanted in zip(x_test.split(40), y_test.split(40)):
        told = net(inputs).argmax(1).numpy()
        acc_meter.update((told == wanted.numpy()).mean(), len(wanted))"""),
    ("history = []", """with torch.no_grad():
    share = (net(x_test).softmax(1).argmax(1) == y_test).float().mean().item()
    history.append({'epoch': epoch, 'test_acc': round(100 * share, 2)})"""),
    ("", """with torch.no_grad():
    accuracy = (net(x).argmax(1) == y).float().mean()
    accuracy_test = (net(x_test).argmax(1) == y_test).float().mean()"""),
], ids=["a sum", "per cent", "means", "two sets", "a list", "a meter", "rounded", "two lines"])
def test_a_right_score_is_absent(functions: str, evaluation: str, tmp_path: Path) -> None:
    record = watched(functions, evaluation, tmp_path)
    assert {score.how for score in record.facts(Score)} == {Counting.RIGHT}
    assert isinstance(verdict(record), Absent)


@pytest.mark.parametrize("count", [
    "net(inputs).topk(2).indices.eq(wanted[:, None]).any(1).sum().item()",
    "(net(inputs).argmax(1) - wanted).abs().lt(2).sum().item()",
], ids=["the two largest", "nearly right"])
def test_other_scores_are_left_alone(count: str, tmp_path: Path) -> None:
    functions = SUMS.format(count=count, divided=" / 90")
    assert isinstance(
        verdict(watched(functions, "accuracy = evaluate(x_test, y_test)", tmp_path)), Unknown)


def test_a_score_that_is_printed_at_once(tmp_path: Path) -> None:
    printed = "with torch.no_grad():\n    print((net(x_test).argmax({}) == y_test).float().mean())"
    assert isinstance(verdict(watched("", printed.format("1"), tmp_path / "right")), Absent)
    kept = printed.format("1, keepdim=True")
    assert isinstance(verdict(watched("", kept, tmp_path / "wrong")), Unknown)


def test_a_program_without_a_score() -> None:
    (program,) = (each for each in corpus.HEALTHY if each.stem == "weight_norm_regression")
    found = verdict(read_record(records.record_of(program)))
    assert isinstance(found, Absent)
    assert "nothing in the program's code" in found.reason


@pytest.mark.parametrize(("code", "how"), [
    ("if epoch == last: print(net(x).argmax(1))", Code.SILENT),
    ("edges = y[:, None] == y[None, :]", Code.SILENT),
    ("_, told = torch.max(out, 1)\nprint((told == y).sum())", Code.LARGEST),
    ("told = out.argmax(dim=-1)\nprint(torch.eq(told[mask].cpu(), y[mask]).sum())", Code.LARGEST),
    ("told = out.argmax(1)\ntold = told.unsqueeze(1)\nprint((told == y).sum())", Code.OTHER),
    ("print(((out.argmax(1) == y) & (y > 0)).sum())", Code.LARGEST),
    ("print((out.argmax() == y).sum())", Code.OTHER),
    ("print((out.argmax(1) == y[:, None]).sum())", Code.OTHER),
    ("print((out.max(1)[0] == y).sum())", Code.OTHER),
    ("print((batch['told'] == batch['y']).sum())", Code.OTHER),
    ("for a, b in pairs:\n    if a == b: correct += 1", Code.OTHER),
    ("from sklearn.metrics import accuracy_score", Code.OTHER),
])
def test_how_code_counts(code: str, how: Code) -> None:
    assert reading([ast.parse(code)]) is how


@pytest.mark.parametrize(("code", "found"), [
    ("told, _ = torch.max(out, 1)\nprint((told == y).sum())", "told == y"),
    ("best = out.max(dim=-1)\nright = torch.eq(labels, best.values.cpu())",
     "torch.eq(labels, best.values.cpu())"),
    ("print((out.max(1)[0] == target).sum())", "out.max(1)[0] == target"),
    ("_, told = torch.max(out, 1)\nprint((told == y).sum())", None),
    ("print((out.argmax(1) == y).sum(), (out.max(1)[1] == y).sum())", None),
    ("most, _ = x.max(1, keepdim=True)\nties = x == most", None),
    ("sure, told = out.max(1)\nkept = told[sure == limit]", None),
])
def test_outputs_that_are_compared_with_labels(code: str, found: str | None) -> None:
    node = compared_values(ast.parse(code))
    assert (None if node is None else ast.unparse(node)) == found


def test_what_an_object_adds_up_is_computed_in_one_of_its_methods() -> None:
    tree = ast.parse("""
class Board:
    def __init__(self):
        self.hits, self.rows = 0.0, 0

    def update(self, logits, target):
        guess = (logits > 0).float()
        self.hits += (guess == target).float().mean().item() * len(target)

def sweep(model, batches):
    board = Board()
    for x, y in batches:
        board.update(model(x), y)
    return board.hits
""")
    found = computed_by(tree, "sweep", 12, "board.hits", compares)
    assert found is not None
    assert ast.unparse(found) == "(guess == target).float().mean().item() * len(target)"
