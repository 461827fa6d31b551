"""Terms of a loss that is a sum."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

TERM_SHARE = PlaceSignal(
    "term-share", "",
    "norm of the gradient of a term of the loss over the sum of the norms of all, where its way "
    "back through the network joins those of the others",
    requires=runs.SUM, place="term",
)
TERM_LOSS = PlaceSignal(
    "term-loss", "",
    "value of a term that compares predictions with targets, without the factor that it gets",
    requires=runs.SUM_WITH_TARGETS, place="term",
)
TERM_SKILL = PlaceSignal(
    "term-skill", "",
    "how far such a term has come from the best prediction that ignores the input (0) to the best "
    "that there can be (1)",
    requires=runs.SUM_WITH_TARGETS, place="term",
)
