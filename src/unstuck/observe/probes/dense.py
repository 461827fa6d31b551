"""Recall by class of networks that answer for each pixel or time step of a sample."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.samples.classes import LATE, rankings
from unstuck.observe.tensors import evenly, is_plain, observable, tensors_in
from unstuck.schema.signals.samples import (
    DENSE_CLASS_COUNT,
    DENSE_CLASS_RANKING,
    DENSE_CLASS_RECALL,
)
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, IGNORE_INDEX, target_among

PLACES = 8192  # of a batch that are looked at
ELEMENT_LIMIT = 4_000_000
MOST_CLASSES = 20  # with more, the classes are words or letters, and some are rare by nature
MOST_LOOKS = 16
MOST_INPUTS = 4
SAME = 0.5  # of the ones of a reconstruction, at least, that are ones of the input as well


class DenseProbe(Probe):
    """Takes some places of each sampled batch, with their labels and the network's scores."""

    signals = (DENSE_CLASS_COUNT, DENSE_CLASS_RANKING, DENSE_CLASS_RECALL)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._inputs: list[torch.Tensor] = []
        # Of each look its step, then by class the labels, those found, and the area under the
        # ROC curve.
        self._looks: deque[tuple[int, Any, Any, dict[str, float]]] = deque(maxlen=MOST_LOOKS)

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps what the model was given until the loss."""
        self._inputs += [t.detach() for t in tensors_in(*args, *kwargs.values())[:MOST_INPUTS]
                         if observable(t) and t.is_floating_point()]
        del self._inputs[:-MOST_INPUTS]

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Reads the answers for all places, at a sampled step and with gradients on."""
        if not self._moment.sampled or not loss.requires_grad:
            return
        output, target = args[0], target_among(function, args)
        if not (is_plain(output) and is_plain(target) and observable(output)
                and observable(target)) or target.numel() > ELEMENT_LIMIT:
            return
        with torch.no_grad():
            if function in CLASS_LIKELIHOODS:
                self._classes(output, target.detach(), int(args[IGNORE_INDEX]))
            elif function in BINARY:
                self._flags(function, output, target.detach())

    def _classes(self, output: torch.Tensor, target: torch.Tensor, ignored: int) -> None:
        if target.is_floating_point() or output.ndim < 2 or (
            not 2 <= output.shape[1] <= MOST_CLASSES
        ) or target.numel() * output.shape[1] != output.numel() or not (
            output.ndim > 2 or any(len(graph.shape(node) or ()) > 2
                                   for node in graph.reshaped(output.grad_fn))
        ):
            return
        scores = output.detach().movedim(1, -1).reshape(-1, output.shape[1])
        self._look(scores, target.reshape(-1), ignored)

    def _flags(self, function: str, output: torch.Tensor, target: torch.Tensor) -> None:
        if output.shape != target.shape or not target.is_floating_point() or (
            target.numel() <= target.shape[0] or not _one_answer(output)
        ):
            return
        for given in self._inputs:
            if given.numel() == target.numel() and given.device == target.device:
                ones = target.reshape(-1) == 1
                same = (given.reshape(-1) == 1) & ones
                # What is given again is no class.
                target = torch.where(same.sum() >= SAME * ones.sum(), -torch.ones_like(target),
                                     target)
        score = output.detach().reshape(-1)
        middle = 0.0 if function.endswith("with_logits") else 0.5
        self._look(torch.stack([middle - score, score - middle], 1), target.reshape(-1), None)

    def _look(self, scores: torch.Tensor, labels: torch.Tensor, ignored: int | None) -> None:
        keep = evenly(len(labels), PLACES, labels.device)
        if keep is not None:
            scores, labels = scores[keep], labels[keep]
        self._later.read([scores.float(), labels], partial(
            self._looked, self._moment.step, ignored))

    def _looked(self, step: int, ignored: int | None, found: list[torch.Tensor]) -> None:
        scores, labels = found[0].numpy(), found[1].numpy()
        real = labels != ignored
        scores, labels = scores[real], labels[real]
        count = scores.shape[1]
        if not len(labels) or not bool(np.isin(labels, np.arange(count)).all()) or (
            not bool(np.isfinite(scores).all())
        ):
            return
        labels = labels.astype(np.int64)
        self._looks.append((
            step, np.bincount(labels, minlength=count),
            np.bincount(labels[scores.argmax(1) == labels], minlength=count),
            rankings(scores, labels)))

    def look_ended(self, step: int) -> None:
        """Writes what the later looks say together."""
        self._inputs = []
        self._later.read((), lambda _: self._write(step))

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._inputs = []

    def _write(self, step: int) -> None:
        looks = [look for look in self._looks if look[0] >= LATE * step]
        if not looks or looks[-1][0] != step:
            return
        looks = [look for look in looks if len(look[1]) == len(looks[-1][1])]
        counts, right = sum(look[1] for look in looks), sum(look[2] for look in looks)
        kinds = [i for i, number in enumerate(counts) if number]
        self._writer.sample(DENSE_CLASS_COUNT, step, {str(i): float(counts[i]) for i in kinds})
        self._writer.sample(DENSE_CLASS_RECALL, step, {
            str(i): float(right[i] / counts[i]) for i in kinds})
        areas = {str(i): [look[3][str(i)] for look in looks if str(i) in look[3]] for i in kinds}
        self._writer.sample(DENSE_CLASS_RANKING, step, {
            place: sum(each) / len(each) for place, each in areas.items() if each})


def _one_answer(output: torch.Tensor) -> bool:
    """Whether a layer makes one number for each place, not one for each of several labels."""
    node = output.grad_fn
    if node is not None and node.name() == "SigmoidBackward0":
        node = next(iter(graph.parents(node)), None)
    for each in graph.reshaped(node):
        shape = graph.shape(each) or ()
        if len(shape) > 2 and 1 in (shape[-1], shape[1]):
            return True
    return False
