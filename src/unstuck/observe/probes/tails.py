"""Whether the targets that a loss wants at each step end in padding, and whether that counts."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.padding import WITHIN, Padded, may_have_tail, padding_of, within
from unstuck.observe.source.named import MOST_NAMES, scopes
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Sites, user_trees
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.sequences import PaddedTargets
from unstuck.schema.signals.sequences import TAIL_IN_LOSS
from unstuck.torch_api import CLASS_LIKELIHOODS, IGNORE_INDEX, REGRESSION, target_among

ELEMENT_LIMIT = 1_000_000  # of targets that are looked at
FEWEST_CLASSES = 3  # before the tail: fewer may be a state that lasts once it has come
JUMP = 0.5  # standard deviations from the last real number to the padding
FRAMES = 3  # of the program that are looked at for lengths
MOST_LENGTHS = 4
NEAR = 60  # operations of a loss among which it picks the classes


@dataclass(slots=True)
class _Targets:
    """Classes of shape (samples, steps), or numbers that may have more axes behind them.

    With them where the gradient of the loss is not zero, of shape (samples, steps), and whole
    numbers that the program holds, one for each sample.
    """

    wanted: torch.Tensor
    ignored: int | None
    lengths: tuple[torch.Tensor, ...] = ()
    counts: torch.Tensor | None = None


class TailProbe(Probe):
    """Looks at the targets of losses over steps, whether or not the inputs are padded too."""

    signals = (TAIL_IN_LOSS,)
    facts = (PaddedTargets,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._now: dict[str, _Targets] = {}
        self._written: set[str] = set()

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Takes the targets of a loss function, at a sampled step and with gradients on."""
        if not self._moment.sampled or not loss.requires_grad or not (
            function in CLASS_LIKELIHOODS or function in REGRESSION
        ):
            return
        known = self._losses.known.get((function, self._sites.here()))
        target, scores = target_among(function, args), args[0]
        if known is None or not is_plain(scores) or scores.grad_fn is None:
            return
        if function in REGRESSION:
            self._numbers(known.name, scores, scores.grad_fn, target)
        if not _are_classes(target):
            return
        shape = tuple(target.shape) if target.ndim == 2 else _steps(scores.grad_fn, target.numel())
        if shape is not None:
            ignored = args[IGNORE_INDEX] if len(args) > IGNORE_INDEX else None
            self._follow(known.name, scores.grad_fn, _Targets(
                target.detach().reshape(shape), ignored if isinstance(ignored, int) else None),
                1)

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Takes what a hand-written loss wants: numbers, or the classes that it picks."""
        known = self._losses.known.get(("", self._sites.here()))
        if not self._moment.sampled or loss.grad_fn is None or known is None:
            return
        formula, known.by_hand = known.by_hand, None
        if formula is not None and formula.function in REGRESSION and (
                formula.made_by is not None and formula.prediction is not None):
            self._numbers(known.name, formula.prediction, formula.made_by, formula.target)
            return
        for node in graph.walk(loss.grad_fn, NEAR):
            index = graph.saved(node, "index") if node.name() == "GatherBackward0" else None
            if index is not None and _are_classes(index) and (
                    index.ndim == 3 and index.shape[2] == 1):
                self._follow(known.name, node, _Targets(index.squeeze(2), None), 2)
                return

    def _numbers(self, name: str, given: torch.Tensor, node: Any, target: Any) -> None:
        """Takes the numbers that outputs, made by a node of the graph, are compared with."""
        if _are_numbers(target) and given.shape == target.shape:
            open_ = name not in self._written and may_have_tail(target)
            self._follow(name, node, _Targets(
                target.detach(), None, self._lengths(len(target)) if open_ else ()), 2)

    def _lengths(self, samples: int) -> tuple[torch.Tensor, ...]:
        """What the user's innermost frames hold that may be the lengths of a batch's samples: as
        numbers, or as a mask of steps."""
        found = []
        for scope in scopes(self._sites, 2)[0][:FRAMES]:
            for value in list(scope.variables.values())[:MOST_NAMES]:
                if isinstance(value, list | tuple) and len(value) == samples and all(
                        type(each) is int for each in value):
                    found.append(torch.tensor(value, device="cpu"))
                elif is_plain(value) and value.ndim == 1 and len(value) == samples and (
                        value.dtype in (torch.int64, torch.int32)):
                    found.append(value.detach())
                elif is_plain(value) and value.ndim == 2 and len(value) == samples and (
                        value.dtype is torch.bool and observable(value)):  # real steps, or padded
                    real = value.detach().sum(1)
                    found += [real, value.shape[1] - real]
        return tuple(found[:MOST_LENGTHS])

    def _follow(self, name: str, node: Any, targets: _Targets, axis: int) -> None:
        """Asks for the gradient at each target; `axis` is that of the classes, if there is one."""
        self._now[name] = targets
        shape = targets.wanted.shape[:2]
        count = shape.numel()

        def note(gradients: Any) -> None:
            gradient = gradients[0] if gradients else None
            if not is_plain(gradient):
                return
            size = gradient.detach().abs()
            while size.numel() > count and size.ndim > 1:
                size = size.amax(min(axis, size.ndim - 1))
            if size.numel() == count:
                targets.counts = size.reshape(shape) > 0

        node.register_prehook(self._guard.guarded(note))

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        now, self._now = self._now, {}
        for name, targets in now.items():
            if targets.counts is not None:
                self._later.read([targets.wanted, targets.counts, *targets.lengths], self._write(
                    name, targets.ignored, step))

    def _write(self, name: str, ignored: int | None, step: int) -> Any:
        def write(found: list[torch.Tensor]) -> None:
            wanted, counts, *lengths = found
            share, tail = _tail(wanted, counts)
            if tail is not None and name not in self._written:
                self._written.add(name)
                own = (~tail.mask).sum(1)
                meant = any(bool((own == each).all()) for each in lengths) or pads(self._sites)
                self._writer.fact(PaddedTargets(name, tail.value, ignored, meant), step)
            self._writer.sample(TAIL_IN_LOSS, step, {name: share})

        return write

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._now = {}


def _are_classes(target: Any) -> TypeGuard[torch.Tensor]:
    return bool(is_plain(target) and observable(target) and target.dtype == torch.int64
                and 1 <= target.ndim <= 3 and target.numel() <= ELEMENT_LIMIT)


def _steps(node: Any, count: int) -> tuple[int, int] | None:
    """The samples and steps of scores that were made one row for each of both."""
    for each in graph.reshaped(node):
        shape = graph.shape(each)
        if shape is not None and len(shape) == 3 and shape[0] * shape[1] == count:
            return shape[0], shape[1]
    return None


def _are_numbers(target: Any) -> TypeGuard[torch.Tensor]:
    return bool(is_plain(target) and observable(target) and target.is_floating_point()
                and 2 <= target.ndim <= 3 and target.numel() <= ELEMENT_LIMIT)


def pads(sites: Sites) -> bool:
    """Whether the user's files pad sequences to a common length."""
    return any(isinstance(node, ast.Call) and last_name(node.func) == "pad_sequence"
               for _, tree in user_trees(sites) for node in ast.walk(tree))


def _tail(wanted: torch.Tensor, counts: torch.Tensor) -> tuple[float, Padded | None]:
    """The share of the targets that count which are padding, and that; 0 and None."""
    with torch.no_grad():
        found = padding_of(wanted)
        if found is None or within(wanted, False, found) > WITHIN:
            return 0.0, None
        real = wanted[~found.mask]
        if wanted.is_floating_point():
            # What comes to rest at a value approaches it.
            ends = wanted.reshape(*found.mask.shape, -1)[_last(found.mask, found.left)]
            if not (ends - found.value).abs().amax(1).median() > JUMP * real.float().std():
                return 0.0, None
        elif real.unique().numel() < FEWEST_CLASSES:
            return 0.0, None
        return float((counts & found.mask).sum() / counts.sum().clamp(min=1)), found


def _last(mask: torch.Tensor, left: bool) -> torch.Tensor:
    """The real steps next to the padding, where there is some."""
    beside = torch.zeros_like(mask)
    if left:
        beside[:, 1:] = mask[:, :-1]
    else:
        beside[:, :-1] = mask[:, 1:]
    return beside & ~mask
