"""In which mode layers are that behave differently in training and evaluation."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.samples.batch import Batch, Hashes, Role
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import tensors_in
from unstuck.schema.facts.data import HeldOutPass
from unstuck.schema.facts.models import CalledDropout, ModeSwitch
from unstuck.schema.signals.modes import EVAL_IN_TRAINING, TRAIN_IN_VALIDATION

MOST_SWITCHES = 64  # calls of eval() whose lines are remembered
MOST_PASSES = 64  # steps whose passes that learn nothing are all looked at; later every 64th
MOST_BATCHES = 10_000  # that are counted
MOST_FUNCTIONS = 1_000
MOST_DROPPED = 16  # places in one call that drop units
MOST_WAITING = 64  # passes with gradients on that may turn out to be validations
REPEATS = 3  # a batch met so often in one pass is averaged over on purpose (Monte Carlo dropout)
MOST_BETWEEN = 8  # operations between a model's output and the choice of its samples
RARE = 5  # steps between two passes that learn nothing, if they are validations

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


def depends(module: nn.Module) -> bool:
    """Whether a layer does something else in train mode than in eval mode."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return bool(module.p > 0)
    if isinstance(module, _BATCH_NORMS):
        return module.running_mean is not None
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
        return bool(module.dropout > 0 and getattr(module, "num_layers", 2) > 1)
    return False


@dataclass(slots=True)
class Forward:
    """A call of a model: where, and which of its layers were in train mode."""

    model: weakref.ref[nn.Module]
    site: Site | None
    hashes: Hashes  # of its samples
    layers: dict[str, bool] | None  # name and whether in train mode; None if not looked at
    scored: bool = False
    # Counts whatever its samples: in eval mode, by a program that calls dropout as a function, or
    # of a model that is given in training what it does not learn from as well.
    told: bool = False
    call: Site | None = None  # of the model itself, where `site` is further out
    declared: bool = False  # while another model of the program was in eval mode
    dropped: dict[str, Site] = field(default_factory=dict)  # that no layer's mode tells of

    @property
    def sample(self) -> float:
        """The hash of the first sample."""
        return self.hashes.values[0]


@dataclass(slots=True)
class _Seen:
    """A layer in the forward pass of a step: its mode, and the node that it led to."""

    module: weakref.ref[nn.Module]
    name: str
    eval: bool
    node: int


@dataclass(slots=True)
class _Step:
    seen: list[_Seen] = field(default_factory=list)
    trained: dict[str, bool] = field(default_factory=dict)  # layer: in eval mode in all passes


class ModeProbe(Probe):
    """Reads modes of layers at sampled steps, and in passes from which nothing is learned."""

    signals = (EVAL_IN_TRAINING, TRAIN_IN_VALIDATION)
    facts = (CalledDropout, HeldOutPass, ModeSwitch)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._samples = context.probe(SampleProbe)
        self._samples.judged = self._batch_judged
        # Where a module was put into eval mode, and how many passes had learned nothing by then.
        self._switches: dict[int, tuple[weakref.ref[nn.Module], Site | None, int]] = {}
        self._passes = 0
        self._trained_in: ByIdentity[nn.Module, bool] = ByIdentity()  # models: in train mode
        self._training: set[int] = set()  # functions that call models to train them
        self._named: set[str] = set()
        self._step = _Step()
        self._waiting: list[Forward] = []  # passes that nothing was learned from so far
        self._looked = [-1, 0]  # the last step with such a pass, how many steps had one
        self._counts: dict[float, int] = {}  # how often each batch passed in this step
        self._rare = True  # whether the step with such a pass before was some steps ago
        self._learning: dict[int, Forward] = {}  # passes with gradients on, by their hashes' id
        self._last: Forward | None = None
        self._dropped: dict[str, Site] = {}  # in the call under way
        self._functions: set[str] = set()  # of dropout, by their lines
        # The number of the node that a model's output came from, of how many samples, and whether
        # the losses of this training read only some of them, as in a graph with few labels.
        self._made: tuple[int, int] | None = None
        self._reads_some = False

    def follow(self, before: Self) -> None:
        """What was put into evaluation mode before may still be in it."""
        self._switches, self._passes = dict(before._switches), before._passes

    def evaluation_mode(self, module: nn.Module) -> None:
        """Notes where."""
        self._switches.pop(id(module), None)
        if len(self._switches) >= MOST_SWITCHES:
            del self._switches[next(iter(self._switches))]
        self._switches[id(module)] = (
            weakref.ref(module), self._sites.here(), self._passes)

    # Training in eval mode ----------------------------------------------------------------------
    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the mode of a layer in training."""
        if not self._moment.learns or not depends(module) or len(self._step.seen) >= MOST_BATCHES:
            return
        tensor = output[0] if isinstance(output, tuple | list) and output else output
        node = getattr(tensor, "grad_fn", None)
        known = self._names.layer(module)
        if node is not None and known is not None:
            self._step.seen.append(_Seen(
                weakref.ref(module), known[0], not module.training, graph.sequence(node)))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """The layers in the graph of a loss are trained, and some of the samples or all."""
        made, self._made = self._made, None
        if made is not None:
            self._reads_some = any(chooses_rows(node, *made) for node in nodes)
        if not self._step.seen:
            return
        numbers = {graph.sequence(node) for node in nodes}
        rest = []
        for seen in self._step.seen:
            if seen.node not in numbers:
                rest.append(seen)
                continue
            trained = self._step.trained
            trained[seen.name] = trained.get(seen.name, True) and seen.eval
            if seen.eval and seen.name not in self._named:
                self._named.add(seen.name)
                self._name(seen, self._moment.step)
        self._step.seen = rest

    def _name(self, seen: _Seen, step: int) -> None:
        module = seen.module()
        for ref, site, passes in reversed(list(self._switches.values())):
            holder = ref()
            if holder is None or not any(part is module for part in holder.modules()):
                continue
            switched = {id(p) for p in nn.Module.parameters(holder)}
            whole = all(
                id(p) in switched for model, _ in self._names.models()
                if any(part is module for part in model.modules())
                for p in nn.Module.parameters(model) if p.requires_grad
            )
            self._writer.fact(
                ModeSwitch(seen.name, self._sites.location(site), whole,
                           chosen=passes == self._passes), step)
            return

    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        trained = {name: float(only) for name, only in self._step.trained.items()}
        self._writer.sample(EVAL_IN_TRAINING, step, trained)
        self._step = _Step()

    # Validation in train mode -------------------------------------------------------------------
    def dropped(self, share: Any) -> None:
        """Notes where."""
        if not share > 0 or len(self._dropped) >= MOST_DROPPED:
            return
        site = self._sites.here()
        location = self._sites.location(site)
        if site is None or location is None:
            return
        name = f"dropout at line {location.line}"
        if not torch.is_grad_enabled():
            self._dropped[name] = site
        elif name not in self._named and len(self._named) < MOST_WAITING:
            self._named.add(name)
            self._functions.add(name)
            self._writer.fact(CalledDropout(name, location, float(share)), self._moment.step)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes the modes of a pass over a batch that was hashed."""
        self._last = None
        self._passes += not self._moment.learns
        if self._moment.learns:
            self._trained_in[module] = module.training
        dropped, self._dropped = self._dropped, {}
        batch, step = self._samples.batch, self._moment.step
        if batch is None:
            return
        if self._moment.learns:
            tensor = next(iter(tensors_in(output)), None)
            self._made = None if tensor is None or not tensor.ndim or tensor.grad_fn is None else (
                graph.sequence(tensor.grad_fn), len(tensor))
            if self._moment.sampled and len(self._training) < MOST_FUNCTIONS:
                self._training.update(code for code, _ in self._sites.stack())
            if module.training:
                self._last = Forward(
                    weakref.ref(module), self._sites.here(), batch.hashes, None)
                if len(self._learning) >= MOST_WAITING:
                    del self._learning[next(iter(self._learning))]
                self._learning[id(batch.hashes)] = self._last
            return
        # In eval mode nothing is to be dropped, of training samples neither: a graph network is
        # given all nodes in every pass.
        told = not module.training and bool(dropped or self._functions)
        # So it is if all samples are given in every pass, and only some are learned from.
        held = self._reads_some and self._samples.is_all(batch)
        if batch.role is not Role.HELD_OUT and not told and not held:
            return
        if step != self._looked[0]:
            self._rare = self._looked[0] < 0 or step - self._looked[0] >= RARE
            self._looked = [step, self._looked[1] + 1]
        if self._looked[1] > MOST_PASSES and self._looked[1] % MOST_PASSES:
            return
        sample = batch.hashes.values[0]
        if sample in self._counts or len(self._counts) < MOST_BATCHES:
            self._counts[sample] = self._counts.get(sample, 0) + 1
        if len(self._waiting) >= MOST_PASSES:
            return
        modes = self._modes(module)
        if any(modes.values()):
            dropped = {}  # their modes tell
        functions = dict.fromkeys(self._functions, False) if told else {}
        site, call = self._evaluating()
        self._last = Forward(weakref.ref(module), site, batch.hashes,
                             modes | functions | dict.fromkeys(dropped, True),
                             told=told or held,
                             call=call, dropped={} if module.training else dropped,
                             declared=self._declared(module))
        self._waiting.append(self._last)

    def _evaluating(self) -> tuple[Site | None, Site | None]:
        """The innermost call that no training goes through, and that of the model if further in."""
        stack = self._sites.stack()
        inner = stack[0] if stack else None
        found = next((site for site in stack if site[0] not in self._training), inner)
        return found, None if found == inner else inner

    def _declared(self, module: nn.Module) -> bool:
        """Whether another model, trained in train mode, is in eval mode: so this is a validation.
        """
        return any(was and not other.training and other is not module
                   for other, was in self._trained_in.items())

    def quiet_call(self) -> None:
        """The last pass was none that was hashed."""
        self._last = None

    def _modes(self, model: nn.Module) -> dict[str, bool]:
        if not self._names.knows(model):
            return {}
        return {
            known[0]: module.training for module in model.modules()
            if depends(module) and (known := self._names.layer(module)) is not None
        }

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """A loss without a graph judges the last pass."""
        if not loss.requires_grad:
            self._judged(self._last, self._samples.role)

    def _judged(self, forward: Forward | None, role: Role) -> None:
        """A loss was computed of a pass, and nothing learned from it."""
        if forward is None or (role is not Role.HELD_OUT and not forward.told):
            return
        forward.scored = True
        if forward.layers is None:
            model = forward.model()
            forward.layers = self._modes(model) if model is not None else {}
            self._waiting.append(forward)

    def _batch_judged(self, batch: Batch | None, role: Role) -> None:
        """A loss of this batch could have reached backward, and never did."""
        own = self._learning.get(id(batch.hashes)) if batch is not None else None
        if own is not None:
            # Not if there was another pass over the same samples since.
            last = next(f for f in reversed(self._learning.values())
                        if f is own or f.sample == own.sample)  # NaN equals nothing
            self._judged(own if last is own else None, role)

    def is_at_rest(self) -> bool:
        """Whether no pass waits for its end."""
        return not self._waiting

    def evaluation_ended(self) -> None:
        """Writes what was only looked at."""
        if self._waiting:
            self._end_pass(self._moment.step)

    def _end_pass(self, step: int) -> None:
        passes, self._waiting = self._waiting, []
        alone = len(self._names.models()) == 1
        counts, self._counts = self._counts, {}
        # A batch that is looked at and then trained on is none of a validation.
        learns = self._last is not None and self._last.layers is None
        trained = self._last.sample if self._last is not None and learns else None
        modes: dict[str, float] = {}
        for forward in passes:
            if counts.get(forward.sample, 0) >= REPEATS or not forward.layers or (
                forward.sample == trained and not forward.told
            ):
                continue
            model = forward.model()  # one that is never trained may be a teacher
            told = (self._rare or self._reads_some) and (alone or forward.declared)
            if not forward.scored and not (
                told and step and (model is None or self._is_trained(model))
            ):
                continue
            for name, training in forward.layers.items():
                modes[name] = max(modes.get(name, 0.0), float(training))
            guilty = tuple(name for name, training in forward.layers.items() if training)
            if guilty:
                self._name_pass(forward, guilty, step)
        self._writer.sample(TRAIN_IN_VALIDATION, step, modes)

    def _is_trained(self, model: nn.Module) -> bool:
        """Whether a module is or belongs to a model of the program, and no frozen part of it."""
        return self._names.knows(model) and any(
            p.requires_grad for p in nn.Module.parameters(model))

    def _name_pass(self, forward: Forward, guilty: tuple[str, ...], step: int) -> None:
        location = self._sites.location(forward.site)
        found = [(f"pass at line {location.line if location else '?'}", location, guilty, False)]
        if forward.dropped:
            found = [(f"active {name}", self._sites.location(site), (name,), True)
                     for name, site in forward.dropped.items()]
        for name, place, layers, anew in found:
            name += "" if forward.scored else ", not scored"
            if name not in self._named:
                self._named.add(name)
                call = self._sites.location(forward.call)
                self._writer.fact(
                    HeldOutPass(name, place, layers, forward.scored, anew, call), step)


def chooses_rows(node: Any, made: int, count: int) -> bool:
    """Whether a node takes fewer than `count` samples of what the node of that number made of so
    many."""
    if node.name() != "IndexBackward0":
        return False
    indices, shape = graph.kept(node, "indices"), graph.shape(node)
    return (isinstance(indices, tuple | list) and len(indices) == 1
            and shape is not None and len(shape) > 0 and shape[0] < count
            and (graph.kept(node, "self_sym_sizes") or (0,))[0] == count
            and any(graph.sequence(behind) == made for behind in graph.walk(node, MOST_BETWEEN)))
