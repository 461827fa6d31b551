"""Programs without modules: what is a layer, how it is called, and that nothing else changes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import unstuck
from tests.observe.sources import record_of, text_at
from unstuck.observe import graph
from unstuck.observe.bare import calls
from unstuck.observe.bare.places import Place, data_of, places
from unstuck.observe.source.standins import (
    Convolution,
    Linear,
    Lookup,
    MatMul,
    Scale,
    StandIn,
)
from unstuck.schema.facts.models import STAND_IN, LayerRole, Model
from unstuck.schema.signals.inputs import INPUT_DEVIATION
from unstuck.schema.signals.layers import OUTPUT_GRADIENT, SILENT_SHARE, TWIN_UNITS
from unstuck.schema.signals.losses import HELD_OUT_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, HELD, REACHED

N, INPUTS, UNITS = 6, 5, 4


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape, requires_grad=True)


def found(output: Tensor) -> list[Place]:
    return places(graph.walk(output.sum().grad_fn))


# Places -------------------------------------------------------------------------------------------
PRODUCTS: dict[str, tuple[type[StandIn], Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "x @ w + b": (MatMul, lambda x, w, b: x @ w.detach().T.clone().requires_grad_() + b),
    "x.mm(w)": (MatMul, lambda x, w, b: x.mm(w.detach().T.clone().requires_grad_())),
    "F.linear": (Linear, lambda x, w, b: F.linear(x, w, b)),
    "x @ w.T + b": (Linear, lambda x, w, b: x @ w.T + b),
    "w @ x.T": (Linear, lambda x, w, b: w @ x.T),
    "addmm": (Linear, lambda x, w, b: torch.addmm(b, x, w.t())),
    "einsum": (Linear, lambda x, w, b: torch.einsum("ni,ui->nu", x, w)),
}


@pytest.mark.parametrize("form", PRODUCTS)
def test_a_product_of_data_and_weights_is_a_layer(form: str) -> None:
    torch.manual_seed(0)
    kind, product = PRODUCTS[form]
    x, w, b = torch.randn(N, INPUTS), leaf(UNITS, INPUTS), leaf(UNITS)
    made = product(x, w, b)
    (place,) = found(made)
    taken, again = place.taken(), place.made()
    assert place.kind is kind
    assert again is not None
    assert torch.equal(taken, x)
    assert torch.allclose(again.detach().reshape(N, UNITS),
                          made.T if form == "w @ x.T" else made, atol=1e-6)
    assert (place.bias is b) is (form.endswith("b") or form in ("F.linear", "addmm"))
    assert again.requires_grad
    assert again.grad_fn is place.end


LINES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "unpacked": lambda x, p: (lambda w, b: w * x + b)(*p),
    "by their places": lambda x, p: x * p[0] + p[-1],
    "the other first": lambda x, p: p[1] + p[0] * x,
}


@pytest.mark.parametrize("form", LINES)
def test_a_number_times_data_is_a_layer_where_there_is_no_other(form: str) -> None:
    x, numbers = torch.randn(N), leaf(2)
    made = LINES[form](x, numbers)
    (place,) = found(made)
    assert place.kind is Scale
    assert place.weight is numbers
    assert place.bias is numbers
    assert place.taken().tolist() == [[value] for value in x.tolist()]
    again = place.made()
    assert again is not None
    assert torch.equal(again.detach(), made.detach()[:, None])
    (product,) = found(made.mean() * x[:, None] @ leaf(1, UNITS))
    assert product.kind is MatMul


def test_numbers_that_meet_no_data_are_no_layer() -> None:
    w = leaf()
    assert not found(w * torch.randn(N, INPUTS).mean())
    assert not found(torch.relu(w) * torch.randn(N))
    assert not found(leaf(INPUTS) * torch.randn(N, INPUTS))


def test_sequences_are_taken_whole() -> None:
    x, w = torch.randn(N, 3, INPUTS), leaf(INPUTS, UNITS)
    (place,) = found(x @ w + leaf(UNITS))
    made = place.made()
    assert place.taken() is x
    assert made is not None
    assert made.shape == (N, 3, UNITS)


def test_filters_and_tables_are_layers() -> None:
    x, k = torch.randn(N, 2, 8, 8), leaf(3, 2, 3, 3)
    (place,) = found(F.conv2d(x, k, padding=1, stride=2))
    made = place.made()
    assert place.kind is Convolution
    assert made is not None
    assert torch.allclose(made.detach(), F.conv2d(x, k, padding=1, stride=2), atol=1e-6)
    table, rows = leaf(9, 3), torch.randint(9, (N, 2))
    for chosen in (table[rows], F.embedding(rows, table)):
        (place,) = found(chosen)
        assert place.kind is Lookup
        assert data_of([place]) is rows


def test_only_weights_that_meet_data_make_a_model() -> None:
    assert data_of(found(leaf(N, 3) @ leaf(3, N))) is None  # a factorisation
    x = torch.randn(N, 3)
    first, second = leaf(3, UNITS), leaf(UNITS, 2)
    both = found(torch.relu(x @ first) @ second)
    assert both[0].weight is first
    assert data_of(both) is x
    assert both[1].source is not None


def test_what_cannot_be_kept_twice_is_not_computed_twice() -> None:
    with patch("unstuck.observe.bare.places.ELEMENT_LIMIT", N * UNITS - 1):
        (place,) = found(torch.randn(N, 3) @ leaf(3, UNITS))
        assert place.made() is None


# Programs -----------------------------------------------------------------------------------------
BY_HAND = '''
def net(x):
    h = torch.relu(x @ W1 + b1)
    return h @ W2 + b2

torch.manual_seed(0)
x = 3 * torch.randn(96, 5) + 1
y = torch.randint(3, (96,))
W1 = torch.randn(5, 8) * 0.3
b1 = torch.zeros(8)
W2 = torch.randn(8, 3) * 0.3
b2 = torch.zeros(3)
params = [W1, b1, W2, b2]
for p in params:
    p.requires_grad_()
for step in range(12):
    rows = torch.randperm(96)[:16]
    loss = LOSS
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= 0.05 * p.grad
            p.grad = None
        F.cross_entropy(net(x), y)
'''
LOSSES = ("F.cross_entropy(net(x[rows]), y[rows])",
          "-net(x[rows]).log_softmax(1)[torch.arange(16), y[rows]].mean()")


@pytest.mark.parametrize("loss", LOSSES)
def test_layers_have_the_names_of_their_variables(loss: str, tmp_path: Path) -> None:
    record = record_of(BY_HAND.replace("LOSS", loss), tmp_path)
    (model,) = record.facts(Model)
    assert model.kind == STAND_IN
    assert text_at(model.call_location) == "net(x[rows])"
    assert {p.name: p.layer for p in model.parameters} == {
        "W1": "W1", "W1.b1": "W1", "W2": "W2", "W2.b2": "W2"}
    assert [layer.role for layer in model.layers[1:]] == [LayerRole.LINEAR] * 2
    assert text_at(model.layers[1].location) == "torch.randn(5, 8) * 0.3"
    assert text_at(next(p.made for p in model.parameters if p.name == "W2.b2")) == "torch.zeros(3)"
    assert model.first_layer == "W1"
    assert model.input_shape == (16, 5)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_measured_of_modules_is_measured(loss: str, tmp_path: Path) -> None:
    record = record_of(BY_HAND.replace("LOSS", loss), tmp_path)
    assert set(record.series(INPUT_DEVIATION)) == set("01234")
    assert set(record.series(SILENT_SHARE)) == {"W1 > relu"}
    assert set(record.series(OUTPUT_GRADIENT)) == {"W1", "W2"}
    assert set(record.series(TWIN_UNITS)) == {"W1", "W2"}
    gradients = record.series(GRADIENT_NORM)
    assert set(gradients) == {"W1", "W1.b1", "W2", "W2.b2"}
    assert all((series.values > 0).all() for series in gradients.values())
    assert len(record.series(HELD_OUT_LOSS))


def test_a_weight_that_no_loss_reaches_is_known(tmp_path: Path) -> None:
    record = record_of('''
x, y = torch.randn(8, 3), torch.randn(8)
used, idle, free = (torch.randn(3, 3).requires_grad_() for _ in range(3))
out = torch.randn(3).requires_grad_()
opt = torch.optim.SGD([used, idle, out], lr=0.1)
for _ in range(4):
    loss = F.mse_loss(torch.tanh(x @ used) @ free @ out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
''', tmp_path)
    last = {name: series.values[-1] for name, series in record.series(REACHED).items()}
    assert last == {"used": 1, "idle": 0, "free": 1, "out": 1}
    held = {name: series.values[-1] for name, series in record.series(HELD).items()}
    assert held == {"used": 1, "idle": 1, "free": 0, "out": 1}


def test_weights_in_a_dictionary_are_named_by_its_keys(tmp_path: Path) -> None:
    record = record_of('''
p = {"w": torch.randn(3, 4) * 0.1, "v": torch.randn(4, 1) * 0.2}
for each in p.values():
    each.requires_grad_()
for _ in range(3):
    F.mse_loss(torch.tanh(torch.ones(2, 3) @ p["w"]) @ p["v"], torch.ones(2, 1)).backward()
''', tmp_path)
    (model,) = record.facts(Model)
    assert {p.name: text_at(p.made) for p in model.parameters} == {
        "w": "torch.randn(3, 4) * 0.1", "v": "torch.randn(4, 1) * 0.2"}


def test_the_function_that_makes_weights_is_followed(tmp_path: Path) -> None:
    record = record_of("""
        def weights(sizes):
            made = []
            for fan_in, fan_out in zip(sizes, sizes[1:]):
                w = torch.randn(fan_in, fan_out) / fan_in ** 0.5
                b = torch.zeros(fan_out)
                made.append((w.requires_grad_(), b.requires_grad_()))
            return made

        def forward(pairs, x):
            for w, b in pairs[:-1]:
                x = torch.tanh(x @ w + b)
            return x @ pairs[-1][0] + pairs[-1][1]

        torch.manual_seed(0)
        x, y = torch.randn(32, 5), torch.randn(32, 1)
        pairs = weights([5, 4, 1])
        optimizer = torch.optim.SGD([each for pair in pairs for each in pair], lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            F.mse_loss(forward(pairs, x), y).backward()
            optimizer.step()
        """, tmp_path)
    (model,) = record.facts(Model)
    weight, bias = "torch.randn(fan_in, fan_out) / fan_in ** 0.5", "torch.zeros(fan_out)"
    assert {p.name: text_at(p.made) for p in model.parameters} == {
        "pairs[0][0]": weight, "pairs[0][0].pairs[0][1]": bias,
        "pairs[1][0]": weight, "pairs[1][0].pairs[1][1]": bias}


def test_weights_that_a_later_loss_reaches_are_a_layer(tmp_path: Path) -> None:
    record = record_of('''
generator, critic = torch.randn(2, 3).requires_grad_(), torch.randn(3, 1).requires_grad_()
steps = torch.optim.SGD([critic], lr=0.1), torch.optim.SGD([generator], lr=0.1)
for turn in range(8):
    fake = torch.randn(5, 2) @ generator
    loss = F.softplus(-fake @ critic) if turn % 2 else F.softplus(fake.detach() @ critic)
    for optimizer in steps:
        optimizer.zero_grad()
    loss.mean().backward()
    steps[turn % 2].step()
''', tmp_path)
    model = record.facts(Model)[-1]
    assert {layer.name: layer.parameters for layer in model.layers[1:]} == {
        "critic": ("critic",), "generator": ("generator",)}


def test_a_gradient_by_the_data_is_no_network_of_them(tmp_path: Path) -> None:
    record = record_of('''
w, v = torch.randn(1, 8).requires_grad_(), torch.randn(8, 1).requires_grad_()
optimizer = torch.optim.Adam([w, v])
for _ in range(4):
    x = torch.rand(10, 1, requires_grad=True)
    u = torch.tanh(x @ w) @ v
    slope, = torch.autograd.grad(u.sum(), x, create_graph=True)
    optimizer.zero_grad()
    (slope - u).pow(2).mean().backward()
    optimizer.step()
''', tmp_path)
    assert not record.facts(Model)


def test_an_object_without_a_module_is_named_by_its_attributes(tmp_path: Path) -> None:
    record = record_of('''
class Net:
    def __init__(self):
        self.w = torch.randn(3, 4).requires_grad_()
        self.layers = [torch.randn(4, 4).requires_grad_() for _ in range(2)]
    def __call__(self, x):
        x = torch.tanh(x @ self.w)
        for layer in self.layers:
            x = torch.tanh(x @ layer)
        return x
net = Net()
for _ in range(3):
    loss = net(torch.ones(2, 3)).pow(2).mean()
    loss.backward()
''', tmp_path)
    (model,) = record.facts(Model)
    assert [p.name for p in model.parameters] == ["w", "layers[0]", "layers[1]"]
    assert text_at(model.call_location) == "net(torch.ones(2, 3))"


# Nothing else changes -----------------------------------------------------------------------------
def train(steps: int, folder: Path | None) -> list[Tensor]:
    torch.manual_seed(1)
    x, y = torch.randn(64, 5), torch.randint(3, (64,))
    w, v = (torch.randn(5, 8) * 0.3).requires_grad_(), (torch.randn(8, 3) * 0.3).requires_grad_()

    def run() -> None:
        optimizer = torch.optim.SGD([w, v], lr=0.05)
        for _ in range(steps):
            rows = torch.randint(64, (16,))
            loss = F.cross_entropy(torch.relu(x[rows] @ w) @ v, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    if folder is None:
        run()
    else:
        with unstuck.watch(folder, overhead=1e9):
            run()
    return [w.detach(), v.detach()]


def test_the_training_is_the_same(tmp_path: Path) -> None:
    assert all(map(torch.equal, train(150, tmp_path), train(150, None)))


def test_steps_that_nobody_looks_at_are_not_read(tmp_path: Path) -> None:
    looked: list[int] = []

    def spy(nodes: Any) -> list[Place]:
        looked.append(1)
        return places(nodes)

    with patch.object(calls, "places", spy):
        train(900, tmp_path)
    assert len(looked) < 128 + 60  # the first batches, and those of looks and their spacing


def test_a_program_of_modules_has_no_other_model(tmp_path: Path) -> None:
    record = record_of('''
net = nn.Linear(3, 4)
scale = torch.randn(4, 4).requires_grad_()
opt = torch.optim.SGD([*net.parameters(), scale], lr=0.1)
for _ in range(5):
    loss = (net(torch.randn(6, 3)) @ scale).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
''', tmp_path)
    assert [model.kind for model in record.facts(Model)] == ["Linear"]


def test_weights_may_go(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=1e9):
        w = leaf(3, 2)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(3):
            F.mse_loss(torch.ones(4, 3) @ w, torch.ones(4, 2)).backward()
            optimizer.step()
        gone = weakref.ref(w)
        del w, optimizer
        gc.collect()
        assert gone() is None

