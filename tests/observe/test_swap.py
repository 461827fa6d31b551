"""A function whose code was exchanged is the same function to everyone who holds it."""

from __future__ import annotations

import inspect
import pickle
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unstuck.observe.swap import Original, swap
from unstuck.torch_api import LOSSES


def positional(a: int, b: int = 2, *rest: int, c: int = 3, d: int, **more: int) -> Any:
    """Says what it got."""
    return a, b, rest, c, d, more


def only_positional(a: int, b: int = 5, /, c: int = 6) -> Any:
    return a, b, c


def plain() -> str:
    return "plain"


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return "wrapped", function(*args, **kwargs)

    return wrapper


@decorated
def behind(a: int) -> int:
    return a


class Base:
    def __init__(self, x: int) -> None:
        self.x = x

    def method(self, y: int = 1) -> int:
        return self.x + y


class Child(Base):
    def __init__(self) -> None:
        super().__init__(4)
        self.__class__  # noqa: B018  a cell of the class, as super() makes one


def seeing(seen: list[Any]) -> Callable[[Original], Callable[..., Any]]:
    """Passes everything on and notes it."""
    def make(original: Original) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            seen.append((args, kwargs))
            return original(*args, **kwargs)

        return instead

    return make


CALLS: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (positional, (1,), {"d": 4}), (positional, (1, 7, 8, 9), {"d": 4, "c": 0, "e": 5}),
    (positional, (), {"a": 1, "b": 3, "d": 2}), (only_positional, (1,), {}),
    (only_positional, (1, 2), {"c": 3}), (plain, (), {}), (behind, (3,), {}),
    (Base.method, (Base(2),), {"y": 5}), (Base.method, (Base(2),), {}),
]


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_calls_go_through_and_give_the_same(function: Any, args: Any, kwargs: Any) -> None:
    expected = function(*args, **kwargs)
    seen: list[Any] = []
    restore = swap(function, seeing(seen)).undo
    try:
        assert function(*args, **kwargs) == expected
    finally:
        restore()
    assert len(seen) == 1
    assert function(*args, **kwargs) == expected
    assert len(seen) == 1


def test_arguments_arrive_as_declared() -> None:
    seen: list[Any] = []
    restore = swap(positional, seeing(seen)).undo
    try:
        positional(1, d=4)
        positional(b=8, a=7, d=1, z=2)
    finally:
        restore()
    assert seen == [((1, 2), {"c": 3, "d": 4}), ((7, 8), {"c": 3, "d": 1, "z": 2})]


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1,), {}), ((1,), {"a": 2, "d": 1})])
def test_wrong_calls_are_refused_in_the_same_words(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError) as bare:
        positional(*args, **kwargs)
    restore = swap(positional, seeing([])).undo
    try:
        with pytest.raises(TypeError) as swapped:
            positional(*args, **kwargs)
    finally:
        restore()
    assert str(swapped.value) == str(bare.value)


def test_what_can_be_asked_of_a_function_stays() -> None:
    held = positional
    before = [inspect.signature(held), inspect.getsource(held), held.__name__, held.__doc__,
              held.__qualname__, held.__defaults__, held.__kwdefaults__, held.__module__,
              inspect.getfile(held), held.__code__.co_firstlineno, held.__annotations__]
    restore = swap(positional, seeing([])).undo
    try:
        after = [inspect.signature(held), inspect.getsource(held), held.__name__, held.__doc__,
                 held.__qualname__, held.__defaults__, held.__kwdefaults__, held.__module__,
                 inspect.getfile(held), held.__code__.co_firstlineno, held.__annotations__]
        assert after == before
        assert held is positional
    finally:
        restore()


def test_restoring_leaves_nothing() -> None:
    code, names = positional.__code__, set(globals())
    swap(positional, seeing([])).undo()
    assert positional.__code__ is code
    assert set(globals()) == names


def test_functions_with_free_variables() -> None:
    seen: list[Any] = []
    restore = swap(behind, seeing(seen)).undo  # the wrapper closes over the function
    try:
        assert behind(2) == ("wrapped", 2)
        assert Child().x == 4
    finally:
        restore()
    restore = swap(Child.__init__, seeing(seen)).undo  # it closes over __class__
    try:
        assert Child().x == 4
    finally:
        restore()
    assert len(seen) == 2


def test_bound_methods_and_subclasses_see_it() -> None:
    base = Base(1)
    method = base.method
    seen: list[Any] = []
    restore = swap(Base.method, seeing(seen)).undo
    try:
        assert method(2) == 3
        assert Child().method() == 5
    finally:
        restore()
    assert len(seen) == 2


def test_an_exception_passes_and_its_traceback_names_the_function() -> None:
    def make(original: Original) -> Callable[..., Any]:
        return lambda: original(1, 2, 3)

    restore = swap(plain, make).undo
    try:
        with pytest.raises(TypeError, match="takes 0 positional arguments") as caught:
            plain()
    finally:
        restore()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "plain" in names


def test_swaps_of_one_function_may_be_stacked_or_are_refused() -> None:
    first: list[Any] = []
    second: list[Any] = []
    code = plain.__code__
    undo = [swap(plain, seeing(first)).undo]
    try:
        try:
            undo.append(swap(plain, seeing(second)).undo)
        except (ValueError, RuntimeError):
            assert plain() == "plain"
        else:
            assert plain() == "plain"
            assert len(first) == len(second) == 1
    finally:
        while undo:
            undo.pop()()
    assert plain.__code__ is code
    assert plain() == "plain"


# Torch's own functions ---------------------------------------------------------------------------
SWAPPED = [
    nn.Module.__init__, nn.Module._wrapped_call_impl, nn.Module.load_state_dict,
    torch.optim.Optimizer.__init__, torch.utils.data.DataLoader.__init__, torch.autograd.backward,
    torch.compile, torch.amp.GradScaler.scale,
    torch.nn.utils.clip_grad_norm_.__wrapped__, torch.nn.utils.clip_grad_value_.__wrapped__,
    *(getattr(F, name) for name in LOSSES),
]


@pytest.mark.parametrize("function", SWAPPED, ids=lambda f: f.__qualname__)
def test_torchs_functions_can_be_swapped(function: Any) -> None:
    code, signature = function.__code__, inspect.signature(function)
    restore = swap(function, seeing([])).undo
    try:
        assert function.__code__ is not code
        assert inspect.signature(function) == signature
        assert function.__code__.co_varnames[:function.__code__.co_argcount] == (
            code.co_varnames[:code.co_argcount])
        assert function.__code__.co_freevars == code.co_freevars
    finally:
        restore()
    assert function.__code__ is code


def given_and_target(name: str) -> tuple[Any, ...]:
    torch.manual_seed(0)
    given = torch.randn(6, 3)
    rows = {
        "cross_entropy": (given, torch.arange(6) % 3),
        "nll_loss": (given.log_softmax(1), torch.arange(6) % 3),
        "binary_cross_entropy": (given.sigmoid(), given.sigmoid()),
        "kl_div": (given.log_softmax(1), given.flip(0).softmax(1)),
        "gaussian_nll_loss": (given, given + 1, torch.ones(6, 3)),
        "hinge_embedding_loss": (given, given.sign()),
        "soft_margin_loss": (given, given.sign()),
        "multi_margin_loss": (given, torch.arange(6) % 3),
        "multilabel_margin_loss": (given, torch.tensor([[0, 1, -1]] * 6)),
        "multilabel_soft_margin_loss": (given, (given > 0).float()),
        "cosine_embedding_loss": (given, given + 1, torch.ones(6)),
        "margin_ranking_loss": (given, given + 1, given.sign()),
        "triplet_margin_loss": (given, given + 1, given - 2),
        "ctc_loss": (torch.randn(9, 2, 4).log_softmax(2), torch.ones(2, 3, dtype=torch.long),
                     torch.tensor([9, 9]), torch.tensor([3, 3])),
    }
    return rows.get(name, (given, given.flip(0)))


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_the_same_and_is_pickled_as_itself(name: str) -> None:
    function = getattr(F, name)
    arguments = given_and_target(name)
    bare = function(*arguments)
    seen: list[Any] = []
    restore = swap(function, seeing(seen)).undo
    try:
        assert torch.equal(function(*arguments), bare)
        assert pickle.loads(pickle.dumps(function)) is function
    finally:
        restore()
    assert len(seen) == 1


def test_scripting_reads_the_source(tmp_path: Any) -> None:
    # A function whose source torch.jit can read, from a module of its own.
    file = tmp_path / "scripted_loss_of_swap.py"
    file.write_text("import torch\nimport torch.nn.functional as F\n\n"
                    "def loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:\n"
                    "    return F.mse_loss(a, b) + F.l1_loss(a, b)\n")
    sys.path.insert(0, str(tmp_path))
    import warnings

    given = torch.randn(4, 2)
    undo = [swap(f, seeing([])).undo for f in (F.mse_loss, F.l1_loss)]
    try:
        from scripted_loss_of_swap import loss  # type: ignore[import-not-found]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scripted = torch.jit.script(loss)
        assert torch.equal(scripted(given, given + 1), loss(given, given + 1))
    finally:
        for restore in reversed(undo):
            restore()
        sys.path.remove(str(tmp_path))
        sys.modules.pop("scripted_loss_of_swap", None)
