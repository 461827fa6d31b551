"""Checkpoint not loaded: `load_state_dict` ran, and the weights are those of before."""

from __future__ import annotations

from unstuck.measures.basics import failed, learned_little, thinned
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import LoadKeys, Remedy, Safety
from unstuck.schema.facts.checkpoints import Loading
from unstuck.schema.findings import Absent, Evidence, Present, Verdict
from unstuck.schema.signals.checkpoints import BROUGHT
from unstuck.words import count, number, percent

FEW = Threshold(
    "loaded-few", 0.5,
    "A new head on a loaded body leaves a small part of the weights without a checkpoint. If "
    "less than half is loaded, it is more than a new head.",
    "definition: most of the model",
)
FITTING = Threshold(
    "loaded-fitting", 0.5,
    "If most of the weights that nothing was loaded into have a counterpart of the same shape "
    "under another prefix, the checkpoint is one of this network.",
    "definition: most of what is missing",
)


def _detect(view: View) -> Verdict:
    if not view.has(BROUGHT):
        return Absent("the program loads no state dict into a module")
    guilty = [(strength, fact) for fact in view.record.facts(Loading)
              if (strength := _strength(view, fact))]
    if not guilty:
        return Absent("what was loaded matched the module, or a part of it that was meant")
    strength, fact = max(guilty, key=lambda found: (found[0], found[1].numbers))
    return _present(view, fact, strength)


def _strength(view: View, fact: Loading) -> float:
    """How sure it is that more was to be loaded, 0 if it is not."""
    if not fact.held:
        return 0.0
    if not fact.matched:
        if fact.own:  # updated with nothing, or else loaded back before anything has changed
            return 0.9 if fact.filtered else 0.0
        if fact.given or fact.filtered:
            return 0.97
        # An empty dict may stand for a checkpoint that is not there.
        return 0.8 if failed(view.outcome) or learned_little(view.outcome) else 0.4
    missing = fact.numbers - fact.brought
    few = fact.brought < view.limit(FEW) * fact.numbers
    return 0.85 if few and fact.would >= view.limit(FITTING) * missing else 0.0


def _present(view: View, fact: Loading, strength: float) -> Present:
    series = view[BROUGHT][fact.name]
    steps, values = thinned(series.steps, series.values)
    matched = "none" if not fact.matched else f"{fact.matched:,}"
    share = percent(fact.brought / max(fact.numbers, 1))
    chosen = None if fact.matched else fact.filter
    if fact.own:
        title = (f"the state dict that is loaded into {fact.kind} holds its own tensors: it "
                 f"changes {matched} of {count(fact.held, 'tensor')}")
    elif fact.given:
        title = (f"{matched} of the {count(fact.held, 'key')} of {fact.kind} matched the "
                 f"{count(fact.given, 'key')} that were loaded, so {share} of its weights come "
                 "from the checkpoint")
    else:
        title = (f"an empty state dict is loaded into {fact.kind}, so all of its "
                 f"{number(fact.numbers)} weights stay as they were")
    return Present(
        strength=strength, certain=not fact.matched and bool(fact.given) and not fact.own,
        title=title,
        since_step=int(series.steps[0]),
        location=fact.location if chosen is None else chosen,
        label=f"this loads {share} of the weights" if chosen is None
        else "this condition lets none of the loaded keys through",
        evidence=(Evidence(BROUGHT.name, fact.name, steps, values, 1.0, _says(fact)),),
        remedies=(*_rename(fact), Remedy(
            "make it fail", Safety.ADVICE,
            advice="Load with strict=True once: the error lists the keys of both sides. Where only "
            "a part is to be loaded, check the missing_keys that load_state_dict returns.",
        )),
    )


def _says(fact: Loading) -> str:
    if fact.would:
        return (f"{count(fact.would, 'number')} would match with {_change(fact)}")
    return (f"{fact.kind} holds {count(fact.held, 'key')}, and {count(fact.matched, 'key')} got "
            "other values")


def _change(fact: Loading) -> str:
    parts = [f"the value of the key {fact.item!r}"] if fact.item is not None else []
    if fact.strip:
        parts.append(f"the prefix {fact.strip!r} taken off")
    if fact.add:
        parts.append(f"the prefix {fact.add!r} put in front")
    return " and ".join(parts) or "these keys"


def _rename(fact: Loading) -> tuple[Remedy, ...]:
    if not fact.would or fact.own:
        return ()
    return (Remedy("load under the names that the module has", Safety.SAFE, (
        LoadKeys(fact.location, fact.strip, fact.add, fact.item),)),)


CAUSE = Cause(
    slug="checkpoint-not-loaded",
    code="M010",
    title="Checkpoint not loaded",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.ANOTHER, Symptom.SLOW, Symptom.PLATEAU),
    words=Words(
        symptom="Fine-tuning does no better than training from scratch, or a loaded model "
        "performs like a random one. There is no error.",
        consequence="The pretrained weights are not in the model. Learning rates and freezing that "
        "suit a pretrained network make it worse.",
        why="With strict=False, load_state_dict skips every key that the module does not have. A "
        "prefix such as module. from DataParallel, or a checkpoint that holds the state dict under "
        "another key, makes all of them differ.",
        detection="Here unstuck counts the keys of the module for which a load brought other "
        "tensors, and whether the keys that matched nothing would fit under another prefix by name "
        "and shape. A load that brought nothing is certain. A load of less than half is reported "
        "if most of the rest would fit.",
        limitations="An empty state dict may stand for a checkpoint that does not exist yet, so it "
        "is reported only if the run learned little. Weights that are copied in by hand are not "
        "seen. A part that is left out on purpose is not reported unless it would fit under "
        "another prefix.",
        references=("PyTorch: torch.nn.Module.load_state_dict",
                    "PyTorch: Saving and Loading Models"),
    ),
    needs=(),
    uses=(BROUGHT,),
    thresholds=(FEW, FITTING),
    effects=(
        Effect.WEIGHTS_RANDOM, Effect.BAD_START, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
        Effect.TOO_SLOW, Effect.MEMORISES,
    ),
    detect=_detect,
)
