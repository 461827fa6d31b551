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
        self._waits = False

    def begin(self, nodes: int, calls: int) -> None:
        """Begins to note, unless a graph of so many nodes would take too long.

        Where the model has made it in one of `calls`, what comes after that call is noted still.
        """
        if nodes < LARGEST_GRAPH:
            self._note()
        else:
            self._waits = calls == 1

    def model_called(self) -> None:
        """The model's call is over."""
        if self._waits:
            self._note()

    def _note(self) -> None:
        self._waits = False
        if not torch.is_anomaly_enabled():
            torch.autograd.set_detect_anomaly(True, check_nan=False)
            self.on = True

    def end(self) -> None:
        """Stops to note; does nothing if that has not begun."""
        self._waits = False
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
