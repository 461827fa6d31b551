"""What several causes ask of the samples that were kept: which, from where, by what number.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math

from unstuck.measures.basics import unread_loss, unwatched
from unstuck.measures.view import View
from unstuck.schema.facts.data import Fetch, Kept, Loader
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.findings import Absent, Unknown
from unstuck.schema.places import SourceLocation
from unstuck.torch_api import IN_ORDER
from unstuck.words import count


def kept(view: View, role: str) -> Kept | None:
    """What was kept of the samples of a role, "train" or "held-out"."""
    return next((k for k in view.record.facts(Kept) if k.name == role), None)


def trained_on(view: View) -> Kept | Unknown:
    """What was kept of the training samples, or why nothing was."""
    found = kept(view, "train")
    if found is not None:
        return found
    return Unknown("no training samples could be kept: " + (
        unwatched(view.record) or "no model was called with a tensor of samples"),
        ("a model that is called with a tensor of samples",))


def labelled(view: View) -> Kept | Absent | Unknown:
    """The training samples with a target each, or why there are none to look at."""
    found = trained_on(view)
    if isinstance(found, Unknown) or found.targets:
        return found
    unread = unread_loss(view.record)
    if unread is None:
        return _unmatched(view) or Absent("no loss receives one label or number per sample")
    return Unknown(f"the targets of the samples are not known: {unread}",
                   ("a loss from torch.nn",))


def _unmatched(view: View) -> Unknown | None:
    """Of models that receive more rows than there are targets, such as the nodes of several graphs.

    Where there are more targets than rows, each place of a sample has one.
    """
    single = [m.input_shape[0] for m in view.record.facts(Model) if len(m.input_shape or ()) == 1]
    rows = max((m.input_shape[0] for m in view.record.facts(Model) if m.input_shape), default=0)
    for loss in view.record.facts(Loss):
        shape = loss.target_shape
        if shape and math.prod(shape) == shape[0] and 1 < shape[0] < rows:
            return Unknown(f"a model receives {count(rows, 'row')} for {count(shape[0], 'target')},"
                           " and which belong together is not known",
                           ("a model with one row for each target",))
        if shape and len(shape) == 1 and single and shape[0] not in (1, *single):
            return Unknown("a model receives its samples one by one, perhaps in a list, and which "
                           "target belongs to which is not known",
                           ("a model that is called with a tensor of samples",))
    return None


def held_out(view: View) -> Kept | Absent | Unknown:
    """What was kept of held-out samples, or why nothing was."""
    found = kept(view, "held-out")
    if found is not None:
        return found
    unseen = unwatched(view.record)
    if unseen is None:
        return Absent("the program calls its models with training samples only")
    return Unknown(f"it is not known whether the program has held-out data: {unseen}",
                   ("a run under `unstuck run`",))


def unjudged(found: Kept) -> Absent | Unknown:
    """Why held-out samples, of which nothing is known that scores them, are not compared."""
    if found.location is None:
        return Absent("the program computes no loss on samples that it does not train on")
    return Unknown("the program computes no loss that unstuck knows on the samples that it does "
                   "not train on", ("a validation loss from torch.nn",))


def training_samples(view: View) -> int | None:
    """The number of training samples, where one loader names it."""
    sizes = {fetch.samples for fetch in view.record.facts(Fetch) if fetch.samples > 0}
    return next(iter(sizes)) if len(sizes) == 1 else None


def training_location(view: View) -> SourceLocation | None:
    """Where training gets its data: its loader, or the first call of the model."""
    calls = [m for m in view.record.facts(Model) if m.call_location is not None]
    loaders = view.record.facts(Loader)
    if calls and calls[0].input_shape:
        loaders = tuple(x for x in loaders if x.batch_size == calls[0].input_shape[0])
    # Validation is seldom shuffled.
    best = next((x for x in loaders if x.sampler != IN_ORDER), None)
    if best is not None or loaders:
        return (best or loaders[0]).location
    return calls[0].call_location if calls else None
