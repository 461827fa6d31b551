"""What a fault is: a change to a program, at two or three strengths, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from corpus.generated.program import Program

Change = Callable[[Program, Any], "Program | None"]
ANY_BASE = ("mlp", "mlp-regression", "cnn", "gru", "transformer", "autoencoder")
LABELLED = ("mlp", "mlp-regression", "cnn", "gru", "transformer")
ADDS = ("SGD",)  # optimizers whose step grows with the gradient


class Proof(StrEnum):
    """What shows that a program with the fault is faulty."""

    SKILL = "skill"  # it reaches less than its healthy twin on held-out data
    MEMORY = "memory"  # it takes more memory than its healthy twin
    NATURE = "nature"  # its results cannot be trusted, whatever they are


@dataclass(frozen=True, slots=True)
class Fault:
    """A cause of the catalogue as a change to a program.

    `doses` are its strengths by name. `inject` returns None where the fault makes no sense.
    `prepare` is done to the healthy twin too, where the fault only shows under some conditions.
    `trial`: the catalogue tells it apart by running something else (a twin, a subset, another
    dose), so that no single run decides it. `accepts` are other causes whose words describe the
    very same change. `line` is an expression that the line with the fault holds, "" where no one
    line is at fault. `hides`: nothing else can show beside it.
    """

    slug: str
    doses: Mapping[str, Any]
    inject: Change
    bases: tuple[str, ...] = ANY_BASE
    prepare: Change | None = None
    trial: bool = False
    proof: Proof = Proof.SKILL
    accepts: tuple[str, ...] = ()
    line: str = ""
    hides: bool = False

    @property
    def family(self) -> str:
        """The letter of the cause's family in the catalogue, by the module that holds it."""
        return self.inject.__module__.rpartition(".")[2]
