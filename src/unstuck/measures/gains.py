"""How much each layer multiplies the size of its input by before any update.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from unstuck.measures.basics import by_unit
from unstuck.measures.view import View
from unstuck.schema.facts.models import Layer, LayerRole, Parameter
from unstuck.schema.signals.layers import STACKED_LAYERS, TWIN_UNITS
from unstuck.schema.signals.parameters import WEIGHT_NORM

DEFAULT_GAIN = 1 / math.sqrt(3)  # of PyTorch
JUDGED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT, LayerRole.OTHER,
          LayerRole.CONTAINER)


@dataclass(frozen=True, slots=True)
class Weighted:
    """A layer with weights in the order of the forward pass, and its gain before any update."""

    parameter: Parameter
    layer: Layer | None
    gain: float
    normalised: bool  # a normalisation comes right after it


def told_apart(view: View, parameter: Parameter) -> bool:
    """Whether other weights of a layer tell its units apart although those of one do not."""
    known = view[TWIN_UNITS]
    return any(
        other.layer == parameter.layer and other.name != parameter.name and len(other.shape) > 1
        and other.shape[0] == parameter.shape[0]
        and not (other.name in known and len(known[other.name]) and known[other.name].values[0] > 0)
        for other in view.record.parameters().values())


def weighted_layers(view: View) -> list[Weighted]:
    """The matrices of the layers that the graph was seen to pass, first to last."""
    parameters, layers = view.record.parameters(), view.record.layers()
    after = dict(pairwise(layers.values()))
    at: dict[str, list[Parameter]] = {}
    for parameter in parameters.values():
        for place in {parameter.layer, parameter.name}:
            at.setdefault(place, []).append(parameter)
    found = []
    for place in view[STACKED_LAYERS]:
        for parameter in at.get(place, ()):
            if len(parameter.shape) < 2:
                continue
            layer = layers.get(parameter.layer)
            if layer is not None and layer.role not in JUDGED:
                continue
            norms = view[WEIGHT_NORM].get(parameter.name)
            gain = math.nan
            if norms is not None and norms.steps[0] == 0 and not parameter.loaded:
                plain = layer is not None and layer.role in (
                    LayerRole.LINEAR, LayerRole.CONVOLUTION) and (
                    not layer.kind.startswith("ConvTranspose"))
                units = by_unit(view, parameter)[0] if plain else max(parameter.shape[:2])
                gain = float(norms.values[0]) / math.sqrt(max(units, 1))
            follows = after.get(layer) if layer is not None else None
            found.append(Weighted(
                parameter, layer, gain,
                follows is not None and follows.role is LayerRole.NORMALISATION))
    return found
