"""Best weights by reference: the state dict that is loaded back is the live one."""

from __future__ import annotations

from unstuck.measures.basics import thinned
from unstuck.measures.view import View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import CopyState, Remedy, Safety
from unstuck.schema.facts.checkpoints import LiveState
from unstuck.schema.findings import Absent, Evidence, Present, Verdict
from unstuck.schema.signals.checkpoints import LIVE_STATE
from unstuck.words import count


def _detect(view: View) -> Verdict:
    if not view.has(LIVE_STATE):
        return Absent("the program loads no state dict into a model that it has trained")
    found = view.record.facts(LiveState)
    if not found:
        return Absent("every state dict that was loaded into the trained model is a copy, or was "
                      "loaded before the next step")
    return _present(view, found[0])


def _present(view: View, fact: LiveState) -> Present:
    series = view[LIVE_STATE][fact.name]
    steps, values = thinned(series.steps, series.values)
    if fact.taken is None:
        kept = f"the state dict that is loaded back after {count(fact.step, 'step')}"
    else:
        kept = (f"the state dict of step {fact.taken:,} that is loaded back after step "
                f"{fact.step:,}")
    return Present(
        strength=0.97, certain=True,
        title=f"{kept} is not a copy: its {count(fact.tensors, 'tensor')} are those of the model, "
        "so loading it changes nothing",
        since_step=fact.taken or 0,
        location=fact.location,
        label="this holds the model's own tensors, which training goes on changing",
        evidence=(Evidence(
            LIVE_STATE.name, fact.name, steps, values, 0.0,
            f"{count(fact.tensors, 'tensor')} of {fact.kind} share their memory with the state "
            "dict that is loaded"),),
        remedies=(Remedy(
            "keep a copy", Safety.SAFE, (CopyState(fact.location),),
            advice="Copy the state dict when you take it: copy.deepcopy(model.state_dict()), or "
            "clone each tensor. Or save it to a file.",
        ),),
    )


CAUSE = Cause(
    slug="best-weights-by-reference",
    code="E001",
    title="Best weights by reference",
    family="Generalisation",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.OVERFITS, Symptom.ANOTHER),
    words=Words(
        symptom="The restored best model performs like the last one. Its validation loss is not "
        "the best one that was printed.",
        consequence="Early stopping and the choice of the best epoch have no effect: the weights "
        "that are restored, tested and saved are those of the last step.",
        why="state_dict() returns the model's own tensors, not copies. Every later step changes "
        "them in place, and so it changes the dict that was kept.",
        detection="A state dict is loaded into a model that has been trained since the dict was "
        "taken, and its tensors are at the same places in memory as the model's. Then loading it "
        "copies every number onto itself.",
        limitations="A dict that is kept and only saved to a file is not reported, and neither is "
        "one whose best epoch was the last. Weights that are restored without load_state_dict are "
        "not seen.",
        references=("PyTorch: Saving and Loading Models", "PyTorch: torch.nn.Module.state_dict"),
    ),
    needs=(),
    uses=(LIVE_STATE,),
    detect=_detect,
)
