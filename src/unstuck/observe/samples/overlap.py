"""Which held-out samples were trained on, by hashes; keeps no data and judges nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from unstuck.observe.samples.batch import Batch
from unstuck.observe.source.sites import Site
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import HELD_OUT_OVERLAP, HELD_OUT_SAMPLES

MOST_HASHES = 20_000  # of samples that were looked at
ROUNDS = 8  # last training batches that tell how much of the training data is known
KNOWN = 0.9  # a training sample is known so often: else nothing can be compared
FEWEST = 100  # training samples that tell something although training has not come round
SAME = 0.8  # of that: a batch of which this share was trained on is one of training data
STRAY = 0.1  # a held-out batch has at most such a share of samples that were trained on
SIGNALS = (HELD_OUT_OVERLAP, HELD_OUT_SAMPLES)


class Overlap:
    """Remembers the hashes of batches that were only looked at, until training is over."""

    def __init__(self) -> None:
        self.site: Site | None = None  # that first looked at held-out data
        self._batches: dict[tuple[float, ...], tuple[Batch, Site | None]] = {}
        self._hashes = 0
        self._again: deque[tuple[int, int]] = deque(maxlen=ROUNDS)
        self._model = 0
        self._trained: set[float] | None = None  # once another model is trained

    def looked_at(self, batch: Batch, here: Callable[[], Site | None]) -> None:
        """Nothing is learned from a batch; `here` is where."""
        hashes = batch.hashes.values
        if self._trained is None and self._hashes < MOST_HASHES and hashes not in self._batches:
            self._batches[hashes] = batch, here()
            self._hashes += len(hashes)
        if self.site is None and batch.role == "held-out":
            self.site = here()

    def trained(self, batch: Batch, met: int, known: set[float]) -> None:
        """A batch is trained on; `known` are the hashes of those before it, `met` of its own."""
        self._model = self._model or batch.module
        if batch.module != self._model:
            # Folds of a cross-validation: what one model holds out another is trained on.
            if self._trained is None:
                self._trained = set(known)
        elif self._trained is None:
            self._again.append((met, len(batch.hashes.values)))

    def passes(self, known: set[float]) -> Iterable[tuple[set[float], set[float]]]:
        """Of each line that only looked at samples: all of them, and those of batches of which
        hardly one was trained on.
        """
        found: dict[Site | None, tuple[set[float], set[float]]] = {}
        for hashes, (_, site) in self._batches.items():
            every, held_out = found.setdefault(site, (set(), set()))
            every.update(hashes)
            if sum(h in known for h in hashes) <= STRAY * len(hashes):
                held_out.update(hashes)
        return found.values()

    def finish(
        self, writer: RecordWriter, known: set[float], unscored: bool, step: int,
        validates: Callable[[Site | None], bool],
    ) -> None:
        """Writes the share of held-out samples that were trained on, if it can be told.

        With `unscored`, passes of which no loss was computed count too. A pass over training data
        alone is none over held-out data, unless there is no other and its line `validates`.
        """
        trained = known if self._trained is None else self._trained
        met, of = (sum(x) for x in zip(*self._again, strict=True)) if self._again else (0, 0)
        rounds = of > 0 and met >= KNOWN * of
        most = SAME * (met / of if rounds else 1.0)
        held_out, seen = self._apart(trained, most, unscored)
        if not held_out and not seen and not unscored:
            # What nothing known scores may be no evaluation: it tells something if it shares none.
            others, again = self._apart(trained, most, True)
            if not others & trained and not any(map(validates, again)):
                held_out = others
        if not held_out and rounds:
            named = next((site for site in seen if site is not None and validates(site)), None)
            if named is not None:
                self.site, held_out = named, seen[named]
        shared = sum(h in trained for h in held_out)
        # Before training has come round some may be missing, but what is there is there.
        if held_out and (rounds or (not shared and len(trained) >= FEWEST)):
            writer.row(HELD_OUT_SAMPLES, step, float(len(held_out)))
            writer.row(HELD_OUT_OVERLAP, step, shared / len(held_out))

    def _apart(
        self, trained: set[float], most: float, unscored: bool
    ) -> tuple[set[float], dict[Site | None, set[float]]]:
        """The samples of batches of which at most such a share was trained on, and those of the
        other batches by their lines."""
        held_out: set[float] = set()
        seen: dict[Site | None, set[float]] = {}
        for hashes, (batch, site) in self._batches.items():
            share = sum(h in trained for h in hashes) / len(hashes)
            if batch.module != self._model or not (batch.scored or unscored):
                continue
            if share < most:
                self.site = self.site if held_out else site or self.site
                held_out.update(hashes)
            else:
                seen.setdefault(site, set()).update(hashes)
        return held_out, seen
