"""All questions, and answers as data."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from unstuck import questions as package
from unstuck.questions.question import Answer, Question, Verdict
from unstuck.schema.findings import Severity
from unstuck.schema.places import SourceLocation

_OTHERS = ("catalogue", "question")


def questions() -> list[Question]:
    """Every question: those that are asked first come first."""
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _OTHERS:
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            found += [kind() for kind in vars(loaded).values()
                      if isinstance(kind, type) and issubclass(kind, Question)
                      and kind is not Question]
    return sorted(found, key=lambda each: (each.after, each.place_in_order))


def answer_of(known: dict[str, Any]) -> Answer:
    """An answer from what `dataclasses.asdict` makes of it."""
    place = known["location"]
    return Answer(
        known["question"], Verdict(known["verdict"]), known["says"], known["value"],
        known["bound"], SourceLocation(**place) if place else None, Severity(known["severity"]))
