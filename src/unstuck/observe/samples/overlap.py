"""Which held-out samples were trained on, by hashes; keeps no data and judges nothing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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
# A pass over samples of which some were trained on and others never were.
SOME = 16  # samples of a batch that tells something by itself
MIXED = 0.95  # of the share that training samples have: at most so many are known
ERRORS = 5.0  # standard errors between the two shares
EVEN = 0.8  # of that share: every training batch is known so well
WHOLE = 0.9  # of the training samples: a pass over all data holds so many
BY_CHANCE = 3.0  # times as many copies among training samples as there are: chance explains no more
SIGNALS = (HELD_OUT_OVERLAP, HELD_OUT_SAMPLES)


@dataclass(slots=True)
class _Look:
    """A batch that was only looked at: from which lines, innermost first, and how often."""

    batch: Batch
    lines: tuple[Site, ...]
    times: int = 1

    @property
    def site(self) -> Site | None:
        return self.lines[0] if self.lines else None


class Overlap:
    """Remembers the hashes of batches that were only looked at, until training is over."""

    def __init__(self) -> None:
        self.site: Site | None = None  # that first looked at held-out data
        self._batches: dict[tuple[float, ...], _Look] = {}
        self._hashes = 0
        self._again: deque[tuple[int, int]] = deque(maxlen=ROUNDS)
        self._model = 0
        self._trained: set[float] | None = None  # once another model is trained
        self._written = False
        # Training samples before training came round, and how many of them were there before.
        self._first, self._copies, self._round = 0, 0, False

    def looked_at(self, batch: Batch, here: Callable[[], Sequence[Site]]) -> None:
        """Nothing is learned from a batch; `here` is where."""
        hashes = batch.hashes.values
        known = self._batches.get(hashes)
        if known is not None:
            known.times += 1
        elif self._trained is None and self._hashes < MOST_HASHES:
            self._batches[hashes] = _Look(batch, tuple(here()))
            self._hashes += len(hashes)
        if self.site is None and batch.role == "held-out":
            self.site = next(iter(here()), None)

    def trained(self, batch: Batch, met: int, known: set[float]) -> None:
        """A batch is trained on; `known` are the hashes of those before it, `met` of its own."""
        self._model = self._model or batch.module
        if batch.module != self._model:
            # Folds of a cross-validation: what one model holds out another is trained on.
            if self._trained is None:
                self._trained = set(known)
        elif self._trained is None:
            count = len(batch.hashes.values)
            self._again.append((met, count))
            self._round = self._round or 2 * met > count
            if not self._round:
                self._first += count
                self._copies += met + count - len(set(batch.hashes.values))

    def passes(self, known: set[float]) -> Iterable[tuple[set[float], set[float]]]:
        """Of each line that only looked at samples: all of them, and those of batches of which
        hardly one was trained on.
        """
        found: dict[Site | None, tuple[set[float], set[float]]] = {}
        for hashes, look in self._batches.items():
            every, held_out = found.setdefault(look.site, (set(), set()))
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
        met, of = self._met_again()
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
            self._write(writer, len(held_out), shared / len(held_out), step)

    def _met_again(self) -> tuple[int, int]:
        """Of the last training samples, how many were known, and how many there were."""
        met, counts = zip(*self._again, strict=True) if self._again else ((), ())
        return sum(met), sum(counts)

    def _write(self, writer: RecordWriter, samples: int, share: float, step: int) -> None:
        self._written = True
        writer.row(HELD_OUT_SAMPLES, step, float(samples))
        writer.row(HELD_OUT_OVERLAP, step, share)

    def _apart(
        self, trained: set[float], most: float, unscored: bool
    ) -> tuple[set[float], dict[Site | None, set[float]]]:
        """The samples of batches of which at most such a share was trained on, and those of the
        other batches by their lines."""
        held_out: set[float] = set()
        seen: dict[Site | None, set[float]] = {}
        for hashes, look in self._batches.items():
            batch, site = look.batch, look.site
            share = sum(h in trained for h in hashes) / len(hashes)
            if batch.module != self._model or not (batch.scored or unscored):
                continue
            if share < most:
                self.site = self.site if held_out else site or self.site
                held_out.update(hashes)
            else:
                seen.setdefault(site, set()).update(hashes)
        return held_out, seen

    def finish_mixed(
        self, writer: RecordWriter, known: set[float], step: int, apart: bool = False
    ) -> bool:
        """Writes the same of samples that were evaluated together, of which many were trained on
        and the others never were, as two random splits of one data set make them; or with `apart`
        of those of which hardly one was, where nothing is written so far. Whether there are such.

        Most of them may be training samples, so a share alone does not tell. Training samples
        themselves are known as often as those that come again: not all are hashed.
        """
        met, of = self._met_again()
        if self._written or self._trained is not None or not met or not all(
            one >= EVEN * met / of * count for one, count in self._again
        ):
            return False
        usual = met / of
        passes: dict[tuple[Site, ...], list[tuple[float, tuple[float, ...], _Look]]] = {}
        for hashes, look in self._batches.items():
            share = sum(h in known for h in hashes) / len(hashes)
            if look.batch.module == self._model and (look.batch.scored or look.times > 1) and not (
                # The same line may look at the training samples, too.
                share > MIXED * usual and len(hashes) >= FEWEST
            ):
                passes.setdefault(look.lines, []).append((share, hashes, look))
        for lines, batches in passes.items():
            different = {h for _, hashes, _ in batches for h in hashes}
            share = sum(h in known for h in different) / len(different)
            ratio = min(share / usual, 1.0)
            error = math.sqrt(share * (1 - share) / len(different) + usual * (1 - usual) / of)
            samples = sum(look.batch.count for _, _, look in batches)
            wanted = ratio < STRAY if apart else STRAY <= ratio <= MIXED and not any(
                one < STRAY and len(hashes) >= SOME for one, hashes, _ in batches)
            if len(different) < FEWEST or not wanted or usual - share < ERRORS * error or (
                share * samples >= WHOLE * len(known)
                or not self._are_unlike(max(ratio, STRAY), len(known))
            ):
                continue
            self.site = lines[0] if lines else self.site
            self._write(writer, len(different), ratio, step)
            return True
        return False

    def _are_unlike(self, share: float, trained: int) -> bool:
        """Whether samples that occur by chance among so many trained ones in such a share would
        have made far more copies among the first training samples than there are.
        """
        if share >= 1:
            return True
        alike = -math.log(1 - share) / trained  # probability that two samples are the same
        return self._first ** 2 / 2 * alike >= max(BY_CHANCE * self._copies, BY_CHANCE)
