"""Parameters not in the optimizer: the loss reaches weights that no optimizer updates."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import GOOD_SKILL, succeeded, thinned, weights
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import ParametersToOptimizer, Remedy, Safety
from unstuck.schema.facts.models import (
    STAND_IN,
    LooseParameter,
    Model,
    Parameter,
    Replacement,
)
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import HELD, REACHED
from unstuck.words import called, count, joined, number, percent

STEPS = Threshold(
    "unheld-steps", 2.0,
    "At a single step, an optimizer may not have been built yet, or another one may step later.",
    "a choice: a single event is never enough",
)


def _never_held(view: View) -> list[Parameter]:
    """Trainable parameters that the loss reaches and nothing ever moves."""
    reached, held = view[REACHED], view[HELD]
    replaced = _replaced(view)
    missing = []
    # An optimizer that never steps has them all the same.
    had = {name for optimizer in view.record.facts(Optimizer) for name in optimizer.parameters}
    for parameter in view.record.parameters().values():
        if not parameter.trainable or parameter.loaded or (
            parameter.name in had and parameter.name not in replaced
        ):
            continue
        if parameter.name not in held or parameter.name not in reached:
            continue
        begun = replaced.get(parameter.name, 0)  # before, the name was that of another tensor
        holds, reaches = (s[parameter.name].since(begun) for s in (held, reached))
        since = reaches.steps[reaches.values == 1]
        after = holds.since(int(since[0])) if len(since) else None
        if after is None or len(np.unique(since)) < view.limit(STEPS):
            continue
        if len(after) >= view.limit(STEPS) and np.all(holds.values == 0):
            missing.append(parameter)
    return missing


def _replaced(view: View) -> dict[str, int]:
    """The parameters in whose place the program has put others, and since when."""
    return {fact.name: fact.since for fact in view.record.facts(Replacement)}


def _useless(view: View) -> Optimizer | None:
    """An optimizer none of whose parameters is ever reached by a loss."""
    reached = view[REACHED]
    for optimizer in view.record.facts(Optimizer):
        known = [p for p in optimizer.parameters if p in reached]
        strange = "?" in optimizer.parameters
        if optimizer.parameters and not any(np.any(reached[p].values == 1) for p in known) and (
            known or strange
        ):
            return optimizer
    return None


def _detect(view: View) -> Verdict:
    if not view.record.facts(Optimizer):
        return Unknown("the program has no optimizer of torch.optim",
                       ("an optimizer of torch.optim",))
    loose = view.record.facts(LooseParameter)
    if not view.has(HELD):
        # Written at steps of an optimizer that holds a parameter of a known model.
        strange = _useless(view)
        every = [p for p in view.record.parameters().values() if p.trainable]
        missing = [p for p in every if _times_reached(view, p) >= view.limit(STEPS)]
        if strange is None or len(view.record.facts(Optimizer)) > 1 or not missing:
            return _loose_ones(view, loose) if loose else Unknown(
                "no step of an optimizer on the watched parameters was recorded", (HELD.name,))
        return _present(view, missing)
    missing = _never_held(view)
    if not missing and loose:
        return _loose_ones(view, loose)
    if not missing:
        steps = max((len(series) for series in view[HELD].values()), default=0)
        if steps < view.limit(STEPS):
            return Unknown(f"only {count(steps, 'step')} of an optimizer could be checked",
                           (f"a run of at least {count(round(view.limit(STEPS)), 'step')}",))
        return Absent("every trainable parameter that the loss reaches is registered with an "
                      "optimizer")
    return _present(view, missing)


def _loose_ones(view: View, loose: tuple[LooseParameter, ...]) -> Present:
    optimizer = view.record.facts(Optimizer)[-1]
    names = [fact.name for fact in loose]
    said = joined([called(name) for name in names])
    skill = view.outcome.skill
    edit = ParametersToOptimizer(optimizer.name, tuple(names), f"[{', '.join(names)}]")
    return Present(
        strength=0.45 if skill is not None and skill >= GOOD_SKILL else 0.85, certain=True,
        title=f"no optimizer updates {said[:80]}, which the loss depends on, so "
        f"{'it never changes' if len(names) == 1 else 'they never change'}",
        since_step=0,
        location=optimizer.location,
        label=f"the optimizer lacks {said[:60]}",
        evidence=tuple(
            Evidence(REACHED.name, fact.name, (0,), (1.0,), None,
                     f"the loss depends on {fact.name} {fact.shape}, but no optimizer updates it")
            for fact in loose[:5]),
        remedies=(Remedy("pass them to the optimizer", Safety.SAFE, (edit,)), Remedy(
            "freeze them on purpose", Safety.ADVICE,
            advice=f"If these parameters are meant to stay fixed, make {said} plain tensors.")),
    )


def _times_reached(view: View, parameter: Parameter) -> int:
    series = view[REACHED].get(parameter.name)
    return 0 if series is None else len(np.unique(series.steps[series.values == 1]))


def _units(view: View, missing: list[Parameter]) -> list[tuple[str, Model]]:
    """What is missing, in the largest units that are missing whole: models, else layers."""
    lost = {p.name for p in missing}
    units: list[tuple[str, Model]] = []
    for model in view.record.facts(Model):
        own = list(model.parameters)  # frozen ones too: they are not missing
        here = [p for p in own if p.name in lost]
        if not here:
            continue
        if model.kind == STAND_IN:  # the tensors are the program's own variables
            units += [(p.name, model) for p in here]
        elif len(here) == len(own):
            units.append((model.name, model))
        else:
            units += [(name, model) for name in _parts(own, lost)]
    return units


def _parts(own: list[Parameter], lost: set[str]) -> list[str]:
    """The outermost layers of a model all of whose parameters are lost, else the parameters."""
    names: list[str] = []
    for parameter in own:
        if parameter.name not in lost:
            continue
        path = parameter.name.split(".")
        whole = parameter.name
        for depth in range(1, len(path)):
            prefix = ".".join(path[:depth])
            inside = [p.name for p in own if p.name.startswith(prefix + ".")]
            if all(name in lost for name in inside):
                whole = prefix
                break
        names.append(whole)
    return list(dict.fromkeys(names))


def _expression(name: str, model: Model, whole: bool) -> str:
    """Code that yields the parameters of a unit."""
    if whole:
        return f"{name}.parameters()" if name.isidentifier() else "model.parameters()"
    if model.kind == STAND_IN:
        layer = name.rpartition(".")[0]  # of a bias beside the weights that bear the layer's name
        known = {p.name for p in model.parameters}
        return f"[{name.removeprefix(f'{layer}.') if layer in known else name}]"
    path = name.removeprefix(f"{model.name}.")
    if any(p.name == name for p in model.parameters):
        return f"[model.{path}]"
    parts = [f"[{x}]" if x.isdigit() else f".{x}" for x in path.split(".")]
    return f"model{''.join(parts)}.parameters()"


def _present(view: View, missing: list[Parameter]) -> Verdict:
    units = _units(view, missing)
    names = [called(name) for name, _ in units]
    every = [p for model in view.record.facts(Model) for p in model.parameters if p.trainable]
    size = weights(missing)
    share = percent(size / max(weights(every), 1))
    useless = _useless(view)
    late = any(p.name in _replaced(view) for p in missing)
    copied = None if late else _copied(view, units)
    optimizer = useless or copied or _nearest(view, missing)
    fine = succeeded(view.outcome)
    # Fixed random features are a method too: where the run succeeds, nothing proves a mistake.
    strength = 0.95 if len(missing) == len(every) or useless else 0.45 if fine else 0.85
    signal = HELD if view.has(HELD) else REACHED
    series = view[signal]
    evidence = tuple(
        Evidence(signal.name, p.name, *thinned(series[p.name].steps, series[p.name].values),
                 1.0 if signal is HELD else None,
                 f"the loss depends on {p.name} {p.shape}, but no optimizer updates it"
                 + (": the program put it in the place of another tensor at step "
                    f"{number(_replaced(view)[p.name])}" if p.name in _replaced(view) else ""))
        for p in missing[:5]
    )
    fault = f"no optimizer updates {joined(names)}"
    if useless is not None:
        fault = f"{useless.name} updates only parameters that no loss reaches"
    elif copied is not None:
        fault += ", and two optimizers have the same parameters"
    return Present(
        strength=strength, certain=True,
        title=f"{fault}, so {number(size)} of {number(weights(every))} trainable parameters "
        f"({share}) never change",
        since_step=_replaced(view).get(missing[0].name, int(series[missing[0].name].steps[0])),
        location=_location(optimizer, units),
        label=f"the optimizer lacks {joined(names)} ({share} of the parameters)",
        evidence=evidence,
        remedies=_remedies(view, optimizer, units, missing, copied is not None),
    )


def _copied(view: View, units: list[tuple[str, Model]]) -> Optimizer | None:
    """Of two optimizers with the same parameters, that whose line names what is missing instead,
    or else the later one."""
    held: dict[tuple[str, ...], list[Optimizer]] = {}
    for optimizer in view.record.facts(Optimizer):
        held.setdefault(optimizer.parameters, []).append(optimizer)
    wanted = [name.rpartition(".")[2].lower() for name, _ in units]
    for twins in held.values():
        named = [twin for twin in twins if twin.location is not None and any(
            name in (twin.location.text or "").partition("=")[0].lower() for name in wanted)]
        if len(twins) > 1:
            return named[0] if len(named) == 1 else max(twins, key=_where)
    return None


def _where(optimizer: Optimizer) -> tuple[int, int]:
    place = optimizer.location
    return (0, 0) if place is None else (place.line, place.column)


def _location(
    optimizer: Optimizer | None, units: list[tuple[str, Model]]
) -> SourceLocation | None:
    if optimizer is not None and optimizer.location is not None:
        return optimizer.location
    return units[0][1].location if units else None


def _nearest(view: View, missing: list[Parameter]) -> Optimizer | None:
    """The optimizer that should hold them: the last of the same model, or of all."""
    lost = {p.name for p in missing}
    for model in view.record.facts(Model):
        own = {p.name for p in model.parameters}
        if own & lost:
            for optimizer in reversed(view.record.facts(Optimizer)):
                if own & set(optimizer.parameters):
                    return optimizer
    return view.record.facts(Optimizer)[-1]


def _remedies(
    view: View, optimizer: Optimizer | None, units: list[tuple[str, Model]],
    missing: list[Parameter], instead: bool,
) -> tuple[Remedy, ...]:
    if optimizer is None:
        return ()
    parts = [_expression(name, model, name == model.name) for name, model in units]
    expression = parts[0] if len(parts) == 1 else f"itertools.chain({', '.join(parts[:4])})"
    if any(p.name in _replaced(view) for p in missing):
        late = ParametersToOptimizer(
            optimizer.name, tuple(p.name for p in missing), parts[0], unit=units[0][0])
        return (Remedy(
            "pass them to the optimizer when they are made", Safety.SAFE,
            (late,) if len(units) == 1 else (), advice="Build the optimizer after the new layer "
            f'is in its place, or call optimizer.add_param_group({{"params": {parts[0]}}}) then.'),)
    edit = ParametersToOptimizer(
        optimizer.name, tuple(p.name for p in missing), expression, instead)
    freeze = Remedy(
        "freeze them on purpose", Safety.ADVICE,
        advice="If these parameters are meant to stay fixed, call requires_grad_(False) on "
        f"{joined([called(name) for name, _ in units])}.",
    )
    return (Remedy("pass them to the optimizer", Safety.SAFE, (edit,)), freeze)


CAUSE = Cause(
    slug="parameters-not-in-optimizer",
    code="P004",
    title="Parameters not in the optimizer",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.FLAT, Symptom.ANOTHER),
    words=Words(
        symptom="The network learns less than it should, or nothing at all. Some weights are the "
        "same at the end as at the start.",
        consequence="The layers that were left out keep their random initial weights. The other "
        "layers have to work with what these random layers output.",
        why="An optimizer updates only the tensors that it was given when it was built. A second "
        "network, a head that was replaced later, layers that were added after the optimizer was "
        "built, or a copy of the model are not among them.",
        detection="The autograd graph of the loss shows which parameters it reaches. The "
        "optimizers show which parameters are registered with them. A parameter is reported if the "
        "loss reaches it at several steps, no optimizer ever had it, and its value never changed.",
        limitations="Random layers that stay fixed on purpose look the same unless they are frozen "
        "with requires_grad_(False). If the run succeeds, the finding is only a note. Loaded "
        "weights are assumed to be fixed on purpose.",
        references=(
            "PyTorch: torch.optim, constructing an optimizer",
            "TrainCheck (OSDI 2025): silent errors in training",
        ),
    ),
    needs=(REACHED,),
    uses=(HELD,),
    thresholds=(STEPS,),
    effects=(Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    detect=_detect,
)
