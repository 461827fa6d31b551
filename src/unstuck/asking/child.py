"""Runs a program up to its first training steps, and asks the questions there.

Started by `trials.server` in place of `observe.program`; the program is not watched. Each question
is asked in a fork of the process, which stops where the program was about to go on.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import time
import traceback
import weakref
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from unstuck.asking.bench import Captured, step_of
from unstuck.asking.measured import Measured
from unstuck.asking.tape import Batch, Tape, is_parameter, tensors_of
from unstuck.observe import program
from unstuck.observe.session import program_folder
from unstuck.observe.source.sites import Site, Sites
from unstuck.observe.swap import Original, swap
from unstuck.questions import catalogue
from unstuck.questions.question import Answer, CannotAsk, Question, Verdict
from unstuck.words import number

# What is kept of a program's first steps, whichever comes first.
BATCHES, SAMPLES, SECONDS, BYTES = 40, 1_024, 8.0, 512 << 20
SAME = 3  # batches that were kept already, after which no others are expected
PATIENCE = 20.0  # seconds for one question


class Recorder:
    """Keeps a program's first batches, and stops it when there are enough."""

    def __init__(self, tape: Tape, captured: Captured, ask: Callable[[], None]) -> None:
        self._tape, self._captured, self._ask = tape, captured, ask
        self._places: list[Site | None] = []
        self._known: set[bytes] = set()
        self._samples = self._same = self._bytes = 0
        self._began: float | None = None
        self._in_backward = False

    def backward(self, original: Original) -> Callable[..., Any]:
        """What stands for `torch.autograd.backward`."""
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if self._tape.failed is not None:
                self._ask()
            if self._in_backward or not self._tape.on:
                return original(tensors, *args, **kwargs)
            loss = tensors if isinstance(tensors, torch.Tensor) else next(iter(tensors), None)
            self._captured.backwards += 1
            if isinstance(loss, torch.Tensor) and loss.numel() == 1:
                with self._tape.border():
                    self._keep(loss)
            self._in_backward = True
            try:
                result = original(tensors, *args, **kwargs)
            finally:
                self._in_backward = False
            self._tape.clear()
            return result

        return backward

    def _keep(self, loss: torch.Tensor) -> None:
        now = time.monotonic()
        self._began = self._began or now
        self._tape.on = False
        batch = self._tape.batch(loss, self._tape.sites.called_from(3))
        if batch is not None:
            captured = self._captured
            captured.last = batch
            captured.several |= bool(self._places) and batch.site not in self._places
            self._places.append(batch.site)
            if not captured.batches:
                self._remember(batch)
            self._add(batch)
        if len(self._captured.batches) >= BATCHES or self._samples >= SAMPLES or (
                self._same >= SAME or now - self._began > SECONDS or self._bytes > BYTES):
            self._ask()
        self._tape.on = True  # an error leaves it off

    def _add(self, batch: Batch) -> None:
        first = next((t for t in batch.constants.values() if t.numel() > 1), None)
        mark = b"" if first is None else first.detach().cpu().contiguous().numpy().tobytes()
        if mark in self._known:
            self._same += 1
            return
        self._known.add(mark)
        self._captured.batches.append(batch)
        self._bytes += sum(each.nbytes for each in batch.constants.values())
        with contextlib.suppress(CannotAsk):
            self._samples += step_of(batch).samples

    def _remember(self, batch: Batch) -> None:
        """The values that all that can change begins with."""
        captured = self._captured
        for each in batch.instructions:
            if each.model is not None:
                captured.models[id(each.model)] = each.model
        found = [t for model in captured.models.values()
                 for t in (*model.parameters(), *model.buffers())]
        found += [t for each in batch.instructions for t in tensors_of(each.arguments)
                  if is_parameter(t)]
        for tensor in found:
            captured.first.setdefault(id(tensor), (tensor, tensor.detach().clone()))

    def stepped(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """A hook for torch on the end of an optimizer's step."""
        if not self._tape.on:
            return
        with self._tape.border():
            self._note_step(optimizer)

    def _note_step(self, optimizer: Optimizer) -> None:
        captured = self._captured
        captured.optimizers[id(optimizer)] = optimizer
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and bool(parameter.grad.any()):
                    captured.reached.add(id(parameter))


class AskingChild(program.Child):
    """One program that questions are asked of."""

    def __init__(self, config: str, target: list[str]) -> None:
        super().__init__(program.Parent(""), config, target)
        self._options = json.loads(config)
        self._built: dict[int, tuple[Any, Site | None]] = {}
        self._asked = False
        self._deadline = time.monotonic() + self._options.get("budget", 60.0)

    def run(self) -> None:
        """Runs the program until there is enough to ask about, or to its end."""
        try:
            with self._tape_on():
                super().run()
        except Exception:
            self._ask()
            raise
        self._ask()

    @contextlib.contextmanager
    def _tape_on(self) -> Any:
        self._sites = Sites(program_folder(self._target, None), True)
        self._tape = Tape(self._sites)
        self._captured = Captured(self._sites, self._built_at)
        recorder = Recorder(self._tape, self._captured, self._ask)
        swap(torch.autograd.backward, recorder.backward)
        swap(nn.Module._wrapped_call_impl, self._tape.model_call)
        swap(nn.Module.__init__, self._init)
        swap(nn.Module.load_state_dict, self._load)
        swap(Optimizer.__init__, self._made)
        register_optimizer_step_post_hook(recorder.stepped)
        with self._tape:
            yield

    def _start(self) -> None:
        """Nothing is watched."""

    def _init(self, original: Original) -> Callable[..., Any]:
        def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            self._built[id(module)] = weakref.ref(module), self._sites.here(module)
            original(module, *args, **kwargs)

        return init

    def _made(self, original: Original) -> Callable[..., Any]:
        def init(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            self._captured.made[id(optimizer)] = self._sites.here(optimizer)
            original(optimizer, *args, **kwargs)

        return init

    def _load(self, original: Original) -> Callable[..., Any]:
        def load_state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._captured.loaded = True
            return original(module, *args, **kwargs)

        return load_state_dict

    def _built_at(self, module: nn.Module) -> Site | None:
        reference, site = self._built.get(id(module), (lambda: None, None))
        return site if reference() is module else None

    # Asking --------------------------------------------------------------------------------------
    def _ask(self) -> None:
        """Asks all questions, once, and ends the process."""
        if self._asked or os.getpid() != self._process:
            return
        self._asked = True
        self._tape.on = False
        torch.set_num_threads(1)  # a fork has none of the others
        with open(self._options["answers"], "w", encoding="utf-8") as file:
            for answer in answers(self._captured, self._deadline, self._tape.failed):
                file.write(json.dumps(asdict(answer)) + "\n")
        os._exit(0)


def answers(captured: Captured, deadline: float, failed: Exception | None) -> list[Answer]:
    """The answers to all questions, in their order; `failed` is why the program was not followed.
    """
    questions = catalogue.questions()
    try:
        if failed is not None:
            raise failed
        bench = Measured(captured)
        bench.check()
        bench.quieten()
        captured.restore()
    except Exception as error:
        return [question.unknown(_because(error)) for question in questions]
    before = {each.slug: apart(functools.partial(each.prepare, bench), deadline)
              for each in questions}
    found: dict[str, Answer] = {}
    for each in questions:
        if not each.after:
            found[each.slug] = _answer(each, bench, before, deadline)
    trained = None
    try:
        with torch.enable_grad():
            bench.train_well()
    except Exception as error:
        trained = _because(error)
    for each in questions:
        if each.after:
            spoilt = next((name for name in each.needs
                           if found[name].verdict is Verdict.FAIL), None)
            because = f"the program fails {spoilt}" if spoilt else trained
            found[each.slug] = _answer(each, bench, before, deadline) if because is None else (
                each.unknown(because))
    return [found[each.slug] for each in questions]


def _answer(
    question: Question, bench: Measured, before: dict[str, Any], deadline: float
) -> Answer:
    known = before[question.slug]
    if isinstance(known, Failure):
        return question.unknown(known.because)
    found = apart(lambda: asdict(question.ask(bench, known)), deadline)
    if isinstance(found, Failure):
        return question.unknown(found.because)
    return catalogue.answer_of(found)


class Failure:
    """Why a process has no result."""

    def __init__(self, because: str) -> None:
        self.because = because


def _because(error: BaseException) -> str:
    if isinstance(error, CannotAsk):
        return str(error)
    if os.environ.get("UNSTUCK_DEBUG"):
        traceback.print_exception(error)
    return f"the program's step cannot be computed again ({type(error).__name__})"


def apart(work: Callable[[], Any], deadline: float) -> Any:
    """The result of a function that is carried out in a fork, or the Failure that it has."""
    seconds = min(PATIENCE, deadline - time.monotonic())
    if seconds <= 0:
        return Failure("there was no time left")
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        try:
            with torch.enable_grad():
                result = json.dumps({"result": work()})
        except BaseException as error:
            result = json.dumps({"because": _because(error)})
        with contextlib.suppress(OSError), os.fdopen(writing, "w") as file:
            file.write(result)
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    text = _read(reading, seconds)
    if text is None:
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    if text is None:
        return Failure("there was no time left" if seconds < PATIENCE
                       else f"it takes more than {number(seconds)} s to find out")
    if not text:
        return Failure("the process that asked has ended")
    found = json.loads(text)
    return found["result"] if "result" in found else Failure(found["because"])


def _read(descriptor: int, seconds: float) -> str | None:
    import select

    end, text = time.monotonic() + seconds, b""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([file], [], [], left)[0]:
                return None
            more = file.read(1 << 16)
            if not more:
                return text.decode()
            text += more


def main() -> None:
    """Takes over from the server: `sys.argv` is [a name, CONFIG, target, args…]."""
    if not sys.flags.safe_path:
        del sys.path[0]
    _, config, *target = sys.argv
    AskingChild(config.strip(), target).run()

