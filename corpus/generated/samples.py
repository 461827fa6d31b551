"""The programs of the scoreboard by name, and which of them are kept aside.

A program's name decides everything about it, so adding a fault moves no other program. The healthy
programs are split first; a fault goes into healthy programs of its own half only.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from corpus.generated.drawing import BASES, Base, draw
from corpus.generated.faults import FAULTS, Fault
from corpus.generated.program import Clash, Program

HEALTHY_OF_A_BASE = 110  # in both halves together; 330 in each
VARIANTS = 2  # programs for each fault, base and strength, at least
OF_A_FAULT = 20  # programs for each fault, at least
PAIRS = 160
TRIES = 24  # healthy programs that are tried for a fault that not every one can have


class Half(StrEnum):
    """Detectors may be written against the open half; the other one is kept aside."""

    OPEN = "open"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault at one of its strengths."""

    fault: Fault
    dose: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A program, the faults in it (none, one or two) and its healthy twin.

    `alone` are the programs with one fault of a pair each.
    """

    name: str
    half: Half
    base: str
    program: Program
    twin: Program
    injected: tuple[Injected, ...] = ()
    alone: tuple[Program, ...] = ()


def half_of(name: str) -> Half:
    """The half that a name belongs to, for ever."""
    return Half.ASIDE if hashlib.sha256(name.encode()).digest()[0] % 2 else Half.OPEN


def healthy() -> Iterator[Sample]:
    """Healthy programs, base by base."""
    for base in BASES:
        for index in range(HEALTHY_OF_A_BASE):
            program = _healthy(base, index)
            name = f"healthy/{base.name}/{index}"
            yield Sample(name, half_of(name), base.name, program, program)


def faulty() -> Iterator[Sample]:
    """Every fault at every strength in every base program where it makes sense."""
    for fault in FAULTS:
        variants = max(VARIANTS, math.ceil(OF_A_FAULT / len(fault.bases) / len(fault.doses)))
        for base in BASES:
            for dose in fault.doses:
                for variant in range(variants):
                    if base.name in fault.bases:
                        name = f"{fault.slug}/{base.name}/{dose}/{variant}"
                        yield from _with(name, base, (Injected(fault, dose),))


def pairs() -> Iterator[Sample]:
    """Two faults of different families in one program."""
    able = [fault for fault in FAULTS
            if not fault.hides and not fault.trial and fault.prepare is None]
    dice = random.Random("pairs of faults")
    for index in range(PAIRS):
        base = BASES[index % len(BASES)]
        here = [fault for fault in able if base.name in fault.bases]
        first = dice.choice(here)
        second = dice.choice([fault for fault in here if fault.family != first.family])
        both = tuple(Injected(f, dice.choice(sorted(f.doses))) for f in (first, second))
        yield from _with(f"{first.slug}+{second.slug}/{base.name}/{index}", base, both)


def inject(program: Program, injected: tuple[Injected, ...]) -> tuple[Program, Program] | None:
    """A healthy program and the same one with faults; None where that makes no sense."""
    twin: Program | None = program
    for each in injected:
        if each.fault.prepare is not None and twin is not None:
            twin = each.fault.prepare(twin, each.fault.doses[each.dose])
    sick = twin
    for each in injected:
        if sick is not None:
            sick = each.fault.inject(sick, each.fault.doses[each.dose])
    if twin is None or sick is None or twin.text() == sick.text():
        return None
    return twin, sick


def _with(name: str, base: Base, injected: tuple[Injected, ...]) -> Iterator[Sample]:
    half = half_of(name)
    dice = random.Random(name)
    for _ in range(TRIES):
        index = dice.randrange(HEALTHY_OF_A_BASE)
        if half_of(f"healthy/{base.name}/{index}") is not half:
            continue
        program = _healthy(base, index)
        try:
            made = inject(program, injected)
            alone = [inject(program, (each,)) for each in injected] if injected[1:] else []
        except Clash:
            return
        if made is None or None in alone:
            continue
        twin, sick = made
        yield Sample(name, half, base.name, sick, twin, injected,
                     tuple(one[1] for one in alone if one is not None))
        return


@cache
def _healthy(base: Base, index: int) -> Program:
    return draw(base, str(index))
