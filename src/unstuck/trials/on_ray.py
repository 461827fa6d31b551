"""Runs trials on the machines of a Ray cluster: each of its workers has a laboratory of its own.

The machines see the program under the same path, and have torch and unstuck. Ray is imported here
only.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from unstuck.folders import EVENTS
from unstuck.trials import view
from unstuck.trials.executor import Executor
from unstuck.trials.laboratory import Laboratory, LostServer, covered
from unstuck.trials.trial import Ended, Limits, Subject, Trial

_DIED = "the worker that ran it has ended"


class NoRay(Exception):
    """Ray cannot be used; the message is a sentence for a user."""


class Worker:
    """A process of the cluster, in which one trial runs at a time."""

    def __init__(self, subject: Subject, limits: Limits, environment: Mapping[str, str]) -> None:
        before = dict(os.environ)
        os.environ.clear()  # what a program is told must not depend on where it runs
        os.environ.update(environment)
        try:
            self._laboratory = Laboratory(subject, limits)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def run(self, subject: Subject, limits: Limits, trial: Trial) -> tuple[Ended, bytes | None]:
        """How a trial ended, and the record that it left."""
        self._laboratory.subject, self._laboratory.limits = subject, limits
        (ended,) = self._laboratory.run([trial])
        record = None
        if ended.record is not None:
            record = (ended.record / EVENTS).read_bytes()
            view.remove(ended.record.parent)
        return replace(ended, record=None), record


class RayExecutor(Executor):
    """The trials of one program on a cluster.

    Args:
        subject: the program.
        limits: of each trial.
        address: of the cluster; by default the one that RAY_ADDRESS names, or a local one that is
            started here.

    Raises:
        NoRay: it is not installed, or there is no such cluster.
    """

    def __init__(self, subject: Subject, limits: Limits | None = None,
                 address: str | None = None) -> None:
        self.subject, self.limits = subject, limits or Limits()
        try:
            import ray
        except ImportError:
            raise NoRay("--on ray needs Ray, which is not installed: pip install "
                        "'unstuck[ray]'") from None
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        self._running: dict[Any, tuple[Trial, Any]] = {}  # by what Ray promises
        self._cancelled: set[Any] = set()
        self._idle: list[Any] = []
        self.scratch = view.scratch_folder(covered(subject))
        try:
            if self._ours:
                options = {} if address is not None else {"include_dashboard": False}
                ray.init(address=address, log_to_driver=False, logging_level="ERROR",
                         **options)
        except Exception as error:
            self.close()
            says = str(error).strip().partition("\n")[0]
            raise NoRay(f"the Ray cluster cannot be reached: {says}") from None
        self._worker = ray.remote(Worker)

    @property
    def running(self) -> int:
        """How many trials have been asked for and have not ended."""
        return len(self._running)

    @property
    def processors(self) -> int:
        """How many the cluster has."""
        return int(self._ray.cluster_resources().get("CPU", 1))

    def submit(self, trial: Trial) -> None:
        """Starts a trial, on a worker that has nothing to do or on a new one."""
        actor = self._idle.pop() if self._idle else self._worker.options(
            num_cpus=1, max_restarts=0).remote(self.subject, self.limits, dict(os.environ))
        promise = actor.run.remote(self.subject, self.limits, trial)
        self._running[promise] = trial, actor

    def next(self, timeout: float | None = None) -> Ended | None:
        """The next trial that ends; None if none did in so many seconds."""
        if not self._running:
            raise LostServer("no trial is running")
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        if not ready:
            return None
        trial, actor = self._running.pop(ready[0])
        try:
            ended, record = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)
            said = getattr(error, "cause", None)
            why = str(said).partition("\n")[0] if isinstance(said, LostServer) else _DIED
            lost = Ended(trial, None, None, False, None, "", 0.0, 0.0, why)
            return replace(lost, cancelled=ready[0] in self._cancelled)
        kept: Ended = replace(ended, trial=trial, record=self._kept(record))
        self._idle.append(actor)
        return kept

    def _kept(self, record: bytes | None) -> Path | None:
        if record is None:
            return None
        folder = self.scratch / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        (folder / EVENTS).write_bytes(record)
        return folder

    def cancel(self, trial: Trial) -> None:
        """Ends a trial with its worker."""
        for promise, (each, actor) in self._running.items():
            if each is trial:
                self._cancelled.add(promise)
                self._ray.kill(actor)

    def close(self) -> None:
        """Ends all workers, and the cluster if it was started here."""
        actors = [*self._idle, *(actor for _, actor in self._running.values())]
        self._idle, self._running = [], {}
        for actor in actors:
            with suppress(Exception):
                self._ray.kill(actor)
        if self._ours:
            with suppress(Exception):
                self._ray.shutdown()
        with suppress(OSError):
            view.remove(self.scratch)
