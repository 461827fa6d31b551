"""From runs and judgements to figures. Pure functions; what counts as faulty is decided here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.scoreboard.judging import CUTS, Judgement, Named
from benchmarks.scoreboard.running import Run
from corpus.generated.faults import Fault, Proof
from corpus.generated.samples import Injected, Sample

LEARNED = 0.7  # the skill from which on a healthy program counts as healthy
LOSES = 0.2  # the share of its twin's skill that a faulty program must lose to count
GROWS = 5.0  # megabytes by which it must grow more than its twin where memory is the harm


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with Wilson's 95 % interval."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself, NaN of nothing."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return wilson(self.hits, self.of)

    def __str__(self) -> str:
        if not self.of:
            return "none of none"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] ({self.hits} of {self.of})"


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927); (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    low = 0.0 if hits == 0 else middle - half
    return low, 1.0 if hits == of else middle + half


# What counts -------------------------------------------------------------------------------------
def healthy(run: Run) -> bool:
    """Whether a program without a fault has really learned."""
    return not run.error and not run.trouble and run.skill is not None and run.skill >= LEARNED


def fails(fault: Fault, run: Run, twin: Run) -> bool:
    """Whether a program with a fault does really worse than the same one without it."""
    if run.trouble or not healthy(twin):
        return False
    if fault.proof is Proof.MEMORY:
        return run.memory > twin.memory + GROWS
    if fault.proof is Proof.NATURE or run.error or run.skill is None:
        return True
    assert twin.skill is not None
    return run.skill <= (1 - LOSES) * twin.skill


# How a judgement does ----------------------------------------------------------------------------
def right(slug: str, injected: Injected) -> bool:
    """Whether a slug names the fault."""
    return slug == injected.fault.slug or slug in injected.fault.accepts


def top(slugs: Sequence[str], injected: Injected, places: int) -> bool:
    """Whether the fault is among the first of what is named."""
    return any(right(slug, injected) for slug in slugs[:places])


def in_set(found: Iterable[Named], injected: Injected) -> bool:
    """Whether a finding is the fault, or cannot be told from it and names a trial that tells."""
    return any(
        right(each.slug, injected)
        or (any(right(slug, injected) for slug in each.one_of) and bool(each.separated_by))
        for each in found)


@dataclass(frozen=True, slots=True)
class Judged:
    """A program that counts, and what was said of it."""

    sample: Sample
    judgement: Judgement
    lines: tuple[str, ...] = ()  # of the program's source

    @property
    def injected(self) -> Injected:
        """Its fault, the first of two."""
        return self.sample.injected[0]

    def slugs(self) -> list[str]:
        """What is named, in order."""
        return [found.slug for found in self.judgement.counted()]

    def first(self, places: int = 1) -> bool:
        """Whether its fault is among the first that are named."""
        return top(self.slugs(), self.injected, places)

    def hit(self) -> bool:
        """Whether it is told as well as its fault can be told from one run."""
        return self.told() if self.injected.fault.trial else self.first()

    def told(self) -> bool:
        """Whether a finding is its fault, or a set that holds it.

        What one run cannot decide is a note by design, so there notes count.
        """
        judgement = self.judgement
        found = judgement.findings if self.injected.fault.trial else judgement.counted()
        return in_set(found, self.injected)

    def since(self) -> int | None:
        """The fewest steps after which its fault is named first and stays so; None for never."""
        if not self.first():
            return None
        named = self.judgement.steps
        for cut in sorted((cut for cut in CUTS if str(cut) in self.judgement.early), reverse=True):
            if not top(self.judgement.early[str(cut)], self.injected, 1):
                break
            named = cut
        return named

    def at_line(self) -> bool | None:
        """Whether it points at the fault's line; None where no one line is at fault."""
        import re

        if not self.injected.fault.line or not self.first():
            return None
        line = self.judgement.counted()[0].line
        return line is not None and bool(re.search(
            self.injected.fault.line, self.lines[line - 1]))


@dataclass(frozen=True, slots=True)
class Row:
    """How one cause is told."""

    slug: str
    trial: bool
    made: int  # programs with the fault
    counted: int  # of them that fail against their twin
    first: Share
    among_three: Share
    set_: Share
    unknown: Share
    silent: Share
    steps: float | None  # median of the steps until it is named first
    instead: tuple[tuple[str, int], ...]  # what is named first in its place


def row(fault: Fault, made: int, judged: Sequence[Judged]) -> Row:
    """The figures of one cause."""
    of = len(judged)
    since = sorted(steps for each in judged if (steps := each.since()) is not None)
    instead = Counter(
        (each.slugs() or ["nothing"])[0] for each in judged if not each.first())
    return Row(
        fault.slug, fault.trial, made, of,
        Share(sum(each.first() for each in judged), of),
        Share(sum(each.first(3) for each in judged), of),
        Share(sum(each.told() for each in judged), of),
        Share(sum(fault.slug in each.judgement.unknown for each in judged), of),
        Share(sum(not each.slugs() for each in judged), of),
        since[len(since) // 2] if since else None,
        tuple(instead.most_common()),
    )


@dataclass(frozen=True, slots=True)
class Alarm:
    """A healthy program of which something is said."""

    name: str
    severity: str
    slugs: tuple[str, ...]
    titles: tuple[str, ...]


def alarms(judged: Sequence[Judged]) -> list[Alarm]:
    """Every healthy program that is not passed in silence."""
    return [
        Alarm(each.sample.name, each.judgement.counted()[0].severity, tuple(each.slugs()),
              tuple(found.title for found in each.judgement.counted()))
        for each in judged if each.judgement.counted()
    ]


def several(judged: Sequence[Judged]) -> tuple[Share, Share]:
    """Precision and recall over the roots of programs with two faults."""
    roots = good = found = wanted = 0
    for each in judged:
        named = [one for one in each.judgement.counted() if one.explained_by is None]
        roots += len(named)
        good += sum(any(right(one.slug, fault) for fault in each.sample.injected) for one in named)
        wanted += len(each.sample.injected)
        found += sum(any(right(one.slug, fault) for one in named) for fault in each.sample.injected)
    return Share(good, roots), Share(found, wanted)


def pooled(judged: Sequence[Judged], places: int | None = None) -> Share:
    """How many programs are told, among the first so many, or as well as they can be."""
    hits = sum(each.hit() if places is None else each.first(places) for each in judged)
    return Share(hits, len(judged))
