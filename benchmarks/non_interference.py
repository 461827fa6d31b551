"""Whether watching changes a program: every program of the corpus bare and watched, bit for bit.

    python -m benchmarks.non_interference [--jobs N] [--only WORD]

Compared are what the program returns (weights, buffers, gradients, modes, optimizer state), the
random states of torch, `random` and numpy, and what it printed. Exit status 1 on a difference, and
also where the watcher gave up, for then nothing was compared.

The tests end each program after some optimizer steps, in both arms alike, and compare what its
functions' variables hold then. So it is with a program that ends in an exception.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import corpus
from harness import apart

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 600.0  # seconds for one run of one program


@dataclass(frozen=True, slots=True)
class Run:
    """A function of a program, to its end or for so many optimizer steps."""

    file: Path
    function: str
    steps: int | None = None

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}:{self.function}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a bare and a watched run of the same function ended with.

    `differences` names what is not the same. `tensors` counts what was compared, `steps` how many
    steps the record holds. `trouble` says why nothing could be compared.
    """

    run: Run
    differences: tuple[str, ...] = ()
    tensors: int = 0
    steps: int = 0
    trouble: str | None = None

    @property
    def same(self) -> bool:
        """Whether everything was compared and nothing differs."""
        return not self.differences and self.trouble is None


class Enough(BaseException):
    """Ends a program after the steps that are to be compared."""


def every_run(steps: int | None = None) -> list[Run]:
    """All programs of the corpus."""
    return [Run(program.file, program.function, steps) for program in corpus.programs(long=True)]


def compare(run: Run) -> Comparison:
    """Runs a function bare and watched, each in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="unstuck-same-") as folder:
        bare = _end_state(run, Path(folder, "bare"), watched=False)
        watched = _end_state(run, Path(folder, "watched"), watched=True)
    for state in (bare, watched):
        if "trouble" in state:
            return Comparison(run, trouble=state["trouble"])
    parts, others = bare["parts"], watched["parts"]
    differences = tuple(
        name for name in sorted({*parts, *others}) if parts.get(name) != others.get(name))
    return Comparison(run, differences, bare["tensors"], watched["steps"])


# In this process ---------------------------------------------------------------------------------
def _end_state(run: Run, folder: Path, *, watched: bool) -> dict[str, Any]:
    folder.mkdir()
    try:
        state: dict[str, Any] = apart.answer(run_here, (run, str(folder), watched), TIMEOUT)
        return state
    except TimeoutError as error:
        return {"trouble": str(error)}
    except EOFError:
        return {"trouble": f"the process died: {_tail(folder)}"}


def _tail(folder: Path) -> str:
    output = folder / "output.txt"
    lines = output.read_text(errors="replace").strip().splitlines() if output.exists() else []
    return lines[-1] if lines else "silently"


# In the child ------------------------------------------------------------------------------------
def run_here(run: Run, folder: str, watched: bool, pipe: Connection) -> None:
    """Runs a function in this process and sends what it ended with; for the child only."""
    apart.settle(folder, str(run.file))
    try:
        pipe.send(_run(run, Path(folder), watched))
    except Exception as error:
        traceback.print_exc()
        pipe.send({"trouble": f"{type(error).__name__}: {error}"})
    finally:
        pipe.close()


def _run(run: Run, folder: Path, watched: bool) -> dict[str, Any]:
    import numpy as np
    import torch

    import unstuck

    torch.set_num_threads(1)
    torch.manual_seed(20)
    random.seed(20)
    np.random.seed(20)
    returned: Any = None
    failure = ""
    record = folder / "record"
    file = run.file
    left: dict[str, str] = {}
    if run.steps is not None:
        _end_after(run.steps, str(file), left)
    with unstuck.watch(record) if watched else nullcontext():
        module = apart.loaded(file)
        try:
            returned = getattr(module, run.function)()
        except Enough:
            pass
        except Exception as error:  # part of what the program does
            failure = f"{type(error).__name__}: {error}"
            left.update(_variables(traceback.walk_tb(error.__traceback__), str(file)))
    parts = {"exception": failure, "random": _digest(repr(random.getstate()).encode()),
             "torch's random state": _tensor(torch.get_rng_state()),
             "numpy's random state": _digest(repr(np.random.get_state()).encode())}
    sys.stdout.flush()
    parts["what was printed"] = _digest((folder / "output.txt").read_bytes())
    ended = left | dict(digests("returned", returned, {}))
    parts |= ended
    tensors = sum(value.startswith("tensor") for value in ended.values())
    result: dict[str, Any] = {"parts": parts, "tensors": tensors, "steps": 0}
    if watched:
        seen = unstuck.read_record(record)
        result["steps"] = seen.steps
        gave_up = [odd.says for odd in seen.oddities if odd.what == "watcher-failed"]
        if gave_up:
            result["trouble"] = gave_up[0]
    elif not tensors and not failure:
        result["trouble"] = "the function returns nothing to compare"
    return result


def _end_after(steps: int, file: str, left: dict[str, str]) -> None:
    """Ends the program after so many steps; `left` receives what its functions' variables hold.

    They are read where the last step ends, since a program may swallow every exception.
    """
    from torch.optim.optimizer import register_optimizer_step_post_hook

    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == steps:
            left.update(_variables(traceback.walk_stack(sys._getframe()), file))
        if done >= steps:
            raise Enough

    register_optimizer_step_post_hook(count)


def _variables(frames: Iterable[tuple[FrameType, int]], file: str) -> Iterator[tuple[str, str]]:
    """The variables of a file's functions among the frames, as parts."""
    seen: dict[int, Any] = {}
    for frame, _ in frames:
        if frame.f_code.co_filename == file:
            for name, value in frame.f_locals.items():
                if not name.startswith("__"):
                    yield from digests(f"{frame.f_code.co_name}.{name}", value, seen)


def digests(name: str, value: Any, seen: dict[int, Any]) -> Iterator[tuple[str, str]]:
    """Everything a value holds, by name, as something short that is equal if and only if it is.

    `seen` holds what was met before, by its id, and keeps it alive: another may not get that id.
    """
    import torch

    if isinstance(value, torch.Tensor):
        yield name, _tensor(value)
    elif isinstance(value, bool | int | float | str | bytes | None):
        yield name, repr(value)
    elif id(value) in seen:
        return
    else:
        seen[id(value)] = value
        for key, part in _inside(value):
            yield from digests(f"{name}.{key}", part, seen)


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    import numpy as np
    import torch

    if isinstance(value, torch.nn.Module):
        for key, tensor in value.named_parameters(remove_duplicate=False):
            yield key, tensor.detach()
            yield f"{key}.grad", tensor.grad
            yield f"{key}.requires_grad", tensor.requires_grad
        yield from value.named_buffers(remove_duplicate=False)
        for key, module in value.named_modules():
            yield f"{key}.training", module.training
    elif isinstance(value, np.ndarray):
        plain = value.dtype.kind in "biufc" and value.dtype.itemsize <= 16
        yield "array", torch.from_numpy(value.copy()) if plain else repr(value.tolist())
    elif isinstance(value, Mapping):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(index), part) for index, part in enumerate(value))
    elif callable(getattr(value, "state_dict", None)) and not isinstance(value, type):
        # Optimizers, schedulers, scalers.
        yield "state", value.state_dict()


def _tensor(tensor: Any) -> str:
    """A digest of shape, dtype and bits; NaNs count by their bits too."""
    import torch

    plain = tensor.detach()
    if plain.is_sparse:
        plain = plain.coalesce()
        return f"{_tensor(plain.indices())} {_tensor(plain.values())} {tuple(plain.shape)}"
    bits = plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return f"tensor {tuple(plain.shape)} {plain.dtype} {_digest(bits)}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# The benchmark -----------------------------------------------------------------------------------
def compare_all(runs: list[Run], jobs: int, tick: Callable[[Run], None]) -> list[Comparison]:
    """Compares all, `jobs` at a time, in the order given."""
    results: dict[Run, Comparison] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(compare, run): run for run in runs}
        for done in as_completed(waiting):
            run = waiting[done]
            results[run] = done.result()
            tick(run)
    return [results[run] for run in runs]


def main() -> int:
    """Runs the benchmark; 1 if a program differs or could not be compared."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2))
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    options = parser.parse_args()
    runs = [run for run in every_run() if options.only in str(run)]
    console = Console()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("comparing", total=len(runs))
        apart.context()
        results = compare_all(runs, options.jobs, lambda run: progress.advance(task))
    table = Table("program", "tensors", "steps", "result", title="bare against watched")
    for result in results:
        says = "same" if result.same else result.trouble or ", ".join(result.differences[:6])
        table.add_row(str(result.run), f"{result.tensors:,}", f"{result.steps:,}", says,
                      style=None if result.same else "bold")
    console.print(table)
    wrong = [result for result in results if not result.same]
    console.print(f"{len(results) - len(wrong)} of {len(results)} the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
