"""Units that put out zero for every sample from some step on.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import last_good_step
from unstuck.measures.view import View
from unstuck.schema.signals.layers import SILENT_SHARE

MOST = 0.9  # of the units of a layer
LATE = 3  # looks at the end


def fell_silent(view: View, after: int) -> list[str]:
    """The layers of which hardly any unit was silent up to a step, and nearly all are in the end.

    Args:
        view: its cause uses the share of silent units.
        after: the last step at which a layer is as it was built.
    """
    found = []
    for name, series in view[SILENT_SHARE].items() if view.has(SILENT_SHARE) else ():
        known = series.finite
        before = known.until(after).values
        late = known.values[known.steps <= last_good_step(view)][-LATE:]
        if len(before) and len(known) > LATE and before[0] < 1 - MOST and (
                float(np.min(late)) >= MOST):
            found.append(name)
    return found
