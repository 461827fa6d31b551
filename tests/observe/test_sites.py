"""Lines and columns of what the user wrote, and nothing of what a library wrote."""

from __future__ import annotations

import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import unstuck
from unstuck.observe.source.sites import Sites, find_operation, library_folders
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.losses import Backward, Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Clipping, Optimizer
from unstuck.schema.places import SourceLocation

START = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
TRAIN = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    F.mse_loss(model(torch.randn(4, 2)), torch.zeros(4, 2)).backward()
    optimizer.step()
"""

Runner = Callable[..., Record]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Runner]:
    """Runs a program, given as source, under watch."""
    def runner(source: str, train: str = TRAIN) -> Record:
        file = tmp_path / "program.py"
        file.write_text(START + textwrap.dedent(source) + train, encoding="utf-8", newline="")
        linecache.checkcache()
        module = ModuleType("program_of_test_sites")
        sys.modules[module.__name__] = module  # dataclasses look themselves up
        with unstuck.watch(tmp_path / "record", overhead=1e9):
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
        del sys.modules[module.__name__]
        record = read_record(tmp_path / "record")
        assert not [o.says for o in record.oddities if o.what == "watcher-failed"]
        return record

    return runner


def source_of(location: SourceLocation | None) -> str:
    """The text that a location points at, from its own file."""
    assert location is not None
    lines = Path(location.file).read_text(encoding="utf-8").splitlines()[
        location.line - 1:location.end_line]
    assert location.text == lines[0]
    lines[-1] = lines[-1][:location.end_column - 1]
    lines[0] = lines[0][location.column - 1:]
    return "\n".join(lines)


def layers(record: Record) -> dict[str, str]:
    """What each layer of the only model was written as."""
    (model,) = record.facts(Model)
    return {layer.name: source_of(layer.location) for layer in model.layers}


# Columns ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", [
    "model = nn.Linear(2, 2)",
    "é = 1; model = nn.Linear(2, 2)",
    "é, 名, 😀 = 1, 2, '😀' ; model = nn.Linear(2, 2)".replace(", 😀 =", ", z ="),
    "if True:\n\tmodel = nn.Linear(2, 2)",
    "if True:\n\té = '\t😀'; model\t=\tnn.Linear(2, 2)",
    "x = 'a\u0301'; model = nn.Linear(2, 2)",
])
def test_columns_are_code_points(line: str, run: Runner) -> None:
    record = run(line)
    found = record.facts(Model)[0].location
    assert source_of(found) == "nn.Linear(2, 2)"
    assert found is not None
    last = line.splitlines()[-1]
    assert found.column == last.index("nn.Linear") + 1
    assert found.end_column == len(last) + 1
    assert found.line == found.end_line == 3 + len(line.splitlines())


def test_calls_over_several_lines(run: Runner) -> None:
    record = run("""
        é = "ü"; model = nn.Sequential(
            nn.Linear(2,
                      8),  # ß
            nn.ReLU(), nn.Linear(
                8, 2, bias=("é" == é),
            ),
        )
        """)
    found = layers(record)
    assert found["0"] == "nn.Linear(2,\n              8)"
    assert found["1"] == "nn.ReLU()"
    assert found["2"] == 'nn.Linear(\n        8, 2, bias=("é" == é),\n    )'
    assert found["model"].startswith("nn.Sequential(\n")
    assert found["model"].endswith("    ),\n)")


# Where a layer is built ---------------------------------------------------------------------------
def test_layers_in_comprehensions(run: Runner) -> None:
    record = run("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])
                self.named = nn.ModuleDict({k: nn.Tanh() for k in "ab"})
                self.body = nn.Sequential(*(nn.Linear(2, 2) for _ in range(2)))

            def forward(self, x):
                for layer in self.layers:
                    x = self.named["a"](layer(x))
                return self.body(x)

        model = Net()
        """)
    found = layers(record)
    assert found["layers.0"] == found["layers.1"] == found["body.1"] == "nn.Linear(2, 2)"
    assert found["named.a"] == "nn.Tanh()"
    assert found["model"] == "Net()"
    assert found["layers"].startswith("nn.ModuleList([")


def test_the_site_is_the_construction_and_not_the_super_line(run: Runner) -> None:
    record = run("""
        class Base(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.inner = nn.Linear(width, width)

            def forward(self, x):
                return self.inner(x)

        class Net(Base):
            def __init__(self):
                super().__init__(2)
                self.extra = Block(3)

        class Block(nn.Linear):
            def __init__(self, number):
                get = lambda: self
                super().__init__(number, number)
                self.me = lambda: get()

        model = Net()
        """)
    found = layers(record)
    assert found == {"model": "Net()", "inner": "nn.Linear(width, width)", "extra": "Block(3)"}


def test_inner_layers_of_torchs_own_have_the_users_line(run: Runner) -> None:
    record = run("""
        layer = nn.TransformerEncoderLayer(2, 1, 4, batch_first=True)
        model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        """, TRAIN.replace("torch.randn(4, 2)", "torch.randn(4, 1, 2)").replace(
            "torch.zeros(4, 2)", "torch.zeros(4, 1, 2)"))
    (model,) = record.facts(Model)
    assert source_of(model.location) == "nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)"  # noqa: E501
    # Copies are not constructed: their site is unknown, never a line of torch.
    files = {layer.location.file for layer in model.layers if layer.location}
    assert all(file.endswith("program.py") for file in files)


def test_factories_lambdas_and_partials(run: Runner) -> None:
    record = run("""
        from functools import partial

        def build(kind, *sizes):
            return kind(*sizes)

        act = lambda: nn.ReLU()
        linear = partial(nn.Linear, 2)
        model = nn.Sequential(build(nn.Linear, 2, 2), act(), linear(2), *map(nn.Dropout, [0.1]))
        """)
    found = layers(record)
    assert found["0"] == "kind(*sizes)"
    assert found["1"] == "nn.ReLU()"
    assert found["2"] == "linear(2)"
    assert found["3"] == "map(nn.Dropout, [0.1])" or found["3"].startswith("nn.Sequential(")


def test_decorated_factories(run: Runner) -> None:
    record = run("""
        from functools import lru_cache, wraps

        def loud(function):
            @wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper

        @lru_cache
        @loud
        def build():
            return nn.Linear(2, 2)

        model = build()
        """)
    assert layers(record) == {"model": "nn.Linear(2, 2)"}


def test_a_decorated_constructor(run: Runner) -> None:
    record = run("""
        from functools import wraps

        def saves_arguments(function):
            @wraps(function)
            def wrapper(self, *args):
                function(self, *args)
                self.arguments = args
            return wrapper

        class Net(nn.Linear):
            @saves_arguments
            def __init__(self, width):
                super().__init__(width, width)

        model = Net(2)
        """)
    assert layers(record) == {"model": "Net(2)"}


def test_a_dataclass_module(run: Runner) -> None:
    record = run("""
        from dataclasses import dataclass

        @dataclass(eq=False)
        class Net(nn.Module):
            width: int

            def __post_init__(self):
                super().__init__()
                self.inner = nn.Linear(self.width, self.width)

            def forward(self, x):
                return self.inner(x)

        model = Net(2)
        """)
    found = layers(record)
    assert found["inner"] == "nn.Linear(self.width, self.width)"
    assert found["model"] == "Net(2)"


def test_source_from_a_string_belongs_to_who_runs_it(run: Runner) -> None:
    record = run("""
        exec("model = nn.Sequential(nn.Linear(2, 2))")
        inner = eval("nn.Linear(2, 2)")
        model.append(inner)
        """)
    found = layers(record)
    assert found["model"] == found["0"] == 'exec("model = nn.Sequential(nn.Linear(2, 2))")'
    assert found["1"] == 'eval("nn.Linear(2, 2)")'


# Optimizers, losses, loaders ----------------------------------------------------------------------
def test_where_everything_else_is(run: Runner) -> None:
    record = run("""
        from torch.utils.data import DataLoader, TensorDataset
        é = 0; loader = DataLoader(
            TensorDataset(torch.randn(8, 2)), batch_size=4)
        model = nn.Linear(2, 2)

        class Mine(torch.optim.SGD):
            def __init__(self, parameters):
                super().__init__(parameters, lr=0.1)

        optimizer = Mine(model.parameters())
        criterion = nn.MSELoss()
        for epoch in range(2):
            for (x,) in loader:
                optimizer.zero_grad()
                é = 1; loss = criterion(model(x), torch.zeros(4, 2)); loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
        """, "")
    assert source_of(record.facts(Optimizer)[0].location) == "Mine(model.parameters())"
    assert source_of(record.facts(Loss)[0].location) == "criterion(model(x), torch.zeros(4, 2))"
    assert source_of(record.facts(Backward)[0].location) == "loss.backward()"
    clip = "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"
    assert source_of(record.facts(Clipping)[0].location) == clip
    assert source_of(record.facts(Loader)[0].location).startswith("DataLoader(\n")
    assert source_of(record.facts(Model)[0].call_location) == "model(x)"


def test_two_losses_on_one_line_are_two_places(run: Runner) -> None:
    record = run("""
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            z = model(torch.randn(4, 2)); optimizer.zero_grad()
            (F.mse_loss(z, z.detach() + 1) + F.mse_loss(z, torch.zeros(4, 2))).backward()
            optimizer.step()
        """, "")
    assert [source_of(loss.location) for loss in record.facts(Loss)] == [
        "F.mse_loss(z, z.detach() + 1)", "F.mse_loss(z, torch.zeros(4, 2))"]


# Sites alone --------------------------------------------------------------------------------------
def test_whose_a_file_is(tmp_path: Path) -> None:
    sites = Sites(None, keep_text=True)
    assert sites.is_user(__file__)
    assert sites.is_user(str(tmp_path / "x.py"))
    for file in (torch.__file__, nn.__file__, linecache.__file__, pytest.__file__, "<string>",
                 sys.modules["unstuck.observe.source.sites"].__file__, "<frozen runpy>"):
        assert file is not None
        assert not sites.is_user(file)
    assert sites.is_user("<ipython-input-3-abc>")
    assert sites.is_user("<stdin>")


def test_a_program_inside_an_installed_package_is_the_users() -> None:
    folder = next(f for f in library_folders() if "site-packages" in f)
    sites = Sites(folder + "mypackage", keep_text=True)
    assert sites.is_user(folder + "mypackage/train.py")
    assert not sites.is_user(folder + "mypackage2/train.py")
    assert not sites.is_user(torch.__file__)


def test_text_is_left_out_when_it_is_not_wanted(tmp_path: Path) -> None:
    def here(sites: Sites) -> SourceLocation | None:
        return sites.location(sites.here())

    assert here(Sites(None, keep_text=False)).text is None  # type: ignore[union-attr]
    with_text = here(Sites(None, keep_text=True))
    assert with_text is not None
    assert with_text.text is not None
    assert "sites.here()" in with_text.text


@pytest.mark.parametrize(("line", "operation", "expected"), [
    ("é = torch.log(p) + 1", "LogBackward0", "torch.log(p)"),
    ("y = x.log().mean()", "LogBackward0", "x.log()"),
    ("y = a / b", "DivBackward0", "a / b"),
    ("y = (a - b) ** 2", "PowBackward0", "(a - b) ** 2"),
    ("y = (a - b) ** 2", "SubBackward0", "a - b"),
    ("y = torch.sqrt(x)", "SqrtBackward0", "torch.sqrt(x)"),
    ("y = x ** 0.5", "PowBackward0", "x ** 0.5"),
    ("y = torch.exp(z)", "ExpBackward0", "torch.exp(z)"),
    ("y = x.norm(dim=1)", "LinalgVectorNormBackward0", "x.norm(dim=1)"),
    ("y = something(x)", "LogBackward0", "y = something(x)"),
    ("return F.log_softmax(f(x), dim=1)", "LogSoftmaxBackward0", "F.log_softmax(f(x), dim=1)"),
    ("y = F.leaky_relu(f(x), 0.1)", "LeakyReluBackward0", "F.leaky_relu(f(x), 0.1)"),
    ("y = h.clamp(min=0) - 1", "ClampBackward1", "h.clamp(min=0)"),
    ("y = h.clamp_min_(0)", "ClampMinBackward0", "h.clamp_min_(0)"),
    ("y = special.expit(f(x))", "SigmoidBackward0", "special.expit(f(x))"),
    ("y = relu(g(relu(x)))", "ReluBackward0", "relu(x)"),
])
def test_operations_are_found_on_their_line(
    line: str, operation: str, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.py"
    file.write_text(f"def é():\n {line}\n", encoding="utf-8")
    linecache.checkcache()
    assert source_of(find_operation(str(file), 2, operation)).strip() == expected


def test_the_last_of_several_operations_makes_what_follows(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("y = relu(g(relu(x)))\n")
    found = find_operation(str(tmp_path / "x.py"), 1, "ReluBackward0", last=True)
    assert source_of(found) == "relu(g(relu(x)))"


def test_a_method_on_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("y = (f(x)\n     .relu()\n     .mean())\n")
    found = find_operation(str(tmp_path / "x.py"), 2, "ReluBackward0")
    assert source_of(found) == "f(x)\n     .relu()"


def test_a_file_that_cannot_be_parsed_or_found_has_no_operations(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("y = = 1\n")
    assert find_operation(str(tmp_path / "x.py"), 1, "LogBackward0") is None
    missing: Any = find_operation(str(tmp_path / "none.py"), 1, "LogBackward0")
    assert missing is None or missing.line == 1
