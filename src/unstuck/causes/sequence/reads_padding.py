"""Reads padding: what the network makes of a sequence comes from the padding behind it."""

from __future__ import annotations

from unstuck.measures.basics import level, measured, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import InvertMask, ReadRealSteps, Remedy, Safety
from unstuck.schema.facts.sequences import Padding, Read, Reading
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.sequences import PADDED_SHARE, PADDING_READ
from unstuck.words import called, percent

LEAST = Threshold(
    "padding-read", 0.15,
    "A pooling with a mask, a packed sequence and a step chosen by length read nothing of the "
    "padding. The last step of sequences that end early is padding for nearly all of them.",
    "definition; in the programs of the corpus 0 with a mask, 0.5 to 1 without",
)
MOSTLY = Threshold(
    "padding-read-mostly", 0.5,
    "If most of what is read is padding, it outweighs the sequence itself.",
    "definition",
)
ONLY = Threshold(
    "padding-read-only", 0.95,
    "Without a mask the network reads the sequences too. A mask the wrong way round hides them.",
    "definition",
)


def _detect(view: View) -> Verdict:
    if not view.has(PADDED_SHARE):
        unseen = unwatched(view.record)
        return Absent("the model is not trained with sequences") if unseen is None else Unknown(
            f"the model's inputs were not seen: {unseen}",
            ("a training step whose model is called with a batch of sequences",))
    padded = level(view[PADDED_SHARE])
    padding = view.record.fact(Padding)
    if padding is None or not padded > 0:
        return Absent("the sequences that the model is trained with are not padded")
    reads = view.record.facts(Read)
    if not view.has(PADDING_READ):
        if any(read.how is Reading.EACH for read in reads):
            return Absent("the network makes an output of each time step")
        return Unknown("it is not known which time steps the network reads",
                       ("a layer of torch.nn that outputs every time step",))
    shares = {name: level(series) for name, series in view[PADDING_READ].items()}
    for name, share in shares.items():
        if share >= view.limit(LEAST):
            read = next((each for each in reads if each.name == name), None)
            return _present(view, name, share, padded, read, padding)
    return Absent(f"only {percent(max(shares.values()))} of what the network reads is padding")


def _present(
    view: View, name: str, share: float, padded: float, read: Read | None, padding: Padding
) -> Present:
    how = read.how if read is not None else Reading.OTHER
    layer = view.record.layers().get(name)
    location = read.location if read is not None and read.location is not None else (
        layer.location if layer is not None else None)
    where = called(name)[:40]
    series = view[PADDED_SHARE].finite
    return Present(
        strength=0.9 if share >= view.limit(MOSTLY) else 0.7,
        title=_TITLES[how].format(share=percent(share), where=where),
        since_step=0, location=location, label=_LABELS[how],
        evidence=(
            measured(view, PADDING_READ, name, view.limit(LEAST),
                     f"{percent(share)} of what is read from {where} is padding"),
            Evidence(PADDED_SHARE.name, "", tuple(map(int, series.steps[:200])),
                     tuple(map(float, series.values[:200])), None,
                     f"{percent(padded)} of the time steps are padding"),
        ),
        remedies=_remedies(read, padding, share >= view.limit(ONLY)))


_TITLES = {
    Reading.LAST: "the network reads {where} at the last time step, which is padding for {share} "
    "of the sequences",
    Reading.STATE: "the network reads the last state of {where}, which has run on over padding in "
    "{share} of the cases",
    Reading.MEAN: "the network averages {where} over all time steps, and {share} of what it reads "
    "is padding",
    Reading.OTHER: "{share} of what the network reads from {where} is padding",
}
_LABELS = {
    Reading.LAST: "reads the last time step, not the last real one",
    Reading.STATE: "runs on over the padding",
    Reading.MEAN: "counts the padding too",
    Reading.OTHER: "reads the padding too",
}


def _remedies(read: Read | None, padding: Padding, only: bool) -> tuple[Remedy, ...]:
    mask = Remedy("leave out the padding", Safety.ADVICE, advice="Give the layer the lengths or a "
                  "mask, so that padded steps are left out: pack_padded_sequence for recurrent "
                  "layers, a masked mean for pooling, a padding mask for attention.")
    if read is None or read.how not in (Reading.LAST, Reading.STATE, Reading.MEAN):
        inverted = Remedy("invert the mask", Safety.SAFE, (InvertMask(None),))
        return (inverted, mask) if only else (mask,)
    edit = ReadRealSteps(read.location, read.how, padding, read.time)
    return (Remedy(edit.words(), Safety.SAFE, (edit,)), mask)


CAUSE = Cause(
    slug="reads-padding",
    code="T001",
    title="Reads padding",
    family="Sequences",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU, Symptom.CHANCE, Symptom.SAME),
    often=Often.COMMON,
    words=Words(
        symptom="The network hardly learns from sequences of different lengths, or it learns from "
        "the longest ones only. With all sequences of one length it learns.",
        consequence="What the network has read of a short sequence fades while it runs on over the "
        "padding, or is diluted by it, so the network cannot tell the sequences apart.",
        why="Sequences of a batch are padded to one length. The last time step of the batch is the "
        "last step of the longest sequence only. A recurrent state behind the padding has gone "
        "through many steps without information, and a mean over all steps divides by the length "
        "of the batch.",
        detection="Padding is found in the data: one constant fills the ends of most samples, at "
        "different lengths, and is not met within them. What is read is the gradient of the loss "
        "at each time step of the last layer that outputs all of them, times its output. So a mask "
        "counts wherever the program applies it.",
        limitations="A value that is met within the sequences too is not taken for padding. A "
        "network can learn to keep its state over a short padding, so the finding is only a note "
        "if the run learned well. A model whose layers output no time steps is not judged.",
        references=(
            "PyTorch: torch.nn.utils.rnn.pack_padded_sequence, pad_sequence",
            "Dwarampudi and Reddy 2019: Effects of padding on LSTMs and CNNs",
        ),
    ),
    needs=(),
    uses=(PADDED_SHARE, PADDING_READ),
    thresholds=(LEAST, MOSTLY, ONLY),
    shows=Effect.PADDING_READ,
    effects=(
        Effect.LABELS_UNPREDICTABLE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
