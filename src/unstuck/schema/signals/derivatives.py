"""Derivatives of a network with respect to its inputs."""

from __future__ import annotations

from unstuck.schema.quantities import PlaceSignal

SECOND_DERIVATIVE = PlaceSignal(
    "second-derivative", "",
    "1 if a derivative of a derivative with respect to inputs is nonzero for any sample, else 0",
    requires="a loss with second derivatives, by torch.autograd.grad with create_graph=True",
    place="call",
)
