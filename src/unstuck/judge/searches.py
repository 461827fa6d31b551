"""Trainings that a program runs to compare settings: some of them are meant to do badly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unstuck.record.reader import Record
from unstuck.rules.cause import Harm
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Diagnosis, Severity
from unstuck.schema.places import SourceLocation

FEWEST = 3  # trainings with settings of their own that are a search
Settings = tuple[object, ...]


def set_apart(
    trainings: Sequence[Record], found: Sequence[Diagnosis], harms: Mapping[str, Harm]
) -> tuple[list[Diagnosis], list[int]]:
    """The diagnoses, and the numbers of the trainings that a search has passed over.

    A search builds its optimizers at one place, with other options or for layers of other sizes. At
    least half of its trainings must be sound. Of another, whose settings none of these has, what
    the settings bring about is a note; a mistake stays what it is.
    """
    places: dict[SourceLocation, list[int]] = {}
    for number, training in enumerate(trainings):
        built = next((each.location for each in training.facts(Optimizer)), None)
        if built is not None:
            places.setdefault(built, []).append(number)
    diagnoses, passed = list(found), []
    for numbers in places.values():
        settings = {number: _settings(trainings[number]) for number in numbers}
        sound = [number for number in numbers if not found[number].counted()]
        if len(set(settings.values())) < FEWEST or 2 * len(sound) < len(numbers):
            continue
        good = {settings[number] for number in sound}
        for number in numbers:
            counted = found[number].counted()
            if counted and settings[number] not in good and all(
                    harms.get(each.cause) is Harm.CONDITION for each in counted
                    if each.explained_by is None):
                passed.append(number)
                diagnoses[number] = replace(found[number], findings=tuple(
                    replace(each, severity=Severity.NOTE) for each in found[number].findings))
    return diagnoses, passed


def _settings(training: Record) -> Settings:
    """What a program may search through: the options of its optimizers, and sizes of layers."""
    return (tuple((each.kind, each.options) for each in training.facts(Optimizer)),
            tuple(each.shape for each in training.parameters().values()))
