"""Asks programs and counts; see the package."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corpus import HEALTHY, LONG
from unstuck.questions import catalogue
from unstuck.questions.question import Answer, Verdict
from unstuck.trials.checking import ask
from unstuck.trials.laboratory import Laboratory, Limits, Subject

PROGRAMS = tuple(sorted((Path(__file__).parent / "programs").glob("*.py")))
SECONDS = 120.0
LIBRARIES = ("sklearn.datasets", "sklearn.model_selection", "sklearn.preprocessing",
             "sklearn.metrics")


def answered(programs: tuple[Path, ...], named: list[str]) -> Iterator[tuple[Path, list[Answer]]]:
    """Programs with their answers."""
    with tempfile.TemporaryDirectory() as folder:
        nothing = Subject(("none.py",), folder, folder, libraries=LIBRARIES)
        with Laboratory(nothing, Limits()) as laboratory:
            for program in programs:
                if not named or program.stem in named:
                    place = str(program.parent)
                    laboratory.subject = Subject((program.name,), place, place)
                    yield program, list(ask(laboratory, SECONDS))


def healthy(named: list[str]) -> None:
    """How many questions healthy programs fail."""
    asked = answers = failed = 0
    for program, found in answered((*HEALTHY, *LONG), named):
        wrong = [each for each in found if each.verdict is Verdict.FAIL]
        asked += len(found)
        answers += sum(each.verdict is not Verdict.UNKNOWN for each in found)
        failed += len(wrong)
        says = "; ".join(f"{each.question}: {each.says}" for each in wrong) or "nothing failed"
        print(f"{program.stem:36} {says}", flush=True)
    print(f"{failed} failed of {answers} answers, to {asked} questions")


def faulty(named: list[str]) -> None:
    """In how many programs the first place that is named is the one at fault."""
    places = {each.slug for each in catalogue.questions() if each.names_place}
    right = total = 0
    for program, found in answered(PROGRAMS, named):
        named_place = next((each for each in found if each.verdict is Verdict.FAIL
                            and each.location and each.question in places), None)
        text = (named_place.location.text or "") if named_place and named_place.location else ""
        hit = text.rstrip().endswith("# fault")
        right, total = right + hit, total + 1
        says = f"{named_place.question}: {text.strip()}" if named_place else "no place named"
        print(f"{'right' if hit else 'WRONG'}  {program.stem:36} {says}", flush=True)
    print(f"{right} of {total} places are right")


if __name__ == "__main__":
    which, *rest = [*sys.argv[1:], "faulty"][: max(len(sys.argv) - 1, 1)]
    (healthy if which == "healthy" else faulty)(rest)
