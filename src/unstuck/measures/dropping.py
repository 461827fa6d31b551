"""What dropout zeroes in training, by layers and by calls of torch's functions."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.measures.evaluation import late_value
from unstuck.measures.view import View
from unstuck.schema.facts.models import CalledDropout, LayerRole
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import HELD_OUT_LOSS, SEEN_LOSS
from unstuck.words import called


@dataclass(frozen=True, slots=True)
class Dropping:
    """A layer or a line that zeroes a share of its units in training."""

    name: str
    share: float
    location: SourceLocation | None


def strongest_dropout(view: View) -> Dropping | None:
    """The layer or line that zeroes the largest share, None without dropout."""
    found = [Dropping(called(layer.name), layer.dropped, layer.location)
             for layer in view.record.layers().values()
             if layer.role is LayerRole.DROPOUT and layer.dropped is not None]
    found += [Dropping(f"the {call.name}", call.share, call.location)
              for call in view.record.facts(CalledDropout) if call.share is not None]
    return max(found, key=lambda each: each.share, default=None)


def dropped_share(view: View) -> float:
    """The largest share of units that a layer or line zeroes; 0 without dropout."""
    found = strongest_dropout(view)
    return 0.0 if found is None else found.share


def loss_without_dropout(view: View) -> tuple[str, float] | None:
    """The last loss in eval mode and its signal, on training data if the program has it."""
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        if (quiet := late_value(view, signal)) is not None:
            return signal.name, quiet
    return None
