"""Tells of the calls of a model that is no module, when a loss receives what came of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.bare.places import Place, data_of, places, result_of
from unstuck.observe.events import Dispatch
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context
from unstuck.observe.source.holders import Held, holders
from unstuck.observe.source.standins import StandIn
from unstuck.observe.tensors import is_leaf, is_plain, observable, tensors_in
from unstuck.schema.places import SourceLocation

MOST_PLACES = 200  # of a graph that are told of
MOST_LEAVES = 1_000
NAME = "network"


class BareModel:
    """Tells the events of a model's call, as long as the program calls no module that is one.

    Args:
        wants: the next step from which on each batch is wanted, though the step is not sampled.
        held: the tensors of all optimizers.
        call_of: where the program calls its own function that made a node of the graph, seen from
            another node; or the operation of the first one, if there is no such function.
    """

    def __init__(
        self, context: Context, events: Dispatch, wants: Callable[[int], float],
        held: Callable[[], Iterable[torch.Tensor]],
        call_of: Callable[[Any, Any], SourceLocation | None],
    ) -> None:
        self._names = context.names
        self._sites = context.sites
        self._moment = context.moment
        self._events = events
        self._wants = wants
        self._held = held
        self._call_of = call_of
        self._model: StandIn | None = None
        self._layers: dict[str, StandIn] = {}
        self._known: ByIdentity[torch.Tensor, str] = ByIdentity()  # the labels of leaves
        # Data since the last backward pass, by what holds them and where they lie there.
        self._met: list[tuple[weakref.ref[torch.Tensor], tuple[int, tuple[int, ...]]]] = []
        self._quiet = False  # it is known that nothing is told
        self.off = False  # the program calls a module

    # What the program does ----------------------------------------------------------------------
    def before_loss(self, args: Any, result: Any) -> None:
        """A loss function has received these, and nobody was told of it yet."""
        if self._is_off:
            return
        given = [tensor for tensor in tensors_in(*args) if observable(tensor)]
        made = next((tensor for tensor in given if tensor.grad_fn is not None), None)
        if made is not None:
            self._call(made.grad_fn, made, getattr(result, "grad_fn", None))
        elif self._model is not None and given and not torch.is_grad_enabled():
            self._moment.learns = self._quiet = False
            self._events.model_called(self._model, (), {}, given[0])

    def before_backward(self, loss: Any) -> None:
        """A loss is about to be differentiated: no function of torch need have computed it."""
        if not self._is_off and not self._met and is_plain(loss) and loss.grad_fn is not None:
            self._call(loss.grad_fn, None, loss.grad_fn)

    def backward_begins(self) -> None:
        """What comes next is about another loss."""
        self._met = []

    @property
    def _is_off(self) -> bool:
        return self.off or self._moment.compiled

    @property
    def is_new(self) -> bool:
        """Whether nothing is known of the program's weights yet."""
        return self._model is None and not self._is_off

    # Calls --------------------------------------------------------------------------------------
    def _call(self, root: Any, output: torch.Tensor | None, loss: Any) -> None:
        if self._moment.sampled:
            self._tell(root, output, loss)
        elif self._model is not None and self._wants(self._moment.step) <= self._moment.step:
            data = data_of(places(graph.walk(root)))
            if data is not None and self._meets(data):
                self._moment.learns, self._quiet = True, False
                self._events.model_called(self._model, (data,), {}, output)
        elif self._model is not None and not self._quiet:
            self._quiet = True
            self._events.quiet_steps_begin()
            self._events.quiet_call()

    def _tell(self, root: Any, output: torch.Tensor | None, loss: Any) -> None:
        nodes = list(graph.walk(root))
        found = places(nodes)[:MOST_PLACES]
        data = data_of(found)
        if data is None or not self._meets(data):
            return
        self._register(nodes, found)
        model, events = self._model, self._events
        assert model is not None
        if model.called is None and loss is not None:
            model.__dict__["called"] = self._call_of(
                next(place.node for place in found if place.source is None), loss)
        self._moment.learns, self._quiet = True, False
        events.before_call(model)
        for place in found:
            layer = self._layer_of(place)
            if type(layer) is not place.kind:
                continue  # tied weights, in their other use
            made = place.made()
            if layer is not None and made is not None:
                events.layer_called(layer, (place.taken(),), made)
        result = output if output is not None else result_of(found, nodes)
        events.model_called(model, (data,), {}, result)
        events.model_trained(model, (data,), {}, result)

    def _meets(self, data: torch.Tensor) -> bool:
        """Whether no loss since the last backward pass was about the same data."""
        place = data.data_ptr(), tuple(data.shape)
        if any(ref() is not None and place == at for ref, at in self._met):
            return False
        self._met.append((weakref.ref(data if data._base is None else data._base), place))
        return True

    # The model ----------------------------------------------------------------------------------
    def _layer_of(self, place: Place) -> StandIn | None:
        return self._layers.get(_layer_of(self._known.get(place.weight) or ""))

    def _register(self, nodes: list[Any], found: list[Place]) -> None:
        """Makes the weights known by their names, those that no loss reaches too."""
        leaves = [leaf for node in nodes if (leaf := graph.variable(node)) is not None]
        leaves += [each for each in self._held() if is_plain(each) and is_leaf(each)]
        new = list({
            id(leaf): leaf for leaf in leaves if leaf not in self._known}.values())[:MOST_LEAVES]
        if not new and all(self._layer_of(place) is not None for place in found):
            return
        model = self._model = self._model or StandIn()
        known = self._distinct(holders(new, self._sites), new, leaves)
        for place in found:
            if self._layer_of(place) is None:
                self._take(place, known)
        for leaf in new:
            if leaf not in self._known:
                held = known[id(leaf)]
                model.take(held.name.replace(".", "_"), leaf, held.name, held.made)
                self._known[leaf] = held.name
        self._names.register(model, NAME)

    def _take(self, place: Place, known: dict[int, Held]) -> None:
        held = known.get(id(place.weight))
        if held is None:  # an optimizer had it, before a loss reached it
            assert self._model is not None
            label = self._known.get(place.weight)
            if label is None:
                return  # one leaf too many
            held = Held(label, self._model.leave(place.weight))
        name = _layer_of(held.name)
        layer = self._layers.get(name)
        if layer is None or type(layer) is not place.kind:
            layer = self._layers[name] = place.kind()
            assert self._model is not None
            self._model._modules[name] = layer
        layer.take("weight", place.weight, held.name, held.made)
        self._known[place.weight] = held.name
        bias = place.bias
        own = known.get(id(bias))
        if bias is not None and own is not None and bias not in self._known:
            label = own.name if _layer_of(own.name) == name else f"{name}.{own.name}"
            layer.take("bias", bias, label, own.made)
            self._known[bias] = label

    def _distinct(
        self, known: dict[int, Held], new: list[torch.Tensor], leaves: list[torch.Tensor]
    ) -> dict[int, Held]:
        """A name for each new leaf, which no other of these leaves has."""
        taken = {label for leaf in leaves if (label := self._known.get(leaf)) is not None}
        found = {}
        for leaf in new:
            held = known.get(id(leaf)) or Held("weights", None)
            number, name = 1, held.name
            while name in taken:
                number += 1
                name = f"{held.name}-{number}"
            taken.add(name)
            found[id(leaf)] = Held(name, held.made)
        return found


def _layer_of(label: str) -> str:
    return label.rpartition(".")[0] or label
