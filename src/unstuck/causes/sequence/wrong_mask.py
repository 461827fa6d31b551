"""Wrong mask: attention goes to the padding or the future alone, or rows of it are closed."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import level, measured, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import BooleanMask, InvertMask, Remedy, Safety
from unstuck.schema.facts.run import NonFinite
from unstuck.schema.facts.sequences import LooksAhead, Mask, Ones
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.sequences import (
    ATTENTION_ON_PADDING,
    CLOSED_ROWS,
    FLAG_MASK,
    PAST_CLOSED,
)
from unstuck.words import percent

INVERTED = Threshold(
    "attention-on-padding", 0.99,
    "Attention without a mask spreads over real and padded places. That nothing at all goes to the "
    "real ones takes a mask that closes them.",
    "definition",
)
WHOLLY = Threshold(
    "all-attention-on-padding", 1 - 1e-6,
    "A softmax leaves something to every place that no mask closes. If nothing is left to the real "
    "places at any look, a mask closes them, also where it is not seen.",
    "definition, in single precision",
)
BACKWARDS = Threshold(
    "rows-with-a-closed-past", 0.75,
    "Where each step is to predict the next one, a causal mask leaves the past open. One that "
    "leaves nothing but the future open does so in all rows but the last, which has none.",
    "definition: three of four rows in the shortest sequence that is judged",
)
SPELLED = ("MultiheadAttention and TransformerEncoder mask where True, "
           "scaled_dot_product_attention attends where True")


def _detect(view: View) -> Verdict:
    masks = {mask.name: mask for mask in view.record.facts(Mask)}
    added = next((mask for mask in masks.values() if mask.ones is not None), None)
    if added is not None and added.ones is not None:
        return _added(view, added, added.ones)
    if view.has(PAST_CLOSED) and view.record.facts(LooksAhead):
        for name, series in view[PAST_CLOSED].items():
            if name in masks and level(series) >= view.limit(BACKWARDS):
                return _backwards(view, masks[name])
    if view.has(ATTENTION_ON_PADDING):
        for name, series in view[ATTENTION_ON_PADDING].items():
            share = level(series)
            mask = masks.get(name)
            # A mask that is added to the scores is not seen; then all of the attention must be on
            # the padding, from the first step on.
            least = share if mask is not None and mask.masked else float(np.min(series.values))
            enough = INVERTED if mask is not None and mask.masked else WHOLLY
            if mask is not None and least >= view.limit(enough):
                return _inverted(view, mask, share)
    broken = view.record.fact(NonFinite)
    if view.has(CLOSED_ROWS) and broken is not None:
        for name, series in view[CLOSED_ROWS].items():
            if name in masks and len(series) and series.steps[0] <= broken.step:
                return _closed(view, masks[name], float(series.values[0]), broken.step)
    if view.has(ATTENTION_ON_PADDING):
        share = max(level(series) for series in view[ATTENTION_ON_PADDING].values())
        return Absent(f"{percent(1 - share)} of the attention goes to what is real")
    unseen = unwatched(view.record)
    return Absent("no attention over padded sequences was seen") if unseen is None else Unknown(
        f"attention was not seen: {unseen}", ("a training step of a model with attention",))


def _inverted(view: View, mask: Mask, share: float) -> Present:
    return Present(
        strength=0.97, certain=True,
        title=f"the attention mask is the wrong way round: {percent(share)} of the attention goes "
        "to the padding",
        since_step=0, location=mask.location, label="closes what is real and leaves the padding",
        evidence=(measured(view, ATTENTION_ON_PADDING, mask.name, view.limit(INVERTED),
                           f"{percent(share)} of the attention goes to padded places"),),
        remedies=(Remedy("invert the mask", Safety.SAFE, (InvertMask(mask.location),),
                         advice=f"Invert the mask. {SPELLED}."),))


def _backwards(view: View, mask: Mask) -> Present:
    return Present(
        strength=0.97, certain=True,
        title="the causal mask is the wrong way round: it closes the past and leaves the future "
        "open, which holds the targets",
        since_step=0, location=mask.location, label="closes the earlier steps, not the later ones",
        evidence=(measured(view, PAST_CLOSED, mask.name, view.limit(BACKWARDS),
                           "the mask leaves a step nothing but later steps to attend to, in "
                           f"{percent(level(view[PAST_CLOSED][mask.name]))} of the rows"),),
        remedies=(Remedy("invert the mask", Safety.SAFE, (InvertMask(mask.location),),
                         advice=f"Invert the mask. {SPELLED}."),))


def _added(view: View, mask: Mask, ones: Ones) -> Present:
    return Present(
        strength=0.95, certain=True,
        title="the attention mask is a tensor of zeros and ones, which is added to the scores and "
        "closes nothing", since_step=0, location=mask.location,
        label="adds 0 or 1 to each score; a mask of booleans closes places",
        evidence=(measured(view, FLAG_MASK, mask.name, None,
                           f"the scores get a 1 at some places ({ones}) and a 0 at all others; to "
                           "close a place takes minus infinity"),),
        remedies=(Remedy("give the mask as booleans", Safety.SAFE,
                         (BooleanMask(mask.location, ones),),
                         advice=f"Make the mask boolean. {SPELLED}."),))


def _closed(view: View, mask: Mask, share: float, step: int) -> Present:
    return Present(
        strength=0.9,
        title=f"{percent(share)} of the rows of the attention mask leave no place open, so their "
        f"softmax is NaN at step {step}",
        since_step=step, location=mask.location, label="closes whole rows",
        evidence=(measured(view, CLOSED_ROWS, mask.name, 0.0,
                           f"{percent(share)} of the rows have no place to attend to"),),
        remedies=(
            Remedy("invert the mask", Safety.SAFE, (InvertMask(mask.location),),
                   advice=f"Invert the mask if it is the wrong way round. {SPELLED}."),
            Remedy("leave one place open", Safety.ADVICE, advice="Leave at least one place open in "
                   "each row, for example the first one, or leave out empty sequences."),
        ))


CAUSE = Cause(
    slug="wrong-mask",
    code="T003",
    title="Wrong mask",
    family="Sequences",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.NAN, Symptom.FLAT, Symptom.CHANCE),
    words=Words(
        symptom="A network with attention learns nothing from padded sequences, or its loss is NaN "
        "from the first step. Without the mask it learns.",
        consequence="The network sees only the padding, which is the same in all sequences. If a "
        "row of the mask closes every place, its softmax divides 0 by 0.",
        why="Masks have two conventions. key_padding_mask and masked_fill close the places that "
        "are True; scaled_dot_product_attention attends to them. A mask of lengths, such as "
        "positions < lengths, is True where data are real. With the wrong convention every real "
        "place is closed.",
        detection="Padding is found in the data. The detector reads the weights that the softmax "
        "of the attention has made, or the mask of fused attention, and adds up what goes to "
        "padded places. Where each step is to predict the next one, a mask that leaves nothing but "
        "later steps open is the wrong way round. A mask of numbers is added to the scores: if it "
        "holds zeros and ones and "
        "nothing else, it closes nothing. Closed rows are counted in the mask, and are reported "
        "only if the loss became NaN or infinite.",
        limitations="A mask that closes nothing, such as one filled with 1e-9 in place of -1e9, is "
        "not a wrong mask here: reads-padding reports what it lets through. Attention on a GPU "
        "whose fused kernel keeps no mask is not judged.",
        references=(
            "PyTorch: torch.nn.MultiheadAttention (key_padding_mask)",
            "PyTorch: torch.nn.functional.scaled_dot_product_attention (attn_mask)",
        ),
    ),
    needs=(),
    uses=(ATTENTION_ON_PADDING, CLOSED_ROWS, FLAG_MASK, PAST_CLOSED),
    thresholds=(INVERTED, WHOLLY, BACKWARDS),
    effects=(
        Effect.PADDING_READ, Effect.TARGETS_READ, Effect.LABELS_UNPREDICTABLE,
        Effect.NON_FINITE, Effect.UNITS_DIE, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
