"""Statements of a program that do nothing or are not reached, where a cause comes from them."""

from __future__ import annotations

from unstuck.measures.view import View
from unstuck.schema.edits import CallIt, KeepResult, Remedy, Safety
from unstuck.schema.facts.calls import REBOUND, SHUFFLES, USED_UP, Guarded, Idle
from unstuck.schema.places import SourceLocation


def uncalled(view: View, method: str) -> Idle | None:
    """The statement that names a method and lacks the parentheses, if there is one."""
    return next((idle for idle in view.record.facts(Idle)
                 if not idle.called and idle.function == method), None)


def called_at(idle: Idle | None) -> tuple[Remedy, ...]:
    """The parentheses, as a remedy."""
    if idle is None:
        return ()
    edit = CallIt(idle.location, idle.function)
    return (Remedy(edit.words(), Safety.SAFE, (edit,)),)


def rebound(view: View) -> Idle | None:
    """The assignment to a loop variable over parameters, if there is just one."""
    found = [idle for idle in view.record.facts(Idle) if idle.function == REBOUND]
    return found[0] if len(found) == 1 else None


def used_up(view: View) -> Idle | None:
    """The iterator that only the first of many loops goes over, if there is just one."""
    found = [idle for idle in view.record.facts(Idle) if idle.function == USED_UP]
    return found[0] if len(found) == 1 else None


def guarded(view: View, method: str) -> Guarded | None:
    """The call of a method that stands under a condition, if there is just one."""
    found = [each for each in view.record.facts(Guarded) if each.method == method]
    return found[0] if len(found) == 1 else None


def place_of(
    idle: Idle | None, held: Guarded | None, reached: str
) -> tuple[SourceLocation, str] | None:
    """Where a call stands that is not made, and the label there: without its parentheses, or under
    a condition, which is `reached` never or too seldom."""
    if idle is not None:
        return idle.location, "without parentheses nothing is called"
    if held is not None:
        return held.location, f"{reached}: see the condition in line {held.condition.line}"
    return None


def discarded(view: View, shuffles: bool = False) -> tuple[Idle, ...]:
    """The activations, or the shuffles, whose results the program does not keep."""
    return tuple(idle for idle in view.record.facts(Idle)
                 if idle.called and idle.function != USED_UP
                 and (idle.function in SHUFFLES) is shuffles)


def kept(idle: tuple[Idle, ...]) -> tuple[Remedy, ...]:
    """Their results, given to what they were made from."""
    if not idle:
        return ()
    edit = KeepResult(tuple(each.location for each in idle), idle[0].function)
    return (Remedy(edit.words(), Safety.SAFE, (edit,)),)
