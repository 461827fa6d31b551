"""Each question judges what it is told; the bench is a stand-in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import pytest

from unstuck.judge.catalogue import find
from unstuck.questions import catalogue
from unstuck.questions.batch_memorised import BatchMemorised
from unstuck.questions.expected_first_loss import ExpectedFirstLoss
from unstuck.questions.gradients_reach import GradientsReach
from unstuck.questions.label_readable import LabelReadable
from unstuck.questions.learning_rate import LearningRate
from unstuck.questions.question import (
    Answer,
    Bench,
    CannotAsk,
    Mixed,
    Reading,
    Unreached,
    Verdict,
)
from unstuck.questions.random_labels import RandomLabels
from unstuck.questions.samples_apart import SamplesApart
from unstuck.questions.targets_in_range import TargetsInRange
from unstuck.schema.places import SourceLocation

PLACE = SourceLocation("train.py", 3, 1, 3, 9, "h[:, -1]")


@dataclass
class Told:
    """A bench that says what it was told."""

    loss: str = "cross_entropy"
    first: float = 2.3
    expected: float = 2.3
    constant: float = 1.0
    losses: Sequence[float] = ()
    shuffled: Sequence[float] = ()
    sizes_are: tuple[int, int, int] = (32, 64, 10_000)
    skills: Sequence[float] = ()
    spreads: Sequence[float] | None = None
    trained: Sequence[int] = ()
    rates: dict[float, Sequence[float]] = field(default_factory=dict)
    missing: Sequence[Unreached] = ()
    mixes: Mixed | None = None
    range: tuple[Any, ...] = (-math.inf, math.inf, 0.0, 1.0, "", None)
    place: SourceLocation | None = field(default=PLACE)

    def first_loss(self) -> float:
        return self.first

    def expected_loss(self) -> float:
        return self.expected

    def constant_loss(self) -> float:
        return self.constant

    def can_be_guessed(self) -> bool:
        return True

    def is_alone(self) -> bool:
        return True

    def memorise(self, rate: float, steps: int, seconds: float, shuffled: bool = False,
                 **_: Any) -> Sequence[float]:
        return self.shuffled if shuffled else self.losses

    def sizes(self) -> tuple[int, int, int]:
        return self.sizes_are

    def rate(self) -> float:
        return 1.0

    def rate_place(self) -> SourceLocation | None:
        return PLACE

    def at_rate(self, factor: float, *_: Any) -> Sequence[float]:
        return self.rates[factor]

    def readings(self) -> list[Reading]:
        spreads = [1.0] * len(self.skills) if self.spreads is None else self.spreads
        return [Reading(f"op{i}", each, spread, (i - 1,) if i else (), PLACE, i in self.trained)
                for i, (each, spread) in enumerate(zip(self.skills, spreads, strict=True))]

    def unreached(self) -> Sequence[Unreached]:
        return self.missing

    def held(self) -> int:
        return 4

    def mixed(self) -> Mixed | None:
        return self.mixes

    def ranges(self) -> tuple[Any, ...]:
        return self.range


def bench(**known: Any) -> Bench:
    return cast(Bench, Told(**known))


def test_all_questions_are_found_with_their_words() -> None:
    found = catalogue.questions()
    assert len({each.slug for each in found}) == len(found) >= 8
    for each in found:
        assert each.title
        assert each.why
        assert each.sources
        assert set(each.needs) <= {other.slug for other in found}
        for slug in each.causes:
            find(slug)


def test_an_answer_survives_being_data() -> None:
    answer = ExpectedFirstLoss().failed("it is large", 9.0, 3.0, PLACE)
    assert catalogue.answer_of(asdict(answer)) == answer


@pytest.mark.parametrize(("loss", "first", "verdict"), [
    ("cross_entropy", 2.4, Verdict.PASS), ("cross_entropy", 40.0, Verdict.FAIL),
    ("cross_entropy", math.nan, Verdict.FAIL), ("mse_loss", 5.0, Verdict.PASS),
    ("mse_loss", 300.0, Verdict.FAIL)])
def test_the_first_loss(loss: str, first: float, verdict: Verdict) -> None:
    assert ExpectedFirstLoss().ask(bench(loss=loss, first=first), None).verdict is verdict


def test_no_first_loss_is_expected_of_a_formula() -> None:
    with pytest.raises(CannotAsk):
        ExpectedFirstLoss().ask(bench(loss=""), None)


@pytest.mark.parametrize(("losses", "verdict", "says"), [
    ([2.3 * 0.9 ** i for i in range(300)], Verdict.PASS, "fell"),
    ([2.3] * 300, Verdict.FAIL, "flat"),
    ([2.3 * 1.1 ** i for i in range(300)], Verdict.FAIL, "rises"),
    ([2.3] * 200 + [math.nan], Verdict.FAIL, "explodes"),
    ([2.3 - 0.003 * i for i in range(300)], Verdict.UNKNOWN, "neither"),
])
def test_how_memorising_fails(losses: list[float], verdict: Verdict, says: str) -> None:
    answer = BatchMemorised().ask(bench(losses=losses), None)
    assert answer.verdict is verdict
    assert says in answer.says


FITTED, STUCK = [2.3 * 0.9 ** i for i in range(300)], [2.3] * 300
HALFWAY = [2.3] * 100 + [1.0] * 200


@pytest.mark.parametrize(("own", "others", "sizes", "verdict"), [
    (FITTED, FITTED, (32, 64, 10_000), Verdict.PASS),
    (FITTED, STUCK, (32, 64, 10_000), Verdict.FAIL),
    (FITTED, HALFWAY, (32, 64, 10_000), Verdict.UNKNOWN),
    (STUCK, STUCK, (32, 64, 10_000), Verdict.UNKNOWN),
    (FITTED, STUCK, (32, 64, 100), Verdict.UNKNOWN),  # a small network
    (FITTED, STUCK, (32, 4, 10_000), Verdict.UNKNOWN),  # samples of few numbers
])
def test_the_room_for_labels_that_mean_nothing(
    own: list[float], others: list[float], sizes: tuple[int, int, int], verdict: Verdict
) -> None:
    answer = RandomLabels().ask(bench(losses=own, shuffled=others, sizes_are=sizes), None)
    assert answer.verdict is verdict


def test_few_samples_have_room_in_any_network() -> None:
    with pytest.raises(CannotAsk, match="fewer than 8"):
        RandomLabels().ask(bench(sizes_are=(4, 64, 10_000)), None)


def read(before: Sequence[float], after: Sequence[float]) -> Answer:
    return LabelReadable().ask(bench(skills=after), list(before))


def test_the_label_is_lost_where_it_can_be_read_no_more() -> None:
    lost = read([0.9, 0.8, 0.0, 0.0], [0.9, 0.9, 0.01, 0.0])
    assert lost.verdict is Verdict.FAIL
    assert "op2" in lost.says
    assert lost.location == PLACE
    assert read([0.9, 0.8, 0.0, 0.0], [0.9, 0.9, 0.8, 0.7]).verdict is Verdict.PASS, "trained"
    assert read([0.9, math.nan, 0.1, 0.5], [0.9, math.nan, 0.1, 0.5]).verdict is Verdict.PASS


def test_a_layer_that_loses_the_label_may_need_training_unless_all_samples_are_alike() -> None:
    known = {"skills": [0.9, 0.0, 0.0, 0.0], "trained": (1, 3)}
    before = [0.9, 0.0, 0.0, 0.0]
    open_ = LabelReadable().ask(bench(**known), before)
    assert open_.verdict is Verdict.UNKNOWN
    assert "longer training" in open_.says
    alike = LabelReadable().ask(bench(**known, spreads=[1.0, 1.0, 0.0, 0.0]), before)
    assert alike.verdict is Verdict.FAIL
    assert "lost at op2" in alike.says, "the first place where samples are alike"


def test_what_nobody_can_read_is_not_lost() -> None:
    with pytest.raises(CannotAsk, match="not even from the inputs"):
        read([0.1, 0.0], [0.1, 0.0])
    with pytest.raises(CannotAsk, match="no axis"):
        read([0.9, math.nan], [0.9, math.nan])


def test_gradients() -> None:
    ask = GradientsReach().ask
    assert ask(bench(), None).verdict is Verdict.PASS
    cut = ask(bench(missing=[Unreached("a.weight", True, "detach", PLACE)]), None)
    assert cut.verdict is Verdict.FAIL
    assert "detach cuts the graph" in cut.says
    assert ask(bench(missing=[Unreached("a.bias", True, "", PLACE)]), None).verdict is Verdict.FAIL
    taken_away = ask(bench(missing=[Unreached("a.bias", True, "", PLACE, alone=True)]), None)
    assert taken_away.verdict is Verdict.UNKNOWN
    unused = ask(bench(missing=[Unreached("a.weight", False, "", None)]), None)
    assert unused.verdict is Verdict.UNKNOWN


def test_samples() -> None:
    ask = SamplesApart().ask
    assert ask(bench(), None).verdict is Verdict.PASS
    assert ask(bench(mixes=Mixed("view", 1.0, "", PLACE)), None).verdict is Verdict.FAIL
    with pytest.raises(CannotAsk, match="statistic over the batch"):
        ask(bench(mixes=Mixed("sub", 1.0, "it takes a statistic over the batch", PLACE)), None)


def test_the_learning_rate() -> None:
    ask = LearningRate().ask
    falls, rises, flat = [2.0, 1.0, 0.5], [2.0, 9.0, 40.0], [2.0, 2.0, 2.0]
    assert ask(bench(rates={1.0: falls}), None).verdict is Verdict.PASS
    high = ask(bench(rates={1.0: rises, 0.1: flat, 0.01: falls}), None)
    assert high.verdict is Verdict.FAIL
    assert high.location == PLACE
    assert high.bound == 0.01
    gone = ask(bench(rates={1.0: [2.0, math.nan], 0.1: falls}), None)
    assert gone.verdict is Verdict.FAIL
    assert "explodes" in gone.says
    slow = ask(bench(rates={1.0: flat, 10.0: falls}), None)
    assert slow.verdict is Verdict.UNKNOWN, "schedules may begin with a low rate"
    assert ask(bench(rates={1.0: rises, 0.1: rises, 0.01: rises, 10.0: rises}), None
               ).verdict is Verdict.UNKNOWN, "another reason"


def test_targets_out_of_range() -> None:
    ask = TargetsInRange().ask
    told = {"loss": "mse_loss"}
    assert ask(bench(**told), None).verdict is Verdict.PASS
    assert ask(bench(**told, range=(0.0, 1.0, 0.0, 1.0, "sigmoid", PLACE)), None
               ).verdict is Verdict.PASS
    out = ask(bench(**told, range=(0.0, 1.0, -3.0, 3.0, "sigmoid", PLACE)), None)
    assert out.verdict is Verdict.FAIL
    assert out.location == PLACE
    with pytest.raises(CannotAsk):
        ask(bench(), None)
