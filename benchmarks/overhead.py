"""What watching costs: three training loops bare, watched, and under a naive watcher, interleaved.

    python -m benchmarks.overhead [--pairs N] [--quick]

Prints for each loop the median ratio of CPU time with its spread. Absolute times depend on the
machine; a ratio of two runs that stand side by side hardly does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook

import unstuck

LIMITS = {"digits MLP": 1.10, "residual CNN": 1.05, "transformer": 1.05}


def digits_mlp(steps: int) -> None:
    """64-128-128-10 on digits, batches of 64, Adam."""
    inputs, labels = load_digits(return_X_y=True)
    data, target = torch.tensor(inputs / 16.0, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    _train(model, data, target, 64, steps)


class Residual(nn.Module):
    """Two convolutions with batch norm and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.body(x))


def residual_cnn(steps: int) -> None:
    """Three residual blocks on 3 x 32 x 32 images, batches of 32, Adam."""
    torch.manual_seed(0)
    data, target = torch.randn(512, 3, 32, 32), torch.randint(10, (512,))
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), Residual(16), nn.MaxPool2d(2), Residual(16),
        nn.MaxPool2d(2), Residual(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
    _train(model, data, target, 32, steps)


class Transformer(nn.Module):
    """Two encoder layers over tokens, mean pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.embedding(tokens)).mean(1))


def transformer(steps: int) -> None:
    """Two encoder layers on sequences of 32 tokens, batches of 32, Adam."""
    torch.manual_seed(0)
    _train(Transformer(), torch.randint(100, (1024, 32)), torch.randint(10, (1024,)), 32, steps)


def _train(
    model: nn.Module, data: torch.Tensor, target: torch.Tensor, batch: int, steps: int
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    done = 0
    while done < steps:
        for index in torch.randperm(len(data)).split(batch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data[index]), target[index])
            loss.backward()
            optimizer.step()
            done += 1
            if done == steps:
                break


class Naive(AbstractContextManager[None]):
    """What one writes first: hooks on every module and parameter norms as numbers, each step."""

    def __enter__(self) -> None:
        self.rows: list[float] = []
        self.handles = [
            nn.modules.module.register_module_forward_hook(self._forward),
            register_optimizer_step_post_hook(self._step),
        ]

    def _forward(self, module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.is_floating_point():
            values = output.detach()
            self.rows += [values.mean().item(), values.std().item() if values.numel() > 1 else 0.0]

    def _step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.rows += [parameter.norm().item(), parameter.grad.norm().item()]

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()


def watched() -> AbstractContextManager[Any]:
    """The watcher at its default settings."""
    return unstuck.watch(Path(tempfile.mkdtemp(prefix="unstuck-overhead-")))


def cpu_seconds(loop: Callable[[int], None], steps: int, around: Callable[[], Any]) -> float:
    """CPU time of one run of a loop."""
    with around():
        start = time.process_time()
        loop(steps)
        return time.process_time() - start


def measure(
    loop: Callable[[int], None], steps: int, pairs: int, tick: Callable[[], None]
) -> dict[str, list[float]]:
    """Ratios to the bare loop, pair by pair; the order within a pair changes."""
    cpu_seconds(loop, max(20, steps // 10), nullcontext)
    ratios: dict[str, list[float]] = {"watched": [], "naive": []}
    for pair in range(pairs):
        arms = [("bare", nullcontext), ("watched", watched), ("naive", Naive)]
        if pair % 2:
            arms.reverse()
        took = {}
        for name, around in arms:
            took[name] = cpu_seconds(loop, steps, around)
            tick()
        for name, values in ratios.items():
            values.append(took[name] / took["bare"])
    return ratios


def main() -> int:
    """Runs the benchmark; 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    share = 10 if options.quick else 1
    loops = {
        "digits MLP": (digits_mlp, 6000 // share),
        "residual CNN": (residual_cnn, 300 // share),
        "transformer": (transformer, 600 // share),
    }
    console = Console()
    table = Table("loop", "steps", "watched", "spread", "limit", "naive", title="CPU time / bare")
    results: dict[str, dict[str, list[float]]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=3 * options.pairs * len(loops))
        for name, (loop, steps) in loops.items():
            results[name] = found = measure(
                loop, steps, options.pairs, lambda: progress.advance(task))
            middle = statistics.median(found["watched"])
            table.add_row(
                name, f"{steps:,}", f"{middle:.3f}",
                f"{min(found['watched']):.3f} .. {max(found['watched']):.3f}",
                f"{LIMITS[name]:.2f}", f"{statistics.median(found['naive']):.3f}",
            )
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(results))
    broken = [n for n, r in results.items() if not statistics.median(r["watched"]) <= LIMITS[n]]
    for name in broken:
        console.print(f"{name}: the limit of {LIMITS[name]} is broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
