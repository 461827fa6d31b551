"""Programs whose tensors are large or many, healthy and with a fault that shows in those tensors.

Each is a generator that yields once, after everything is built: what it takes from there on is what
its steps use. `size` scales the tensors, so that tests can run the same programs in small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

Build = Callable[[bool, float], Iterator[None]]


@dataclass(frozen=True, slots=True)
class Program:
    """A program and the cause that names its fault."""

    name: str
    build: Build
    cause: str


def wide_batch(sick: bool, size: float) -> Iterator[None]:
    """A batch of 200 MB: 512 samples of 100,000 features. Sick: they are not normalised."""
    torch.manual_seed(0)
    features = int(100_000 * size)
    model = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    direction = torch.randn(features)
    scales = torch.logspace(-1, 3, features)
    yield
    for _ in range(16):
        x = torch.randn(512, features)
        y = (x @ direction > 0).long()
        if sick:
            x.mul_(scales).add_(300.0)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def images(sick: bool, size: float) -> Iterator[None]:
    """Images of 4 MB each. Sick: a bias keeps every unit of a convolution below zero."""
    torch.manual_seed(0)
    side = int(592 * size**0.5)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 4))
    if sick:
        nn.init.constant_(model[0].bias, -50.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    yield
    for _ in range(24):
        y = torch.arange(24) % 4
        x = torch.randn(24, 3, side, side)
        x[:, 0] += y[:, None, None] * 0.5
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


class Block(nn.Module):
    """A layer and its activation, added to what they receive or not."""

    def __init__(self, width: int, plain: bool) -> None:
        super().__init__()
        self.layer, self.plain = nn.Linear(width, width), plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.sigmoid(self.layer(x))
        return y if self.plain else x + 0.05 * y


def many_layers(sick: bool, size: float) -> Iterator[None]:
    """1,000 layers. Sick: sigmoids without shortcuts, through which no gradient comes."""
    torch.manual_seed(0)
    depth = int(1_000 * size)
    model = nn.Sequential(
        nn.Linear(16, 64), *(Block(64, sick) for _ in range(depth)), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    yield
    for _ in range(30):
        x = torch.randn(64, 16)
        optimizer.zero_grad()
        F.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
        optimizer.step()


class Mixture(nn.Module):
    """Many small gains that are averaged."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.gains = nn.ParameterList(nn.Parameter(torch.randn(256)) for _ in range(count))
        self.head = nn.Linear(256, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(x * torch.stack(list(self.gains)).mean(0)))


def many_parameters(sick: bool, size: float) -> Iterator[None]:
    """5,000 parameter tensors. Sick: the optimizer is given the last two of them."""
    torch.manual_seed(0)
    model = Mixture(int(5_000 * size))
    held = model.head.parameters() if sick else model.parameters()
    optimizer = torch.optim.Adam(held, lr=3e-3)
    yield
    for _ in range(60):
        x = torch.randn(64, 256)
        optimizer.zero_grad()
        F.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
        optimizer.step()


def sweep(sick: bool, size: float) -> Iterator[None]:
    """50 models of 8 MB one after the other. Sick: the learning rate is far too high."""
    torch.manual_seed(0)
    width = max(8, int(2_000 * size))
    yield
    for trial in range(50):
        model = nn.Sequential(nn.Linear(width, 1_000), nn.Tanh(), nn.Linear(1_000, 2))
        rate = (1.0 + 0.1 * trial) * (30.0 if sick else 1e-3)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
        for _ in range(30):
            x = torch.randn(64, width)
            optimizer.zero_grad()
            F.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
            optimizer.step()


def embedding(sick: bool, size: float) -> Iterator[None]:
    """An embedding of 400 MB. Sick: the learning rate is far too high."""
    torch.manual_seed(0)
    words = int(1_000_000 * size)
    table = nn.Embedding(words, 100)
    model = nn.Sequential(table, nn.Flatten(), nn.Linear(800, 64), nn.ReLU(),
                          nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=100.0 if sick else 0.05)
    yield
    for _ in range(40):
        x = torch.randint(words, (256, 8))
        optimizer.zero_grad()
        F.cross_entropy(model(x), x[:, 0] % 2).backward()
        optimizer.step()


class Tagger(nn.Module):
    """A class for each token of a text."""

    def __init__(self, words: int, squashed: bool) -> None:
        super().__init__()
        self.embedding, self.squashed = nn.Embedding(words, 32), squashed
        self.body, self.head = nn.GRU(32, 32, batch_first=True), nn.Linear(32, words)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.head(self.body(self.embedding(x))[0])
        return torch.softmax(found, -1) if self.squashed else found


def tokens(sick: bool, size: float) -> Iterator[None]:
    """64 texts of 256 tokens, 2,000 logits each. Sick: softmax before the loss, which takes it."""
    torch.manual_seed(0)
    words, length = 2_000, max(8, int(256 * size))
    model = Tagger(words, sick)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    yield
    for _ in range(40):
        x = torch.randint(64, (64, length))
        optimizer.zero_grad()
        F.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()
        optimizer.step()


def half(sick: bool, size: float) -> Iterator[None]:
    """Activations of 100 MB in half precision. Sick: weights so large that every tanh saturates."""
    torch.manual_seed(0)
    width = max(64, int(12_000 * size))
    model = nn.Sequential(nn.Linear(32, width), nn.Tanh(), nn.Linear(width, 2))
    if sick:
        nn.init.normal_(model[0].weight, std=30.0)
    model = model.to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    yield
    for _ in range(40):
        x = torch.randn(4_096, 32, dtype=torch.bfloat16)
        optimizer.zero_grad()
        F.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
        optimizer.step()


def regression(sick: bool, size: float) -> Iterator[None]:
    """Pictures of 50 MB that are put out again. Sick: targets of another scale."""
    torch.manual_seed(0)
    side = int(256 * size**0.5)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    yield
    for _ in range(16):
        x = torch.randn(64, 3, side, side)
        y = x.mul(800.0).add_(5_000.0) if sick else x.mul(0.5)
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def pictures(sick: bool, size: float) -> Iterator[None]:
    """3,000 small pictures with validation: all that is kept. Sick: labels are drawn by chance."""
    torch.manual_seed(0)
    count = int(3_000 * size)
    x, new = torch.randn(count, 3, 32, 32), torch.randn(count // 3, 3, 32, 32)
    y, wanted = ((t[:, 0].mean((1, 2)) > 0).long() for t in (x, new))
    if sick:
        y = y[torch.randperm(count)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(3_072, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    yield
    for _ in range(8):
        for rows in torch.randperm(count).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            for rows in torch.arange(len(new)).split(64):
                F.cross_entropy(model(new[rows]), wanted[rows])


PROGRAMS = (
    Program("200 MB a batch", wide_batch, "inputs-not-normalised"),
    Program("4 MB a sample", images, "dead-relu"),
    Program("1,000 layers", many_layers, "vanishing-gradients"),
    Program("5,000 parameters", many_parameters, "parameters-not-in-optimizer"),
    Program("50 models", sweep, "learning-rate-too-high"),
    Program("400 MB embedding", embedding, "learning-rate-too-high"),
    Program("tokens", tokens, "output-does-not-fit-loss"),
    Program("half precision", half, "saturated-activations"),
    Program("50 MB of targets", regression, "targets-not-normalised"),
    Program("3,000 pictures", pictures, "labels-unrelated-to-inputs"),
)
