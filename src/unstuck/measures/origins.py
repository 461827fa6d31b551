"""Where in the program's text the data of training were made, split or changed.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import re

from unstuck.measures.view import View
from unstuck.schema.facts.calls import CallRole, DataStep, LossCall, ModelCall, StepKind
from unstuck.schema.facts.data import Feeding, Kept, Loader
from unstuck.schema.places import SourceLocation

Steps = tuple[DataStep, ...]

COMPUTED = frozenset({StepKind.COMPUTED, StepKind.RISKY})  # other numbers,
BESIDE = 2  # lines
GIVEN = COMPUTED | {StepKind.CONVERTED, StepKind.MADE}  # or the first ones


def input_steps(view: View) -> Steps:
    """What training inputs went through before the model received them, the last step first."""
    calls = [call for call in view.record.facts(ModelCall) if call.steps]
    trained = [call for call in calls if call.role is CallRole.TRAIN and call.first]
    # Gradients that a function returns do not show which call they are of.
    others = [call for call in calls if call.role is CallRole.OTHER and call.gradients]
    return next((call.steps for call in (*trained, *others)), ())


def held_out_steps(view: View) -> Steps:
    """The same of held-out inputs."""
    calls = view.record.facts(ModelCall)
    own = [call.steps for call in calls if call.role is CallRole.HELD_OUT]
    # One function may train and validate.
    return next((steps for steps in (*own, *(call.looked_at for call in calls)) if steps), ())


def target_steps(view: View, loss: str | None = None) -> Steps:
    """What the targets of a loss went through, or those of any, the last step first."""
    calls = [call for call in view.record.facts(LossCall) if call.steps]
    trained = [call for call in calls if call.role is CallRole.TRAIN and loss in (None, call.loss)]
    others = [call for call in calls if call.role is CallRole.OTHER and call.loss is None]
    return next((call.steps for call in (*trained, *others)), ())


def own_target_steps(view: View, loss: str | None = None) -> Steps:
    """The same without what the inputs have gone through too, if the targets are computed of them.
    """
    steps = target_steps(view, loss)
    shared = {step.location for step in input_steps(view)}
    own = next((i for i, step in enumerate(steps) if step.location in shared), len(steps))
    return steps[:own] if any(step.kind in COMPUTED for step in steps[:own]) else steps


def nearest(steps: Steps, *kinds: StepKind) -> SourceLocation | None:
    """The step of one of these kinds that comes last before the model or the loss."""
    return next((step.location for step in steps if step.kind in kinds), None)


def says(step: DataStep, what: re.Pattern[str]) -> bool:
    """Whether a pattern occurs in the text of a step."""
    at = step.location
    return what.search((at.text or "")[at.column - 1:at.end_column]) is not None


def inputs_given(view: View) -> SourceLocation | None:
    """Where the training inputs got the values that they have."""
    return nearest(input_steps(view), *GIVEN)


def training_loaders(view: View) -> set[str]:
    """The names of the loaders that feed training."""
    return {each.loader for each in view.record.facts(Feeding) if each.role is CallRole.TRAIN}


def taken_by_index(view: View) -> ModelCall | None:
    """Where training takes some rows of a variable at a time, of which no other call takes any.

    None if it takes them from a part of the variable, `x[train][rows]`: the rest is for other uses.
    """
    calls = [c for c in view.record.facts(ModelCall)
             if c.variable is not None and not c.variable.whole]
    trained = [c for c in calls if c.role is CallRole.TRAIN and c.first]
    return trained[0] if len(trained) == 1 and not any(
        c.variable == trained[0].variable for c in calls if c is not trained[0]
    ) and not _takes_a_part(trained[0]) else None


def is_for_training_alone(view: View, call: ModelCall) -> bool:
    """Whether all rows of the variable that training takes its batches from are for this training.

    They are if the program trains once, long enough to draw each row twice, and calls its models
    otherwise with what has another name. Tokens and identifiers are not looked at.
    """
    if any(each.name == "train" and each.discrete for each in view.record.facts(Kept)):
        return False
    variable, size = call.variable, (call.shape or (1,))[0]
    others = {each.variable.name for each in view.record.facts(ModelCall)
              if each.variable is not None and each.role is not CallRole.TRAIN}
    return variable is not None and len(view.record.siblings) == 1 and bool(others) and (
        variable.name not in others and size * view.record.steps >= 2 * variable.rows)


def _takes_a_part(call: ModelCall) -> bool:
    name = call.variable.name if call.variable is not None else ""
    text = call.location.text if call.location is not None else None
    return re.search(rf"\b{re.escape(name)}\[[^\[\]]*\]\[", text or "") is not None


def apart(view: View) -> tuple[tuple[SourceLocation, ...], tuple[SourceLocation, ...]]:
    """Where inputs are put in an order, or split, without the targets, and targets without inputs.

    Nothing if the text does not say all that happened to both since they came.
    """
    both = input_steps(view), target_steps(view)
    if not all(both):
        return (), ()
    ends = [steps[-1] for steps in both]
    if ends[0].location.line != ends[1].location.line and any(
            end.kind is not StepKind.MADE for end in ends):
        return (), ()
    inputs, targets = ([step.location for step in steps if step.kind is StepKind.ORDERED]
                       for steps in both)
    return (tuple(each for each in inputs if each not in targets),
            tuple(each for each in targets if each not in inputs))


def cut_beside(view: View, loss: str) -> SourceLocation | None:
    """Where the targets of a loss get their values, if the inputs get theirs right beside."""
    inputs, targets = inputs_given(view), nearest(target_steps(view, loss), *GIVEN)
    if inputs is None or targets is None or inputs.file != targets.file:
        return None
    return targets if abs(inputs.line - targets.line) <= BESIDE else None


def called_apart(view: View) -> SourceLocation | None:
    """Where targets go through a function of the program beside another call for the inputs."""
    inputs, targets = ([step.location for step in steps if step.kind is StepKind.CALLED]
                       for steps in (input_steps(view), target_steps(view)))
    return next((one for one in targets for other in inputs
                 if one != other and one.file == other.file and abs(one.line - other.line) <= 1),
                None)


def data_sets(view: View) -> tuple[SourceLocation, SourceLocation] | None:
    """Where the data set of training is made, and the held-out one; None if there are several."""
    one, other = training_set(view), _data_set(view, held_out=True)
    return (one, other) if one is not None and other is not None and one != other else None


def training_set(view: View) -> SourceLocation | None:
    """Where the data set of training's loaders is made; None if there are several."""
    return _data_set(view, held_out=False)


def _data_set(view: View, held_out: bool) -> SourceLocation | None:
    made = {each.name: each.made for each in view.record.facts(Loader)}
    found = {made.get(each.loader) for each in view.record.facts(Feeding)
             if (each.role is CallRole.HELD_OUT) is held_out}
    return found.pop() if len(found) == 1 else None


def split(view: View) -> SourceLocation | None:
    """Where training and held-out inputs were split at random."""
    held = [step.location for step in held_out_steps(view) if step.kind is StepKind.ORDERED]
    return next((step.location for step in input_steps(view) if step.location in held), None)
