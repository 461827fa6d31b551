"""What carries out trials, wherever they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from unstuck.trials.trial import Ended, Limits, Subject, Trial


class Executor(ABC):
    """Trials are submitted, and end in any order. Used as a context manager.

    Another program of the same libraries may become the `subject`, and the `limits` may change,
    while nothing runs.
    """

    subject: Subject
    limits: Limits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def running(self) -> int:
        """How many trials have been asked for and have not ended."""

    @property
    @abstractmethod
    def processors(self) -> int:
        """How many there are for trials."""

    @abstractmethod
    def submit(self, trial: Trial) -> None:
        """Starts a trial."""

    @abstractmethod
    def next(self, timeout: float | None = None) -> Ended | None:
        """The next trial that ends; None if none did in so many seconds.

        Raises:
            LostServer: none ever will.
        """

    @abstractmethod
    def cancel(self, trial: Trial) -> None:
        """Ends a trial that runs; `next` will tell of it, with `cancelled`, unless it has ended."""

    @abstractmethod
    def close(self) -> None:
        """Ends everything; safe to call twice."""

    def run(self, trials: Sequence[Trial], jobs: int = 1) -> list[Ended]:
        """Runs trials, so many at a time; in their order."""
        waiting, found = list(trials), {}
        while waiting or self.running:
            while waiting and self.running < jobs:
                self.submit(waiting.pop(0))
            ended = self.next()
            assert ended is not None
            found[id(ended.trial)] = ended
        return [found[id(trial)] for trial in trials]
