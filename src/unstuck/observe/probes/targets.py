"""What the targets of a loss are, and whether what predicts them can reach them at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.later import Later
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.probes.received import mask_of
from unstuck.observe.source.sites import Sites
from unstuck.observe.tensors import (
    evenly,
    is_plain,
    mean_deviation,
    observable,
    rows_of,
    spread,
    transfer,
)
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.losses import Loss
from unstuck.schema.signals.targets import (
    DISTINCT_TARGETS,
    LABEL_ORDER,
    LABEL_SEPARATION,
    LOSS_INPUT_DEVIATION,
    LOSS_INPUT_MEAN,
    MULTIPLE_LABELS,
    ONE_LABEL,
    REPEATED_TARGETS,
    TARGET_MAXIMUM,
    TARGET_MINIMUM,
    TARGET_NON_FINITE,
    UNREACHABLE_LOSS,
    UNREACHABLE_SHARE,
)
from unstuck.torch_api import (
    BINARY,
    BROADCASTING,
    CLASSES,
    DIFFERENCES,
    DISTRIBUTIONS,
    target_among,
)

ELEMENT_LIMIT = 1_000_000
LAST_LOOK = 4  # step up to which the operation before a loss is looked for in the source
SET_LIMIT = 4_096  # targets of a batch whose different values are counted
DISTINCT_LIMIT = 1_000  # different values are counted so far
ROW_LIMIT = 512  # samples of a batch whose class means are taken
FEATURE_LIMIT = 256
LABEL_LIMIT = 50  # more whole numbers than this are a scale, not classes
FEWEST = 3  # samples that a class needs for its mean to count

_RANGES = {
    "Relu": (0.0, math.inf), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Softmax": (0.0, 1.0),
    "Softplus": (0.0, math.inf), "Elu": (-1.7582, math.inf), "Gelu": (-0.17, math.inf),
    "Silu": (-0.2785, math.inf), "Mish": (-0.3089, math.inf), "Hardswish": (-0.375, math.inf),
    "Hardsigmoid": (0.0, 1.0), "Exp": (0.0, math.inf), "Abs": (0.0, math.inf),
    "LogSigmoid": (-math.inf, 0.0), "LogSoftmax": (-math.inf, 0.0),
}

SIGNALS = (
    DISTINCT_TARGETS, LABEL_ORDER, LABEL_SEPARATION, LOSS_INPUT_DEVIATION, LOSS_INPUT_MEAN,
    MULTIPLE_LABELS, ONE_LABEL, REPEATED_TARGETS, TARGET_MAXIMUM, TARGET_MINIMUM,
    TARGET_NON_FINITE, UNREACHABLE_LOSS, UNREACHABLE_SHARE,
)


@dataclass(slots=True)
class _Seen:
    """What has been seen of one loss's targets."""

    values: set[int] = field(default_factory=set)
    whole: bool = True
    sums: torch.Tensor | None = None  # of the inputs' features per label
    squares: torch.Tensor | None = None
    counts: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a loss: what of it is needed when its tensors are known."""

    name: str
    function: str
    step: int
    shape: tuple[int, ...]  # of what it received
    ignored: int
    fits: bool  # values are compared, each with one
    reach: tuple[float, float] | None  # of what it received
    samples: int  # of the batch


def target_of(function: str, args: Any) -> torch.Tensor | None:
    """The labels or values among the arguments of a loss function."""
    target = None if function in DISTRIBUTIONS else target_among(function, args)
    return target if is_plain(target) else None


def output_range(node: Any) -> tuple[float, float] | None:
    """The values that the nearest operation behind a tensor can produce; None if any."""
    chain = graph.producers(node, 1) if node is not None else []
    if not chain:
        return None
    name = chain[0].name().split("Backward")[0]
    if name in ("Hardtanh", "Clamp"):
        bounds = ("min_val", "max_val") if name == "Hardtanh" else ("min", "max")
        low, high = (graph.saved(chain[0], bound) for bound in bounds)
        return (float(low) if isinstance(low, int | float) else -math.inf,
                float(high) if isinstance(high, int | float) else math.inf)
    return (-1.0, 1.0) if _is_recurrent(chain[0]) else _RANGES.get(name)


def _is_recurrent(node: Any) -> bool:
    """Whether a node stacks or is the output of a recurrent layer that ends in a tanh: of a plain
    one, of an LSTM, its gate times a tanh, or of a GRU, a mean of the last output and a tanh.
    """
    if node.name() == "MkldnnRnnLayerBackward0":
        return True
    behind = graph.parents(node) if node.name() == "StackBackward0" else []
    if len(behind) < 2:
        return False
    last = behind[-1]
    if last.name() == "AddBackward0":
        return {each.name() for each in graph.parents(last)} == {
            "MulBackward0", "TanhBackward0"} and any(
                inner.name() == "SubBackward0" for each in graph.parents(last)
                if each.name() == "MulBackward0" for inner in graph.parents(each))
    return last.name() == "TanhBackward0" or (last.name() == "MulBackward0" and {
        each.name() for each in graph.parents(last)} == {"SigmoidBackward0", "TanhBackward0"})


class Targets:
    """Measures targets at sampled steps; keeps sums of them only."""

    def __init__(
        self, writer: RecordWriter, later: Later, sites: Sites, finite: FiniteProbe,
        layers: LayerProbe,
    ) -> None:
        self._writer = writer
        self._later = later
        self._sites = sites
        self._finite = finite
        self._layers = layers
        self._seen: dict[str, _Seen] = {}
        self.met: Callable[[Loss, torch.Tensor], None] = lambda loss, target: None

    def look(
        self, loss: Loss, given: torch.Tensor, node: Any, target: torch.Tensor | None, step: int,
        options: Any = None, weight: Any = None,
    ) -> Loss:
        """Looks at one call of a loss.

        Args:
            loss: what is known of it.
            given: what it received.
            node: that made what it received, None if it has no graph.
            target: what it is compared with.
            step: the step under way.
            options: further arguments of the call by name.
            weight: of each element, where 0 hides one.

        Returns:
            The loss, with the operation that made what it received.
        """
        self._measure(loss.name, loss.function, given, node, target, step, options, weight)
        if target is not None:
            self.met(loss, target)
        if step > LAST_LOOK:
            return loss
        masked = mask_of(node) is not None
        if not masked and output_range(node) is None:
            return loss
        layer = self._layers.activation(node)
        node = graph.producers(node, 1)[0]
        line = self._finite.line_of(node) if layer is None or masked else None
        place = self._sites.operation(*line, node.name(), last=True) if line else (
            loss.input_location)
        return replace(loss, input_layer=layer, input_location=place)

    def _measure(
        self, name: str, function: str, given: torch.Tensor, node: Any,
        target: torch.Tensor | None, step: int, options: Any, weight: Any,
    ) -> None:
        if target is None or not observable(target):
            return
        with torch.no_grad():
            target, whole, regression = target.detach(), target.numel(), function in DIFFERENCES
            asked: dict[str, torch.Tensor] = {}
            if whole > ELEMENT_LIMIT:
                if function in CLASSES:
                    return
                if weight is None:  # of their extremes all are looked at, else evenly spaced ones
                    asked["low"], asked["high"] = torch.aminmax(target)
                if is_plain(weight) and weight.shape == target.shape:
                    weight = spread(weight, ELEMENT_LIMIT)
                target = spread(target, ELEMENT_LIMIT)
            asked["target"] = target
            if is_plain(weight) and function not in CLASSES and (
                weight.shape == target.shape and observable(weight)
            ):
                asked["weight"] = weight
            if regression and given.is_floating_point():
                asked["mean"], asked["deviation"] = mean_deviation(given.detach())
            seen = self._seen.setdefault(name, _Seen())
            data = next(iter(self._finite.inputs()), None)
            samples = data.shape[0] if data is not None and data.ndim else 0
            if regression and given.numel() == whole and seen.whole and (
                data is not None and samples > 1 and not whole % samples
                and data.is_floating_point() and observable(data)
            ):
                keep = evenly(data[0].numel(), FEATURE_LIMIT, data.device)
                asked["rows"] = rows_of(data.detach()[:ROW_LIMIT], keep)
        call = _Call(
            name, function, step, tuple(given.shape), (options or {}).get("ignore_index", -100),
            regression and given.numel() == whole, output_range(node), samples)
        names = tuple(asked)  # the program's tensors must be able to go
        self._later.read_now(list(asked.values()), lambda found: self._measured(
            call, seen, dict(zip(names, found, strict=True))))

    def _measured(self, call: _Call, seen: _Seen, found: dict[str, torch.Tensor]) -> None:
        """Writes what a call showed, from tensors on the host."""
        name, step, target, weight = call.name, call.step, found["target"], found.get("weight")
        with torch.no_grad():
            values = target if weight is None else target[weight != 0]
            if call.function in CLASSES and not values.is_floating_point():
                values = values[values != call.ignored]
            if not observable(values) or not found.get("mean", torch.zeros(())).isfinite():
                return  # what is read out of a loss is finite only where predictions are
            if values.is_floating_point():
                values = self._without_non_finite(name, values, step)
                if not values.numel():
                    return
            ends = (found["low"], found["high"]) if "low" in found else torch.aminmax(values)
            low, high = transfer(list(ends))
            self._write(TARGET_MINIMUM, step, name, low)
            self._write(TARGET_MAXIMUM, step, name, high)
            if "mean" in found:
                mean, deviation = transfer([found["mean"], found["deviation"]])
                self._write(LOSS_INPUT_MEAN, step, name, mean)
                self._write(LOSS_INPUT_DEVIATION, step, name, deviation)
            self._distinct(name, seen, values, low, high, step)
            if call.function == "cross_entropy" and values.is_floating_point() and (
                target.ndim > 1 and tuple(target.shape) == call.shape
            ):
                self._rows(name, target, step)
            if call.fits:
                self._reach(name, call.reach, target, step)
                if target.ndim == 2 and target.shape[1] > 1:
                    target = self._repeated(name, target, step)
                if target.numel() == call.samples and "rows" in found and (
                    seen.whole and 2 < len(seen.values) <= LABEL_LIMIT
                ):
                    self._order(name, seen, target, found["rows"].double(), step)

    def _write(self, signal: Any, step: int, name: str, value: float) -> None:
        self._writer.sample(signal, step, {name: value})

    def _without_non_finite(
        self, name: str, values: torch.Tensor, step: int
    ) -> torch.Tensor:
        finite = values.isfinite()
        share = 1 - float(finite.float().mean())
        self._write(TARGET_NON_FINITE, step, name, share)
        return values if not share else values[finite]

    def _distinct(
        self, name: str, seen: _Seen, values: torch.Tensor, low: float, high: float, step: int
    ) -> None:
        """Counts different values while all are whole numbers and few."""
        if seen.whole and (high - low > DISTINCT_LIMIT or len(seen.values) > DISTINCT_LIMIT):
            seen.whole = False
        if seen.whole:
            part = values.reshape(-1)[:SET_LIMIT]
            # Targets of a hand-written loss are the sum of two others, and rounded.
            slack = 1e-5 * (1 + max(abs(low), abs(high)))
            if part.is_floating_point():
                seen.whole = bool(((part - part.round()).abs() <= slack).all())
                part = part.round()
            if seen.whole:
                seen.values.update(int(v) for v in torch.unique(part).tolist())
        self._write(DISTINCT_TARGETS, step, name, float(len(seen.values)) if seen.whole else 0.0)

    def _repeated(self, name: str, target: torch.Tensor, step: int) -> torch.Tensor:
        """The first column of targets that say the same for each output, else all of them."""
        share = transfer([(target == target[:, :1]).all(1).float().mean()])[0]
        self._write(REPEATED_TARGETS, step, name, share)
        return target[:, :1] if share == 1 else target

    def _rows(self, name: str, target: torch.Tensor, step: int) -> None:
        """How many ones a row of zeros and ones has."""
        ones = target == 1
        plain = ((target == 0) | ones).all(1)
        count = ones.sum(1)
        several, one = transfer([(plain & (count > 1)).float().mean(),
                                 (plain & (count == 1)).float().mean()])
        self._write(MULTIPLE_LABELS, step, name, several)
        self._write(ONE_LABEL, step, name, one)

    def _reach(
        self, name: str, reach: tuple[float, float] | None, target: torch.Tensor, step: int
    ) -> None:
        """How many targets lie where the operation that made the prediction cannot come."""
        if reach is None or not target.is_floating_point():
            return
        slack = 1e-3
        beyond = (reach[0] - target).clamp_min(0) + (target - reach[1]).clamp_min(0)
        variance = target.float().var(unbiased=False)
        share, floor, spread = transfer([
            (beyond > slack).float().mean(), beyond.float().square().mean(), variance])
        self._write(UNREACHABLE_SHARE, step, name, share)
        if spread > 0:
            self._write(UNREACHABLE_LOSS, step, name, floor / spread)

    def _order(
        self, name: str, seen: _Seen, target: torch.Tensor, rows: torch.Tensor, step: int
    ) -> None:
        """Whether inputs of neighbouring numbers resemble each other, as those of a scale do."""
        low = min(seen.values)
        if max(seen.values) - low >= LABEL_LIMIT:
            return
        # Numbers below 0 wrap around; a fixed table serves whatever labels are yet to come.
        labels = target.reshape(-1)[:ROW_LIMIT].double().round().long() % (2 * LABEL_LIMIT)
        if seen.sums is None or seen.sums.shape[1] != rows.shape[1]:
            seen.sums = torch.zeros(2 * LABEL_LIMIT, rows.shape[1], dtype=torch.float64)
            seen.squares = torch.zeros(rows.shape[1], dtype=torch.float64)
            seen.counts = torch.zeros(2 * LABEL_LIMIT, dtype=torch.float64)
        assert seen.squares is not None
        assert seen.counts is not None
        seen.sums.index_add_(0, labels, rows)
        seen.squares += rows.square().sum(0)
        seen.counts += torch.bincount(labels, minlength=2 * LABEL_LIMIT)
        found = _order(seen.sums, seen.squares, seen.counts, low)
        if found is not None:
            self._write(LABEL_ORDER, step, name, found[0])
            self._write(LABEL_SEPARATION, step, name, found[1])


def _order(
    sums: torch.Tensor, squares: torch.Tensor, counts: torch.Tensor, low: int
) -> tuple[float, float] | None:
    """Correlation of the distance of labels with that of their mean inputs; separation of these.

    Features are standardised. What chance alone would put between two means is taken off their
    squared distance; the separation is the squared distance over that.
    """
    total = counts.sum()
    mean = sums.sum(0) / total
    spread = squares / total - mean.square()
    varies = spread > 1e-9 * (mean.square() + spread.max())
    enough = counts >= FEWEST
    classes = int(enough.sum())
    if classes < 3 or not bool(varies.any()):
        return None
    n = counts[enough]
    means = sums[enough][:, varies] / n[:, None]
    inside = squares[varies] - (sums[:, varies].square() / counts.clamp_min(1)[:, None]).sum(0)
    free = float(total - (counts > 0).sum())
    if not free > 0:
        return None
    noise = float((inside / free / spread[varies]).sum())
    labels = torch.nonzero(enough).reshape(-1)
    labels = (labels - low) % (2 * LABEL_LIMIT)
    means = means / spread[varies].sqrt()
    i, j = torch.triu_indices(classes, classes, 1)
    apart = (means[i] - means[j]).square().sum(1)
    chance = noise * (1 / n[i] + 1 / n[j])
    distance = (apart - chance).clamp_min(0).sqrt()
    pairs = torch.stack([(labels[i] - labels[j]).abs().double(), distance])
    if not bool((pairs.std(1) > 0).all()) or not bool((chance > 0).all()):
        return None
    return float(torch.corrcoef(pairs)[0, 1]), float(apart.mean() / chance.mean())


def is_reversed(function: str, given: torch.Tensor, target: torch.Tensor | None) -> bool:
    """Whether a loss that tells them apart gets data as its input, and the model's as its target.
    """
    return function in BINARY and target is not None and (
        target.requires_grad and not given.requires_grad)


def stretched(
    function: str, given: torch.Tensor, target: torch.Tensor | None
) -> tuple[int, ...] | None:
    """The shape that both are stretched to, if it is larger than either."""
    if target is None or function not in BROADCASTING or given.shape == target.shape:
        return None
    try:
        both = torch.broadcast_shapes(given.shape, target.shape)
    except RuntimeError:
        return None
    return tuple(both) if math.prod(both) > max(given.numel(), target.numel()) else None
