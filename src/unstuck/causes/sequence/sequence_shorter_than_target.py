"""Sequence shorter than its target: fewer frames than the symbols that CTC has to align."""

from __future__ import annotations

from unstuck.measures.basics import unread_loss
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import LayerArgument, Remedy, Safety, Together
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import NonFinite
from unstuck.schema.facts.sequences import Alignment, Shortening
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.sequences import SHORT_SEQUENCES
from unstuck.words import count, percent

MOST = Threshold(
    "too-short-share", 0.05,
    "Speech corpora hold a few clips whose transcript is too long for them, and zero_infinity "
    "leaves these out. If more than one in twenty is left out, the model is to blame.",
    "a common filter of speech recipes drops under 1 % of the clips",
)


def _detect(view: View) -> Verdict:
    if not view.has(SHORT_SEQUENCES):
        losses = view.record.facts(Loss)
        if losses and unread_loss(view.record) is None:
            return Absent("the program uses no CTC loss")
        return Unknown(unread_loss(view.record) or "the lengths of no CTC loss were seen",
                       ("a training step with ctc_loss",))
    shares = {name: float(series.finite.values.mean())
              for name, series in view[SHORT_SEQUENCES].items() if len(series.finite)}
    broke = view.record.fact(NonFinite) is not None
    for worst in view.record.facts(Alignment):
        share = shares.get(worst.name, 0.0)
        if share > view.limit(MOST) or (broke and not worst.zero_infinity and share > 0):
            return _present(view, worst, share)
    if any(shares.values()):
        return Absent(f"only {percent(max(shares.values()))} of the samples have fewer frames than "
                      "their target needs")
    return Absent("every sample has enough frames for its target")


def _present(view: View, worst: Alignment, share: float) -> Present:
    loss = next((each for each in view.record.facts(Loss) if each.name == worst.name), None)
    location = loss.location if loss is not None else None
    counted = worst.made >= worst.needed  # the model makes enough; the program counts fewer
    to_blame = () if counted else worst.shortened
    if to_blame:
        location = _built(view, to_blame[0].layer) or location
    series = view[SHORT_SEQUENCES][worst.name].finite
    lost = ("zero_infinity=True hides it: such a sample counts as a loss of zero and teaches "
            "nothing" if worst.zero_infinity else "the loss of such a sample is infinite")
    needs = (f"{count(worst.symbols, 'symbol')} need {count(worst.needed, 'frame')}"
             + (", because a blank must stand between two equal symbols"
                if worst.needed > worst.symbols else ""))
    has = (f"input_lengths says {worst.given:,}, although the model outputs {worst.made:,}"
           if counted else f"the model outputs {worst.made:,}")
    return Present(
        strength=0.97, certain=True,
        title=f"{percent(share)} of the samples have fewer output frames than CTC needs for their "
        f"target: {worst.given:,}, where one needs {worst.needed:,}",
        since_step=int(series.steps[series.values > 0][0]), location=location,
        label=_label(worst, to_blame),
        evidence=(Evidence(
            SHORT_SEQUENCES.name, worst.name, tuple(map(int, series.steps)),
            tuple(map(float, series.values)), view.limit(MOST),
            f"{needs}, but {has}; {lost}"),),
        remedies=_remedies(worst, to_blame, counted))


def _label(worst: Alignment, to_blame: tuple[Shortening, ...]) -> str:
    if to_blame:
        return (f"turns {count(to_blame[0].before, 'frame')} into {to_blame[0].after:,}; the "
                f"target needs {worst.needed:,}")
    return f"receives {count(worst.given, 'frame')} for a target that needs {worst.needed:,}"


def _remedies(
    worst: Alignment, to_blame: tuple[Shortening, ...], counted: bool
) -> tuple[Remedy, ...]:
    fewer = Remedy("fewer symbols", Safety.ADVICE, advice="Split long samples, or leave out those "
                   "whose target is longer than the output.")
    if counted:
        return (Remedy("count the frames that the model outputs", Safety.ADVICE, advice="Compute "
                       "input_lengths from the lengths that the model outputs."), fewer)
    edits: list[LayerArgument] = []
    frames = worst.made
    for layer in to_blame:
        if frames >= worst.needed:
            break
        frames = layer.before
        stride = tuple(1 if axis == layer.axis else each for axis, each in enumerate(layer.stride))
        same = len(set(stride)) == 1
        edits.append(LayerArgument(layer.layer, "stride", str(stride[0] if same else stride)))
    if not edits or frames < worst.needed:
        return (Remedy("longer outputs", Safety.ADVICE, advice="Let the model output more frames: "
                       "smaller strides, less pooling, or larger images."), fewer)
    change = edits[0] if len(edits) == 1 else Together(
        tuple(edits), f"use stride 1 along the sequence in {count(len(edits), 'layer')}")
    return (Remedy("a smaller stride", Safety.SAFE, (change,)), fewer)


def _built(view: View, layer: str) -> SourceLocation | None:
    known = view.record.layers().get(layer)
    return known.location if known is not None else None


CAUSE = Cause(
    slug="sequence-shorter-than-target",
    code="T005",
    title="Sequence shorter than its target",
    family="Sequences",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.NAN),
    words=Words(
        symptom="The CTC loss is infinite or NaN. Or, with zero_infinity=True, it is zero from the "
        "start, and the network still reads nothing.",
        consequence="A sample whose output is too short for its target has no alignment at all, so "
        "nothing can be learned from it.",
        why="CTC gives each symbol a frame of its own, in order, and puts a blank between two "
        "equal symbols. A target of L symbols with R repeats needs at least L + R output frames. "
        "Strides and pooling divide the number of frames. Without an alignment the likelihood is "
        "zero, and its negative logarithm is infinite.",
        detection="At each call of ctc_loss the detector compares the number of frames of each "
        "sample with the number that its target needs. It names the last layer that makes the "
        "sequence shorter, or the call itself if the program counts fewer frames than the model "
        "outputs.",
        limitations="Pooling by a function of torch is not named as the layer at fault. A few "
        "such samples are not reported if zero_infinity leaves them out, or if the loss stays "
        "finite.",
        references=(
            "Graves et al. 2006: Connectionist temporal classification",
            "PyTorch: torch.nn.CTCLoss (zero_infinity, input_lengths)",
        ),
    ),
    needs=(),
    uses=(SHORT_SEQUENCES,),
    thresholds=(MOST,),
    effects=(
        Effect.NON_FINITE, Effect.UNITS_DIE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
