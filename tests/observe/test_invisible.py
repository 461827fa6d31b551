"""What a program may have to see operations by sees none of ours, on sampled steps either."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record, read_record
from unstuck.schema.findings import Unknown
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM

STEPS = 12  # the first five are sampled, and the seventh
ALWAYS = 1e9


pytestmark = pytest.mark.usefixtures("one_thread")


class Functions(TorchFunctionMode):
    """Counts the functions of torch that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.seen[getattr(function, "__name__", repr(function))] += 1
        return function(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    """Counts the operations that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.seen[str(function)] += 1
        return function(*args, **(kwargs or {}))


class Named(Tensor):
    """A subclass that sees the functions that it is given to."""

    seen: ClassVar[Counter[str]] = Counter()

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        cls.seen[getattr(function, "__name__", repr(function))] += 1
        return super().__torch_function__(function, types, args, kwargs or {})


class Wrapped(Tensor):
    """A subclass without numbers of its own, which handles its operations itself."""

    seen: ClassVar[Counter[str]] = Counter()
    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Any:
        return Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device,
            requires_grad=inner.requires_grad)

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        cls.seen[str(function)] += 1

        def bare(value: Any) -> Any:
            return value.inner if isinstance(value, Wrapped) else value

        return function(*tree_map(bare, args), **tree_map(bare, kwargs or {}))


def train(
    before: Callable[[Tensor], Tensor] = lambda x: x, around: Callable[[], Any] = nullcontext,
    rate: float = 0.1,
) -> list[Tensor]:
    """A training with all that is looked at, and its weights."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 16),
        nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4)
    inputs = torch.randn(STEPS, 32, 20)
    labels = inputs[:, :, :3].argmax(2)
    for x, y in zip(inputs, labels, strict=True):
        with around():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(before(x)), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            model.eval()
            with torch.no_grad():
                F.cross_entropy(model(before(x * 1.01)), y)
            model.train()
    return [p.detach().clone() for p in model.parameters()]


def both(
    program: Callable[[], tuple[list[Tensor], Any]], folder: Path
) -> tuple[Any, Any, Record]:
    """What a program counts bare and watched; its weights must be the same."""
    weights, bare = program()
    with unstuck.watch(folder, overhead=ALWAYS):
        others, watched = program()
    record = read_record(folder)
    assert not [odd.says for odd in record.oddities if odd.what == "watcher-failed"]
    for one, other in zip(weights, others, strict=True):
        assert torch.equal(one, other)
    return bare, watched, record


@pytest.mark.parametrize("kind", [Functions, Operations])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "each step"])
def test_a_mode_sees_no_operation_of_ours(
    kind: type[Functions] | type[Operations], whole: bool, tmp_path: Path
) -> None:
    def program() -> tuple[list[Tensor], Any]:
        mode = kind()
        with ExitStack() as stack:
            if whole:
                stack.enter_context(mode)
            weights = train(around=nullcontext if whole else lambda: mode)
        return weights, mode.seen

    bare, watched, record = both(program, tmp_path)
    assert watched == bare
    assert len(record.series(TRAIN_LOSS)) == STEPS
    assert record.series(GRADIENT_NORM)


def test_a_subclass_sees_no_function_of_ours(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        Named.seen = Counter()
        return train(lambda x: x.as_subclass(Named)), Named.seen

    bare, watched, record = both(program, tmp_path)
    assert watched == bare
    assert len(record.series(TRAIN_LOSS)) == STEPS


def test_a_wrapper_sees_no_operation_of_ours(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        Wrapped.seen = Counter()
        return train(Wrapped), Wrapped.seen

    bare, watched, _ = both(program, tmp_path)
    assert watched == bare


def test_hooks_on_saved_tensors_see_none_of_ours(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        seen: ClassVar[Counter[str]] = Counter()

        def pack(value: Tensor) -> Tensor:
            seen["pack"] += 1
            return value

        def unpack(value: Tensor) -> Tensor:
            seen["unpack"] += 1
            return value

        return train(
            around=lambda: torch.autograd.graph.saved_tensors_hooks(pack, unpack)), seen

    bare, watched, _ = both(program, tmp_path)
    assert watched == bare


def test_anomaly_detection_is_the_programs(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        seen = []

        class Noting(torch.autograd.detect_anomaly):
            def __enter__(self) -> None:
                super().__enter__()
                seen.append((torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()))

        with pytest.warns(UserWarning, match="Anomaly Detection"):
            return train(around=Noting), seen

    bare, watched, _ = both(program, tmp_path)
    assert watched == bare
    assert not torch.is_anomaly_enabled()


def test_counted_flops_are_the_programs(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        with FlopCounterMode(display=False) as counter:
            weights = train()
        return weights, counter.get_total_flops()

    bare, watched, _ = both(program, tmp_path)
    assert watched == bare


def test_graph_nodes_are_numbered_as_ever(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        weights = train()
        node = (torch.zeros(1, requires_grad=True) * 2).grad_fn
        other = (torch.zeros(1, requires_grad=True) * 2).grad_fn
        assert node is not None
        assert other is not None
        return weights, other._sequence_nr() - node._sequence_nr()

    bare, watched, _ = both(program, tmp_path)
    assert watched == bare


def test_a_profiler_pauses_close_looks(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        with torch.profiler.profile() as profiler:
            weights = train()
        return weights, Counter(event.name for event in profiler.events())

    bare, watched, record = both(program, tmp_path)
    assert not watched["aten::_foreach_norm"] - bare["aten::_foreach_norm"]
    assert not record.measured(GRADIENT_NORM)
    assert any("profiler" in odd.says for odd in record.oddities)
    assert len(record.series(TRAIN_LOSS)) == STEPS


@pytest.mark.parametrize("slug", ["batch-leak", "too-deep", "too-few-samples", "dead-relu"])
def test_what_a_profiler_keeps_from_view_is_unknown(slug: str, tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=ALWAYS), torch.profiler.profile():
        train(rate=1e4)
    assert isinstance(dict(diagnose(read_record(tmp_path)).verdicts)[slug], Unknown)


def test_close_looks_go_on_after_a_profiler(tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        with torch.profiler.profile():
            torch.zeros(1)
        return train(), None

    *_, record = both(program, tmp_path)
    assert record.measured(GRADIENT_NORM)


@pytest.mark.parametrize("mode", [Functions, Operations])
def test_a_fault_is_named_as_without_the_mode(mode: Any, tmp_path: Path) -> None:
    found = []
    for name, around in (("with", mode), ("without", nullcontext)):
        with unstuck.watch(tmp_path / name, overhead=ALWAYS), around():
            train(rate=1e4)
        diagnosis = diagnose(read_record(tmp_path / name))
        found.append([(f.cause, f.severity) for f in diagnosis.counted()])
    assert found[0] == found[1]
    assert found[0]


def test_a_loss_on_the_meta_device_is_passed_by(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=ALWAYS):
        meta = nn.Linear(4, 2, device="meta")
        F.cross_entropy(meta(torch.zeros(3, 4, device="meta")),
                        torch.zeros(3, dtype=torch.long, device="meta")).backward()
        train()
    record = read_record(tmp_path)
    assert not [odd.says for odd in record.oddities if odd.what == "watcher-failed"]
    assert len(record.series(TRAIN_LOSS)) >= STEPS


@pytest.mark.filterwarnings("ignore")  # torch's own, while it compiles
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_step_holds_nothing_of_ours(backend: str, tmp_path: Path) -> None:
    def program() -> tuple[list[Tensor], Any]:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        @torch.compile(backend=backend)
        def step(x: Tensor, y: Tensor) -> Tensor:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        for _ in range(STEPS):
            step(torch.randn(8, 4), torch.randint(2, (8,)))
        counts = torch._dynamo.utils.counters
        seen = {name: dict(counts[name]) for name in ("stats", "graph_break", "unimplemented")}
        return [p.detach().clone() for p in model.parameters()], seen

    os.environ.pop("TORCH_LOGS", None)
    import torch._dynamo

    try:
        bare, watched, record = both(program, tmp_path)
        if sys.version_info >= (3, 13) and watched != bare:
            # torch's own wrapper of `step` calls hooks, and from Python 3.13 on its compiler leaves
            # a wrapper with hooks out as a whole; docs/non-interference.md says so.
            bare, watched = (each["stats"] for each in (bare, watched))
        assert watched == bare
        assert any("compiled" in odd.says for odd in record.oddities)
        for name, module in list(sys.modules.items()):
            if name.startswith("torch"):
                assert not [key for key in vars(module) if "unstuck" in key]
    finally:
        torch._dynamo.reset()
