"""What several causes ask of the samples that were kept: which, from where, by what number.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

from unstuck.cause import View
from unstuck.facts import Kept, SourceLocation
from unstuck.signals import StepSignal


def kept(view: View, role: str) -> Kept | None:
    """What was kept of the samples of a role, "train" or "held-out"."""
    return next((k for k in view.facts.kept if k.name == role), None)


def final(view: View, signal: StepSignal) -> float | None:
    """The last finite value of a signal, None if there is none."""
    if not view.has(signal) or not len(view[signal].finite):
        return None
    return float(view[signal].finite.values[-1])


def training_location(view: View) -> SourceLocation | None:
    """Where training gets its data: its loader, or the first call of the model."""
    calls = [m for m in view.facts.models if m.call_location is not None]
    loaders = view.facts.loaders
    if calls and calls[0].input_shape:
        loaders = tuple(x for x in loaders if x.batch_size == calls[0].input_shape[0])
    # Validation is seldom shuffled.
    best = next((x for x in loaders if x.sampler != "SequentialSampler"), None)
    if best is not None or loaders:
        return (best or loaders[0]).location
    return calls[0].call_location if calls else None
