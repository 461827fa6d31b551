"""Every fault that can be put into a program, in the order of the catalogue's families."""

from __future__ import annotations

from corpus.generated.faults import data, flow, labels, model, optimisation, program, sequence
from corpus.generated.faults.fault import Fault, Proof

FAULTS: tuple[Fault, ...] = (
    *data.FAULTS, *labels.FAULTS, *model.FAULTS, *flow.FAULTS, *optimisation.FAULTS,
    *program.FAULTS, *sequence.FAULTS,
)

__all__ = ["FAULTS", "Fault", "Proof"]
