"""Setting up trials of a program: what `prove` and `fix` share."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from unstuck.arguments import UNUSABLE, our_fault, project, refuse, say
from unstuck.commands.judging import named_or_last
from unstuck.commands.run import TargetCommand
from unstuck.commands.starting import target_of
from unstuck.output import UnwritableError
from unstuck.words import count, joined, number

if TYPE_CHECKING:
    from unstuck.record.reader import Record
    from unstuck.repair.program import Loaded
    from unstuck.schema.findings import Diagnosis, Price
    from unstuck.settings import Settings
    from unstuck.trials.executor import Executor
    from unstuck.trials.lengths import Lengths
    from unstuck.trials.peel import Repair
    from unstuck.trials.plan import Plan
    from unstuck.trials.race import Race
    from unstuck.trials.trial import Limits, Subject
    from unstuck.trials.verdict import Run

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, None: 1}
BUDGET = 60.0  # seconds of trials, unless something else is asked for
_LONGEST = 24 * 3600.0  # seconds of a run that is tried


class TryingCommand(TargetCommand):
    """A command on a program, whose options come before it, or on a record."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes options after a record as well."""
        if any(is_record(Path(word)) for word in args):
            ctx.allow_interspersed_args = True
            return click.Command.parse_args(self, ctx, args)
        return super().parse_args(ctx, args)


def status_of(ready: Bench, trying: Callable[[], int]) -> int:
    """The exit status of trials. If a bug of ours ends them, the diagnosis is shown as it was."""
    from unstuck.report import terminal

    try:
        return trying()
    except (click.ClickException, click.exceptions.Exit, OSError, UnwritableError):
        raise
    except Exception as error:
        say(our_fault("trying changes", error, "What follows is the diagnosis of the run alone. "))
        if ready.control.diagnosis is not None:
            terminal.render(ready.control.diagnosis, file=ready.file, advise=False)
        return UNUSABLE


def is_record(folder: Path) -> bool:
    """Whether there is a record, or one for each rank, in a folder."""
    from unstuck.folders import EVENTS

    return (folder / EVENTS).exists() or (folder / "rank-0").is_dir()


class Duration(click.ParamType[float]):
    """A length of time: 60s, 15m, 2h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> float:
        """In seconds."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        if not found or not float(found[1]):
            self.fail(f"{value!r} is not a length of time such as 60s, 15m or 2h", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


class Place(click.ParamType[str]):
    """Where trials run: None for this machine, else the address of a Ray cluster, "" for its own.

    Written as local, ray, ray:ADDRESS or ray://ADDRESS.
    """

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> Any:
        """The address."""
        kind, _, address = str(value).partition(":")
        if kind not in ("local", "ray") or (kind == "local" and value != "local"):
            self.fail(f"{value!r} is neither local nor ray nor ray:ADDRESS", param, ctx)
        if kind == "local":
            return None
        return value if address.startswith("//") else address


def trial_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that try changes."""
    options = (
        click.option("--budget", metavar="TIME", type=Duration(), default=f"{round(BUDGET)}s",
                     show_default=True,
                     help="How long to try changes, after the program has run as it is."),
        click.option("--jobs", metavar="N", type=click.IntRange(min=1),
                     help="Trials at a time. Default: half of the processors."),
        click.option("--on", metavar="PLACE", type=Place(), default="local", show_default=True,
                     help="Where trials run: local; ray, a Ray cluster; ray:ADDRESS."),
        click.option("--allow-network", is_flag=True,
                     help="Let trials use the network; without it they have none."),
        click.option("--json", "json_file", metavar="FILE",
                     help="Write the diagnosis with its trials to FILE as JSON."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(slots=True)
class Bench:
    """All that trials need: the program's control run, its texts, a race; where to report."""

    race: Race
    control: Run
    texts: Loaded
    file: IO[str]
    root: str
    lengths: Lengths
    price: Price | None = None

    def repaired(self, first: Plan, rounds: int | None = None) -> Repair:
        """What trials come to, at lengths that the budget allows."""
        from unstuck.trials.lengths import repaired
        from unstuck.trials.peel import MOST_ROUNDS

        return repaired(self.lengths, self.control, self.texts.index, first, self.price,
                        rounds or MOST_ROUNDS)


def recorded(target: Sequence[str]) -> Path | None:
    """The folder of the record that is meant; None if it is a program."""
    if not target:
        return named_or_last(None)
    if len(target) == 1 and is_record(Path(target[0])):
        return named_or_last(Path(target[0]))
    return None


@contextlib.contextmanager
def bench(target: Sequence[str], budget: float, jobs: int | None, network: bool,
          file: IO[str] | None = None, on: str | None = None) -> Iterator[Bench]:
    """Runs a program as it is, unless a record is named, and prepares its trials.

    What comes of them is reported to `file`: by default, where the program has printed nothing.

    Refuses what cannot be tried. Ctrl-C and a request to end leave nothing behind.
    """
    from unstuck.folders import kept_states
    from unstuck.record.reader import UnusableRecord, read_record
    from unstuck.trials.laboratory import LostServer
    from unstuck.trials.on_ray import NoRay
    from unstuck.trials.subject import Untriable, guessed, subject_of
    from unstuck.trials.trial import Limits
    from unstuck.trials.view import NoView

    wishes = project()
    folder = recorded(target)
    if folder is None:
        target = target_of(target)
    here = on is None  # of another machine's memory nothing is known
    memory = memory_for(_many(jobs, os.cpu_count() or 1)) if here else None
    limits = Limits(_LONGEST, memory, network)
    with ended_in_order():
        try:
            if folder is None:
                with _executor(guessed(tuple(target), os.getcwd()), limits, on) as executor:
                    record = _ran(target)
                    executor.subject, texts = subject_of(record, os.getcwd())
                    yield _bench(executor, wishes, record, texts, budget, jobs, sys.stderr)
                return
            record = read_record(folder)
            subject, texts = subject_of(record)
            with _executor(subject, limits, on) as executor:
                yield _bench(executor, wishes, record, texts, budget, jobs, file or sys.stdout,
                             kept_states(folder))
        except (NoRay, UnusableRecord, Untriable) as error:
            refuse(str(error))
        except (NoView, LostServer) as error:
            refuse(f"nothing can be tried: {error}")
        except KeyboardInterrupt:
            say("the trials were interrupted; nothing of the program was changed")
            raise click.exceptions.Exit(130) from None


def _many(jobs: int | None, processors: int) -> int:
    return jobs or max(processors // 2, 1)


def _executor(subject: Subject, limits: Limits, on: str | None) -> Executor:
    from unstuck.trials.laboratory import Laboratory
    from unstuck.trials.on_ray import RayExecutor

    if on is None:
        return Laboratory(subject, limits)
    return RayExecutor(subject, limits, on or None)


def _bench(laboratory: Executor, wishes: Settings, record: Record, texts: Loaded, budget: float,
           jobs: int | None, file: IO[str], states: Sequence[tuple[int, Path]] = ()) -> Bench:
    from unstuck.report.terminal import nothing_trained
    from unstuck.schema.facts.run import EndKind
    from unstuck.schema.findings import OutcomeKind
    from unstuck.trials.lengths import Lengths, cost_of
    from unstuck.trials.race import Clock, Race
    from unstuck.trials.verdict import diagnosed, how_it_crashed

    race = Race(laboratory, wishes, Clock(budget), _many(jobs, laboratory.processors))
    lengths = Lengths(race, record, diagnosed(record, wishes), cost_of(record), states)
    root = laboratory.subject.working_folder
    control = lengths.control()
    if control is None:
        return Bench(race, lengths.recorded(), texts, file, root, lengths)
    crashed = record.last.end.kind not in (EndKind.FINISHED, EndKind.STOPPED)
    if control.ended.crashed and not crashed:  # it may need what it was started on
        laboratory.limits = replace(laboratory.limits, terminal=True)
        control = race.control()
    if lengths.first is None:
        race.clock = Clock(budget)
    if control.ended.no_view is not None:
        refuse(f"nothing can be tried: {control.ended.no_view}")
    if control.diagnosis is None or (control.ended.crashed and not crashed):
        hint = "" if laboratory.limits.network else (
            "; if it needs the network, --allow-network gives it")
        refuse("nothing can be tried, because the program does not run in a trial as it does "
               f"otherwise: it ends with {how_it_crashed(control)}{hint}")
    if control.diagnosis.outcome.kind is OutcomeKind.NO_TRAINING and not (
        control.diagnosis.counted() or control.ended.crashed
    ):
        refuse(f"nothing can be tried: {nothing_trained(record)}")
    if control.ended.copied:
        say("this system allows no private view of its files, so the program is tried in a copy of "
            "its folder, and cannot write elsewhere")
    return Bench(race, control, texts, file, root, lengths)


def _ran(target: Sequence[str]) -> Record:
    """The record of an ordinary run."""
    from unstuck import folders, supervise
    from unstuck.record.reader import read_record, trained_in
    from unstuck.schema.facts.run import EndKind

    try:
        folder = folders.new(target[1] if target[0] == "-m" else target[0])
        result = supervise.supervise(target, supervise.RunOptions(folder))
    except (folders.UnusableFolderError, supervise.StartError) as error:
        refuse(str(error))
    if result.refused is not None:
        refuse(result.refused)
    if result.record is None:
        refuse(supervise.nothing_recorded(result))
    record = read_record(trained_in(result.record))
    if record.last.end.kind is EndKind.INTERRUPTED or result.signal == signal.SIGINT:
        raise KeyboardInterrupt
    return record


def memory_for(jobs: int) -> int | None:
    """The bytes that each of so many trials may take, None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(0.9 * int(line.split()[1]) * 1024 / jobs)
    return None


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """A request to end is an exception, so that whatever is open is closed."""
    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def all_is_well(diagnosis: Diagnosis) -> str:
    """A clause: why there is nothing to try."""
    from unstuck.schema.findings import OutcomeKind

    return {
        OutcomeKind.NOT_TOLD:
            "no problem was found, but the loss does not show whether the network learns",
        OutcomeKind.OVERFITTING:
            "the network is overfitting, but no cause was found; `unstuck check` asks further",
        OutcomeKind.PLATEAU:
            "the network has stopped learning, but no cause was found: it may have learned all "
            "that the data allow; `unstuck check` asks further",
    }.get(diagnosis.outcome.kind, "the network learns, and no problem was found")


def planned(ready: Bench) -> Plan:
    """What there is to try. Says before the start how long that may take."""
    from unstuck.trials.plan import plan

    control = ready.control
    assert control.diagnosis is not None
    assert control.record is not None
    made = plan(control.diagnosis, control.record, ready.texts.index)
    if ready.race.max_steps is not None:
        made.without_longer(ready.race.max_steps)
    ready.price = ready.lengths.price(made)
    if ready.price is not None and not ready.lengths.short:
        say(_announced(ready.price, ready.race.clock.seconds))
    return made


def _announced(price: Price, budget: float) -> str:
    """What trials will take, before the first."""
    from unstuck.trials.lengths import duration, undecided

    says = (f"there {'are' if price.changes > 1 else 'is'} {count(price.changes, 'change')} to "
            f"try; with fresh seeds this takes about {number(round(price.seconds))} s")
    if price.trial_steps < price.steps:
        return f"{says}, because trials end early: {undecided(price)}"
    if price.seconds > budget:
        says += (f", and the budget is {number(round(budget))} s, so some of it will not be tried; "
                 f"--budget {duration(price.seconds)} allows all of it")
    return says


@contextlib.contextmanager
def progress(race: Race) -> Iterator[None]:
    """A line on the terminal: what is tried, which causes are out, how much time is left."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    from unstuck.clean import clean

    with Console(stderr=True).status("starting") as line:
        def show(sentence: str) -> None:
            left = f"{number(round(max(race.clock.left, 0)))} s left of the budget"
            out = f"; not {joined(race.out, by='or')}" if race.out else ""
            line.update(escape(clean(f"{sentence} ({left}{out})")))

        race.say = show
        yield
