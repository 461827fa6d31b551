"""The work of a scoreboard: which programs, running them, judging those that count."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from benchmarks.scoreboard import scores
from benchmarks.scoreboard.judging import Judgement, judge
from benchmarks.scoreboard.running import Run, Runs
from benchmarks.scoreboard.scores import Judged
from corpus.generated.program import Program
from corpus.generated.samples import Half, Sample, faulty, healthy, pairs
from harness.apart import PRELOAD

Tick = Callable[[], None]
# A quick board: healthy programs and pairs, and how many programs of a cause may be tried until
# one fails against its twin.
HEALTHY, PAIRS, TRIES = 40, 8, 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """The programs of a scoreboard."""

    healthy: tuple[Sample, ...]
    faulty: tuple[Sample, ...]
    pairs: tuple[Sample, ...]

    def programs(self) -> list[Program]:
        """Everything that must be run, each text once."""
        wanted: dict[str, Program] = {}
        for sample in (*self.faulty, *self.healthy, *self.pairs):
            for program in (sample.program, sample.twin, *sample.alone):
                wanted.setdefault(program.text() + program.reads, program)
        return list(wanted.values())


def choose(half: Half | None, only: str = "") -> Chosen:
    """The programs of one half, or of both; one that was drawn twice counts once."""
    return Chosen(*(
        tuple({s.program.text() + s.program.reads: s for s in kind()
               if half in (None, s.half) and only in s.name}.values())
        for kind in (healthy, faulty, pairs)))


def few(runs: Runs, chosen: Chosen, run: Callable[[list[Program]], None]) -> Chosen:
    """A small part of the programs: by lot, and for each cause until one counts."""
    sound, sick, both = (
        sorted(kind, key=_lot) for kind in (chosen.healthy, chosen.faulty, chosen.pairs))
    waiting: dict[str, list[Sample]] = {}
    for sample in sick:
        waiting.setdefault(sample.injected[0].fault.slug, []).append(sample)
    tried: list[Sample] = []
    for _ in range(TRIES):
        now = [samples.pop(0) for samples in waiting.values() if samples]
        part = Chosen((), tuple(now), ())
        run(part.programs())
        tried += now
        for sample in count(runs, part).faulty:
            del waiting[sample.injected[0].fault.slug]
    twins = {sample.twin.text() for sample in tried}
    sound.sort(key=lambda s: s.program.text() not in twins)  # twins have been run already
    return replace(chosen, healthy=tuple(sound[:HEALTHY]), faulty=tuple(tried),
                   pairs=tuple(both[:PAIRS]))


def _lot(sample: Sample) -> bytes:
    return hashlib.sha256(f"lot of {sample.name}".encode()).digest()


def run_all(runs: Runs, programs: Sequence[Program], jobs: int, tick: Tick) -> None:
    """Runs what has not been run yet, so many at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(runs.run, program) for program in programs]
        try:
            for done in as_completed(waiting):
                done.result()
                tick()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class Counted:
    """The programs that count: healthy ones that learn, faulty ones that fail."""

    healthy: tuple[Sample, ...]
    faulty: tuple[Sample, ...]
    pairs: tuple[Sample, ...]
    trouble: tuple[str, ...]  # what could not be run, with the reason


def count(runs: Runs, chosen: Chosen) -> Counted:
    """Sorts out what does not count, from runs that are there."""
    def run(program: Program) -> Run:
        found = runs.known(program)
        assert found is not None
        return found

    def every_fault_tells(sample: Sample) -> bool:
        twin, whole = run(sample.twin), run(sample.program)
        alone = sample.alone or (sample.program,)
        return all(
            scores.fails(each.fault, run(one), twin) and scores.fails(each.fault, whole, twin)
            for each, one in zip(sample.injected, alone, strict=True))

    everything = (*chosen.healthy, *chosen.faulty, *chosen.pairs)
    return Counted(
        tuple(s for s in chosen.healthy if scores.healthy(run(s.program))),
        tuple(s for s in chosen.faulty if every_fault_tells(s)),
        tuple(s for s in chosen.pairs if every_fault_tells(s)),
        tuple(f"{s.name}: {trouble}" for s in everything if (trouble := run(s.program).trouble)),
    )


def judge_all(
    runs: Runs, samples: Iterable[tuple[Sample, bool]], jobs: int, tick: Tick
) -> dict[str, Judged]:
    """Judges runs, by the name of the sample; those marked also as they were early on."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, "unstuck.judge.engine"])
    judged: dict[str, Judged] = {}
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {
            pool.submit(judge, runs.home(sample.program), early): sample
            for sample, early in samples
        }
        for done in as_completed(waiting):
            sample = waiting[done]
            found: Judgement = done.result()
            lines = tuple(sample.program.text().splitlines())
            judged[sample.name] = Judged(sample, found, lines)
            tick()
    return judged
