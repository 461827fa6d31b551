"""The nouns of a diagnosis: evidence, findings, verdicts. Pure data, standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.edits import Remedy
from unstuck.schema.experiments import Experiment
from unstuck.schema.places import SourceLocation

SURE = 0.5  # a finding less sure than this is only possible


class Severity(StrEnum):
    """How much a finding matters to this run; worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How sure a finding is."""

    CERTAIN = "certain"  # true by definition of what was measured
    LIKELY = "likely"
    POSSIBLE = "possible"  # something else may explain the measurements as well


class OutcomeKind(StrEnum):
    """What the curves show, before any cause is considered."""

    LEARNING = "learning"
    OVERFITTING = "overfitting"
    DATA_PROBLEM = "data-problem"
    PLATEAU = "plateau"
    NOT_TOLD = "not-told-by-loss"
    BROKEN = "broken"
    NOT_LEARNING = "not-learning"
    DIVERGED = "diverged"
    CONVERGED = "converged"
    TOO_SHORT = "too-short-to-tell"
    CRASHED = "crashed"
    NO_TRAINING = "no-training"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the run. `skill` is 1 - loss / loss of the best constant, None if unknown."""

    kind: OutcomeKind
    confidence: float
    says: str
    since_step: int = 0
    skill: float | None = None
    more_points: int | None = None  # how many more it needs, if it is too short to judge


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measurement that supports a finding. It can always be drawn.

    `signal` is a signal's name. `steps` are the steps of `observed`. `bound` is the limit that a
    healthy run stays within. `where` is a layer, parameter, class or loss, "" for the whole run.
    """

    signal: str
    where: str
    steps: tuple[int, ...]
    observed: tuple[float, ...]
    bound: float | None
    says: str


@dataclass(frozen=True, slots=True)
class Present:
    """The cause is there. `strength` is a probability. The title carries the numbers.

    `certain` says that it is true by definition of what was measured: no other reading of the
    measurements is possible. `of_value` says that what is at fault, a number or a call, is what the
    first remedy changes: where the program's text shows it, that is the place.
    `hides_outcome` says that a run may be worse than its loss looks: that is nearly all about
    something else, or should be far lower. `own` says that nothing else explains it: what happens
    has its reason in its place.
    """

    strength: float
    title: str
    since_step: int
    location: SourceLocation | None
    label: str  # the few words after the caret
    evidence: tuple[Evidence, ...]
    remedies: tuple[Remedy, ...] = ()
    one_of: tuple[str, ...] = ()
    separated_by: Experiment | None = None
    certain: bool = False
    of_value: bool = False
    hides_outcome: bool = False
    own: bool = False

    @property
    def confidence(self) -> Confidence:
        """The grade of its strength."""
        if self.strength < SURE:
            return Confidence.POSSIBLE
        return Confidence.CERTAIN if self.certain else Confidence.LIKELY


@dataclass(frozen=True, slots=True)
class Absent:
    """The cause was checked and is not present; `reason` reads well after "because"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be judged.

    `reason` is a clause that reads well after "because". `needs` says what a run must have for a
    verdict, in a user's words, or names signals, for which a report says it.
    """

    reason: str
    needs: tuple[str, ...] = ()


Verdict = Present | Absent | Unknown


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next, a sentence, and the command that does it, if there is one."""

    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of trying one remedy on the program itself.

    `control` and `treated` are values of `metric`, one for each of the `seeds`, without and with
    the change. `verdict` is cured, better, no effect, worse, void or unproven. `says` is a sentence
    for the user.
    """

    verdict: str
    control: tuple[float, ...]
    treated: tuple[float, ...]
    seeds: tuple[int, ...]
    doses: tuple[float, ...]
    seconds: float
    metric: str = ""
    says: str = ""
    steps: int | None = None  # that each run had, if not the whole program was run


@dataclass(frozen=True, slots=True)
class Price:
    """What it costs to try changes on a program, as estimated before the start.

    One run of the program takes `control` seconds and has `steps`, a trial `trial` seconds and
    `trial_steps`. To try each of so many `changes` once, and to confirm one, takes so many `trials`
    in `seconds`, and `budget` seconds if each runs the whole program. Trials begin as the program
    does, or with the state that was kept after so many steps as have `begun` before.
    """

    changes: int
    steps: int
    control: float
    trial_steps: int
    trial: float
    trials: float  # a longer run counts as several
    seconds: float
    budget: float
    begun: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that is present, weighed against the rest of the diagnosis.

    It has the names that the JSON has. `cause` is the slug; `present` is the verdict on the cause,
    whose parts can be read here as well.
    """

    cause: str
    code: str
    severity: Severity
    present: Present
    explained_by: str | None = None
    trial: TrialResult | None = None

    @property
    def strength(self) -> float:
        """How probable it is that the cause is there."""
        return self.present.strength

    @property
    def confidence(self) -> Confidence:
        """The grade of that probability."""
        return self.present.confidence

    @property
    def title(self) -> str:
        """What is wrong, with the numbers."""
        return self.present.title

    @property
    def since_step(self) -> int:
        """The first step at which it shows."""
        return self.present.since_step

    @property
    def label(self) -> str:
        """The few words after the caret."""
        return self.present.label

    @property
    def location(self) -> SourceLocation | None:
        """The expression at fault."""
        return self.present.location

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The measurements that speak for it."""
        return self.present.evidence

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What may fix it, the best first."""
        return self.present.remedies

    @property
    def one_of(self) -> tuple[str, ...]:
        """Causes that it cannot be distinguished from."""
        return self.present.one_of

    @property
    def separated_by(self) -> Experiment | None:
        """The experiment that would distinguish it from those."""
        return self.present.separated_by


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a process, with what is said about it.

    `first_step` and `last_step` are steps of the process; the diagnosis counts from the first.
    `location` is where its optimizer is built.
    """

    first_step: int
    last_step: int
    location: SourceLocation | None
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that is said about one record. Findings come with roots first.

    Of a process that trained several times, it is what is said about the worst training.
    """

    version: str
    record: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    verdicts: tuple[tuple[str, Verdict], ...]
    steps: int
    remarks: tuple[str, ...] = ()  # what limited the measuring, one sentence each
    ignored: tuple[Finding, ...] = ()  # what the user has silenced, with what follows from it
    next_steps: tuple[NextStep, ...] = ()
    trainings: tuple[Training, ...] = ()  # of a process that trained more than once, all of them;
    training: int = 0  # this is the diagnosis of that one, the worst
    price: Price | None = None  # if changes were tried

    def counted(self) -> tuple[Finding, ...]:
        """Findings that are more than a note."""
        return tuple(f for f in self.findings if f.severity is not Severity.NOTE)

    def not_assessed(self) -> tuple[tuple[str, Unknown], ...]:
        """Causes that could not be judged, with the reason."""
        return tuple((slug, v) for slug, v in self.verdicts if isinstance(v, Unknown))
