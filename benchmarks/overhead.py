"""What watching costs: three training loops bare, watched, and under a naive watcher, interleaved.

    python -m benchmarks.overhead [--runs N] [--quick] [--against TREE]

The arms of a loop run in a process each and take turns every few steps, so that all meet the same
moods of the machine. Prints for each loop the median over runs of the ratio of CPU time to the bare
loop, and the 95 % confidence interval of that median, whose upper end must keep the limit. Absolute
times depend on the machine; such a ratio hardly does. How far it does on a busy one is told by a
second bare arm, whose ratio is 1 but for that. With --against, an arm more is watched by the
`unstuck` of another checkout.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from multiprocessing.connection import Connection
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

TURNS = 60  # of each arm in a run


def digits_mlp(steps: int) -> Iterator[None]:
    """64-128-128-10 on digits, batches of 64, Adam."""
    inputs, labels = load_digits(return_X_y=True)
    data, target = torch.tensor(inputs / 16.0, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    return _train(model, data, target, 64, steps)


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


def residual_cnn(steps: int) -> Iterator[None]:
    """Three residual blocks on 3 x 32 x 32 images, batches of 32, Adam."""
    torch.manual_seed(0)
    data, target = torch.randn(512, 3, 32, 32), torch.randint(10, (512,))
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), Residual(16), nn.MaxPool2d(2), Residual(16),
        nn.MaxPool2d(2), Residual(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
    return _train(model, data, target, 32, steps)


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


def transformer(steps: int) -> Iterator[None]:
    """Two encoder layers on sequences of 32 tokens, batches of 32, Adam."""
    torch.manual_seed(0)
    data, target = torch.randint(100, (1024, 32)), torch.randint(10, (1024,))
    return _train(Transformer(), data, target, 32, steps)


def _train(
    model: nn.Module, data: torch.Tensor, target: torch.Tensor, batch: int, steps: int
) -> Iterator[None]:
    """Trains; gives way TURNS times, evenly."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    done = 0
    while True:
        for index in torch.randperm(len(data)).split(batch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data[index]), target[index])
            loss.backward()
            optimizer.step()
            done += 1
            if done % (steps // TURNS) == 0:
                yield
            if done == steps:
                return


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


def watched(tree: Path) -> AbstractContextManager[Any]:
    """The watcher of a checkout at its default settings."""
    sys.path.insert(0, str(tree / "src"))
    import unstuck

    return unstuck.watch(Path(tempfile.mkdtemp(prefix="unstuck-overhead-")))


Arm = Callable[[], AbstractContextManager[Any]]
Arms = Mapping[str, Arm]


def arms_of(against: Path | None) -> Arms:
    """The arms by their names; all of them can be sent to another process."""
    here = Path(__file__).parents[1]
    arms: Arms = {"bare": nullcontext, "bare again": nullcontext,
                  "watched": partial(watched, here), "naive": Naive}
    return arms if against is None else {**arms, "against": partial(watched, against)}


# Each with its steps and the ratio that must hold.
LOOPS = {
    "digits MLP": (digits_mlp, 6_000, 1.10),
    "residual CNN": (residual_cnn, 300, 1.05),
    "transformer": (transformer, 600, 1.05),
}


def _run_arm(pipe: Connection, loop: str, arm: Arm, steps: int) -> None:
    """Runs one arm of a loop, a turn at each word from the pipe; answers with its CPU time."""
    torch.set_num_threads(1)
    for _ in LOOPS[loop][0](TURNS):  # what happens once is no part of the cost
        pass
    with arm():
        turns = LOOPS[loop][0](steps)
        for _ in range(TURNS):
            pipe.recv()
            start = time.process_time()
            next(turns)
            pipe.send(time.process_time() - start)


def measure(loop: str, steps: int, arms: Arms, tick: Callable[[], None]) -> dict[str, float]:
    """CPU seconds of each arm over one run of a loop, turn by turn in changing order."""
    context = multiprocessing.get_context("spawn")
    started = {}
    for name, arm in arms.items():
        here, there = context.Pipe()
        process = context.Process(target=_run_arm, args=(there, loop, arm, steps), daemon=True)
        process.start()
        there.close()
        started[name] = here, process
    seconds = dict.fromkeys(arms, 0.0)
    for turn in range(TURNS):
        for name in list(arms) if turn % 2 else reversed(list(arms)):
            started[name][0].send(turn)
            seconds[name] += started[name][0].recv()
        tick()
    for pipe, process in started.values():
        process.join()
        pipe.close()
    return seconds


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median, by order statistics; of fewer than 6 values all.

    So many of n values lie below the median with the probabilities of n tosses of a coin.
    """
    count = len(values)
    rank, tail = 0, 2.0 ** (1 - count)  # of both tails together, outside of this rank
    while 2 * (rank + 1) < count and (
        wider := tail + math.comb(count, rank + 1) * 2.0 ** (1 - count)) <= 0.05:
        rank, tail = rank + 1, wider
    ordered = sorted(values)
    return ordered[rank], ordered[count - 1 - rank]


def main() -> int:
    """Runs the benchmark; 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps")
    parser.add_argument("--against", type=Path, metavar="TREE", help="another checkout")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    arms = arms_of(options.against)
    share = 5 if options.quick else 1
    console = Console()
    table = Table("loop", "steps", "95 %", "limit", *list(arms)[1:], title="CPU time / bare")
    results: dict[str, dict[str, list[float]]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=options.runs * len(LOOPS) * TURNS)
        for name, (_, steps, limit) in LOOPS.items():
            results[name] = {arm: [] for arm in arms if arm != "bare"}
            for _ in range(options.runs):
                seconds = measure(name, steps // share, arms, lambda: progress.advance(task))
                for arm, ratios in results[name].items():
                    ratios.append(seconds[arm] / seconds["bare"])
            low, high = interval(results[name]["watched"])
            table.add_row(name, f"{steps // share:,}", f"{low:.3f} .. {high:.3f}", f"{limit:.2f}",
                          *(f"{statistics.median(found):.3f}" for found in results[name].values()))
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(results))
    broken = [n for n, r in results.items() if not interval(r["watched"])[1] <= LOOPS[n][2]]
    for name in broken:
        console.print(f"{name}: the limit of {LOOPS[name][2]} is broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
