"""What the loss would be of evaluations that only count right predictions."""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch

from unstuck.observe.probe import Context
from unstuck.observe.probes.association import FEWEST, MOST_CLASSES, Association
from unstuck.observe.probes.losses import BY_ROLE, LossProbe
from unstuck.observe.probes.moments import Moments
from unstuck.observe.probes.pending import Known
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.samples.batch import Batch, Role
from unstuck.observe.tensors import is_plain, observable

MOST_ELEMENTS = 300_000  # of an output
MOST_ROWS = 1_000  # that wait until it is sure that the labels are those of the samples
ERRORS = 4.0  # standard errors by which values must be nearer to the truth than their mean


class EvaluationLosses:
    """Computes the training loss of evaluated batches where the program computes none itself.

    Only of outputs that go into the loss as they are, and once the labels are known to belong to
    them: a variable of the program holds how many are right by them, or they clearly fit better
    than shuffled ones would, or values are clearly nearer to the truth than their mean is. From
    then on the held-out samples have these labels, too.
    """

    def __init__(self, context: Context, losses: LossProbe) -> None:
        self._writer = context.writer
        self._samples = context.probe(SampleProbe)
        self._losses = losses
        self._output: weakref.ref[torch.Tensor] | None = None  # of the model, in training
        self._direct: dict[str, bool] = {}  # whether a loss function receives it as it is
        self._own: set[Role] = set()  # of data of which the program computes losses itself
        self._batches: list[tuple[Batch, int, torch.Tensor]] = []
        self._rows: list[tuple[Role, int, float]] = []
        self._sure = False
        self._association: Association | None = None  # in this evaluation
        self._missed = 0.0  # sum of squared errors of values,
        self._values = Moments()  # and what they were

    def model_trained(self, output: Any) -> None:
        """Remembers what the model returned."""
        self._output = weakref.ref(output) if is_plain(output) else None

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Learns what a loss receives, and of what data one is computed that teaches nothing."""
        if loss.grad_fn is None:
            self._own.add(self._samples.role)
            return
        output = self._output() if self._output is not None else None
        given, self._output = args[0], None
        if is_plain(output) and is_plain(given) and observable(output) and observable(given):
            self._direct[function] = self._direct.get(function, True) and (
                given.data_ptr() == output.data_ptr() and given.numel() == output.numel())

    def add_values(self, output: torch.Tensor, targets: torch.Tensor) -> None:
        """Takes in a batch of values that the program evaluates; both on the host, of one size."""
        given, wanted = output.float(), targets.reshape(output.shape).float()
        if self._take(given, wanted) and not self._sure:
            self._missed += float((given - wanted).square().sum())
            self._values.add(wanted.reshape(-1, 1))

    def add(self, output: torch.Tensor, labels: torch.Tensor, axis: int | None) -> None:
        """Takes in a batch that the program evaluates.

        Args:
            output: on the host.
            labels: on the host, one for each place of the output.
            axis: of the classes; None for a single output a sample.
        """
        if axis is None:
            given, wanted = output.float(), labels.reshape(output.shape).float()
            classes = 1
        else:
            classes = output.shape[axis]
            given = output.float().movedim(axis, -1).reshape(-1, classes)
            wanted = labels.reshape(-1).long()
        if not self._take(given, wanted) or self._sure or classes > MOST_CLASSES:
            return
        if self._association is None or self._association.classes != classes:
            self._association = Association(classes)
        self._association.add(given, wanted.reshape(-1))

    def _take(self, given: torch.Tensor, wanted: torch.Tensor) -> bool:
        known, batch = self._loss(), self._samples.batch
        if Role.HELD_OUT in self._own or known is None or batch is None or (
            given.numel() > MOST_ELEMENTS
        ):
            return False
        self._batches.append((batch, len(wanted), known.constant.of(given, wanted)))
        self._samples.suppose(batch, known.fact.function, given, wanted)
        return True

    def _loss(self) -> Known | None:
        """The only loss that is trained, if it takes a model's output and is a mean."""
        known = [each for each in self._losses.known.values()
                 if each.reached or each.fact.hand_written]
        # Weights come first: tensors cannot be compared as other options can.
        if not known or not all(each.constant.is_plain for each in known):
            return None
        first = known[0]
        alike = all(each.fact.function == first.fact.function
                    and each.constant.options == first.constant.options for each in known)
        # The formula of a hand-written one is only read where it is about what the model returns.
        direct = self._direct.get(first.fact.function, first.fact.hand_written)
        return first if alike and direct and first.constant.reduction == "mean" else None

    def ended(self, step: int, sure: bool) -> None:
        """An evaluation has ended; `sure` if the program counts by these labels."""
        batches, self._batches = self._batches, []
        for role in Role:
            mine = [(count, float(loss)) for batch, count, loss in batches if batch.role is role]
            if mine:
                total = sum(count * loss for count, loss in mine)
                self._rows.append((role, step, total / sum(count for count, _ in mine)))
        self._sure = self._sure or sure or self._fit()
        self._association = None  # the next evaluation may be of the same samples
        if self._sure:
            self._samples.believe()
            for role, at, value in self._rows:
                if role not in self._own:
                    self._writer.row(BY_ROLE[role], at, value)
        if self._sure or len(self._rows) > MOST_ROWS:
            self._rows = []

    def _fit(self) -> bool:
        """Whether predictions fit far better than shuffled ones, or the mean, would."""
        if self._association is not None:
            return self._association.is_sure()
        spread, count = self._values.variance(), self._values.count
        if spread is None or count < FEWEST:
            return False
        # A share of the variance that is explained by chance alone is about one over the number.
        return self._missed / count < (1 - ERRORS / math.sqrt(count)) * float(spread)
