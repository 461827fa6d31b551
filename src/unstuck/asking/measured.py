"""What each question asks for, measured. See `questions.question.Bench`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from unstuck.asking.bench import Laboratory, Step, axis_of, check_axis, mark_of, tables_of
from unstuck.asking.features import features
from unstuck.asking.flow import Flow, Value, cut_behind, follow, meant
from unstuck.asking.reading import columns, skill, spread
from unstuck.asking.tape import play
from unstuck.observe.tensors import held_by
from unstuck.questions.question import CannotAsk, Mixed, Reading, Unreached
from unstuck.schema.places import SourceLocation
from unstuck.torch_api import BATCH_NORM, BINARY, CLASSES

SAMPLES = 256  # that targets are read from
FEWEST = 40  # below that nothing can be read
MOST_COLUMNS = 32  # of targets that are numbers
_CHANGED = 1e-3  # of the differences between samples: a value that changes by less is the same
# The ranges of operations that bound what they make.
_BOUNDED = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0), "hardtanh": (-1.0, 1.0), "softsign": (-1.0, 1.0),
    "relu": (0.0, math.inf), "relu_": (0.0, math.inf), "softplus": (0.0, math.inf),
    "exp": (0.0, math.inf), "log_softmax": (-math.inf, 0.0), "logsigmoid": (-math.inf, 0.0),
}


class Measured(Laboratory):
    """The program's own step as questions see it."""

    @property
    def loss(self) -> str:
        """The function of torch that makes the loss."""
        return self.first.function

    @property
    def place(self) -> SourceLocation | None:
        """Where the loss is made."""
        calls = [each for each in self.first.batch.instructions if each.name == self.loss]
        return self.location(calls[-1].site if calls else self.first.batch.site)

    # Losses --------------------------------------------------------------------------------------
    def first_loss(self) -> float:
        """The loss of the first batch, before any update."""
        with torch.no_grad():
            return float(play(self.first.batch, exact=True)[self.first.criterion]) / self.first.per

    def can_be_guessed(self) -> bool:
        """Whether the loss is what guessing can be compared with: no weights, nothing smoothed."""
        return self.first.plain

    def is_alone(self) -> bool:
        """Whether nothing is added to what the loss function gives."""
        return self.first.alone

    def expected_loss(self) -> float:
        """The loss of guessing all classes alike."""
        classes = self.classes()
        return math.log(classes) if classes > 1 else self.constant_loss()

    def classes(self) -> int:
        """How many classes the loss has outputs for."""
        if self.loss in BINARY:
            return 2
        if self.loss not in CLASSES:
            return 0
        shape = self.output(self.first).shape
        return int(shape[1 if len(shape) > 1 else 0])

    def constant_loss(self) -> float:
        """The mean squared or absolute error of the best constant guess, over all batches."""
        targets = [self.targets(step) for step in self.steps]
        values = torch.cat([each.reshape(-1) for each in targets]).double()
        if self.loss == "l1_loss":
            return float((values - values.median()).abs().mean())
        return float((values - values.mean()).square().mean())

    def is_pretrained(self) -> bool:
        """Whether weights came from a file, or were copied."""
        return self.captured.loaded

    def memorise(self, rate: float | None, steps: int, seconds: float, shuffled: bool = False,
                 enough: float = -math.inf) -> Sequence[float]:
        """Losses of training on the first batch alone."""
        swapped = None
        if shuffled:
            if self.first.target is None:
                raise CannotAsk("it is not known which tensor holds the targets")
            targets = self.first.batch.constants[self.first.target]
            order = torch.randperm(self.first.samples, generator=torch.Generator().manual_seed(0))
            swapped = {self.first.target: targets[order]}
        self.captured.restore()
        return self.train([self.first], rate, steps, seconds, swapped, enough)

    def rate(self) -> float:
        """The learning rate of the program's optimizer."""
        rates = {float(group["lr"]) for optimizer in self.captured.optimizers.values()
                 for group in optimizer.param_groups if group.get("lr") is not None}
        if len(rates) != 1:
            raise CannotAsk("the program has not one learning rate" if rates
                            else "no optimizer of torch updates the weights")
        return rates.pop()

    def rate_place(self) -> SourceLocation | None:
        """Where that optimizer is built."""
        sites = [self.captured.made.get(each) for each in self.captured.optimizers]
        return self.location(sites[0]) if sites else None

    def at_rate(self, factor: float, steps: int, seconds: float, reverse: bool
                ) -> Sequence[float]:
        """Losses of a training with the program's optimizer, at a multiple of its rate."""
        self.captured.restore()
        groups = [group for optimizer in self.captured.optimizers.values()
                  for group in optimizer.param_groups]
        rates = [group["lr"] for group in groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        losses = self.train(self.steps[::-1] if reverse else self.steps, None, steps, seconds)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        return losses

    def training(self) -> Sequence[float]:
        """The losses of the laboratory's own training."""
        return self.history

    def blind(self) -> tuple[float, float]:
        """Losses with the true inputs, and with those of other samples."""
        seen, blind = [], []
        for step in self.steps:
            if step.samples < 2:
                raise CannotAsk("each batch holds one sample only")
            turned = torch.roll(torch.arange(step.samples), max(step.samples // 2, 1))
            seen.append(self.value(step))
            blind.append(self.value(step, self.exchanged(step, turned)))
        return float(np.mean(seen)), float(np.mean(blind))

    def outputs_change(self) -> float:
        """How far outputs change with the inputs of other samples, relative to their size."""
        step = max(self.steps, key=lambda each: each.samples)
        if step.samples < 2:
            raise CannotAsk("each batch holds one sample only")
        turned = torch.roll(torch.arange(step.samples), 1)
        state = torch.get_rng_state()
        before = self.output(step).double()
        torch.set_rng_state(state)
        after = self.output(step, self.exchanged(step, turned)).double()
        size = float(before.square().mean().sqrt())
        change = float((after - before).square().mean().sqrt())
        return change / size if size > 0 else (math.inf if change else 0.0)

    def modes(self) -> tuple[float, float, bool]:
        """Losses in train and in eval mode."""
        layers = [layer for model in self.captured.models.values() for layer in model.modules()]
        flags = [layer.training for layer in layers]
        knows = any(BATCH_NORM in type(layer).__name__ for layer in layers)
        train = float(np.mean([self.value(step) for step in self.steps]))
        for layer in layers:
            layer.training = False
        evaluated = float(np.mean([self.value(step) for step in self.steps]))
        for layer, flag in zip(layers, flags, strict=True):
            layer.training = flag
        return train, evaluated, knows

    def ranges(self) -> tuple[float, float, float, float, str, SourceLocation | None]:
        """Lowest and highest the outputs can be, lowest and highest target, the last operation."""
        targets = torch.cat([self.targets(step).reshape(-1) for step in self.steps])
        flow = self._followed(self.first)
        values, last = flow.values, self._output_value(flow)
        while last is not None and last.name not in _BOUNDED and last.parents and last.name in (
                "squeeze", "view", "reshape", "flatten", "__getitem__", "unsqueeze", "float", "t"):
            last = values[last.parents[0]]
        if last is None or last.name not in _BOUNDED:
            return -math.inf, math.inf, float(targets.min()), float(targets.max()), "", None
        low, high = _BOUNDED[last.name]
        return (low, high, float(targets.min()), float(targets.max()), last.name.rstrip("_"),
                self.location(last.site))

    # Values within the network -------------------------------------------------------------------
    def _followed(self, step: Step, swapped: dict[int, torch.Tensor] | None = None
                  ) -> Flow:
        state = torch.get_rng_state()
        found = follow(step.batch, step.inputs, self.captured.sites, self.captured.built, swapped)
        torch.set_rng_state(state)
        return found

    def _output_value(self, flow: Flow) -> Value | None:
        """The value that is compared with the targets; None if no operation links it to inputs."""
        if self.first.output is None:
            raise CannotAsk("it is not known what the model's output is")
        output = flow.slots[self.first.output]
        same = [each for each in flow.values if each.tensor.shape == output.shape
                and torch.equal(each.tensor, output.detach())]
        return same[-1] if same else None

    def _path(self, flow: Flow) -> list[Value]:
        """The values that the output is made of, in order."""
        last = self._output_value(flow)
        if last is None:
            raise CannotAsk("the model's output is not computed from its inputs by torch alone")
        found, waiting = {last.number}, [last]
        while waiting:
            for number in waiting.pop().parents:
                if number not in found:
                    found.add(number)
                    waiting.append(flow.values[number])
        return [flow.values[number] for number in sorted(found)]

    def readings(self) -> Sequence[Reading]:
        """What can be read from each value of the network, from the inputs to the output."""
        chosen = self._different()
        labels = torch.cat([self.targets(step)[rows] for step, rows in chosen])[:SAMPLES]
        classes = self.has_classes(self.first)
        if classes and labels.numel() != len(labels):
            raise CannotAsk("each sample has several targets")
        if len(labels) < FEWEST:
            raise CannotAsk(f"there are fewer than {FEWEST} different samples in the first batches")
        wanted = columns(labels, classes)
        if wanted.shape[1] > MOST_COLUMNS:
            raise CannotAsk("each sample has many targets")
        found: dict[object, list[torch.Tensor]] = {}
        path: list[Value] = []
        for step, rows in chosen:
            path = self._path(self._followed(step))
            for value in path:
                table = features(value, step)
                if table is not None:
                    found.setdefault(value.key, []).append(table[rows])
        places = {value.number: place for place, value in enumerate(path)}
        readings, known = [], dict[bytes, float]()
        for value in path:
            tables = found.get(value.key, [])
            read, apart = math.nan, math.nan
            if tables and len(tables) == len(chosen):
                width = max(table.shape[1] for table in tables)
                table = torch.cat([nn.functional.pad(each, (0, width - each.shape[1]))
                                   for each in tables])[:SAMPLES]
                mark = table.numpy().tobytes()
                if mark not in known:
                    known[mark] = skill(table, wanted)
                read, apart = known[mark], spread(table)
            readings.append(Reading(
                value.name, read, apart, tuple(
                    places[each] for each in value.parents if each in places),
                self.location(value.site), bool(value.used)))
        return readings

    def _different(self) -> list[tuple[Step, torch.Tensor]]:
        """Steps, with the places of samples in them of which none comes twice.

        A sample that is among those left out and among the others would be read from itself. The
        last steps come first: the laboratory trains on the first ones.
        """
        known: set[bytes] = set()
        found = []
        for step in reversed(self.steps):
            tables = tables_of(step)
            places = []
            for place in range(step.samples if len(known) < SAMPLES else 0):
                mark = mark_of(tables, place)
                if mark not in known:
                    known.add(mark)
                    places.append(place)
            if places:
                found.append((step, torch.tensor(places)))
        return found

    def spreads(self) -> Sequence[Reading]:
        """How far samples differ in each value, from the inputs to the output."""
        step = max(self.steps, key=lambda each: each.samples)
        found = []
        for value in self._path(self._followed(step)):
            table = features(value, step)
            if table is not None:
                found.append(Reading(value.name, math.nan, spread(table), (),
                                     self.location(value.site)))
        return found

    def mixed(self) -> Mixed | None:
        """The first operation behind which a sample depends on others."""
        step = max(self.steps, key=lambda each: each.samples)
        if step.samples < 3:
            raise CannotAsk("the batches hold fewer than three samples")
        check_axis(step)
        order = torch.arange(step.samples)
        order[0] = step.samples - 1
        with self._batch_norm_evaluates():
            flow = self._followed(step)
            path = self._path(flow)
            others = self._followed(step, self.exchanged(step, order))
        by_key = {value.key: value for value in others.values}
        if not self._differs(path[-1], by_key, step):
            return None
        for value in path:
            if self._differs(value, by_key, step):
                return Mixed(value.name, 1.0, meant(value, flow.values, step.samples),
                             self.location(value.site))
        return None

    @staticmethod
    def _differs(value: Value, others: dict[tuple[object, ...], Value], step: Step) -> bool:
        """Whether a value of a sample whose own input has stayed is another."""
        other = others.get(value.key)
        axis = axis_of(value.tensor, step)
        if other is None or axis is None or other.tensor.shape != value.tensor.shape or (
                not value.tensor.is_floating_point()):
            return False
        rest = torch.arange(1, step.samples)
        one = value.tensor.index_select(axis, rest).double()
        change = float((other.tensor.index_select(axis, rest).double() - one).abs().max())
        size = float((one - one.mean(axis, keepdim=True)).square().mean().sqrt())
        return change > _CHANGED * size and change > 1e-6 * float(one.abs().max())

    @contextmanager
    def _batch_norm_evaluates(self) -> Iterator[None]:
        """Batch normalisation takes what it has learned: that it mixes samples is its purpose."""
        layers = [layer for model in self.captured.models.values() for layer in model.modules()
                  if BATCH_NORM in type(layer).__name__]
        flags = [layer.training for layer in layers]
        for layer in layers:
            layer.training = False
        yield
        for layer, flag in zip(layers, flags, strict=True):
            layer.training = flag

    # Gradients -----------------------------------------------------------------------------------
    def unreached(self) -> Sequence[Unreached]:
        """The parameters of the optimizers that never got a gradient."""
        held = {id(p): p for p in self._parameters() if p.requires_grad}
        missing = [number for number in held if number not in self.captured.reached]
        if not missing:
            return []
        names = {id(p): name for model in self.captured.models.values()
                 for name, p in model.named_parameters()}
        layers = Counter(names[number].rpartition(".")[0] for number in held if number in names)
        without = Counter(names[number].rpartition(".")[0] for number in missing if number in names)
        flow = self._followed(self.first)
        children: dict[int, list[Value]] = {}
        for value in flow.values:
            for parent in value.parents:
                children.setdefault(parent, []).append(value)
        found = []
        for number in missing:
            user = next((each for each in flow.values if number in each.used), None)
            behind = None if user is None else cut_behind(user, children)
            name, site = ("", None) if behind is None else (behind.name, behind.site)
            name, site = flow.cuts.get(number, (name, site)) if user is not None else (name, site)
            layer = names.get(number, "").rpartition(".")[0]
            found.append(Unreached(
                names.get(number, f"a parameter of shape {tuple(held[number].shape)}"),
                user is not None, name, self.location(site), without[layer] < layers[layer]))
        return found

    def sizes(self) -> tuple[int, int, int]:
        """Different samples of the first batch, numbers of each, and numbers that are trained."""
        tables = tables_of(self.first)
        if not tables:
            raise CannotAsk("it is not known along which axis of the inputs the samples lie")
        marks = {mark_of(tables, place) for place in range(self.first.samples)}
        trained = sum(parameter.numel() for parameter in self._parameters())
        return len(marks), sum(table.shape[1] for table in tables), trained

    def held(self) -> int:
        """How many parameters the optimizers have."""
        return len(self._parameters())

    def _parameters(self) -> list[torch.Tensor]:
        """Those of all optimizers."""
        return [p for optimizer in self.captured.optimizers.values() for p in held_by(optimizer)]
