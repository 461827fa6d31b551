"""The samples of a batch, followed through operations that keep them and through some that mix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.observe.axes import cut, cuts_in_order, order_of, swapped
from unstuck.observe.batch_axis import Entry, Lost, Mixed, State, follow, kept, memory
from unstuck.record.reader import read_record
from unstuck.schema.facts.models import BatchAxis, Pasted

B, T, C, H = 12, 10, 8, 4  # samples, steps, channels, heads


class Tokens(nn.Module):
    """Sequences (B, T, C) to logits (B, T, 3), through `way`."""

    def __init__(self, way: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.way = way
        self.enter, self.head = nn.Linear(C, C), nn.Linear(C, 3)
        self.lstm = nn.LSTM(C, C // 2, num_layers=1, bidirectional=True)
        self.gru = nn.GRU(C, C)
        self.convolution = nn.Conv1d(C, C, 3, padding=1, groups=2)
        self.encoder = nn.TransformerEncoderLayer(C, 2, 16, batch_first=True)
        self.asked = nn.Parameter(torch.randn(1, 3, C))
        self.look = nn.MultiheadAttention(C, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.way(self, self.enter(x)))


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x / 2

    @staticmethod
    def backward(ctx: Any, *given: torch.Tensor) -> torch.Tensor:
        return given[0] / 2


def heads(x: torch.Tensor) -> torch.Tensor:
    """Attention of heads (H, B, T, d)."""
    x = x.view(B, T, H, C // H).permute(2, 0, 1, 3)
    return torch.einsum("hbqk,hbkd->hbqd", torch.einsum("hbqd,hbkd->hbqk", x, x).softmax(-1), x)


def folded(x: torch.Tensor) -> torch.Tensor:
    """Heads in the batch axis, (B·H, T, d)."""
    x = x.view(B, T, H, C // H).transpose(1, 2).reshape(B * H, T, C // H)
    return torch.bmm(torch.bmm(x, x.mT).softmax(-1), x)


MIXED = {
    "heads first, reshaped": lambda net, x: heads(x).reshape(B, T, C),
    "heads first, flattened": lambda net, x: x + heads(x).flatten().view(B, T, C),
    "heads before samples": lambda net, x: folded(x).reshape(H, B, T, C // H).permute(
        1, 2, 0, 3).reshape(B, T, C),
    "scaled dot product": lambda net, x: F.scaled_dot_product_attention(
        *[x.view(B, T, H, 2).permute(2, 0, 1, 3)] * 3).contiguous().view(B, T, C),
    "last states": lambda net, x: net.lstm(x.transpose(0, 1))[1][0].view(B, 1, C).expand(
        -1, T, -1),
    "last states, reshaped": lambda net, x: x + net.lstm(x.transpose(0, 1))[1][0].reshape(
        -1, C).unsqueeze(1),
    "steps first": lambda net, x: net.gru(x.transpose(0, 1))[0].view(B, T, C),
    "steps first, flattened": lambda net, x: x + net.gru(x.transpose(0, 1))[0].reshape(
        B, -1).unflatten(1, (T, C)),
    "view for a transpose": lambda net, x: net.gru(x.view(T, B, C))[0].transpose(0, 1),
    "channels last": lambda net, x: net.convolution(
        x.permute(1, 2, 0).reshape(B, C, T)).transpose(1, 2),
}
WHOLE = {
    "heads first, permuted": lambda net, x: heads(x).permute(1, 2, 0, 3).reshape(B, T, C),
    "heads in the batch": lambda net, x: folded(x).view(B, H, T, -1).transpose(1, 2).reshape(
        B, T, C),
    "scaled dot product": lambda net, x: F.scaled_dot_product_attention(
        *[x.view(B, T, H, 2).transpose(1, 2)] * 3).transpose(1, 2).reshape(B, T, C),
    "queries of its own": lambda net, x: x + net.look(
        net.asked.expand(B, -1, -1), x, x, need_weights=False)[0].mean(1, keepdim=True),
    "last states": lambda net, x: net.lstm(x.transpose(0, 1))[1][0].transpose(0, 1).reshape(
        B, 1, C).expand(-1, T, -1),
    "steps first": lambda net, x: net.gru(x.transpose(0, 1))[0].transpose(0, 1),
    "encoder": lambda net, x: net.encoder(x),
    "all rows": lambda net, x: F.relu(x.reshape(B * T, C)).view(B, T, C),
    "flattened and back": lambda net, x: F.relu(heads(x).flatten()).view(H, B, T, 2).permute(
        1, 2, 0, 3).flatten(2),
    "mixed up and back": lambda net, x: x.view(T, B, C).relu().view(B, T, C),
    "windows": lambda net, x: (x.view(B, 2, T // 2, C).reshape(B * 2, T // 2, C) + 1).view(
        B, 2, T // 2, C).reshape(B, T, C),
    "windows of a grid": lambda net, x: x.view(B, 2, 5, 2, 4).permute(0, 1, 3, 2, 4).reshape(
        B * 4, 5, 4).tanh().view(B, 2, 2, 5, 4).permute(0, 1, 3, 2, 4).reshape(B, T, C),
    "shuffled channels": lambda net, x: net.convolution(x.transpose(1, 2)).view(
        B, 2, C // 2, T).transpose(1, 2).reshape(B, C, T).transpose(1, 2),
    "channels last": lambda net, x: x.movedim(2, 1).unsqueeze(2).squeeze(2).mT,
    "patches": lambda net, x: x.reshape(B, 2, 5, C).permute(0, 2, 1, 3).flatten(1, 2),
    "steps by themselves": lambda net, x: torch.stack([x[:, t] for t in range(T)], 1),
    "joined": lambda net, x: torch.cat([x.mean(1, keepdim=True), x[:, 1:]], 1),
    "chunks": lambda net, x: torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1),
    "repeated": lambda net, x: x.mean(1)[:, None].repeat(1, T, 1),
    "ghost groups": lambda net, x: (x.view(3, B // 3, T, C) * 2).view(B, T, C),
    "sorted": lambda net, x: x.sort(dim=1).values.gather(1, torch.zeros(B, T, C).long()),
}
UNKNOWN = {
    "a choice of samples": lambda net, x: x[torch.arange(B - 1, -1, -1)][:6].repeat(2, 1, 1),
    "summed up over samples": lambda net, x: x.cumsum(0),
    "turned round": lambda net, x: x.flip(0),
    "an operation of its own": lambda net, x: Halved.apply(x),
    "over samples": lambda net, x: x - x.mean(0),
}


def state(way: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> State:
    x = torch.randn(B, T, C)
    return follow(Tokens(way)(x).grad_fn, Entry((B, T, C), 0, memory(x)))


@pytest.mark.parametrize("way", MIXED)
def test_a_view_that_cuts_samples_apart_is_seen(way: str) -> None:
    assert isinstance(state(MIXED[way]), Mixed)


@pytest.mark.parametrize("way", WHOLE)
def test_samples_that_stay_whole_are_followed_to_the_output(way: str) -> None:
    assert kept(state(WHOLE[way]), B)


def test_as_many_units_as_samples_are_no_samples() -> None:
    x = torch.randn(B, B)
    model = nn.Sequential(nn.Linear(B, B), nn.BatchNorm1d(B), nn.ReLU(), nn.Linear(B, B))
    assert kept(follow(model(x).grad_fn, Entry((B, B), 0, memory(x))), B)
    assert kept(follow(model(x * 2).grad_fn, Entry((B, B), 0, memory(x))), B)


@pytest.mark.parametrize("way", UNKNOWN)
def test_samples_that_are_lost_are_said_to_be(way: str) -> None:
    assert isinstance(state(UNKNOWN[way]), Lost)


@pytest.mark.parametrize(("ways", "way", "whole"), [
    (MIXED, "heads first, reshaped", False), (WHOLE, "heads first, permuted", True),
    (UNKNOWN, "over samples", False),
])
def test_a_record_says_how_far_samples_were_followed(
    ways: dict[str, Any], way: str, whole: bool, tmp_path: Path
) -> None:
    x, model = torch.randn(B, T, C), Tokens(ways[way])
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x).flatten(0, 1), torch.zeros(B * T).long()).backward()
            optimizer.step()
    record = read_record(tmp_path / "record")
    assert [a.whole for a in record.facts(BatchAxis)] == [whole]
    pasted = list(record.facts(Pasted))
    assert len(pasted) == (ways is MIXED)
    for found in pasted:
        assert found.order == (1, 2, 0, 3)
        assert found.location is not None
        assert found.location.text.count("heads(x).reshape(B, T, C)") == 1


@pytest.mark.parametrize(("given", "samples", "taken", "order"), [
    ((4, 64, 10, 12), 1, (64, 10, 48), (1, 2, 0, 3)),
    ((2, 64, 16), 1, (64, 32), (1, 0, 2)),
    ((10, 64, 8), 1, (64, 10, 8), (1, 0, 2)),
    ((10, 64, 10), 1, (64, 10, 10), ()),  # either could come first
    ((4, 64, 64, 12), 1, (64, 64, 48), ()),
])
def test_the_order_that_keeps_samples_apart(
    given: tuple[int, ...], samples: int, taken: tuple[int, ...], order: tuple[int, ...]
) -> None:
    axes = tuple(((size, int(i == samples)),) for i, size in enumerate(given))
    assert order_of(given, taken, axes) == order


def test_a_view_cuts_factors_in_their_order() -> None:
    axes = (((4, 0),), ((6, 1),), ((5, 0),), ((2, 0),))
    assert cut(axes, (24, 10)) == (((4, 0), (6, 1)), ((10, 0),))
    assert cut(axes, (8, 30)) == (((4, 0), (2, 3)), ((3, 1), (10, 0)))
    assert cut(axes, (10, 24)) is None


@pytest.mark.parametrize(("given", "taken", "order"), [
    ((64, 32, 7, 7), (64, 49, 32), (0, 2, 3, 1)),
    ((64, 10, 6), (64, 6, 10), (0, 2, 1)),
    ((64, 1, 10, 6), (64, 6, 10), (0, 3, 2, 1)),
    ((64, 3, 8, 8), (64, 8, 24), ()),  # the height or the width
    ((64, 32, 7, 7), (64, 1568), ()),
    ((64, 32, 7, 7), (64, 32, 49), ()),
    ((64, 49, 7, 7), (64, 49, 49), ()),
    ((64, 10, 24), (64, 10, 4, 6), ()),
    ((64, 10, 24), (640, 24), ()),
    ((64, 32), (32, 64), ()),
    ((64, 12, 12), (64, 9, 16), ()),
])
def test_the_order_of_axes_that_a_view_takes_for_granted(
    given: tuple[int, ...], taken: tuple[int, ...], order: tuple[int, ...]
) -> None:
    assert swapped(given, taken) == order


def test_a_view_that_may_be_meant_as_it_is() -> None:
    assert not cuts_in_order((64, 32, 7, 7), (64, 49, 32))
    assert cuts_in_order((64, 32, 64), (64, 64, 32))
