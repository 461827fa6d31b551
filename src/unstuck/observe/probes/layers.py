"""What flows through the layers at sampled steps: inputs, outputs, and gradients at outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import unserializable_hook

from unstuck.observe import graph
from unstuck.observe.bare.places import data_in
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes import channels
from unstuck.observe.probes.activations import FUNCTIONAL, computed_by, functional
from unstuck.observe.probes.channels import Channels
from unstuck.observe.probes.moments import ConstantInputs, Moments, features_of, identical_rows
from unstuck.observe.samples.batch import is_one_sample
from unstuck.observe.tensors import (
    evenly,
    is_plain,
    norm,
    observable,
    pieces,
    share,
    spread,
    tensors_in,
)
from unstuck.record.schedule import LIMITS
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.inputs import (
    CONSTANT_INPUT_SHARE,
    IDENTICAL_OUTPUTS,
    INPUT_DEVIATION,
    INPUT_MEAN,
    INPUT_NON_FINITE,
)
from unstuck.schema.signals.layers import (
    OUTPUT_GRADIENT,
    OUTPUT_MEAN,
    SATURATED_SHARE,
    SILENT_SHARE,
)

ELEMENT_LIMIT = 1_000_000  # elements of an output that are looked at
FEATURE_LIMIT = 256  # features of the input that are looked at,
INPUT_LIMIT = 2_000_000  # and elements of it whose mean and standard deviation are taken
FIRST_NUMBERS = 4_096  # of a module of the program's own, by which it is recognised
FIRST_LOOKS = 5  # sampled steps at which the input is always looked at
MOST_CALLS = 1_000  # of a layer in a step that are looked at
MOST_PLACES = 5_000  # whose last batches are remembered
BATCHES = 3  # a unit is silent if it was so in this many sampled batches in a row
NEAR = 100  # graph nodes behind an activation among which its layer is looked for

_RECTIFIERS = (nn.ReLU, nn.ReLU6)
_NOT_MEASURED = (LayerRole.NORMALISATION, LayerRole.EMBEDDING)
_WEIGHTED = (
    LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT, LayerRole.ATTENTION,
    LayerRole.EMBEDDING, LayerRole.NORMALISATION, LayerRole.OTHER,
)


class LayerProbe(Probe):
    """Collects tensors on their device during a sampled step; one transfer at its end."""

    signals = (
        BATCH_SIZE, CONSTANT_INPUT_SHARE, IDENTICAL_OUTPUTS, INPUT_DEVIATION, INPUT_MEAN,
        INPUT_NON_FINITE, OUTPUT_GRADIENT, OUTPUT_MEAN, SATURATED_SHARE,
        SILENT_SHARE, *channels.SIGNALS,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.first_layer: str | None = None
        self._fed_by = ""
        self._fed_role = LayerRole.OTHER
        self._inputs = Moments()
        self._constant = ConstantInputs()
        self._channels = Channels()
        self._varies = False  # whether the input is known not to be the same for all samples
        # Whether outputs are, and the share of the input that is.
        self._identical: tuple[torch.Tensor, torch.Tensor] | None = None
        self._non_finite: torch.Tensor | None = None  # share of each feature, summed over batches
        self._input_met = self._tables = False  # in this step; whether only tables' indices were
        self._behind: tuple[torch.Tensor, LayerRole] | None = None  # what a graph made of the input
        self._input_looks = 0
        self._input_samples = 0
        self._means: dict[str, list[torch.Tensor]] = {}
        self._gradients: dict[str, list[torch.Tensor]] = {}
        self._alive: dict[str, torch.Tensor] = {}
        self._recent: dict[str, deque[torch.Tensor]] = {}
        self._saturated: dict[str, list[torch.Tensor]] = {}
        self._computes: ByIdentity[nn.Module, tuple[type]] = ByIdentity()  # own activations
        self._by_module: dict[int, str] = {}  # activations seen as modules, by creation number
        self._places: dict[int, str] = {}
        self._batch: int | None = None

    # Forward ------------------------------------------------------------------------------------
    def before_call(self, module: nn.Module) -> None:
        """Begins with the first layer of a model."""
        if self._moment.learns and self._names.is_model(module):
            self._fed_by, self._fed_role = "", LayerRole.OTHER
            self._places.clear()

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Measures what goes into a layer and what comes out of it."""
        if not self._moment.learns or (
            next(module.children(), None) is not None
            and not isinstance(module, nn.MultiheadAttention)
        ):
            return
        tensor = output[0] if isinstance(output, tuple | list) and output else output
        if not is_plain(tensor) or not tensor.is_floating_point() or (
            not observable(tensor)
        ):
            return
        known = self._names.layer(module)
        if known is not None:
            self._measure(module, args, tensor, *known)

    def _measure(
        self, module: nn.Module, args: Any, tensor: torch.Tensor, name: str, kind: LayerRole
    ) -> None:
        with torch.no_grad():
            own = kind in _WEIGHTED and next(module.parameters(recurse=False), None) is not None
            given = args[0] if args else None
            if own and not self._input_met:
                self._input_met, self._tables = True, kind is LayerRole.EMBEDDING
                self.first_layer = name
                self._input_looks += 1
                if is_plain(given) and given.grad_fn is not None:
                    self._behind = given, kind  # weights of no layer may have met the data
                elif self._input_due:
                    self._input(features_of(module, given, tensor), kind)
            elif own and self._tables and self._input_due and (
                    data := graph.data_beside(given)) is not None:
                self._tables = False
                self._numbers(data, kind)
            part = spread(tensor.detach(), ELEMENT_LIMIT)
            if not _is_full(self._means, name):
                _add(self._means, name, part.float().mean())
            made_as = type(module) if kind is LayerRole.ACTIVATION else self._alike(
                module, kind, args, tensor)
            if made_as is not None:
                self._activation(module, made_as, tensor, name)
            elif kind is LayerRole.DROPOUT and tensor.grad_fn is not None:
                self._by_module.setdefault(graph.sequence(tensor.grad_fn), name)
        if own:
            self._hook(tensor, name)
            self._fed_by, self._fed_role = name, kind

    @property
    def _input_due(self) -> bool:
        """Whether the data are looked at: in the first looks, then when their number doubles."""
        looks = self._input_looks
        return self._input_met and (looks <= FIRST_LOOKS or not looks & (looks - 1))

    def _input(self, given: Any, kind: LayerRole) -> None:
        if is_plain(given) and given.ndim > 0 and observable(given):
            self._constant.add(given, kind is not LayerRole.CONVOLUTION and given.ndim == 3)
        if kind not in _NOT_MEASURED and is_plain(given):
            self._numbers(given, kind)

    def _numbers(self, given: torch.Tensor, kind: LayerRole) -> None:
        if given.is_floating_point() and given.ndim > 0 and observable(given):
            if kind is LayerRole.CONVOLUTION:
                self._channels.add(given)
            axis = 1 if kind is LayerRole.CONVOLUTION and given.ndim > 2 else -1
            features = given.detach().movedim(axis, -1)
            keep = evenly(features.shape[-1], FEATURE_LIMIT, features.device)
            limit = INPUT_LIMIT * (1 if keep is None else features.shape[-1] / FEATURE_LIMIT)
            few = _columns(spread(features, int(limit), keep=-1), keep)
            self._inputs.add(few.reshape(-1, few.shape[-1]))
            bad = share(features, -1, lambda piece: ~_columns(piece, keep).isfinite())
            same = self._non_finite is not None and self._non_finite.shape == bad.shape
            self._non_finite = self._non_finite + bad if same and (
                self._non_finite is not None) else bad

    def activation(self, node: Any) -> str | None:
        """The activation or dropout module that made the tensor of a graph node in this step."""
        chain = graph.producers(node, 1) if node is not None else []
        return self._by_module.get(graph.sequence(chain[0])) if chain else None

    def is_module(self, node: Any) -> bool:
        """Whether an activation module made this very graph node in the step under way."""
        return graph.sequence(node) in self._by_module

    def _hook(self, tensor: torch.Tensor, name: str) -> None:
        if not tensor.requires_grad:
            return

        def note(gradient: torch.Tensor) -> None:
            if is_plain(gradient) and not gradient.is_sparse and (
                not _is_full(self._gradients, name)
            ):
                _add(self._gradients, name, norm(gradient))

        # A program that saves the tensor gets no warning for a hook that is marked so.
        tensor.register_hook(unserializable_hook(self._guard.guarded(note)))

    def _alike(
        self, module: nn.Module, kind: LayerRole, args: Any, output: torch.Tensor
    ) -> type | None:
        """Which activation of torch a module of the program's own computes, by its numbers."""
        given = args[0] if args else None
        if kind is not LayerRole.OTHER or next(
            nn.Module.parameters(module), None
        ) is not None or not is_plain(given) or given.shape != output.shape or (
            not (given.is_cpu and output.is_cpu) or given is output
        ):
            return None
        before = self._computes.get(module)
        if before is None:
            found = computed_by(spread(given.detach(), FIRST_NUMBERS),
                                spread(output.detach(), FIRST_NUMBERS))
            if found is None:
                return None
            before = self._computes[module] = (found,)
        return before[0]

    def _activation(
        self, module: nn.Module, kind: type, tensor: torch.Tensor, name: str
    ) -> None:
        place = self._places.get(id(module))
        if place is None:
            place = self._places[id(module)] = name
            self._places[-id(module)] = self._fed_by
        elif self._places.get(-id(module)) != self._fed_by and self._fed_by:
            # One module after several layers: each is a place of its own.
            place = f"{self._fed_by} > {type(module).__name__.lower()}"
        if tensor.grad_fn is not None:
            self._by_module[graph.sequence(tensor.grad_fn)] = name
        values = tensor.detach()
        if issubclass(kind, _RECTIFIERS):
            self._rectifier(place, values, self._fed_role)
        elif issubclass(kind, nn.Sigmoid | nn.Tanh):
            self._saturation(place, values, 0.0 if issubclass(kind, nn.Sigmoid) else -1.0)

    def _rectifier(self, place: str, values: torch.Tensor, fed: LayerRole) -> None:
        if values.ndim < 2:
            return
        axis = 1 if values.ndim == 4 or fed is LayerRole.CONVOLUTION else values.ndim - 1
        rest = [i for i in range(values.ndim) if i != axis]
        for piece in pieces(values, keep=axis):
            found = piece > 0
            alive = found.any(rest[0]) if len(rest) == 1 else found.amax(rest)
            before = self._alive.get(place)
            if before is not None and before.shape == alive.shape:
                alive = alive | before
            self._alive[place] = alive

    def _saturation(self, place: str, values: torch.Tensor, low: float) -> None:
        margin = LIMITS.saturated_end * (1.0 - low)
        part = spread(values, ELEMENT_LIMIT)
        ends = (part < low + margin) | (part > 1.0 - margin)
        if not _is_full(self._saturated, place):
            _add(self._saturated, place, ends.float().mean())

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at the batch and at what the model makes of it."""
        if self._input_due and self._identical is None:
            self._compare(output)
        first = next(iter(tensors_in(*args, *kwargs.values())), None)
        if first is not None and first.ndim > 0 and self._batch is None:
            self._batch = 1 if is_one_sample(first, output) else first.shape[0]

    def _compare(self, output: Any) -> None:
        share = self._constant.share()
        if share is not None:
            self._later.values([share], self._constant_share)
            identical = None if self._varies else identical_rows(output)
            if identical is not None:
                self._identical = identical, share

    def _constant_share(self, share: list[float]) -> None:
        self._varies = share != [1.0]

    def left_halfway(self) -> None:
        """Forgets what was collected of a step that was left halfway."""
        self._means, self._gradients, self._alive, self._saturated = {}, {}, {}, {}
        self._by_module.clear()
        self._batch, self._identical, self._input_met = None, None, False
        self._behind = None

    # Backward -----------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Finds activations that are functions, not modules, in the graph of a loss."""
        with torch.no_grad():
            if self._behind is not None and self._input_due:
                self._input(*(data_in(nodes) or self._behind))
            self._behind = None
            for node in nodes:
                if node.name() not in FUNCTIONAL or graph.sequence(node) in self._by_module:
                    continue
                found, nearest = functional(node), self._names.nearest(node, NEAR)
                if found is None or nearest is None:
                    continue
                (kind, values), (layer, parameter) = found, nearest
                place = f"{layer} > {kind}"
                if kind in ("sigmoid", "tanh"):
                    self._saturation(place, values, 0.0 if kind == "sigmoid" else -1.0)
                else:
                    self._rectifier(place, values, LayerRole.CONVOLUTION if parameter.ndim > 2
                                    else LayerRole.OTHER)

    # End of the step ----------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        with torch.no_grad():
            self._write_means(step)
            self._write_gradients(step)
            self._write_silent(step)
            self._write_inputs(step)
        if self._batch is not None:
            self._writer.row(BATCH_SIZE, step, float(self._batch))
        self._batch = None
        self._input_met = False
        self._by_module.clear()

    def _write_means(self, step: int) -> None:
        self._later.sample(OUTPUT_MEAN, step, {
            name: found[0] if len(found) == 1 else torch.stack(found).mean()
            for name, found in self._means.items()})
        self._later.sample(SATURATED_SHARE, step, {
            place: torch.stack(found).mean() for place, found in self._saturated.items()})
        self._means, self._saturated = {}, {}

    def _write_gradients(self, step: int) -> None:
        # Backward meets the layers last to first.
        self._later.sample(OUTPUT_GRADIENT, step, {
            name: found[0] if len(found) == 1 else torch.linalg.vector_norm(torch.stack(found))
            for name, found in reversed(self._gradients.items())})
        self._gradients = {}

    def _write_silent(self, step: int) -> None:
        shares = {}
        for place, alive in self._alive.items():
            recent = self._recent.setdefault(place, deque(maxlen=BATCHES))
            if recent and recent[-1].shape != alive.shape:
                recent.clear()
            recent.append(alive)
            silent = ~torch.stack(list(recent)).any(0)
            shares[place] = silent.float().mean()
        self._later.sample(SILENT_SHARE, step, shares)
        self._alive = {}
        while len(self._recent) > MOST_PLACES:  # of models that are gone
            del self._recent[next(iter(self._recent))]

    def _write_inputs(self, step: int) -> None:
        if not self._input_due:
            return
        self._channels.flush(self._later, step)
        if (constant := self._constant.share()) is not None:
            self._later.row(CONSTANT_INPUT_SHARE, step, constant)
        if self._identical is not None:
            self._later.read(self._identical, lambda found: (
                self._write_identical(found[0], found[1], step)))
            self._identical = None
        count = self._inputs.batches
        if count <= self._input_samples:
            return
        self._input_samples = count
        bad = () if self._non_finite is None else (self._non_finite / count,)
        self._later.read(
            [*self._inputs.mean_deviation(), *bad], lambda found: self._write_moments(found, step))

    def _write_identical(self, identical: torch.Tensor, share: torch.Tensor, step: int) -> None:
        if float(share) == 1:
            self._writer.row(IDENTICAL_OUTPUTS, step, float(identical))

    def _write_moments(self, found: list[torch.Tensor], step: int) -> None:
        numbers = [values.tolist() for values in found]
        self._writer.sample(INPUT_MEAN, step, _numbered(numbers[0]))
        self._writer.sample(INPUT_DEVIATION, step, _numbered(numbers[1]))
        for shares in numbers[2:]:
            self._writer.sample(INPUT_NON_FINITE, step, {
                str(index): share for index, share in enumerate(shares) if share > 0})


def _is_full(found: Mapping[str, Sequence[Any]], name: str) -> bool:
    """Whether enough was seen of a layer in a step: a program that never steps goes on calling."""
    return len(found.get(name, ())) >= MOST_CALLS


def _add(found: dict[str, list[Any]], name: str, value: Any) -> None:
    """Adds a value in one go: another thread may write down or forget all of them meanwhile."""
    found[name] = [*found.get(name, ()), value]


def _columns(tensor: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    return tensor if keep is None else tensor[..., keep]


def _numbered(values: list[float]) -> dict[str, float]:
    return {str(index): value for index, value in enumerate(values)}
