"""What watching torch can go wrong at: each trap is run, small but real."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import multiprocessing
import pickle
import random
import re
import runpy
import sys
import textwrap
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo.testing
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import cross_entropy as early_cross_entropy
from torch.nn.functional import mse_loss as early_mse_loss
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from harness.apart import PRELOAD
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.stop import STOPS_BEFORE_EXIT
from unstuck.record.reader import EVENTS, Record, RecordWriter, read_record
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import EndKind
from unstuck.schema.signals import BY_NAME
from unstuck.schema.signals.losses import HELD_OUT_LOSS, LEARNING_RATE, TRAIN_LOSS
from unstuck.schema.signals.parameters import CARRIED_GRADIENT, GRADIENT_NORM
from unstuck.torch_api import LOSSES

ALWAYS = 1e9  # an overhead that lets every scheduled step be sampled, whatever the clock says


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, no debugging, and nothing of dynamo's left over."""
    monkeypatch.delenv("UNSTUCK_DEBUG", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    CODES[:] = [function.__code__ for function in hooked_functions()]  # dynamo has its own swaps
    yield
    torch.set_num_threads(threads)
    torch.autograd.set_detect_anomaly(False)  # one failing test is enough


def seed() -> None:
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)


def random_states() -> list[Any]:
    return [torch.get_rng_state().tolist(), random.getstate(), repr(np.random.get_state())]


def healthy(folder: Path) -> Record:
    """A record of a watching that did not break down."""
    record = read_record(folder)
    assert not [o.says for o in record.oddities if o.what == "watcher-failed"]
    return record


def watched(program: Callable[[], Any], folder: Path, **options: Any) -> tuple[Any, Record]:
    with unstuck.watch(folder, overhead=ALWAYS, **options):
        result = program()
    return result, healthy(folder)


def assert_equal(bare: Any, other: Any) -> None:
    """Bit for bit, whatever it is made of."""
    assert type(bare) is type(other)
    if isinstance(bare, torch.Tensor):
        assert bare.dtype == other.dtype
        torch.testing.assert_close(other, bare, rtol=0, atol=0, equal_nan=True)
    elif isinstance(bare, nn.Module):
        assert_equal(dict(bare.state_dict()), dict(other.state_dict()))
        assert [m.training for m in bare.modules()] == [m.training for m in other.modules()]
    elif isinstance(bare, dict):
        assert list(bare) == list(other)
        for key in bare:
            assert_equal(bare[key], other[key])
    elif isinstance(bare, list | tuple):
        assert len(bare) == len(other)
        for a, b in zip(bare, other, strict=True):
            assert_equal(a, b)
    else:
        assert bare == other


def same(program: Callable[[], Any], folder: Path, **options: Any) -> tuple[Any, Record]:
    """Runs bare and watched: the result and every random state must be the same."""
    seed()
    bare = program()
    states = random_states()
    seed()
    result, record = watched(program, folder, **options)
    assert_equal(bare, result)
    assert random_states() == states
    return result, record


def net(*extra: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), *(extra or (nn.ReLU(),)), nn.Linear(8, 3))


def data(count: int = 16, features: int = 6, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(count, features), torch.randint(classes, (count,))


def train(
    model: Callable[..., Any], optimizer: torch.optim.Optimizer, steps: int = 7,
    loss: Callable[..., torch.Tensor] = F.cross_entropy,
) -> None:
    for _ in range(steps):
        x, y = data()
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()


def plain(steps: int = 7) -> Any:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimizer, steps)
    return model, optimizer.state_dict()


def carried(record: Record) -> list[float]:
    """The carried shares of the only optimizer."""
    (series,) = record.series(CARRIED_GRADIENT).values()
    return series.values.tolist()


# Numerics -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_runs_no_forward_twice(reentrant: bool, tmp_path: Path) -> None:
    def program() -> Any:
        block = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
        first, head = nn.Linear(6, 6), nn.Linear(8, 3)
        model = nn.ModuleList([first, block, head])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def forward(x: torch.Tensor) -> torch.Tensor:
            return head(checkpoint(block, first(x), use_reentrant=reentrant))

        train(forward, optimizer, 6)
        return model

    model, record = same(program, tmp_path)
    assert model[1][1].num_batches_tracked == 12  # torch's own recomputation counts
    assert len(record.series(TRAIN_LOSS)) == 6


def test_in_place_activations(tmp_path: Path) -> None:
    def program() -> Any:
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3),
            nn.LeakyReLU(inplace=True), nn.Dropout(0.2), nn.Flatten(),
            nn.Linear(64, 3))
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(6):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.randn(8, 1, 8, 8)), torch.randint(3, (8,))).backward()
            optimizer.step()
        return model, optimizer.state_dict()

    same(program, tmp_path)


def test_the_fused_transformer_stays_fused(tmp_path: Path) -> None:
    def program() -> Any:
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        encoder = nn.TransformerEncoder(layer, 2)
        optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
        outputs = []
        for _ in range(6):
            optimizer.zero_grad()
            encoder(torch.randn(4, 5, 16)).square().mean().backward()
            optimizer.step()
            encoder.eval()
            with torch.no_grad():
                outputs.append(encoder(torch.randn(4, 5, 16)))
            with torch.inference_mode():
                outputs.append(encoder(torch.randn(4, 5, 16)).clone())
            encoder.train()
        return encoder, [o.tolist() for o in outputs]

    same(program, tmp_path)


def test_double_and_half_precision(tmp_path: Path) -> None:
    def program() -> Any:
        double = net().double()
        optimizer = torch.optim.Adam(double.parameters())
        for _ in range(6):
            x, y = data()
            optimizer.zero_grad()
            F.cross_entropy(double(x.double()), y).backward()
            optimizer.step()
        half = net().to(torch.bfloat16)
        other = torch.optim.SGD(half.parameters(), lr=0.1)
        train(lambda x: half(x.to(torch.bfloat16)), other, 6)
        return double, half

    same(program, tmp_path)


def test_autocast(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.Adam(model.parameters())

        def loss(given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            assert given.dtype is torch.bfloat16
            return F.cross_entropy(given.float(), target)

        for _ in range(6):
            x, y = data()
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                value = loss(model(x), y)
            value.backward()
            optimizer.step()
        return model

    same(program, tmp_path)


def test_models_made_under_a_device(tmp_path: Path) -> None:
    def program() -> Any:
        with torch.device("cpu"):
            model = net()
            optimizer = torch.optim.Adam(model.parameters())
            train(model, optimizer)
        assert torch.get_default_device().type == "cpu"
        return model

    same(program, tmp_path)


def test_a_model_without_storage(tmp_path: Path) -> None:
    def program() -> Any:
        with torch.device("meta"):
            shapes = net()
        output = shapes(torch.empty(4, 6, device="meta"))
        with torch.no_grad():
            shapes(torch.empty(4, 6, device="meta"))
        return tuple(output.shape), plain()

    same(program, tmp_path)


@pytest.mark.parametrize("kind", ["empty batch", "complex input", "sparse input", "scalar output"])
def test_unusual_tensors_warn_no_one(kind: str, tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(7):
            x, y = data()
            optimizer.zero_grad()
            if kind == "empty batch" and step % 2:
                loss = model(x[:0]).sum()
            elif kind == "complex input":
                loss = F.cross_entropy(Spectrum.over(model, torch.fft.fft(x)), y)
            elif kind == "sparse input":
                loss = F.cross_entropy(Graph.over(model, torch.eye(16).to_sparse(), x), y)
            else:
                loss = model(x).logsumexp((0, 1))
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                if kind == "empty batch":
                    model(x[:0])
                elif kind == "complex input":
                    Spectrum.over(model, torch.fft.fft(x))
                elif kind == "sparse input":
                    Graph.over(model, torch.eye(16).to_sparse(), x)
        return model

    same(program, tmp_path)


class Spectrum(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.abs())

    @classmethod
    def over(cls, inner: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return cls(inner)(x)


class Graph(Spectrum):
    def forward(self, adjacent: torch.Tensor, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.inner(torch.sparse.mm(adjacent, x))

    @classmethod
    def over(cls, inner: nn.Module, *given: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return cls(inner)(*given)


def test_sparse_gradients(tmp_path: Path) -> None:
    def program() -> Any:
        embedding = nn.EmbeddingBag(20, 4, sparse=True, mode="sum")
        model = nn.Sequential(embedding, nn.Linear(4, 3))
        sparse = torch.optim.SparseAdam(embedding.parameters())
        dense = torch.optim.SGD(model[1].parameters(), lr=0.1)
        for _ in range(6):
            sparse.zero_grad()
            dense.zero_grad()
            F.cross_entropy(model(torch.randint(20, (8, 5))), torch.randint(3, (8,))).backward()
            sparse.step()
            dense.step()
        return model, sparse.state_dict()

    _, record = same(program, tmp_path)
    assert all((s.values == 0).all() for s in record.series(CARRIED_GRADIENT).values())
    assert any("0.weight" in name for name in record.series(GRADIENT_NORM))


def test_shared_parameters(tmp_path: Path) -> None:
    def program() -> Any:
        embedding, head = nn.Embedding(9, 5), nn.Linear(5, 9, bias=False)
        head.weight = embedding.weight
        model = nn.Sequential(embedding, head)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(6):
            tokens = torch.randint(9, (8,))
            optimizer.zero_grad()
            F.cross_entropy(model(tokens), tokens).backward()
            optimizer.step()
        return model

    _, record = same(program, tmp_path)
    assert len(record.facts(Model)[0].parameters) == 1
    assert record.facts(Optimizer)[0].parameters == (record.facts(Model)[0].parameters[0].name,)


def test_lazy_layers(tmp_path: Path) -> None:
    def program() -> Any:
        model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
        unused = nn.ModuleDict({"used": model, "unused": nn.LazyLinear(2)})

        class Outer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.parts = unused

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.parts["used"](x)

        outer = Outer()
        outer(torch.randn(2, 6))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(outer, optimizer)
        return model

    _, record = same(program, tmp_path)
    assert len(record.series(TRAIN_LOSS)) == 7


def test_a_model_that_lists_its_parameters_itself(tmp_path: Path) -> None:
    class Listed(nn.Sequential):
        def parameters(self, recurse: bool = True) -> list[nn.Parameter]:  # type: ignore[override]
            return list(super().parameters(recurse))

    def program() -> Any:
        model = Listed(nn.Linear(6, 3))
        train(model, torch.optim.SGD(model.parameters(), lr=0.1))
        return model

    same(program, tmp_path)


def test_function_transforms(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        x, y = data()
        parameters = {name: p.detach() for name, p in model.named_parameters()}

        def loss(values: Any, one: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            output = torch.func.functional_call(model, values, (one.unsqueeze(0),))
            return F.cross_entropy(output, target.unsqueeze(0))

        gradients = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, x, y)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(model, optimizer)
        return gradients, model

    same(program, tmp_path)


# Objects of the program ---------------------------------------------------------------------------
def test_a_model_is_saved_pickled_and_copied_while_watched(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.Adam(model.parameters())
        copies = []
        for _ in range(6):
            train(model, optimizer, 1)
            file = io.BytesIO()
            torch.save(model, file)
            file.seek(0)
            copies.append(torch.load(file, weights_only=False))
            copies.append(copy.deepcopy(model))
            copies.append(pickle.loads(pickle.dumps(model)))
            pickle.dumps(copy.deepcopy(optimizer))
        for other in copies:
            assert all(not m._forward_hooks and not m._forward_pre_hooks for m in other.modules())
        pickle.dumps([F.cross_entropy, F.mse_loss, nn.CrossEntropyLoss(), torch.autograd.backward])
        return model, copies

    same(program, tmp_path)


def test_an_output_is_saved_without_a_warning(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        x, y = data()
        output = model(x)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.save(output, io.BytesIO())
        F.cross_entropy(output, y).backward()
        return [str(w.message) for w in caught]

    same(program, tmp_path)


def test_the_functions_look_as_before(tmp_path: Path) -> None:
    functions = (F.cross_entropy, F.mse_loss, nn.Module.load_state_dict, torch.compile,
                 torch.optim.Optimizer.__init__, torch.autograd.backward, DataLoader.__init__)
    before = [(inspect.signature(f), inspect.getsource(f), f.__name__, f.__doc__)
              for f in functions]
    with unstuck.watch(tmp_path):
        after = [(inspect.signature(f), inspect.getsource(f), f.__name__, f.__doc__)
                 for f in functions]
    assert before == after


def test_nothing_of_the_program_is_kept_alive(tmp_path: Path) -> None:
    def program() -> Any:
        found = []
        for _ in range(2):
            model = net()
            optimizer = torch.optim.Adam(model.parameters())
            train(model, optimizer, 3)
            refs = [weakref.ref(model), weakref.ref(optimizer), weakref.ref(model[0].weight)]
            del model, optimizer
            gc.collect()
            found.append([ref() is None for ref in refs])
        return found

    result, _ = same(program, tmp_path)
    assert result == [[True] * 3] * 2


def test_a_deleted_variable_is_free_at_once(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        freed = []
        for _ in range(3):
            x, y = data()
            output = model(x)
            loss = F.cross_entropy(output, y)
            loss.backward()
            optimizer.step()
            refs = [weakref.ref(x), weakref.ref(output), weakref.ref(loss)]
            del x, output, loss
            freed.append([ref() is None for ref in refs])
        return freed

    result, _ = same(program, tmp_path)
    assert result == [[True] * 3] * 3


# Compilers ----------------------------------------------------------------------------------------
def scripted_loss(given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(given, target) + 0.1 * F.mse_loss(given, torch.zeros_like(given))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_scripting_losses_and_models(tmp_path: Path) -> None:
    def program() -> Any:
        function = torch.jit.script(scripted_loss)
        module = torch.jit.script(nn.CrossEntropyLoss())
        model = torch.jit.script(net())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        values = []
        for _ in range(6):
            x, y = data()
            optimizer.zero_grad()
            output = model(x)
            values += [function(output, y), module(output, y)]
            (values[-1] + values[-2]).backward()
            optimizer.step()
        return [v.detach() for v in values], list(model.state_dict().values())

    same(program, tmp_path)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_tracing_sees_the_model_alone(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x, y = data()
        traced = torch.jit.trace(model, x)
        train(traced, optimizer, 3)
        loss = torch.jit.trace(lambda a, b: F.cross_entropy(a, b), (model(x).detach(), y))
        # torch numbers the traces of a process; the number is no difference.
        mangled = re.compile(r"___torch_mangle_\d+\.")
        return *(mangled.sub("", str(t.inlined_graph)) for t in (traced, loss)), model

    same(program, tmp_path)


def test_symbolic_tracing_and_export(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        x, _ = data()
        graph = torch.fx.symbolic_trace(model)
        exported = torch.export.export(model, (x,))
        return graph.code, str(exported.graph), graph(x).detach()

    same(program, tmp_path)


def compiled(backend: Any, *, early: Callable[..., Any] | None = None) -> Any:
    model = net()
    fast = torch.compile(model, fullgraph=True, backend=backend)
    loss = early or torch.compile(
        lambda a, b: F.cross_entropy(a, b), fullgraph=True, backend=backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(fast, optimizer, 12, loss)
    model.eval()
    with torch.no_grad():
        fast(data()[0])
    return model


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_compiled_model_and_loss(tmp_path: Path) -> None:
    counts = []

    def program() -> Any:
        torch._dynamo.reset()
        counter = torch._dynamo.testing.CompileCounter()
        model = compiled(counter)
        counts.append(counter.frame_count)
        return model

    _, record = same(program, tmp_path)
    assert counts[1] == counts[0]
    assert record.facts(Model)[0].compiled
    assert len(record.series(TRAIN_LOSS)) == 12


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_loss_compiled_before_the_watching(tmp_path: Path) -> None:
    counts = []

    def program() -> Any:
        model = compiled(counter, early=loss)
        counts.append(counter.frame_count)
        return model

    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    loss = torch.compile(lambda a, b: F.cross_entropy(a, b), fullgraph=True, backend=counter)
    same(program, tmp_path)
    # The watched run compiles its new model twice, and the loss at most once more.
    assert counts[1] - counts[0] <= counts[0]


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_model_compiled_in_place_before_the_watching(tmp_path: Path) -> None:
    def program(watch: bool) -> Any:
        torch._dynamo.reset()
        model = Parts()
        counter = torch._dynamo.testing.CompileCounter()
        model.compile(fullgraph=True, backend=counter)
        with unstuck.watch(tmp_path, overhead=ALWAYS) if watch else nullcontext():
            train(model, torch.optim.SGD(model.parameters(), lr=0.1), 12)
        return dict(model.state_dict()), counter.frame_count

    results = []
    for watch in (False, True):
        seed()
        results.append(program(watch))
    assert_equal(results[0][0], results[1][0])
    assert results[1][1] <= results[0][1] + 1
    healthy(tmp_path)


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_compiled_model_outlives_the_watching(tmp_path: Path) -> None:
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    model = net()
    fast = torch.compile(model, fullgraph=True, backend=counter)
    with unstuck.watch(tmp_path):
        train(fast, torch.optim.SGD(model.parameters(), lr=0.1), 7)
    inside = counter.frame_count
    train(fast, torch.optim.SGD(model.parameters(), lr=0.1), 7)
    assert counter.frame_count <= inside + 1


# Steps --------------------------------------------------------------------------------------------
class Mine(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.mark.parametrize("plain_first", [False, True])
def test_a_subclassed_optimizer_steps_once(plain_first: bool, tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        if plain_first:
            torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        optimizer = Mine(model.parameters(), lr=0.1, momentum=0.5)
        train(model, optimizer)
        return model

    _, record = same(program, tmp_path)
    assert record.series(TRAIN_LOSS).steps.tolist() == list(range(7))
    assert [o.kind for o in record.facts(Optimizer)] == ["Mine"]
    assert carried(record) == [0.0] * len(carried(record))


class Sam(torch.optim.Optimizer):
    """Steps up the gradient, then down from where it was with another optimizer."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.base = torch.optim.SGD(self.param_groups, lr=lr)

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        with torch.enable_grad():
            value = closure()
        parameters = [p for group in self.param_groups for p in group["params"]]
        with torch.no_grad():
            ascents = [0.05 * p.grad for p in parameters]
            for p, e in zip(parameters, ascents, strict=True):
                p.add_(e)
        with torch.enable_grad():
            closure()
        with torch.no_grad():
            for p, e in zip(parameters, ascents, strict=True):
                p.sub_(e)
        self.base.step()
        return value


def with_closure(make: Callable[..., torch.optim.Optimizer], steps: int = 7) -> Any:
    model = net()
    optimizer = make(model.parameters())
    for _ in range(steps):
        x, y = data()

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)
    return model


@pytest.mark.parametrize("make", [
    lambda p: Sam(p, 0.1),
    lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=4),
    lambda p: torch.optim.SGD(p, lr=0.1),
], ids=["SAM", "LBFGS", "SGD"])
def test_optimizers_that_call_a_closure(make: Any, tmp_path: Path) -> None:
    _, record = same(lambda: with_closure(make), tmp_path)
    assert sorted(set(record.series(TRAIN_LOSS).steps.tolist())) == list(range(7))
    assert record.steps == 7
    assert set(carried(record)) == {0.0}


def test_a_step_that_raises_is_no_nested_step(tmp_path: Path) -> None:
    class Refuses(torch.optim.SGD):
        calls = 0

        def step(self, closure: Any = None) -> Any:
            self.calls += 1
            if self.calls == 2:
                raise ArithmeticError("not this one")
            return super().step(closure)

    def program() -> Any:
        model = net()
        optimizer = Refuses(model.parameters(), lr=0.1)
        for _ in range(8):
            try:
                train(model, optimizer, 1)
            except ArithmeticError:
                continue
        return model

    _, record = same(program, tmp_path)
    assert record.steps == 7


def test_a_gradient_scaler_leaves_no_trace_in_the_loss(tmp_path: Path) -> None:
    values: list[float] = []

    def program() -> Any:
        values.clear()
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for _ in range(7):
            x, y = data()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            values.append(loss.item())
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        return model, scaler.state_dict()

    _, record = same(program, tmp_path)
    assert record.series(TRAIN_LOSS).values.tolist() == values


def test_a_gradient_scaler_over_a_hand_written_loss(tmp_path: Path) -> None:
    values: list[float] = []

    def program() -> Any:
        values.clear()
        model = nn.Linear(6, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for _ in range(7):
            x, _ = data()
            optimizer.zero_grad()
            loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
            values.append(loss.item())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return model

    _, record = same(program, tmp_path)
    assert record.series(TRAIN_LOSS).values.tolist() == values


def test_losses_imported_early_are_seen(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(model, optimizer, 6, early_cross_entropy)
        other = nn.Linear(6, 3)
        train(other, torch.optim.SGD(other.parameters(), lr=0.1), 6,
              lambda a, b: early_mse_loss(a, F.one_hot(b, 3).float()))
        return model, other

    _, record = same(program, tmp_path)
    assert [loss.function for training in record.trainings for loss in training.facts(Loss)] == [
        "cross_entropy", "mse_loss"]


def test_accumulated_gradients_are_not_carried(tmp_path: Path) -> None:
    values: list[float] = []

    def program() -> Any:
        values.clear()
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(6):
            optimizer.zero_grad()
            for _ in range(4):
                x, y = data()
                loss = F.cross_entropy(model(x), y)
                values.append(loss.item())
                (loss / 4).backward()
            optimizer.step()
        return model

    _, record = same(program, tmp_path)
    series = record.series(TRAIN_LOSS)
    assert series.values.tolist() == values
    assert series.steps.tolist() == [step for step in range(6) for _ in range(4)]
    assert record.steps == 6
    assert set(carried(record)) == {0.0}


def zeroed(how: str) -> Any:
    """Six steps that clear the gradients in one way or another, or not."""
    model, other = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(6):
        x, y = data()
        if how == "before":
            optimizer.zero_grad()
        if how == "kept tensors":
            optimizer.zero_grad(set_to_none=False)
        if how == "wrong model":
            other.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if how == "between":
            model.zero_grad()
        loss.backward()
        optimizer.step()
        if how == "after":
            optimizer.zero_grad()
        if how == "by hand":
            for p in model.parameters():
                p.grad = None
        if how == "data":
            for p in model.parameters():
                p.grad.data.zero_()
    return model


@pytest.mark.parametrize(("how", "share"), [
    ("before", 0.0), ("kept tensors", 0.0), ("between", 0.0), ("after", 0.0), ("by hand", 0.0),
    ("data", 0.0), ("wrong model", 1.0), ("never", 1.0),
])
def test_forgotten_gradients(how: str, share: float, tmp_path: Path) -> None:
    _, record = same(lambda: zeroed(how), tmp_path)
    assert set(carried(record)) == {share}
    assert len(carried(record)) >= 4


def test_a_gan_carries_nothing(tmp_path: Path) -> None:
    def program() -> Any:
        maker, judge = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        making = torch.optim.Adam(maker.parameters(), lr=0.01)
        judging = torch.optim.Adam(judge.parameters(), lr=0.01)
        bce = nn.BCEWithLogitsLoss()
        for _ in range(6):
            real, fake = torch.randn(8, 2) + 2, maker(torch.randn(8, 2))
            judging.zero_grad()
            (bce(judge(real), torch.ones(8, 1)) + bce(judge(fake.detach()), torch.zeros(8, 1))
             ).backward()
            judging.step()
            making.zero_grad()
            bce(judge(fake), torch.ones(8, 1)).backward()
            making.step()
        return maker, judge

    _, record = same(program, tmp_path)
    found = record.series(CARRIED_GRADIENT)
    assert len(found) == 2
    assert all((series.values == 0).all() for series in found.values())
    assert len({model.name for model in record.facts(Model)}) == 2


def test_a_hand_written_update_counts_steps(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        for _ in range(9):
            x, y = data()
            F.cross_entropy(model(x), y).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
                    p.grad = None
        return model

    _, record = same(program, tmp_path)
    assert record.series(TRAIN_LOSS).steps.tolist() == list(range(9))
    assert record.steps == 9
    assert not record.facts(Optimizer)


def test_several_losses_in_one_backward(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(6):
            x, y = data()
            optimizer.zero_grad()
            torch.autograd.backward([F.cross_entropy(model(x), y), model(x).square().mean()])
            optimizer.step()
        return model

    _, record = same(program, tmp_path)
    assert record.steps == 6


def test_gradients_by_autograd_grad(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(6):
            x, y = data()
            found = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
            for p, g in zip(model.parameters(), found, strict=True):
                p.grad = g
            optimizer.step()
        return model

    _, record = same(program, tmp_path)
    assert record.steps == 6  # optimizer steps, whether or not a loss was seen


def test_a_learning_rate_in_a_tensor(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.5))
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        for _ in range(4):
            train(model, optimizer, 1)
            schedule.step()
        return model

    _, record = same(program, tmp_path)
    assert record.series(LEARNING_RATE)["SGD.0"].values.tolist() == [0.5, 0.25, 0.125, 0.0625]


def test_the_programs_own_anomaly_detection_works(tmp_path: Path) -> None:
    def program() -> Any:
        weight = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([weight], lr=0.0)
        modes, errors = [], []
        for step in range(4):
            optimizer.zero_grad()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with torch.autograd.detect_anomaly():
                    loss = torch.sqrt(weight * (0.0 if step else 1.0)).sum()
                    try:
                        loss.backward()
                    except RuntimeError as error:
                        errors.append("nan values" in str(error))
            optimizer.step()
            modes.append((torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()))
        return errors, modes

    seed()
    bare = program()
    result, _ = watched(program, tmp_path)
    assert result[0] == bare[0] == [True] * 3
    assert not torch.is_anomaly_enabled()
    # Our own tracing between two steps may show, but it must not stay.
    assert result[1][-1] == bare[1][-1]


# How modules are called ---------------------------------------------------------------------------
class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.again = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.encoder(x)
        for _ in range(3):
            z = torch.tanh(self.again(z))
        return self.head(z)


CALLS: dict[str, Callable[[Parts, torch.Tensor], torch.Tensor]] = {
    "call": lambda model, x: model(x),
    "keyword": lambda model, x: model(x=x),
    "forward": lambda model, x: model.forward(x),
    "parts": lambda model, x: model.head(model.again(model.encoder(x))),
}


@pytest.mark.parametrize("how", CALLS)
def test_ways_to_call_a_model(how: str, tmp_path: Path) -> None:
    def program() -> Any:
        model = Parts()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(lambda x: CALLS[how](model, x), optimizer)
        return model

    _, record = same(program, tmp_path)
    (model,) = record.facts(Model)
    assert model.kind == "Parts"
    assert {p.name for p in model.parameters} == {
        f"{layer}.{kind}" for layer in ("encoder.0", "again", "head") for kind in ("weight", "bias")
    }
    assert model.first_layer == "encoder.0"
    assert record.steps == 7
    assert len([layer for layer in model.layers if layer.name == "again"]) == 1
    if how != "forward":
        assert model.input_shape == (16, 6)
        assert model.input_dtype == "float32"


def test_a_layer_called_often_counts_once(tmp_path: Path) -> None:
    def program() -> Any:
        model = Parts()
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 4)
        return model

    _, record = same(program, tmp_path)
    for name in ("output-mean", "output-gradient"):
        series = record.series(BY_NAME[name])["again"]
        assert series.steps.tolist() == [0, 1, 2, 3]


def test_training_in_a_thread(tmp_path: Path) -> None:
    def program() -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(plain()))
        thread.start()
        thread.join()
        return found

    _, record = same(program, tmp_path)
    assert record.series(TRAIN_LOSS).steps.tolist() == list(range(7))


def test_two_trainings_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    def job(number: int, results: dict[int, Any], turn: threading.Barrier) -> None:
        generator = torch.Generator().manual_seed(number)
        weight = nn.Linear(6, 3)
        with torch.no_grad():
            for p in weight.parameters():
                p.copy_(torch.randn(p.shape, generator=generator))
        optimizer = torch.optim.SGD(weight.parameters(), lr=0.1)
        for _ in range(20):
            turn.wait()
            x = torch.randn(16, 6, generator=generator)
            optimizer.zero_grad()
            F.cross_entropy(weight(x), torch.arange(16) % 3).backward()
            optimizer.step()
        results[number] = dict(weight.state_dict())

    def program() -> Any:
        results: dict[int, Any] = {}
        turn = threading.Barrier(2)
        threads = [threading.Thread(target=job, args=(n, results, turn)) for n in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results[1], results[2]

    bare = program()
    result, _ = watched(program, tmp_path)
    assert_equal(bare, result)


def test_deep_recursion_is_as_deep_as_before(tmp_path: Path) -> None:
    # Of a module's three frames each; alone, Python 3.11 reaches 248 and 3.12 212.
    depth = 230 if sys.version_info < (3, 12) else 200
    body = f"""
        class Chain(torch.nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(x)

        model = torch.nn.Linear(2, 2)
        for _ in range({depth}):
            model = Chain(model)
        """
    call = "print(tuple(model(torch.zeros(1, 2)).shape))"
    watch = f"with unstuck.watch({str(tmp_path / 'record')!r}):"
    for name, start in (("bare", "if True:"), ("watched", watch)):
        done = run(tmp_path / name, textwrap.dedent(body) + f"\n{start}\n    {call}\n")
        assert (name, done.status, done.out) == (name, 0, "(1, 2)\n")


# Exceptions and ends ------------------------------------------------------------------------------
@pytest.mark.parametrize("where", ["forward", "loss", "backward", "step", "between", "loader"])
def test_the_programs_exceptions_pass_unchanged(where: str, tmp_path: Path) -> None:
    class Own(ValueError):
        pass

    error = Own("mine")

    class Raises(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if where == "forward":
                raise error
            return super().forward(x)

    class Steps(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            if where == "step":
                raise error
            return super().step(closure)

    def hook(gradient: torch.Tensor) -> None:
        if where == "backward":
            raise error

    model = Raises(6, 3)
    with pytest.raises(Own) as caught, unstuck.watch(  # noqa: PT012
        tmp_path, overhead=ALWAYS,
    ):
        optimizer = Steps(model.parameters(), lr=0.1)
        for x, y in DataLoader(TensorDataset(*data()), batch_size=8, collate_fn=(
                (lambda rows: (_ for _ in ()).throw(error)) if where == "loader" else None)):
            output = model(x)
            output.register_hook(hook)
            loss = F.cross_entropy(output, y)
            if where == "loss":
                with pytest.raises(ValueError, match="batch_size"):
                    F.cross_entropy(output, y[:2])
                raise error
            loss.backward()
            if where == "between":
                raise error
            optimizer.step()
    assert caught.value is error
    assert error.__context__ is None
    record = healthy(tmp_path)
    assert record.end.kind is EndKind.EXCEPTION
    assert record.end.exception == "Own"
    assert record.end.message is not None
    assert record.end.message.endswith("mine")
    assert record.end.location is not None
    assert record.end.location.file == __file__
    assert_clean()
    model = Raises(6, 3) if where != "forward" else nn.Linear(6, 3)
    model(torch.zeros(1, 6))


def test_after_an_error_in_the_forward_the_model_is_still_seen(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        for width in (5, 7):
            with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
                model(torch.zeros(2, width))
        train(model, torch.optim.SGD(model.parameters(), lr=0.1))
        return model

    _, record = same(program, tmp_path)
    assert len(record.facts(Model)[0].layers) == 4


def test_a_last_look_that_fails_stops_no_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(probe: LossProbe) -> Any:
        if sys._getframe(1).f_code.co_name != "look_ended":
            raise ZeroDivisionError
        return places(probe)

    places = LossProbe.places
    monkeypatch.setattr(LossProbe, "places", broken)
    with unstuck.watch(tmp_path, max_steps=3):
        plain()
        pytest.fail("went on")
    assert read_record(tmp_path).end.max_steps == 3


def test_max_steps_leaves_the_block(tmp_path: Path) -> None:
    after = []
    with unstuck.watch(tmp_path, max_steps=3):
        plain(50)
        after.append("not reached")
    assert not after
    record = healthy(tmp_path)
    assert record.steps == 3
    assert record.end.kind is EndKind.STOPPED
    assert record.end.max_steps == 3


def test_a_bare_except_cannot_hide_the_stop(tmp_path: Path) -> None:
    swallowed = 0
    with unstuck.watch(tmp_path, max_steps=3):
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(8):
            try:
                train(model, optimizer, 1)
            except:  # noqa: E722
                swallowed += 1
    assert swallowed == 6  # told again at each later step
    record = healthy(tmp_path)
    assert record.end.kind is EndKind.STOPPED
    assert record.end.max_steps == 3


def test_an_except_exception_does_not_see_the_stop(tmp_path: Path) -> None:
    reached = []
    with unstuck.watch(tmp_path, max_steps=3):
        for step in range(8):
            try:
                plain(1)
            except Exception:  # a StopTraining is none
                reached.append(step)
    assert not reached
    last = healthy(tmp_path).last
    assert last.begun + last.steps == 3


HEAD = """
import multiprocessing, os, signal, sys, time, warnings
for number, name in ((1, "out"), (2, "err")):
    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), number)
sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
multiprocessing.set_start_method("fork", force=True)
warnings.simplefilter("always", ResourceWarning)
os.environ.pop("UNSTUCK_DEBUG", None)
import torch
import torch.nn.functional as F
import unstuck
torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def step():
    optimizer.zero_grad()
    F.cross_entropy(model(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
    optimizer.step()

"""


@dataclass(frozen=True, slots=True)
class Done:
    """A script that ended. Negative: by this signal."""

    status: int | None
    out: str
    err: str


def run(folder: Path, body: str) -> Done:
    """Runs a script in `folder` in a process of its own, forked from one with torch loaded."""
    folder.mkdir(exist_ok=True)
    file = folder / "program.py"
    file.write_text(f"import os\nos.chdir({str(folder)!r})\n{HEAD}{textwrap.dedent(body)}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    process = context.Process(target=runpy.run_path, args=(str(file),))
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        process.join()
    status = process.exitcode
    process.close()
    return Done(status, (folder / "out").read_text(), (folder / "err").read_text())


def test_a_program_that_swallows_every_stop_is_ended(tmp_path: Path) -> None:
    done = run(tmp_path, f"""
        count = 0
        with unstuck.watch({str(tmp_path / 'record')!r}, max_steps=3):
            while True:
                try:
                    count += 1
                    step()
                except:
                    print(count, flush=True)
        """)
    assert done.status == 0
    assert done.out.split()[-1] == str(3 + STOPS_BEFORE_EXIT - 1)
    assert not done.err
    record = healthy(tmp_path / "record")
    assert record.end.kind is EndKind.STOPPED
    assert record.end.max_steps == 3


def test_signal_nine_leaves_a_readable_record(tmp_path: Path) -> None:
    done = run(tmp_path, f"""
        with unstuck.watch({str(tmp_path / 'record')!r}):
            for number in range(40):
                step()
            time.sleep(0.3)  # longer than rows are held back
            step()
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    assert done.status == -9
    record = healthy(tmp_path / "record")
    assert record.end.kind is EndKind.KILLED
    assert record.steps >= 40
    assert record.facts(Model)
    assert record.facts(Loss)


def test_os_exit_leaves_a_readable_record(tmp_path: Path) -> None:
    done = run(tmp_path, f"""
        with unstuck.watch({str(tmp_path / 'record')!r}):
            step()
            os._exit(4)
        """)
    assert done.status == 4
    assert read_record(tmp_path / "record").end.kind is EndKind.KILLED


def test_forked_workers_do_not_write(tmp_path: Path) -> None:
    done = run(tmp_path, f"""
        from torch.utils.data import DataLoader, Dataset

        class Rows(Dataset):
            def __len__(self):
                return 24
            def __getitem__(self, index):
                # What a worker computes with torch is not the program's training.
                with torch.enable_grad():
                    F.mse_loss(torch.nn.Linear(2, 1)(torch.ones(3, 2)), torch.ones(3, 1)).backward()
                return torch.full((4,), float(index)), index % 2

        with unstuck.watch({str(tmp_path / 'record')!r}, overhead=1e9):
            step()
            loader = DataLoader(Rows(), batch_size=4, num_workers=2)
            for epoch in range(2):
                for x, y in loader:
                    optimizer.zero_grad()
                    F.cross_entropy(model(x), y).backward()
                    optimizer.step()
            child = os.fork()
            if not child:
                step()
                sys.stdout.flush()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        print("done")
        """)
    assert done.status == 0, done.err
    assert done.out == "done\n"
    assert "ResourceWarning" not in done.err
    lines = (tmp_path / "record" / EVENTS).read_bytes().splitlines()
    assert sum(b'"header"' in line for line in lines) == 1
    record = healthy(tmp_path / "record")
    assert [loss.function for loss in record.facts(Loss)] == ["cross_entropy", "cross_entropy"]
    assert sorted(s for t in record.tracks.values() for s in t.steps.tolist()) == list(range(13))
    assert record.end.kind is EndKind.FINISHED
    assert record.facts(Loader)[0].workers == 2


# Hooks --------------------------------------------------------------------------------------------
def hooked_functions() -> list[Any]:
    clips = [getattr(f, "__wrapped__", f)
             for f in (nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_)]
    return [
        nn.Module.__init__, nn.Module._wrapped_call_impl, nn.Module.load_state_dict,
        torch.optim.Optimizer.__init__, DataLoader.__init__, torch.autograd.backward, torch.compile,
        torch.amp.GradScaler.scale, *clips,
        *(getattr(F, name) for name in LOSSES),
    ]


CODES: list[Any] = []


def assert_clean() -> None:
    """Torch is as if it had never been watched."""
    for function, code in zip(hooked_functions(), CODES, strict=True):
        assert function.__code__ is code
        assert not [key for key in function.__globals__ if "unstuck" in key]
    inner = sys.modules["torch.nn.modules.module"]
    for name in vars(inner):
        if name.startswith("_global_") and name.endswith("_hooks"):
            assert not getattr(inner, name), name
    optimizers = sys.modules["torch.optim.optimizer"]
    assert not optimizers._global_optimizer_pre_hooks
    assert not optimizers._global_optimizer_post_hooks
    assert not torch.is_anomaly_enabled()


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_all_hooks_are_gone_after_the_block(steps: int, tmp_path: Path) -> None:
    with unstuck.watch(tmp_path):
        model, _ = plain(steps)
        assert hooked_functions()[0].__code__ is not CODES[0]
    assert_clean()
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    for p in model.parameters():
        assert not p._backward_hooks


def test_anomaly_mode_is_off_where_the_block_ends_before_a_backward(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path):
        model, _ = plain(1)
        model(data()[0])
    assert_clean()


def test_two_watches_one_after_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _, record = same(plain, tmp_path / name)
        assert record.series(TRAIN_LOSS).steps.tolist() == list(range(7))
        assert [model.name for model in record.facts(Model)] == ["model"]
        assert_clean()
    assert read_record(tmp_path / "a").id != read_record(tmp_path / "b").id


def test_a_nested_watch_is_part_of_the_outer_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed()
    bare = plain()
    seed()
    outer = unstuck.watch(tmp_path / "outer", overhead=ALWAYS)
    with outer, unstuck.watch(tmp_path / "inner", overhead=ALWAYS):
        result = plain()
    assert_clean()
    assert_equal(bare, result)
    assert "already being watched" in capsys.readouterr().err
    assert not (tmp_path / "inner").exists()
    assert healthy(tmp_path / "outer").steps == 7


def test_a_block_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_text("already here")
    with pytest.raises(FileExistsError), unstuck.watch(tmp_path):
        pass
    assert_clean()


# A watcher that fails -----------------------------------------------------------------------------
FAILING = [
    ("unstuck.observe.source.naming", "Names", "built"),
    ("unstuck.observe.source.naming", "Names", "register"),
    ("unstuck.observe.source.naming", "Names", "model_fact"),
    ("unstuck.observe.source.sites", "Sites", "here"),
    ("unstuck.observe.source.sites", "Sites", "location"),
    ("unstuck.observe.sampling", "Budget", "sampled_step_ended"),
    ("unstuck.observe.probes.samples", "SampleProbe", "model_called"),
    ("unstuck.observe.probes.layers", "LayerProbe", "before_call"),
    ("unstuck.observe.probes.layers", "LayerProbe", "layer_called"),
    ("unstuck.observe.probes.layers", "LayerProbe", "model_trained"),
    ("unstuck.observe.probes.layers", "LayerProbe", "graph"),
    ("unstuck.observe.probes.layers", "LayerProbe", "look_ended"),
    ("unstuck.observe.probes.losses", "LossProbe", "model_trained"),
    ("unstuck.observe.probes.losses", "LossProbe", "loss_called"),
    ("unstuck.observe.probes.losses", "LossProbe", "loss_differentiated"),
    ("unstuck.observe.probes.backward", "BackwardProbe", "clipped"),
    ("unstuck.observe.probes.losses", "LossProbe", "training_ended"),
    ("unstuck.observe.probes.constant", "ConstantLoss", "add"),
    ("unstuck.observe.probes.constant", "ConstantLoss", "ask"),
    ("unstuck.observe.probes.finite", "FiniteProbe", "graph"),
    ("unstuck.observe.probes.parameters", "ParameterProbe", "optimizer_built"),
    ("unstuck.observe.probes.parameters", "ParameterProbe", "before_step"),
    ("unstuck.observe.probes.parameters", "ParameterProbe", "after_step"),
    ("unstuck.observe.probes.parameters", "ParameterProbe", "before_backward"),
    ("unstuck.observe.probes.parameters", "ParameterProbe", "graph"),
    ("unstuck.record.reader", "RecordWriter", "sample"),
    ("unstuck.record.reader", "RecordWriter", "row"),
]


def clipping() -> Any:
    model = net(nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(9):
        x, y = data()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            F.cross_entropy(model.eval()(x), y)
        model.train()
    return model, optimizer.state_dict()


def fail_after(
    monkeypatch: pytest.MonkeyPatch, place: tuple[str, str, str], calls: int,
    error: BaseException,
) -> None:
    """Lets a method raise from its `calls`-th call on."""
    owner = getattr(sys.modules[place[0]], place[1])
    original = getattr(owner, place[2])
    count = 0

    def broken(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, place[2], broken)


@pytest.mark.parametrize(("place", "calls"), [
    # At each place the first call or a later one fails, over all places both.
    pytest.param(place, calls, id=f"{place[1]}.{place[2]}-{calls}",
                 marks=[] if (number % 2 == 0) == (calls == 0) else [pytest.mark.slow])
    for number, place in enumerate(FAILING) for calls in (0, 2)])
def test_a_watcher_that_fails_says_so_once_and_lets_the_program_be(
    place: tuple[str, str, str], calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if place[2] == "training_ended" and calls:
        pytest.skip("called once")
    if place[2] in ("optimizer_built", "register", "model_fact") and calls:
        calls = 0
    seed()
    bare = clipping()
    states = random_states()
    fail_after(monkeypatch, place, calls, ZeroDivisionError("inside the watcher"))
    seed()
    with unstuck.watch(tmp_path, overhead=ALWAYS):
        result = clipping()
    assert_equal(bare, result)
    assert random_states() == states
    assert_clean()
    said = capsys.readouterr()
    assert not said.out
    (line,) = said.err.splitlines()
    assert line.startswith("unstuck: watching stopped at step ")
    assert "ZeroDivisionError: inside the watcher" in line
    (odd,) = (o for o in read_record(tmp_path).oddities if o.what == "watcher-failed")
    assert odd.says in line
    assert read_record(tmp_path).end.kind is EndKind.FINISHED


@pytest.mark.parametrize("calls", [4, 12])
@pytest.mark.parametrize("method", ["flush", "_write", "tick"])
def test_a_full_disk_does_not_reach_the_program(
    method: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed()
    bare = clipping()
    fail_after(monkeypatch, ("unstuck.record.reader", "RecordWriter", method), calls,
               OSError(28, "No space left on device"))
    seed()
    with unstuck.watch(tmp_path, overhead=ALWAYS):
        result = clipping()
    monkeypatch.undo()
    assert_equal(bare, result)
    assert_clean()
    said = capsys.readouterr().err.splitlines()
    assert len(said) <= 1
    assert read_record(tmp_path).version == unstuck.__version__
    gc.collect()  # an unclosed file would warn here


def test_a_failing_gradient_hook_does_not_reach_the_backward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed()
    bare = plain()

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("inside the hook")

    monkeypatch.setattr(torch.linalg, "vector_norm", broken)
    seed()
    with unstuck.watch(tmp_path, overhead=ALWAYS):
        result = plain()
    assert_equal(bare, result)


def test_a_record_writer_is_closed_with_the_block(tmp_path: Path) -> None:
    writers: list[RecordWriter] = []
    original = RecordWriter.close

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecordWriter, "close", lambda self: (writers.append(self), original(self)))
        with unstuck.watch(tmp_path):
            plain(2)
    assert len(writers) == 1
    assert writers[0]._file is None


def test_validation_is_no_training_step(tmp_path: Path) -> None:
    def program() -> Any:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        held = data(8)
        for _ in range(3):
            train(model, optimizer, 4)
            with torch.no_grad():
                F.cross_entropy(model(held[0]), held[1])
        return model

    _, record = same(program, tmp_path)
    assert record.steps == 12
    assert len(record.series(HELD_OUT_LOSS)) == 3
