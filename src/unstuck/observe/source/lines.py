"""Lets torch note the source line of each operation, in one forward pass of a run."""

from __future__ import annotations

import torch

# Noting the source line of an operation costs about fifty microseconds.
LARGEST_GRAPH = 1_000
CLEARED = 12  # steps: more optimizers than take turns, and two more


class LineNotes:
    """Switches torch's anomaly detection on for the forward of a step, without its checks.

    The flag changes nothing that is computed; it is off again before backward reads it. Where the
    program uses the detection itself it is let be.
    """

    def __init__(self) -> None:
        self.on = False

    def begin(self, nodes: int) -> None:
        """Begins to note, unless a graph of so many nodes would take too long."""
        if not torch.is_anomaly_enabled() and nodes < LARGEST_GRAPH:
            torch.autograd.set_detect_anomaly(True, check_nan=False)
            self.on = True

    def end(self) -> None:
        """Stops to note; does nothing if that has not begun."""
        if self.on:
            self.on = False
            if not torch.is_anomaly_check_nan_enabled():  # else the program's own is on
                torch.autograd.set_detect_anomaly(False)

    def clear_up(self, step: int) -> None:
        """Ends a detection of ours that the program's own has restored when it ended."""
        if step < CLEARED and torch.is_anomaly_enabled() and (
            not torch.is_anomaly_check_nan_enabled()
        ):
            torch.autograd.set_detect_anomaly(False)
