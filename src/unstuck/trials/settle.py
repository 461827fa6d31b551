"""Chooses among changes that were tried: which cause they show, where a record cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

from unstuck.trials.doses import unusual
from unstuck.trials.plan import Plan
from unstuck.trials.race import Tried
from unstuck.trials.verdict import Run, TrialVerdict

NEARLY = 0.8  # of the best gain: as good, as far as one dose of a change can tell


def chosen(tried: Sequence[Tried], plan: Plan, control: Run) -> Tried | None:
    """The change to keep: one that cures, else one that removes its fault, else one that heals.

    Of equals it is the one that the diagnosis put first, unless the record cannot tell its cause
    from others: then it is the one that their experiments show.
    """
    for wanted in (TrialVerdict.CURED, TrialVerdict.REMOVED, TrialVerdict.BETTER):
        able = [each for each in tried if each.judgement.verdict is wanted and (
            wanted is TrialVerdict.CURED
            # That a doubtful finding has gone says nothing if nothing is gained.
            or (wanted is TrialVerdict.REMOVED and not each.candidate.of_a_note)
            or (wanted is TrialVerdict.BETTER and each.run.healthy))]
        if able:
            return _settled(able[0], able, plan, control)
    return None


def _settled(first: Tried, able: Sequence[Tried], plan: Plan, control: Run) -> Tried:
    """Of the changes for causes that cannot be told apart, the one whose run tells.

    That is a change that gains most or nearly as much. Of those, one that brings an unusual value
    of the program back to a usual one comes first, then the order of the diagnosis.
    """
    rivals = plan.rivals(first.candidate.cause)
    among = [each for each in able if each.candidate.cause in rivals]
    gains = [each.judgement.gain for each in among if each.judgement.gain is not None]
    most = max(gains, default=0.0)
    good = [each for each in among
            # What removes a fault may cost something: then the best gain is a loss.
            if each.judgement.gain is None or each.judgement.gain >= min(most, NEARLY * most)]
    return min(good, key=lambda each: (
        each.candidate.cost > 1, not unusual(each.candidate.edit, control.record),
        each.candidate.place))
