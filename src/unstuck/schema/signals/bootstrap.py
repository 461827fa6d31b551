"""Targets that a program computes by a network of its own."""

from __future__ import annotations

from unstuck.schema.quantities import PlaceSignal

_TARGETS = ("a loss whose targets are a reward plus a discounted value that a network gave for the "
            "next state")

TARGET_MOVED = PlaceSignal(
    "target-network-moved", "",
    "1 if the weights of a network that targets are computed with have changed since the look "
    "before, or have ever become those of the trained network; else 0",
    requires=_TARGETS, place="network",
)
ENDS_BOOTSTRAPPED = PlaceSignal(
    "bootstrapped-ends", "",
    "share of the samples marked as the end of an episode whose target holds the value of the "
    "state after it, or whose return or advantage holds that of the step after it",
    requires=f"{_TARGETS}, or returns or advantages along a trajectory, and a variable that marks "
    "the ends of episodes", place="target",
)
ENDS_MARKED = PlaceSignal(
    "marked-ends", "",
    "share of the samples of a batch that the variable for ends of episodes marks",
    requires=f"{_TARGETS}, and a variable that marks the ends of episodes", place="target",
)
BEYOND_REWARDS = PlaceSignal(
    "targets-beyond-rewards", "",
    "largest target, divided by what the largest reward so far adds up to at the discount if it "
    "comes in every step for ever",
    requires=_TARGETS, place="target",
)
