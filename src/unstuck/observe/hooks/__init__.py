"""Where torch is tapped, one file a subject. Nothing is judged or measured here.

Every event goes through one border that lets no error of ours reach the program.
"""

from __future__ import annotations

from unstuck.observe.hooks.backward import BackwardHooks
from unstuck.observe.hooks.dropout import DropoutHooks
from unstuck.observe.hooks.initialisers import InitialiserHooks
from unstuck.observe.hooks.loaders import LoaderHooks
from unstuck.observe.hooks.losses import LossHooks
from unstuck.observe.hooks.modules import ModuleHooks
from unstuck.observe.hooks.optimizers import OptimizerHooks
from unstuck.observe.hooks.taps import Taps

KINDS = (ModuleHooks, OptimizerHooks, LoaderHooks, BackwardHooks, LossHooks, InitialiserHooks,
         DropoutHooks)


def install(taps: Taps) -> None:
    """Installs every hook."""
    taps.guard.active = True
    for kind in KINDS:
        kind(taps).install()
    taps.switches.sample(True)
