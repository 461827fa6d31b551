"""Names for models, layers and parameters, so that a record can speak of them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from types import FrameType
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.source.assignments import parameter_expressions
from unstuck.observe.source.sites import Site, Sites, local_variables
from unstuck.observe.source.standins import MatMul, StandIn
from unstuck.schema.facts.models import Layer, LayerRole, Model, Parameter
from unstuck.schema.places import SourceLocation

_WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module",
             "OptimizedModule": "_orig_mod", "FullyShardedDataParallel": "module"}

_ROLES: tuple[tuple[LayerRole, tuple[type, ...]], ...] = (
    (LayerRole.LINEAR, (nn.Linear, nn.LazyLinear, nn.Bilinear)),
    (LayerRole.CONVOLUTION, (nn.modules.conv._ConvNd,)),
    (LayerRole.RECURRENT, (nn.RNNBase, nn.RNNCellBase)),
    (LayerRole.ATTENTION, (nn.MultiheadAttention,)),
    (LayerRole.EMBEDDING, (nn.Embedding, nn.EmbeddingBag)),
    (LayerRole.NORMALISATION, (
        nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm,
    )),
    (LayerRole.DROPOUT, (nn.modules.dropout._DropoutNd,)),
    (LayerRole.POOLING, (
        nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd,
        nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd,
    )),
    (LayerRole.LOSS, (nn.modules.loss._Loss,)),
    (LayerRole.CONTAINER, (nn.Sequential, nn.ModuleList, nn.ModuleDict)),
)
COPY_FRAMES = 10  # from where a copy is noted out to who copies
_CONTAINERS_IN_ACTIVATION = {"MultiheadAttention"}


def role(module: nn.Module) -> LayerRole:
    """What a module is."""
    if isinstance(module, StandIn):
        return module.role
    for found, kinds in _ROLES:
        if isinstance(module, kinds):
            return found
    if type(module).__name__ == "RMSNorm":
        return LayerRole.NORMALISATION
    if (type(module).__module__ == "torch.nn.modules.activation"
            and type(module).__name__ not in _CONTAINERS_IN_ACTIVATION):
        return LayerRole.ACTIVATION
    if next(module.children(), None) is not None:
        return LayerRole.CONTAINER
    return LayerRole.LINEAR if _multiplies(module) else LayerRole.OTHER


def _multiplies(module: nn.Module) -> bool:
    """Whether a layer of the program's own holds one matrix, and at most a bias as wide as it.

    Anything else is not known by its parameters alone, such as a scale or a table of vectors.
    """
    if type(module).__module__.startswith("torch."):
        return False
    shapes = sorted((_shape(p) for p in nn.Module.parameters(module, recurse=False)), key=len)
    return [len(shape) for shape in shapes] == [1, 2] and shapes[0][0] in shapes[1]


def dropped(module: nn.Module, kind: LayerRole) -> float | None:
    """The share of its input that a dropout layer zeroes in train mode."""
    share = getattr(module, "p", None) if kind is LayerRole.DROPOUT else None
    return float(share) if isinstance(share, int | float) else None


def follows(module: nn.Module) -> float | None:
    """The weight of the last batch in the running statistics of a batch normalisation."""
    if not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.running_mean is None:
        return None
    return float(module.momentum) if isinstance(module.momentum, int | float) else None


def unwrapped(module: nn.Module) -> nn.Module:
    """The user's module inside a parallel or compiled wrapper."""
    while (attribute := _WRAPPERS.get(type(module).__name__)) is not None:
        module = getattr(module, attribute)
    return module


def numbered(counts: dict[str, int], base: str) -> str:
    """The name of the next thing of a kind: base, base-2, base-3; `counts` is kept up to date."""
    counts[base] = number = counts.get(base, 0) + 1
    return base if number == 1 else f"{base}-{number}"


def _shape(parameter: torch.Tensor) -> tuple[int, ...]:
    lazy = isinstance(parameter, nn.parameter.UninitializedTensorMixin)
    return () if lazy else tuple(parameter.shape)


def original_of(copy: object) -> Any:
    """What is being copied by `copy.deepcopy` in the frame that gives the copy its state."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(COPY_FRAMES):
        if frame is None:
            return None
        if frame.f_code.co_name == "_reconstruct" and frame.f_globals.get("__name__") == "copy":
            found = local_variables(frame)
            return found.get("x") if found.get("y") is copy else None
        frame = frame.f_back
    return None


class Construction:
    """What the program has built, copied and loaded; `changes` counts that."""

    def __init__(self) -> None:
        self.built: ByIdentity[nn.Module, tuple[Site | None]] = ByIdentity()
        self.copies: ByIdentity[nn.Module, tuple[Site | None, Site | None]] = ByIdentity()
        # Copies of what was built, made before anything was trained.
        self.fresh: ByIdentity[nn.Module, bool] = ByIdentity()
        self.loaded: ByIdentity[torch.Tensor, int] = ByIdentity()  # by which change
        self.called: ByIdentity[nn.Module, bool] = ByIdentity()  # whether a model
        self.changes = 0
        self.trains = False  # an optimizer was built: what is copied later may be trained


class Names:
    """All models that a training has called so far and the names of their parts.

    Everything is kept by identity with weak references: a tensor cannot be a weak key, and a
    module may compare as it likes. What was built is known to all trainings of a process.
    """

    def __init__(self, sites: Sites, construction: Construction | None = None) -> None:
        self._sites = sites
        self._known = construction or Construction()
        self._layers: ByIdentity[nn.Module, tuple[str, LayerRole]] = ByIdentity()
        self._parameters: ByIdentity[torch.Tensor, str] = ByIdentity()
        self._turned: ByIdentity[torch.Tensor, bool] = ByIdentity()  # of one column a unit
        self._models: ByIdentity[nn.Module, str] = ByIdentity()
        self._first: str | None = None  # name of the first model, whose parts need no prefix
        self._used: dict[str, int] = {}  # names, with the number of the next of that name

    def anew(self) -> Names:
        """Names for another training, in which none is taken."""
        return Names(self._sites, self._known)

    @property
    def changes(self) -> int:
        """Modules built and checkpoints loaded so far."""
        return self._known.changes

    # What was built -----------------------------------------------------------------------------
    def built(self, module: nn.Module) -> None:
        """Notes where a module is constructed; called at the start of its constructor."""
        self._known.changes += 1
        self._known.built[module] = (self._sites.here(module),)

    def copied(self, module: nn.Module) -> None:
        """Notes that a module is a copy, or comes from a file; called when it has its state."""
        self._known.changes += 1
        original = original_of(module)
        built = self.built_at(original) if original is not None else None
        self._known.copies[module] = built, self._sites.here()
        if original is not None and not self._known.trains and self.was_built(original):
            self._known.fresh[module] = True
            for copy, parameter in zip(nn.Module.parameters(module), nn.Module.parameters(original),
                                       strict=False):
                if self.was_loaded(parameter):
                    self._known.loaded[copy] = self._known.changes

    def loaded(self, module: nn.Module, missing: Collection[str] = ()) -> None:
        """Notes that a module's values came from a checkpoint, but for those that it lacked."""
        self._known.changes += 1
        for name, parameter in nn.Module.named_parameters(module):
            if name not in missing:
                self._known.loaded[parameter] = self._known.changes

    def was_loaded(self, tensor: torch.Tensor, after: int = 0) -> bool:
        """Whether a parameter's values came from a checkpoint, after so many changes."""
        return (self._known.loaded.get(tensor) or 0) > after

    def built_at(self, module: nn.Module) -> Site | None:
        """Where a module was constructed; of a copy its original."""
        return (self._known.built.get(module) or self._known.copies.get(module) or (None,))[0]

    def copied_at(self, module: nn.Module) -> Site | None:
        """Where a module was copied or read from a file."""
        return (self._known.copies.get(module) or (None, None))[1]

    def are_copies(self, parameters: Iterable[torch.Tensor]) -> bool:
        """Whether one of these parameters belongs to a module that was copied."""
        wanted = {id(p) for p in parameters}
        return any(id(p) in wanted for module, _ in self._known.copies.items()
                   for p in nn.Module.parameters(module, recurse=False))

    def was_built(self, module: nn.Module) -> bool:
        """Whether a module was constructed in this run, or copied from such a one untrained.

        A copy of a trained module was not, nor one that was unpickled.
        """
        return module in self._known.built or module in self._known.fresh

    def training_begins(self) -> None:
        """An optimizer was built."""
        self._known.trains = True

    # Names --------------------------------------------------------------------------------------
    def layer(self, module: nn.Module) -> tuple[str, LayerRole] | None:
        """Name and role of a layer of a known model."""
        return self._layers.get(module)

    def parameter(self, tensor: torch.Tensor) -> str | None:
        """Name of a parameter of a known model."""
        return self._parameters.get(tensor)

    def by_unit(self, matrix: torch.Tensor) -> torch.Tensor:
        """A parameter as a view of one row a unit, as torch's own layers hold their weights."""
        return matrix.mT if matrix.ndim == 2 and matrix in self._turned else matrix

    def knows(self, module: nn.Module) -> bool:
        """Whether a module is part of a known model, or one itself."""
        return module in self._layers

    def nearest(self, node: Any, limit: int) -> tuple[str, torch.Tensor] | None:
        """The nearest layer with parameters behind a graph node, and the parameter met first."""
        for behind in graph.walk(node, limit):
            tensor = graph.variable(behind)
            name = self.parameter(tensor) if tensor is not None else None
            if tensor is not None and name is not None:
                return name.rpartition(".")[0] or name, tensor
        return None

    def models(self) -> list[tuple[nn.Module, str]]:
        """The known models that are alive, with their names."""
        return list(self._models.items())

    def parameters(self) -> Iterable[tuple[str, torch.Tensor]]:
        """All living parameters of the known models."""
        for tensor, name in self._parameters.items():
            yield name, tensor

    def is_model(self, module: nn.Module) -> bool:
        """Whether a module called from outside is a model: it can learn, and is no loss."""
        found = self._known.called.get(module)
        if found is None:
            inner = unwrapped(module)
            found = (role(inner) is not LayerRole.LOSS
                     and next(iter(nn.Module.parameters(inner)), None) is not None)
            self._known.called[module] = found
        return found

    # Models -------------------------------------------------------------------------------------
    def register(self, called: nn.Module, hint: str | None) -> tuple[nn.Module, str] | None:
        """Makes the model that a called module belongs to known.

        The model is the outermost module that holds `called`: a program may call parts of its
        model only. Returns the model and its name, None if it has no parameters.
        """
        model = self._outermost(unwrapped(called))
        if type(model).__module__.startswith("torch.nn.utils"):
            return None  # a parametrization that is still being attached
        if next(iter(nn.Module.parameters(model)), None) is None:
            return None
        known = self._models.get(model)
        if known is not None:
            self._name_parts(model, known)
            return model, known
        base = name = hint or type(model).__name__
        while name in self._used:
            name = f"{base}-{self._used[base]}"
            self._used[base] += 1
        self._used[name] = 2
        self._first = self._first or name
        self._models[model] = name
        self._name_parts(model, name)
        return model, name

    def _name_parts(self, model: nn.Module, name: str) -> None:
        prefix = "" if name == self._first else f"{name}."
        for path, module in model.named_modules():
            label = f"{prefix}{path}" if path else name
            self._layers[module] = label, role(module)
            for weight in module._parameters.values() if isinstance(
                    module, MatMul | nn.Embedding) else ():
                self._turned[weight] = True
        for path, parameter in model.named_parameters():
            self._parameters[parameter] = f"{prefix}{path}"

    def _outermost(self, module: nn.Module) -> nn.Module:
        alive = [built for built, _ in self._known.built.items()]
        holders: dict[int, nn.Module] = {}
        for candidate in alive:
            for child in getattr(candidate, "_modules", {}).values():
                if child is not None:
                    holders.setdefault(id(child), candidate)
        seen = {id(module)}
        while (holder := holders.get(id(module))) is not None and id(holder) not in seen:
            if type(holder).__name__ in _WRAPPERS:
                break
            seen.add(id(holder))
            module = holder
        return module

    def model_fact(self, model: nn.Module, name: str, **known: Any) -> Model:
        """Everything about a model's tree."""
        layers = []
        for _, module in model.named_modules():
            known_as, kind = self.layer(module) or (name, LayerRole.OTHER)
            own = tuple(
                found for p in nn.Module.parameters(module, recurse=False)
                if (found := self.parameter(p)) is not None
            )
            layers.append(Layer(
                known_as, type(module).__name__, kind,
                self._where(module), own, dropped(module, kind),
                self._sites.location(self.copied_at(module)), follows(module),
            ))
        made = self._made(model)
        owner = {p: layer.name for layer in layers for p in layer.parameters}
        parameters = tuple(
            Parameter(
                label, owner.get(label, name), _shape(p), p.requires_grad,
                self.was_loaded(p), made.get(label),
            )
            for p in nn.Module.parameters(model)
            if (label := self.parameter(p)) is not None
        )
        return Model(
            name, type(model).__name__,
            location=self._sites.location(self.built_at(model)),
            layers=tuple(layers), parameters=parameters, **known,
        )

    def _where(self, module: nn.Module) -> SourceLocation | None:
        """Where a module was constructed, or what made the weights that one stands for."""
        return module.location if isinstance(module, StandIn) else self._sites.location(
            self.built_at(module))

    def _made(self, model: nn.Module) -> dict[str, SourceLocation]:
        """What the classes of the user's assign to their own parameters, by their names."""
        found: dict[str, SourceLocation] = {}
        expressions: dict[type, dict[str, SourceLocation]] = {}
        for module in model.modules():
            kind = type(module)
            if isinstance(module, StandIn):
                known = module.made
            else:
                if module._parameters and kind not in expressions:
                    expressions[kind] = parameter_expressions(self._sites, kind)
                known = expressions.get(kind, {})
            for leaf, parameter in module._parameters.items():
                name = self.parameter(parameter) if parameter is not None else None
                place = known.get(leaf)
                if name is not None and place is not None:
                    found[name] = place
        return found
