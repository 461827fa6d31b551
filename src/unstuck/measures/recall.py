"""Samples of several classes taken together, and whether a network finds them.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unstuck.measures.labels import interval
from unstuck.measures.view import View
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import LayerRole


@dataclass(frozen=True, slots=True)
class Group:
    """Classes taken together: their samples and the share that was found."""

    samples: float
    recall: float

    @property
    def most(self) -> float:
        """The upper end of the 95 % interval of that share."""
        return interval(self.recall, self.samples)[1]


def group(names: list[str], judged: dict[str, float], recall: dict[str, float]) -> Group:
    """The classes of these names, as far as samples of theirs were judged."""
    counted = {n: judged[n] for n in names if n in recall and judged.get(n, 0) > 0}
    total = sum(counted.values())
    if not total:
        return Group(0.0, math.nan)
    return Group(total, sum(recall[n] * k for n, k in counted.items()) / total)


def lowest_ranking(ranking: dict[str, float], names: list[str], samples: float) -> float:
    """The lower end of the interval of the mean area under the curve."""
    areas = [ranking[n] for n in names if n in ranking]
    if not areas or not samples:
        return math.nan
    mean = sum(areas) / len(areas)
    return mean - 2 * math.sqrt(max(mean * (1 - mean), 0.0) / samples)


def reads_its_classes(view: View) -> bool:
    """Whether the network has a vector for each class: it predicts tokens from tokens."""
    classes = {loss.input_shape[1] for loss in view.record.facts(Loss) if len(loss.input_shape) > 1}
    layers = view.record.layers()
    return any(
        p.shape[0] in classes for p in view.record.parameters().values() if len(p.shape) == 2
        and p.layer in layers and layers[p.layer].role is LayerRole.EMBEDDING)
