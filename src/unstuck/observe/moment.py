"""What holds at the moment for all that is told: the number of the step, whether it is sampled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Moment:
    """One for a watching; whoever counts steps keeps it up to date.

    Attributes:
        step: the number of optimizer steps of the training so far, or of backward passes in a
            program that updates its weights by hand.
        sampled: whether the step under way is looked at closely.
        learns: whether gradients were on at the call of a module that was told last.
        traced: whether torch noted the source lines of the operations in the graph at hand.
        compiled: whether a model is compiled, so that nothing inside it is seen.
        backwards: backward passes since the last step ended, outside of any step.
        backwards_in_step: those of the closure of the optimizer step under way.
        within_step: whether an optimizer step is under way.
        pairs: whether the next gradients are asked for too, in a program that has no optimizer.
        over: whether the watching is over.
    """

    step: int = 0
    sampled: bool = True
    learns: bool = True
    traced: bool = False
    compiled: bool = False
    backwards: int = 0
    backwards_in_step: int = 0
    within_step: bool = False
    pairs: bool = False
    over: bool = False
