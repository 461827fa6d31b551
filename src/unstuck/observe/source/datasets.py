"""What a data set holds, read past its class: nothing of it is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from unstuck.observe.source.variables import own_attributes

MOST_ATTRIBUTES = 32  # of a data set that are looked at
DEPTH = 4  # data sets within data sets


def innermost(data: Any, rows: list[int]) -> tuple[Any, list[int]]:
    """The data set that the rows of a part of one come from, and which they are there."""
    for _ in range(DEPTH):
        if type(data) is not Subset:
            break
        try:
            rows = [int(data.indices[i]) for i in rows]
        except (TypeError, ValueError, IndexError):
            return data, []
        data = data.dataset
    return data, rows


def stores(data: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a data set that may hold a row for each sample, by name."""
    for name, value in list(own_attributes(data).items())[:MOST_ATTRIBUTES]:
        if isinstance(value, torch.Tensor | np.ndarray) or type(value) is list:
            yield str(name), value
        elif type(value) is tuple:
            yield from ((f"{name}[{i}]", part) for i, part in enumerate(value)
                        if isinstance(part, torch.Tensor | np.ndarray))
