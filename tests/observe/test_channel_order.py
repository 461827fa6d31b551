"""Images that were reshaped to channels first, beside those that only look so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record

SLUG = "wrong-channel-order"
N, SIDE = 16, 16


def discs() -> torch.Tensor:
    """Coloured discs on grey noise, (N, 16, 16, 3)."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    centre = torch.randint(5, 11, (2, N, 1, 1))
    inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= 14
    colours = 60 + 190 * torch.rand(N, 1, 1, 3)
    return torch.where(inside[..., None], colours, 70 * torch.rand(N, SIDE, SIDE, 3))


def stripes() -> torch.Tensor:
    """Stripes with a period of three pixels, the number of channels."""
    lit = (torch.arange(SIDE) + torch.randint(3, (N, 1))) % 3 == 0
    return lit[:, None, :, None].float() + 0.3 * torch.randn(N, SIDE, SIDE, 3)


def last_reshaped(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.reshape(len(pictures), 3, SIDE, SIDE)


def moved(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.permute(0, 3, 1, 2).contiguous()


CASES: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "discs, reshaped": (lambda: last_reshaped(discs()), "Present"),
    "discs": (lambda: moved(discs()), "Absent"),
    "discs, channels last in memory": (lambda: discs().permute(0, 3, 1, 2), "Absent"),
    "stripes": (lambda: moved(stripes()), "Absent"),
    "noise": (lambda: torch.randn(N, 3, SIDE, SIDE), "Absent"),
    "spectrograms": (lambda: torch.randn(N, 2, SIDE, 40).cumsum(3), "Absent"),
    "cells of four kinds": (lambda: nn.functional.one_hot(
        torch.randint(4, (N, 9, 9))).permute(0, 3, 1, 2).float(), "Absent"),
    "a single channel": (lambda: discs()[..., :1].permute(0, 3, 1, 2), "Absent"),
}


@pytest.mark.parametrize("case", CASES)
def test_channels_that_alternate_in_memory(case: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    pictures, expected = CASES[case]
    channels = pictures().shape[1]
    model = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.LazyLinear(1))
    model(pictures())
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
        for _ in range(6):
            given = pictures()
            optimizer.zero_grad()
            model(given).square().mean().backward()
            optimizer.step()
    verdict = dict(diagnose(read_record(tmp_path / "record")).verdicts)[SLUG]
    assert type(verdict).__name__ == expected
